//! `/insights/dora`: how well the account delivers, and what is behind each number.

use crate::gate::reader;
use windlass_core::db::Db;
use windlass_core::{Context, Error, Kind, Response, Result, Timestamp};
use windlass_opsera::insights::{self, Metric, Question};
use windlass_opsera::rows::Paging;

/// `GET /insights/dora`: the four measures, as JSON, or as `format` says: `csv` or `svg`.
pub async fn dora(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = reader(ctx)?;
    let question = Question::of(&ctx.request, Timestamp::now())?;
    let format = ctx.request.query_value("format").unwrap_or("json");
    if !["json", "csv", "svg"].contains(&format) {
        let text = "format must be json, csv or svg";
        return Err(Error::bad_parameters(text).field("format", text));
    }
    let measures = insights::measures(&ctx.db, &asker, &question).await?;
    match format {
        "csv" => {
            let lines = insights::csv(&measures)?;
            let name = "attachment; filename=\"dora.csv\"";
            Ok(Response::bytes(200, "text/csv; charset=utf-8", lines)
                .header("content-disposition", name))
        }
        "svg" => {
            let days = insights::days(&ctx.db, &asker, &question).await?;
            let picture = insights::chart(&question, &measures, &days);
            Ok(Response::bytes(200, "image/svg+xml", picture)
                .header(
                    "content-security-policy",
                    "default-src 'none'; style-src 'unsafe-inline'",
                )
                .header("x-content-type-options", "nosniff"))
        }
        _ => ctx.ok(insights::told(&question, &measures)),
    }
}

/// `GET /insights/dora/{metric}`: what is behind a number, newest first.
pub async fn list(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = reader(ctx)?;
    let metric = Metric::named(ctx.path("metric")).ok_or_else(|| {
        let text = "There are lists of deployments, changes, failures and restores";
        Error::new(Kind::NotFound, text)
    })?;
    let question = Question::of(&ctx.request, Timestamp::now())?;
    let paging = Paging::of(&ctx.request)?;
    let text = insights::list(&ctx.db, &asker, &question, metric, paging).await?;
    Ok(Response::json_text(200, text))
}
