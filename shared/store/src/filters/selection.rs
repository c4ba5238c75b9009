//! What rules select, as conditions of a list.
//!
//! A label that few rows have is where a list begins: their keys are read from the index of labels, and only
//! those rows are looked at. A label that many have is looked up for each row, in the list's order, and a
//! page of them is soon full. How many there are under one rule about labels is a number that triggers keep; of
//! other selections all rows are counted, those of a label along its index, and what was counted is remembered until
//! something changes.

use super::rules::{Operator, Rule, RuleKind, Target};
use crate::counts;
use crate::plan_parts::part_sql;
use serde_json::Value as Json;
use windlass_core::db::{Db, Value};
use windlass_core::list::{CountedFrom, Kept, ListQuery, TotalOf, like_pattern};
use windlass_core::{Result, params};

/// More rows than this are faster found by going through the list.
const FEW: usize = 1_000;

/// So many values of an attribute are looked up one by one.
const FEW_VALUES: usize = 50;

/// The table of labels, and its column for whose they are.
const fn labels_of(target: Target) -> Option<(&'static str, &'static str)> {
    match target {
        Target::Blueprints => Some(("blueprint_labels", "blueprint_key")),
        Target::Deployments => Some(("deployment_labels", "deployment_key")),
        Target::Secrets | Target::Nodes | Target::NodeInstances => None,
    }
}

/// Adds rules to a query, and lets it begin where few rows are.
pub async fn apply(
    db: &impl Db,
    target: Target,
    rules: &[Rule],
    query: &mut ListQuery,
) -> Result<()> {
    add(target, rules, query);
    query.among = few(db, target, rules).await?;
    Ok(())
}

/// Adds rules to a query as conditions.
pub fn add(target: Target, rules: &[Rule], query: &mut ListQuery) {
    for rule in rules {
        let place = query.conditions.len();
        let (condition, values) = condition(target, rule);
        query.and(condition, values);
        if query.counted_from.is_none() {
            query.counted_from = counted_from(target, rule, place);
        }
    }
    query.total = match (target, rules) {
        (Target::Deployments, [rule]) => kept_total(rule),
        _ => None,
    };
}

/// The labels of one value, each of which is one row's: what has it is counted in half the time of looking
/// for the label of every row. `place` is that of the rule's condition.
fn counted_from(target: Target, rule: &Rule, place: usize) -> Option<CountedFrom> {
    let (table, owner) = labels_of(target)?;
    match (rule.kind, rule.operator, rule.values.as_slice()) {
        (RuleKind::Label, Operator::AnyOf, [value]) => Some(CountedFrom {
            table: format!("{table} c cross join"),
            on: format!("t.key = c.{owner} and c.key = {{}} and c.value = {{}}"),
            values: vec![rule.key.as_str().into(), value.into()],
            condition: place,
        }),
        _ => None,
    }
}

/// The number that is kept of a rule about labels. Of several values it is a sum, unless some deployment has
/// two labels of the key.
fn kept_total(rule: &Rule) -> Option<TotalOf> {
    if rule.kind != RuleKind::Label {
        return None;
    }
    let key = || rule.key.as_str().into();
    let of = |counts, more: Option<(&str, Value)>| match more {
        None => Kept {
            counts,
            condition: "t.key = {}".into(),
            values: vec![key()],
        },
        Some((more, value)) => Kept {
            counts,
            condition: format!("t.key = {{}} and {more}"),
            values: vec![key(), value],
        },
    };
    let (owners, labels) = (&counts::DEPLOYMENT_LABEL_KEYS, &counts::DEPLOYMENT_LABELS);
    let several = Json::from(rule.values.as_slice());
    let among = "t.value in (select value from json_each({}))";
    let others = "t.value not in (select value from json_each({}))";
    let (kept, is_one_each) = match (rule.operator, rule.values.as_slice()) {
        (Operator::IsNull | Operator::IsNotNull, _) => (of(owners, None), true),
        (Operator::AnyOf | Operator::IsNot, [value]) => {
            (of(labels, Some(("t.value = {}", value.into()))), true)
        }
        (Operator::AnyOf | Operator::IsNot, _) => {
            (of(labels, Some((among, (&several).into()))), false)
        }
        (Operator::NotAnyOf, _) => (of(labels, Some((others, (&several).into()))), false),
        _ => return None,
    };
    Some(TotalOf {
        kept,
        if_equal: (!is_one_each).then(|| (of(owners, None), of(labels, None))),
        is_complement: matches!(rule.operator, Operator::IsNot | Operator::IsNull),
    })
}

