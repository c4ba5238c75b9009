//! An update of a deployment that touches few of its many nodes, from the request to its end.

use crate::application::Application;
use crate::prepare;
use anyhow::{Result, ensure};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// Nodes of the deployment, and how many of them the new blueprint changes.
const NODES: usize = 2000;
const TOUCHED: usize = 10;

/// Within how long it is to be done.
const WITHIN: Duration = Duration::from_secs(2);

/// How long a workflow may take before it is given up.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often: there and back again.
const UPDATES: usize = 5;

/// Prints a table; an error when the median is over the limit. `nodes` is another number of them.
pub fn measure(nodes: Option<&str>) -> Result<()> {
    let nodes = nodes.map_or(Ok(NODES), str::parse)?;
    let application = Application::start()?;
    for id in ["one", "other"] {
        prepare::upload(&application, id, &blueprint(nodes, id)?)?;
    }
    let body = json!({ "blueprint_id": "one" }).to_string().into_bytes();
    application.call("PUT", "/deployments/port", Some(body), 201)?;
    let body = json!({ "deployment_id": "port", "workflow_id": "install" });
    let begun = Instant::now();
    let installed = post(&application, "/executions", &body, 201)?;
    application.ended(&installed["id"], PATIENCE)?;
    let installed = begun.elapsed();
    let mut times = Vec::with_capacity(UPDATES);
    for number in 0..UPDATES {
        let blueprint = ["other", "one"][number % 2];
        let body = json!({ "blueprint_id": blueprint });
        let begun = Instant::now();
        let path = "/deployment-updates/port/update/initiate";
        let update = post(&application, path, &body, 200)?;
        application.ended(&update["execution_id"], PATIENCE)?;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    let (fastest, median, slowest) = (times[0], times[UPDATES / 2], times[UPDATES - 1]);
    println!(
        "\n| nodes | installed in | updates of {TOUCHED}: fastest | median | slowest |\n|---|---|---|---|---|"
    );
    println!("| {nodes} | {installed:.2?} | {fastest:.2?} | {median:.2?} | {slowest:.2?} |");
    ensure!(
        median < WITHIN,
        "an update takes {median:.1?}, {WITHIN:?} are allowed"
    );
    Ok(())
}

/// The first nodes have a property of this value, the others are the same in each.
fn blueprint(nodes: usize, value: &str) -> Result<String> {
    let mut text = String::from(
        "tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
node_types:
  ship: { derived_from: cloudify.nodes.Root, properties: { flag: { default: none } } }
node_templates:
",
    );
    for number in 0..nodes {
        let flag = if number < TOUCHED { value } else { "same" };
        writeln!(
            text,
            "  n{number}: {{ type: ship, properties: {{ flag: {flag} }} }}"
        )?;
    }
    Ok(text)
}

fn post(application: &Application, path: &str, body: &Value, want: u16) -> Result<Value> {
    application.call("POST", path, Some(body.to_string().into_bytes()), want)
}
