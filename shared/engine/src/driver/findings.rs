//! What checks and heals find out, in the shape in which system properties keep it.

use crate::step::{Checked, Finding};
use serde_json::{Map, Value, json};
use windlass_core::Timestamp;

/// Writes a finding into the system properties of its instance. The status before is kept beside
/// the new one; drift of relationships is kept by the instance at their other end.
pub fn keep(properties: &mut Map<String, Value>, finding: Finding, now: Timestamp) {
    match finding {
        Finding::Status(checked) => {
            let before = properties.remove("status").unwrap_or_default();
            properties.insert("previous_status".into(), before);
            properties.insert("status".into(), shown(checked, now));
        }
        Finding::Drift { related, checked } => {
            let shown = shown(checked, now);
            let Some(related) = related else {
                properties.insert("configuration_drift".into(), shown);
                return;
            };
            let side = match related.is_target {
                true => "source_relationships_configuration_drift",
                false => "target_relationships_configuration_drift",
            };
            let of_others = properties.entry(side).or_insert_with(|| json!({}));
            if !of_others.is_object() {
                *of_others = json!({});
            }
            if let Value::Object(of_others) = of_others {
                of_others.insert(related.instance, shown);
            }
        }
        Finding::Healed => {
            let mut status = match properties.remove("status") {
                Some(Value::Object(status)) => status,
                _ => Map::new(),
            };
            status.insert("ok".into(), true.into());
            status.insert("task".into(), Value::Null);
            status.insert("healed".into(), true.into());
            properties.insert("status".into(), status.into());
        }
    }
}

fn shown(checked: Checked, now: Timestamp) -> Value {
    json!({
        "ok": checked.ok,
        "timestamp": now,
        "task": checked.task,
        "result": checked.result,
    })
}
