//! What a log must not hold: the passwords, tokens and values of secrets that stories send and are given.
//!
//! Every request of a story is looked at for them, so nobody has to say them, and the whole log of every
//! application is searched for those that it knew when it ends.

use crate::http::{Answer, Outgoing};
use base64::Engine as _;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Shorter ones stand in a log by chance.
const SHORTEST: usize = 8;
/// Larger bodies are pages and archives.
const LARGEST_BODY: usize = 64 << 10;
/// Fields whose texts are secrets, wherever they stand.
const FIELDS: [&str; 6] = [
    "password",
    "original_password",
    "passphrase",
    "token",
    "auth_token",
    "secret_key",
];
/// Headers that hold a token and nothing else.
const HEADERS: [&str; 4] = [
    "authentication-token",
    "execution-token",
    "x-auth-token",
    "x-subject-token",
];

static KNOWN: Mutex<BTreeMap<SocketAddr, BTreeSet<String>>> = Mutex::new(BTreeMap::new());

fn known() -> MutexGuard<'static, BTreeMap<SocketAddr, BTreeSet<String>>> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has the log of the application at this address searched for a secret.
pub(crate) fn keep(server: SocketAddr, secret: &str) {
    // The part of a token before its last dash is its id, which may be told.
    let hidden = match secret.split_once("tok-") {
        Some((_, token)) => token.rsplit('-').next().unwrap_or(token),
        None => secret,
    };
    // Stories of bad input send the same broken text as a password and as a name, which a log may tell.
    let is_broken = hidden.contains(char::is_control);
    if hidden.len() >= SHORTEST && !hidden.contains('*') && !is_broken {
        known().entry(server).or_default().insert(hidden.to_owned());
    }
}

/// Learns the secrets of a request and its answer.
pub(crate) fn learn(server: SocketAddr, request: &Outgoing, answer: &Answer) {
    // What is refused may be anything, broken by a test on purpose.
    if answer.status >= 400 {
        return;
    }
    for (name, value) in request.headers.iter().chain(&answer.headers) {
        match name.to_ascii_lowercase().as_str() {
            "authorization" => learn_authorization(server, value),
            name if HEADERS.contains(&name) => keep(server, value),
            _ => {}
        }
    }
    let is_secret = request.path.contains("/secrets/");
    let sent = request.body.as_deref().unwrap_or_default();
    for body in [sent, &answer.body] {
        if body.len() <= LARGEST_BODY
            && let Ok(value) = serde_json::from_slice(body)
        {
            learn_fields(server, &value, is_secret);
        }
    }
}

fn learn_authorization(server: SocketAddr, header: &str) {
    let (scheme, proof) = header.split_once(' ').unwrap_or(("", header));
    keep(server, proof);
    let engine = base64::engine::general_purpose::STANDARD;
    if scheme.eq_ignore_ascii_case("basic")
        && let Ok(decoded) = engine.decode(proof)
        && let Some((_, password)) = String::from_utf8_lossy(&decoded).split_once(':')
    {
        keep(server, password);
    }
}

fn learn_fields(server: SocketAddr, value: &Value, is_secret: bool) {
    match value {
        Value::Array(items) => {
            for item in items {
                learn_fields(server, item, is_secret);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                let Value::String(text) = field else {
                    learn_fields(server, field, is_secret);
                    continue;
                };
                let is_value = name == "value" && (is_secret || text.starts_with("ctok-"));
                if is_value || FIELDS.contains(&name.as_str()) {
                    keep(server, text);
                }
            }
        }
        _ => {}
    }
}

/// Demands of the whole log of an application, which has ended, that it holds none of the secrets.
///
/// # Panics
/// With the lines that do.
pub(crate) fn demand_none(server: SocketAddr, log: &str) {
    let Some(secrets) = known().remove(&server) else {
        return;
    };
    let lines: Vec<&str> = lines_with(log, &secrets).collect();
    if !lines.is_empty() && !std::thread::panicking() {
        panic!("the log holds secrets:\n{}", lines.join("\n"));
    }
}

/// The lines of a log that hold one of the secrets, as it is, as JSON writes it or as a URL does.
fn lines_with<'l>(
    log: &'l str,
    secrets: &BTreeSet<String>,
) -> impl Iterator<Item = &'l str> + use<'l> {
    let mut spellings = BTreeSet::new();
    for secret in secrets {
        let json = Value::from(secret.as_str()).to_string();
        spellings.insert(json.trim_matches('"').to_owned());
        spellings.insert(in_url(secret));
        spellings.insert(secret.clone());
    }
    let mut found: Vec<&str> = Vec::new();
    for spelling in spellings.iter().filter(|one| log.contains(one.as_str())) {
        found.extend(log.lines().filter(|line| line.contains(spelling)).take(3));
    }
    found.into_iter()
}

fn in_url(text: &str) -> String {
    let letter = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_log_must_not_hold_is_found_in_every_spelling() {
        let server: SocketAddr = "192.0.2.1:1".parse().unwrap();
        let request = Outgoing {
            method: "PUT".into(),
            path: "/api/v3.1/secrets/hush".into(),
            headers: vec![("Authorization".into(), "Basic YW5uOmEgInF1b3RlIg==".into())],
            body: Some(
                br#"{"value": "sea-salted", "more": [{"passphrase": "deep water"}]}"#.into(),
            ),
        };
        let answer = Answer {
            status: 200,
            headers: vec![("x-subject-token".into(), "stok-0a-fedcba9876543210".into())],
            body: br#"{"value": "********", "id": "harmless-text"}"#.into(),
        };
        learn(server, &request, &answer);
        let secrets = known().remove(&server).unwrap();
        for (line, is_found) in [
            (r#"{"message":"a \"quote\""}"#, true),
            ("GET /x?password=deep%20water", true),
            ("value=sea-salted", true),
            ("proof YW5uOmEgInF1b3RlIg==", true),
            ("stok-0a-fedcba9876543210", true),
            ("stok-0a-***", false),
            ("id=harmless-text", false),
            ("********", false),
        ] {
            let log = format!("before\n{line}\nafter");
            assert_eq!(
                lines_with(&log, &secrets).any(|found| found == line),
                is_found,
                "{line}"
            );
        }
    }

    #[test]
    fn what_was_refused_teaches_nothing() {
        let server: SocketAddr = "192.0.2.1:2".parse().unwrap();
        let request = Outgoing {
            body: Some(br#"{"password": "nothing-is-called-this"}"#.into()),
            ..Outgoing::default()
        };
        let answer = Answer {
            status: 400,
            headers: Vec::new(),
            body: Vec::new(),
        };
        learn(server, &request, &answer);
        assert!(known().get(&server).is_none());
    }
}
