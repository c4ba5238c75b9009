//! The fields of an answer: their names, `_include`, and the refusal of unknown ones.

use super::{Field, FieldKind, Resource};
use crate::db::Row;
use crate::error::{Error, Kind, Result};
use crate::python;
use std::fmt::Write as _;

/// The fields of an answer, in its order. Answers that no statement makes have fields too.
#[derive(Clone, Copy, Debug)]
pub struct Fields(pub &'static [Field]);

impl Fields {
    /// The field of this name.
    pub fn find(self, name: &str) -> Option<&'static Field> {
        self.0.iter().find(|field| field.name == name)
    }

    /// The refusal of names that do not exist, in the words that clients know.
    pub fn refuse(self, kind: Kind, what: &str, names: &[&str]) -> Error {
        let allowed: Vec<&str> = self.0.iter().map(|field| field.name).collect();
        Error::new(
            kind,
            format!(
                "{what} keys '{}' do not exist. Allowed keys are: {}",
                python::list(names),
                python::list(allowed)
            ),
        )
    }

    /// Reads `_include`: the fields to show in the order in which they were named, each once, or
    /// nothing for all of them.
    ///
    /// # Errors
    /// 400 `no_such_include_field_error`, naming the unknown ones.
    pub fn include(self, text: Option<&str>) -> Result<Option<Vec<&'static Field>>> {
        let Some(names) = names(text) else {
            return Ok(None);
        };
        let is_unknown = |name: &&str| self.find(name).is_none();
        let unknown: Vec<&str> = names.iter().copied().filter(is_unknown).collect();
        if !unknown.is_empty() {
            return Err(self.refuse(Kind::NoSuchIncludeField, "Include", &unknown));
        }
        Ok(Some(self.among(&names)))
    }

    /// As [`Self::include`], for lists that take no notice of unknown names.
    pub fn include_known(self, text: Option<&str>) -> Option<Vec<&'static Field>> {
        names(text).map(|names| self.among(&names))
    }

    fn among(self, names: &[&str]) -> Vec<&'static Field> {
        let mut named: Vec<&'static Field> = Vec::new();
        for field in names.iter().filter_map(|name| self.find(name)) {
            if named.iter().all(|known| known.name != field.name) {
                named.push(field);
            }
        }
        named
    }

    /// The `json_object(..)` of these fields, or of all.
    pub fn object_sql(self, include: Option<&[&'static Field]>) -> String {
        match include {
            Some(fields) => object_sql(fields.iter().copied()),
            None => object_sql(self.0.iter()),
        }
    }

    /// These fields, or all, each as a column.
    pub fn columns(self, include: Option<&[&'static Field]>) -> Columns {
        Columns(match include {
            Some(fields) => fields.to_vec(),
            None => self.0.iter().collect(),
        })
    }
}

impl From<&Resource> for Fields {
    fn from(resource: &Resource) -> Self {
        resource.fields()
    }
}

/// The names in `_include`; nothing when there are none.
fn names(text: Option<&str>) -> Option<Vec<&str>> {
    let text = text.filter(|text| !text.trim().is_empty())?;
    Some(text.split(',').map(str::trim).collect())
}

fn object_sql(fields: impl Iterator<Item = &'static Field>) -> String {
    let mut sql = String::from("json_object(");
    for (index, field) in fields.enumerate() {
        let separator = if index > 0 { ", " } else { "" };
        let _ = write!(sql, "{separator}'{}', {}", field.name, value_sql(field));
    }
    sql.push(')');
    sql
}

/// The expression of a field, as a function of JSON takes it.
fn value_sql(field: &Field) -> String {
    let sql = field.sql;
    match field.kind {
        FieldKind::Text | FieldKind::Integer | FieldKind::Real => sql.to_owned(),
        FieldKind::Boolean => {
            format!("json(case {sql} when 1 then 'true' when 0 then 'false' end)")
        }
        FieldKind::Json => format!("json({sql})"),
    }
}

/// The fields of an item as columns of their own, for items that are too large for one value.
#[derive(Clone, Debug)]
pub struct Columns(Vec<&'static Field>);

impl Columns {
    /// The fields, in their order.
    pub fn fields(&self) -> impl Iterator<Item = &'static Field> + '_ {
        self.0.iter().copied()
    }

    /// What a statement selects: each field as JSON text.
    pub fn sql(&self) -> String {
        let columns = self.0.iter();
        let columns: Vec<String> = columns
            .map(|field| format!("json_quote({})", value_sql(field)))
            .collect();
        columns.join(", ")
    }

    /// The item that a row of these columns is, as `json_object(..)` would write it.
    ///
    /// # Errors
    /// Internal, for a row of other columns.
    pub fn object(&self, row: &Row) -> Result<String> {
        let mut object = String::from("{");
        for (index, field) in self.0.iter().enumerate() {
            let separator = if index > 0 { "," } else { "" };
            let _ = write!(object, "{separator}\"{}\":{}", field.name, row.text(index)?);
        }
        object.push('}');
        Ok(object)
    }
}
