//! Components with the incidents that they were in, in the shape of the monitors' API.

use super::Attribute;
use crate::events::{monitor_list, visible};
use windlass_core::db::Db;
use windlass_core::{Result, Scope, params};
use windlass_store::pieces;

/// Which components a list shows, in the order of their numbers.
#[derive(Clone, Copy, Debug)]
pub struct Window<'a> {
    /// What their names start with.
    pub prefix: &'a str,
    /// How many at most.
    pub limit: i64,
    /// How many of the first to leave out.
    pub offset: i64,
}

/// Components with what happened to them, as a JSON list.
pub async fn list_with_incidents(
    db: &impl Db,
    scope: &Scope,
    window: Window<'_>,
) -> Result<String> {
    let sql = with_incidents(
        scope,
        "(instr(c.name, ?1) = 1 or ?1 = '') order by c.id limit ?2 offset ?3",
    );
    let values = params![window.prefix, window.limit, window.offset];
    let components: Vec<String> = pieces::read(db, &sql, values).await?;
    Ok(format!("[{}]", components.join(",")))
}

/// The first component of this name with this attribute, in the same shape; nothing when there is none.
pub async fn find_with_incidents(
    db: &impl Db,
    scope: &Scope,
    name: &str,
    attribute: &Attribute,
) -> Result<Option<String>> {
    let sql = with_incidents(
        scope,
        "c.id = (select o.id from status_components o where o.name = ?1 and o.retired_at is null
             and exists (select 1 from json_each(o.attributes) a
                 where a.value ->> 'name' = ?2 and a.value ->> 'value' = ?3)
             order by o.id limit 1)",
    );
    let values = params![name, attribute.name.as_str(), attribute.value.as_str()];
    let found: Vec<String> = pieces::read(db, &sql, values).await?;
    Ok(found.into_iter().next())
}

/// The statement for components that fulfil a condition: their JSON as texts, with the last 200
/// incidents of each. An incident is written once, however many components it is on.
fn with_incidents(scope: &Scope, condition: &str) -> String {
    format!(
        "with told (id, body) as materialized (
             select i.id, {} from status_incidents i where i.kind <> 'info' and {})
         select json_quote(body) as item from (
             select '{{\"attributes\":' || c.attributes || ',\"id\":' || c.id || ',\"incidents\":['
                 || coalesce((select group_concat(body, ',') from (
                        select t.body from status_incident_components l join told t on t.id = l.incident_id
                        where l.component_id = c.id and l.incident_id >= coalesce((
                            select n.incident_id from status_incident_components n
                            where n.component_id = c.id order by n.incident_id desc limit 1 offset 199), 0)
                        order by l.incident_id)), '')
                 || '],\"name\":' || json_quote(c.name) || '}}' as body
             from status_components c where c.retired_at is null and {condition})",
        monitor_list::JSON,
        visible(scope),
    )
}