/// The keys of rows among which all that the rules select is, if a rule about a label leaves few.
async fn few(db: &impl Db, target: Target, rules: &[Rule]) -> Result<Option<Value>> {
    let Some((table, owner)) = labels_of(target) else {
        return Ok(None);
    };
    let mut fewest: Option<(usize, Value)> = None;
    for rule in rules {
        let Some((sql, values)) = owners(table, owner, rule) else {
            continue;
        };
        let Some(row) = db.first(&sql, &values).await? else {
            continue;
        };
        let count = usize::try_from(row.integer(0)?).unwrap_or(usize::MAX);
        let is_best = fewest.as_ref().is_none_or(|(least, _)| count < *least);
        if count <= FEW && is_best {
            fewest = row.0.into_iter().nth(1).map(|keys| (count, keys));
        }
    }
    Ok(fewest.map(|(_, keys)| keys))
}

/// The statement that reads whose labels fulfil a rule, and not many more than [`FEW`] of them. Who has several of
/// the values is named once.
pub(super) fn owners(table: &str, owner: &str, rule: &Rule) -> Option<(String, Vec<Value>)> {
    let values = Json::from(rule.values.as_slice());
    let (condition, parameters) = match (rule.kind, rule.operator) {
        (RuleKind::Label, Operator::AnyOf) => (
            "key = ?1 and value in (select value from json_each(?2))",
            params![rule.key.as_str(), &values].to_vec(),
        ),
        (RuleKind::Label, Operator::NotAnyOf | Operator::IsNotNull) => {
            ("key = ?1", params![rule.key.as_str()].to_vec())
        }
        _ => return None,
    };
    let sql = format!(
        "select count(*), json_group_array(distinct k) from (
             select {owner} as k from {table} where {condition} limit {})",
        FEW + 1
    );
    Some((sql, parameters))
}

/// A rule as a condition on the row `t`, with `{}` for each of its values.
pub fn condition(target: Target, rule: &Rule) -> (String, Vec<Value>) {
    match (rule.kind, labels_of(target)) {
        (RuleKind::Label, Some((table, owner))) => label_condition(table, owner, rule),
        (RuleKind::Label, None) => ("0".into(), Vec::new()),
        (RuleKind::Attribute, _) => attribute_condition(target, rule),
    }
}

fn label_condition(table: &str, owner: &str, rule: &Rule) -> (String, Vec<Value>) {
    let exists = |more: &str| {
        format!("exists (select 1 from {table} l where l.{owner} = t.key and l.key = {{}}{more})")
    };
    let (among, not_among) = match rule.values.as_slice() {
        [_] => (" and l.value = {}", " and l.value <> {}"),
        _ => (
            " and l.value in (select value from json_each({}))",
            " and l.value not in (select value from json_each({}))",
        ),
    };
    let condition = match rule.operator {
        Operator::NotAnyOf => exists(not_among),
        Operator::IsNot => format!("not {}", exists(among)),
        Operator::IsNull => format!("not {}", exists("")),
        Operator::IsNotNull => exists(""),
        _ => exists(among),
    };
    let mut values = vec![rule.key.as_str().into()];
    match rule.values.as_slice() {
        [] => {}
        [value] => values.push(value.into()),
        several => values.push((&Json::from(several)).into()),
    }
    (condition, values)
}

