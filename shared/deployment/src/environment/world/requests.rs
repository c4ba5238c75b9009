//! What requests say about an evaluation, and what they are told of one that failed.

use serde_json::{Map, Value};
use windlass_blueprint::functions::Context;
use windlass_blueprint::{Error as Problem, ErrorKind};
use windlass_core::{Error, Kind, Result};

/// The refusal of a value whose functions cannot be evaluated: 404 when they ask about something that
/// does not exist, else of this kind.
pub fn refused(problem: Problem, kind: Kind) -> Error {
    let kind = match problem.kind {
        ErrorKind::NotFound => Kind::NotFound,
        _ => kind,
    };
    Error::new(kind, problem.message)
}

/// The instances that `SELF`, `SOURCE` and `TARGET` are to mean, from a request's `context`.
///
/// # Errors
/// 400 when one of them is no text.
pub fn context(given: &Map<String, Value>) -> Result<Context> {
    let instance = |name: &str| match given.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(id)) => Ok(Some(id.clone())),
        Some(other) => Err(Error::wrong_type(name, "str", other)),
    };
    Ok(Context {
        self_instance: instance("self")?,
        source_instance: instance("source")?,
        target_instance: instance("target")?,
    })
}
