//! Sessions: what Keystone's API gives for a password, a token or another session.
//!
//! A session is `stok-<key>-<secret>`, and only SHA-256 of the secret is stored. It serves Adjutant's
//! clients and nothing else, for an hour. It is no way to become more than what was shown for it: it ends
//! no later, and goes with it. Another password, and being shut out, end all sessions of a user.
//!
//! Clients ask for one for every command. So making one is a single statement that leaves no trace in the
//! audit trail, as no login does; the log tells whom each was given to. Expired ones are removed in
//! [small pieces](sweep).

use crate::attempts::EXPIRED;
use crate::project_roles::{self, ADMIN};
use crate::{Recognised, caller};
use serde::Deserialize;
use serde_json::json;
use windlass_core::caller::{AuthMethod, UserToken};
use windlass_core::db::{Db, Tx};
use windlass_core::token_scope::{TokenScope, TokenScopes};
use windlass_core::{Caller, Error, Result, Scope, Timestamp, hashing, ids, log, params};
use windlass_store::audit;

/// How long a session lives, in seconds. It is what Keystone says unless it is told otherwise.
pub const LIFETIME: i64 = 3600;

/// The length of a secret.
const SECRET: usize = 40;

/// What a value begins with.
const PREFIX: &str = "stok-";

/// How many sessions a chain has at most, of which each was shown for the next. All of it is looked for
/// when the last one is.
const LONGEST_CHAIN: i64 = 100;

/// How many expired sessions one statement removes.
const PIECE: i64 = 100;

/// How many pieces one sweep removes at most.
const PIECES: usize = 20;

windlass_core::named_enum! {
    /// What a session is about.
    pub enum Extent {
        /// Nothing in particular.
        Unscoped = "unscoped",
        /// One project, which is a tenant.
        Project = "project",
        /// The domain, of which there is one.
        Domain = "domain",
        /// The whole installation.
        System = "system",
    }
}

windlass_core::named_enum! {
    /// How somebody proved who they are.
    pub enum Method {
        /// By name and password.
        Password = "password",
        /// By a session or a token.
        Token = "token",
        /// By a token that a user made for a program.
        ApplicationCredential = "application_credential",
    }
}

/// A session that counts.
#[derive(Clone, Debug, Deserialize)]
pub struct Session {
    /// The part of the value that is no secret.
    pub key: i64,
    /// Whose it is.
    pub user_id: i64,
    /// What they are called.
    pub username: String,
    /// How they proved who they are, the last way first.
    pub methods: Vec<Method>,
    /// What it is about.
    pub extent: Extent,
    /// The project, if it is about one.
    pub tenant: Option<String>,
    /// The first session of its chain; itself, when a password or a token was shown for it.
    pub chain_key: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    epoch: i64,
    depth: i64,
}

impl Session {
    /// What a user, as they are now, is in what the session is about. Nothing where it is about nothing.
    pub fn roles(&self, user: &Caller) -> Vec<&'static str> {
        match self.extent {
            Extent::Unscoped => Vec::new(),
            Extent::Project => project_roles::of(user, self.tenant.as_deref()),
            Extent::Domain | Extent::System if user.is_admin() => vec![ADMIN],
            Extent::Domain | Extent::System => Vec::new(),
        }
    }

    /// Whether a user, as they are now, may still have the session: whoever has left what it is about
    /// may not.
    pub fn suits(&self, user: &Caller) -> bool {
        self.extent == Extent::Unscoped || !self.roles(user).is_empty()
    }

    /// The names of the session, and of the first one of its chain if that is another: they may stand
    /// in logs.
    pub fn audit_ids(&self) -> Vec<String> {
        let mut keys = vec![self.key, self.chain_key];
        keys.dedup();
        keys.into_iter().map(audit_id).collect()
    }
}

/// The name of a session for logs and the audit trail.
fn audit_id(key: i64) -> String {
    format!("{key:016x}")
}

/// A row, which may count or not.
#[derive(Deserialize)]
struct Row {
    secret_hash: String,
    /// Whether its user has neither another password since then nor been shut out, and its project and all
    /// that was shown for it are still there.
    is_current: bool,
    session: Session,
}

/// What a value claims to be, when it looks like one.
struct Claimed {
    key: i64,
    digest: String,
}

impl Claimed {
    fn read(value: &str) -> Option<Self> {
        let (key, secret) = value.strip_prefix(PREFIX)?.split_once('-')?;
        let is_key = key.len() == 16 && key.bytes().all(|b| b.is_ascii_hexdigit());
        Some(Self {
            key: i64::from_str_radix(key, 16).ok().filter(|_| is_key)?,
            digest: hashing::digest(secret),
        })
    }
}

