//! What an operation is called, what it takes beside its body, and who may.

use super::shapes;
use crate::endpoints::{Endpoint, Permission, Touches};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What every list of Conductor understands.
const LIST: [(&str, &str, &str); 7] = [
    ("_size", "integer", "How many items at most"),
    (
        "_offset",
        "integer",
        "How many items are left out before the first",
    ),
    (
        "_sort",
        "string",
        "A field to order by, `-` before it for the other direction; may be repeated",
    ),
    (
        "_include",
        "string",
        "The fields of each item, separated by commas; all without it",
    ),
    (
        "_search",
        "string",
        "What an item's name contains, for resources that are searched",
    ),
    (
        "_get_all_results",
        "boolean",
        "All items instead of one page",
    ),
    (
        "_total",
        "boolean",
        "`false` leaves out how many there are: `total` and `filtered` are null, and nothing is counted for them",
    ),
];

/// Parameters that many operations share.
pub(super) fn common_parameters() -> Value {
    let mut parameters = json!({
        "Tenant": {
            "name": "Tenant", "in": "header", "schema": { "type": "string" },
            "description": "The tenant whose things the call is about",
        },
        "_all_tenants": {
            "name": "_all_tenants", "in": "query", "schema": { "type": "boolean" },
            "description": "What belongs to any tenant of the caller's",
        },
    });
    for (name, kind, description) in LIST {
        parameters[name] = json!({
            "name": name, "in": "query", "schema": { "type": kind }, "description": description,
        });
    }
    parameters
}

/// How callers say who they are.
pub(super) fn security_schemes() -> Value {
    let header = |name: &str, description: &str| json!({ "type": "apiKey", "in": "header", "name": name, "description": description });
    json!({
        "basic": { "type": "http", "scheme": "basic" },
        "token": header("Authentication-Token", "A token of `POST /api/v3.1/tokens`"),
        "bearer": { "type": "http", "scheme": "bearer", "description": "The same token" },
        "session": header("X-Auth-Token", "A token of `POST /v3/auth/tokens`"),
        "monitor": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" },
        "tick": header("X-Windlass-Tick-Token", "The application variable `tick_token`"),
    })
}

/// Which of them a row takes; null for those of the whole document.
pub(super) fn security(row: &Endpoint) -> Value {
    match row.family.as_str() {
        "adjutant" | "keystone" => json!([{ "session": [] }, { "token": [] }, { "basic": [] }]),
        "opsera" => json!([{ "bearer": [] }]),
        "status" => json!([{ "monitor": [] }, { "bearer": [] }, { "basic": [] }]),
        "internal" => json!([{ "tick": [] }]),
        _ => Value::Null,
    }
}

/// One line: `List deployment groups`; method and path for families whose operations have no names.
pub(super) fn summary(row: &Endpoint) -> String {
    let words = |text: &str| text.replace('_', " ");
    match row.id.split_once('.') {
        Some((resource, operation)) if operation.parse::<u16>().is_err() => {
            let mut verb = words(operation);
            if let Some(first) = verb.get_mut(..1) {
                first.make_ascii_uppercase();
            }
            format!("{verb}: {}", words(resource))
        }
        _ => {
            let path = row.path.split('?').next().unwrap_or_default();
            format!("{} {path}", row.method)
        }
    }
}

/// Who may call it, in a sentence.
pub(super) fn who_may(row: &Endpoint) -> String {
    match &row.permission {
        Permission::Public => "Everybody may.".to_owned(),
        Permission::Login => "Whoever has logged in may.".to_owned(),
        Permission::Administrator => "Administrators may.".to_owned(),
        Permission::Own(rule) => format!("Needs: {rule}."),
        Permission::Held {
            names,
            or_execution,
            or_oneself,
            during_update,
        } => {
            let mut text = format!("Needs the permission `{}`", names.join("` and `"));
            if *or_execution {
                text.push_str(", or the token of a running execution");
            }
            if *or_oneself {
                text.push_str(", or to be about oneself");
            }
            if *during_update {
                text.push_str(", during an update of the deployment");
            }
            text + "."
        }
    }
}

/// Parameters of the path, of the query and of the header.
pub(super) fn parameters(row: &Endpoint, template: &str) -> Vec<Value> {
    let mut parameters: Vec<Value> = names_in(template)
        .map(|name| {
            json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string", "minLength": 1 } })
        })
        .collect();
    let shared = |name: &str| json!({ "$ref": format!("#/components/parameters/{name}") });
    if row.family == "conductor" && matches!(row.touches, Touches::Tenant | Touches::Tenants) {
        parameters.push(shared("Tenant"));
    }
    let mut known = BTreeSet::new();
    if let Some(resource) = shapes::listed(row) {
        if row.touches == Touches::Tenants {
            parameters.push(shared("_all_tenants"));
        }
        for (name, ..) in LIST {
            parameters.push(shared(name));
        }
        for field in resource.fields {
            known.insert(field.name);
            parameters.push(json!({
                "name": field.name, "in": "query", "schema": { "type": "string" },
                "description": "Items whose field has this value; may be repeated",
            }));
        }
    }
    let query = row.path.split_once('?').map_or("", |(_, query)| query);
    for (name, _) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        if known.insert(name) {
            parameters.push(json!({ "name": name, "in": "query", "schema": { "type": "string" } }));
        }
    }
    parameters
}

/// The names in braces of a path.
fn names_in(template: &str) -> impl Iterator<Item = &str> {
    template
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}
