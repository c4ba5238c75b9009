//! What an operation answers: its successes, and how the family refuses.

use super::shapes;
use crate::endpoints::{Endpoint, Permission};
use serde_json::{Map, Value, json};

/// Other answers that many operations share, by status. A 500 is none: it is a bug wherever it comes from.
const REFUSALS: [(u16, &str); 14] = [
    (304, "The caller has it already"),
    (308, "The path has no slash at its end"),
    (
        400,
        "Something in the request cannot be used; the message names it",
    ),
    (401, "Nobody known, or the login is not right"),
    (403, "The caller may not"),
    (
        404,
        "What the call names does not exist, or not for the caller",
    ),
    (
        405,
        "Not this, not as things are: it is in use, or kept somewhere else",
    ),
    (
        406,
        "The answer cannot be had in the form that was asked for",
    ),
    (409, "It does not go together with what is there"),
    (413, "The body, or a value in it, is too large"),
    (415, "The body is of another type"),
    (422, "The body can be read, but not used"),
    (429, "Too many requests or failed logins; later"),
    (
        503,
        "Not at the moment: maintenance, no room, or a database that does not answer",
    ),
];

/// The shared refusals.
pub(super) fn refusals() -> Value {
    let mut all = Map::new();
    for (status, description) in REFUSALS {
        all.insert(name(status), json!({ "description": description }));
    }
    all.into()
}

fn name(status: u16) -> String {
    format!("Status{status}")
}

/// The answers of a row by status.
pub(super) fn of(row: &Endpoint) -> Value {
    let mut answers = Map::new();
    for status in &row.success {
        let mut answer = json!({ "description": described(*status) });
        let has_body = (200..300).contains(status) && *status != 204;
        if let Some(content) = shapes::answer(row).filter(|_| has_body) {
            answer["content"] = content;
            if row.id == "audit.list" {
                answer["content"]["text/csv"] = json!({ "schema": { "type": "string" } });
            }
        }
        answers.insert(status.to_string(), answer);
    }
    for (status, _) in REFUSALS {
        if is_possible(row, status) && !row.success.contains(&status) {
            answers.insert(
                status.to_string(),
                json!({ "$ref": format!("#/components/responses/{}", name(status)) }),
            );
        }
    }
    answers.into()
}

fn described(status: u16) -> &'static str {
    match status {
        201 => "It was made",
        202 => "It was taken, and happens later",
        204 => "It is done; there is nothing to show",
        301..=303 | 307 | 308 => "It is elsewhere",
        304 => "It is so already",
        409 => "It is there already",
        _ => "What was asked for",
    }
}

/// Whether a row can be refused in this way; what is left out is a promise.
fn is_possible(row: &Endpoint, status: u16) -> bool {
    let is_public = row.permission == Permission::Public;
    let writes = row.method != "GET";
    match status {
        401 | 403 | 429 => !is_public || writes,
        304 => row.family == "status" && !writes,
        308 => !writes,
        405 => writes && row.family == "conductor",
        406 => !writes,
        409 => writes || row.family == "conductor",
        413 | 415 | 422 => writes,
        _ => true,
    }
}
