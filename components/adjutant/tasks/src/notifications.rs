//! `/notifications` and `/notifications/{uuid}`: what needs an administrator.

use crate::body::{self, bare_refusal, notes};
use crate::{gate, paging};
use serde_json::Value;
use windlass_adjutant::filters::{Filter, Root};
use windlass_adjutant::notifications;
use windlass_core::db::Db;
use windlass_core::{Context, Response, Result};

/// `GET /notifications`: those that nobody has acknowledged, newest first; all, when the filter says
/// which of them.
pub async fn list(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = gate::admin(ctx)?;
    let mut filter = Filter::parse(Root::Notifications, ctx.request.query_value("filters"))?;
    if !filter.mentions("acknowledged") {
        filter.only_unacknowledged();
    }
    let listed = paging::read(&ctx.request, "notifications_per_page")?;
    let page = notifications::list(&ctx.db, &asker.scope, &filter, listed).await?;
    Ok(Response::json_text(200, page.envelope("notifications")))
}

/// `GET /notifications/{uuid}`: one of them. It changes nothing.
pub async fn get(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = gate::admin(ctx)?;
    let found = notifications::show(&ctx.db, &asker.scope, ctx.path("uuid")).await?;
    Ok(Response::json_text(200, found))
}

/// `POST /notifications/{uuid}`: somebody has seen to it.
pub async fn acknowledge(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = gate::admin(ctx)?;
    let uuid = ctx.path("uuid");
    if notifications::is_acknowledged(&ctx.db, &asker.scope, uuid).await? {
        return notes(200, "Notification already acknowledged.");
    }
    let body = body::object_or_nothing(ctx)?;
    if body.get("acknowledged") != Some(&Value::Bool(true)) {
        return bare_refusal("acknowledged", "this field is required.");
    }
    ctx.db
        .transaction(async |tx| {
            notifications::acknowledge(tx, &asker.scope, &[uuid.to_owned()]).await
        })
        .await?;
    notes(200, "Notification acknowledged.")
}

/// `POST /notifications`: somebody has seen to several. Ids that are not there are passed over.
pub async fn acknowledge_many(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = gate::admin(ctx)?;
    let body = body::object_or_nothing(ctx)?;
    let listed = body.get("notifications").and_then(Value::as_array);
    let uuids: Option<Vec<String>> = listed.filter(|list| !list.is_empty()).map(|list| {
        list.iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    });
    let Some(uuids) = uuids else {
        let text = "this field is required and needs to be a list.";
        return bare_refusal("notifications", text);
    };
    ctx.db
        .transaction(async |tx| notifications::acknowledge(tx, &asker.scope, &uuids).await)
        .await?;
    notes(200, "Notifications acknowledged.")
}
