//! `/metrics` of Conductor and `/metrics-overview`: what clients measured, and what executions tell.

use serde_json::json;
use windlass_core::db::{Db, KeptDb};
use windlass_core::{Body, Context, Permission, Response, Result, Timestamp, ids};
use windlass_store::metrics::{self, METRICS, Measured, Span};

/// `GET /metrics`: the tenant's, or the one that `id` names.
pub async fn list(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow(Permission::MetricsList)?;
    let mut query = ctx.list_query(&METRICS, &["id"])?;
    if let Some(id) = ctx.request.query_value("id") {
        query.and(metrics::WITH_ID, metrics::with_id(id));
    }
    ctx.page(&METRICS, &scope, &query).await
}

/// `PUT /metrics/{metric_id}`: keeps what somebody measured.
pub async fn create(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::MetricsCreate)?;
    let id = ctx.path("metric_id");
    ids::check_characters("metric_id", id)?;
    let body = Body::of(ctx)?;
    let text = |name: &str| body.required_text(name).map(str::to_owned);
    let new = Measured {
        id: id.to_owned(),
        blueprint_id: text("blueprint_id")?,
        deployment_id: text("deployment_id")?,
        execution_id: text("execution_id")?,
        timestamp: Timestamp::parse("timestamp", body.required_text("timestamp")?)?,
        name: text("name")?,
        value: text("value")?,
    };
    ctx.include(&METRICS)?;
    ctx.db
        .transaction(async |tx| metrics::insert(tx, &scope, &new).await)
        .await?;
    let of_id = metrics::with_id(id);
    let mut shown = ctx
        .one(&METRICS, &scope, id, metrics::WITH_ID, of_id)
        .await?;
    shown.status = 201;
    Ok(shown)
}

/// `GET /metrics-overview`: how long the tenant's workflows and tasks took, and how often they succeeded.
pub async fn overview(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::MetricsList)?;
    let value = |name: &str| {
        let text = ctx.request.query_value(name);
        text.filter(|text| !text.is_empty())
    };
    let time = |name: &str| {
        value(name)
            .map(|text| Timestamp::parse(name, text))
            .transpose()
    };
    let span = Span {
        since: time("since")?,
        until: time("until")?,
        workflow_id: value("workflow_id").map(str::to_owned),
        task_name: value("task_name").map(str::to_owned),
    };
    let items = metrics::overview(&ctx.db, &scope, &span).await?;
    ctx.ok(json!({ "items": items, "metadata": { "pagination": {} } }))
}
