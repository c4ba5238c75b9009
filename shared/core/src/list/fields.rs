//! The fields of an answer: their names, `_include`, and the refusal of unknown ones.

use super::{Field, FieldKind, Resource};
use crate::error::{Error, Kind, Result};
use crate::python;

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
