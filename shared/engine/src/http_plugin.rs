//! The built-in plugin `windlass-http`: an operation that is one HTTP request.
//!
//! It is what most lifecycle steps of functions are: a call of somebody's API. The inputs say what
//! to send, which answer is good and what of it becomes runtime properties. The name after the
//! plugin's (`windlass-http.create_bucket`) is free: it is what events show.

use crate::step::{CallError, Outcome};
use serde_json::{Map, Value, json};
use std::time::Duration;
use windlass_core::limits;
use windlass_core::outbound::address;
use windlass_core::outbound::{OutboundRequest, OutboundResponse};

/// The most seconds a request may take.
const LONGEST: f64 = 300.0;

/// The longest part of an answer that an error shows, in characters.
const SHOWN: usize = 300;

/// The largest answer whose JSON is read, in bytes.
const READ: usize = 4 << 20;

/// A request and what is expected of its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Exchange {
    /// The request.
    pub request: OutboundRequest,
    expected: Vec<u16>,
    properties: Vec<(String, String)>,
    result: Option<String>,
}

/// Understands an operation's inputs, functions evaluated.
///
/// | input | meaning |
/// |---|---|
/// | `url` | where to; required |
/// | `method` | `GET` when absent |
/// | `headers` | map of names to values |
/// | `body` | text as it is; anything else as JSON |
/// | `expected_status` | a number or a list of them; any 2xx when absent |
/// | `runtime_properties` | map of names to places in the answer's JSON: `/a/b` or `a.b`, `` for all |
/// | `result` | the place whose value is the operation's result, null where there is none; the status code when absent. A check for drift says so by a result |
/// | `timeout_seconds` | 30 when absent, at most 300 |
///
/// The operation's id goes along as `Idempotency-Key`, the same at every try.
///
/// # Errors
/// Not recoverable: what is missing or not usable.
pub fn prepare(
    operation_id: &str,
    inputs: &Map<String, Value>,
    allow_private: bool,
) -> Result<Exchange, CallError> {
    let given = |name: &str| inputs.get(name).filter(|value| !value.is_null());
    let url =
        text(given("url"), "url")?.ok_or_else(|| CallError::fatal("The input `url` is missing"))?;
    address::check(&url, allow_private).map_err(CallError::fatal)?;
    let method = text(given("method"), "method")?
        .unwrap_or_else(|| "GET".into())
        .to_uppercase();
    const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    if !METHODS.contains(&method.as_str()) {
        return Err(CallError::fatal(format!(
            "The input `method` is `{method}`, not one of {}",
            METHODS.join(", ")
        )));
    }
    let mut headers = headers(given("headers"))?;
    let has = |headers: &[(String, String)], name: &str| {
        headers
            .iter()
            .any(|(known, _)| known.eq_ignore_ascii_case(name))
    };
    let body = match given("body") {
        None => Vec::new(),
        Some(Value::String(text)) => text.clone().into_bytes(),
        Some(value) => {
            if !has(&headers, "content-type") {
                headers.push(("content-type".into(), "application/json".into()));
            }
            value.to_string().into_bytes()
        }
    };
    if !has(&headers, "idempotency-key") {
        headers.push(("idempotency-key".into(), operation_id.to_owned()));
    }
    let timeout = match given("timeout_seconds") {
        None => 30.0,
        Some(value) => number(value)
            .filter(|seconds| *seconds > 0.0 && *seconds <= LONGEST)
            .ok_or_else(|| {
                CallError::fatal(format!(
                    "The input `timeout_seconds` must be a number from 0 to {LONGEST}"
                ))
            })?,
    };
    let timeout = Some(Duration::from_secs_f64(timeout));
    Ok(Exchange {
        request: OutboundRequest {
            method,
            url,
            headers,
            body,
            timeout,
        },
        expected: expected(given("expected_status"))?,
        properties: properties(given("runtime_properties"))?,
        result: text(given("result"), "result")?.map(|place| pointer(&place)),
    })
}

fn text(value: Option<&Value>, name: &str) -> Result<Option<String>, CallError> {
    match value {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(CallError::fatal(format!(
            "The input `{name}` must be a text"
        ))),
    }
}

/// Numbers also come as text, out of blueprint inputs.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => text
            .trim()
            .parse()
            .ok()
            .filter(|number: &f64| number.is_finite()),
        other => other.as_f64(),
    }
}

fn headers(value: Option<&Value>) -> Result<Vec<(String, String)>, CallError> {
    let Some(value) = value else {
        return Ok(Vec::new());
    };
    let map = value
        .as_object()
        .ok_or_else(|| CallError::fatal("The input `headers` must be a map"))?;
    map.iter()
        .map(|(name, value)| {
            let value = match value {
                Value::String(text) => text.clone(),
                Value::Number(_) | Value::Bool(_) => value.to_string(),
                _ => {
                    return Err(CallError::fatal(format!(
                        "The header `{name}` must be a text"
                    )));
                }
            };
            let is_usable = http::HeaderName::try_from(name.as_str()).is_ok()
                && http::HeaderValue::try_from(value.as_str()).is_ok();
            // Those that decide how the message is framed belong to the platform.
            let is_framing = ["host", "content-length", "transfer-encoding", "connection"]
                .iter()
                .any(|known| name.eq_ignore_ascii_case(known));
            if !is_usable || is_framing {
                return Err(CallError::fatal(format!(
                    "The header `{name}` cannot be sent"
                )));
            }
            Ok((name.to_ascii_lowercase(), value))
        })
        .collect()
}

