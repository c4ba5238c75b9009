//! Requests of strangers that came to nothing: passwords that nobody could have, or that nobody wanted.

use windlass_core::db::{Db, Value};
use windlass_core::{Result, Timestamp, params};

/// How long they are kept, in seconds, so that an administrator can see who tries what.
const KEPT: i64 = 30 * 86_400;

/// How many rows are forgotten at once: others write, too.
const AT_ONCE: i64 = 500;

/// How many times in a row that is done at most.
const PIECES: usize = 20;

/// Which they are: a forgotten password that is no one's, was asked for once more, or was not chosen
/// while its token counted. The literals are those of the index.
const OLD: &str = "select key from adjutant_tasks indexed by adjutant_tasks_unconfirmed
     where task_type = 'reset_user_password' and completed = 0 and keystone_user = '{}'
         and created_on < ?1 order by created_on, key limit ?2";

/// Forgets forgotten passwords that came to nothing, once they are old. Only a read where there are
/// none.
pub async fn forget_junk(db: &impl Db, now: Timestamp) -> Result<()> {
    forget(db, "adjutant_tasks", OLD, now.plus_seconds(-KEPT)).await
}

/// Deletes the rows of a table that a statement finds from before a moment, in pieces, as many as is
/// fair. The rest is for the next time.
pub(crate) async fn forget(db: &impl Db, table: &str, old: &str, before: Timestamp) -> Result<()> {
    for _ in 0..PIECES {
        let rows = db.query(old, params![before, AT_ONCE]).await?;
        if rows.is_empty() {
            return Ok(());
        }
        let keys: Vec<i64> = rows
            .iter()
            .map(|row| row.integer(0))
            .collect::<Result<_>>()?;
        let sql = format!("delete from {table} where key in (select value from json_each(?1))");
        db.execute(&sql, &[Value::json(&keys)?]).await?;
        if i64::try_from(keys.len()).is_ok_and(|found| found < AT_ONCE) {
            return Ok(());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task_type::TaskType;
    use crate::testing::World;
    use serde_json::json;

    #[test]
    fn only_old_requests_that_came_to_nothing_are_forgotten() {
        pollster::block_on(async {
            let world = World::new().await;
            world.sign_up().await.unwrap();
            // Chosen; cancelled by the one after it; for nobody; never chosen.
            for email in ["ann@example.com", "mod@example.com"] {
                let body = json!({ "email": email });
                let _ = world.ask(TaskType::ResetUserPassword, body, None).await;
                if email.starts_with("ann") {
                    let token = world.token().await.unwrap();
                    let body = json!({ "password": "correct horse" });
                    world.submit(&token, body).await.unwrap();
                }
            }
            for email in ["mod@example.com", "nobody@example.com"] {
                let body = json!({ "email": email });
                let _ = world.ask(TaskType::ResetUserPassword, body, None).await;
            }
            let count = "select count(*) from adjutant_tasks";
            forget_junk(&world.db, world.now.plus_seconds(KEPT))
                .await
                .unwrap();
            assert_eq!(world.number(count).await, 5, "too soon");
            let later = world.now.plus_seconds(KEPT + 1);
            forget_junk(&world.db, later).await.unwrap();
            assert_eq!(
                world.number(count).await,
                2,
                "the sign-up and what was chosen"
            );
            let left = "select count(*) from adjutant_actions where action_data like '%nobody@%'";
            assert_eq!(world.number(left).await, 0);
            let plan = world.db.plan(OLD, params![later, AT_ONCE]).await.unwrap();
            let plan = plan.join("; ");
            assert!(plan.contains("adjutant_tasks_unconfirmed"), "{plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{plan}");
        });
    }

    #[test]
    fn ten_thousand_are_forgotten_at_a_time() {
        pollster::block_on(async {
            let world = World::new().await;
            let sql =
                "with recursive n (n) as (select 1 union all select n + 1 from n where n < 10100)
                 insert into adjutant_tasks (uuid, task_type, hash_key, created_on)
                 select 'u' || n, 'reset_user_password', '', '2020' from n";
            world.db.execute(sql, &[]).await.unwrap();
            let count = "select count(*) from adjutant_tasks";
            for left in [100, 0] {
                forget_junk(&world.db, world.now).await.unwrap();
                assert_eq!(world.number(count).await, left);
            }
        });
    }
}
