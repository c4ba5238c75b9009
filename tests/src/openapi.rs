//! The description of the whole application as OpenAPI 3.1, made from what stands elsewhere: the table of
//! endpoints (`endpoints.tsv`) says what can be called by whom with which body, the resources of the store
//! say what an answer looks like. `docs/openapi.json` is what comes out; a test compares.

mod names;
mod responses;
mod shapes;

use crate::endpoints::{Endpoint, Permission};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The file in the repository, relative to its root.
pub const FILE: &str = "docs/openapi.json";

/// Each family, and what its part of the document says about it.
const FAMILIES: [(&str, &str); 6] = [
    (
        "conductor",
        "Conductor: what clients of Cloudify Manager's REST API v3.1 call",
    ),
    (
        "adjutant",
        "Adjutant: approval tasks, tokens, notifications, and the pages of accounts",
    ),
    (
        "keystone",
        "Keystone v3, as much of it as clients need to log in and look around",
    ),
    (
        "opsera",
        "Opsera v1 (pipelines, tools, logs) and v2 (people, projects, organisations)",
    ),
    (
        "status",
        "Status Dashboard: what monitors report, and the public page",
    ),
    (
        "internal",
        "What operators and the application itself call with the tick token",
    ),
];

/// The document, of every endpoint that a component serves.
pub fn document() -> Value {
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    // Rows that differ in the names of parameters or in the query only are one path.
    let mut templates: BTreeMap<String, String> = BTreeMap::new();
    for row in Endpoint::served() {
        let (method, route) = row.route();
        let path = row.path.split('?').next().unwrap_or_default();
        let template = templates.entry(route).or_insert_with(|| path.to_owned());
        let operations = paths.entry(template.clone()).or_default();
        let operation = operation(&row, template);
        match operations.get_mut(&method.to_lowercase()) {
            Some(known) => add(known, &operation),
            None => {
                operations.insert(method.to_lowercase(), operation);
            }
        }
    }
    let tags = FAMILIES.map(|(name, text)| json!({ "name": name, "description": text }));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Windlass",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "A control plane that speaks to the clients of five families of APIs.",
            "license": { "name": env!("CARGO_PKG_LICENSE") },
        },
        "tags": tags,
        "security": [{ "token": [] }, { "basic": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": names::security_schemes(),
            "parameters": names::common_parameters(),
            "schemas": shapes::schemas(),
            "responses": responses::refusals(),
        },
    })
}

/// The document as the file holds it.
pub fn text() -> String {
    let text = serde_json::to_string_pretty(&document()).expect("a value is JSON");
    text + "\n"
}

/// What one row says, as an operation below a path.
fn operation(row: &Endpoint, template: &str) -> Value {
    let mut operation = json!({
        "operationId": row.id,
        "tags": [row.family],
        "summary": names::summary(row),
        "description": names::who_may(row),
        "responses": responses::of(row),
    });
    let parameters = names::parameters(row, template);
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if let Some(body) = shapes::request(row) {
        operation["requestBody"] = body;
    }
    match names::security(row) {
        Value::Null => {}
        security => operation["security"] = security,
    }
    if matches!(row.permission, Permission::Public) {
        operation["security"] = json!([]);
    }
    operation
}

/// Adds the parameters and answers of a row that asks the same with another query or body.
fn add(known: &mut Value, more: &Value) {
    for (status, answer) in more["responses"].as_object().into_iter().flatten() {
        let answers = known["responses"].as_object_mut();
        answers.map(|answers| answers.entry(status).or_insert_with(|| answer.clone()));
    }
    let has = |known: &Value, parameter: &Value| {
        let mut all = known["parameters"].as_array().into_iter().flatten();
        all.any(|one| one["name"] == parameter["name"] && one["$ref"] == parameter["$ref"])
    };
    let parameters = more["parameters"].as_array().cloned().unwrap_or_default();
    for parameter in parameters {
        if !has(known, &parameter) {
            match known["parameters"].as_array_mut() {
                Some(all) => all.push(parameter),
                None => known["parameters"] = json!([parameter]),
            }
        }
    }
}
