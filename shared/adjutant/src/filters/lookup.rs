//! Lookups: how a column is compared, and what the value has to be.

use super::Condition;
use crate::task_type::TaskType;
use crate::tasks::plain_id;
use serde_json::Value;
use windlass_core::{Error, Result, Timestamp, db, hashing};
use windlass_pattern::Pattern;

/// The longest regular expression, in bytes.
const LONGEST_PATTERN: usize = 256;

/// The most values of a list.
const MOST_VALUES: usize = 1000;

/// What a column, or a part of one, holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// JSON, which is filtered as its text.
    Json,
    /// The name of a type of tasks, in any of its spellings.
    TaskType,
    Boolean,
    Time,
    Integer,
    /// A secret, of which only the digest is there.
    Digest,
    /// The day of a time.
    Date,
    /// The time of the day.
    Clock,
}

impl Kind {
    /// What the original calls it.
    const fn django(self) -> &'static str {
        match self {
            Self::Text | Self::TaskType | Self::Digest => "CharField",
            Self::Json => "JSONField",
            Self::Boolean => "BooleanField",
            Self::Time => "DateTimeField",
            Self::Integer => "IntegerField",
            Self::Date => "DateField",
            Self::Clock => "TimeField",
        }
    }

    const fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::Json | Self::TaskType)
    }

    const fn has_order(self) -> bool {
        !matches!(self, Self::Boolean | Self::Digest)
    }
}

/// What can be said about a column.
const KNOWN: [&str; 17] = [
    "exact",
    "iexact",
    "contains",
    "icontains",
    "startswith",
    "istartswith",
    "endswith",
    "iendswith",
    "regex",
    "iregex",
    "in",
    "isnull",
    "gt",
    "gte",
    "lt",
    "lte",
    "range",
];

/// Whether a word is a lookup rather than the name of a column.
pub(super) fn is_known(word: &str) -> bool {
    KNOWN.contains(&word)
}

/// What is compared.
#[derive(Clone, Debug)]
pub(super) struct Column {
    /// The expression.
    pub sql: String,
    /// What it holds.
    pub kind: Kind,
    /// The same in `row_counts`.
    pub counted: Option<&'static str>,
}

fn wrong(path: &str, why: impl std::fmt::Display) -> Error {
    let path: String = path.chars().take(200).collect();
    Error::bad_parameters(format!("{path}: {why}"))
}

fn unsupported(lookup: &str, kind: Kind) -> Error {
    let lookup: String = lookup.chars().take(100).collect();
    Error::bad_parameters(format!(
        "Unsupported lookup '{lookup}' for {} or join on the field not permitted.",
        kind.django()
    ))
}

/// The regular expression of a lookup, if it is one.
///
/// # Errors
/// 400 for what is none, or too long.
pub(super) fn pattern(
    column: &Column,
    path: &str,
    lookups: &[&str],
    value: &Value,
) -> Result<Option<Pattern>> {
    let (["regex" | "iregex"], true) = (lookups, column.kind.is_text()) else {
        return Ok(None);
    };
    let Value::String(text) = value else {
        return Err(wrong(path, "a regular expression is a text"));
    };
    if text.len() > LONGEST_PATTERN {
        let why = format!("the regular expression is longer than {LONGEST_PATTERN} bytes");
        return Err(wrong(path, why));
    }
    // What is read alone must be a pattern: inside of another one it could mean something else.
    let bad = |problem| wrong(path, format_args!("not a regular expression: {problem}"));
    Pattern::new(text).map_err(bad)?;
    let (flags, rest) = leading_flags(text);
    let flags = match lookups {
        ["iregex"] if !flags.contains('i') => format!("{flags}i"),
        _ => flags.to_owned(),
    };
    let group = match flags.as_str() {
        "" => "(?:".to_owned(),
        flags => format!("(?{flags}:"),
    };
    // It may begin anywhere in the text. A comment at its end ends with the line.
    let end = if flags.contains('x') { "\n)" } else { ")" };
    let anywhere = format!("[\\s\\S]*?{group}{rest}{end}");
    Pattern::new(&anywhere).map(Some).map_err(bad)
}

/// The flags that a pattern begins with, as `i` of `(?i)`, and the rest.
fn leading_flags(text: &str) -> (&str, &str) {
    let inner = text
        .strip_prefix("(?")
        .and_then(|rest| rest.split_once(')'));
    match inner {
        Some((flags, rest))
            if !flags.is_empty() && flags.bytes().all(|flag| b"imsx".contains(&flag)) =>
        {
            (flags, rest)
        }
        _ => ("", text),
    }
}

