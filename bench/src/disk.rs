//! How much the database grows with each execution, and in which tables: what operators plan disks by.

use crate::application::Application;
use crate::prepare::upload;
use anyhow::{Result, ensure};
use rusqlite::Connection;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long a workflow may take before it is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often each workflow is run. Pages are 4 KiB, so one run alone would tell little.
const RUNS: i64 = 200;

/// Three nodes that do nothing, and three that call somebody when they start and stop.
const PLAIN: &str = "tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
node_templates:
  one: { type: cloudify.nodes.Root }
  two: { type: cloudify.nodes.Root }
  three: { type: cloudify.nodes.Root }
";

fn calling(application: &Application) -> String {
    let url = format!("http://{}/api/v3.1/ok", application.address());
    let operation = format!(
        "{{ implementation: windlass-http.request, inputs: {{ url: \"{url}\", method: GET }} }}"
    );
    let mut text = String::from(
        "tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
node_templates:
",
    );
    for name in ["one", "two", "three"] {
        text.push_str(&format!(
            "  {name}:
    type: cloudify.nodes.Root
    interfaces:
      cloudify.interfaces.lifecycle: {{ start: {operation}, stop: {operation} }}
"
        ));
    }
    text
}

/// Measures and prints a table.
pub fn measure() -> Result<()> {
    let application = Application::start()?;
    upload(&application, "plain", PLAIN)?;
    upload(&application, "calling", &calling(&application))?;
    println!("\n| kB on disk of each | all | by table |\n|---|---|---|");
    for (blueprint, what) in [
        ("plain", "3 nodes without operations"),
        (
            "calling",
            "3 nodes that start and stop with a call of `windlass-http`",
        ),
    ] {
        let line = |name: &str, each: &dyn Fn(i64) -> Result<()>| {
            eprintln!("measuring: {name}");
            // What is made once is made before.
            each(-1)?;
            let before = sizes(&application)?;
            (0..RUNS).try_for_each(each)?;
            print(name, &before, &sizes(&application)?);
            anyhow::Ok(())
        };
        line(&format!("deployment of {what}"), &|number| {
            let body = json!({ "blueprint_id": blueprint })
                .to_string()
                .into_bytes();
            let path = format!("/deployments/{blueprint}{number}");
            application.call("PUT", &path, Some(body), 201)?;
            settle(&application)
        })?;
        for workflow in ["install", "restart"] {
            line(&format!("{workflow} of {what}"), &|number| {
                run(&application, &format!("{blueprint}{number}"), workflow)
            })?;
        }
    }
    Ok(())
}

/// Runs a workflow to its end.
fn run(application: &Application, deployment: &str, workflow: &str) -> Result<()> {
    let body = json!({ "deployment_id": deployment, "workflow_id": workflow });
    let body = body.to_string().into_bytes();
    let execution = application.call("POST", "/executions", Some(body), 201)?;
    application.ended(&execution["id"], PATIENCE)
}

/// Waits until no execution is under way: environments are made in the background.
fn settle(application: &Application) -> Result<()> {
    let path = "/executions?status=pending&status=started&status=queued&_size=1&_include=id\
                &_include_system_workflows=true";
    let begun = Instant::now();
    while application.call("GET", path, None, 200)?["metadata"]["pagination"]["total"] != 0 {
        ensure!(
            begun.elapsed() < Duration::from_secs(60),
            "executions do not end"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// How many bytes of pages each table has, with its indexes.
fn sizes(application: &Application) -> Result<BTreeMap<String, i64>> {
    let database = Connection::open(application.database())?;
    database.busy_timeout(Duration::from_secs(10))?;
    let mut statement = database.prepare(
        "select s.tbl_name, sum(d.pgsize) from dbstat d join sqlite_schema s on s.name = d.name group by 1",
    )?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn print(name: &str, before: &BTreeMap<String, i64>, after: &BTreeMap<String, i64>) {
    let mut grown: Vec<(i64, &str)> = after
        .iter()
        .map(|(table, bytes)| (bytes - before.get(table).unwrap_or(&0), table.as_str()))
        .filter(|(bytes, _)| *bytes > 0)
        .collect();
    grown.sort_unstable_by(|one, other| other.cmp(one));
    let each = |bytes: i64| {
        let tenths = bytes / (100 * RUNS);
        format!("{}.{}", tenths / 10, tenths % 10)
    };
    let all = grown.iter().map(|(bytes, _)| bytes).sum();
    let tables: Vec<String> = grown
        .iter()
        .take(5)
        .map(|(bytes, table)| format!("`{table}` {}", each(*bytes)))
        .collect();
    println!("| {name} | {} | {} |", each(all), tables.join(", "));
}
