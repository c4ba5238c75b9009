//! `/events` and `/incidents`: what happened, happens and will happen.

use crate::fields;
use crate::filter;
use crate::roles;
use windlass_core::db::Db;
use windlass_core::{Context, Response, Result, Timestamp};
use windlass_status::events;

/// The most events of the list without pages.
const WITHOUT_PAGES: i64 = 1000;

/// `GET /events`: one page of the events that the filters leave.
pub async fn list(ctx: &Context<impl Db>) -> Result<Response> {
    let filter = filter::read(&ctx.request)?;
    let pages = filter::pages(&ctx.request)?;
    let now = Timestamp::now();
    let scope = roles::reader(ctx);
    let page = events::list(&ctx.db, &scope, &filter, pages.size, pages.offset(), now).await?;
    let count = page.total / pages.size + i64::from(page.total % pages.size > 0);
    let body = format!(
        r#"{{"data":{},"pagination":{{"pageIndex":{},"recordsPerPage":{},"totalRecords":{},"totalPages":{count}}}}}"#,
        page.items, pages.index, pages.size, page.total
    );
    Ok(Response::json_text(200, body))
}

/// `GET /incidents`: the same without pages, for clients from before there were any.
pub async fn list_all(ctx: &Context<impl Db>) -> Result<Response> {
    let filter = filter::read(&ctx.request)?;
    let scope = roles::reader(ctx);
    let page = events::list(&ctx.db, &scope, &filter, WITHOUT_PAGES, 0, Timestamp::now()).await?;
    Ok(Response::json_text(
        200,
        format!(r#"{{"data":{}}}"#, page.items),
    ))
}

/// `GET /events/{event_id}`: one event.
pub async fn get(ctx: &Context<impl Db>) -> Result<Response> {
    let id = fields::number(ctx.path("event_id")).ok_or_else(events::unknown)?;
    let body = events::find_json(&ctx.db, &roles::reader(ctx), id).await?;
    Ok(Response::json_text(200, body))
}
