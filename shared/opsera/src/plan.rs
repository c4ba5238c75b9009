//! Steps: what a pipeline does, in which order, and what may go wrong with each.
//!
//! A step that names no `dependencies` comes after the one before it; an empty list lets it begin at
//! once. Clients' steps keep every property they came with, because they are read back.

use crate::body::{self, new_id};
use crate::steps::check_shell;
use crate::template;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;
use windlass_core::{Error, Result};

/// The most steps of a pipeline.
const MOST_STEPS: usize = 200;

/// The longest time a step may be given, in seconds: 30 days.
const LONGEST: i64 = 30 * 86_400;

/// The most tries after the first.
const MOST_RETRIES: i64 = 20;

windlass_core::named_enum! {
    /// What a step does.
    pub enum StepKind {
        /// Calls a URL.
        Webhook = "webhook" | "http",
        /// Builds a job of Jenkins.
        Jenkins = "jenkins",
        /// Dispatches a workflow of GitHub Actions.
        Github = "github-actions" | "github",
        /// Runs a pipeline of GitLab CI.
        Gitlab = "gitlab-ci" | "gitlab",
        /// Synchronises an application of Argo CD.
        Argo = "argo" | "argocd" | "argo-cd",
        /// Waits until somebody approves.
        Approval = "approval" | "user-action",
        /// Waits for a time.
        Wait = "wait",
        /// Starts an execution on a deployment, and waits for its end.
        Conductor = "conductor" | "execution",
        /// Begins or ends a maintenance on the status page.
        Maintenance = "status-maintenance",
        /// Asks for a task of Adjutant.
        Adjutant = "adjutant-task",
        /// Runs a script on a worker.
        Shell = "shell",
    }
}

impl StepKind {
    /// Whether it calls a tool of the registry.
    pub const fn calls_a_tool(self) -> bool {
        matches!(
            self,
            Self::Jenkins | Self::Github | Self::Gitlab | Self::Argo
        )
    }

    /// How long it may take where it does not say, in seconds.
    const fn usual_timeout(self) -> Option<i64> {
        match self {
            Self::Webhook | Self::Maintenance | Self::Adjutant => Some(600),
            Self::Jenkins
            | Self::Github
            | Self::Gitlab
            | Self::Argo
            | Self::Conductor
            | Self::Shell => Some(3600),
            Self::Approval | Self::Wait => None,
        }
    }

    /// What of a configuration has places to be filled. Of a script nothing: what is filled in would be run,
    /// whoever it came from.
    pub fn with_places(self, configuration: &Map<String, Json>) -> Map<String, Json> {
        let mut places = configuration.clone();
        if self == Self::Shell {
            places.retain(|name, _| name == "environment");
        }
        places
    }

    /// What its configuration must have.
    const fn required(self) -> &'static [&'static str] {
        match self {
            Self::Webhook | Self::Approval | Self::Maintenance => &[],
            Self::Jenkins => &["job"],
            Self::Github => &["repository", "workflow"],
            Self::Gitlab => &["project", "ref"],
            Self::Argo => &["application"],
            Self::Wait => &["seconds"],
            Self::Conductor => &["deployment_id", "workflow_id"],
            Self::Adjutant => &["task_type"],
            Self::Shell => &["script", "queue"],
        }
    }
}

/// What an output of a step must be.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    /// The output's name.
    pub output: String,
    /// `>=`, `>`, `<=`, `<`, `==` or `!=`.
    pub operator: String,
    /// What it is compared with.
    pub value: Json,
}

/// A step as runs need it.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Its id.
    pub id: String,
    /// Its name, by which other steps know it.
    pub name: String,
    /// Whether it is done at all.
    pub is_active: bool,
    /// What it does.
    pub kind: StepKind,
    /// How, with places to be filled.
    pub configuration: Map<String, Json>,
    /// The tool it calls.
    pub tool_id: Option<String>,
    /// The places of the steps that come before it.
    pub dependencies: Vec<usize>,
    /// How often it is tried again.
    pub retries: i64,
    /// How long after a failure, in seconds.
    pub retry_seconds: i64,
    /// How long it may take, in seconds.
    pub timeout_seconds: Option<i64>,
    /// Whether others go on without it.
    pub may_fail: bool,
    /// What its outputs must be.
    pub thresholds: Vec<Threshold>,
}

/// The steps of a pipeline as they are stored, and as runs need them.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The JSON list, each step with its id and dependencies.
    pub json: Json,
    /// The steps.
    pub steps: Vec<Step>,
}

fn refuse(step: &str, text: impl std::fmt::Display) -> Error {
    let text = format!("Step `{step}`: {text}");
    Error::bad_parameters(text.clone()).field("workflow.plan", text)
}

