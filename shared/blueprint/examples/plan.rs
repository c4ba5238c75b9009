//! Reads blueprints as JSON, one case a line, and prints what they become, one line for each.
//!
//! For comparing this parser with another one: `tests/oracle` runs it. A case has `files`
//! (path to text), and as needed `main_file`, `inputs`, `secrets` (the names that exist),
//! `plugins` and `blueprints` (what there is to import) and `runtime_only_evaluation`. The
//! answer has `plan` or `refused`, then `deployment` or `deployment_refused`. The case
//! `{"built_in_types": "1_4"}` asks for the built-in types of a version of the language.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "it is a tool for tests and may stop at once"
)]

use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use windlass_blueprint::archive::Tree;
use windlass_blueprint::{
    Error, Imported, Importer, Plan, UploadedPlugin, built_in_types, instantiate, parse,
    prepare_deployment,
};

type Files = BTreeMap<String, String>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    built_in_types: Option<String>,
    #[serde(default)]
    files: Files,
    #[serde(default = "blueprint_yaml")]
    main_file: String,
    #[serde(default)]
    inputs: Map<String, Value>,
    #[serde(default)]
    secrets: Vec<String>,
    #[serde(default)]
    plugins: Vec<PluginFiles>,
    #[serde(default)]
    blueprints: BTreeMap<String, BlueprintFiles>,
    #[serde(default)]
    runtime_only_evaluation: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PluginFiles {
    name: String,
    version: String,
    distribution: Option<String>,
    files: Files,
    #[serde(default)]
    labels: Value,
    #[serde(default)]
    blueprint_labels: Value,
    #[serde(default)]
    resource_tags: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BlueprintFiles {
    #[serde(default = "blueprint_yaml")]
    main_file: String,
    files: Files,
}

fn blueprint_yaml() -> String {
    "blueprint.yaml".to_owned()
}

fn tree(files: &Files) -> Tree {
    Tree::from_texts(
        files
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str())),
    )
}

impl Importer for Case {
    fn plugins(&self, name: &str) -> Vec<UploadedPlugin> {
        let places = self.plugins.iter().enumerate();
        let named = places.filter(|(_, plugin)| plugin.name == name);
        named
            .map(|(place, plugin)| UploadedPlugin {
                id: place.to_string(),
                version: plugin.version.clone(),
                distribution: plugin.distribution.clone(),
                files: plugin.files.keys().cloned().collect(),
                labels: plugin.labels.clone(),
                blueprint_labels: plugin.blueprint_labels.clone(),
                resource_tags: plugin.resource_tags.clone(),
            })
            .collect()
    }

    fn plugin_file(&self, plugin: &UploadedPlugin, file: &str) -> Option<Rc<str>> {
        let place: usize = plugin.id.parse().ok()?;
        let text = self.plugins.get(place)?.files.get(file)?;
        Some(text.as_str().into())
    }

    fn blueprint(&self, id: &str) -> Option<Imported> {
        self.blueprints.get(id).map(|blueprint| Imported {
            tree: tree(&blueprint.files),
            main_file: blueprint.main_file.clone(),
        })
    }
}

fn refusal(error: &Error) -> Value {
    json!({
        "code": error.code(),
        "kind": format!("{:?}", error.kind),
        "message": error.message,
    })
}

fn deployment(case: &Case, plan: &Plan) -> Result<Value, Error> {
    let exists = |name: &str| case.secrets.iter().any(|secret| secret == name);
    let runtime_only = case.runtime_only_evaluation;
    let mut prepared = prepare_deployment(plan, &case.inputs, &exists, runtime_only)?;
    let mut last: u32 = 0;
    let instances = instantiate(&prepared, &mut || {
        last += 1;
        last
    })?;
    prepared.bind_dependencies(&instances);
    let mut value = prepared.plan.to_value();
    value["node_instances"] = json!(instances);
    Ok(value)
}

fn answer(case: &Case) -> Value {
    if let Some(version) = &case.built_in_types {
        return json!({ "built_in_types": built_in_types(version) });
    }
    let plan = match parse(&tree(&case.files), &case.main_file, case) {
        Ok(plan) => plan,
        Err(error) => return json!({ "refused": refusal(&error) }),
    };
    let mut answer = json!({ "plan": plan.to_value() });
    match deployment(case, &plan) {
        Ok(deployment) => answer["deployment"] = deployment,
        Err(error) => answer["deployment_refused"] = refusal(&error),
    }
    answer
}

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let case: Case = serde_json::from_str(&line?)?;
        let answer = catch_unwind(AssertUnwindSafe(|| answer(&case)));
        let answer = answer.unwrap_or_else(|_| json!({ "panicked": true }));
        writeln!(out, "{answer}")?;
    }
    Ok(())
}
