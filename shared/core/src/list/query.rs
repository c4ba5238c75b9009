//! The parameters of a list, read and checked before any SQL runs.

use super::{Field, FieldKind, Resource};
use crate::db::Value;
use crate::error::{Error, Kind, Result};
use crate::limits;
use crate::request::{Request, parse_bool};
use unicode_normalization::UnicodeNormalization;

/// One `_sort`.
#[derive(Clone, Debug)]
pub struct Sort {
    /// The SQL expression.
    pub sql: String,
    /// Whether larger values come first.
    pub descending: bool,
}

/// What a request asks a list for.
#[derive(Clone, Debug)]
pub struct ListQuery {
    /// The fields to show; all when absent.
    pub include: Option<Vec<&'static Field>>,
    /// Conditions that must all hold, with `{}` for each of their values.
    pub conditions: Vec<(String, Vec<Value>)>,
    /// The order; creation when empty.
    pub sort: Vec<Sort>,
    /// The page size as asked for, or the default.
    pub size: u64,
    /// How many items to skip.
    pub offset: u64,
    /// No limit at all.
    pub all_results: bool,
    /// Also what other tenants have, as far as the caller may see it.
    pub all_tenants: bool,
}

impl ListQuery {
    /// Reads the common parameters of a list of this resource. Names in `own` are the endpoint's
    /// own parameters and left to it; any other name that does not begin with `_` is a filter.
    ///
    /// # Errors
    /// 400 for unknown fields, bad numbers and bad truth values, as `conventions` of the API say.
    pub fn parse(resource: &Resource, request: &Request, own: &[&str]) -> Result<Self> {
        if request.query.len() > limits::QUERY_PARAMETERS {
            return Err(Error::bad_parameters("The query has too many parameters"));
        }
        let mut query = Self {
            include: resource.parse_include(request.query_value("_include"))?,
            conditions: Vec::new(),
            sort: Vec::new(),
            size: number(request, "_size")?.unwrap_or(limits::PAGE_SIZE),
            offset: number(request, "_offset")?.unwrap_or(0),
            all_results: request.query_bool("_get_all_results")?.unwrap_or(false),
            all_tenants: request.query_bool("_all_tenants")?.unwrap_or(false),
        };
        query.read_filters(resource, request, own)?;
        query.read_sort(resource, request)?;
        if let (Some(sql), Some(text)) = (resource.search, request.query_value("_search")) {
            query.search(sql, text);
        }
        Ok(query)
    }

    /// A query for everything, as the application's own code asks.
    pub fn everything() -> Self {
        Self {
            include: None,
            conditions: Vec::new(),
            sort: Vec::new(),
            size: limits::PAGE_SIZE,
            offset: 0,
            all_results: true,
            all_tenants: false,
        }
    }

    /// Adds a condition; each `{}` in it stands for the next value.
    pub fn and(&mut self, condition: impl Into<String>, values: impl Into<Vec<Value>>) {
        self.conditions.push((condition.into(), values.into()));
    }

    /// Adds a case-insensitive substring search on an SQL expression.
    pub fn search(&mut self, sql: &str, text: &str) {
        if !text.is_empty() {
            self.and(
                format!("{sql} like {{}} escape '\\'"),
                [Value::Text(like_pattern(text))],
            );
        }
    }

    fn read_filters(&mut self, resource: &Resource, request: &Request, own: &[&str]) -> Result<()> {
        let mut unknown = Vec::new();
        let mut filters: Vec<(&Field, Vec<Value>)> = Vec::new();
        for (name, text) in &request.query {
            if name.starts_with('_') || own.contains(&name.as_str()) {
                continue;
            }
            let Some(field) = resource.field(name) else {
                unknown.push(name.as_str());
                continue;
            };
            let value = filter_value(field, text)?;
            match filters
                .iter_mut()
                .find(|(known, _)| known.name == field.name)
            {
                Some((_, values)) => values.push(value),
                None => filters.push((field, vec![value])),
            }
        }
        if !unknown.is_empty() {
            unknown.dedup();
            return Err(resource.no_such(Kind::BadParameters, "Filter", &unknown));
        }
        for (field, values) in filters {
            let condition = match values.len() {
                1 => format!("{} = {{}}", field.sql),
                count => format!("{} in ({})", field.sql, vec!["{}"; count].join(", ")),
            };
            self.and(condition, values);
        }
        Ok(())
    }

    fn read_sort(&mut self, resource: &Resource, request: &Request) -> Result<()> {
        let mut unknown = Vec::new();
        for text in request
            .query_values("_sort")
            .flat_map(|text| text.split(','))
        {
            // A `+` that was not encoded arrives as a space.
            let text = text.trim();
            let (name, descending) = match text.strip_prefix('-') {
                Some(name) => (name, true),
                None => (text.strip_prefix('+').unwrap_or(text), false),
            };
            match resource.field(name.trim()) {
                Some(field) => self.sort.push(Sort {
                    sql: field.sql.to_owned(),
                    descending,
                }),
                None if name.is_empty() => {}
                None => unknown.push(name),
            }
        }
        if unknown.is_empty() {
            return Ok(());
        }
        Err(resource.no_such(Kind::BadParameters, "Sort", &unknown))
    }
}

/// The pattern of a substring search: normalised, with nothing in it that `like` would interpret.
pub fn like_pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in text.nfkc() {
        if matches!(c, '\\' | '_' | '%') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

fn filter_value(field: &Field, text: &str) -> Result<Value> {
    match field.kind {
        FieldKind::Text | FieldKind::Json => Ok(Value::from(text)),
        FieldKind::Boolean => parse_bool(field.name, text).map(Value::from),
        FieldKind::Integer | FieldKind::Real => match text.trim().parse::<i64>() {
            Ok(number) => Ok(Value::Integer(number)),
            Err(_) => text.trim().parse::<f64>().map(Value::Real).map_err(|_| {
                Error::bad_parameters(format!("{}: `{text}` is not a number", field.name))
            }),
        },
    }
}

fn number(request: &Request, name: &str) -> Result<Option<u64>> {
    let Some(text) = request.query_value(name) else {
        return Ok(None);
    };
    match text.trim().parse::<u64>() {
        // SQLite counts in signed 64 bits.
        Ok(number) if i64::try_from(number).is_ok() => Ok(Some(number)),
        _ => Err(Error::bad_parameters(format!(
            "Invalid pagination: {name} must be an integer of 0 or more, got {text}"
        ))),
    }
}
