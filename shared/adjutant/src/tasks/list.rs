//! Tasks as answers show them: one, a page of them, and the latest for the status.

use super::{not_found, plain_id, project_of};
use crate::filters::{self, Filter, Listed, Page, Root};
use crate::notifications;
use crate::wire::{quoted_time_sql, truth_sql};
use windlass_core::db::Db;
use windlass_core::{Error, Result, Scope, params};

/// A row as answers show it. From which address somebody asked is for administrators.
///
/// What is JSON in the columns goes into it as it is: to read and write it once more, a few hundred values
/// a page, took more than half of the page's time.
fn item_sql(with_address: bool) -> String {
    let address = if with_address { "t.ip_address" } else { "null" };
    format!(
        r#"printf('{{"uuid":"%s","ip_address":%s,"keystone_user":%s,"project_id":%s,'
             || '"approved_by":%s,"actions":[%s],"task_type":"%s","task_notes":%s,"action_notes":%s,'
             || '"cancelled":%s,"approved":%s,"completed":%s,'
             || '"created_on":%s,"approved_on":%s,"completed_on":%s}}',
             t.uuid, json_quote({address}), t.keystone_user, json_quote(t.project_id), t.approved_by,
             (select group_concat(printf('{{"action_name":"%s","data":%s,"valid":%s}}',
                     a.action_name, a.action_data, {}), ',')
                 from (select action_name, action_data, valid from adjutant_actions
                     where task_key = t.key order by position) a),
             t.task_type, t.task_notes, t.action_notes, {}, {}, {}, {}, {}, {})"#,
        truth_sql("a.valid"),
        truth_sql("t.cancelled"),
        truth_sql("t.approved"),
        truth_sql("t.completed"),
        quoted_time_sql("t.created_on"),
        quoted_time_sql("t.approved_on"),
        quoted_time_sql("t.completed_on")
    )
}

/// One page of tasks, newest first, for who sees all projects.
pub async fn list(db: &impl Db, scope: &Scope, filter: &Filter, listed: Listed) -> Result<Page> {
    filters::page(db, scope, Root::Tasks, &item_sql(true), filter, listed).await
}

/// One task as JSON text, if the scope sees it.
///
/// # Errors
/// 404 when it does not.
pub async fn show(db: &impl Db, scope: &Scope, id: &str) -> Result<String> {
    let project = project_of(scope);
    let sql = format!(
        "select {} from adjutant_tasks t where t.uuid = ?1 and (?2 is null or t.project_id = ?2)",
        item_sql(project.is_none())
    );
    let row = db.first(&sql, params![plain_id(id), project]).await?;
    row.ok_or_else(not_found)?.text(0).map(str::to_owned)
}

/// The most error notifications of the status.
const MOST_ERRORS: i64 = 1000;

/// What an administrator looks at first, as JSON text: errors that nobody has acknowledged, the newest
/// task that is not done, and the one that was done last.
pub async fn status(db: &impl Db, scope: &Scope) -> Result<String> {
    filters::demand_all(scope)?;
    let row = db.first(&status_sql(), params![MOST_ERRORS]).await?;
    row.ok_or_else(|| Error::internal("the status is one row"))?
        .text(0)
        .map(str::to_owned)
}

/// Which rows it is about is found first: making the JSON of all tasks to keep one took seconds.
fn status_sql() -> String {
    format!(
        "select json_object(
             'error_notifications', json((select json_group_array(json(item)) from (
                 select {note} as item from (
                     select key from adjutant_notifications where error = 1 and acknowledged = 0
                     order by created_on desc, key desc limit ?1) p
                 cross join adjutant_notifications n on n.key = p.key
                 join adjutant_tasks t on t.key = n.task_key
                 order by n.created_on desc, n.key desc))),
             'last_created_task', json(coalesce((select {task} from adjutant_tasks t where t.key = (
                 select key from adjutant_tasks where completed = 0
                 order by created_on desc, key desc limit 1)), 'null')),
             'last_completed_task', json(coalesce((select {task} from adjutant_tasks t where t.key = (
                 select key from adjutant_tasks where completed = 1
                 order by completed_on desc, key desc limit 1)), 'null')))",
        note = notifications::item_sql(),
        task = item_sql(true)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;

    #[test]
    fn the_status_follows_an_index_to_each_of_its_rows() {
        pollster::block_on(async {
            let world = World::new().await;
            let plan = world.db.plan(&status_sql(), params![MOST_ERRORS]).await;
            let plan = plan.unwrap();
            for index in [
                "adjutant_notifications_errors (error=? AND acknowledged=?)",
                "adjutant_tasks_by_completion (completed=?)",
                "adjutant_tasks_by_end (completed=?)",
            ] {
                let uses = plan.iter().any(|line| line.contains(index));
                assert!(uses, "{index}: {plan:#?}");
            }
            let scans: Vec<_> = plan
                .iter()
                .filter(|line| line.starts_with("SCAN adj"))
                .collect();
            assert!(scans.is_empty(), "{plan:#?}");
            // Only the thousand notifications of the answer are sorted.
            let sorts = plan.iter().filter(|line| line.contains("TEMP B-TREE"));
            assert!(sorts.count() <= 1, "{plan:#?}");
        });
    }
}