fn attribute_condition(target: Target, rule: &Rule) -> (String, Vec<Value>) {
    if (target, rule.key.as_str()) == (Target::Nodes, "operation_name") {
        return operation_condition(rule);
    }
    let column = match (target, rule.key.as_str()) {
        (Target::Secrets, "key") => "t.id",
        (Target::Secrets, _) => {
            "(select p.name from secrets_providers p where p.key = t.provider_key)"
        }
        (_, "id") => "t.id",
        (_, "blueprint_id") => "t.blueprint_id",
        (_, "created_by") => "t.created_by",
        (_, "site_name") => "t.site_name",
        (_, "tenant_name") => "t.tenant_name",
        (_, "display_name") => "t.display_name",
        (_, "installation_status") => "t.installation_status",
        (_, "state") => "t.state",
        (_, "type") => "t.type",
        // Deployments have no schedules yet.
        _ => "null",
    };
    // One value is what indexes with an order are for, and what numbers are kept by.
    if let (Operator::AnyOf, [value]) = (rule.operator, rule.values.as_slice()) {
        return (format!("{column} = {{}}"), vec![value.into()]);
    }
    if rule.operator == Operator::AnyOf && rule.values.len() <= FEW_VALUES {
        let places = vec!["{}"; rule.values.len()].join(", ");
        let values = rule.values.iter().map(Value::from).collect();
        return (format!("{column} in ({places})"), values);
    }
    let (holds, is_negated) = comparison(column, rule);
    let condition = match is_negated {
        true => format!("({column} is null or not ({holds}))"),
        false => holds,
    };
    (condition, values_of(rule))
}

/// A node's operations are many, and one is enough.
fn operation_condition(rule: &Rule) -> (String, Vec<Value>) {
    let (holds, is_negated) = comparison("o.key", rule);
    let exists = format!(
        "exists (select 1 from json_each({}) o where {holds})",
        part_sql!("t", "operations")
    );
    let condition = match is_negated {
        true => format!("not {exists}"),
        false => exists,
    };
    (condition, values_of(rule))
}

/// Whether an expression compares as an operator says, and whether that is to be negated.
fn comparison(column: &str, rule: &Rule) -> (String, bool) {
    // A single value is compared with itself: reading a list for each row takes three times as long.
    let is_one = rule.values.len() == 1;
    let any = |test: String| match is_one {
        true => test.replace("v.value", "{}"),
        false => format!("exists (select 1 from json_each({{}}) v where {test})"),
    };
    let among = || match is_one {
        true => format!("{column} = {{}}"),
        false => format!("{column} in (select value from json_each({{}}))"),
    };
    match rule.operator {
        Operator::NotAnyOf | Operator::IsNot => (among(), true),
        Operator::Contains => (any(format!("instr({column}, v.value) > 0")), false),
        Operator::NotContains => (any(format!("instr({column}, v.value) > 0")), true),
        Operator::StartsWith | Operator::EndsWith => {
            (any(format!("{column} like v.value escape '\\'")), false)
        }
        Operator::IsNotEmpty | Operator::IsNotNull => {
            (format!("{column} is not null and {column} <> ''"), false)
        }
        Operator::IsNull => (format!("{column} is null"), false),
        Operator::AnyOf => (among(), false),
    }
}

fn values_of(rule: &Rule) -> Vec<Value> {
    if rule.values.is_empty() {
        return Vec::new();
    }
    // A pattern for what contains a text, without the sign that stands for what is before or after it.
    let pattern = |text: &String| {
        let around = like_pattern(text);
        let cut = match rule.operator {
            Operator::StartsWith => around.strip_prefix('%'),
            Operator::EndsWith => around.strip_suffix('%'),
            _ => return text.clone(),
        };
        cut.unwrap_or(&around).to_owned()
    };
    let values: Vec<String> = rule.values.iter().map(pattern).collect();
    match values.as_slice() {
        [value] => vec![value.into()],
        several => vec![(&Json::from(several)).into()],
    }
}
