//! Users' tokens: what a value says, and whether its row still agrees.
//!
//! A token is `ctok-<id>-<secret>`, or a JWT that names its row. Both count only while the row is
//! there, so either kind is taken back by deleting it.

use super::attempts::EXPIRED;
use super::{Recognised, caller, is_stale};
use crate::jwt;
use windlass_core::caller::AuthMethod;
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

/// The user of a token, or nothing when the text may be an execution's token instead.
pub async fn find(db: &impl Db, value: &str) -> Result<Option<Recognised>> {
    let Some(claimed) = read(value) else {
        return Ok(None);
    };
    let row = db
        .first(
            "select t.user_id, t.secret_hash, t.expiration_date, u.active, t.last_used, t.scopes,
                 t.tenant_name
             from tokens t join users u on u.id = t.user_id where t.id = ?1",
            params![claimed.id.as_str()],
        )
        .await?;
    let unknown = || Error::unauthorized("Unauthorized");
    let row = row.ok_or_else(unknown)?;
    if !hashing::same(row.text(1)?, &claimed.digest) || !row.boolean(3)? {
        return Err(unknown());
    }
    let until = row
        .optional_text(2)?
        .map(|end| Timestamp::parse("expiration_date", end))
        .transpose()?;
    if until.is_some_and(|end| end <= Timestamp::now()) {
        return Err(Error::unauthorized(EXPIRED));
    }
    if is_stale(row.optional_text(4)?)? {
        let now = Timestamp::now();
        db.execute(
            "update tokens set last_used = ?2 where id = ?1",
            params![claimed.id, now],
        )
        .await?;
    }
    let method = match row.optional_text(5)? {
        None => AuthMethod::Token,
        Some(_) => AuthMethod::ScopedToken(TokenScopes::from_names(&row.json::<Vec<String>>(5)?)),
    };
    let caller = caller(db, row.integer(0)?, method, None).await?;
    let tenant = row.optional_text(6)?.map(str::to_owned);
    Ok(Some(Recognised {
        caller,
        until,
        tenant,
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

/// What a signed token claims to be. Its signature is not looked at: the row holds the digest of
/// the whole token as it was issued, which no other text has.
fn read_signed(value: &str) -> Claimed {
    let claims = jwt::unverified_claims(value);
    let id = claims.as_ref().and_then(|claims| claims.get("tokenId"));
    Claimed {
        id: id.and_then(|id| id.as_str()).unwrap_or_default().to_owned(),
        digest: hashing::digest(value),
    }
}
