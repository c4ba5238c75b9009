//! Refusals in Keystone's words.
//!
//! Clients show these texts to people and compare some of them. What Keystone repeats of a request is
//! repeated too, but for values of fields: one of those is a password.

use windlass_core::db::Db;
use windlass_core::{Context, Error, Kind, Result, Scope};

/// 403: an action by the name that Keystone's policies have for it.
pub fn forbidden(action: &str) -> Error {
    Error::forbidden(format!(
        "You are not authorized to perform the requested action: {action}."
    ))
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
