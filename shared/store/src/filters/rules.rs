//! What a rule may be: a condition on a label or on an attribute. A list of rules must hold as a whole.

use crate::labels;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use windlass_core::{Error, Kind, Result, ids, python};

/// The most rules of one list: each is a condition of one statement.
const MOST_RULES: usize = 100;

/// What rules select from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Blueprints.
    Blueprints,
    /// Deployments.
    Deployments,
    /// Secrets.
    Secrets,
    /// Nodes.
    Nodes,
    /// Node instances.
    NodeInstances,
}

impl Target {
    /// What texts call them.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Blueprints => "blueprints",
            Self::Deployments => "deployments",
            Self::Secrets => "secrets",
            Self::Nodes => "nodes",
            Self::NodeInstances => "node_instances",
        }
    }

    /// The attributes that rules may be about.
    pub const fn attributes(self) -> &'static [&'static str] {
        match self {
            Self::Blueprints => &["id", "state", "tenant_name", "created_by"],
            Self::Deployments => &[
                "id",
                "blueprint_id",
                "created_by",
                "site_name",
                "schedules",
                "tenant_name",
                "display_name",
                "installation_status",
            ],
            Self::Secrets => &["key", "provider_name"],
            Self::Nodes => &["id", "type", "operation_name"],
            Self::NodeInstances => &["id"],
        }
    }

    /// Whether they have labels.
    pub const fn has_labels(self) -> bool {
        matches!(self, Self::Blueprints | Self::Deployments)
    }
}

/// What a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleKind {
    /// A label.
    Label,
    /// An attribute.
    Attribute,
}

/// How a rule compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the words of the API")]
pub enum Operator {
    AnyOf,
    NotAnyOf,
    IsNot,
    IsNull,
    IsNotNull,
    Contains,
    NotContains,
    StartsWith,
    EndsWith,
    IsNotEmpty,
}

impl Operator {
    const OF_LABELS: [Self; 5] = [
        Self::AnyOf,
        Self::NotAnyOf,
        Self::IsNull,
        Self::IsNotNull,
        Self::IsNot,
    ];
    const OF_ATTRIBUTES: [Self; 7] = [
        Self::AnyOf,
        Self::NotAnyOf,
        Self::Contains,
        Self::NotContains,
        Self::StartsWith,
        Self::EndsWith,
        Self::IsNotEmpty,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::AnyOf => "any_of",
            Self::NotAnyOf => "not_any_of",
            Self::IsNot => "is_not",
            Self::IsNull => "is_null",
            Self::IsNotNull => "is_not_null",
            Self::Contains => "contains",
            Self::NotContains => "not_contains",
            Self::StartsWith => "starts_with",
            Self::EndsWith => "ends_with",
            Self::IsNotEmpty => "is_not_empty",
        }
    }

    /// Whether it compares with nothing.
    const fn takes_no_values(self) -> bool {
        matches!(self, Self::IsNull | Self::IsNotNull | Self::IsNotEmpty)
    }
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// The label's key or the attribute's name.
    pub key: String,
    /// What it is compared with.
    pub values: Vec<String>,
    /// How.
    pub operator: Operator,
    /// What it is about.
    #[serde(rename = "type")]
    pub kind: RuleKind,
}

impl Rule {
    /// The rule that a label has one of these values.
    pub fn label_is(key: impl Into<String>, values: Vec<String>) -> Self {
        Self {
            key: key.into(),
            values,
            operator: Operator::AnyOf,
            kind: RuleKind::Label,
        }
    }

    /// The rule that an attribute has one of these values.
    pub fn attribute_is(key: &str, values: Vec<String>) -> Self {
        Self {
            kind: RuleKind::Attribute,
            ..Self::label_is(key, values)
        }
    }
}

impl Rule {
    /// Whether a rule about an attribute holds for something that is in no table; an attribute may have
    /// several values.
    pub fn allows(&self, attribute: &[&str]) -> bool {
        let any = |test: &dyn Fn(&str, &str) -> bool| {
            let compared = |given: &&str| self.values.iter().any(|value| test(given, value));
            attribute.iter().any(compared)
        };
        let lower = |text: &str| text.to_lowercase();
        match self.operator {
            Operator::AnyOf => any(&|given, value| given == value),
            Operator::NotAnyOf | Operator::IsNot => !any(&|given, value| given == value),
            Operator::Contains => any(&|given, value| given.contains(value)),
            Operator::NotContains => !any(&|given, value| given.contains(value)),
            Operator::StartsWith => any(&|given, value| lower(given).starts_with(&lower(value))),
            Operator::EndsWith => any(&|given, value| lower(given).ends_with(&lower(value))),
            Operator::IsNotEmpty | Operator::IsNotNull => {
                attribute.iter().any(|given| !given.is_empty())
            }
            Operator::IsNull => attribute.is_empty(),
        }
    }
}

