//! What clients say about recurrence, in the form in which it is stored and shown.

use crate::calendar::is_of_month;
use crate::rrule::{Parts, weekday};
use recurrence::{Frequency, NWeekday};
use serde::Deserialize;
use serde_json::{Value, json};
use windlass_core::{Body, Error, Result, Timestamp};

/// A rule as clients see it: `{recurrence, count, weekdays}` or `{rrule}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Rule {
    /// An RRULE of iCalendar, as it was given; then the others are absent.
    rrule: Option<String>,
    /// A period, such as `2 weeks`; none for something that happens once.
    recurrence: Option<String>,
    /// How often, at most.
    count: Option<u32>,
    /// On which days: `MO`, or `2MO` and `L-MO` in a month.
    weekdays: Option<Vec<String>>,
}

impl From<&Rule> for Value {
    fn from(rule: &Rule) -> Self {
        match &rule.rrule {
            Some(rrule) => json!({ "rrule": rrule }),
            None => json!({
                "recurrence": rule.recurrence,
                "count": rule.count,
                "weekdays": rule.weekdays,
            }),
        }
    }
}

impl Rule {
    /// Something that happens once.
    pub fn once() -> Self {
        Self {
            count: Some(1),
            ..Self::default()
        }
    }

    /// Reads a rule from the body of a request; what it leaves open stays as it is `stored`.
    ///
    /// # Errors
    /// 400 for what is no rule.
    pub fn read(body: &Body, stored: Option<&Self>) -> Result<Self> {
        let given = Self {
            rrule: body.filled_text("rrule")?.map(str::to_owned),
            recurrence: body.filled_text("recurrence")?.map(str::to_owned),
            count: count(body)?,
            weekdays: weekdays(body)?,
        };
        let says_periods =
            given.recurrence.is_some() || given.count.is_some() || given.weekdays.is_some();
        let rule = match (given.rrule.is_some(), stored) {
            (true, _) if says_periods => {
                return Err(Error::bad_parameters(
                    "`rrule` cannot be provided together with `recurrence`, `weekdays` or `count`.",
                ));
            }
            (true, _) | (false, None) => given,
            (false, Some(stored)) if !says_periods => stored.clone(),
            (false, Some(stored)) => Self {
                rrule: None,
                recurrence: given.recurrence.or_else(|| stored.recurrence.clone()),
                count: given.count.or(stored.count),
                weekdays: given.weekdays.or_else(|| stored.weekdays.clone()),
            },
        };
        rule.parts()?;
        Ok(rule)
    }

    /// Whether it is an RRULE, which may say itself when it begins to count.
    pub fn is_text(&self) -> bool {
        self.rrule.is_some()
    }

    /// The rules to compute with, and how many moments they may name together.
    ///
    /// # Errors
    /// 400 for what is no rule.
    pub(crate) fn parts(&self) -> Result<(Vec<Parts>, Option<u32>)> {
        if let Some(rrule) = &self.rrule {
            return Ok((vec![Parts::parse(rrule)?], None));
        }
        let (recurrence, count) = (self.recurrence.as_deref(), self.count);
        let parts = match recurrence {
            Some(text) => period(text)?,
            None if count == Some(1) => Parts::of(Frequency::Daily, 1),
            None => {
                return Err(Error::bad_parameters(
                    "recurrence must be specified for execution count larger than 1",
                ));
            }
        };
        let weekdays = self.weekdays.as_deref().unwrap_or_default();
        if weekdays.is_empty() {
            return Ok((vec![Parts { count, ..parts }], None));
        }
        let mut rules = Vec::with_capacity(weekdays.len());
        for text in weekdays {
            let (position, day) = position_and_day(text).ok_or_else(|| invalid_weekday(text))?;
            if position.is_some() && !is_of_month(parts.frequency) {
                return Err(Error::bad_parameters(format!(
                    "complex weekday expression {text} can only be used with a months|years \
                     recurrence, but got {}",
                    recurrence.unwrap_or("none")
                )));
            }
            rules.push(Parts {
                weekdays: vec![NWeekday::Every(day)],
                set_positions: position.into_iter().collect(),
                ..parts.clone()
            });
        }
        Ok((rules, count))
    }
}

