//! Requests of strangers that came to nothing: passwords for accounts that there are not.

use windlass_core::db::{Db, Value};
use windlass_core::{Result, Timestamp, params};

/// How long they are kept, in seconds, so that an administrator can see who tries what.
const KEPT: i64 = 30 * 86_400;

/// How many are forgotten at once: others write, too.
const AT_ONCE: i64 = 500;

/// Which they are. Of what was never approved there is little, so that index is followed.
const OLD: &str = "select t.key from adjutant_tasks t
     where t.approved = 0 and t.created_on < ?1 and +t.task_type = 'reset_user_password'
         and exists (select 1 from adjutant_actions a where a.task_key = t.key and not a.valid)
     order by t.created_on, t.key limit ?2";

/// Forgets forgotten passwords that nobody could have, once they are old. Only a read where there are
/// none.
pub async fn forget_junk(db: &impl Db, now: Timestamp) -> Result<()> {
    let before = now.plus_seconds(-KEPT);
    let rows = db.query(OLD, params![before, AT_ONCE]).await?;
    if rows.is_empty() {
        return Ok(());
    }
    let keys: Vec<i64> = rows
        .iter()
        .map(|row| row.integer(0))
        .collect::<Result<_>>()?;
    let sql = "delete from adjutant_tasks where key in (select value from json_each(?1))";
    db.execute(sql, &[Value::json(&keys)?]).await
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
            for email in ["ann@example.com", "nobody@example.com"] {
                let body = json!({ "email": email });
                let _ = world.ask(TaskType::ResetUserPassword, body, None).await;
            }
            let count = "select count(*) from adjutant_tasks";
            forget_junk(&world.db, world.now.plus_seconds(KEPT))
                .await
                .unwrap();
            assert_eq!(world.number(count).await, 3, "too soon");
            let later = world.now.plus_seconds(KEPT + 1);
            forget_junk(&world.db, later).await.unwrap();
            assert_eq!(world.number(count).await, 2);
            let left = "select count(*) from adjutant_actions where action_data like '%nobody@%'";
            assert_eq!(world.number(left).await, 0);
            let plan = world.db.plan(OLD, params![later, AT_ONCE]).await.unwrap();
            let plan = plan.join("; ");
            assert!(plan.contains("adjutant_tasks_by_approval"), "{plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{plan}");
        });
    }
}
