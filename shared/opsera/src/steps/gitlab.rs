//! GitLab CI: a pipeline is created and followed, the traces of its jobs are read as they grow.
//!
//! By the REST API, version 4: `projects/P/pipeline`, `pipelines/N`, `pipelines/N/jobs`, `jobs/N/trace`.

use super::call::{Answered, CONSOLE_AT_ONCE, Call, number, part};
use super::{Outcome, Turn};
use serde_json::{Map, Value as Json, json};
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
    let path = format!("/api/v4/projects/{}", part(&call.required("project")?));
    match number(&call.job.external, "pipeline") {
        Some(pipeline) => follow(call, &path, pipeline, console).await,
        None => create(call, &path).await,
    }
}

async fn create<O: Outbound>(call: &Call<'_, O>, path: &str) -> Answered<Outcome> {
    let variable = |(name, value): (&String, &Json)| {
        let value = match value {
            Json::String(text) => text.clone(),
            other => other.to_string(),
        };
        json!({ "key": name, "value": value })
    };
    let variables: Vec<Json> = call.object("variables")?.iter().map(variable).collect();
    let body = json!({ "ref": call.required("ref")?, "variables": variables });
    let made = call
        .ask("POST", &format!("{path}/pipeline"), Some(&body))
        .await?;
    let id = made.get("id").and_then(Json::as_i64);
    let id = id.ok_or_else(|| Outcome::hopeless("GitLab made a pipeline without an id"))?;
    Ok(call.later(json!({ "pipeline": id, "jobs": {} })))
}

async fn follow<O: Outbound>(
    call: &Call<'_, O>,
    path: &str,
    pipeline: i64,
    console: &mut String,
) -> Answered<Outcome> {
    let state = call
        .ask("GET", &format!("{path}/pipelines/{pipeline}"), None)
        .await?;
    let status = state
        .get("status")
        .and_then(Json::as_str)
        .unwrap_or("none")
        .to_owned();
    let mut external = call.job.external.clone();
    let has_more = traces(call, path, pipeline, &mut external, console).await?;
    let is_over = matches!(
        status.as_str(),
        "success" | "failed" | "canceled" | "skipped" | "manual"
    );
    if !is_over || has_more {
        return Ok(call.later(external));
    }
    let url = state.get("web_url").and_then(Json::as_str);
    let outputs = json!({ "pipeline": pipeline, "status": status, "url": url });
    Ok(match status.as_str() {
        "success" => Outcome::Succeeded {
            outputs: outputs.as_object().cloned().unwrap_or_default(),
            message: format!("pipeline {pipeline} succeeded"),
        },
        // A job that somebody has to start by hand, there.
        "manual" => Outcome::failed(format!("pipeline {pipeline} waits for somebody in GitLab")),
        other => Outcome::failed(format!("pipeline {pipeline} ended with {other}")),
    })
}

/// Reads what the traces have grown by; whether one turn had no room for all of it.
async fn traces<O: Outbound>(
    call: &Call<'_, O>,
    path: &str,
    pipeline: i64,
    external: &mut Json,
    console: &mut String,
) -> Answered<bool> {
    let query = format!("{path}/pipelines/{pipeline}/jobs?per_page=100&include_retried=true");
    let jobs = call.ask("GET", &query, None).await?;
    let mut read: Map<String, Json> = external
        .get("jobs")
        .and_then(Json::as_object)
        .cloned()
        .unwrap_or_default();
    let mut has_more = false;
    for job in jobs.as_array().into_iter().flatten() {
        let (Some(id), Some(status)) = (
            job.get("id").and_then(Json::as_i64),
            job.get("status").and_then(Json::as_str),
        ) else {
            continue;
        };
        let is_over = !matches!(
            status,
            "created" | "pending" | "running" | "waiting_for_resource" | "preparing"
        );
        let known = read
            .get(&id.to_string())
            .cloned()
            .unwrap_or(json!([0, false]));
        let begin = known
            .get(0)
            .and_then(Json::as_u64)
            .and_then(|n| usize::try_from(n).ok())
            .unwrap_or(0);
        if known.get(1) == Some(&Json::Bool(true)) || status == "created" || status == "pending" {
            continue;
        }
        let answer = call
            .send("GET", &format!("{path}/jobs/{id}/trace"), None)
            .await?;
        // A job without a trace says 404, which is no failure of the pipeline.
        let body = if answer.status == 200 {
            answer.body.as_slice()
        } else {
            &[]
        };
        let new = body.get(begin..).unwrap_or_default();
        let room = CONSOLE_AT_ONCE.saturating_sub(console.len());
        let taken = new.get(..room).unwrap_or(new);
        if begin == 0 && !taken.is_empty() {
            let name = job.get("name").and_then(Json::as_str).unwrap_or("job");
            console.push_str(&format!("== {name} ==\n"));
        }
        console.push_str(&String::from_utf8_lossy(taken).replace('\0', ""));
        let is_read = taken.len() == new.len();
        has_more |= !is_read;
        read.insert(
            id.to_string(),
            json!([begin + taken.len(), is_over && is_read]),
        );
    }
    if let Some(fields) = external.as_object_mut() {
        fields.insert("jobs".into(), Json::Object(read));
    }
    Ok(has_more)
}
