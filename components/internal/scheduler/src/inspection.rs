//! `/internal/audit-store`: whether the store is as it should be, for whoever runs the application.
//!
//! Like the tick it wants the token that whoever holds the state can read or set. `windlass-host
//! audit-store` calls it until it says that there is no more; under Spin any client does.

use serde_json::{Value, json};
use windlass_core::db::Db;
use windlass_core::platform::{TICK_TOKEN_HEADER, demand_tick_token};
use windlass_core::{Body, Context, Error, Response, Result, Timestamp};
use windlass_store::inspection::{self, Place};

/// `POST /internal/audit-store`: looks at a part of the store, for a few seconds. With `repair` it mends what
/// can be mended. Answers what it looked at, what is wrong with it, and in `next` what to send for the
/// rest; null at the end.
pub async fn inspect(ctx: &Context<impl Db>) -> Result<Response> {
    demand_tick_token(ctx.request.get_header(TICK_TOKEN_HEADER)).await?;
    let body = Body::of(ctx)?;
    let place = Place {
        step: step(&body)?,
        after: body.text("after")?.unwrap_or_default().to_owned(),
    };
    let repair = body.boolean("repair")?.unwrap_or(false);
    let report = inspection::inspect(&ctx.db, &place, repair, Timestamp::now()).await?;
    let findings: Vec<Value> = report
        .findings
        .iter()
        .map(|one| json!({ "text": one.text, "repaired": one.is_mended }))
        .collect();
    let next = report
        .next
        .map(|next| json!({ "step": next.step, "after": next.after, "repair": repair }));
    let is_sound = findings.is_empty();
    let answer = json!({ "inspected": report.inspected, "findings": findings, "next": next });
    let response = ctx.ok(answer)?;
    // An inspection has many parts, mostly without a finding.
    Ok(if is_sound { response.quiet() } else { response })
}

fn step(body: &Body) -> Result<usize> {
    let step = body.integer("step")?.unwrap_or(0);
    usize::try_from(step)
        .map_err(|_| Error::bad_parameters(format!("step must be 0 or more, got {step}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_core::db::NativeDb;
    use windlass_core::platform::{TICK_TOKEN_KEY, kv};
    use windlass_core::{Family, Request};
    use windlass_store::queue::{self, Work};

    async fn ask(db: &NativeDb, token: &str, body: &Value) -> Result<Value> {
        let mut request = Request::new(http::Method::POST, "/internal/audit-store")
            .header(TICK_TOKEN_HEADER, token)
            .header("content-type", "application/json");
        request.body = body.to_string().into_bytes();
        let nobody = Err(Error::unauthorized("nobody"));
        let id = String::new();
        let path = "/audit-store";
        let family = Family::Conductor;
        let ctx = Context::new(db.clone(), family, request, path, Vec::new(), id, nobody);
        let response = inspect(&ctx).await?;
        serde_json::from_slice(&response.body).map_err(Error::internal)
    }

    #[test]
    fn whoever_has_the_token_goes_from_place_to_place() {
        pollster::block_on(async {
            let db = NativeDb::in_memory();
            windlass_store::migrations::apply(&db).await.unwrap();
            kv::set(TICK_TOKEN_KEY, b"secret").await.unwrap();
            // Work about what has been gone for long.
            let then = Timestamp::from_millis(0);
            let push = async |tx: &_| {
                queue::push(tx, Work::Execution, "gone", &Value::Null, then, then).await
            };
            db.transaction(push).await.unwrap();
            assert!(ask(&db, "guess", &json!({})).await.is_err());
            assert!(ask(&db, "secret", &json!({ "step": -1 })).await.is_err());
            let sound = ask(&db, "secret", &json!({})).await.unwrap();
            assert_eq!(sound["findings"], json!([]));
            for (repair, repaired) in [(false, 0), (true, 1), (true, 0)] {
                let mut place = json!({ "repair": repair });
                let (mut calls, mut findings) = (0, Vec::new());
                while place.is_object() {
                    let answer = ask(&db, "secret", &place).await.unwrap();
                    findings.extend(answer["findings"].as_array().unwrap().clone());
                    place = answer["next"].clone();
                    calls += 1;
                }
                assert!(calls > 5, "{calls}");
                let mended = findings.iter().filter(|one| one["repaired"] == true);
                assert_eq!(mended.count(), repaired, "{findings:?}");
            }
        });
    }
}
