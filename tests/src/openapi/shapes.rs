//! What bodies and answers look like: answers from the fields of resources, bodies from the row that has a
//! valid one with every field that the endpoint knows.

use crate::endpoints::Endpoint;
use serde_json::{Map, Value, json};
use windlass_core::list::{Field, FieldKind, Resource};
use windlass_identity::tokens::TOKENS;
use windlass_snapshot::snapshots::SNAPSHOTS;
use windlass_store as store;

/// What the lists of each resource hold, by what comes before the operation in the ids of the table.
fn resources() -> [(&'static str, &'static Resource); 30] {
    [
        ("agents", &store::agents::AGENTS),
        ("audit", &store::audit::AUDIT_LOG),
        ("blueprints", &store::blueprints::BLUEPRINTS),
        ("brokers", &store::brokers::BROKERS),
        ("config", &store::config::SETTINGS),
        (
            "deployment_groups",
            &store::deployment_groups::DEPLOYMENT_GROUPS,
        ),
        (
            "deployment_updates",
            &store::deployment_updates::DEPLOYMENT_UPDATE,
        ),
        ("deployments", &store::deployments::DEPLOYMENT),
        (
            "execution_groups",
            &store::execution_groups::EXECUTION_GROUPS,
        ),
        ("executions", &store::executions::EXECUTIONS),
        (
            "idd",
            &store::inter_deployment_dependencies::INTER_DEPLOYMENT_DEPENDENCIES,
        ),
        ("log_bundles", &store::log_bundles::LOG_BUNDLES),
        ("managers", &store::managers::MANAGERS),
        ("metrics", &store::metrics::METRICS),
        (
            "modifications",
            &store::deployment_modifications::DEPLOYMENT_MODIFICATION,
        ),
        ("node_instances", &store::node_instances::NODE_INSTANCE),
        ("nodes", &store::nodes::NODE),
        ("operations", &store::operations::OPERATIONS),
        ("permissions", &store::permissions::PERMISSIONS),
        ("plugins", &store::plugins::PLUGINS),
        ("plugins_updates", &store::plugins_updates::PLUGINS_UPDATE),
        ("schedules", &store::execution_schedules::SCHEDULES),
        ("secrets", &store::secrets::SECRETS),
        (
            "secrets_providers",
            &store::secrets_providers::SECRETS_PROVIDERS,
        ),
        ("sites", &store::sites::SITES),
        ("snapshots", &SNAPSHOTS),
        ("tasks_graphs", &store::tasks_graphs::TASKS_GRAPHS),
        ("tenants", &store::tenants::TENANTS),
        ("tokens", &TOKENS),
        ("user_groups", &store::user_groups::USER_GROUPS),
    ]
}

fn resource(row: &Endpoint) -> Option<&'static Resource> {
    let mut known = resources().into_iter();
    known
        .find(|(name, _)| *name == row.resource())
        .map(|(_, resource)| resource)
}

/// The resource whose page a row answers with.
pub(super) fn listed(row: &Endpoint) -> Option<&'static Resource> {
    let is_list = row
        .id
        .split_once('.')
        .is_some_and(|(_, operation)| operation == "list");
    // Settings have no pages.
    resource(row).filter(|_| is_list && row.resource() != "config")
}

/// The schemas that answers refer to: an item and a page of each resource.
pub(super) fn schemas() -> Value {
    let mut schemas = Map::new();
    for (_, resource) in resources() {
        let fields = resource.fields.iter();
        let properties: Map<String, Value> = fields
            .map(|field| (field.name.to_owned(), of_field(resource, field)))
            .collect();
        let item = json!({ "type": "object", "properties": properties });
        schemas.insert(resource.name.to_owned(), item);
        schemas.insert(page_name(resource), page(resource));
    }
    schemas.into()
}

fn of_field(resource: &Resource, field: &Field) -> Value {
    match field.kind {
        // Encrypted text in the row, which whoever asks gets as what it says.
        _ if resource.name == "SecretsProvider" && field.name == "connection_parameters" => {
            json!({})
        }
        FieldKind::Text => json!({ "type": ["string", "null"] }),
        FieldKind::Integer => json!({ "type": ["integer", "null"] }),
        FieldKind::Real => json!({ "type": ["number", "null"] }),
        FieldKind::Boolean => json!({ "type": ["boolean", "null"] }),
        FieldKind::Json => json!({}),
    }
}

fn page_name(resource: &Resource) -> String {
    format!("{}Page", resource.name)
}

fn page(resource: &Resource) -> Value {
    let number = json!({ "type": "integer", "minimum": 0 });
    json!({
        "type": "object",
        "required": ["items", "metadata"],
        "properties": {
            "items": { "type": "array", "items": { "$ref": reference(resource.name) } },
            "metadata": {
                "type": "object",
                "required": ["pagination"],
                "properties": { "pagination": {
                    "type": "object",
                    "required": ["total", "offset", "size"],
                    "properties": { "total": { "type": ["integer", "null"] }, "offset": number, "size": number },
                } },
            },
        },
    })
}

fn reference(name: &str) -> String {
    format!("#/components/schemas/{name}")
}

/// The content of a successful answer, where it is known.
pub(super) fn answer(row: &Endpoint) -> Option<Value> {
    let name = match listed(row) {
        Some(resource) => page_name(resource),
        None => {
            let is_item = row
                .id
                .split_once('.')
                .is_some_and(|(_, operation)| operation == "get");
            resource(row).filter(|_| is_item)?.name.to_owned()
        }
    };
    Some(json!({ "application/json": { "schema": { "$ref": reference(&name) } } }))
}

/// The body that a row takes, from its valid one.
pub(super) fn request(row: &Endpoint) -> Option<Value> {
    let body = row.filled_body(&|name| name.to_owned())?;
    let body: Value = serde_json::from_str(&body).ok()?;
    let schema = like(&body);
    Some(match row.is_form {
        true => json!({ "content": { "multipart/form-data": { "schema": {
            "type": "object",
            "properties": { "params": schema, "blueprint_archive": { "type": "string", "format": "binary" } },
        } } } }),
        false => {
            json!({ "content": { "application/json": { "schema": schema, "example": body } } })
        }
    })
}

/// The schema of values like this one.
fn like(value: &Value) -> Value {
    match value {
        Value::Null => json!({}),
        Value::Bool(_) => json!({ "type": "boolean" }),
        Value::Number(number) if number.is_f64() => json!({ "type": "number" }),
        Value::Number(_) => json!({ "type": "integer" }),
        Value::String(_) => json!({ "type": "string" }),
        Value::Array(items) => match items.first() {
            Some(first) => json!({ "type": "array", "items": like(first) }),
            None => json!({ "type": "array" }),
        },
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(name, value)| (name.clone(), like(value)));
            json!({ "type": "object", "properties": fields.collect::<Map<_, _>>() })
        }
    }
}