/// Whether a value looks like a session, good or not.
pub fn is_shaped(value: &str) -> bool {
    value.starts_with(PREFIX)
}

/// A session with what was shown for it, up to a password or a token: nothing of it may be missing.
const FIND: &str = "
    with recursive shown (parent_key, token_id, level) as (
        select parent_key, token_id, 0 from sessions where key = ?1
        union all
        select s.parent_key, s.token_id, level + 1
        from shown join sessions s on s.key = shown.parent_key),
    first (is_there) as (
        select parent_key is null
            and (token_id is null or exists (select 1 from tokens where id = token_id))
        from shown order by level desc limit 1)
    select json_object('secret_hash', s.secret_hash,
        'is_current', json(iif(u.active and u.session_epoch = s.epoch
            and (select is_there from first)
            and (s.tenant_name is null or exists (select 1 from tenants where name = s.tenant_name)),
            'true', 'false')),
        'session', json_object('key', s.key, 'user_id', s.user_id, 'username', u.username,
            'methods', json(s.methods), 'extent', s.scope, 'tenant', s.tenant_name,
            'chain_key', s.chain_key, 'created_at', s.created_at,
            'expires_at', s.expires_at, 'epoch', s.epoch, 'depth', s.depth))
    from sessions s join users u on u.id = s.user_id where s.key = ?1";

async fn row(db: &impl Db, value: &str) -> Result<Option<Row>> {
    let Some(claimed) = Claimed::read(value) else {
        return Ok(None);
    };
    let row: Option<Row> = db.first_json(FIND, params![claimed.key]).await?;
    Ok(row.filter(|row| hashing::same(&row.secret_hash, &claimed.digest)))
}

/// The session of a value, if there is one and it counts.
pub async fn find(db: &impl Db, value: &str) -> Result<Option<Session>> {
    let row = row(db, value).await?;
    let counts = |row: &Row| row.is_current && row.session.expires_at > Timestamp::now();
    Ok(row.filter(counts).map(|row| row.session))
}

/// The user of a session, and the tenant that it is about.
///
/// # Errors
/// 401. One that has ended is told apart from one that never was: showing it is no guess.
pub(crate) async fn recognise(db: &impl Db, value: &str) -> Result<Recognised> {
    let row = row(db, value).await?;
    let row = row.ok_or_else(|| Error::unauthorized("Unauthorized"))?;
    let session = row.session;
    if !row.is_current || session.expires_at <= Timestamp::now() {
        return Err(Error::unauthorized(EXPIRED));
    }
    let until = Some(session.expires_at);
    let method = AuthMethod::Session(UserToken {
        key: session.key,
        until,
        scopes: TokenScopes::only([TokenScope::Adjutant]),
    });
    let caller = caller(db, session.user_id, method, None).await?;
    if !session.suits(&caller) {
        return Err(Error::unauthorized(EXPIRED));
    }
    Ok(Recognised {
        caller,
        until,
        tenant: session.tenant,
    })
}

/// The user of a session as they are now, with all that their roles permit.
///
/// # Errors
/// 401 when they were deleted meanwhile.
pub async fn user(db: &impl Db, session: &Session) -> Result<Caller> {
    caller(db, session.user_id, AuthMethod::Basic, None).await
}

/// What somebody shows for a session.
#[derive(Clone, Debug)]
pub enum Shown {
    /// A password. It was right for the user's epoch, where that was known before it was verified.
    Password(Option<i64>),
    /// A token, or the same as a program's credential.
    Token(Method, UserToken),
    /// Another session.
    Session(Box<Session>),
}

/// Whether a session was given for the password alone, and not for a token or another session.
pub async fn is_of_password(db: &impl Db, key: i64) -> Result<bool> {
    let sql = "select 1 from sessions
         where key = ?1 and token_id is null and parent_key is null";
    let row = db.first(sql, params![key]).await?;
    Ok(row.is_some())
}

/// Whether a session is about nothing in particular.
pub(crate) async fn is_unscoped(db: &impl Db, key: i64) -> Result<bool> {
    let sql = "select 1 from sessions where key = ?1 and scope = ?2";
    let row = db.first(sql, params![key, Extent::Unscoped]).await?;
    Ok(row.is_some())
}

impl Shown {
    /// When the new session ends.
    fn end(&self, now: Timestamp) -> Timestamp {
        let usual = now.plus_seconds(LIFETIME);
        match self {
            Self::Password(_) => usual,
            Self::Token(_, token) => token.until.map_or(usual, |until| usual.min(until)),
            Self::Session(shown) => usual.min(shown.expires_at),
        }
    }

