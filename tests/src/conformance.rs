//! Whether answers are what the description of the application promises: every answer that a story sees is
//! compared with it.

use crate::http::{Answer, Outgoing};
use crate::openapi;
use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The name of the document among the validator's.
const DOCUMENT: &str = "openapi.json";

static PROMISES: LazyLock<Promises> = LazyLock::new(Promises::read);

/// Demands of an answer that its status is documented for its route, and that its body follows the schema.
///
/// # Panics
/// If it is not so. Calls of what no route takes are not looked at.
pub(crate) fn check(request: &Outgoing, answer: &Answer) {
    if let Err(problem) = PROMISES.check(request, answer) {
        panic!("{} {}: {problem}", request.method, request.path);
    }
}

struct Promises {
    document: Value,
    /// The template of each path whose parts are the key; a parameter is an empty part.
    templates: BTreeMap<usize, Vec<(Vec<String>, String)>>,
    schemas: Schemas,
    /// The schema of each answer that has one, by its place in the document.
    validators: BTreeMap<String, SchemaIndex>,
}

impl Promises {
    fn read() -> Self {
        let document = openapi::document();
        let mut templates: BTreeMap<usize, Vec<_>> = BTreeMap::new();
        for path in document["paths"]
            .as_object()
            .into_iter()
            .flat_map(|paths| paths.keys())
        {
            let parts = parts(path).map(|part| if part.starts_with('{') { "" } else { part });
            let parts: Vec<String> = parts.map(str::to_owned).collect();
            templates
                .entry(parts.len())
                .or_default()
                .push((parts, path.clone()));
        }
        // What is written out goes before a parameter, as routers have it.
        for of_length in templates.values_mut() {
            of_length.sort_by(|(one, _), (other, _)| other.cmp(one));
        }
        let mut compiler = Compiler::new();
        let added = compiler.add_resource(DOCUMENT, document.clone());
        added.expect("the document is JSON");
        let mut schemas = Schemas::new();
        let mut validators = BTreeMap::new();
        for (path, operations) in document["paths"].as_object().into_iter().flatten() {
            for (method, operation) in operations.as_object().into_iter().flatten() {
                for (status, promised) in operation["responses"].as_object().into_iter().flatten() {
                    if promised["content"]["application/json"].is_object() {
                        let place = place(path, method, status);
                        let schema = compiler.compile(&format!("{DOCUMENT}#{place}"), &mut schemas);
                        let schema = schema.unwrap_or_else(|error| panic!("{place}: {error}"));
                        validators.insert(place, schema);
                    }
                }
            }
        }
        Self {
            document,
            templates,
            schemas,
            validators,
        }
    }

    fn check(&self, request: &Outgoing, answer: &Answer) -> Result<(), String> {
        let Some(template) = self.template(&request.path) else {
            return Ok(());
        };
        let method = request.method.to_lowercase();
        let operation = &self.document["paths"][template][&method];
        if operation.is_null() {
            return Ok(());
        }
        let status = answer.status.to_string();
        let promised = &operation["responses"][&status];
        // What a story sees whose disk is made to fail; nothing promises it.
        if answer.status == 500 {
            return Ok(());
        }
        if promised.is_null() {
            let body = String::from_utf8_lossy(&answer.body);
            let id = &operation["operationId"];
            return Err(format!("{id} does not promise {status}: {body:.500}"));
        }
        let Some(schema) = self.validators.get(&place(template, &method, &status)) else {
            return Ok(());
        };
        let kind = answer.header("content-type").unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default();
        if kind != "application/json" && promised["content"][kind].is_object() {
            return Ok(());
        }
        let body =
            serde_json::from_slice(&answer.body).map_err(|error| format!("no JSON: {error}"))?;
        self.schemas
            .validate(&body, *schema)
            .map_err(|error| format!("{error:#}"))
    }

    fn template(&self, path: &str) -> Option<&str> {
        let path = path.split('?').next().unwrap_or_default();
        let parts: Vec<&str> = parts(path).collect();
        let known = self.templates.get(&parts.len())?;
        let fits = |template: &[String]| {
            let mut pairs = template.iter().zip(&parts);
            pairs.all(|(known, part)| known.is_empty() || known == part)
        };
        known
            .iter()
            .find(|(template, _)| fits(template))
            .map(|(_, path)| path.as_str())
    }
}

/// Where the document has the schema of an answer, as a pointer in a URL.
fn place(path: &str, method: &str, status: &str) -> String {
    let path = path.replace('~', "~0").replace('/', "~1");
    let path = path.replace('{', "%7B").replace('}', "%7D");
    format!("/paths/{path}/{method}/responses/{status}/content/application~1json/schema")
}

/// The parts of a path; a slash at its end counts for nothing.
fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.trim_matches('/').split('/')
}
