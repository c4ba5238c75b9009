//! Reads YAML texts, one a line as a JSON string, and prints what they become, one line for each.
//!
//! For comparing this reader with another one: `tests/oracle` runs it. The answer has `value` or
//! `refused`. A line that is a list holds the bytes of a file that is not UTF-8.

#![allow(
    clippy::unwrap_used,
    reason = "it is a tool for tests and may stop at once"
)]

use serde::Deserialize;
use serde_json::json;
use std::io::{BufRead, Write};

#[derive(Deserialize)]
#[serde(untagged)]
enum File {
    Text(String),
    Bytes(Vec<u8>),
}

fn main() {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let bytes = match serde_json::from_str(&line.unwrap()).unwrap() {
            File::Text(text) => text.into_bytes(),
            File::Bytes(bytes) => bytes,
        };
        let answer = match windlass_blueprint::yaml_value(&bytes) {
            Ok(value) => json!({ "value": value }),
            Err(why) => json!({ "refused": why }),
        };
        writeln!(out, "{answer}").unwrap();
        out.flush().unwrap();
    }
}
