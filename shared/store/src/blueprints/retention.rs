//! Blueprints that came to nothing say why for a while, and keep what was uploaded.

use super::{Blueprint, delete, row};
use crate::retention;
use serde::Deserialize;
use windlass_core::db::Db;
use windlass_core::{Kind, Result, Scope, Timestamp, log, params};

/// The setting that says for how many days after its last change one that failed is kept; 0 is for ever.
pub const FAILED_SETTING: &str = "failed_upload_retention_days";

/// How many are deleted at a time.
const AT_ONCE: i64 = 20;

/// Those that failed are few, and an index has them: it wants to be asked in these words.
const FAILED: &str = "state in ('failed_uploading', 'failed_extracting', 'failed_parsing',
    'failed_extracting_to_file_server', 'invalid')";

#[derive(Deserialize)]
struct Old {
    id: String,
    tenant_name: String,
}

fn old_sql() -> String {
    format!(
        "select json_object('id', b.id, 'tenant_name', b.tenant_name) from blueprints b
         where b.{FAILED} and b.updated_at < ?1
             and not exists (select 1 from deployments d where d.blueprint_key = b.key)
             and not exists (select 1 from blueprint_plans p where p.blueprint_key = b.key)
         order by b.updated_at limit ?2"
    )
}

/// Deletes a piece of the blueprints whose upload failed longer ago than the setting keeps, with what was
/// uploaded. One that has a plan was good once, and only its state was changed: it stays. Answers how many.
pub async fn forget_failed(db: &impl Db, now: Timestamp) -> Result<usize> {
    let Some(before) = retention::since(db, FAILED_SETTING, now).await? else {
        return Ok(0);
    };
    let found: Vec<Old> = db.json_rows(&old_sql(), params![before, AT_ONCE]).await?;
    let mut gone = 0;
    for old in found {
        let scope = Scope::system(retention::BY, &old.tenant_name);
        gone += db
            .transaction(async |tx| {
                let blueprint: Blueprint = match row::find_own(tx, &scope, &old.id).await {
                    Ok(blueprint) => blueprint,
                    Err(refusal) if refusal.kind() == Kind::NotFound => return Ok(0),
                    Err(error) => return Err(error),
                };
                // Somebody may have uploaded it again meanwhile.
                if !blueprint.state.is_failed() {
                    return Ok(0);
                }
                delete(tx, &scope, &blueprint).await?;
                Ok(1)
            })
            .await?;
    }
    if gone > 0 {
        let told = [("blueprints", gone.into())];
        log::line(log::Level::Info, "old uploads that failed are gone", told);
    }
    Ok(gone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blueprints::State;
    use crate::blueprints::tests::{admin, fresh, insert, upload};
    use windlass_core::db::NativeDb;

    async fn left(db: &NativeDb) -> String {
        let sql = "select group_concat(id, ' ' order by key) from blueprints";
        let row = db.first(sql, &[]).await.unwrap().unwrap();
        row.optional_text(0).unwrap().unwrap_or_default().to_owned()
    }

    #[test]
    fn uploads_that_failed_go_after_a_while_with_what_was_uploaded() {
        pollster::block_on(async {
            let db = fresh().await;
            for (id, tenant, state) in [
                ("good", "harbour", State::Uploaded),
                ("bad", "harbour", State::Invalid),
                ("worse", "quay", State::FailedParsing),
            ] {
                insert(&db, &admin(tenant), &upload(id, state))
                    .await
                    .unwrap();
            }
            let day = |days: i64| Timestamp::now().plus_seconds(days * 86_400);
            assert_eq!(forget_failed(&db, day(29)).await.unwrap(), 0, "too soon");
            let set = "update config set value = ?1 where name = 'failed_upload_retention_days'";
            db.execute(set, params!["0"]).await.unwrap();
            assert_eq!(forget_failed(&db, day(9000)).await.unwrap(), 0, "for ever");
            db.execute(set, params!["30"]).await.unwrap();
            assert_eq!(forget_failed(&db, day(31)).await.unwrap(), 2);
            assert_eq!(left(&db).await, "good", "and one that is good");
            assert_eq!(crate::counts::audit(&db).await.unwrap(), []);
            let sql = "select json_group_array(id) from (select id from loose_blobs order by id)";
            let loose: Vec<String> = db.first_json(sql, &[]).await.unwrap().unwrap();
            assert_eq!(loose, ["bad", "worse"], "a sweep takes them");
        });
    }

    #[test]
    fn what_has_a_plan_stays_whatever_its_state_was_made() {
        pollster::block_on(async {
            let db = fresh().await;
            insert(&db, &admin("harbour"), &upload("marked", State::Invalid))
                .await
                .unwrap();
            let plan = "insert into blueprint_plans (blueprint_key, plan, stored)
                        select key, '{}', 0 from blueprints";
            db.execute(plan, &[]).await.unwrap();
            let later = Timestamp::now().plus_seconds(40 * 86_400);
            assert_eq!(forget_failed(&db, later).await.unwrap(), 0);
            assert_eq!(left(&db).await, "marked");
        });
    }

    #[test]
    fn what_failed_is_found_by_an_index_that_knows_every_such_state() {
        pollster::block_on(async {
            let db = fresh().await;
            let plan = db.plan(&old_sql(), params![Timestamp::now(), 1]).await;
            let plan = plan.unwrap().join("\n");
            assert!(plan.contains("blueprints_failed (updated_at<?)"), "{plan}");
            let failed: Vec<State> = State::ALL
                .into_iter()
                .filter(|state| state.is_failed())
                .collect();
            assert_eq!(FAILED.matches('\'').count(), 2 * failed.len());
            for state in failed {
                assert!(FAILED.contains(&format!("'{}'", state.name())), "{state:?}");
            }
        });
    }
}
