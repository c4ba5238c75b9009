//! Searches: lists that a body selects from, by filter rules or by the constraints of the blueprint language.
//!
//! Rules are of [`crate::filters`]. Constraints are how an input of a type such as `deployment_id` says
//! what it may name; a form asks for the candidates in the same words. A request has one of both.

use crate::deployments::{self, Deployment};
use crate::filters::{self, Rule, Target, rules, selection};
use crate::labels;
use crate::plan_parts::{object_part_sql, part_sql};
use serde_json::{Map, Value as Json};
use windlass_core::db::{Db, Value};
use windlass_core::list::ListQuery;
use windlass_core::{Body, Error, Request, Result, Scope, params, python};

/// What is searched through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words of the API")]
pub enum Searched {
    Blueprints,
    Deployments,
    Secrets,
    Nodes,
    NodeTypes,
    NodeInstances,
    Capabilities,
    ScalingGroups,
}

impl Searched {
    /// What rules are about; nothing where only constraints select.
    const fn target(self) -> Option<Target> {
        Some(match self {
            Self::Blueprints => Target::Blueprints,
            Self::Deployments => Target::Deployments,
            Self::Secrets => Target::Secrets,
            Self::Nodes => Target::Nodes,
            Self::NodeInstances => Target::NodeInstances,
            Self::NodeTypes | Self::Capabilities | Self::ScalingGroups => return None,
        })
    }

    /// The expression that `name_pattern` looks into.
    const fn name_sql(self) -> &'static str {
        match self {
            Self::Deployments => "t.display_name",
            Self::NodeTypes => "t.type",
            _ => "t.id",
        }
    }

    /// The condition that `valid_values` is.
    const fn values_sql(self) -> &'static str {
        match self {
            // A type is as good as those it derives from.
            Self::NodeTypes => concat!(
                "exists (select 1 from json_each(",
                part_sql!("t", "type_hierarchy"),
                ") h where h.value in (select value from json_each({})))"
            ),
            _ => "t.id in (select value from json_each({}))",
        }
    }
}

/// The constraints there are.
const CONSTRAINTS: [&str; 8] = [
    "labels",
    "tenants",
    "filter_id",
    "name_pattern",
    "valid_values",
    "operation_name_specs",
    "deployment_id",
    "blueprint_id",
];

/// What a search's body and `_filter_id` select.
pub struct Wanted {
    searched: Searched,
    rules: Vec<Rule>,
    /// What names must be like.
    pub names: NamePattern,
    /// What names of operations must be like.
    pub operations: NamePattern,
    /// The values there may be.
    pub valid_values: Option<Vec<Json>>,
    owner: Body,
    has_others: bool,
}

/// Whose parts are searched through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SearchedIn {
    /// A deployment's.
    Deployment(String),
    /// Those of a blueprint's plan.
    Blueprint(String),
}

impl Wanted {
    /// Reads a search in the order in which the original refuses.
    ///
    /// # Errors
    /// 400 for rules and constraints together and for what is neither; 404 for an unknown filter.
    pub async fn read(
        db: &impl Db,
        scope: &Scope,
        searched: Searched,
        request: &Request,
        body: &Body,
    ) -> Result<Self> {
        let given = body.list("filter_rules")?.map(Vec::as_slice);
        let given = given.unwrap_or_default();
        let nothing = Map::new();
        let constraints = body.object("constraints")?.unwrap_or(&nothing);
        let has_filters = searched.target().is_some_and(Target::has_labels);
        let filter = request.query_value("_filter_id");
        let filter = filter.filter(|id| has_filters && !id.is_empty());
        if !constraints.is_empty() && (!given.is_empty() || filter.is_some()) {
            return Err(Error::bad_parameters(
                "You should provide either filter_id/filter_rules or DSL constraints, not both",
            ));
        }
        let mut rules = match searched.target() {
            Some(target) => rules::parse(target, given)?,
            None => Vec::new(),
        };
        let constraints = Body::from(constraints.clone());
        let named = constraints.text("filter_id")?.filter(|_| has_filters);
        if let (Some(target), Some(id)) = (searched.target(), filter.or(named)) {
            rules.extend(filters::rules_of(db, scope, target, id).await?);
        }
        if has_filters {
            rules.extend(rules_of(&constraints)?);
        }
        Self::constrained(searched, rules, constraints)
    }

