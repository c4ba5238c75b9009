//! Events and logs as clients list them.
//!
//! Their list has rules of its own: two kinds of rows with different fields, `like` filters,
//! ranges, a page of ten thousand, unknown fields in `_include` without complaint. Clients that
//! follow an execution ask for it several times a second, so a page is one statement that walks
//! an index in the order of the answer and stops at the page's end.

mod query;

pub use query::{EventQuery, Kinds};

use crate::deployments::Owner;
use crate::resource::fields::{DEPLOYMENT_DISPLAY_NAME, DEPLOYMENT_ID};
use crate::{audit, counts};
use windlass_core::caller::Reach;
use windlass_core::db::{KeptDb, Tx};
use windlass_core::list::{
    Field, Fields, OpenPage, PageStatement, Statement, open_page, total_sql,
};
use windlass_core::{Result, Scope};

/// The text of a time: a `Timestamp`'s, as a literal, since fields are declared with those.
macro_rules! time_text {
    ($millis:literal) => {
        concat!(
            "strftime('%Y-%m-%dT%H:%M:%fZ', ",
            $millis,
            " / 1000.0, 'unixepoch')"
        )
    };
}

/// Every field of a row; `event_type` is shown for events only, `level` and `logger` for logs.
pub(crate) static FIELDS: Fields = Fields(&LISTED);

/// The same as they are declared.
pub(crate) static LISTED: [Field; 22] = [
    Field::integer("_storage_id", "t.storage_id"),
    Field::text("type", "iif(t.is_log, 'cloudify_log', 'cloudify_event')"),
    Field::text("event_type", "t.event_type"),
    Field::text("level", "t.level"),
    Field::text("logger", "t.logger"),
    Field::text("message", "t.message"),
    Field::json("error_causes", "t.error_causes"),
    Field::text("operation", "t.operation"),
    Field::text("timestamp", time_text!("t.timestamp")),
    Field::text(
        "reported_timestamp",
        time_text!("coalesce(t.reported_timestamp, t.timestamp)"),
    ),
    Field::text("blueprint_id", "t.blueprint_id"),
    DEPLOYMENT_ID,
    DEPLOYMENT_DISPLAY_NAME,
    Field::text("execution_id", "t.execution_id"),
    Field::text("execution_group_id", "t.execution_group_id"),
    Field::text("workflow_id", "t.workflow_id"),
    Field::text("node_instance_id", "t.node_instance_id"),
    Field::text("node_name", "t.node_name"),
    Field::text("source_id", "t.source_id"),
    Field::text("target_id", "t.target_id"),
    Field::text("manager_name", "t.manager_name"),
    Field::text("agent_name", "t.agent_name"),
];

/// The most rows of one page.
pub const PAGE_SIZE: u64 = 10_000;

/// One page of events and logs, for an answer.
pub async fn list<D: KeptDb>(db: &D, scope: &Scope, query: &EventQuery) -> Result<OpenPage<D>> {
    open_page(db, page_statement(scope, query)).await
}

/// Deletes the rows of a deployment of the caller's tenant that match, and answers how many there
/// were.
pub async fn delete(
    tx: &impl Tx,
    scope: &Scope,
    deployment: &Owner,
    query: &EventQuery,
) -> Result<i64> {
    let mut statement = Statement::under(scope);
    let condition = format!("{}{}", Scope::own("t"), statement.conditions(&query.query));
    let parameters = statement.parameters;
    let count = tx
        .first(
            &format!("select count(*) from whole_events t where {condition}"),
            &parameters,
        )
        .await?
        .map_or(Ok(0), |row| row.integer(0))?;
    if count > 0 {
        tx.execute(
            &format!(
                "delete from events where storage_id in
                     (select t.storage_id from whole_events t where {condition})"
            ),
            &parameters,
        )
        .await?;
    }
    audit::insert(tx, scope, "event_delete", "Deployment", &deployment.id).await?;
    Ok(count)
}

/// The statement of one page.
fn page_statement(scope: &Scope, query: &EventQuery) -> PageStatement {
    let mut statement = Statement::under(scope);
    let own = statement.conditions(&query.query);
    let parts = parts(scope, query, &mut statement);
    let [limit, offset] = query.query.paging.limit_and_offset(PAGE_SIZE);
    let (limit, offset) = (statement.parameter(limit), statement.parameter(offset));

    let mut columns = String::from("t.storage_id as k");
    let mut order = String::new();
    for (index, sort) in query.query.sort.iter().enumerate() {
        let direction = if sort.descending { " desc" } else { "" };
        columns.push_str(&format!(", {} as s{index}", sort.sql));
        order.push_str(&format!("s{index}{direction}, "));
    }
    order.push_str(if query.is_descending() { "k desc" } else { "k" });

    let parts: Vec<String> = parts.iter().map(|part| format!("{part}{own}")).collect();
    let keys: Vec<String> = parts
        .iter()
        .map(|part| format!("select {columns} from whole_events t where {part}"))
        .collect();
    let total = total_sql("whole_events t", &[&counts::EVENTS], &query.query, &parts);
    let item = item_sql(query);
    let rows = format!(
        "select p.k as k, {item} as item from (select * from ({keys}) order by {order} \
         limit {limit} offset {offset}) p join whole_events t on t.storage_id = p.k order by {order}",
        keys = keys.join(" union all "),
    );
    let mut piece = Statement::under(scope);
    let visible = scope.condition("t", &mut piece);
    let piece = piece.piece(&item, "whole_events t", "t.storage_id", &visible);
    statement.into_page(&total, &rows, piece)
}

/// The rows that the caller sees, as parts that have none in common. Of one execution or deployment the
/// index of its rows is the way, whoever may see them. In all other lists two ordered walks are merged:
/// the rows of the tenant's list and the global ones.
fn parts(scope: &Scope, query: &EventQuery, statement: &mut Statement) -> Vec<String> {
    if query.is_narrow {
        return vec![scope.condition("t", statement)];
    }
    let lists: &[&str] = match scope.reach() {
        Reach::Tenant(_) => &[
            "t.list_key = (select id from tenants where name = ?1)",
            "t.list_key = -1",
        ],
        Reach::Nowhere => &["t.list_key = -1"],
        // No endpoint lists the events of several tenants: these would be sorted.
        Reach::Tenants(_) | Reach::Everywhere => &["1", "1"],
    };
    let parts = scope.parts("t", statement).into_iter().zip(lists);
    parts
        .map(|(part, list)| format!("{list} and {part}"))
        .collect()
}

/// The JSON of a row: an event has no level and no logger, a log no event type.
pub(super) fn item_sql(query: &EventQuery) -> String {
    let object = |left_out: &[&str]| {
        let shown: Vec<&'static Field> = match &query.query.include {
            Some(fields) => fields.clone(),
            None => FIELDS.0.iter().collect(),
        };
        let is_kept = |field: &&Field| !left_out.contains(&field.name);
        let kept: Vec<&'static Field> = shown.into_iter().filter(is_kept).collect();
        FIELDS.object_sql(Some(&kept))
    };
    format!(
        "iif(t.is_log, {}, {})",
        object(&["event_type"]),
        object(&["level", "logger"])
    )
}

#[cfg(test)]
mod tests;
