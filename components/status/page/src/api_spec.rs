//! `GET /api-spec.json`: the family's endpoints as an OpenAPI document.

use windlass_core::db::Db;
use windlass_core::{Context, Response, Result};

/// The document. A test compares it with the routes of the components.
const DOCUMENT: &str = include_str!("api_spec.json");

/// `GET /api-spec.json`: what there is to call, for people and for generators of clients.
pub async fn get(_: &Context<impl Db>) -> Result<Response> {
    Ok(Response::json_text(200, DOCUMENT))
}
