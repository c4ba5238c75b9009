//! Webhooks: a push to a repository begins a pipeline.
//!
//! Each pipeline has a secret of its own, which is shown once. GitHub signs what it sends with it, GitLab
//! sends it along. A delivery that was taken is not taken again, so a repeated one begins nothing.

use super::{Pipeline, Refusal, find, find_any, run_as, source};
use crate::access::{Access, Asker};
use crate::lifecycle::{self, Started};
use crate::runs::{Cause, Start};
use hmac::{Hmac, Mac};
use serde_json::{Map, Value as Json, json};
use sha2::Sha256;
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Request, Result, Timestamp, blob, hashing, ids, params, secretbox};
use windlass_store::audit;

/// How long a delivery is remembered, in seconds.
const REMEMBERED: i64 = 14 * 86_400;

/// The longest text of a push that is kept.
const SHOWN: usize = 500;

/// Refuses what `workflow.source` cannot be.
///
/// # Errors
/// 400.
pub(super) fn check_source(source: Option<&Json>) -> Result<()> {
    match source {
        None | Some(Json::Null) => Ok(()),
        Some(Json::Object(fields)) => {
            crate::body::optional_name(fields.get("branch"), "workflow.source.branch")?;
            crate::body::flag(fields, "trigger_active").map(drop)
        }
        Some(_) => Err(Error::bad_parameters("workflow.source must be an object")),
    }
}

/// Gives a pipeline a new webhook secret, in the place of any other. Answers the secret. Whoever asks
/// becomes the one in whose name the pipeline runs by itself.
///
/// # Errors
/// 404 and 403.
pub async fn enable(tx: &impl Tx, asker: &Asker, id: &str) -> Result<String> {
    let pipeline = find(tx, asker, id, Access::Manage).await?;
    let secret = ids::random_text(40);
    let sealed = secretbox::seal(secret.as_bytes()).await?;
    set(tx, asker, &pipeline, Some(sealed.as_str())).await?;
    run_as(tx, asker, pipeline.key).await?;
    Ok(secret)
}

/// Takes a pipeline's webhook away.
///
/// # Errors
/// 404 and 403.
pub async fn disable(tx: &impl Tx, asker: &Asker, id: &str) -> Result<()> {
    let pipeline = find(tx, asker, id, Access::Manage).await?;
    set(tx, asker, &pipeline, None).await
}

async fn set(tx: &impl Tx, asker: &Asker, pipeline: &Pipeline, sealed: Option<&str>) -> Result<()> {
    let sql = "update pipelines set webhook_secret = ?2 where key = ?1";
    tx.execute(sql, params![pipeline.key, sealed]).await?;
    let action = "pipeline_webhook";
    audit::insert(tx, &asker.scope, action, "Pipeline", &pipeline.id).await
}

/// A push, as its sender tells it.
#[derive(Clone, Debug, PartialEq)]
struct Push {
    branch: String,
    source: Json,
    committed_at: Option<Timestamp>,
}

/// What a delivery comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// A run began, with this number.
    Run(i64),
    /// Nothing did: why.
    Nothing(String),
}

/// Takes a delivery for a pipeline.
///
/// # Errors
/// 401 for a pipeline without a webhook, an unknown one and a bad signature alike; 400 for what is no
/// push of GitHub or GitLab.
pub async fn take<D: Db>(db: &D, id: &str, request: &Request, now: Timestamp) -> Result<Taken> {
    let pipeline = find_any(db, id).await?;
    let secret = match pipeline
        .as_ref()
        .and_then(|one| one.webhook_secret.as_deref())
    {
        Some(sealed) => secretbox::open(sealed).await?,
        // The same work as for one that has a secret.
        None => ids::random_bytes::<40>().to_vec(),
    };
    let is_signed = is_signed(request, &secret);
    let Some(pipeline) = pipeline.filter(|_| is_signed) else {
        return Err(Error::unauthorized("the signature is not good"));
    };
    let event = request
        .get_header("x-github-event")
        .or(request.get_header("x-gitlab-event"))
        .unwrap_or_default();
    if !matches!(event, "push" | "Push Hook") {
        return Ok(Taken::Nothing(format!(
            "The event `{}` starts nothing.",
            short(event)
        )));
    }
    let body: Json = request.json()?;
    let push = read(&body)?;
    if let Some(why) = passed_over(&pipeline, &push) {
        return Ok(Taken::Nothing(why));
    }
    if !super::schedule::may_run(db, &pipeline).await? {
        return Ok(Taken::Nothing(
            "Whoever the pipeline runs for may not run it any more.".into(),
        ));
    }
    let delivery = delivery(request);
    db.transaction(async |tx| {
        if is_known(tx, &pipeline, &delivery).await? {
            return Ok(Taken::Nothing("This delivery was taken before.".into()));
        }
        let Some(pipeline) = find_any(tx, id).await? else {
            return Ok(Taken::Nothing("The pipeline is gone.".into()));
        };
        let taken = begin(tx, &pipeline, &push, now).await?;
        // One that began nothing may be sent again.
        if matches!(taken, Taken::Run(_)) {
            remember(tx, &pipeline, &delivery, now).await?;
        }
        Ok(taken)
    })
    .await
}