    fn constrained(searched: Searched, rules: Vec<Rule>, constraints: Body) -> Result<Self> {
        let unknown: Vec<&str> = (constraints.names())
            .filter(|name| !CONSTRAINTS.contains(name))
            .collect();
        if !unknown.is_empty() {
            let text = format!("Unknown constraints: {}", python::list(unknown));
            return Err(Error::bad_parameters(text));
        }
        let is_owner = |name: &str| matches!(name, "deployment_id" | "blueprint_id");
        let has_others = constraints.names().any(|name| !is_owner(name));
        Ok(Self {
            searched,
            rules,
            names: NamePattern::read(&constraints, "name_pattern")?,
            operations: NamePattern::read(&constraints, "operation_name_specs")?,
            valid_values: constraints.list("valid_values")?.cloned(),
            has_others,
            owner: constraints,
        })
    }

    /// Whether everything is wanted.
    pub fn is_everything(&self) -> bool {
        self.rules.is_empty() && !self.has_others
    }

    /// Whose parts are wanted: the request or the constraints say so.
    ///
    /// # Errors
    /// 400 when both kinds are named, one of them twice, or none where there must be one.
    pub fn owner(&self, request: &Request) -> Result<Option<SearchedIn>> {
        let of = |name: &str| -> Result<Option<String>> {
            let constrained = self.owner.filled_text(name)?;
            let asked = request.query_value(name).filter(|id| !id.is_empty());
            match (constrained, asked) {
                (Some(_), Some(_)) => Err(Error::bad_parameters(format!(
                    "You should provide '{name}' either as a parameter or in the constraints, not both"
                ))),
                (one, other) => Ok(one.or(other).map(str::to_owned)),
            }
        };
        match (of("deployment_id")?, of("blueprint_id")?) {
            (Some(_), Some(_)) => Err(Error::bad_parameters(
                "You should provide either 'blueprint_id' or 'deployment_id', not both",
            )),
            (Some(id), None) => Ok(Some(SearchedIn::Deployment(id))),
            (None, Some(id)) => Ok(Some(SearchedIn::Blueprint(id))),
            (None, None) => match self.searched {
                Searched::NodeInstances if !self.has_others => Ok(None),
                _ => Err(Error::bad_parameters(
                    "Please provide a valid 'blueprint_id' or 'deployment_id' parameter or have a \
                     relevant key in the constraints.",
                )),
            },
        }
    }

    /// Adds what is wanted to a query, and lets it begin where few rows are.
    pub async fn apply(&self, db: &impl Db, query: &mut ListQuery) -> Result<()> {
        if let Some(target) = self.searched.target() {
            selection::apply(db, target, &self.rules, query).await?;
        }
        self.names.add(self.searched.name_sql(), query);
        if let Some(values) = &self.valid_values {
            let values = Json::from(values.as_slice());
            query.and(self.searched.values_sql(), [Value::from(&values)]);
        }
        if !self.operations.is_empty() {
            let (condition, values) = self.operations.condition("o.key");
            let exists = format!(
                "exists (select 1 from json_each({}) o where {condition})",
                part_sql!("t", "operations")
            );
            query.and(exists, values);
        }
        Ok(())
    }

    /// Whether a node of a plan is wanted: its name, its type and the names of its operations.
    pub fn allows_node(&self, id: &str, type_names: &[&str], operations: &[&str]) -> bool {
        let type_name = type_names.last().copied().unwrap_or_default();
        let is_of_type = self.searched == Searched::NodeTypes;
        let name = if is_of_type { type_name } else { id };
        let is_valid = self.valid_values.as_ref().is_none_or(|values| {
            let is_among = |name: &str| values.iter().any(|value| value == name);
            match is_of_type {
                true => type_names.iter().any(|name| is_among(name)),
                false => is_among(id),
            }
        });
        let has_operation = self.operations.is_empty()
            || operations.iter().any(|name| self.operations.allows(name));
        let fulfils = |rule: &Rule| match rule.key.as_str() {
            "id" => rule.allows(&[id]),
            "type" => rule.allows(&[type_name]),
            _ => rule.allows(operations),
        };
        self.names.allows(name) && is_valid && has_operation && self.rules.iter().all(fulfils)
    }
}

