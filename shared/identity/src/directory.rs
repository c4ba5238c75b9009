//! Logging in with a directory's password.
//!
//! Only one component talks to the directory; all others ask it, so that none of them needs the
//! right to open connections. What comes back is the user's name and groups there: the user's row and
//! memberships here follow them at every login. Nothing of the password is kept but that it was right
//! a moment ago, and that only shortly: who is taken out of the directory, or out of a group there,
//! has what they had for no longer than that.

use super::passwords::{self, LockRule};
use super::verified::Credential;
use crate::ldap::dn;
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;
use windlass_core::caller::BOOTSTRAP_ADMIN;
use windlass_core::db::Db;
use windlass_core::platform::{self, OutboundRequest, TICK_TOKEN_HEADER};
use windlass_core::{Error, Kind, Result, Scope, Timestamp, params};
use windlass_store::audit;

/// How long a directory's yes counts, in seconds.
pub const LIFETIME: i64 = 60;

/// Who asks the directory.
const LOGINS: &str = "http://conductor-identity.spin.internal/api/v3.1/ldap/logins";

/// How long that may take: a little longer than it gives the directory.
const PATIENCE: Duration = Duration::from_secs(25);

/// The longest name of a user, in characters.
const LONGEST_NAME: usize = 256;

/// Somebody whose password was right, as the directory knows them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Person {
    username: String,
    groups: Vec<String>,
}

/// What the component answers that asks the directory.
#[derive(Deserialize)]
struct Answer {
    /// Nobody: the name or the password is wrong.
    person: Option<Person>,
}

/// The settings of the directory that decides about this name, as a text to compare with; nothing
/// when there is no directory, and for the first administrator, who gets in when it is gone.
pub async fn settings_for(db: &impl Db, username: &str) -> Result<Option<String>> {
    let row = db
        .first(
            "select json_group_array(json_array(name, value, updated_at)) from (
                 select name, value, updated_at from config
                 where scope = 'rest' and name like 'ldap\\_%' escape '\\' order by name)
             where exists (select 1 from config where scope = 'rest' and name = 'ldap_server'
                     and coalesce(value ->> '$', '') <> '')
                 and not exists (select 1 from users where username = ?1 and id = ?2)",
            params![username, BOOTSTRAP_ADMIN],
        )
        .await?;
    let settings = row.map(|row| row.text(0).map(str::to_owned)).transpose()?;
    Ok(settings.filter(|settings| settings != "[]"))
}

/// The number of the user whose name and password the directory takes, and until when that counts.
///
/// # Errors
/// 401 in the words for a wrong password; 503 when the directory cannot be asked, which counts as
/// nobody's failure.
pub async fn verify(
    db: &impl Db,
    username: &str,
    password: &str,
    settings: &str,
) -> Result<(i64, Timestamp)> {
    let refusal = || Err(passwords::wrong(username));
    let rule = LockRule::read(db).await?;
    let account = Account::find(db, username).await?;
    if account.as_ref().is_some_and(|known| !known.is_open(&rule)) {
        return refusal();
    }
    // To a directory an empty password is a login of nobody, and it says yes.
    if password.is_empty() || username.chars().count() > LONGEST_NAME {
        return refusal();
    }
    let credential = Credential {
        kind: "verified by a directory",
        username,
        password,
        against: settings,
    };
    if let Some(known) = &account
        && let Some(until) = credential.known_until(db).await?
    {
        return Ok((known.id, until));
    }
    let person = ask(username, password).await?;
    // A directory may take one name for another, such as with a space behind it. What is counted
    // and locked here is a name as it is.
    let person = person.filter(|person| person.username.eq_ignore_ascii_case(username));
    let Some(person) = person else {
        if let Some(known) = &account {
            passwords::record_failure(db, known.id).await?;
        }
        return refusal();
    };
    db.transaction(async |db| {
        let scope = Scope::system(&person.username, "");
        let Some(id) = record(db, &scope, &person, &rule).await? else {
            return refusal();
        };
        follow(db, &scope, id, &person.groups).await?;
        Ok((id, credential.note(db, LIFETIME).await?))
    })
    .await
}

/// A user's row, as a login looks at it.
struct Account {
    id: i64,
    active: bool,
    failures: i64,
    last_failure: Option<String>,
}

