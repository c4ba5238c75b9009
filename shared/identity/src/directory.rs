//! Logging in with a directory's password.
//!
//! Only one component talks to the directory. All others ask that component, so none of them needs
//! the right to open connections. The answer is the user's name and groups in the directory. At every
//! login the user's row and memberships here are made to agree with it. Nothing of the password is
//! kept but that it was right a moment ago. That is forgotten soon: whoever is taken out of the
//! directory, or out of a group there, keeps what they had for no longer.

use crate::ldap::dn;
use crate::passwords::Login;
use crate::verified::Credential;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use windlass_core::caller::{BOOTSTRAP_ADMIN, Origin};
use windlass_core::db::{Db, Tx};
use windlass_core::platform::{self, OutboundRequest, TICK_TOKEN_HEADER};
use windlass_core::{Error, Kind, Result, Scope, Timestamp, params};
use windlass_store::users::locks::{LockRule, Standing};
use windlass_store::users::logins::{self, Account};
use windlass_store::{user_groups, users};

/// How long a directory's yes counts, in seconds.
pub const LIFETIME: i64 = 60;

/// The URL of the component that asks the directory.
const LOGINS: &str = "http://conductor-identity.spin.internal/api/v3.1/ldap/logins";

/// How long that component may take: a little longer than it waits for the directory.
const PATIENCE: Duration = Duration::from_secs(25);

/// The longest name of a user, in characters.
const LONGEST_NAME: usize = 256;

/// Somebody whose password was right, as the directory knows them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Person {
    username: String,
    groups: Vec<String>,
}

/// The answer of the component that asks the directory.
#[derive(Deserialize)]
struct Answer {
    /// Nobody: the name or the password is wrong.
    person: Option<Person>,
}

/// The settings of the directory that decides about this name, as a text to compare with. Nothing
/// when there is no directory, and for the first administrator, who can log in when it is gone.
pub async fn settings_for(db: &impl Db, username: &str) -> Result<Option<String>> {
    let settings: Option<Vec<Value>> = db
        .first_json(
            "select json_group_array(json_array(name, value, updated_at)) from (
                 select name, value, updated_at from config
                 where scope = 'rest' and name like 'ldap\\_%' escape '\\' order by name)
             where exists (select 1 from config where scope = 'rest' and name = 'ldap_server'
                     and coalesce(value ->> '$', '') <> '')
                 and not exists (select 1 from users where username = ?1 and id = ?2)",
            params![username, BOOTSTRAP_ADMIN],
        )
        .await?;
    let settings = settings.filter(|settings| !settings.is_empty());
    Ok(settings.map(|settings| Value::from(settings).to_string()))
}

/// The number of the user whose name and password the directory takes, and until when that counts.
/// Nothing, and a failure counted, when it does not. Names that nobody has here yet are counted as well:
/// the directory could lock them, and the answer must not come sooner for those that somebody has.
///
/// # Errors
/// 503 when the directory cannot be asked. That is not counted as a failed login.
pub async fn verify(
    db: &impl Db,
    login: &Login<'_>,
    settings: &str,
) -> Result<Option<(i64, Timestamp)>> {
    let scope = Scope::public();
    let username = login.username.as_str();
    let rule = LockRule::read(db).await?;
    let standing = Standing::read(db, &scope, username, login.address, &rule).await?;
    // To a directory an empty password is a login of nobody, and it says yes.
    let is_odd = login.password.is_empty() || username.chars().count() > LONGEST_NAME;
    if is_odd || standing.is_held_off(&rule) {
        login.record_failure(db, None, None, &rule).await?;
        return Ok(None);
    }
    let account = logins::find(db, &scope, username).await?;
    let credential = Credential {
        kind: "verified by a directory",
        username,
        password: &login.password,
        against: settings,
    };
    let until = credential.known_until(db).await?;
    if let Some(known) = account.as_ref().filter(|known| known.active)
        && let Some(until) = until.filter(|_| standing.is_familiar && standing.failures == 0)
    {
        return Ok(Some((known.id, until)));
    }
    let person = ask(username, &login.password).await?;
    // A directory may take one name for another, such as with a space behind it. What is counted
    // and locked here is a name as it is.
    let person = person.filter(|person| person.username.eq_ignore_ascii_case(username));
    let Some(person) = person else {
        let (known, counted) = (account.as_ref(), Some(username));
        login.record_failure(db, known, counted, &rule).await?;
        return Ok(None);
    };
    db.transaction(async |tx| {
        let origin = Origin {
            address: Some(login.address.to_owned()).filter(|address| !address.is_empty()),
            ..Origin::default()
        };
        let scope = Scope::system(&person.username, "").asked_by(&origin);
        let Some(account) = record(tx, &scope, &person, login.address, &rule).await? else {
            return Ok(None);
        };
        follow(tx, &scope, &person).await?;
        Ok(Some((account.id, credential.note(tx, LIFETIME).await?)))
    })
    .await
}

/// Asks the directory, through the component that may open connections.
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

/// Records a login, of a user who may be new here. Nothing when the account was locked or closed
/// meanwhile.
async fn record(
    tx: &impl Tx,
    scope: &Scope,
    person: &Person,
    address: &str,
    rule: &LockRule,
) -> Result<Option<Account>> {
    let account = match logins::find(tx, scope, &person.username).await? {
        Some(account) => account,
        None => {
            logins::insert_of_directory(tx, scope, &person.username).await?;
            let made = logins::find(tx, scope, &person.username).await?;
            made.ok_or_else(|| Error::internal("a user who was made is not there"))?
        }
    };
    let is_taken = logins::record_success(tx, scope, &account, address, rule).await?;
    Ok(is_taken.then_some(account))
}

/// Puts a user into the groups that stand for theirs in the directory, and takes them out of the
/// others that stand for one. Groups that stand for none are left as they are.
async fn follow(tx: &impl Tx, scope: &Scope, person: &Person) -> Result<()> {
    let user = users::find(tx, scope, &person.username).await?;
    for place in user_groups::directory_places(tx, scope, &user).await? {
        let mut groups = person.groups.iter();
        let belongs = groups.any(|group| dn::same(group, &place.group.ldap_dn));
        match (belongs, place.is_taken) {
            (true, false) => user_groups::add_user(tx, scope, &place).await?,
            (false, true) => user_groups::remove_user(tx, scope, &place).await?,
            (true, true) | (false, false) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
