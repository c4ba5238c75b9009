//! Many executions at once: how long each takes from its request to its end, and whether one starves.

use crate::application::Application;
use crate::prepare;
use anyhow::{Result, ensure};
use rusqlite::Connection;
use serde_json::json;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// Executions, each on a deployment of its own, and the nodes of each.
const EXECUTIONS: usize = 200;
const NODES: usize = 10;

/// Clients that ask for them.
const CLIENTS: usize = 8;

/// How many times as long as the median the slowest may take.
const TIMES: f64 = 3.0;

/// How long everything may take before it is given up.
const PATIENCE: Duration = Duration::from_secs(180);

/// Prints a table; an error when the limit is passed. `count` is another number of executions.
pub fn measure(count: Option<&str>) -> Result<()> {
    let count = count.map_or(Ok(EXECUTIONS), str::parse)?;
    let application = Application::start()?;
    let mut text = String::from(
        "tosca_definitions_version: cloudify_dsl_1_4\nimports: [cloudify/types/types.yaml]\nnode_templates:\n",
    );
    for number in 0..NODES {
        writeln!(text, "  n{number}: {{ type: cloudify.nodes.Root }}")?;
    }
    prepare::upload(&application, "fleet", &text)?;
    for number in 0..count {
        let body = json!({ "blueprint_id": "fleet" }).to_string().into_bytes();
        application.call(
            "PUT",
            &format!("/deployments/ship-{number}"),
            Some(body),
            201,
        )?;
    }
    let begun = Instant::now();
    let asked: Vec<Result<()>> = windlass_tests::at_once(CLIENTS, |client| {
        (client..count).step_by(CLIENTS).try_for_each(|number| {
            let body =
                json!({ "deployment_id": format!("ship-{number}"), "workflow_id": "install" });
            let body = body.to_string().into_bytes();
            application
                .call("POST", "/executions", Some(body), 201)
                .map(drop)
        })
    });
    asked.into_iter().collect::<Result<()>>()?;
    let requests = begun.elapsed();
    let times = ended(&application, count, begun)?;
    let all = begun.elapsed();
    let (median, slowest) = (times[count / 2], times[count - 1]);
    println!(
        "\n| executions at once, of {NODES} nodes | requests | all ended | median | slowest |\n|---|---|---|---|---|"
    );
    println!("| {count} | {requests:.1?} | {all:.1?} | {median:.0} ms | {slowest:.0} ms |");
    let ratio = slowest / median;
    ensure!(
        ratio <= TIMES,
        "the slowest took {ratio:.1} times the median, {TIMES} are allowed"
    );
    Ok(())
}

/// Waits for the end of all; how many milliseconds each took, the fastest first.
fn ended(application: &Application, count: usize, begun: Instant) -> Result<Vec<f64>> {
    let path = "/executions?workflow_id=install&status=terminated&_size=1&_include=id";
    while application.call("GET", path, None, 200)?["metadata"]["pagination"]["total"] != count {
        ensure!(
            begun.elapsed() < PATIENCE,
            "not all executions have ended well"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    let database = Connection::open(application.database())?;
    database.busy_timeout(Duration::from_secs(10))?;
    let mut statement = database.prepare(
        "select (julianday(ended_at) - julianday(created_at)) * 86400000 from executions
         where workflow_id = 'install' order by 1",
    )?;
    let times = statement.query_map([], |row| row.get(0))?;
    Ok(times.collect::<Result<_, _>>()?)
}
