//! What a receiver makes of an alert: rules, of which the first that fits says which component is meant.

use crate::body::{impact, refusal};
use crate::lifecycle::check_system_title;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use windlass_core::{Body, Error, Result};

/// The most rules of a receiver, and the most conditions of a rule.
const RULES: usize = 200;
const CONDITIONS: usize = 20;
/// The longest name of a field and the longest value that one is compared with, in characters.
const NAME: usize = 100;
const VALUE: usize = 500;
/// How bad it is, unless a rule says otherwise: major.
const IMPACT: i64 = 2;
/// What stands for any value that is not empty.
const ANY: &str = "*";

windlass_core::named_enum! {
    /// How the alerts that a receiver takes are written.
    pub enum Kind {
        /// As Prometheus' Alertmanager sends them to a webhook.
        Alertmanager = "alertmanager",
        /// As a JSON object each, whose fields the settings name.
        Generic = "generic",
    }
}

/// What a receiver takes and what it makes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// How alerts are written.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The first rule that fits an alert counts.
    pub rules: Vec<Rule>,
    /// Whether the public reads what an alert is called.
    pub publish_titles: bool,
    /// Where a generic alert says what it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<Fields>,
}

/// The fields of a generic alert, as paths with dots.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fields {
    /// The alert's own name: told again under it, it is the same one.
    pub fingerprint: String,
    /// Whether it fires or is over.
    pub status: String,
    /// What it is called.
    pub title: String,
    /// The values of the status that say that it is over; every other says that it fires.
    pub resolved: Vec<String>,
}

/// Which component an alert means, and how bad it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// The values that fields must have, one of several each; `*` is any.
    #[serde(rename = "match")]
    pub conditions: BTreeMap<String, Vec<String>>,
    /// The component's number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component_id: Option<i64>,
    /// Or the field that has its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component_from: Option<String>,
    /// With attributes it must have: name of the attribute, field that has its value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes_from: BTreeMap<String, String>,
    /// How bad it is, 1 to 3.
    pub impact: i64,
    /// What the public reads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

impl Rule {
    /// Whether an alert with these fields is meant.
    pub fn fits(&self, fields: &BTreeMap<String, String>) -> bool {
        self.conditions.iter().all(|(name, wanted)| {
            let value = fields.get(name).map_or("", String::as_str);
            let is_one = |wanted: &String| wanted == value || (wanted == ANY && !value.is_empty());
            wanted.iter().any(is_one)
        })
    }

    fn read(value: &Value) -> Result<Self> {
        let body = Body::inner(value, "rules")?;
        const KNOWN: [&str; 6] = [
            "match",
            "component_id",
            "component_from",
            "attributes_from",
            "impact",
            "title",
        ];
        demand_known(&body, "rules", &KNOWN)?;
        let component_id = body.integer("component_id")?;
        let component_from = body.filled_text("component_from")?.map(str::to_owned);
        if component_id.is_some() == component_from.is_some() {
            let text = "A rule names its component: either `component_id` or `component_from`";
            return Err(refusal("rules", text.to_owned()));
        }
        let title = body.filled_text("title")?.map(str::to_owned);
        if let Some(title) = &title {
            check_system_title(title)?;
        }
        let attributes = body.object("attributes_from")?.into_iter().flatten();
        let attributes_from = attributes.map(|(name, field)| match field {
            Value::String(field) => Ok((short(name, NAME)?, short(field, NAME)?)),
            other => Err(Error::wrong_type("attributes_from", "dict of str", other)),
        });
        Ok(Self {
            conditions: conditions(&body)?,
            component_id,
            attributes_from: attributes_from.collect::<Result<_>>()?,
            component_from: component_from.map(|name| short(&name, NAME)).transpose()?,
            impact: impact(&body, IMPACT)?,
            title,
        })
    }
}

