//! Tokens: what stands for a user instead of name and password.
//!
//! A token is `ctok-<id>-<secret>`. Only SHA-256 of the secret is stored, so its value can be shown
//! once, when it is made. The implicit tokens that `GET /tokens` hands out are an exception: their
//! secret is derived from the id with the application's key. So the same one can be shown again for
//! an hour without being stored.
//!
//! A token is no way to become more than it is: what it makes ends when it does, serves no other
//! purposes, and goes with it when it is deleted. Whoever finds one in a log has lost it with it.
//!
//! For clients that want to read who they are, the token is a JWT instead. The digest of the whole
//! text is stored, so another JWT with the same claims and a good signature is not this token.

use crate::{jwt, token_signing_key};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use windlass_core::caller::AuthMethod;
use windlass_core::db::{Db, Tx};
use windlass_core::list::{Field, ListQuery, Page, Resource};
use windlass_core::token_scope::TokenScopes;
use windlass_core::{
    Error, Kind, Permission, Result, Scope, Timestamp, hashing, ids, params, secretbox,
};
use windlass_store::counts;
use windlass_store::{audit, tenants};

/// How long an implicit token lives, in seconds.
const IMPLICIT_LIFETIME: i64 = 10 * 3600;

/// How long an implicit token is handed out again, in seconds.
const IMPLICIT_REUSE: i64 = 3600;

/// The lengths of a token's id and of its secret.
const LENGTHS: (usize, usize) = (10, 40);

/// How long a signed token lives when nobody says how long, in seconds. It always has an end.
const SIGNED_LIFETIME: i64 = 30 * 24 * 3600;

/// How many tokens may be made one with another. SQLite removes what hangs together a thousand levels deep
/// and no further: with a longer chain its user could not be deleted.
const LONGEST_CHAIN: i64 = 100;

/// Tokens as lists show them.
pub static TOKENS: Resource = Resource {
    name: "Token",
    table: "(select k.key, k.id, k.user_id, k.is_implicit, k.expiration_date, k.last_used,
                 k.description, k.scopes, k.tenant_name, u.username, u.role
             from tokens k join users u on u.id = k.user_id) t",
    fields: &[
        Field::text("id", "t.id"),
        Field::text("username", "t.username"),
        Field::text("value", "'********'"),
        Field::text("role", "t.role"),
        Field::text("expiration_date", "t.expiration_date"),
        Field::text("last_used", "t.last_used"),
        Field::text("description", "t.description"),
        Field::json("scopes", "t.scopes"),
        Field::text("tenant_name", "t.tenant_name"),
    ],
    search: None,
    of_tenant: false,
    counts: &[&counts::ALL_TOKENS, &counts::TOKENS],
};

/// Which tokens a caller may see and delete, as a condition with two values.
const WITHIN_REACH: &str = "t.id = {} and (t.user_id = {} or {})";

/// One page: the caller's own tokens, or everybody's for a caller who may manage them. Implicit
/// tokens are not listed: a client that asks for one would fill its own list.
pub async fn list(db: &impl Db, scope: &Scope, mut query: ListQuery) -> Result<Page> {
    let caller = scope.caller()?;
    query.and("t.is_implicit = 0", []);
    if !caller.holds(Permission::ManageOthersTokens) {
        query.and("t.user_id = {}", [caller.user_id.into()]);
    }
    TOKENS.page(db, scope, &query).await
}

/// A token that the caller may see.
#[derive(Clone, Debug)]
pub struct Token {
    id: String,
    shown: Value,
}

impl Token {
    /// The token as JSON, without its value.
    pub fn into_json(self) -> Value {
        self.shown
    }
}

/// The token of this id. One of somebody else is not found, never forbidden.
///
/// # Errors
/// 404.
pub async fn find(db: &impl Db, scope: &Scope, id: &str) -> Result<Token> {
    let caller = scope.caller()?;
    let others = caller.holds(Permission::ManageOthersTokens);
    let values = [id.into(), caller.user_id.into(), others.into()];
    let statement = TOKENS.find_statement(scope, None, WITHIN_REACH, values);
    let shown = db
        .first_json(&statement.sql, &statement.parameters)
        .await?
        .ok_or_else(|| Error::new(Kind::NotFound, format!("Could not find token {id}")))?;
    Ok(Token {
        id: id.to_owned(),
        shown,
    })
}

windlass_core::named_enum! {
    /// How the value of a token looks.
    #[derive(Default)]
    pub enum Format {
        /// `ctok-<id>-<secret>`.
        #[default]
        Opaque = "opaque",
        /// A JWT that says whose it is and until when it counts.
        Signed = "jwt",
    }
}

/// A token to be made.
#[derive(Clone, Debug, Default)]
pub struct NewToken<'t> {
    /// What it is for, in its user's words.
    pub description: Option<&'t str>,
    /// When it ends, if ever.
    pub expiration: Option<Timestamp>,
    /// What it may be used for.
    pub scopes: TokenScopes,
    /// The tenant that its requests are about when they name none.
    pub tenant: Option<&'t str>,
    /// How its value looks.
    pub format: Format,
}

