//! Alerts as they arrive: Alertmanager's message, and JSON of any other shape.

use super::settings::{Fields, Kind, Settings};
use crate::body::refusal;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use windlass_core::{Body, Error, Result};

/// The most alerts of one message.
const ALERTS: usize = 1000;
/// The longest fingerprint and the longest value of a field, in characters; what is longer is cut.
const FINGERPRINT: usize = 256;
const VALUE: usize = 500;
/// How deep objects in a generic alert are looked into.
const DEPTH: usize = 8;

/// Something that fires or is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Its own name.
    pub fingerprint: String,
    /// Whether it fires.
    pub is_firing: bool,
    /// What it is called, on one line.
    pub title: String,
    /// Everything that rules can ask for: labels by their names, annotations as `annotations.NAME`; or
    /// the fields of a generic alert by their paths.
    pub fields: BTreeMap<String, String>,
}

/// The alerts of a message, in their order. One that cannot be used is refused alone: whoever sent it would
/// send it again, and the others would never be taken.
///
/// # Errors
/// 400 for what is no message, or has no alert that can be used, naming the field.
pub fn read(settings: &Settings, body: &Body) -> Result<Vec<Result<Alert>>> {
    let given = match (settings.kind, body.list("alerts")?) {
        (_, Some(alerts)) => alerts.to_vec(),
        (Kind::Alertmanager, None) => return Err(Error::missing("alerts")),
        // One that is not in a list.
        (Kind::Generic, None) => {
            let names = body.names().filter_map(|name| {
                let value = body.get(name)?;
                Some((name.to_owned(), value.clone()))
            });
            vec![Value::Object(names.collect())]
        }
    };
    if given.len() > ALERTS {
        let text = format!("A message has at most {ALERTS} alerts");
        return Err(refusal("alerts", text));
    }
    let alert = |(place, alert): (usize, &Value)| match (&settings.fields, alert) {
        (Some(fields), Value::Object(alert)) => generic(fields, alert),
        (None, Value::Object(alert)) => of_alertmanager(alert),
        (_, other) => Err(Error::wrong_type(
            &format!("alerts[{place}]"),
            "dict",
            other,
        )),
    };
    let read: Vec<Result<Alert>> = given.iter().enumerate().map(alert).collect();
    match read.iter().all(Result::is_err) {
        true => read.into_iter().map(|alert| alert.map(Ok)).collect(),
        false => Ok(read),
    }
}

fn of_alertmanager(alert: &Map<String, Value>) -> Result<Alert> {
    let text = |name: &str| alert.get(name).and_then(Value::as_str);
    let is_firing = match text("status") {
        Some("firing") => true,
        Some("resolved") => false,
        _ => {
            let text = "The status of an alert is `firing` or `resolved`";
            return Err(refusal("status", text.to_owned()));
        }
    };
    let mut fields = BTreeMap::new();
    if let Some(Value::Object(labels)) = alert.get("labels") {
        flatten("", labels, 1, &mut fields);
    }
    if let Some(Value::Object(annotations)) = alert.get("annotations") {
        flatten("annotations.", annotations, 1, &mut fields);
    }
    let title = fields
        .get("annotations.summary")
        .or_else(|| fields.get("alertname"));
    Ok(Alert {
        fingerprint: fingerprint("fingerprint", text("fingerprint").unwrap_or_default())?,
        is_firing,
        title: one_line(title.map_or("", String::as_str)),
        fields,
    })
}

fn generic(names: &Fields, alert: &Map<String, Value>) -> Result<Alert> {
    let mut fields = BTreeMap::new();
    flatten("", alert, DEPTH, &mut fields);
    let value = |name: &str| fields.get(name).map_or("", String::as_str);
    let status = value(&names.status);
    if status.is_empty() {
        let text = format!("`{}` must say whether the alert fires", names.status);
        return Err(refusal(&names.status, text));
    }
    let is_over = |word: &String| word.eq_ignore_ascii_case(status);
    Ok(Alert {
        fingerprint: fingerprint(&names.fingerprint, value(&names.fingerprint))?,
        is_firing: !names.resolved.iter().any(is_over),
        title: one_line(value(&names.title)),
        fields,
    })
}

fn fingerprint(field: &str, text: &str) -> Result<String> {
    if text.is_empty() || text.chars().count() > FINGERPRINT || text.chars().any(char::is_control) {
        let text = format!("`{field}` must name the alert, in at most {FINGERPRINT} characters");
        return Err(refusal(field, text));
    }
    Ok(text.to_owned())
}

/// The texts, numbers and truth values of an object under their paths.
fn flatten(
    before: &str,
    object: &Map<String, Value>,
    depth: usize,
    into: &mut BTreeMap<String, String>,
) {
    for (name, value) in object {
        let path = format!("{before}{name}");
        let text = match value {
            Value::String(text) => text.chars().take(VALUE).collect(),
            Value::Number(number) => number.to_string(),
            Value::Bool(value) => value.to_string(),
            Value::Object(inner) if depth > 1 => {
                flatten(&format!("{path}."), inner, depth - 1, into);
                continue;
            }
            Value::Null | Value::Array(_) | Value::Object(_) => continue,
        };
        into.insert(path, text);
    }
}

/// A text on one line, without what would break feeds and mails.
fn one_line(text: &str) -> String {
    let line: String = crate::direction::without_turns(text)
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    line.trim().to_owned()
}
