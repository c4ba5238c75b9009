//! Shell steps of pipelines that workers run: leased, kept, printed and reported as operations are.
//!
//! Beginning is said before it is done: the first heartbeat of a lease counts as the script's beginning. What
//! was lost before is another worker's, and nothing ran twice; what was lost after is the step's failure, which
//! its retries mend if its author says so. Secrets leave what a script prints and reports before it is kept.

use crate::lease_kinds::{is_told_again, lost, take_away};
use crate::leases::Reported;
use crate::step::Outcome;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use windlass_core::db::Db;
use windlass_core::hiding::hide;
use windlass_core::{Error, Result, Scope, Timestamp, log, secretbox};
use windlass_store::operation_leases::Asked;
use windlass_store::shell_steps::{self, Given, Lease};

/// What a worker does for a step. Kept sealed.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Content {
    /// The script, as it was written.
    pub script: String,
    /// Variables that it finds.
    pub environment: Map<String, Value>,
    /// How it may end.
    pub expected_exit_codes: Vec<i64>,
    /// What nothing that is kept may show.
    pub secrets: Vec<String>,
}

impl Content {
    /// Seals it.
    ///
    /// # Errors
    /// Internal, when there is no key.
    pub async fn seal(&self) -> Result<String> {
        let plain = serde_json::to_vec(self).map_err(Error::internal)?;
        secretbox::seal(&plain).await
    }

    async fn open(sealed: &str) -> Result<Self> {
        let plain = secretbox::open(sealed).await?;
        serde_json::from_slice(&plain).map_err(Error::internal)
    }
}

/// What came of a step, for its next turn.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Came {
    /// The script ended as it may.
    Succeeded {
        /// What later steps can name.
        outputs: Map<String, Value>,
    },
    /// It did not, or nobody knows.
    Failed {
        /// Why.
        why: String,
        /// Whether another try may be better.
        may_retry: bool,
    },
}

/// Leases steps to a worker: what it is told of each. None, where nothing waits.
///
/// # Errors
/// Of the database.
pub async fn lease(
    db: &impl Db,
    scope: &Scope,
    asked: &Asked,
    now: Timestamp,
) -> Result<Vec<Value>> {
    if !shell_steps::is_one_waiting(db, scope, &asked.queues).await? {
        return Ok(Vec::new());
    }
    let given = db
        .transaction(async |tx| shell_steps::lease(tx, scope, asked, now).await)
        .await?;
    let mut told = Vec::with_capacity(given.len());
    for one in given {
        match Content::open(&one.content).await {
            Ok(content) => told.push(as_told(&one, content)),
            Err(error) => {
                log::error("a shell step could not be told", &error);
                let why = "What it runs cannot be decrypted";
                fail(db, scope, &one.lease_id, why, now).await?;
            }
        }
    }
    Ok(told)
}

fn as_told(given: &Given, content: Content) -> Value {
    let mut told = json!({
        "kind": "shell",
        "lease_id": given.lease_id,
        "expires_at": given.expires_at,
        "queue": given.queue,
        "timeout": given.timeout_seconds,
        "script": content.script,
        "environment": content.environment,
        "expected_exit_codes": content.expected_exit_codes,
        "secrets": content.secrets,
    });
    if let (Some(told), Some(names)) = (told.as_object_mut(), given.names.as_object()) {
        told.extend(names.clone());
    }
    told
}

async fn fail(db: &impl Db, scope: &Scope, id: &str, why: &str, now: Timestamp) -> Result<()> {
    db.transaction(async |tx| {
        let Some(lease) = shell_steps::find(tx, scope, id).await? else {
            return Ok(());
        };
        let came = Came::Failed {
            why: why.into(),
            may_retry: false,
        };
        shell_steps::end(tx, &lease, &value(&came)?, "", now).await
    })
    .await
}

fn value(came: &Came) -> Result<Value> {
    serde_json::to_value(came).map_err(Error::internal)
}

async fn find_open(db: &impl Db, scope: &Scope, id: &str) -> Result<Lease> {
    let lease = shell_steps::find(db, scope, id).await?;
    lease.filter(|lease| lease.is_open).ok_or_else(|| lost(id))
}

/// Keeps a lease; answers until when.
///
/// # Errors
/// 409 for one that is not the caller's any more.
pub async fn keep(db: &impl Db, scope: &Scope, id: &str, now: Timestamp) -> Result<Timestamp> {
    db.transaction(async |tx| {
        let lease = find_open(tx, scope, id).await?;
        shell_steps::keep(tx, scope, &lease, now).await
    })
    .await
}

