//! What values of a secret must be like: JSON schema.
//!
//! References lead to places in the same schema only: nothing is fetched for one.

use boon::{Compiler, Draft, Schemas, UrlLoader};
use serde_json::Value;
use windlass_core::{Error, Result};

/// The name of a schema for the validator, which never asks anybody about it.
const PLACE: &str = "secret:///schema";

/// Answers no reference.
struct NoLoader;

impl UrlLoader for NoLoader {
    fn load(&self, _url: &str) -> std::result::Result<Value, Box<dyn std::error::Error>> {
        Err("references lead to places in the same schema only".into())
    }
}

/// Refuses a value that its schema does not allow. A schema that names no version is one of draft 7.
///
/// # Errors
/// 400 for what is no schema, 409 for the value. The texts hold nothing of the value.
pub fn check(schema: &Value, value: &Value) -> Result<()> {
    let mut schemas = Schemas::new();
    let mut compiler = Compiler::new();
    compiler.set_default_draft(Draft::V7);
    compiler.use_loader(Box::new(NoLoader));
    let invalid =
        |why: String| Error::bad_parameters(format!("Invalid JSON schema: {}", first_line(&why)));
    compiler
        .add_resource(PLACE, schema.clone())
        .map_err(|error| invalid(error.to_string()))?;
    let index = compiler
        .compile(PLACE, &mut schemas)
        .map_err(|error| invalid(format!("{error:#}")))?;
    schemas.validate(value, index).map_err(|error| {
        Error::conflict(format!("Error validating secret value: {}", reason(&error)))
    })
}

/// Where a value breaks which rule: the innermost reason.
fn reason(error: &boon::ValidationError<'_, '_>) -> String {
    let mut innermost = error;
    while let Some(cause) = innermost.causes.first() {
        innermost = cause;
    }
    let rule = innermost.schema_url.rsplit_once('#');
    let place = innermost.instance_location.to_string();
    let place = if place.is_empty() { "/" } else { &place };
    let rule = rule.map_or("", |(_, rule)| rule);
    let rule = if rule.is_empty() { "/" } else { rule };
    format!(
        "at `{place}`, by the schema's `{rule}`: {}",
        keyword(&innermost.kind)
    )
}

/// What a value lacks, as far as that can be said without it.
fn keyword(kind: &boon::ErrorKind<'_, '_>) -> String {
    use boon::ErrorKind;
    match kind {
        ErrorKind::Type { got, want } => {
            let want: Vec<String> = want.iter().map(|one| one.to_string()).collect();
            format!("want {}, but got {got}", want.join(" or "))
        }
        ErrorKind::Required { want } => format!("missing properties {}", want.join(", ")),
        ErrorKind::MinLength { got, want } => format!("length must be >={want}, but got {got}"),
        ErrorKind::MaxLength { got, want } => format!("length must be <={want}, but got {got}"),
        ErrorKind::AdditionalProperties { got } => {
            format!("additional properties {} are not allowed", got.len())
        }
        ErrorKind::Enum { .. } => "it is none of the allowed values".into(),
        ErrorKind::Const { .. } => "it is not the one allowed value".into(),
        ErrorKind::Pattern { want, .. } => format!("it does not match pattern {want}"),
        ErrorKind::Format { want, .. } => format!("it is not a valid {want}"),
        ErrorKind::Minimum { want, .. } => format!("must be >={want}"),
        ErrorKind::Maximum { want, .. } => format!("must be <={want}"),
        ErrorKind::MultipleOf { want, .. } => format!("must be a multiple of {want}"),
        _ => "it is not allowed".into(),
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_what_their_schema_says() {
        for (schema, value, refusal) in [
            (json!({ "type": "integer" }), json!(7), None),
            (
                json!({ "type": "integer" }),
                json!("hunter2"),
                Some((
                    409,
                    "at `/`, by the schema's `/`: want integer, but got string",
                )),
            ),
            (
                json!({ "type": "object", "required": ["user"], "properties": { "age": { "minimum": 3 } } }),
                json!({ "user": "ann", "age": 2 }),
                Some((
                    409,
                    "at `/age`, by the schema's `/properties/age`: must be >=3",
                )),
            ),
            (
                json!({ "enum": ["a"] }),
                json!("hunter2"),
                Some((409, "none of the allowed")),
            ),
            (
                json!({ "pattern": "^[a-z]+$" }),
                json!("hunter2"),
                Some((409, "pattern ^[a-z]+$")),
            ),
            (json!({ "const": 1 }), json!(1.0), None),
            (json!({ "multipleOf": 0.5 }), json!(1.5), None),
            (
                json!({ "$ref": "#/definitions/a", "definitions": { "a": { "type": "null" } } }),
                json!(null),
                None,
            ),
            (
                json!({ "type": "wrong" }),
                json!(1),
                Some((400, "Invalid JSON schema: ")),
            ),
            (
                json!({ "$ref": "https://example.com/s" }),
                json!(1),
                Some((400, "Invalid JSON schema: ")),
            ),
            (
                json!({ "$ref": "file:///etc/passwd" }),
                json!(1),
                Some((400, "Invalid JSON schema: ")),
            ),
            (
                json!({ "$ref": "#/nowhere" }),
                json!(1),
                Some((400, "Invalid JSON schema: ")),
            ),
            (
                json!({ "pattern": "(" }),
                json!("a"),
                Some((400, "Invalid JSON schema: ")),
            ),
            (
                json!({ "$schema": "https://json-schema.org/draft/2020-12/schema", "prefixItems": [{ "type": "null" }] }),
                json!([1]),
                Some((409, "at `/0`")),
            ),
        ] {
            match (check(&schema, &value), refusal) {
                (Ok(()), None) => {}
                (Err(error), Some((status, text))) => {
                    assert_eq!(error.kind().wire().0, status, "{schema}: {error:?}");
                    assert!(error.message().contains(text), "{schema}: {error:?}");
                    assert!(!error.message().contains("hunter2"), "{error:?}");
                }
                (got, _) => panic!("{schema} {value}: {got:?}"),
            }
        }
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let schema = json!({ "$ref": "#" });
        let _ = check(&schema, &json!(1));
        let tree = json!({ "properties": { "a": { "$ref": "#" } }, "maxProperties": 1 });
        check(&tree, &json!({ "a": { "a": { "a": {} } } })).unwrap();
    }
}
