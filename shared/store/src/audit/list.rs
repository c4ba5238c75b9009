//! Reading the trail: pages of it, and what came after a place in it.

use crate::counts;
use serde_json::Value as Json;
use windlass_core::db::{Db, Value};
use windlass_core::list::{Field, ListQuery, Paging, Resource, SortKey};
use windlass_core::{Error, Kind, Result, Scope, Timestamp, params};

static FIELDS: [Field; 9] = [
    Field::integer("id", "t.key"),
    Field::text("ref_table", "t.ref_table"),
    // The original has the number of a row here, which means nothing outside of its database.
    Field::text("ref_id", "t.target_id"),
    Field::json(
        "ref_identifier",
        "json_object(iif(t.ref_table = 'users', 'username', 'id'), t.target_id,
             'tenant_name', t.tenant_name)",
    ),
    Field::text("operation", "t.operation"),
    Field::text("creator_name", "t.username"),
    Field::text("execution_id", "t.execution_id"),
    Field::text("created_at", "t.created_at"),
    // Not of the original. Nothing where no request asked for it, and in entries of before this was kept.
    Field::text("address", "t.address"),
];

/// The trail as its API shows it.
pub static AUDIT_LOG: Resource = Resource {
    name: "AuditLog",
    table: "audit_log t",
    fields: &FIELDS,
    search: None,
    of_tenant: false,
    counts: &[&counts::AUDIT_LOG],
};

/// Which entries are meant.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// From this moment on.
    pub since: Option<Timestamp>,
    /// Of whoever made the change.
    pub creator_name: Option<String>,
    /// Of the execution that made it.
    pub execution_id: Option<String>,
    /// Of other fields, by their names.
    pub others: Vec<(String, String)>,
}

impl Filter {
    /// The conditions, with a value for each `{}`.
    ///
    /// # Errors
    /// 400 for a field that is none.
    pub(super) fn conditions(&self) -> Result<Vec<(String, Vec<Value>)>> {
        let mut conditions: Vec<(String, Vec<Value>)> = Vec::new();
        let mut and = |sql: &str, value: Value| conditions.push((sql.to_owned(), vec![value]));
        if let Some(since) = self.since {
            and("t.created_at >= {}", since.into());
        }
        if let Some(name) = &self.creator_name {
            and("t.username = {}", name.into());
        }
        if let Some(id) = &self.execution_id {
            and("t.execution_id = {}", id.into());
        }
        for (name, value) in &self.others {
            let field = AUDIT_LOG.field(name).ok_or_else(|| {
                AUDIT_LOG
                    .fields()
                    .refuse(Kind::BadParameters, "Filter", &[name])
            })?;
            and(&format!("{} = {{}}", field.sql), value.into());
        }
        Ok(conditions)
    }
}

/// The query for one page. Nothing to order by is the time.
///
/// # Errors
/// 400 for a field that is none.
pub fn list_query(filter: &Filter, order: SortKey<'_>, paging: Paging) -> Result<ListQuery> {
    let field = AUDIT_LOG.field(order.name).ok_or_else(|| {
        AUDIT_LOG
            .fields()
            .refuse(Kind::BadParameters, "Sort", &[order.name])
    })?;
    let mut query = ListQuery {
        sort: vec![order.by(field.sql, [])],
        paging,
        ..ListQuery::everything()
    };
    for (condition, values) in filter.conditions()? {
        query.and(condition, values);
    }
    Ok(query)
}

/// The last place in the trail.
pub async fn newest(db: &impl Db, _scope: &Scope) -> Result<i64> {
    let row = db
        .first("select coalesce(max(key), 0) from audit_log", &[])
        .await?;
    row.map_or(Ok(0), |row| row.integer(0))
}

/// Entries after a place in the trail, as many as `most`, and the place to go on from. That is behind all
/// that was looked at, whether it matched or not.
///
/// Keys begin again below the place when the end of the trail was deleted. Then nothing is found, and the
/// place to go on from is the new end.
///
/// # Errors
/// 400 for a filter by a field that is none.
pub async fn after(
    db: &impl Db,
    scope: &Scope,
    filter: &Filter,
    place: i64,
    most: i64,
) -> Result<(Vec<Json>, i64)> {
    // From a place on, few entries follow. An index would lead through all from before it that match.
    let along = match place {
        ..=0 => "",
        _ => "not indexed",
    };
    let mut sql = format!(
        "select t.key, {} from audit_log t {along} where t.key > ?1",
        AUDIT_LOG.object_sql(None)
    );
    let mut values = params![place, most].to_vec();
    for (condition, more) in filter.conditions()? {
        let mut condition = condition;
        for value in more {
            values.push(value);
            condition = condition.replacen("{}", &format!("?{}", values.len()), 1);
        }
        sql.push_str(&format!(" and {condition}"));
    }
    sql.push_str(" order by t.key limit ?2");
    // Asked for first: what comes between the two statements is looked at, or is behind this.
    let newest = newest(db, scope).await?;
    if newest <= place {
        return Ok((Vec::new(), newest));
    }
    let (mut entries, mut last) = (Vec::new(), place);
    for row in db.query(&sql, &values).await? {
        last = row.integer(0)?;
        entries.push(row.json(1).map_err(|error: Error| error)?);
    }
    let is_all = i64::try_from(entries.len()).is_ok_and(|found| found < most);
    match is_all {
        true => Ok((entries, last.max(newest))),
        false => Ok((entries, last)),
    }
}
