//! Argo CD: an application is synchronised, and followed until the operation has ended and, if wanted,
//! what it made is healthy.
//!
//! By its REST API: `applications/A/sync` and `applications/A`. What Argo CD tells of the operation is the
//! console: each resource with its result, when it changes.

use super::call::{Answered, Call, part};
use super::{Outcome, Turn};
use serde_json::{Value as Json, json};
use windlass_core::hashing;
use windlass_core::outbound::Outbound;

/// A turn of a step.
pub async fn turn<O: Outbound>(call: &Call<'_, O>) -> Turn {
    let mut console = String::new();
    let outcome = go_on(call, &mut console).await;
    Turn {
        outcome: outcome.unwrap_or_else(|failure| failure),
        console,
    }
}

async fn go_on<O: Outbound>(call: &Call<'_, O>, console: &mut String) -> Answered<Outcome> {
    let application = call.required("application")?;
    let path = format!("/api/v1/applications/{}", part(&application));
    match call.job.external.is_null() {
        true => sync(call, &path).await,
        false => follow(call, &path, &application, console).await,
    }
}

/// When the operation that an application tells of began.
fn begun(application: &Json) -> Option<&str> {
    application
        .pointer("/status/operationState/startedAt")?
        .as_str()
}

async fn sync<O: Outbound>(call: &Call<'_, O>, path: &str) -> Answered<Outcome> {
    // The operation before ours stands there until ours begins.
    let before = call.ask("GET", path, None).await?;
    let mut body = json!({ "prune": call.configuration.get("prune") == Some(&Json::Bool(true)) });
    if let (Some(revision), Some(fields)) = (call.text("revision"), body.as_object_mut()) {
        fields.insert("revision".into(), revision.into());
    }
    call.ask("POST", &format!("{path}/sync"), Some(&body))
        .await?;
    Ok(call.later(json!({ "before": begun(&before) })))
}

async fn follow<O: Outbound>(
    call: &Call<'_, O>,
    path: &str,
    name: &str,
    console: &mut String,
) -> Answered<Outcome> {
    let application = call.ask("GET", path, None).await?;
    let mut external = call.job.external.clone();
    let text = |pointer: &str| application.pointer(pointer).and_then(Json::as_str);
    let waits = application
        .get("operation")
        .is_some_and(|operation| !operation.is_null());
    let is_old = external.get("before").and_then(Json::as_str) == begun(&application);
    if waits || is_old {
        return Ok(call.later(external));
    }
    let told = told(&application);
    let digest = hashing::digest(&told);
    if external.get("told").and_then(Json::as_str) != Some(digest.as_str()) {
        console.push_str(&told);
        if let Some(fields) = external.as_object_mut() {
            fields.insert("told".into(), digest.into());
        }
    }
    let phase = text("/status/operationState/phase").unwrap_or("none");
    let health = text("/status/health/status").unwrap_or("none");
    let wants_health = call.configuration.get("wait_for_health") != Some(&Json::Bool(false));
    let outputs = json!({
        "phase": phase, "health": health, "sync": text("/status/sync/status"),
        "revision": text("/status/operationState/syncResult/revision"),
    });
    Ok(match (phase, health) {
        ("Succeeded", "Progressing" | "Missing" | "Unknown") if wants_health => {
            call.later(external)
        }
        ("Succeeded", "Degraded") if wants_health => Outcome::failed(format!("{name} is degraded")),
        ("Succeeded", _) => Outcome::Succeeded {
            outputs: outputs.as_object().cloned().unwrap_or_default(),
            message: format!("{name} is synchronised"),
        },
        ("Running" | "Terminating", _) => call.later(external),
        (other, _) => {
            let why = text("/status/operationState/message").unwrap_or_default();
            Outcome::failed(format!("the operation on {name} ended with {other}: {why}"))
        }
    })
}

/// What Argo CD tells of the operation, as lines.
fn told(application: &Json) -> String {
    let state = application.pointer("/status/operationState");
    let message = state
        .and_then(|state| state.get("message")?.as_str())
        .unwrap_or_default();
    let resources = state.and_then(|state| state.pointer("/syncResult/resources")?.as_array());
    let line = |resource: &Json| {
        let text = |name: &str| {
            resource
                .get(name)
                .and_then(Json::as_str)
                .unwrap_or_default()
        };
        format!(
            "{}/{}: {} {}\n",
            text("kind"),
            text("name"),
            text("status"),
            text("message")
        )
    };
    let lines: String = resources.into_iter().flatten().map(line).collect();
    if message.is_empty() {
        lines
    } else {
        format!("{message}\n{lines}")
    }
}
