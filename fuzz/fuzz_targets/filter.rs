//! Filters of lists: rules of Conductor's, and the filters of Adjutant's lists.
//!
//! What is taken is read the same when it comes back as JSON, which is how it is stored.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use windlass_adjutant::filters::{Filter, Root};
use windlass_store::filters::{Target, rules};

fuzz_target!(|text: &str| {
    for root in [Root::Tasks, Root::Tokens, Root::Notifications, Root::Mails] {
        let _ = Filter::parse(root, Some(text));
    }
    let Ok(Value::Array(given)) = serde_json::from_str(text) else {
        return;
    };
    for target in [Target::Blueprints, Target::Deployments, Target::Nodes] {
        let Ok(read) = rules::parse(target, &given) else {
            continue;
        };
        let stored = serde_json::to_value(&read).unwrap();
        let again = rules::parse(target, stored.as_array().unwrap());
        assert!(again.is_ok_and(|again| again == read), "{stored}");
    }
});