impl NewToken<'_> {
    /// Makes it no more than what its maker shows as proof. The shorter end wins.
    ///
    /// # Errors
    /// 403 for an execution, whose end nobody knows yet, for a session, which is no row of this table,
    /// and for scopes that the proof has not.
    fn limit_to(&mut self, proof: AuthMethod) -> Result<()> {
        match proof {
            AuthMethod::ExecutionToken => {
                return Err(Error::forbidden("An execution cannot create tokens"));
            }
            AuthMethod::Session(_) => {
                return Err(Error::forbidden("A session cannot create tokens"));
            }
            AuthMethod::Basic | AuthMethod::Token(_) | AuthMethod::Monitor => {}
        }
        if !self.scopes.is_within(proof.scopes()) {
            return Err(Error::forbidden(
                "A token cannot make one with more scopes than it has itself",
            ));
        }
        let ends = [self.expiration, proof.token().and_then(|held| held.until)];
        self.expiration = ends.into_iter().flatten().min();
        Ok(())
    }
}

/// Makes a token for the caller and answers it with its value, which nobody can learn later. It ends
/// no later than the token that the caller shows, if it is one. The caller's expired tokens are
/// removed before.
///
/// # Errors
/// 403 for a tenant that does not exist, or that the caller is not in; for more scopes than the
/// caller's own token has; for an execution; for the last token of a long chain.
pub async fn insert(tx: &impl Tx, scope: &Scope, mut token: NewToken<'_>) -> Result<Value> {
    let id = ids::random_text(LENGTHS.0);
    token.limit_to(scope.caller()?.method)?;
    demand_short_chain(tx, scope).await?;
    if let Some(tenant) = token.tenant {
        demand_tenant(tx, scope, tenant).await?;
    }
    let (value, digest) = match token.format {
        Format::Opaque => {
            let secret = ids::random_text(LENGTHS.1);
            (value(&id, &secret), hashing::digest(&secret))
        }
        Format::Signed => {
            let value = signed(scope, &id, &mut token).await?;
            let digest = hashing::digest(&value);
            (value, digest)
        }
    };
    insert_row(tx, scope, &id, &digest, &token, false).await?;
    let mut shown = find(tx, scope, &id).await?.into_json();
    if let Some(fields) = shown.as_object_mut() {
        fields.insert("value".into(), value.into());
    }
    Ok(shown)
}

/// Refuses a caller whose token is the last of as many as may be made one with another.
async fn demand_short_chain(db: &impl Db, scope: &Scope) -> Result<()> {
    let Some(held) = scope.caller()?.method.token() else {
        return Ok(());
    };
    let row = db
        .first(
            "with recursive makers (made_with, number) as (
                 select made_with, 1 from tokens where key = ?1
                 union all select t.made_with, m.number + 1
                     from makers m join tokens t on t.key = m.made_with where m.number < ?2)
             select max(number) from makers",
            params![held.key, LONGEST_CHAIN],
        )
        .await?;
    let length = row.map(|row| row.optional_integer(0)).transpose()?;
    if length.flatten().is_none_or(|length| length < LONGEST_CHAIN) {
        return Ok(());
    }
    Err(Error::forbidden(format!(
        "This token is the last of {LONGEST_CHAIN} that were made one with another: use the password to make more"
    )))
}

/// Refuses a tenant that the caller is not in: the token would be refused at its first use.
async fn demand_tenant(db: &impl Db, scope: &Scope, tenant: &str) -> Result<()> {
    let caller = scope.caller()?;
    let is_known = tenants::exists(db, scope, tenant).await?;
    let is_in = caller.tenants.contains_key(tenant) || caller.holds(Permission::AllTenants);
    if is_known && is_in {
        return Ok(());
    }
    Err(Error::forbidden(format!(
        "Authorization failed: Tried to authenticate with invalid tenant name: {tenant}"
    )))
}

/// The value of a signed token. Its end is a whole second, in the row as in the claims.
async fn signed(scope: &Scope, id: &str, token: &mut NewToken<'_>) -> Result<String> {
    let now = Timestamp::now();
    let end = token
        .expiration
        .unwrap_or_else(|| now.plus_seconds(SIGNED_LIFETIME));
    let end = Timestamp::from_millis(end.millis() / 1000 * 1000);
    token.expiration = Some(end);
    let caller = scope.caller()?;
    let mut claims = Map::new();
    claims.insert("owner".into(), token.tenant.unwrap_or("windlass").into());
    claims.insert("userName".into(), caller.username.clone().into());
    claims.insert("userId".into(), caller.user_id.to_string().into());
    if let Some(names) = token.scopes.names() {
        claims.insert("scope".into(), names.join(" ").into());
    }
    claims.insert("tokenId".into(), id.into());
    jwt::sign(&token_signing_key().await?, claims, now, end)
}

