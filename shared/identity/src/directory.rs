//! Logging in with a directory's password.
//!
//! Only one component talks to the directory. All others ask that component, so none of them needs
//! the right to open connections. The answer is the user's name and groups in the directory. At every
//! login the user's row and memberships here are made to agree with it. Nothing of the password is
//! kept but that it was right a moment ago. That is forgotten soon: whoever is taken out of the
//! directory, or out of a group there, keeps what they had for no longer.

use crate::ldap::dn;
use crate::passwords;
use crate::verified::Credential;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use windlass_core::caller::BOOTSTRAP_ADMIN;
use windlass_core::db::{Db, Tx};
use windlass_core::platform::{self, OutboundRequest, TICK_TOKEN_HEADER};
use windlass_core::{Error, Kind, Result, Scope, Timestamp, params};
use windlass_store::users::logins::{self, Account, LockRule};
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
///
/// # Errors
/// 401 in the words for a wrong password; 503 when the directory cannot be asked. That is not counted
/// as a failed login.
pub async fn verify(
    db: &impl Db,
    username: &str,
    password: &str,
    settings: &str,
) -> Result<(i64, Timestamp)> {
    let refusal = || Err(passwords::wrong(username));
    let rule = LockRule::read(db).await?;
    let account = logins::find(db, &Scope::public(), username).await?;
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
            passwords::record_failure(db, known).await?;
        }
        return refusal();
    };
    db.transaction(async |tx| {
        let scope = Scope::system(&person.username, "");
        let Some(account) = record(tx, &scope, &person, &rule).await? else {
            return refusal();
        };
        follow(tx, &scope, &person).await?;
        Ok((account.id, credential.note(tx, LIFETIME).await?))
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
    let is_taken = logins::record_success(tx, &account, rule).await?;
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
