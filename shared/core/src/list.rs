//! Lists: all parsing, limits, refusals and SQL of `_include`, filters, `_sort`, `_size`,
//! `_offset`, `_search` and `_get_all_results`.
//!
//! The parts can be used one by one. [`Fields`] are the names of an answer; a [`Resource`] adds the
//! table they come from; a [`Listing`] adds searches and sort keys of its own; a [`ListQuery`] is
//! what one request asks for, and takes further conditions. Lists that are not one table (events,
//! labels) use [`Fields`], [`SortKey`], [`Paging`] and [`Page`] around a statement of their own.
//!
//! A page is made inside SQLite, so one row of JSON text crosses into the component instead of
//! hundreds; a large one in pieces, while it is sent. Names of columns in a statement come from declarations, never from a request.

mod counts;
mod fields;
mod item;
mod page;
mod pieces;
mod query;
mod remembered;
mod search;
mod sort;
mod sql;
mod summary;

pub use counts::{Counts, Kept, TotalOf, total_sql};
pub use fields::Fields;
pub use page::{Page, Paging};
pub use pieces::{OpenPage, PageStatement, open_page, page, page_of_texts};
pub use query::{CountedFrom, ListQuery, Listing, like_pattern};
pub use remembered::Version;
pub use search::{IndexedSearch, Search};
pub use sort::{Sort, SortKey};
pub use sql::Statement;
pub use summary::{Summary, SummaryOf};

use crate::error::Result;

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
    /// A field that no statement makes: its name alone.
    pub const fn named(name: &'static str) -> Self {
        Self::text(name, "null")
    }

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

    /// A number with a fraction.
    pub const fn real(name: &'static str, sql: &'static str) -> Self {
        Self {
            name,
            sql,
            kind: FieldKind::Real,
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
#[allow(
    clippy::indexing_slicing,
    reason = "runs while compiling: a wrong index is an error of the build"
)]
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
    /// Every field of an answer, in the order of the answer. The first is what clients name an
    /// item by.
    pub fields: &'static [Field],
    /// What `_search` looks into, if it does.
    pub search: Option<Search>,
    /// Whether the table has tenant_name, visibility and created_by and is isolated by them.
    pub of_tenant: bool,
    /// The numbers that totals are read from; the first that can answer does. None for a table
    /// that stays small, and for one whose every list is about few of its rows.
    pub counts: &'static [&'static Counts],
}

impl Resource {
    /// The fields alone.
    pub const fn fields(&self) -> Fields {
        Fields(self.fields)
    }

    /// The SQL expression that clients name an item by: its first field.
    pub fn id_sql(&self) -> &'static str {
        self.fields.first().map_or("null", |field| field.sql)
    }

    /// The field of this name.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields().find(name)
    }

    /// The `json_object(..)` of these fields, or of all.
    pub fn object_sql(&self, include: Option<&[&'static Field]>) -> String {
        self.fields().object_sql(include)
    }

    /// Reads `_include`, see [`Fields::include`].
    pub fn parse_include(&self, text: Option<&str>) -> Result<Option<Vec<&'static Field>>> {
        self.fields().include(text)
    }
}

#[cfg(test)]
#[path = "list/tests.rs"]
mod tests;
