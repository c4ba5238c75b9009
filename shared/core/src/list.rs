//! Lists: all parsing, limits, refusals and SQL of `_include`, filters, `_sort`, `_size`,
//! `_offset`, `_search`, `_get_all_results` and `_all_tenants`.
//!
//! A resource declares its fields once, in a [`Resource`]. The query that comes from it builds the
//! whole page inside SQLite, so one row of JSON text crosses into the component instead of
//! hundreds; column names in a statement come from the declaration, never from a request.

mod query;
mod sql;

pub use query::{ListQuery, Sort, like_pattern};
pub use sql::Statement;

use crate::db::Db;
use crate::error::{Error, Kind, Result};
use crate::response::Response;
use serde::de::DeserializeOwned;
use windlass_python as python;

/// How a field is stored, and so how it is compared and rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// Text or null. Times are text too.
    Text,
    /// A whole number.
    Integer,
    /// A number with a fraction.
    Real,
    /// 0, 1 or null in the database; false, true or null in JSON.
    Boolean,
    /// JSON text.
    Json,
}

/// One field of a resource: its name in the API and where its value comes from.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The name in the API.
    pub name: &'static str,
    /// The SQL expression; the resource's own table has the alias `t`.
    pub sql: &'static str,
    /// How it is stored.
    pub kind: FieldKind,
}

impl Field {
    /// Text, or a time.
    pub const fn text(name: &'static str, sql: &'static str) -> Self {
        Self {
            name,
            sql,
            kind: FieldKind::Text,
        }
    }

    /// A whole number.
    pub const fn integer(name: &'static str, sql: &'static str) -> Self {
        Self {
            name,
            sql,
            kind: FieldKind::Integer,
        }
    }

    /// A truth value.
    pub const fn boolean(name: &'static str, sql: &'static str) -> Self {
        Self {
            name,
            sql,
            kind: FieldKind::Boolean,
        }
    }

    /// JSON text that is shown as what it says.
    pub const fn json(name: &'static str, sql: &'static str) -> Self {
        Self {
            name,
            sql,
            kind: FieldKind::Json,
        }
    }
}

/// The fields that every resource of a tenant ends with.
pub const COMMON: [Field; 5] = [
    Field::text("created_by", "t.created_by"),
    Field::text("tenant_name", "t.tenant_name"),
    Field::text("visibility", "t.visibility"),
    Field::boolean("private_resource", "t.visibility = 'private'"),
    Field::text("resource_availability", "t.visibility"),
];

/// Two tables of fields as one, for declarations: `concat::<20>(&OWN, &COMMON)`.
pub const fn concat<const N: usize>(own: &[Field], more: &[Field]) -> [Field; N] {
    assert!(
        own.len() + more.len() == N,
        "N must be the number of fields"
    );
    let mut all = [own[0]; N];
    let mut at = 0;
    while at < N {
        all[at] = if at < own.len() {
            own[at]
        } else {
            more[at - own.len()]
        };
        at += 1;
    }
    all
}

/// What can be listed: a table and the fields it shows.
#[derive(Clone, Copy, Debug)]
pub struct Resource {
    /// The type as clients know it, such as `Blueprint`.
    pub name: &'static str,
    /// The table with alias `t`, such as `blueprints t`. It has a column `key`.
    pub table: &'static str,
    /// Every field of an answer, in the order of the answer.
    pub fields: &'static [Field],
    /// The SQL expression that `_search` looks into, if it does.
    pub search: Option<&'static str>,
    /// Whether the table has tenant_name, visibility and created_by and is isolated by them.
    pub of_tenant: bool,
}

impl Resource {
    /// The field of this name.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The refusal of field names that do not exist, in the words clients know.
    fn no_such(&self, kind: Kind, what: &str, names: &[&str]) -> Error {
        let allowed: Vec<&str> = self.fields.iter().map(|field| field.name).collect();
        Error::new(
            kind,
            format!(
                "{what} keys '{}' do not exist. Allowed keys are: {}",
                python::list(names),
                python::list(allowed)
            ),
        )
    }

    /// Reads `_include`: the fields to show, or nothing for all of them.
    ///
    /// # Errors
    /// 400 `no_such_include_field_error`, naming the unknown ones.
    pub fn parse_include(&self, text: Option<&str>) -> Result<Option<Vec<&'static Field>>> {
        let Some(text) = text.filter(|text| !text.trim().is_empty()) else {
            return Ok(None);
        };
        let names: Vec<&str> = text.split(',').map(str::trim).collect();
        let unknown: Vec<&str> = names
            .iter()
            .copied()
            .filter(|name| self.field(name).is_none())
            .collect();
        if !unknown.is_empty() {
            return Err(self.no_such(Kind::NoSuchIncludeField, "Include", &unknown));
        }
        Ok(Some(
            self.fields
                .iter()
                .filter(|field| names.contains(&field.name))
                .collect::<Vec<_>>(),
        ))
    }

    /// The `json_object(..)` of these fields, or of all.
    pub fn object_sql(&self, include: Option<&[&'static Field]>) -> String {
        let mut sql = String::from("json_object(");
        let all: Vec<&Field>;
        let fields = match include {
            Some(fields) => fields,
            None => {
                all = self.fields.iter().collect();
                &all
            }
        };
        for (index, field) in fields.iter().enumerate() {
            if index > 0 {
                sql.push_str(", ");
            }
            sql.push('\'');
            sql.push_str(field.name);
            sql.push_str("', ");
            match field.kind {
                FieldKind::Text | FieldKind::Integer | FieldKind::Real => sql.push_str(field.sql),
                FieldKind::Boolean => {
                    sql.push_str("json(case ");
                    sql.push_str(field.sql);
                    sql.push_str(" when 1 then 'true' when 0 then 'false' end)");
                }
                FieldKind::Json => {
                    sql.push_str("json(");
                    sql.push_str(field.sql);
                    sql.push(')');
                }
            }
        }
        sql.push(')');
        sql
    }
}

/// One page: the items as JSON text, as SQLite made them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// A JSON array.
    pub items: String,
    /// How many there are before paging, after filters.
    pub total: i64,
    /// How many visible ones the filter rules left out, when there were rules.
    pub filtered: Option<i64>,
}

impl Page {
    /// The items as typed values.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<Vec<T>> {
        serde_json::from_str(&self.items).map_err(Error::internal)
    }

    /// The list envelope of Conductor.
    pub fn respond(&self, query: &ListQuery) -> Response {
        let filtered = self
            .filtered
            .map_or("null".to_owned(), |count| count.to_string());
        let mut body = String::with_capacity(self.items.len() + 128);
        body.push_str("{\"items\": ");
        body.push_str(&self.items);
        body.push_str(&format!(
            ", \"metadata\": {{\"pagination\": {{\"total\": {}, \"offset\": {}, \"size\": {}}}, \"filtered\": {filtered}}}}}",
            self.total, query.offset, query.size
        ));
        Response::json_text(200, body)
    }
}

/// Reads one page.
pub async fn page(db: &impl Db, statement: &Statement) -> Result<Page> {
    let row = db.first(&statement.sql, &statement.parameters).await?;
    let row = row.ok_or_else(|| Error::internal("a page answers one row"))?;
    Ok(Page {
        total: row.integer(0)?,
        items: match row.0.into_iter().nth(1) {
            Some(crate::db::Value::Text(items)) => items,
            other => return Err(Error::internal(format!("a page is text, not {other:?}"))),
        },
        filtered: None,
    })
}

#[cfg(test)]
#[path = "list/tests.rs"]
mod tests;