/// A condition on a column.
///
/// # Errors
/// 400 for a lookup that it has not, and for a value of the wrong type.
pub(super) fn condition(
    column: Column,
    path: &str,
    lookups: &[&str],
    value: &Value,
) -> Result<Condition> {
    match lookups {
        [] => compare(&column, "exact", path, value),
        [one] => match part(&column, one) {
            Some(part) => compare(&part, "exact", path, value),
            None => compare(&column, one, path, value),
        },
        [first, second] => match part(&column, first) {
            Some(part) => compare(&part, second, path, value),
            None => Err(unsupported(first, column.kind)),
        },
        [first, ..] => Err(unsupported(first, column.kind)),
    }
}

/// A part of a time.
fn part(column: &Column, name: &str) -> Option<Column> {
    if column.kind != Kind::Time {
        return None;
    }
    let time = &column.sql;
    let number = |format: &str| format!("cast(strftime('{format}', {time}) as integer)");
    let weekday = number("%w");
    let (sql, kind) = match name {
        "date" => (format!("substr({time}, 1, 10)"), Kind::Date),
        "time" => (format!("substr({time}, 12, 12)"), Kind::Clock),
        "year" => (number("%Y"), Kind::Integer),
        "month" => (number("%m"), Kind::Integer),
        "day" => (number("%d"), Kind::Integer),
        "hour" => (number("%H"), Kind::Integer),
        "minute" => (number("%M"), Kind::Integer),
        "second" => (number("%S"), Kind::Integer),
        "quarter" => (format!("(({} + 2) / 3)", number("%m")), Kind::Integer),
        // Sunday is 1 here, and Monday there.
        "week_day" => (format!("({weekday} + 1)"), Kind::Integer),
        "iso_week_day" => (format!("(({weekday} + 6) % 7 + 1)"), Kind::Integer),
        // The week of the Thursday that is nearest.
        "week" => (
            format!(
                "((cast(strftime('%j', {time}, '-3 days', 'weekday 4') as integer) - 1) / 7 + 1)"
            ),
            Kind::Integer,
        ),
        _ => return None,
    };
    Some(Column {
        sql,
        kind,
        counted: None,
    })
}

fn compare(column: &Column, lookup: &str, path: &str, value: &Value) -> Result<Condition> {
    let sql = &column.sql;
    let one = |value: &Value| read(column.kind, path, value);
    let with = |form: &str| -> Result<Condition> {
        Ok(Condition::new(form.replace("{c}", sql), [one(value)?]))
    };
    let text = |form: &str| match column.kind.is_text() {
        true => with(form),
        false => Err(unsupported(lookup, column.kind)),
    };
    let order = |form: &str| match column.kind.has_order() {
        true => with(form),
        false => Err(unsupported(lookup, column.kind)),
    };
    match lookup {
        "exact" | "iexact" if value.is_null() => Ok(Condition::new(format!("{sql} is null"), [])),
        "exact" => exact(column, one(value)?),
        "in" => among(column, path, value),
        "isnull" => match value {
            Value::Bool(true) => Ok(Condition::new(format!("{sql} is null"), [])),
            Value::Bool(false) => Ok(Condition::new(format!("{sql} is not null"), [])),
            _ => Err(wrong(path, "expected true or false")),
        },
        "gt" => order("{c} > {}"),
        "gte" => order("{c} >= {}"),
        "lt" => order("{c} < {}"),
        "lte" => order("{c} <= {}"),
        "range" if column.kind.has_order() => match value.as_array().map(Vec::as_slice) {
            Some([low, high]) => {
                let ends = [one(low)?, one(high)?];
                Ok(Condition::new(format!("{sql} between {{}} and {{}}"), ends))
            }
            _ => Err(wrong(path, "expected a list of two values")),
        },
        "iexact" => text("lower({c}) = lower({})"),
        "contains" => text("instr({c}, {}) > 0"),
        "icontains" => text("instr(lower({c}), lower({})) > 0"),
        "startswith" => text("instr({c}, {}) = 1"),
        "istartswith" => text("instr(lower({c}), lower({})) = 1"),
        "endswith" | "iendswith" if column.kind.is_text() => {
            Ok(ending(sql, one(value)?, lookup == "iendswith"))
        }
        _ => Err(unsupported(lookup, column.kind)),
    }
}