/// The rules that constraints on labels and tenants are.
fn rules_of(constraints: &Body) -> Result<Vec<Rule>> {
    let mut rules = Vec::new();
    if let Some(given) = constraints.get("labels") {
        for label in labels::parse(given)? {
            rules.push(Rule::label_is(label.key, vec![label.value]));
        }
    }
    if let Some(given) = constraints.list("tenants")? {
        let names = given.iter().filter_map(Json::as_str).map(str::to_owned);
        rules.push(Rule::attribute_is("tenant_name", names.collect()));
    }
    Ok(rules)
}

/// What a name must be like: all that is given must hold. Letter case matters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamePattern {
    contains: Option<String>,
    starts_with: Option<String>,
    ends_with: Option<String>,
    equals_to: Option<String>,
}

impl NamePattern {
    fn read(constraints: &Body, name: &str) -> Result<Self> {
        let mut pattern = Self::default();
        let given = constraints.inside(name)?;
        for operator in given.names() {
            let place = match operator {
                "contains" => &mut pattern.contains,
                "starts_with" => &mut pattern.starts_with,
                "ends_with" => &mut pattern.ends_with,
                "equals_to" => &mut pattern.equals_to,
                other => {
                    return Err(Error::bad_parameters(format!(
                        "Unknown operator `{other}` in {name}. Allowed operators are: contains, \
                         starts_with, ends_with, equals_to"
                    )));
                }
            };
            *place = given.text(operator)?.map(str::to_owned);
        }
        Ok(pattern)
    }

    /// Whether anything goes.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a name is like this.
    pub fn allows(&self, name: &str) -> bool {
        let holds =
            |given: &Option<String>, test: &dyn Fn(&str) -> bool| given.as_deref().is_none_or(test);
        holds(&self.contains, &|part| name.contains(part))
            && holds(&self.starts_with, &|part| name.starts_with(part))
            && holds(&self.ends_with, &|part| name.ends_with(part))
            && holds(&self.equals_to, &|whole| name == whole)
    }

    /// The same of an expression.
    fn condition(&self, sql: &str) -> (String, Vec<Value>) {
        let mut conditions = vec!["1".to_owned()];
        let mut values = Vec::new();
        let parts = [
            (&self.contains, format!("instr({sql}, {{}}) > 0")),
            (&self.starts_with, format!("instr({sql}, {{}}) = 1")),
            (&self.equals_to, format!("{sql} = {{}}")),
        ];
        for (given, condition) in parts {
            if let Some(text) = given {
                conditions.push(condition);
                values.push(text.into());
            }
        }
        if let Some(text) = self.ends_with.as_ref().filter(|text| !text.is_empty()) {
            conditions.push(format!("substr({sql}, -length({{}})) = {{}}"));
            values.extend([text.into(), text.into()]);
        }
        (conditions.join(" and "), values)
    }

    fn add(&self, sql: &str, query: &mut ListQuery) {
        if !self.is_empty() {
            let (condition, values) = self.condition(sql);
            query.and(condition, values);
        }
    }
}

/// Leaves the parts of one deployment in a list of parts.
pub fn only_of(query: &mut ListQuery, deployment: &Deployment) {
    query.and("t.deployment_key = {}", [deployment.key.into()]);
}

/// The deployment whose parts are searched through.
///
/// # Errors
/// 404.
pub async fn deployment(db: &impl Db, scope: &Scope, id: &str) -> Result<Deployment> {
    deployments::find(db, scope, id).await
}

/// The scaling groups of a deployment, by name.
pub async fn scaling_groups(db: &impl Db, deployment: &Deployment) -> Result<Json> {
    let sql = concat!(
        "select ",
        object_part_sql!("d", "scaling_groups"),
        " from deployments d where d.key = ?1"
    );
    let groups = db.first_json(sql, params![deployment.key]).await?;
    Ok(groups.unwrap_or_default())
}

#[cfg(test)]
#[path = "searches/tests.rs"]
mod tests;
