//! What a tenant may have, one of each kind, all with a telling word in their names.
//!
//! A blueprint, its deployment and what an install leaves are made by hand. Everything else is made by
//! the table of endpoints: by the row that creates it, with that row's body. A resource that comes
//! needs no line here.

use crate::archive::{Archive, Entry};
use crate::caller::Caller;
use crate::endpoints::Endpoint;
use crate::windlass::Windlass;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A blueprint whose every name begins with the word in place of `WORD`.
const BLUEPRINT: &str = "
tosca_definitions_version: cloudify_dsl_1_4
imports:
  - cloudify/types/types.yaml
description: All about WORD
plugins:
  WORD_plugin:
    executor: central_deployment_agent
    install: false
workflows:
  WORD_workflow: WORD_plugin.tasks.run
node_templates:
  WORD_node:
    type: cloudify.nodes.Compute
    properties:
      ip: 10.0.0.7
      agent_config:
        install_method: none
outputs:
  WORD_output:
    value: { get_property: [WORD_node, ip] }
capabilities:
  lifts:
    value: WORD_capability
";

/// What nobody's things are called.
const NOWHERE: &str = "nowhere";
/// The id of nothing that has generated ids.
const NO_ID: &str = "00000000-0000-4000-8000-000000000000";

/// One blueprint, its deployment, and all that belongs to it: the values of the parameters that
/// rows of the table have.
pub struct Things {
    word: String,
    values: BTreeMap<String, String>,
}

impl Things {
    /// Makes one of everything that a served row about a tenant's things names: installed, with this
    /// visibility.
    pub fn make(windlass: &Windlass, owner: Caller<'_>, word: &str, visibility: &str) -> Self {
        let mut things = Self::deployed(windlass, owner, word, visibility);
        let rows = Endpoint::served();
        let of_tenants = rows.iter().filter(|row| row.is_of_tenants());
        things.make_what_is_named(windlass, owner, of_tenants, visibility);
        things
    }

    /// The blueprint and the deployment, with labels, and what its install leaves.
    fn deployed(windlass: &Windlass, owner: Caller<'_>, word: &str, visibility: &str) -> Self {
        let (blueprint, deployment) = (format!("{word}-blueprint"), format!("{word}-deployment"));
        let text = BLUEPRINT.replace("WORD", word);
        let archive = Archive::blueprint(&[("main.yaml", &text)]).tar_gz();
        let params = json!({ "application_file_name": "main.yaml", "visibility": visibility });
        owner.upload_form(&blueprint, &params, archive).expect(201);
        let (key, value) = (format!("{word}-key"), format!("{word}-value"));
        let labels = json!([{ (key.as_str()): value }]);
        owner
            .patch(
                &format!("/blueprints/{blueprint}"),
                json!({ "labels": labels }),
            )
            .expect(200);
        let body = json!({ "blueprint_id": blueprint, "visibility": visibility, "labels": labels });
        owner
            .put(&format!("/deployments/{deployment}"), body)
            .expect(201);
        let execution = text_of(&owner.execute(&deployment, "install"), "id");
        windlass.run_pending_work();

        let path = format!("/plugins?visibility={visibility}");
        let plugin = owner
            .raw("POST", &path, "application/json", plugin(word))
            .expect(201);

        let metric = format!("{word}-metric");
        let measured = json!({
            "blueprint_id": blueprint, "deployment_id": deployment, "execution_id": execution,
            "timestamp": "2024-05-06T07:08:09Z", "name": "cpu", "value": "0.5",
        });
        owner
            .put(&format!("/metrics/{metric}"), measured)
            .expect(201);

        // Nothing shows a single one, so no row makes it.
        let dependency = json!({
            "dependency_creator": format!("{word}-creator"), "source_deployment": deployment,
            "target_deployment_func": { "get_input": word },
        });
        owner
            .put("/deployments/inter-deployment-dependencies", dependency)
            .expect(200);

        let first = |path: String| text_of(&owner.get(&path).expect(200)["items"][0], "id");
        let of_execution = format!("execution_id={execution}");
        let values = [
            (
                "node_instance_id",
                first(format!("/node-instances?deployment_id={deployment}")),
            ),
            (
                "tasks_graph_id",
                first(format!("/tasks_graphs?{of_execution}")),
            ),
            ("operation_id", first(format!("/operations?{of_execution}"))),
            ("metric_id", metric),
            ("plugin_id", text_of(&plugin, "id")),
            ("node_id", format!("{word}_node")),
            ("label_key", key),
            ("blueprint_id", blueprint),
            ("deployment_id", deployment),
            ("execution_id", execution),
        ];
        Self {
            word: word.into(),
            values: values.map(|(name, value)| (name.into(), value)).into(),
        }
    }