/// How a text ends. Every text ends with nothing.
fn ending(column: &str, end: db::Value, in_any_case: bool) -> Condition {
    if end == db::Value::Text(String::new()) {
        return Condition::new(format!("{column} is not null"), []);
    }
    let form = match in_any_case {
        true => format!("lower(substr({column}, -length({{}}))) = lower({{}})"),
        false => format!("substr({column}, -length({{}})) = {{}}"),
    };
    Condition::new(form, [end.clone(), end])
}

/// Equality, which totals that are kept know, too.
fn exact(column: &Column, value: db::Value) -> Result<Condition> {
    let sql = &column.sql;
    // As a literal, so that SQLite sees which index has such rows.
    if let (Kind::Boolean, db::Value::Integer(flag)) = (column.kind, &value) {
        let mut condition = Condition::new(format!("{sql} = {flag}"), []);
        condition.counted = column.counted.map(|counted| format!("{counted} = {flag}"));
        return Ok(condition);
    }
    let mut condition = Condition::new(format!("{sql} = {{}}"), [value]);
    condition.counted = column.counted.map(|counted| format!("{counted} = {{}}"));
    Ok(condition)
}

/// One of several values. A text is the list of its letters, as in the original.
fn among(column: &Column, path: &str, value: &Value) -> Result<Condition> {
    let letters: Vec<Value>;
    let items = match value {
        Value::Array(items) => items,
        Value::String(text) if column.kind.is_text() => {
            letters = text
                .chars()
                .map(|letter| letter.to_string().into())
                .collect();
            &letters
        }
        _ => return Err(wrong(path, "expected a list")),
    };
    if items.len() > MOST_VALUES {
        return Err(wrong(path, format_args!("more than {MOST_VALUES} values")));
    }
    let mut values = Vec::with_capacity(items.len());
    for item in items.iter().filter(|item| !item.is_null()) {
        values.push(match read(column.kind, path, item)? {
            db::Value::Integer(number) => Value::from(number),
            db::Value::Text(text) => Value::from(text),
            _ => return Err(wrong(path, "not a value that can be in a list")),
        });
    }
    let list = "in (select value from json_each({}))";
    let mut condition = Condition::new(
        format!("{} {list}", column.sql),
        [db::Value::from(&Value::from(values))],
    );
    condition.counted = column.counted.map(|counted| format!("{counted} {list}"));
    Ok(condition)
}

/// A value, as the column has such.
fn read(kind: Kind, path: &str, value: &Value) -> Result<db::Value> {
    match kind {
        Kind::Text | Kind::Json | Kind::TaskType | Kind::Digest => {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                _ => return Err(wrong(path, "expected a text")),
            };
            Ok(match kind {
                Kind::Digest => hashing::digest(&plain_id(&text)).into(),
                Kind::TaskType => match TaskType::named(&text) {
                    Some(of) => of.name().into(),
                    None => text.into(),
                },
                Kind::Text if is_dashed_id(&text) => plain_id(&text).into(),
                _ => text.into(),
            })
        }
        Kind::Boolean => match value {
            Value::Bool(flag) => Ok((*flag).into()),
            Value::Number(number) if number.as_i64() == Some(1) => Ok(true.into()),
            Value::Number(number) if number.as_i64() == Some(0) => Ok(false.into()),
            _ => Err(wrong(path, "expected true or false")),
        },
        Kind::Integer => match value.as_i64() {
            Some(number) => Ok(number.into()),
            None => match value
                .as_str()
                .and_then(|text| text.trim().parse::<i64>().ok())
            {
                Some(number) => Ok(number.into()),
                None => Err(wrong(path, "expected a whole number")),
            },
        },
        Kind::Time => match value {
            Value::String(text) => match Timestamp::parse("time", text) {
                Ok(time) => Ok(time.into()),
                Err(_) => Err(wrong(path, "expected a time in ISO 8601")),
            },
            _ => Err(wrong(path, "expected a time in ISO 8601")),
        },
        Kind::Date => match value.as_str().filter(|text| text.len() == 10) {
            Some(text) if Timestamp::parse("date", text).is_ok() => Ok(text.into()),
            _ => Err(wrong(path, "expected a date, YYYY-MM-DD")),
        },
        Kind::Clock => {
            let time = value
                .as_str()
                .and_then(|text| Timestamp::parse("time", &format!("2000-01-01T{text}")).ok());
            match time {
                Some(time) => Ok(time.format("%H:%M:%S%.3f").into()),
                None => Err(wrong(path, "expected a time of the day, HH:MM:SS")),
            }
        }
    }
}

/// Whether a text is an id as other programs write it, with dashes.
fn is_dashed_id(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}
