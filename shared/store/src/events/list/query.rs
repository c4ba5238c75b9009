//! The parameters of an events list, read and checked before any SQL runs.

use super::FIELDS;
use windlass_core::db::Value;
use windlass_core::list::{Field, ListQuery, Paging, SortKey};
use windlass_core::{Error, Request, Result, Timestamp, limits};

/// Parameters that are neither filters nor begin with `_`.
const OWN: [&str; 3] = ["type", "include_logs", "store_before"];

/// How a filter compares.
enum Comparison {
    /// One of the values is the field's.
    OneOf(&'static str),
    /// The same in two ways: what equals one value comes in the order of an index, which what is in a
    /// list does not.
    OneOrSeveral(&'static str, &'static str),
    /// The whole text matches every one of the patterns.
    Like(&'static str),
}

/// The fields to filter by, in the order in which a refusal names them.
const FILTERS: [(&str, Comparison); 10] = [
    ("blueprint_id", Comparison::OneOf("t.blueprint_id in ({})")),
    (
        "deployment_id",
        Comparison::OneOf(
            "t.execution_key in (select key from executions where deployment_key in
                 (select key from deployments where id in ({})))",
        ),
    ),
    ("event_type", Comparison::OneOf("t.event_type in ({})")),
    (
        "execution_group_id",
        Comparison::OneOf("t.execution_group_id in ({})"),
    ),
    (
        "execution_id",
        Comparison::OneOrSeveral(
            "t.execution_key = (select key from executions where id = {})",
            "t.execution_key in (select key from executions where id in ({}))",
        ),
    ),
    ("level", Comparison::OneOf("t.level in ({})")),
    ("message", Comparison::Like("t.message")),
    // Old clients name a node instance by its node.
    (
        "node_id",
        Comparison::OneOf("(t.node_name in ({}) or t.node_instance_id in ({}))"),
    ),
    (
        "node_instance_id",
        Comparison::OneOf("t.node_instance_id in ({})"),
    ),
    ("operation", Comparison::Like("t.operation")),
];

/// Filters after which so few rows are left that their own index is the way to them.
const NARROW: [&str; 3] = ["execution_id", "deployment_id", "node_instance_id"];

/// The longest pattern of a `like` filter: matching takes time with its length.
const PATTERN_LENGTH: usize = 1000;

/// What every list is sorted by in the end.
const TIMESTAMP: &str = "t.timestamp";

/// The times of a row: their names, and the numbers that are compared rather than their texts.
const TIMES: [(&str, &str); 2] = [
    ("timestamp", TIMESTAMP),
    (
        "reported_timestamp",
        "coalesce(t.reported_timestamp, t.timestamp)",
    ),
];

/// Which of the two kinds of rows are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kinds {
    /// What happened.
    Events,
    /// What was said about it.
    Logs,
    /// The two, in one order.
    Both,
}

/// What a request asks the list of events for.
#[derive(Clone, Debug)]
pub struct EventQuery {
    /// Fields, conditions, order and page, as other lists have them.
    pub(in crate::events) query: ListQuery,
    /// Whether so few rows are left that their own index is the way to them.
    pub(super) is_narrow: bool,
}

impl EventQuery {
    /// The fields, conditions, order and page.
    pub(crate) const fn query(&self) -> &ListQuery {
        &self.query
    }

    /// Reads the parameters of a request for these kinds of rows.
    ///
    /// # Errors
    /// 400 for unknown filters, ranges and sort fields, bad times and bad numbers.
    pub fn parse(request: &Request, kinds: Kinds) -> Result<Self> {
        if request.query.len() > limits::QUERY_PARAMETERS {
            return Err(Error::bad_parameters("The query has too many parameters"));
        }
        let mut query = Self {
            query: ListQuery {
                include: FIELDS.include_known(request.query_value("_include")),
                paging: Paging::parse(request, super::PAGE_SIZE)?,
                ..ListQuery::everything()
            },
            is_narrow: false,
        };
        match kinds {
            Kinds::Events => query.query.and("t.is_log = 0", []),
            Kinds::Logs => query.query.and("t.is_log = 1", []),
            Kinds::Both => {}
        }
        query.read_filters(request)?;
        for text in request.query_values("_range") {
            query.read_range(text)?;
        }
        query.read_sort(request)?;
        Ok(query)
    }

    /// The kinds a list is asked for: `type` decides; without it, events and, if
    /// `include_logs` says so, logs.
    pub fn kinds(request: &Request) -> Result<Kinds> {
        let include_logs = request.query_bool("include_logs")?.unwrap_or(false);
        let (mut events, mut logs) = (false, false);
        for kind in request.query_values("type") {
            match kind {
                "cloudify_event" => events = true,
                "cloudify_log" => logs = true,
                other => {
                    return Err(Error::bad_parameters(format!(
                        "Unknown type: {other}. Allowed values: cloudify_event, cloudify_log"
                    )));
                }
            }
        }
        Ok(match (events, logs) {
            (true, true) => Kinds::Both,
            (true, false) => Kinds::Events,
            (false, true) => Kinds::Logs,
            (false, false) if include_logs => Kinds::Both,
            (false, false) => Kinds::Events,
        })
    }

