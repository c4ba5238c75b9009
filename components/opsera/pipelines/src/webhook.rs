//! Webhooks: their secrets, and the deliveries of GitHub and GitLab.

use crate::body::{named, told};
use crate::gate;
use serde_json::json;
use windlass_core::db::Db;
use windlass_core::{Context, Response, Result, Timestamp, platform};
use windlass_opsera::pipelines::webhook::{self, Taken};

/// `POST /pipeline/webhook`: a new secret, which is shown this once; with `"enabled": false` none.
pub async fn set(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = gate::asker(ctx)?;
    let (body, id) = named(ctx)?;
    if body.boolean("enabled")? == Some(false) {
        ctx.db
            .transaction(async |tx| webhook::disable(tx, &asker, &id).await)
            .await?;
        return told(ctx, "The pipeline takes no webhooks any more.");
    }
    let secret = ctx
        .db
        .transaction(async |tx| webhook::enable(tx, &asker, &id).await)
        .await?;
    ctx.ok(json!({
        "status": "success", "message": "The secret is not shown again.",
        "path": format!("/api/v1/pipeline/webhook/{id}"), "secret": secret,
    }))
}

/// `POST /pipeline/webhook/{pipeline_id}`: a delivery. The signature is all that a sender has.
pub async fn take(ctx: &Context<impl Db>) -> Result<Response> {
    let id = ctx.path("pipeline_id");
    match webhook::take(&ctx.db, id, &ctx.request, Timestamp::now()).await? {
        Taken::Run(number) => {
            platform::nudge();
            let message = format!("Run pipeline request submitted successfully for ({id})");
            ctx.ok(json!({ "status": "executed", "message": message, "runCount": number }))
        }
        // Nothing for the sender to try again.
        Taken::Nothing(why) => ctx.ok(json!({ "status": "ignored", "message": why })),
    }
}