/// Reads a list of rules; what is there twice comes once.
///
/// # Errors
/// 400 `invalid_filter_rule`, naming the rule and what is wrong with it.
pub fn parse(target: Target, given: &[Json]) -> Result<Vec<Rule>> {
    if given.len() > MOST_RULES {
        return Err(Error::bad_parameters(format!(
            "There may be at most {MOST_RULES} filter rules"
        )));
    }
    let mut rules: Vec<Rule> = Vec::new();
    for one in given {
        let rule = read(target, one).map_err(|why| refuse(one, &why))?;
        if !rules.contains(&rule) {
            rules.push(rule);
        }
    }
    Ok(rules)
}

fn refuse(rule: &Json, why: &str) -> Error {
    let shown: String = python::str(rule).chars().take(1000).collect();
    let text = format!("The filter rule {shown} is not in the right format. {why}");
    Error::new(Kind::InvalidFilterRule, text)
        .extra("err_filter_rule", rule.clone())
        .extra("err_reason", why)
}

/// Reads one rule; the error is what is wrong with it.
fn read(target: Target, given: &Json) -> Result<Rule, String> {
    let fields = given
        .as_object()
        .ok_or("The filter rule is not a dictionary")?;
    let [key, values, operator, kind] =
        ["key", "values", "operator", "type"].map(|name| fields.get(name));
    let (Some(key), Some(values), Some(operator), Some(kind), 4) =
        (key, values, operator, kind, fields.len())
    else {
        return Err("At least one of the entries in the filter rule is missing".into());
    };
    let values = values
        .as_array()
        .ok_or("The filter rule values must be a list")?;
    let key = key.as_str().ok_or("The filter rule key must be a string")?;
    let (kind, key) = match kind.as_str() {
        Some("label") if target.has_labels() => (RuleKind::Label, label_key(key)?),
        Some("attribute") => (RuleKind::Attribute, attribute(target, key)?),
        _ => {
            let types: &[&str] = match target.has_labels() {
                true => &["label", "attribute"],
                false => &["attribute"],
            };
            return Err(format!(
                "Filter rule type must be one of {}",
                types.join(", ")
            ));
        }
    };
    let operator = named(operator.as_str(), kind, &key)?;
    match (operator.takes_no_values(), values.is_empty()) {
        (true, false) => {
            return Err(format!(
                "Values list must be empty if the operator is {}",
                operator.name()
            ));
        }
        (false, true) => {
            return Err(format!(
                "Values list must include at least one item if the operator is {}",
                operator.name()
            ));
        }
        _ => {}
    }
    let mut checked: Vec<String> = Vec::with_capacity(values.len());
    for value in values {
        let text = value
            .as_str()
            .ok_or("Values list must include strings only")?;
        let value = match kind {
            RuleKind::Label => label_value(&key, text)?,
            RuleKind::Attribute => attribute_value(&key, text)?,
        };
        if !checked.contains(&value) {
            checked.push(value);
        }
    }
    Ok(Rule {
        key,
        values: checked,
        operator,
        kind,
    })
}

fn named(word: Option<&str>, kind: RuleKind, key: &str) -> Result<Operator, String> {
    let (what, operators): (_, &[Operator]) = match kind {
        RuleKind::Label => ("labels", &Operator::OF_LABELS),
        // How many there are is all that can be asked.
        RuleKind::Attribute if key == "schedules" => ("schedules", &[Operator::IsNotEmpty]),
        RuleKind::Attribute => ("attributes", &Operator::OF_ATTRIBUTES),
    };
    let known = operators.iter().find(|one| Some(one.name()) == word);
    known.copied().ok_or_else(|| {
        let names: Vec<&str> = operators.iter().map(|one| one.name()).collect();
        format!(
            "The operator for filtering by {what} must be one of {}",
            names.join(", ")
        )
    })
}

fn label_key(key: &str) -> Result<String, String> {
    labels::check_key(key).map_err(|error| error.message().to_owned())
}

fn label_value(key: &str, value: &str) -> Result<String, String> {
    let label = labels::check(key, value);
    label
        .map(|label| label.value)
        .map_err(|error| error.message().to_owned())
}

fn attribute(target: Target, key: &str) -> Result<String, String> {
    let key = key.to_lowercase();
    if target.attributes().contains(&key.as_str()) {
        return Ok(key);
    }
    Err(format!(
        "Allowed attributes to filter {} by are {}",
        target.name(),
        target.attributes().join(", ")
    ))
}

/// Names that people choose may have any letters; everything else is an id.
fn attribute_value(key: &str, value: &str) -> Result<String, String> {
    let checked = match key {
        "display_name" | "operation_name" | "type" => ids::check_name("filter rule value", value),
        _ => ids::check_characters("filter rule value", value),
    };
    checked
        .map(|()| value.to_owned())
        .map_err(|error| error.message().to_owned())
}