async fn begin(tx: &impl Tx, pipeline: &Pipeline, push: &Push, now: Timestamp) -> Result<Taken> {
    let start = Start {
        cause: Cause::Push,
        by: &pipeline.runs_as,
        parameters: &Map::new(),
        source: Some(&push.source),
        committed_at: push.committed_at,
    };
    Ok(match lifecycle::begin(tx, pipeline, &start, now).await? {
        Started::Run(number) => Taken::Run(number),
        Started::Refused(why) => Taken::Nothing(why),
    })
}

/// Whether a delivery shows that its sender knows the secret.
fn is_signed(request: &Request, secret: &[u8]) -> bool {
    if let Some(signature) = request.get_header("x-hub-signature-256") {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else {
            return false;
        };
        mac.update(&request.body);
        let wanted = format!("sha256={}", blob::hex(&mac.finalize().into_bytes()));
        return hashing::same(&wanted, signature);
    }
    let token = request.get_header("x-gitlab-token").unwrap_or_default();
    let secret = String::from_utf8_lossy(secret);
    hashing::same(&secret, token)
}

/// What the sender calls the delivery, or what it says where it does not.
fn delivery(request: &Request) -> String {
    let named = [
        "x-github-delivery",
        "x-gitlab-event-uuid",
        "idempotency-key",
    ];
    let name = named.iter().find_map(|name| request.get_header(name));
    match name {
        Some(name) if !name.is_empty() => hashing::digest(name),
        _ => hashing::digest(&String::from_utf8_lossy(&request.body)),
    }
}

async fn is_known(db: &impl Db, pipeline: &Pipeline, id: &str) -> Result<bool> {
    let sql = "select 1 from pipeline_deliveries where pipeline_key = ?1 and id = ?2";
    Ok(db.first(sql, params![pipeline.key, id]).await?.is_some())
}

/// Remembers a delivery, and forgets those of long ago.
async fn remember(tx: &impl Tx, pipeline: &Pipeline, id: &str, now: Timestamp) -> Result<()> {
    let sql = "delete from pipeline_deliveries where pipeline_key = ?1 and at < ?2";
    let before = now.plus_seconds(-REMEMBERED).millis();
    tx.execute(sql, params![pipeline.key, before]).await?;
    let sql = "insert into pipeline_deliveries (pipeline_key, id, at) values (?1, ?2, ?3)";
    tx.execute(sql, params![pipeline.key, id, now.millis()])
        .await
}

/// Why a push does not concern a pipeline.
fn passed_over(pipeline: &Pipeline, push: &Push) -> Refusal {
    let source = source(&pipeline.document);
    let field = |name: &str| source.and_then(|source| source.get(name));
    if field("trigger_active") == Some(&Json::Bool(false)) {
        return Some("The pipeline takes no pushes: trigger_active is false.".into());
    }
    let branch = field("branch").and_then(Json::as_str).map(str::trim);
    match branch.filter(|branch| !branch.is_empty()) {
        Some(branch) if branch != push.branch => Some(format!(
            "The pipeline is for `{branch}`, not `{}`.",
            push.branch
        )),
        _ => None,
    }
}

/// Reads a push. GitHub and GitLab call what concerns us the same, but for who did it.
fn read(body: &Json) -> Result<Push> {
    let text = |pointer: &str| body.pointer(pointer).and_then(Json::as_str).map(short);
    let reference = text("/ref").ok_or_else(|| Error::bad_parameters("The push has no ref"))?;
    let after = text("/after").unwrap_or_default();
    let commits = body.get("commits").and_then(Json::as_array);
    let last = commits.and_then(|commits| commits.last());
    let head = body
        .get("head_commit")
        .filter(|head| head.is_object())
        .or(last);
    let of_head = |name: &str| head.and_then(|head| head.get(name)?.as_str()).map(short);
    let committed_at =
        of_head("timestamp").and_then(|text| Timestamp::parse("timestamp", &text).ok());
    let branch = reference
        .strip_prefix("refs/heads/")
        .unwrap_or(&reference)
        .to_owned();
    let repository = text("/repository/full_name").or_else(|| text("/project/path_with_namespace"));
    let who = text("/pusher/name").or_else(|| text("/user_username"));
    let source = json!({
        "branch": branch, "ref": reference, "commit": after, "repository": repository, "pusher": who,
        "message": of_head("message"), "url": of_head("url"),
    });
    Ok(Push {
        branch,
        source,
        committed_at,
    })
}

fn short(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

#[cfg(test)]
#[path = "webhook/tests.rs"]
mod tests;
