//! A pipeline's template of any letters: filling it ends, within its limits.
#![no_main]
#![allow(dead_code, reason = "the crate uses all of it")]

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

#[path = "../../shared/opsera/src/template.rs"]
mod template;

fuzz_target!(|text: &str| {
    let known = template::Known::default()
        .with(
            "parameters",
            json!({ "name": "crane", "count": 3, "list": [1, "two", null] }),
        )
        .with("secrets", json!({ "key": "hush" }));
    let value = Value::from(text);
    let _ = template::secrets(&value);
    let Ok(filled) = template::fill(&value, &known) else {
        return;
    };
    assert!(filled.to_string().len() <= 16 << 20, "it grew without end");
});
