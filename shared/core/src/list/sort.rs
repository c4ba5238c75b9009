//! `_sort`: the keys of a request, and what a list makes of each.

use crate::db::Value;
use crate::error::{Error, Result};
use crate::limits;
use crate::request::Request;

/// One key of `_sort` as a request names it; what it stands for is the list's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortKey<'a> {
    /// The name, without its sign.
    pub name: &'a str,
    /// Whether larger values come first.
    pub descending: bool,
}

impl<'a> SortKey<'a> {
    /// Every key of a request, in the order of appearance.
    ///
    /// # Errors
    /// 400 for more than [`limits::SORT_KEYS`].
    pub fn of(request: &'a Request) -> Result<Vec<Self>> {
        let keys: Vec<Self> = request
            .query_values("_sort")
            .flat_map(|text| text.split(','))
            .map(Self::parse)
            .filter(|key| !key.name.is_empty())
            .take(limits::SORT_KEYS + 1)
            .collect();
        if keys.len() > limits::SORT_KEYS {
            return Err(Error::bad_parameters(format!(
                "_sort may have at most {} keys",
                limits::SORT_KEYS
            )));
        }
        Ok(keys)
    }

    fn parse(text: &'a str) -> Self {
        // A `+` that was not encoded arrives as a space.
        let text = text.trim();
        let (name, descending) = match text.strip_prefix('-') {
            Some(name) => (name, true),
            None => (text.strip_prefix('+').unwrap_or(text), false),
        };
        Self {
            name: name.trim(),
            descending,
        }
    }

    /// The order by an SQL expression, in the direction of this key. Each `{}` in the expression
    /// stands for the next value.
    pub fn by(self, sql: impl Into<String>, values: impl Into<Vec<Value>>) -> Sort {
        Sort {
            sql: sql.into(),
            values: values.into(),
            descending: self.descending,
        }
    }
}

/// One expression to sort by.
#[derive(Clone, Debug, PartialEq)]
pub struct Sort {
    /// The SQL expression, with `{}` for each of its values.
    pub sql: String,
    /// The values.
    pub values: Vec<Value>,
    /// Whether larger values come first.
    pub descending: bool,
}
