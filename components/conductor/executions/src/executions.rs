//! `/executions`: runs of workflows, past and present.

use serde_json::{Value, json};
use windlass_core::Body;
use windlass_core::db::{Db, KeptDb};
use windlass_core::list::{ListQuery, Page};
use windlass_core::python;
use windlass_core::{Context, Error, Permission, Response, Result, Scope, Timestamp};
use windlass_store::execution_groups::only_executions_of;
use windlass_store::executions::{self, EXECUTIONS, Execution, Removal, Status};

/// The parameter by which command lines name a group of executions.
const GROUP: &str = "execution_group_id";

/// `GET /executions`: a page, without system workflows unless they are asked for.
pub async fn list(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow_list(Permission::ExecutionList)?;
    let mut query = ctx.list_query(&EXECUTIONS, &[GROUP])?;
    of_group(ctx, &scope, &mut query).await?;
    let asked_for = ctx.request.query_value("is_system_workflow").is_some();
    let included = ctx
        .request
        .query_bool("_include_system_workflows")?
        .unwrap_or(false);
    if !asked_for && !included {
        executions::without_system_workflows(&mut query);
    }
    ctx.page(&EXECUTIONS, &scope, &query).await
}

/// `GET /executions/{execution_id}`: one of them, whatever its workflow.
pub async fn get(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::ExecutionGet)?;
    let id = ctx.path("execution_id");
    ctx.show(&EXECUTIONS, &scope, id, 200).await
}

/// `GET /executions/{execution_id}/should-start`: whether nothing is in its way, as a bare truth
/// value.
pub async fn should_start(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::ExecutionShouldStart)?;
    let execution = executions::find(&ctx.db, &scope, ctx.path("execution_id")).await?;
    ctx.ok(is_free(&ctx.db, &execution).await?)
}

/// `DELETE /executions`: forgets ended executions, the oldest first.
pub async fn delete(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_list(Permission::ExecutionDelete)?;
    let removal = removal(&Body::of(ctx)?)?;
    let mut query = ctx.list_query(&EXECUTIONS, &[GROUP])?;
    of_group(ctx, &scope, &mut query).await?;
    demand_ended(ctx)?;
    let count = ctx
        .db
        .transaction(async |tx| executions::delete(tx, &scope, &query, removal).await)
        .await?;
    let count = json!([{ "count": count }]);
    Ok(Page::of(count, 1).respond(&query))
}

/// Keeps only those of a group, if one is named. Command lines have another name for it.
async fn of_group(ctx: &Context<impl Db>, scope: &Scope, query: &mut ListQuery) -> Result<()> {
    for name in ["_group_id", GROUP] {
        if let Some(id) = ctx.request.query_value(name) {
            only_executions_of(&ctx.db, scope, query, id).await?;
        }
    }
    Ok(())
}

async fn is_free(db: &impl Db, execution: &Execution) -> Result<bool> {
    if execution.is_system_workflow {
        let itself = i64::from(execution.status.is_active());
        return Ok(executions::count_active(db).await? == itself);
    }
    if executions::system_is_busy(db).await? {
        return Ok(false);
    }
    Ok(executions::in_the_way(db, execution).await?.is_empty())
}

/// Which executions a removal spares.
fn removal(body: &Body) -> Result<Removal> {
    match (body.get("keep_last"), body.get("to_datetime")) {
        (Some(_), Some(_)) => Err(Error::bad_parameters(
            "Must provide either a `to_datetime` timestamp or a `keep_last` number of executions \
             to keep",
        )),
        (Some(Value::Number(number)), None) if number.as_u64().is_some_and(|kept| kept > 0) => {
            Ok(Removal::AllBut(number.as_u64().unwrap_or(u64::MAX)))
        }
        (Some(other @ Value::Number(number)), None) if number.is_f64() => {
            Err(Error::wrong_type("keep_last", "int", other))
        }
        (Some(Value::Number(number)), None) => Err(Error::bad_parameters(format!(
            "`keep_last` must be an integer greater than 0. got {number} instead."
        ))),
        (Some(other), None) => Err(Error::wrong_type("keep_last", "int", other)),
        (None, Some(_)) => to_datetime(body.required_text("to_datetime")?).map(Removal::Before),
        (None, None) => Ok(Removal::All),
    }
}

