//! Refusals in Keystone's words.
//!
//! Clients show these texts to people and compare some of them. What Keystone repeats of a request is
//! repeated too, but for values of fields: one of those is a password.

use windlass_core::db::Db;
use windlass_core::{Context, Error, Kind, Permission, Result, Scope};

/// 400: something is not there.
pub fn expecting(attribute: &str, target: &str) -> Error {
    Error::bad_parameters(format!(
        "Expecting to find {attribute} in {target}. The server could not comply with the request since \
         it is either malformed or otherwise incorrect. The client is assumed to be in error."
    ))
}

/// 400: a field that is not as it should be; its place in the body is `path`.
pub fn invalid(path: &str, what: &str) -> Error {
    Error::bad_parameters(match path {
        "" => what.to_owned(),
        _ => format!("Invalid input for field '{path}': {what}"),
    })
}

/// 404 for an id that nothing of a kind has.
pub fn could_not_find(kind: &str, id: &str) -> Error {
    Error::new(Kind::NotFound, format!("Could not find {kind}: {id}."))
}

/// 404 for a token that does not count, whatever the reason.
pub fn not_valid() -> Error {
    Error::new(Kind::NotFound, "Failed to validate token")
}

/// 403: an action by the name that Keystone's policies have for it.
pub fn forbidden(action: &str) -> Error {
    Error::forbidden(format!(
        "You are not authorized to perform the requested action: {action}."
    ))
}

/// Demands a permission for what belongs to no project.
///
/// # Errors
/// 401, and 403 naming the action.
pub fn demand(ctx: &Context<impl Db>, permission: Permission, action: &str) -> Result<Scope> {
    (ctx.allow_anywhere(permission)).map_err(|error| in_words(error, action))
}

/// What every logged-in caller may do.
///
/// # Errors
/// 401, and 403 for one who names a tenant that there is not.
pub fn demand_login(ctx: &Context<impl Db>, action: &str) -> Result<Scope> {
    ctx.allow_everybody()
        .map_err(|error| in_words(error, action))
}

fn in_words(error: Error, action: &str) -> Error {
    match error.kind() {
        Kind::Forbidden => forbidden(action),
        _ => error,
    }
}
