//! A pattern and a text of any letters, with a zero byte between them.
//!
//! Reading and matching must end soon and without a panic, and a limit on steps may only make a
//! match give up: it never changes the answer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use windlass_pattern::{MAX_STEPS, Pattern};

fuzz_target!(|input: &str| {
    let (pattern, text) = input.split_once('\0').unwrap_or((input, "aab"));
    let Ok(pattern) = Pattern::new(pattern) else {
        return;
    };
    let answer = pattern.matches_within(text, MAX_STEPS);
    for steps in [10, 100, 1000] {
        let found = pattern.matches_within(text, steps);
        assert!(found.is_err() || found == answer, "{steps} steps");
    }
});