    /// Makes what the rows name and is not there yet, each thing by the row that creates it.
    pub fn make_what_is_named<'r>(
        &mut self,
        windlass: &Windlass,
        owner: Caller<'_>,
        rows: impl IntoIterator<Item = &'r Endpoint>,
        visibility: &str,
    ) {
        let served = Endpoint::served();
        let mut missing: BTreeSet<String> =
            rows.into_iter().flat_map(Endpoint::parameters).collect();
        missing.retain(|name| !self.values.contains_key(name));
        while !missing.is_empty() {
            // What is made of something else comes after it.
            let next = missing.iter().find_map(|name| {
                let maker = served.iter().find(|row| row.makes() == Some(name))?;
                let others = maker.parameters();
                let is_ready = |other: &String| other == name || self.values.contains_key(other);
                others.iter().all(is_ready).then(|| (name.clone(), maker))
            });
            let Some((name, maker)) = next else {
                panic!(
                    "no served row makes {missing:?}: a row `<resource>.create` with a body, beside \
                     `<resource>.get` with the parameter at the end of its path; else tests/src/things.rs does"
                )
            };
            let value = self.make_one(owner, &name, maker, visibility);
            windlass.run_pending_work();
            missing.remove(&name);
            self.values.insert(name, value);
        }
    }

    /// Calls the row that makes a thing; what the thing is called.
    fn make_one(
        &self,
        owner: Caller<'_>,
        name: &str,
        maker: &Endpoint,
        visibility: &str,
    ) -> String {
        let chosen = format!("{}-{}", self.word, name.replace('_', "-"));
        let mut request = maker.request(owner, &|other| match self.values.get(other) {
            Some(value) => value.clone(),
            None => chosen.clone(),
        });
        // Where a thing has a visibility, the body of its row says so.
        let body = request.body.as_deref().unwrap_or_default();
        if let Ok(Value::Object(mut body)) = serde_json::from_slice(body)
            && let Some(given) = body.get_mut("visibility")
        {
            *given = visibility.into();
            request.body = Some(Value::Object(body).to_string().into_bytes());
        }
        let answer = owner.send(&request);
        let text = String::from_utf8_lossy(&answer.body);
        assert!(
            maker.success.contains(&answer.status),
            "{} makes no {name}: {} {text}",
            maker.id,
            answer.status
        );
        if maker.names(name) {
            return chosen;
        }
        let made: Value = serde_json::from_str(&text).unwrap_or_default();
        text_of(&made, "id")
    }

    /// Gives a parameter another value.
    pub fn set(&mut self, parameter: &str, value: String) {
        self.values.insert(parameter.into(), value);
    }

    /// The value of a parameter.
    pub fn value(&self, parameter: &str) -> String {
        let value = self.values.get(parameter);
        value
            .unwrap_or_else(|| panic!("no value for {{{parameter}}}"))
            .clone()
    }

    /// Whether the value of a parameter is a name that was chosen, not an id that was generated.
    pub fn chose(&self, parameter: &str) -> bool {
        self.value(parameter).contains(&self.word)
    }

    /// The value of a parameter that looks the same and belongs to nothing.
    pub fn no_value(&self, parameter: &str) -> String {
        self.forget(&self.value(parameter))
    }

    /// The text as if it were about nothing.
    pub fn forget(&self, text: &str) -> String {
        let mut text = text.replace(&self.word, NOWHERE);
        for id in self.generated() {
            text = text.replace(id.as_str(), NO_ID);
        }
        text
    }

    /// Whether a text has a word about these things.
    pub fn are_in(&self, text: &str) -> bool {
        text.contains(&self.word) || self.generated().any(|id| text.contains(id.as_str()))
    }

    fn generated(&self) -> impl Iterator<Item = &String> {
        self.values
            .values()
            .filter(|value| !value.contains(&self.word))
    }
}

/// A wagon and the file that blueprints import it by.
fn plugin(word: &str) -> Vec<u8> {
    let wagon = Archive::wagon(&format!("{word}-package"), "1.0", vec![0; 9]).tar_gz();
    let yaml = format!("plugins: {{{word}_package: {{executor: central_deployment_agent}}}}\n");
    let files = [
        Entry::File(format!("{word}.wgn"), wagon),
        Entry::File("plugin.yaml".into(), yaml.into_bytes()),
    ];
    Archive::of(files).zip()
}

fn text_of(object: &Value, field: &str) -> String {
    match &object[field] {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => panic!("no {field} in {object}"),
    }
}
