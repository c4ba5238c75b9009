//! Jenkins: a job is triggered, its item in the queue becomes a build, the build's console is read as it
//! grows until it ends.
//!
//! By Jenkins' remote access API: `build` and `buildWithParameters`, `queue/item/N/api/json`,
//! `N/api/json` and `logText/progressiveText`. Jenkins knows no idempotency key: a crash between the
//! trigger and its record triggers the job again.

use super::call::{Answered, CONSOLE_AT_ONCE, Call, number, part};
use super::{Outcome, Turn};
use serde_json::{Map, Value as Json, json};
use windlass_core::outbound::{Outbound, OutboundResponse};

/// The path of a job, which may be in folders.
fn job_path(job: &str) -> Answered<String> {
    let parts: Vec<&str> = job.split('/').filter(|part| !part.is_empty()).collect();
    if parts.is_empty() || parts.iter().any(|part| matches!(*part, "." | "..")) {
        return Err(Outcome::hopeless(format!("`{job}` is no name of a job")));
    }
    Ok(parts
        .iter()
        .map(|name| format!("/job/{}", part(name)))
        .collect())
}

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
    let path = job_path(&call.required("job")?)?;
    let external = &call.job.external;
    if let Some(build) = number(external, "build") {
        return follow(call, &path, build, console).await;
    }
    if let Some(item) = number(external, "item") {
        return wait_for_build(call, item).await;
    }
    trigger(call, &path).await
}

async fn trigger<O: Outbound>(call: &Call<'_, O>, path: &str) -> Answered<Outcome> {
    let parameters = call.object("parameters")?;
    let url = match parameters.is_empty() {
        true => format!("{path}/build"),
        false => format!("{path}/buildWithParameters?{}", query(&parameters)),
    };
    let answer = call.send("POST", &url, None).await?;
    call.demand_good(&answer, path)?;
    let item = location(&answer).ok_or_else(|| {
        Outcome::hopeless(format!(
            "{} did not say where the build waits",
            call.tool.name
        ))
    })?;
    Ok(call.later(json!({ "item": item })))
}

fn query(parameters: &Map<String, Json>) -> String {
    let pair = |(name, value): (&String, &Json)| {
        let value = match value {
            Json::String(text) => text.clone(),
            other => other.to_string(),
        };
        format!("{}={}", part(name), part(&value))
    };
    parameters.iter().map(pair).collect::<Vec<_>>().join("&")
}

/// The number in `Location: http://jenkins/queue/item/123/`. The host is the one we know, whatever
/// Jenkins takes for its own.
fn location(answer: &OutboundResponse) -> Option<i64> {
    let mut headers = answer.headers.iter();
    let (_, location) = headers.find(|(name, _)| name.eq_ignore_ascii_case("location"))?;
    let (_, rest) = location.split_once("/queue/item/")?;
    rest.split('/').next()?.parse().ok()
}

async fn wait_for_build<O: Outbound>(call: &Call<'_, O>, item: i64) -> Answered<Outcome> {
    let found = call
        .ask("GET", &format!("/queue/item/{item}/api/json"), None)
        .await?;
    if found.get("cancelled") == Some(&Json::Bool(true)) {
        return Err(Outcome::failed("The build was cancelled while it waited"));
    }
    let mut external = call.job.external.clone();
    let build = found.pointer("/executable/number").and_then(Json::as_i64);
    if let (Some(build), Some(fields)) = (build, external.as_object_mut()) {
        fields.insert("build".into(), build.into());
        fields.insert("polls".into(), 0.into());
    }
    Ok(call.later(external))
}

async fn follow<O: Outbound>(
    call: &Call<'_, O>,
    path: &str,
    build: i64,
    console: &mut String,
) -> Answered<Outcome> {
    let state = call
        .ask("GET", &format!("{path}/{build}/api/json"), None)
        .await?;
    let mut external = call.job.external.clone();
    let begin = number(&external, "read").unwrap_or(0);
    let text = format!("{path}/{build}/logText/progressiveText?start={begin}");
    let answer = call.send("GET", &text, None).await?;
    call.demand_good(&answer, path)?;
    // What one turn has no room for is read by the next.
    let read = answer.body.get(..CONSOLE_AT_ONCE).unwrap_or(&answer.body);
    console.push_str(&String::from_utf8_lossy(read).replace('\0', ""));
    let is_all = read.len() == answer.body.len();
    if let Some(fields) = external.as_object_mut() {
        let read = begin + i64::try_from(read.len()).unwrap_or(0);
        fields.insert("read".into(), read.into());
    }
    let has_more = answer.headers.iter().any(|(name, value)| {
        name.eq_ignore_ascii_case("x-more-data") && value.eq_ignore_ascii_case("true")
    });
    let is_building = state.get("building") == Some(&Json::Bool(true));
    if is_building || has_more || !is_all {
        return Ok(call.later(external));
    }
    let result = state.get("result").and_then(Json::as_str).unwrap_or("none");
    let url = state.get("url").and_then(Json::as_str);
    let outputs = json!({ "number": build, "result": result, "url": url });
    Ok(match result {
        "SUCCESS" => Outcome::Succeeded {
            outputs: outputs.as_object().cloned().unwrap_or_default(),
            message: format!("build {build} succeeded"),
        },
        other => Outcome::failed(format!("build {build} ended with {other}")),
    })
}
