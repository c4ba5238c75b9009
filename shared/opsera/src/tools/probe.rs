//! What every call of a tool has, and the call that tests whether it can be reached and lets us in.

use super::Tool;
use crate::plan::StepKind;
use crate::secrets;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;
use std::time::Duration;
use windlass_core::outbound::{OutboundRequest, OutboundResponse, address};

/// How long a call may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The longest part of an answer that is shown, in characters.
const SHOWN: usize = 300;

/// A call of a tool, logged in as its configuration says. `path` begins with a slash.
///
/// # Errors
/// A text for people: it has no URL, or one that is not called.
pub fn request(
    tool: &Tool,
    method: &str,
    path: &str,
    body: Option<&Json>,
    allow_private: bool,
) -> Result<OutboundRequest, String> {
    let url = format!("{}{path}", tool.url()?);
    address::check(&url, allow_private)?;
    let mut headers = headers(tool)?;
    let body = match body {
        None => Vec::new(),
        Some(body) => {
            headers.push(("content-type".into(), "application/json".into()));
            body.to_string().into_bytes()
        }
    };
    Ok(OutboundRequest {
        method: method.into(),
        url,
        headers,
        body,
        timeout: Some(TIMEOUT),
    })
}

/// The headers that log in at a tool, and those that its configuration has.
///
/// # Errors
/// A text for people, for a header that cannot be sent.
pub fn headers(tool: &Tool) -> Result<Vec<(String, String)>, String> {
    let token = tool.text(&["token", "accessToken", "apiToken", "api_token", "password"]);
    let user = tool.text(&["username", "userName", "user"]);
    let mut headers = vec![("user-agent".to_owned(), "windlass".to_owned())];
    match (tool.kind, user, token) {
        (Some(StepKind::Gitlab), _, Some(token)) => {
            headers.push(("private-token".into(), token.into()));
        }
        (Some(StepKind::Github | StepKind::Argo), _, Some(token)) | (_, None, Some(token)) => {
            headers.push(("authorization".into(), format!("Bearer {token}")));
        }
        (_, Some(user), Some(token)) => {
            let pair = STANDARD.encode(format!("{user}:{token}"));
            headers.push(("authorization".into(), format!("Basic {pair}")));
        }
        _ => {}
    }
    if tool.kind == Some(StepKind::Github) {
        headers.push(("accept".into(), "application/vnd.github+json".into()));
        headers.push(("x-github-api-version".into(), "2022-11-28".into()));
    }
    let given = tool.configuration.get("headers").and_then(Json::as_object);
    for (name, value) in given.into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        let is_usable = http::HeaderName::try_from(name.as_str()).is_ok()
            && http::HeaderValue::try_from(value).is_ok();
        let is_framing = ["host", "content-length", "transfer-encoding", "connection"]
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known));
        if !is_usable || is_framing {
            return Err(format!(
                "The header `{name}` of `{}` cannot be sent",
                tool.name
            ));
        }
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    for (name, value) in &headers {
        if http::HeaderValue::try_from(value.as_str()).is_err() {
            return Err(format!(
                "What `{}` logs in with cannot be sent as {name}",
                tool.name
            ));
        }
    }
    Ok(headers)
}

/// What an answer says when it is not what was hoped for, without credentials.
pub fn refusal(tool: &Tool, what: &str, answer: &OutboundResponse) -> String {
    let text = shown(&answer.body, &tool.secrets);
    let tail = if text.is_empty() {
        String::new()
    } else {
        format!(": {text}")
    };
    let text = format!("{} answered {} to {what}{tail}", tool.name, answer.status);
    secrets::hide(&text, &tool.secrets)
}

/// The beginning of a body, as one line. Credentials are hidden in the whole of it first: half of one
/// would not be found.
fn shown(body: &[u8], credentials: &[String]) -> String {
    let text = secrets::hide(&String::from_utf8_lossy(body), credentials);
    let line: String = text.chars().filter(|c| !c.is_control()).collect();
    let line = secrets::hide(&line, credentials);
    line.chars().take(SHOWN).collect()
}

/// The call that tests a tool: one that changes nothing and wants a login where the tool has one.
///
/// # Errors
/// A text for people: nothing here knows how to call it, or its configuration is not usable.
pub fn test(tool: &Tool, allow_private: bool) -> Result<OutboundRequest, String> {
    let path = match tool.kind {
        Some(StepKind::Jenkins) => "/api/json?tree=mode",
        Some(StepKind::Github) => "/rate_limit",
        Some(StepKind::Gitlab) => "/api/v4/user",
        Some(StepKind::Argo) => "/api/v1/session/userinfo",
        Some(StepKind::Webhook) => "",
        _ => {
            return Err(format!(
                "Tools of the type of `{}` are not called",
                tool.name
            ));
        }
    };
    request(tool, "GET", path, None, allow_private)
}

/// What the answer to a test means.
///
/// # Errors
/// Why the tool cannot be used, as a text for people.
pub fn conclude(tool: &Tool, answer: Result<OutboundResponse, String>) -> Result<String, String> {
    let answer = answer.map_err(|why| secrets::hide(&why, &tool.secrets))?;
    let is_good = match tool.kind {
        // Whatever listens there may answer a GET as it likes, but for a login that it refuses.
        Some(StepKind::Webhook) => !matches!(answer.status, 401 | 403 | 407 | 500..),
        _ => (200..300).contains(&answer.status),
    };
    // Argo CD tells who nobody is with 200.
    let is_nobody = tool.kind == Some(StepKind::Argo)
        && serde_json::from_slice::<Json>(&answer.body)
            .is_ok_and(|body| body.get("loggedIn") != Some(&Json::Bool(true)));
    if is_good && !is_nobody {
        return Ok(format!("{} answered {}", tool.name, answer.status));
    }
    Err(refusal(tool, "the test", &answer))
}