/// Removes a token and all that were made with it. They stop working with the next request.
///
/// # Errors
/// 403 for a token with scopes, unless it deletes itself, for an execution and for a session.
pub async fn delete(tx: &impl Tx, scope: &Scope, token: &Token) -> Result<()> {
    #[derive(Deserialize)]
    struct Going {
        key: i64,
        id: String,
    }
    // The token first, since the recursion begins with it.
    let going: Vec<Going> = tx
        .json_rows(
            "with recursive made (key, id) as (
                 select key, id from tokens where id = ?1
                 union all select t.key, t.id from made m join tokens t on t.made_with = m.key)
             select json_object('key', key, 'id', id) from made",
            params![token.id.as_str()],
        )
        .await?;
    let key = going.first().map(|token| token.key);
    match scope.caller()?.method {
        AuthMethod::ExecutionToken => {
            return Err(Error::forbidden("An execution cannot delete tokens"));
        }
        AuthMethod::Session(_) => {
            return Err(Error::forbidden("A session cannot delete tokens"));
        }
        AuthMethod::Token(held) if held.scopes.is_restricted() && Some(held.key) != key => {
            return Err(Error::forbidden("A token with scopes deletes only itself"));
        }
        AuthMethod::Token(_) | AuthMethod::Basic | AuthMethod::Monitor => {}
    }
    tx.execute("delete from tokens where key = ?1", params![key])
        .await?;
    let ids: Vec<&str> = going.iter().map(|token| token.id.as_str()).collect();
    audit::insert_each(tx, scope, "delete_token", "Token", &ids).await
}

/// The value of a usable token of the caller's: one of the last hour, or a new one for ten. It is
/// for who shows a password. Whoever shows a token has one, and this one could outlive it.
pub async fn implicit(db: &impl Db, scope: &Scope) -> Result<String> {
    if let Some(value) = recent_implicit(db, scope).await? {
        return Ok(value);
    }
    db.transaction(async |tx| {
        if let Some(value) = recent_implicit(tx, scope).await? {
            return Ok(value);
        }
        let id = ids::random_text(LENGTHS.0);
        let secret = derived_secret(&id).await?;
        let token = NewToken {
            expiration: Some(Timestamp::now().plus_seconds(IMPLICIT_LIFETIME)),
            ..NewToken::default()
        };
        insert_row(tx, scope, &id, &hashing::digest(&secret), &token, true).await?;
        Ok(value(&id, &secret))
    })
    .await
}

async fn recent_implicit(db: &impl Db, scope: &Scope) -> Result<Option<String>> {
    #[derive(Deserialize)]
    struct Recent {
        id: String,
        secret_hash: String,
    }
    let recent: Option<Recent> = db
        .first_json(
            "select json_object('id', id, 'secret_hash', secret_hash) from tokens
             where is_implicit = 1 and user_id = ?1 and created_at > ?2
             order by created_at desc limit 1",
            params![
                scope.caller()?.user_id,
                Timestamp::now().plus_seconds(-IMPLICIT_REUSE)
            ],
        )
        .await?;
    let Some(Recent { id, secret_hash }) = recent else {
        return Ok(None);
    };
    let secret = derived_secret(&id).await?;
    // Another key since then derives another secret: that token is of no use any more.
    let usable = hashing::digest(&secret) == secret_hash;
    Ok(usable.then(|| value(&id, &secret)))
}

/// The secret of an implicit token, which only the application's key can make again.
async fn derived_secret(id: &str) -> Result<String> {
    let mac = hashing::mac(&secretbox::encryption_key().await?, &["implicit token", id]);
    Ok(mac.chars().take(LENGTHS.1).collect())
}

fn value(id: &str, secret: &str) -> String {
    format!("ctok-{id}-{secret}")
}

async fn insert_row(
    tx: &impl Tx,
    scope: &Scope,
    id: &str,
    digest: &str,
    token: &NewToken<'_>,
    is_implicit: bool,
) -> Result<()> {
    let caller = scope.caller()?;
    let (user_id, made_with) = (caller.user_id, caller.method.token().map(|held| held.key));
    let now = Timestamp::now();
    let scopes = token.scopes.names().map(|names| json!(names).to_string());
    tx.execute(
        "delete from tokens where user_id = ?1 and expiration_date <= ?2",
        params![user_id, now],
    )
    .await?;
    tx.execute(
        "insert into tokens
             (id, user_id, secret_hash, description, expiration_date, is_implicit, created_at,
              scopes, tenant_name, made_with)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            id,
            user_id,
            digest,
            token.description,
            token.expiration,
            is_implicit,
            now,
            scopes,
            token.tenant,
            made_with
        ],
    )
    .await?;
    audit::insert(tx, scope, "create_token", "Token", id).await
}

#[cfg(test)]
mod tests;