impl Settings {
    /// Reads what somebody wants of a receiver.
    ///
    /// # Errors
    /// 400 naming the field.
    pub fn read(body: &Body) -> Result<Self> {
        demand_known(body, "", &["type", "rules", "publish_titles", "fields"])?;
        let kind = body.required_text("type")?;
        let kind = Kind::named(kind).ok_or_else(|| {
            let text = format!("type must be `alertmanager` or `generic`, not `{kind}`");
            refusal("type", text)
        })?;
        let rules = body.list("rules")?.ok_or_else(|| Error::missing("rules"))?;
        if rules.is_empty() || rules.len() > RULES {
            let text = format!("A receiver has 1 to {RULES} rules");
            return Err(refusal("rules", text));
        }
        let fields = match kind {
            Kind::Generic => Some(Fields::read(&body.inside("fields")?)?),
            Kind::Alertmanager if body.get("fields").is_some() => {
                let text = "Alertmanager's fields are known: `fields` is for `generic`";
                return Err(refusal("fields", text.to_owned()));
            }
            Kind::Alertmanager => None,
        };
        Ok(Self {
            kind,
            rules: rules.iter().map(Rule::read).collect::<Result<_>>()?,
            publish_titles: body.boolean("publish_titles")?.unwrap_or(false),
            fields,
        })
    }

    /// The components that rules name by number.
    pub fn components(&self) -> Vec<i64> {
        let mut ids: Vec<i64> = (self.rules.iter())
            .filter_map(|rule| rule.component_id)
            .collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

impl Fields {
    fn read(body: &Body) -> Result<Self> {
        demand_known(
            body,
            "fields",
            &["fingerprint", "status", "title", "resolved"],
        )?;
        let path = |name: &str| short(body.filled_text(name)?.unwrap_or(name), NAME);
        let resolved = match body.list("resolved")? {
            None => vec!["resolved".to_owned(), "ok".to_owned(), "up".to_owned()],
            Some(values) => texts("resolved", values)?,
        };
        Ok(Self {
            fingerprint: path("fingerprint")?,
            status: path("status")?,
            title: path("title")?,
            resolved,
        })
    }
}

fn conditions(body: &Body) -> Result<BTreeMap<String, Vec<String>>> {
    let conditions = body
        .object("match")?
        .ok_or_else(|| Error::missing("match"))?;
    if conditions.len() > CONDITIONS {
        let text = format!("A rule has at most {CONDITIONS} conditions");
        return Err(refusal("match", text));
    }
    let condition = |(name, wanted): (&String, &Value)| {
        let wanted = match wanted {
            Value::Array(values) => texts("match", values)?,
            one => texts("match", std::slice::from_ref(one))?,
        };
        Ok((short(name, NAME)?, wanted))
    };
    conditions.iter().map(condition).collect()
}

/// A list of texts that are compared; at least one.
fn texts(field: &str, values: &[Value]) -> Result<Vec<String>> {
    if values.is_empty() || values.len() > CONDITIONS {
        let text = format!("`{field}` compares with 1 to {CONDITIONS} texts");
        return Err(refusal(field, text));
    }
    let text = |value: &Value| match value {
        Value::String(text) => short(text, VALUE),
        other => Err(Error::wrong_type(field, "str", other)),
    };
    values.iter().map(text).collect()
}

/// A text of at most so many characters.
fn short(text: &str, most: usize) -> Result<String> {
    if text.chars().count() > most {
        let text = format!("A name or value is longer than {most} characters");
        return Err(refusal("rules", text));
    }
    Ok(text.to_owned())
}

fn demand_known(body: &Body, within: &str, known: &[&str]) -> Result<()> {
    match body.names().find(|name| !known.contains(name)) {
        Some(unknown) if within.is_empty() => {
            Err(refusal(unknown, format!("Unknown field `{unknown}`")))
        }
        Some(unknown) => {
            let text = format!("Unknown field `{unknown}` in `{within}`");
            Err(refusal(within, text))
        }
        None => Ok(()),
    }
}
