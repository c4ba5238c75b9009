//! Labels and deployment settings: names, groups and schedules that deployments get from their
//! blueprint.

use super::Blueprint;
use super::schema::{self, Key, key};
use crate::error::{Error, ErrorKind, Result, Under};
use crate::json::set;
use crate::yaml::Node;
use chrono::NaiveDateTime;
use serde_json::{Map, Value, json};
use windlass_python as python;

const SETTINGS: [Key; 4] = [
    key("default_schedules"),
    key("default_groups"),
    key("id_template"),
    key("display_name"),
];

const SCHEDULE: [Key; 12] = [
    key("workflow"),
    key("execution_arguments"),
    key("workflow_parameters"),
    key("since"),
    key("until"),
    key("recurrence"),
    key("timezone"),
    key("weekdays"),
    key("count"),
    key("default_enabled"),
    key("stop_after_fail"),
    key("slip"),
];

const EXECUTION: [Key; 4] = [
    key("force"),
    key("is_dry_run"),
    key("wait_after_fail"),
    key("allow_custom_parameters"),
];

const WEEKDAYS: [&str; 7] = ["su", "mo", "tu", "we", "th", "fr", "sa"];

impl Blueprint<'_> {
    /// Reads the section `labels`, for deployments. Values may be functions that can be evaluated
    /// when the deployment is created.
    pub(super) fn labels(&self) -> Result<Value> {
        self.entries("labels", |name, node| {
            for item in label_values(node)? {
                let value = item.to_value();
                if value.get("get_attribute").is_some() {
                    let message = format!(
                        "The label's value cannot be a runtime property. Please remove the `get_attribute` function from the values of {name}"
                    );
                    return Err(Error::parser(1, message).at(node));
                }
                if !value.is_string() && !value.is_object() {
                    let message = format!(
                        "The label's value must be a string or an intrinsic function. Please modify the values of {name}"
                    );
                    return Err(Error::parser(1, message).at(node));
                }
            }
            Ok(node.to_value())
        })
    }

    /// Reads the section `blueprint_labels`. Functions are not allowed, because nothing is
    /// evaluated for a blueprint.
    pub(super) fn blueprint_labels(&self) -> Result<Value> {
        self.entries("blueprint_labels", |name, node| {
            if label_values(node)?.iter().any(|item| item.as_str().is_none()) {
                let message = format!(
                    "The blueprint label's value must be a string. Please modify the values of {name}"
                );
                return Err(Error::parser(1, message).at(node));
            }
            Ok(node.to_value())
        })
    }

    /// Reads the section `deployment_settings`.
    pub(super) fn deployment_settings(&self) -> Result<Value> {
        let Some(node) = self.section("deployment_settings") else {
            return Ok(json!({}));
        };
        self.settings(node).under("deployment_settings")
    }

    fn settings(&self, node: &Node) -> Result<Value> {
        schema::check_keys(node, &SETTINGS, self.version)?;
        schema::text_at(node, "id_template")?;
        if let Some(groups) = node.get("default_groups") {
            schema::list(groups).under("default_groups")?;
        }
        if let Some(name) = node.get("display_name")
            && name.as_map().is_none()
        {
            schema::text(name).under("display_name")?;
        }
        let mut settings = node.to_value();
        let mut schedules = Map::new();
        for (name, schedule) in schema::map_at(node, "default_schedules")? {
            let value = self
                .schedule(schedule)
                .map_err(|error| error.at(schedule))
                .under(name)
                .under("default_schedules")?;
            schedules.insert(name.clone(), value);
        }
        set(&mut settings, "default_schedules", schedules);
        Ok(settings)
    }

    fn schedule(&self, node: &Node) -> Result<Value> {
        schema::check_keys(node, &SCHEDULE, self.version)?;
        schema::text(schema::required(node, "workflow")?).under("workflow")?;
        let since = schema::text(schema::required(node, "since")?).under("since")?;
        for flag in ["default_enabled", "stop_after_fail"] {
            schema::bool_at(node, flag)?;
        }
        for count in ["count", "slip"] {
            node.get(count)
                .map(schema::integer)
                .transpose()
                .under(count)?;
        }
        if let Some(arguments) = node.get("execution_arguments") {
            execution_arguments(arguments, self).under("execution_arguments")?;
        }
        parameters(node)?;
        if let Some(recurrence) = schema::text_at(node, "recurrence")?
            && !is_period(recurrence)
        {
            return Err(no_period(recurrence).under("recurrence"));
        }
        if let Some(days) = node.get("weekdays") {
            for day in schema::list(days).under("weekdays")? {
                weekday(schema::text(day).under("weekdays")?)?;
            }
        }
        let zone = schema::text_at(node, "timezone")?;
        let mut value = node.to_value();
        set(&mut value, "since", moment(since, zone).under("since")?);
        if let Some(until) = schema::text_at(node, "until")? {
            set(&mut value, "until", moment(until, zone).under("until")?);
        }
        if is_utc(zone)
            && let Some(schedule) = value.as_object_mut()
        {
            schedule.shift_remove("timezone");
        }
        Ok(value)
    }
}