/// The moment that is a period such as `4 hours` later. A day that a month does not have is its last
/// one.
///
/// # Errors
/// 400 for what is no period.
pub fn later(moment: Timestamp, text: &str) -> Result<Timestamp> {
    let parts = period(text)?;
    if let Some(seconds) = parts.period() {
        return Ok(moment.plus_seconds(seconds));
    }
    let years = parts.frequency == Frequency::Yearly;
    let months = u32::from(parts.interval) * if years { 12 } else { 1 };
    let begin = chrono::DateTime::from_timestamp_millis(moment.millis());
    let end = begin.and_then(|begin| begin.checked_add_months(chrono::Months::new(months)));
    Ok(Timestamp::from_millis(
        end.map_or(i64::MAX, |end| end.timestamp_millis()),
    ))
}

/// Reads `<number>[ ]<unit>`.
fn period(text: &str) -> Result<Parts> {
    let refuse = |more: &str| {
        Error::bad_parameters(format!(
            "`{text}` is not a legal recurrence expression. Supported format is: \
             <number> seconds|minutes|hours|days|weeks|months|years{more}"
        ))
    };
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at(digits);
    let unit = rest.strip_prefix(' ').unwrap_or(rest);
    let unit = unit.strip_suffix('s').unwrap_or(unit);
    let frequency = match unit {
        "sec" | "second" => Frequency::Secondly,
        "min" | "minute" => Frequency::Minutely,
        "h" | "hour" => Frequency::Hourly,
        "d" | "day" => Frequency::Daily,
        "w" | "week" => Frequency::Weekly,
        "mo" | "month" => Frequency::Monthly,
        "y" | "year" => Frequency::Yearly,
        _ => return Err(refuse("")),
    };
    match number.parse() {
        Ok(number @ 1..) => Ok(Parts::of(frequency, number)),
        _ => Err(refuse(", with a number from 1 to 65535")),
    }
}

fn count(body: &Body) -> Result<Option<u32>> {
    let count =
        match body.get("count") {
            // The command line sends what was typed.
            Some(Value::String(text)) => text.trim().parse().map(Some).map_err(|_| {
                Error::bad_parameters(format!("count must be an integer, got {text}"))
            })?,
            _ => body.integer("count")?,
        };
    match count.map(u32::try_from) {
        None => Ok(None),
        Some(Ok(count @ 1..)) => Ok(Some(count)),
        Some(_) => Err(Error::bad_parameters(
            "count must be an integer between 1 and 4294967295",
        )),
    }
}

/// The weekdays of a body, in capitals. No weekday in the list is none given.
fn weekdays(body: &Body) -> Result<Option<Vec<String>>> {
    let Some(items) = body.list("weekdays")? else {
        return Ok(None);
    };
    // More than all of them in all positions says nothing new.
    if items.len() > 42 {
        return Err(Error::bad_parameters("weekdays has more than 42 items"));
    }
    let mut days = Vec::with_capacity(items.len());
    for item in items {
        let text = item
            .as_str()
            .ok_or_else(|| Error::wrong_type("weekdays", "list of str", item))?;
        let upper = text.to_uppercase();
        if position_and_day(&upper).is_none() {
            return Err(invalid_weekday(text));
        }
        if !days.contains(&upper) {
            days.push(upper);
        }
    }
    Ok(Some(days).filter(|days| !days.is_empty()))
}

fn invalid_weekday(text: &str) -> Error {
    Error::bad_parameters(format!(
        "weekdays list contains an invalid weekday `{text}`. Valid weekdays are: \
         SU|MO|TU|WE|TH|FR|SA or their lowercase values, optionally prefixed by 1-4 or l-/L-."
    ))
}

/// `MO`, `2MO` or `L-MO`: which of a period's days, -1 for the last, and the day.
fn position_and_day(text: &str) -> Option<(Option<i32>, recurrence::Weekday)> {
    let (position, day) = text.split_at_checked(text.len().checked_sub(2)?)?;
    let position = match position {
        "" => None,
        "L-" => Some(-1),
        "1" | "2" | "3" | "4" => Some(position.parse().ok()?),
        _ => return None,
    };
    Some((position, weekday(day)?))
}

#[cfg(test)]
mod tests;