fn expected(value: Option<&Value>) -> Result<Vec<u16>, CallError> {
    let wrong =
        || CallError::fatal("The input `expected_status` must be a status code or a list of them");
    let one = |value: &Value| {
        let number = number(value)
            .filter(|number| number.fract() == 0.0)
            .ok_or_else(wrong)?;
        if !(100.0..=599.0).contains(&number) {
            return Err(wrong());
        }
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "100 to 599"
        )]
        let status = number as u16;
        Ok(status)
    };
    match value {
        None => Ok(Vec::new()),
        Some(Value::Array(items)) => items.iter().map(one).collect(),
        Some(value) => one(value).map(|status| vec![status]),
    }
}

fn properties(value: Option<&Value>) -> Result<Vec<(String, String)>, CallError> {
    let wrong = || {
        CallError::fatal("The input `runtime_properties` must map names to places in the answer")
    };
    let Some(value) = value else {
        return Ok(Vec::new());
    };
    let map = value.as_object().ok_or_else(wrong)?;
    map.iter()
        .map(|(name, place)| {
            let place = place.as_str().ok_or_else(wrong)?;
            Ok((name.clone(), pointer(place)))
        })
        .collect()
}

/// `a.b` as a JSON pointer; one that is a pointer already stays.
fn pointer(place: &str) -> String {
    if place.is_empty() || place.starts_with('/') {
        return place.to_owned();
    }
    place.split('.').fold(String::new(), |mut pointer, part| {
        pointer.push('/');
        pointer.push_str(&part.replace('~', "~0").replace('/', "~1"));
        pointer
    })
}