    /// The direction of what orders rows that are equal so far.
    pub(super) fn is_descending(&self) -> bool {
        self.query.sort.last().is_some_and(|sort| sort.descending)
    }

    fn read_filters(&mut self, request: &Request) -> Result<()> {
        for (name, _) in &request.query {
            let known = FILTERS.iter().any(|(filter, _)| *filter == canonical(name));
            if !known && !name.starts_with('_') && !OWN.contains(&name.as_str()) {
                let allowed: Vec<&str> = FILTERS.iter().map(|(filter, _)| *filter).collect();
                return Err(Error::bad_parameters(format!(
                    "Unknown field to filter by: {name}. Allowed values: {}",
                    allowed.join(", ")
                )));
            }
        }
        for (filter, comparison) in FILTERS {
            let values: Vec<&str> = request
                .query
                .iter()
                .filter(|(name, _)| canonical(name) == filter)
                .map(|(_, value)| value.as_str())
                .collect();
            if values.is_empty() {
                continue;
            }
            self.is_narrow |= NARROW.contains(&filter);
            match comparison {
                Comparison::OneOrSeveral(one, _) if values.len() == 1 => {
                    self.read_values(one, &values);
                }
                Comparison::OneOf(sql) | Comparison::OneOrSeveral(_, sql) => {
                    self.read_values(sql, &values);
                }
                Comparison::Like(column) => {
                    for pattern in values {
                        self.read_pattern(filter, column, pattern)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Adds a condition. Some compare two columns, each with all of the values.
    fn read_values(&mut self, sql: &str, values: &[&str]) {
        let columns = sql.matches("{}").count();
        let condition = sql.replace("{}", &vec!["{}"; values.len()].join(", "));
        let values = values.repeat(columns);
        let values: Vec<Value> = values.into_iter().map(Value::from).collect();
        self.query.and(condition, values);
    }

    fn read_pattern(&mut self, filter: &str, column: &str, pattern: &str) -> Result<()> {
        if pattern.len() > PATTERN_LENGTH {
            return Err(Error::bad_parameters(format!(
                "The pattern for {filter} is longer than {PATTERN_LENGTH} bytes"
            )));
        }
        self.query
            .and(format!("{column} like {{}} escape '\\'"), [pattern.into()]);
        Ok(())
    }

    /// Reads `field,from,to`; one of the two times may be left out.
    fn read_range(&mut self, text: &str) -> Result<()> {
        let parts: Vec<&str> = text.split(',').map(str::trim).collect();
        let &[name, from, to] = parts.as_slice() else {
            return Err(Error::bad_parameters(format!(
                "Range filter `{text}` must be of the form: field,[from],[to]"
            )));
        };
        if from.is_empty() && to.is_empty() {
            return Err(Error::bad_parameters(format!(
                "Range filter `{text}` must have a beginning or an end"
            )));
        }
        let Some(field) = field(name) else {
            return Err(Error::bad_parameters(format!(
                "Unknown field to filter by range: {}",
                name.trim_start_matches('@')
            )));
        };
        for (limit, comparison) in [(from, ">="), (to, "<")] {
            if !limit.is_empty() {
                let limit = Timestamp::parse("_range", limit)?;
                let (sql, limit) = match time(field) {
                    Some(sql) => (sql, limit.millis().into()),
                    None => (field.sql, limit.into()),
                };
                self.query.and(format!("{sql} {comparison} {{}}"), [limit]);
            }
        }
        Ok(())
    }

    fn read_sort(&mut self, request: &Request) -> Result<()> {
        for key in SortKey::of(request)? {
            let Some(field) = field(key.name) else {
                return Err(Error::bad_parameters(format!(
                    "Unknown field to sort by: {}",
                    key.name.trim_start_matches('@')
                )));
            };
            self.query
                .sort
                .push(key.by(time(field).unwrap_or(field.sql), []));
        }
        if !self.query.sort.iter().any(|sort| sort.sql == TIMESTAMP) {
            let last = SortKey {
                name: "timestamp",
                descending: self.is_descending(),
            };
            self.query.sort.push(last.by(TIMESTAMP, []));
        }
        Ok(())
    }
}

impl From<&EventQuery> for Paging {
    fn from(query: &EventQuery) -> Self {
        query.query.paging
    }
}

/// The filter that a name stands for.
fn canonical(name: &str) -> &str {
    if name == "message.text" {
        "message"
    } else {
        name
    }
}

/// A field by its name, which old clients write with an `@`.
fn field(name: &str) -> Option<&'static Field> {
    let name = name.trim_start_matches('@');
    FIELDS.find(name)
}

/// What a time is compared and sorted by.
fn time(field: &Field) -> Option<&'static str> {
    let (_, sql) = TIMES.iter().find(|(name, _)| *name == field.name)?;
    Some(sql)
}