impl Plan {
    /// Reads the steps that a client gives; nothing is no step.
    ///
    /// # Errors
    /// 400 naming the step that is wrong, and cycles among them.
    pub fn read(given: Option<&Json>) -> Result<Self> {
        let items = match given {
            None | Some(Json::Null) => &Vec::new(),
            Some(Json::Array(items)) => items,
            Some(_) => {
                return Err(Error::bad_parameters(
                    "workflow.plan must be a list of steps",
                ));
            }
        };
        if items.len() > MOST_STEPS {
            let text = format!("workflow.plan has more than {MOST_STEPS} steps");
            return Err(Error::bad_parameters(text));
        }
        let mut json = Vec::new();
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        for (place, item) in items.iter().enumerate() {
            let Json::Object(fields) = item else {
                return Err(refuse(&place.to_string(), "must be an object"));
            };
            let mut fields = fields.clone();
            let (id, name) = identify(&mut fields, place)?;
            for key in [id, name.clone()] {
                if places
                    .insert(key, place)
                    .is_some_and(|other| other != place)
                {
                    return Err(refuse(&name, "another step has its name or id"));
                }
            }
            json.push(fields);
        }
        let mut steps: Vec<Step> = Vec::new();
        let ids: Vec<String> = json.iter().filter_map(|one| text_of(one, "_id")).collect();
        for (place, fields) in json.iter_mut().enumerate() {
            let step = step(fields, place, &places)?;
            let before = step.dependencies.iter().filter_map(|place| ids.get(*place));
            fields.insert("dependencies".into(), before.cloned().collect());
            fields.insert("active".into(), step.is_active.into());
            steps.push(step);
        }
        demand_order(&steps)?;
        let json = json.into_iter().map(Json::Object).collect();
        Ok(Self { json, steps })
    }

    /// Reads steps that were stored.
    ///
    /// # Errors
    /// Internal, when they are none.
    pub fn stored(json: Json) -> Result<Self> {
        Self::read(Some(&json)).map_err(|error| Error::internal(error.message()))
    }
}

fn text_of(fields: &Map<String, Json>, name: &str) -> Option<String> {
    fields.get(name).and_then(Json::as_str).map(str::to_owned)
}

/// Gives a step an id if it has none; id and name.
fn identify(fields: &mut Map<String, Json>, place: usize) -> Result<(String, String)> {
    let name = body::name(fields.get("name"), "name")
        .map_err(|error| refuse(&place.to_string(), error.message()))?;
    let id = match fields.get("_id") {
        None | Some(Json::Null) => new_id(),
        Some(Json::String(id)) if body::is_id(id) => id.clone(),
        Some(_) => return Err(refuse(&name, "_id must be 24 letters and digits")),
    };
    fields.insert("_id".into(), json!(id));
    fields.insert("name".into(), json!(name));
    Ok((id, name))
}

fn step(
    fields: &Map<String, Json>,
    place: usize,
    places: &BTreeMap<String, usize>,
) -> Result<Step> {
    let text = |name: &str| text_of(fields, name).unwrap_or_default();
    let (id, name) = (text("_id"), text("name"));
    let tool = match fields.get("tool") {
        Some(Json::Object(tool)) => tool,
        _ => {
            return Err(refuse(
                &name,
                "tool must be an object with a tool_identifier",
            ));
        }
    };
    let identifier = text_of(tool, "tool_identifier").unwrap_or_default();
    let kind = StepKind::named(&identifier).ok_or_else(|| {
        let known: Vec<&str> = StepKind::ALL.iter().map(|kind| kind.name()).collect();
        refuse(
            &name,
            format!("no tool type `{identifier}` is here: {}", known.join(", ")),
        )
    })?;
    let configuration = match tool.get("configuration") {
        None | Some(Json::Null) => Map::new(),
        Some(Json::Object(configuration)) => configuration.clone(),
        Some(_) => return Err(refuse(&name, "tool.configuration must be an object")),
    };
    let tool_id = text_of(&configuration, "toolConfigId").filter(|id| !id.is_empty());
    if tool_id.as_ref().is_some_and(|id| !body::is_id(id)) {
        return Err(refuse(&name, "toolConfigId must be 24 letters and digits"));
    }
    if kind.calls_a_tool() && tool_id.is_none() {
        return Err(refuse(
            &name,
            format!("{} needs the toolConfigId of a tool", kind.name()),
        ));
    }
    let missing = kind
        .required()
        .iter()
        .find(|field| !is_given(&configuration, field));
    if let Some(field) = missing {
        return Err(refuse(&name, format!("{} needs {field}", kind.name())));
    }
    if kind == StepKind::Webhook && tool_id.is_none() && !is_given(&configuration, "url") {
        return Err(refuse(
            &name,
            "webhook needs a url, or the toolConfigId of a tool that has one",
        ));
    }
    if kind == StepKind::Shell {
        check_shell(&configuration).map_err(|text| refuse(&name, text))?;
    }
    let templates = kind.with_places(&configuration);
    template::secrets(&Json::Object(templates)).map_err(|text| refuse(&name, text))?;
    let number =
        |field: &str, most: i64| number(fields, field, most).map_err(|text| refuse(&name, text));
    let flag =
        |field: &str| body::flag(fields, field).map_err(|error| refuse(&name, error.message()));
    Ok(Step {
        is_active: flag("active")?.unwrap_or(true),
        dependencies: dependencies(fields, place, places).map_err(|text| refuse(&name, text))?,
        retries: number("retries", MOST_RETRIES)?.unwrap_or(0),
        retry_seconds: number("retry_seconds", 86_400)?.unwrap_or(10),
        timeout_seconds: number("timeout_seconds", LONGEST)?.or(kind.usual_timeout()),
        may_fail: flag("allow_failure")?.unwrap_or(false),
        thresholds: thresholds(tool.get("threshold")).map_err(|text| refuse(&name, text))?,
        id,
        name,
        kind,
        configuration,
        tool_id,
    })
}

