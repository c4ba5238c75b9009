//! Recognising users' tokens: what a value says, and whether its row still agrees.
//!
//! A token is `ctok-<id>-<secret>`, or a JWT that names its row. Both count only while there is the
//! row, so both are taken back by deleting it. What looks like a session is one or nothing.

use super::attempts::EXPIRED;
use super::{Recognised, caller, is_stale, passwords, sessions};
use crate::jwt;
use serde::Deserialize;
use windlass_core::caller::{AuthMethod, UserToken};
use windlass_core::db::Db;
use windlass_core::token_scope::TokenScopes;
use windlass_core::{Error, Result, Timestamp, hashing, params};

/// What a value says of itself.
struct Claimed {
    /// The row it names.
    id: String,
    /// The digest that the row must have.
    digest: String,
}

/// The user of a token or a session, or nothing when the text may be an execution's token instead.
pub async fn find(db: &impl Db, value: &str) -> Result<Option<Recognised>> {
    if sessions::is_shaped(value) {
        return sessions::recognise(db, value).await.map(Some);
    }
    let Some(claimed) = read(value) else {
        return Ok(None);
    };
    #[derive(Deserialize)]
    struct Stored {
        key: i64,
        user_id: i64,
        username: String,
        secret_hash: String,
        expiration_date: Option<Timestamp>,
        last_used: Option<Timestamp>,
        scopes: Option<Vec<String>>,
        tenant_name: Option<String>,
        active: bool,
    }
    let stored: Option<Stored> = db
        .first_json(
            "select json_object('key', t.key, 'user_id', t.user_id, 'username', u.username,
                 'secret_hash', t.secret_hash,
                 'expiration_date', t.expiration_date, 'last_used', t.last_used,
                 'scopes', json(t.scopes), 'tenant_name', t.tenant_name,
                 'active', json(iif(u.active, 'true', 'false')))
             from tokens t join users u on u.id = t.user_id where t.id = ?1",
            params![claimed.id.as_str()],
        )
        .await?;
    let unknown = || Error::unauthorized("Unauthorized");
    let stored = stored.ok_or_else(unknown)?;
    if !hashing::same(&stored.secret_hash, &claimed.digest) {
        return Err(unknown());
    }
    if !stored.active {
        return Err(passwords::refusal(&stored.username));
    }
    let until = stored.expiration_date;
    if until.is_some_and(|end| end <= Timestamp::now()) {
        return Err(Error::unauthorized(EXPIRED));
    }
    if is_stale(stored.last_used) {
        let now = Timestamp::now();
        db.execute(
            "update tokens set last_used = ?2 where id = ?1",
            params![claimed.id, now],
        )
        .await?;
    }
    let scopes = stored.scopes.as_deref().map(TokenScopes::from_names);
    let method = AuthMethod::Token(UserToken {
        key: stored.key,
        until,
        scopes: scopes.unwrap_or(TokenScopes::UNRESTRICTED),
    });
    let caller = caller(db, stored.user_id, method, None).await?;
    Ok(Some(Recognised {
        caller,
        until,
        tenant: stored.tenant_name,
    }))
}

fn read(value: &str) -> Option<Claimed> {
    if jwt::is_shaped(value) {
        return Some(read_signed(value));
    }
    let mut parts = value.splitn(3, '-');
    let (Some("ctok"), Some(id), Some(secret)) = (parts.next(), parts.next(), parts.next()) else {
        return None;
    };
    Some(Claimed {
        id: id.to_owned(),
        digest: hashing::digest(secret),
    })
}

/// What a signed token claims to be. Its signature need not be verified: the row holds the digest of
/// the whole token as it was issued, and no other text has that digest.
fn read_signed(value: &str) -> Claimed {
    let claims = jwt::unverified_claims(value);
    let id = claims.as_ref().and_then(|claims| claims.get("tokenId"));
    Claimed {
        id: id.and_then(|id| id.as_str()).unwrap_or_default().to_owned(),
        digest: hashing::digest(value),
    }
}