/// What the answer, or its absence, means for the operation.
pub fn conclude(exchange: &Exchange, answer: Result<OutboundResponse, String>) -> Outcome {
    let OutboundRequest { method, url, .. } = &exchange.request;
    let failed = |what: String| Outcome::Failed(CallError::recoverable(what));
    // Queries often carry keys, and events are read by many.
    let shown_url = url.split(['?', '#']).next().unwrap_or(url);
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return failed(format!("{method} {shown_url}: {error}")),
    };
    let status = answer.status;
    let is_good = if exchange.expected.is_empty() {
        (200..300).contains(&status)
    } else {
        exchange.expected.contains(&status)
    };
    if !is_good {
        let shown = answer.body.get(..4 * SHOWN).unwrap_or(&answer.body);
        let body = String::from_utf8_lossy(shown);
        let body: String = body
            .chars()
            .filter(|letter| !letter.is_control())
            .take(SHOWN)
            .collect();
        let tail = if body.is_empty() {
            String::new()
        } else {
            format!(": {body}")
        };
        return failed(format!("{method} {shown_url} answered {status}{tail}"));
    }
    let mut runtime_properties = Map::new();
    let mut result = json!(status);
    if !exchange.properties.is_empty() || exchange.result.is_some() {
        if answer.body.len() > READ {
            return failed(format!(
                "{method} {shown_url} answered more than {READ} bytes of JSON"
            ));
        }
        let value: Value = match serde_json::from_slice(&answer.body) {
            Ok(value) => value,
            Err(error) => {
                return failed(format!(
                    "{method} {shown_url} answered no valid JSON: {error}"
                ));
            }
        };
        for (name, pointer) in &exchange.properties {
            let Some(found) = value.pointer(pointer) else {
                return failed(format!(
                    "{method} {shown_url}: the answer has no `{pointer}`"
                ));
            };
            if let Err(error) = limits::check_bytes(&format!("`{pointer}`"), found) {
                return failed(format!("{method} {shown_url}: {}", error.message()));
            }
            runtime_properties.insert(name.clone(), found.clone());
        }
        if let Some(pointer) = &exchange.result {
            result = value.pointer(pointer).cloned().unwrap_or_default();
            if let Err(error) = limits::check_bytes("the result", &result) {
                return failed(format!("{method} {shown_url}: {}", error.message()));
            }
        }
        let all = Value::from(runtime_properties.clone());
        if let Err(error) = limits::check_bytes("what is kept of the answer", &all) {
            return failed(format!("{method} {shown_url}: {}", error.message()));
        }
    }
    Outcome::Succeeded {
        result,
        runtime_properties,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(value: Value) -> Map<String, Value> {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn inputs_become_a_request() {
        let given = inputs(json!({
            "url": "https://api.example.com/things", "method": "post", "body": { "size": 3 },
            "headers": { "X-One": 1 }, "timeout_seconds": "5",
        }));
        let request = prepare("op-1", &given, false).unwrap().request;
        assert_eq!(request.method, "POST");
        assert_eq!(request.body, br#"{"size":3}"#);
        assert_eq!(request.timeout, Some(Duration::from_secs(5)));
        let header = |name: &str| {
            request
                .headers
                .iter()
                .find(|(known, _)| known == name)
                .map(|(_, v)| v)
        };
        assert_eq!(header("x-one").unwrap(), "1");
        assert_eq!(header("content-type").unwrap(), "application/json");
        assert_eq!(header("idempotency-key").unwrap(), "op-1");
    }

    #[test]
    fn unusable_inputs_are_not_tried_again() {
        for given in [
            json!({}),
            json!({ "url": 1 }),
            json!({ "url": "http://10.0.0.1/" }),
            json!({ "url": "https://a.example/", "method": "BREW" }),
            json!({ "url": "https://a.example/", "headers": [] }),
            json!({ "url": "https://a.example/", "headers": { "a b": "c" } }),
            json!({ "url": "https://a.example/", "headers": { "a": "c\r\nd: e" } }),
            json!({ "url": "https://a.example/", "headers": { "Host": "b" } }),
            json!({ "url": "https://a.example/", "expected_status": "ok" }),
            json!({ "url": "https://a.example/", "expected_status": 99999 }),
            json!({ "url": "https://a.example/", "timeout_seconds": 301 }),
            json!({ "url": "https://a.example/", "timeout_seconds": "NaN" }),
            json!({ "url": "https://a.example/", "runtime_properties": { "a": 1 } }),
        ] {
            let error = prepare("op", &inputs(given.clone()), false).unwrap_err();
            assert!(!error.recoverable, "{given}");
        }
    }

    #[test]
    fn answers_are_judged_by_what_was_expected() {
        let answer = |status, body: &str| {
            Ok(OutboundResponse {
                status,
                headers: Vec::new(),
                body: body.as_bytes().to_vec(),
            })
        };
        let url = "https://a.example/x?key=secret";
        for (given, answer, good) in [
            (json!({}), answer(204, ""), true),
            (json!({}), answer(404, "no"), false),
            (json!({ "expected_status": [404] }), answer(404, "no"), true),
            (json!({ "expected_status": "201" }), answer(200, ""), false),
            (
                json!({ "runtime_properties": { "a": "b.c" } }),
                answer(200, r#"{"b":{"c":1}}"#),
                true,
            ),
            (
                json!({ "runtime_properties": { "a": "/b/0" } }),
                answer(200, r#"{"b":[2]}"#),
                true,
            ),
            (
                json!({ "runtime_properties": { "a": "/b" } }),
                answer(200, "{}"),
                false,
            ),
            (
                json!({ "runtime_properties": { "a": "/b" } }),
                answer(200, "<html>"),
                false,
            ),
            (
                json!({ "runtime_properties": { "a": "/b" } }),
                answer(200, &json!({ "b": "x".repeat(600_000) }).to_string()),
                false,
            ),
            // Each of them fits, and both together do not.
            (
                json!({ "runtime_properties": { "a": "/b" } }),
                answer(200, &json!({ "b": "x".repeat(300_000) }).to_string()),
                true,
            ),
            (
                json!({ "runtime_properties": { "a": "/b", "c": "/b" } }),
                answer(200, &json!({ "b": "x".repeat(300_000) }).to_string()),
                false,
            ),
            (json!({}), Err("connection refused".into()), false),
        ] {
            let mut given = inputs(given);
            given.insert("url".into(), url.into());
            let exchange = prepare("op", &given, false).unwrap();
            match conclude(&exchange, answer) {
                Outcome::Succeeded { .. } => assert!(good, "{given:?}"),
                Outcome::Failed(error) => {
                    assert!(!good && error.recoverable, "{given:?}");
                    assert!(!error.message.contains("secret"), "{}", error.message);
                }
                Outcome::Rescheduled(_) => unreachable!("the plugin never asks for it"),
            }
        }
    }

    #[test]
    fn a_result_is_what_the_answer_says_there() {
        for (place, body, want) in [
            (None, "none", json!(200)),
            (Some("drift.port"), r#"{"drift": {"port": 81}}"#, json!(81)),
            (Some("/drift"), r#"{"all": "well"}"#, Value::Null),
            (Some(""), "[]", json!([])),
        ] {
            let given = inputs(json!({ "url": "https://api.example.com/", "result": place }));
            let exchange = prepare("op", &given, false).unwrap();
            let answer = OutboundResponse {
                status: 200,
                headers: Vec::new(),
                body: body.into(),
            };
            match conclude(&exchange, Ok(answer)) {
                Outcome::Succeeded { result, .. } => assert_eq!(result, want, "{place:?}"),
                other => panic!("{place:?}: {other:?}"),
            }
        }
    }
}