impl Account {
    async fn find(db: &impl Db, username: &str) -> Result<Option<Self>> {
        let row = db
            .first(
                "select id, active, failed_logins, last_failed_login_at from users
                 where username = ?1",
                params![username],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Self {
            id: row.integer(0)?,
            active: row.boolean(1)?,
            failures: row.integer(2)?,
            last_failure: row.optional_text(3)?.map(str::to_owned),
        }))
    }

    fn is_open(&self, rule: &LockRule) -> bool {
        self.active && !rule.locks(self.failures, self.last_failure.as_deref())
    }
}

/// Asks the directory, through the component that may.
async fn ask(username: &str, password: &str) -> Result<Option<Person>> {
    let unavailable = |cause: String| {
        Error::new(
            Kind::Unavailable,
            "The LDAP server cannot be asked at the moment, try again later",
        )
        .context(cause)
    };
    let token = platform::tick_token().await?;
    let token = token.ok_or_else(|| Error::internal("there is no tick token"))?;
    let request = OutboundRequest {
        method: "POST".into(),
        url: LOGINS.into(),
        headers: vec![
            (TICK_TOKEN_HEADER.into(), token),
            ("content-type".into(), "application/json".into()),
        ],
        body: json!({ "username": username, "password": password })
            .to_string()
            .into_bytes(),
        timeout: Some(PATIENCE),
    };
    let answer = platform::send(request).await.map_err(unavailable)?;
    if answer.status != 200 {
        return Err(unavailable(format!("{LOGINS} answered {}", answer.status)));
    }
    let answer: Answer = serde_json::from_slice(&answer.body)
        .map_err(|error| unavailable(format!("{LOGINS} answered something else: {error}")))?;
    Ok(answer.person)
}

/// Records a login, of a user who may be new here; nothing when the account was locked or closed
/// meanwhile.
async fn record(
    db: &impl Db,
    scope: &Scope,
    person: &Person,
    rule: &LockRule,
) -> Result<Option<i64>> {
    let now = Timestamp::now();
    if Account::find(db, &person.username).await?.is_none() {
        // No hash matches an empty text: here nobody logs in as them.
        db.execute(
            "insert into users (username, password_hash, role, created_at)
             values (?1, '', 'default', ?2)",
            params![person.username.as_str(), now],
        )
        .await?;
        audit::insert(db, scope, "user_create", "User", &person.username).await?;
    }
    let row = db
        .first(
            "update users set failed_logins = 0, last_login_at = ?2,
                 first_login_at = coalesce(first_login_at, ?2)
             where username = ?1 and active
                 and not (failed_logins > ?3 and coalesce(last_failed_login_at, '') > ?4)
             returning id",
            params![person.username.as_str(), now, rule.failures, rule.since],
        )
        .await?;
    row.map(|row| row.integer(0)).transpose()
}

/// A group that stands for one of the directory's.
#[derive(Deserialize)]
struct Place(i64, String, String, bool);

/// Puts a user into the groups that stand for theirs in the directory, and takes them out of the
/// others that stand for one. Groups of ours alone are left as they are.
async fn follow(db: &impl Db, scope: &Scope, user_id: i64, groups: &[String]) -> Result<()> {
    let places: Option<Vec<Place>> = db
        .first_json(
            "select json_group_array(json_array(g.id, g.name, g.ldap_dn,
                 json(iif(m.user_id is null, 'false', 'true'))))
             from user_groups g left join group_users m on m.group_id = g.id and m.user_id = ?1
             where coalesce(g.ldap_dn, '') <> ''",
            params![user_id],
        )
        .await?;
    for Place(group_id, name, ldap_dn, is_in) in places.unwrap_or_default() {
        let belongs = groups.iter().any(|group| dn::same(group, &ldap_dn));
        let (sql, action) = match (belongs, is_in) {
            (true, false) => (
                "insert into group_users (group_id, user_id) values (?1, ?2)",
                "user_group_add_user",
            ),
            (false, true) => (
                "delete from group_users where group_id = ?1 and user_id = ?2",
                "user_group_remove_user",
            ),
            _ => continue,
        };
        db.execute(sql, params![group_id, user_id]).await?;
        audit::insert(db, scope, action, "Group", &name).await?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "directory_tests.rs"]
mod tests;