/// A time without a zone or with `Z`: the two forms that the original reads, and plain dates.
fn to_datetime(text: &str) -> Result<Timestamp> {
    let naive = if text.contains('T') {
        text.strip_suffix('Z').unwrap_or(text)
    } else {
        text
    };
    let plain = naive
        .bytes()
        .all(|b| b.is_ascii_digit() || b"-:.T ".contains(&b));
    let complete = naive.len() == 10 || naive.len() >= 19;
    if plain && complete {
        return Timestamp::parse("to_datetime", text);
    }
    Err(Error::bad_parameters(format!(
        "to_datetime: `{text}` is not a time. Expected formats: YYYY-MM-DD, \
         YYYY-MM-DDTHH:MM:SS[.ffffff][Z] or YYYY-MM-DD HH:MM:SS[.ffffff]"
    )))
}

/// Refuses to forget executions by a status in which they have not ended.
fn demand_ended(ctx: &Context<impl Db>) -> Result<()> {
    let wrong = ctx
        .request
        .query_values("status")
        .find(|status| !Status::named(status).is_some_and(Status::has_ended));
    match wrong {
        Some(status) => Err(Error::bad_parameters(format!(
            "Can't filter by execution status `{status}`. Allowed statuses are: {}",
            python::list(["terminated", "failed", "cancelled"])
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removal_spares_what_the_body_says() {
        let before = |text| Removal::Before(Timestamp::parse("", text).unwrap());
        for (body, want) in [
            (json!({}), Removal::All),
            (
                json!({ "keep_last": null, "to_datetime": null }),
                Removal::All,
            ),
            (json!({ "keep_last": 3 }), Removal::AllBut(3)),
            (json!({ "to_datetime": "2026-01-02" }), before("2026-01-02")),
            (
                json!({ "to_datetime": "2026-01-02T03:04:05" }),
                before("2026-01-02T03:04:05"),
            ),
            (
                json!({ "to_datetime": "2026-01-02T03:04:05.5Z" }),
                before("2026-01-02T03:04:05.5"),
            ),
            (
                json!({ "to_datetime": "2026-01-02 03:04:05.123" }),
                before("2026-01-02T03:04:05.123"),
            ),
        ] {
            let got = removal(&Body::inner(&body, "body").unwrap()).unwrap();
            assert_eq!(got, want, "{body}");
        }
        for (body, text) in [
            (
                json!({ "keep_last": 1, "to_datetime": "2026-01-02" }),
                "Must provide either",
            ),
            (
                json!({ "keep_last": 0 }),
                "must be an integer greater than 0. got 0",
            ),
            (
                json!({ "keep_last": -3 }),
                "must be an integer greater than 0. got -3",
            ),
            (
                json!({ "keep_last": 1.5 }),
                "expected to be of type int but is of type float",
            ),
            (
                json!({ "keep_last": "3" }),
                "expected to be of type int but is of type str",
            ),
            (
                json!({ "to_datetime": 3 }),
                "expected to be of type str but is of type int",
            ),
            (
                json!({ "to_datetime": "2026-01-02T03:04:05+02:00" }),
                "is not a time",
            ),
            (
                json!({ "to_datetime": "2026-01-02T03:04" }),
                "is not a time",
            ),
            (json!({ "to_datetime": "2026-01-32" }), "is not a time"),
            (json!({ "to_datetime": "yesterday" }), "is not a time"),
        ] {
            let refusal = removal(&Body::inner(&body, "body").unwrap()).unwrap_err();
            assert!(refusal.message().contains(text), "{body}: {refusal:?}");
        }
    }
}
