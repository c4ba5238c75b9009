//! Filters of the lists, in the words of the original: `{"task_type": {"exact": "update_quota"}}`.
//!
//! A field and a lookup are one path, `created_on__year__gte`, which may be cut at any `__`. All of it
//! becomes conditions of one statement, with the values as parameters. Only regular expressions are
//! looked at here, row by row, under limits: SQLite has none, and strangers' patterns may run long.

mod lookup;
mod page;
mod path;
mod search;

pub use page::{Listed, Page, page};

use search::Search;
use serde_json::{Map, Value};
use windlass_core::caller::Reach;
use windlass_core::db;
use windlass_core::{Error, Result, Scope};

const FORMAT: &str = "Filters incorrectly formatted. Required format: {'filters': {'fieldname': { 'operation': 'value'}}";

/// The most conditions of one filter.
const MOST: usize = 50;

/// What is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Root {
    /// Tasks.
    Tasks,
    /// Tokens.
    Tokens,
    /// Notifications.
    Notifications,
    /// Mails of the outbox. The original has none.
    Mails,
}

/// A condition: SQL in which each `{}` stands for one of the values.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Condition {
    sql: String,
    values: Vec<db::Value>,
    /// The same about the numbers in `row_counts`, where they know.
    counted: Option<String>,
}

impl Condition {
    fn new(sql: impl Into<String>, values: impl Into<Vec<db::Value>>) -> Self {
        Self {
            sql: sql.into(),
            values: values.into(),
            counted: None,
        }
    }
}

/// A filter that was read.
#[derive(Debug, Default)]
pub struct Filter {
    conditions: Vec<Condition>,
    searches: Vec<Search>,
    fields: Vec<String>,
}

impl Filter {
    /// Reads a filter of a list. None, an empty one and `{}` leave everything.
    ///
    /// # Errors
    /// 400 for what is no filter, naming the field, the lookup or the value.
    pub fn parse(root: Root, text: Option<&str>) -> Result<Self> {
        let text = text.unwrap_or_default().trim();
        if text.is_empty() {
            return Ok(Self::default());
        }
        let bad_format = || Error::bad_parameters(FORMAT);
        let given: Value = serde_json::from_str(text).map_err(|_| bad_format())?;
        let Value::Object(mut fields) = given else {
            return Err(bad_format());
        };
        // The documents of the original show one object around it.
        if let (1, Some(Value::Object(inner))) = (fields.len(), fields.get("filters")) {
            fields = inner.clone();
        }
        let mut filter = Self::default();
        let mut related: Vec<(path::Table, Condition)> = Vec::new();
        for (field, lookups) in &fields {
            let Value::Object(lookups) = lookups else {
                return Err(bad_format());
            };
            filter.add(root, field, lookups, &mut related)?;
        }
        if filter.conditions.len() + filter.searches.len() + related.len() > MOST {
            return Err(Error::bad_parameters(format!(
                "A filter can have {MOST} conditions at most."
            )));
        }
        filter.conditions.extend(path::exists(related));
        Ok(filter)
    }

    fn add(
        &mut self,
        root: Root,
        field: &str,
        lookups: &Map<String, Value>,
        related: &mut Vec<(path::Table, Condition)>,
    ) -> Result<()> {
        self.fields.push(field.to_owned());
        for (lookup, value) in lookups {
            let whole = format!("{field}__{lookup}");
            match path::resolve(root, &whole, value)? {
                path::Resolved::Own(condition) => self.conditions.push(condition),
                path::Resolved::Related(table, condition) => related.push((table, condition)),
                path::Resolved::Search(search) => self.searches.push(search),
            }
        }
        Ok(())
    }

    /// Whether it says something about this field.
    pub fn mentions(&self, field: &str) -> bool {
        let of_field = |one: &String| one.split("__").next() == Some(field);
        self.fields.iter().any(of_field)
    }

    /// Leaves only notifications that nobody has acknowledged.
    pub fn only_unacknowledged(&mut self) {
        let mut condition = Condition::new("n.acknowledged = 0", []);
        condition.counted = Some("first = 0".into());
        self.conditions.push(condition);
    }
}

/// Refuses who does not look into all projects. Handlers ask for the role; this is for their mistakes.
pub(crate) fn demand_all(scope: &Scope) -> Result<()> {
    match scope.reach() {
        Reach::Everywhere => Ok(()),
        _ => Err(Error::forbidden("Only administrators see all projects.")),
    }
}

#[cfg(test)]
mod tests;
