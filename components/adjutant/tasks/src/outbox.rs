//! `/outbox` and `/outbox/{uuid}`: what was mailed to whom. Ours: the original has none.

use crate::{gate, paging};
use windlass_adjutant::filters::{Filter, Root};
use windlass_adjutant::mails;
use windlass_core::db::Db;
use windlass_core::{Context, Response, Result};

/// `GET /outbox`: mails of the last month, newest first: to whom, when, after how many tries, and what was
/// wrong.
pub async fn list(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = gate::admin(ctx)?;
    let filter = Filter::parse(Root::Mails, ctx.request.query_value("filters"))?;
    let listed = paging::read(&ctx.request, "mails_per_page")?;
    let page = mails::list(&ctx.db, &asker.scope, &filter, listed).await?;
    Ok(Response::json_text(200, page.envelope("mails")))
}

/// `GET /outbox/{uuid}`: one of them, with what it says but for its token.
pub async fn get(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = gate::admin(ctx)?;
    ctx.ok(mails::show(&ctx.db, &asker.scope, ctx.path("uuid")).await?)
}
