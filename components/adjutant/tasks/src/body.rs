//! Bodies: JSON objects, in which a null is not the same as nothing.

use serde_json::{Map, Value};
use windlass_core::db::Db;
use windlass_core::{Context, Error, Kind, Response, Result};

/// As the original spells it.
const NOT_AN_OBJECT: &str = "Improperly formated json. Should be a key-value object.";

/// The object in a body; empty when there is none.
///
/// # Errors
/// 415 and 400 for what is no JSON, 400 for what is no object.
pub fn object(ctx: &Context<impl Db>) -> Result<Map<String, Value>> {
    if ctx.request.body.is_empty() {
        return Ok(Map::new());
    }
    match ctx.json()? {
        Value::Object(object) => Ok(object),
        _ => Err(Error::bad_parameters(NOT_AN_OBJECT)),
    }
}

/// The same where whatever is wrong with it means that nothing was said.
///
/// # Errors
/// 415 and 413 only.
pub fn object_or_nothing(ctx: &Context<impl Db>) -> Result<Map<String, Value>> {
    match object(ctx) {
        Err(error) if error.kind() == Kind::BadParameters => Ok(Map::new()),
        read => read,
    }
}

/// The answer to what was done: what there is to say about it.
pub fn notes(status: u16, text: &str) -> Result<Response> {
    Response::json(status, &serde_json::json!({ "notes": [text] }))
}

/// A refusal that the original's clients know without the key `errors`.
pub fn bare_refusal(name: &str, text: &str) -> Result<Response> {
    Response::json(400, &serde_json::json!({ name: [text] }))
}
