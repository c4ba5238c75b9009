//! A schedule's rule of any letters: it is refused, or names its moments soon and in their order.
#![no_main]

use libfuzzer_sys::fuzz_target;
use windlass_core::Timestamp;
use windlass_core::body::Body;
use windlass_recurrence::{Calendar, Rule};

/// 2026-01-01 and a quarter past noon.
const SINCE: i64 = 1_767_269_700_000;

fuzz_target!(|input: &str| {
    // A rule of RFC 5545 by itself, or what the body of a schedule says.
    let said =
        serde_json::from_str(input).unwrap_or_else(|_| serde_json::json!({ "rrule": input }));
    let Ok(body) = Body::inner(&said, "rule") else {
        return;
    };
    let Ok(rule) = Rule::read(&body, None) else {
        return;
    };
    let since = Timestamp::from_millis(SINCE);
    let Ok(calendar) = Calendar::new(&rule, since, None) else {
        return;
    };
    let moments = calendar.after(since, 5);
    assert!(moments.is_sorted_by(|one, next| one < next), "{moments:?}");
    assert!(moments.iter().all(|moment| *moment > since), "{moments:?}");
});