fn is_given(configuration: &Map<String, Json>, field: &str) -> bool {
    match configuration.get(field) {
        None | Some(Json::Null) => false,
        Some(Json::String(text)) => !text.trim().is_empty(),
        Some(_) => true,
    }
}

fn number(fields: &Map<String, Json>, field: &str, most: i64) -> Result<Option<i64>, String> {
    match fields.get(field) {
        None | Some(Json::Null) => Ok(None),
        Some(value) => match value.as_i64().filter(|number| (0..=most).contains(number)) {
            Some(number) => Ok(Some(number)),
            None => Err(format!("{field} must be a whole number from 0 to {most}")),
        },
    }
}

fn dependencies(
    fields: &Map<String, Json>,
    place: usize,
    places: &BTreeMap<String, usize>,
) -> Result<Vec<usize>, String> {
    let items = match fields.get("dependencies") {
        None | Some(Json::Null) => return Ok(place.checked_sub(1).into_iter().collect()),
        Some(Json::Array(items)) => items,
        Some(_) => return Err("dependencies must be a list of steps".into()),
    };
    let mut found = Vec::new();
    for item in items {
        let key = item.as_str().unwrap_or_default();
        let place = places.get(key);
        let place = place.ok_or_else(|| format!("it depends on `{key}`, which is no step"))?;
        if !found.contains(place) {
            found.push(*place);
        }
    }
    Ok(found)
}

fn thresholds(given: Option<&Json>) -> Result<Vec<Threshold>, String> {
    let items = match given {
        None | Some(Json::Null) => return Ok(Vec::new()),
        Some(Json::Array(items)) => items.as_slice(),
        Some(one @ Json::Object(_)) => std::slice::from_ref(one),
        Some(_) => return Err("tool.threshold must be a list".into()),
    };
    let wrong = "each of tool.threshold has output, operator (>=, >, <=, <, ==, !=) and value";
    let one = |item: &Json| {
        let text = |name: &str| item.get(name).and_then(Json::as_str).map(str::to_owned);
        let operator = text("operator")?;
        let is_known = [">=", ">", "<=", "<", "==", "!="].contains(&operator.as_str());
        is_known.then_some(Threshold {
            output: text("output")?,
            operator,
            value: item.get("value")?.clone(),
        })
    };
    let found: Option<Vec<Threshold>> = items.iter().map(one).collect();
    found.ok_or_else(|| wrong.to_owned())
}

/// Refuses steps of which some can never begin.
fn demand_order(steps: &[Step]) -> Result<()> {
    let mut done = vec![false; steps.len()];
    loop {
        let mut moved = false;
        for (place, step) in steps.iter().enumerate() {
            let is_done = |place: &usize| done.get(*place).copied().unwrap_or(false);
            let is_ready = !is_done(&place) && step.dependencies.iter().all(is_done);
            if let Some(done) = done.get_mut(place).filter(|_| is_ready) {
                (*done, moved) = (true, true);
            }
        }
        if !moved {
            break;
        }
    }
    let stuck = steps.iter().zip(&done).find(|(_, done)| !**done);
    stuck.map_or(Ok(()), |(step, _)| {
        Err(refuse(
            &step.name,
            "it waits for itself: its dependencies are a cycle",
        ))
    })
}

impl Threshold {
    /// Why an output is not what it must be.
    pub fn fault(&self, outputs: &Map<String, Json>) -> Option<String> {
        let Some(got) = outputs.get(&self.output) else {
            return Some(format!("threshold: there is no output `{}`", self.output));
        };
        let number = |value: &Json| match value {
            Json::String(text) => text.trim().parse::<f64>().ok(),
            other => other.as_f64(),
        };
        let order = match (number(got), number(&self.value)) {
            (Some(left), Some(right)) => left.partial_cmp(&right),
            _ if got == &self.value => Some(std::cmp::Ordering::Equal),
            _ => None,
        };
        let is_met = match self.operator.as_str() {
            ">=" => order.is_some_and(std::cmp::Ordering::is_ge),
            ">" => order.is_some_and(std::cmp::Ordering::is_gt),
            "<=" => order.is_some_and(std::cmp::Ordering::is_le),
            "<" => order.is_some_and(std::cmp::Ordering::is_lt),
            "==" => order.is_some_and(std::cmp::Ordering::is_eq),
            _ => !order.is_some_and(std::cmp::Ordering::is_eq),
        };
        let Self {
            output,
            operator,
            value,
        } = self;
        (!is_met).then(|| format!("threshold: {output} is {got}, not {operator} {value}"))
    }
}

#[cfg(test)]
#[path = "plan/tests.rs"]
mod tests;
