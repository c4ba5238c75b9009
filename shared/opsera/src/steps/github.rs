//! GitHub Actions: a workflow is dispatched, its run is found and followed, and each job's log is read
//! when the job has ended (GitHub gives none before).
//!
//! By the REST API, version 2022-11-28. A dispatch answers 204 without saying which run it made, or, where
//! it does say, 200 with `workflow_run_id`. Else the first run of the workflow on that branch since the
//! dispatch is taken for it.

use super::call::{Answered, CONSOLE_AT_ONCE, Call, number, part};
use super::{Outcome, Turn};
use crate::tools::probe;
use serde_json::{Value as Json, json};
use windlass_core::Timestamp;
use windlass_core::outbound::{Outbound, OutboundRequest, address};

/// How long a run may take to appear after its dispatch, in milliseconds.
const APPEARS_WITHIN: i64 = 120_000;

/// Clocks differ: how much earlier than our own a run may say it was made, in seconds.
const SKEW: i64 = 5;

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
    let repository = call.required("repository")?;
    let path = match repository.split('/').collect::<Vec<_>>().as_slice() {
        [owner, name]
            if ![*owner, *name]
                .iter()
                .any(|part| matches!(*part, "" | "." | "..")) =>
        {
            format!("/repos/{}/{}/actions", part(owner), part(name))
        }
        _ => return Err(Outcome::hopeless("repository must be owner/name")),
    };
    let external = &call.job.external;
    match (number(external, "run"), number(external, "since")) {
        (Some(run), _) => follow(call, &path, run, console).await,
        (None, Some(since)) => find(call, &path, since).await,
        (None, None) => dispatch(call, &path).await,
    }
}

async fn dispatch<O: Outbound>(call: &Call<'_, O>, path: &str) -> Answered<Outcome> {
    let workflow = call.required("workflow")?;
    let branch = call.text("ref").unwrap_or_else(|| "main".into());
    let body = json!({ "ref": branch, "inputs": call.object("inputs")? });
    let path = format!("{path}/workflows/{}/dispatches", part(&workflow));
    let answer = call.send("POST", &path, Some(&body)).await?;
    call.demand_good(&answer, &path)?;
    let told: Json = serde_json::from_slice(&answer.body).unwrap_or_default();
    let since = call.now.plus_seconds(-SKEW).millis();
    let run = told.get("workflow_run_id").and_then(Json::as_i64);
    Ok(call.later(json!({ "since": since, "run": run })))
}

async fn find<O: Outbound>(call: &Call<'_, O>, path: &str, since: i64) -> Answered<Outcome> {
    let workflow = call.required("workflow")?;
    let branch = call.text("ref").unwrap_or_else(|| "main".into());
    let from = Timestamp::from_millis(since).format("%Y-%m-%dT%H:%M:%SZ");
    let query = format!(
        "{path}/workflows/{}/runs?event=workflow_dispatch&branch={}&created={}&per_page=100",
        part(&workflow),
        part(&branch),
        part(&format!(">={from}"))
    );
    let found = call.ask("GET", &query, None).await?;
    let runs = found.get("workflow_runs").and_then(Json::as_array);
    let ids = runs
        .into_iter()
        .flatten()
        .filter_map(|run| run.get("id")?.as_i64());
    let mut external = call.job.external.clone();
    match (ids.min(), external.as_object_mut()) {
        (Some(run), Some(fields)) => {
            fields.insert("run".into(), run.into());
            fields.insert("polls".into(), 0.into());
        }
        _ if call.now.millis() > since + APPEARS_WITHIN => {
            return Err(Outcome::failed(
                "GitHub took the dispatch, but no run appeared",
            ));
        }
        _ => {}
    }
    Ok(call.later(external))
}

async fn follow<O: Outbound>(
    call: &Call<'_, O>,
    path: &str,
    run: i64,
    console: &mut String,
) -> Answered<Outcome> {
    let state = call.ask("GET", &format!("{path}/runs/{run}"), None).await?;
    let mut external = call.job.external.clone();
    let has_more = logs(call, path, run, &mut external, console).await?;
    let text = |name: &str| state.get(name).and_then(Json::as_str);
    if text("status") != Some("completed") || has_more {
        return Ok(call.later(external));
    }
    let conclusion = text("conclusion").unwrap_or("none");
    let outputs = json!({ "run": run, "conclusion": conclusion, "url": text("html_url") });
    Ok(match conclusion {
        "success" => Outcome::Succeeded {
            outputs: outputs.as_object().cloned().unwrap_or_default(),
            message: format!("run {run} succeeded"),
        },
        other => Outcome::failed(format!("run {run} ended with {other}")),
    })
}

/// Reads the log of one job that has ended and was not read yet; whether there are more of them.
async fn logs<O: Outbound>(
    call: &Call<'_, O>,
    path: &str,
    run: i64,
    external: &mut Json,
    console: &mut String,
) -> Answered<bool> {
    let jobs = call
        .ask("GET", &format!("{path}/runs/{run}/jobs?per_page=100"), None)
        .await?;
    let jobs = jobs
        .get("jobs")
        .and_then(Json::as_array)
        .cloned()
        .unwrap_or_default();
    let known = external
        .get("jobs")
        .and_then(Json::as_array)
        .cloned()
        .unwrap_or_default();
    let ended = |job: &&Json| job.get("status").and_then(Json::as_str) == Some("completed");
    let mut new = jobs.iter().filter(ended).filter_map(|job| {
        let id = job.get("id")?.as_i64()?;
        let name = job.get("name").and_then(Json::as_str).unwrap_or("job");
        (!known.contains(&Json::from(id))).then_some((id, name))
    });
    let Some((id, name)) = new.next() else {
        return Ok(false);
    };
    let has_more = new.next().is_some();
    let text = job_log(call, &format!("{path}/jobs/{id}/logs")).await;
    console.push_str(&format!("== {name} ==\n{text}"));
    if let Some(fields) = external.as_object_mut() {
        let read = known.into_iter().chain([id.into()]).collect();
        fields.insert("jobs".into(), read);
    }
    Ok(has_more)
}

/// The log of a job. GitHub keeps it elsewhere and says where; there nobody needs to log in. One that is
/// gone keeps nobody from succeeding.
async fn job_log<O: Outbound>(call: &Call<'_, O>, path: &str) -> String {
    let Ok(mut answer) = call.send("GET", path, None).await else {
        return "(the log cannot be read)\n".into();
    };
    if matches!(answer.status, 301 | 302 | 307) {
        let mut headers = answer.headers.iter();
        let location = headers.find(|(name, _)| name.eq_ignore_ascii_case("location"));
        let url = location.map(|(_, url)| url.clone()).unwrap_or_default();
        if address::check(&url, call.allow_private).is_err() {
            return "(the log is at an address that is not called)\n".into();
        }
        let request = OutboundRequest {
            method: "GET".into(),
            url,
            ..OutboundRequest::default()
        };
        match call.send_as_is(request).await {
            Ok(elsewhere) => answer = elsewhere,
            Err(_) => return "(the log cannot be read)\n".into(),
        }
    }
    if answer.status != 200 {
        return format!(
            "({})\n",
            probe::refusal(call.tool, "the question for the log", &answer)
        );
    }
    let text = answer.body.get(..CONSOLE_AT_ONCE).unwrap_or(&answer.body);
    let mut text = String::from_utf8_lossy(text).replace('\0', "");
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}
