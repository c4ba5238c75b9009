//! `/resources`: files that programs read which know the blueprint language themselves.

use windlass_core::db::Db;
use windlass_core::{Context, Error, Kind, Response, Result};

/// `GET /resources/cloudify/types/{name}`: the built-in types, for command lines that look at a blueprint
/// before it is uploaded. Open to everybody, as their parsers send no password.
pub async fn types(ctx: &Context<impl Db>) -> Result<Response> {
    let name = ctx.path("name");
    let types = windlass_blueprint::built_in_file(name).ok_or_else(|| {
        let text = format!("No built-in types are called `{name}`; the newest are `types.yaml`");
        Error::new(Kind::NotFound, text)
    })?;
    // JSON is YAML too, and is written without a library for it.
    let text = serde_json::to_vec_pretty(&types).map_err(Error::internal)?;
    Ok(Response::bytes(200, "application/yaml", text))
}
