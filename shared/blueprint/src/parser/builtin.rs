//! The built-in types in the form that an older version of the language knows.

use super::version::Version;
use crate::yaml::{Data, Node};
use serde_json::Value;

/// Removes what `version` of the language does not have.
pub(super) fn fit(builtin: &mut Node, version: Version) {
    if version >= Version::NEWEST {
        return;
    }
    let Some(workflows) = entry(builtin, "workflows") else {
        return;
    };
    let Data::Map(workflows) = &mut workflows.data else {
        return;
    };
    for (name, workflow) in workflows {
        if version < Version(4) {
            remove(workflow, "availability_rules");
        }
        let Some(Data::Map(parameters)) = entry(workflow, "parameters").map(|node| &mut node.data)
        else {
            continue;
        };
        for (parameter, schema) in parameters {
            if version < Version(4) {
                remove(schema, "item_type");
            }
            if entry(schema, "type").is_some_and(|kind| kind.as_str() == Some("operation_name"))
                && let Some(kind) = entry(schema, "type")
            {
                kind.data = Data::Scalar(Value::from("string"));
            }
            if name == "check_drift"
                && parameter == "run_by_dependency_order"
                && let Some(default) = entry(schema, "default")
            {
                default.data = Data::Scalar(Value::Bool(false));
            }
        }
    }
}

fn entry<'a>(node: &'a mut Node, name: &str) -> Option<&'a mut Node> {
    match &mut node.data {
        Data::Map(map) => map.get_mut(name),
        _ => None,
    }
}

fn remove(node: &mut Node, name: &str) {
    if let Data::Map(map) = &mut node.data {
        map.shift_remove(name);
    }
}
