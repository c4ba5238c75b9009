//! What bodies name, and how Opsera tells what came of an action.

use serde_json::{Map, Value, json};
use windlass_core::db::Db;
use windlass_core::{Body, Context, Error, Response, Result};
use windlass_opsera::body;
use windlass_opsera::pipelines::Refusal;

/// The body, and the pipeline that it names.
///
/// # Errors
/// 400 for a body that is none, or names none.
pub fn named(ctx: &Context<impl Db>) -> Result<(Body, String)> {
    let body = Body::of(ctx)?;
    let id = body::id(&body, "pipelineId")?.to_owned();
    Ok((body, id))
}

/// An object that a body must have.
///
/// # Errors
/// 400 for none, and for anything else.
pub fn object<'b>(body: &'b Body, name: &str) -> Result<&'b Map<String, Value>> {
    body.object(name)?.ok_or_else(|| {
        let text = format!("{name} is missing");
        Error::bad_parameters(text.clone()).field(name, text)
    })
}

/// What is told of something that was done.
pub fn told(ctx: &Context<impl Db>, message: &str) -> Result<Response> {
    ctx.ok(json!({ "status": "success", "message": message }))
}

/// The same, or why it was not done: that is no failure of the request.
pub fn told_or(ctx: &Context<impl Db>, refusal: Refusal, message: &str) -> Result<Response> {
    match refusal {
        None => told(ctx, message),
        Some(why) => ctx.ok(json!({ "status": "failed", "message": why })),
    }
}
