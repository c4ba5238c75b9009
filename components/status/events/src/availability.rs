//! `/availability`: how much of each month the components worked.

use serde_json::{Value, json};
use windlass_core::db::Db;
use windlass_core::{Context, Response, Result, Timestamp};
use windlass_status::availability::{self, Availability, MonthlyAvailability};

/// `GET /availability`: the last twelve months of every component, the current one first.
pub async fn list(ctx: &Context<impl Db>) -> Result<Response> {
    let told = availability::by_component(&ctx.db, Timestamp::now()).await?;
    let data: Vec<Value> = told.iter().map(shown).collect();
    ctx.ok(json!({ "data": data }))
}

fn shown(component: &Availability) -> Value {
    let month = |told: &MonthlyAvailability| {
        json!({
            "year": told.month.year(),
            "month": told.month.number(),
            "percentage": told.percentage,
        })
    };
    let months: Vec<Value> = component.months.iter().map(month).collect();
    json!({
        "id": component.component,
        "name": component.name,
        "region": component.region,
        "availability": months,
    })
}
