//! `POST /data/import/{kind}`: a file of records, of which all are stored or none.

use crate::gate::writer;
use serde_json::json;
use windlass_core::db::Db;
use windlass_core::{Context, Error, Kind, Response, Result};
use windlass_opsera::directory::import::{self, Format, Records};

/// Takes CSV (`text/csv`) or JSON lines (`application/x-ndjson`). Answers how many records there are more.
pub async fn import(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = writer(ctx)?;
    let path = ctx.path("kind");
    let kind = Records::named(path).ok_or_else(|| {
        Error::new(
            Kind::NotFound,
            "Only people, projects, mappings and org-hierarchy are imported",
        )
    })?;
    let content_type = ctx.request.get_header("content-type").unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let format = Format::named(&essence.to_ascii_lowercase()).ok_or_else(|| {
        let text = "Content type must be text/csv or application/x-ndjson";
        Error::new(Kind::UnsupportedContentType, text)
    })?;
    let lines = import::read(format, &ctx.request.body)?;
    let count = ctx
        .db
        .transaction(async |tx| import::store(tx, &asker, kind, lines).await)
        .await?;
    ctx.ok(json!({ "status": "success", "message": format!("{count} records were stored"), "count": count }))
}