fn label_values(node: &Node) -> Result<&[Node]> {
    schema::check_keys(node, &[key("values")], super::Version::NEWEST)?;
    schema::list(schema::required(node, "values")?).under("values")
}

fn execution_arguments(node: &Node, blueprint: &Blueprint<'_>) -> Result<()> {
    schema::check_keys(node, &EXECUTION, blueprint.version)?;
    for flag in ["force", "is_dry_run", "allow_custom_parameters"] {
        schema::bool_at(node, flag)?;
    }
    let wait = node.get("wait_after_fail").map(schema::integer);
    wait.transpose().under("wait_after_fail").map(|_| ())
}

/// Checks the parameters of a schedule. It is made together with its deployment, when nothing has
/// attributes yet.
fn parameters(schedule: &Node) -> Result<()> {
    let refused = |verb: &str, from: String| {
        let message = format!(
            "`workflow_parameters` cannot {verb} a runtime property. Please remove the `get_attribute` function{from}"
        );
        Err(Error::parser(1, message).under("workflow_parameters"))
    };
    for (name, value) in schema::map_at(schedule, "workflow_parameters")? {
        if name == "get_attribute" {
            return refused("be", String::new());
        }
        if value.get("get_attribute").is_some() {
            return refused("contain", format!(" from the value of {name}"));
        }
    }
    Ok(())
}

/// Checks a weekday: `mo`, or `2fr` for the second Friday of a month.
fn weekday(text: &str) -> Result<()> {
    let lower = text.to_lowercase();
    let skipped = lower.chars().count().saturating_sub(2);
    let day: String = lower.chars().skip(skipped).collect();
    if WEEKDAYS.contains(&day.as_str()) {
        return Ok(());
    }
    let known = python::list(WEEKDAYS);
    let message = format!("{day} is not a valid weekday value. Accepted values: {known}");
    Err(Error::parser(1, message).under("weekdays"))
}

/// Whether the times of a zone are those of UTC. Other zones would need a table of their history,
/// so their schedules keep the zone beside the times.
fn is_utc(zone: Option<&str>) -> bool {
    zone.is_none_or(|zone| matches!(zone, "" | "UTC" | "GMT" | "Etc/UTC" | "Zulu"))
}

/// Reads a time of a schedule: a date, or `+2 hours` counted from its creation.
fn moment(text: &str, zone: Option<&str>) -> Result<String> {
    if text.starts_with('+') {
        let mut parts = text.split('+').skip(1).map(str::trim);
        return match parts.find(|part| !is_period(part)) {
            Some(part) => Err(no_period(part)),
            None => Ok(text.to_owned()),
        };
    }
    let formats = ["%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S"];
    let time = formats
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
    let Some(time) = time else {
        let message = format!(
            "{text} is not a legal time format. accepted formats are YYYY-MM-DD HH:MM | HH:MM"
        );
        return Err(Error::new(ErrorKind::Logic, message));
    };
    Ok(match is_utc(zone) {
        true => time.format("%Y-%m-%d %H:%M:%S").to_string(),
        false => text.to_owned(),
    })
}

/// Whether a text is a length of time, such as `2 weeks`, `10min` or `1y`.
fn is_period(text: &str) -> bool {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at(digits);
    let unit = rest.strip_prefix(' ').unwrap_or(rest);
    let unit = unit.strip_suffix('s').unwrap_or(unit);
    let units = [
        "min", "minute", "h", "hour", "d", "day", "w", "week", "mo", "month", "y", "year",
    ];
    !number.is_empty() && units.contains(&unit)
}

fn no_period(text: &str) -> Error {
    Error::logic(format!("{text} is not a legal time delta"))
}