    fn methods(&self) -> Vec<Method> {
        match self {
            Self::Password(_) => vec![Method::Password],
            Self::Token(method, _) => vec![*method],
            Self::Session(shown) => {
                let mut methods = vec![Method::Token];
                let others = shown.methods.iter().copied();
                methods.extend(others.filter(|method| *method != Method::Token));
                methods
            }
        }
    }

    /// The epoch that the user must still be in.
    fn epoch(&self) -> Option<i64> {
        match self {
            Self::Password(epoch) => *epoch,
            Self::Token(..) => None,
            Self::Session(shown) => Some(shown.epoch),
        }
    }

    fn token_key(&self) -> Option<i64> {
        match self {
            Self::Token(_, token) => Some(token.key),
            Self::Password(_) | Self::Session(_) => None,
        }
    }

    fn parent(&self) -> Option<&Session> {
        match self {
            Self::Session(shown) => Some(shown),
            Self::Password(_) | Self::Token(..) => None,
        }
    }
}

/// Makes a session, and answers it with its value, which nobody can learn later.
///
/// # Errors
/// 401 when what was shown has ended meanwhile, and when a chain has become too long.
pub async fn insert(
    db: &impl Db,
    caller: &Caller,
    shown: &Shown,
    extent: Extent,
    tenant: Option<&str>,
) -> Result<(String, Session)> {
    let key = i64::from_le_bytes(ids::random_bytes()) & i64::MAX;
    let secret = ids::random_text(SECRET);
    // As exact as the row, so that nobody is told another time later.
    let now = Timestamp::from_millis(Timestamp::now().millis());
    let parent = shown.parent();
    let mut session = Session {
        key,
        user_id: caller.user_id,
        username: caller.username.clone(),
        methods: shown.methods(),
        extent,
        tenant: tenant.map(str::to_owned),
        chain_key: parent.map_or(key, |parent| parent.chain_key),
        created_at: now,
        expires_at: shown.end(now),
        epoch: 0,
        depth: parent.map_or(0, |parent| parent.depth + 1),
    };
    if session.depth >= LONGEST_CHAIN {
        return Err(Error::unauthorized(
            "Too many sessions came one from another",
        ));
    }
    // One statement, so that nothing it depends on can go between looking and writing.
    let row = db
        .first(
            "insert into sessions (key, user_id, secret_hash, epoch, methods, scope, tenant_name,
                 token_id, parent_key, chain_key, created_at, expires_at, depth)
             select ?1, u.id, ?3, u.session_epoch, ?5, ?6, ?7,
                 (select id from tokens where key = ?8), ?9, ?10, ?11, ?12, ?13
             from users u
             where u.id = ?2 and u.active and u.session_epoch = coalesce(?4, u.session_epoch)
                 and (?7 is null or exists (select 1 from tenants where name = ?7))
                 and (?8 is null or exists (select 1 from tokens where key = ?8))
                 and (?9 is null or exists (select 1 from sessions where key = ?9))
             returning epoch",
            params![
                key,
                session.user_id,
                hashing::digest(&secret),
                shown.epoch(),
                &json!(session.methods),
                extent,
                tenant,
                shown.token_key(),
                parent.map(|parent| parent.key),
                session.chain_key,
                now,
                session.expires_at,
                session.depth
            ],
        )
        .await?;
    let row = row.ok_or_else(|| Error::unauthorized("Unauthorized"))?;
    session.epoch = row.integer(0)?;
    let told = [
        ("username", session.username.clone().into()),
        ("session", audit_id(key).into()),
    ];
    log::line(log::Level::Info, "session given", told);
    Ok((format!("{PREFIX}{}-{secret}", audit_id(key)), session))
}

/// Ends a session and all that it was shown for. They stop working with the next request; it is one row,
/// however many they are.
pub async fn delete(tx: &impl Tx, scope: &Scope, session: &Session) -> Result<()> {
    let sql = "delete from sessions where key = ?1";
    tx.execute(sql, params![session.key]).await?;
    let target = audit_id(session.key);
    audit::insert(tx, scope, "revoke_token", "Session", &target).await
}

/// Removes expired sessions, in pieces that keep nobody else from writing for long. Whatever is left is
/// removed the next time.
pub async fn sweep(db: &impl Db, now: Timestamp) -> Result<()> {
    for _ in 0..PIECES {
        // Looking costs no place among the writers, and mostly there is nothing.
        let keys: Vec<i64> = db
            .json_rows(
                "select json_quote(key) from sessions where expires_at <= ?1
                 order by expires_at, created_at desc limit ?2",
                params![now, PIECE],
            )
            .await?;
        if keys.is_empty() {
            return Ok(());
        }
        db.execute(
            "delete from sessions where key in (select value from json_each(?1))",
            params![&json!(keys)],
        )
        .await?;
        if i64::try_from(keys.len()).is_ok_and(|found| found < PIECE) {
            return Ok(());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