/// Keeps what a script has printed, which also keeps the lease. `offset` says how many bytes the worker sent
/// before: what comes again is known by it. Answers how many bytes more are kept.
///
/// # Errors
/// 409 for a lease that is not the caller's any more.
pub async fn print(
    db: &impl Db,
    scope: &Scope,
    id: &str,
    (offset, text): (i64, &str),
    now: Timestamp,
) -> Result<i64> {
    let lease = find_open(db, scope, id).await?;
    let secrets = secrets(&lease).await?;
    db.transaction(async |tx| {
        let lease = find_open(tx, scope, id).await?;
        shell_steps::keep(tx, scope, &lease, now).await?;
        let mut known = usize::try_from(lease.received - offset).unwrap_or(0);
        while !text.is_char_boundary(known.min(text.len())) {
            known += 1;
        }
        let fresh = text.get(known..).unwrap_or_default();
        let sent = offset.saturating_add(i64::try_from(text.len()).unwrap_or(0));
        let shown = hide(&fresh.replace('\0', ""), &secrets);
        shell_steps::print(tx, &lease, &shown, sent.max(lease.received), now).await
    })
    .await
}

async fn secrets(lease: &Lease) -> Result<Vec<String>> {
    match &lease.content {
        Some(sealed) => Ok(Content::open(sealed).await?.secrets),
        None => Ok(Vec::new()),
    }
}

/// Ends a lease with what came of its step. The same result once more changes nothing.
///
/// # Errors
/// 409 for a lease that is not the caller's any more, or that another result has ended.
pub async fn conclude(
    db: &impl Db,
    scope: &Scope,
    reported: &Reported,
    now: Timestamp,
) -> Result<()> {
    let (id, hash) = (reported.lease_id.as_str(), &reported.hash);
    let lease = shell_steps::find(db, scope, id).await?;
    let secrets = secrets(&lease.ok_or_else(|| lost(id))?).await?;
    db.transaction(async |tx| {
        let lease = shell_steps::find(tx, scope, id).await?;
        let lease = lease.ok_or_else(|| lost(id))?;
        let known = (lease.result_hash.as_deref(), lease.is_open);
        if is_told_again(id, known, hash)? {
            return Ok(());
        }
        if matches!(reported.outcome, Outcome::Rescheduled(_)) && !lease.begun {
            return shell_steps::release(tx, &lease, now).await;
        }
        let mut came = value(&came(reported.outcome.clone()))?;
        hide_all(&mut came, &secrets);
        shell_steps::end(tx, &lease, &came, hash, now).await
    })
    .await
}

/// What a worker's words mean for a step. Its outputs are what the result names so, and how the script ended.
fn came(outcome: Outcome) -> Came {
    match outcome {
        Outcome::Succeeded { result, .. } => {
            let mut outputs = match result.get("outputs") {
                Some(Value::Object(outputs)) => outputs.clone(),
                _ => Map::new(),
            };
            if let Some(code) = result.get("exit_code") {
                outputs.insert("exit_code".into(), code.clone());
            }
            Came::Succeeded { outputs }
        }
        Outcome::Failed(error) | Outcome::Rescheduled(error) => Came::Failed {
            why: error.message,
            may_retry: error.recoverable,
        },
    }
}

/// Hides secrets in all texts of a value.
fn hide_all(value: &mut Value, secrets: &[String]) {
    match value {
        Value::String(text) => *text = hide(text, secrets),
        Value::Array(items) => items.iter_mut().for_each(|item| hide_all(item, secrets)),
        Value::Object(fields) => {
            let hidden = std::mem::take(fields).into_iter().map(|(name, mut value)| {
                hide_all(&mut value, secrets);
                (hide(&name, secrets), value)
            });
            *fields = hidden.collect();
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Takes steps from workers who have not kept their leases: those that were not begun are offered again, the
/// others failed. Answers how many. Reads only, where there is nothing.
///
/// # Errors
/// Of the database.
pub async fn expire(db: &impl Db, now: Timestamp) -> Result<usize> {
    let expired = shell_steps::expired(db, now).await?;
    let taken = take_away(db, expired, async |tx, key| {
        let Some(lease) = shell_steps::still_expired(tx, *key, now).await? else {
            return Ok(false);
        };
        if !lease.begun {
            shell_steps::release(tx, &lease, now).await?;
            return Ok(true);
        }
        let worker = &lease.worker;
        let came = Came::Failed {
            why: format!("The worker `{worker}` did not keep its lease: it may be gone"),
            may_retry: true,
        };
        shell_steps::end(tx, &lease, &value(&came)?, "", now).await?;
        Ok(true)
    });
    Ok(taken.await)
}
