//! What is measured: a blueprint, many deployments, a large workflow.

use crate::application::Application;
use anyhow::{Result, bail};
use rusqlite::Connection;
use serde_json::json;
use std::fmt::Write as _;
use std::time::{Duration, Instant};
use windlass_tests::Archive;

const SMALL: &str = "tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
node_templates:
  one: { type: cloudify.nodes.Root }
";

/// A blueprint, a deployment of it, and copies of that deployment until there are `count`.
///
/// Copies of the row itself: making so many through the API would be a benchmark of its own.
pub fn deployments(application: &Application, count: u32) -> Result<()> {
    upload(application, "bench", SMALL)?;
    let body = json!({ "blueprint_id": "bench" }).to_string().into_bytes();
    application.call("PUT", "/deployments/first", Some(body), 201)?;

    let database = Connection::open(application.database())?;
    database.busy_timeout(Duration::from_secs(10))?;
    let mut columns = database.prepare("select name from pragma_table_info('deployments')")?;
    let columns: Vec<String> = columns
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let columns: Vec<&str> = columns
        .iter()
        .map(String::as_str)
        .filter(|name| *name != "key")
        .collect();
    let values: Vec<String> = columns
        .iter()
        .map(|name| match *name {
            "id" | "display_name" => "'copy-' || number".to_owned(),
            name => format!("\"{name}\""),
        })
        .collect();
    let names = columns
        .iter()
        .map(|name| format!("\"{name}\""))
        .collect::<Vec<_>>()
        .join(", ");
    let sql = format!(
        "with recursive numbers (number) as (select 2 union all select number + 1 from numbers where number < ?1)
         insert into deployments ({names}) select {} from numbers, deployments where id = 'first'",
        values.join(", ")
    );
    database.execute(&sql, [count])?;
    Ok(())
}

/// Installs a deployment of `nodes` nodes without operations; the time from the request to the end.
pub fn install(application: &Application, nodes: usize) -> Result<Duration> {
    let mut text = SMALL.replace("  one: { type: cloudify.nodes.Root }\n", "");
    for number in 0..nodes {
        writeln!(text, "  n{number}: {{ type: cloudify.nodes.Root }}")?;
    }
    upload(application, "large", &text)?;
    let body = json!({ "blueprint_id": "large" }).to_string().into_bytes();
    application.call("PUT", "/deployments/large", Some(body), 201)?;
    let body = json!({ "deployment_id": "large", "workflow_id": "install" });
    let begun = Instant::now();
    let execution = application.call(
        "POST",
        "/executions",
        Some(body.to_string().into_bytes()),
        201,
    )?;
    let path = format!(
        "/executions/{}",
        execution["id"].as_str().unwrap_or_default()
    );
    loop {
        let now = application.call("GET", &path, None, 200)?;
        match now["status"].as_str() {
            Some("terminated") => {
                let time = begun.elapsed();
                demand_started(application, nodes)?;
                return Ok(time);
            }
            Some("failed" | "cancelled") => bail!("the workflow ended badly: {}", now["error"]),
            _ if begun.elapsed() > Duration::from_secs(120) => {
                bail!("the workflow takes too long: {now}")
            }
            _ => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// What ended so fast is to have done its work.
fn demand_started(application: &Application, nodes: usize) -> Result<()> {
    let path = "/node-instances?deployment_id=large&state=started&_size=0";
    let list = application.call("GET", path, None, 200)?;
    let started = &list["metadata"]["pagination"]["total"];
    if *started != nodes {
        bail!("{started} of {nodes} node instances are started");
    }
    Ok(())
}

/// Uploads a blueprint of one file.
pub fn upload(application: &Application, id: &str, text: &str) -> Result<()> {
    let archive = Archive::blueprint(&[("blueprint.yaml", text)]).tar_gz();
    application.call("PUT", &format!("/blueprints/{id}"), Some(archive), 201)?;
    Ok(())
}

/// Stores a secret.
pub fn secret(application: &Application, key: &str) -> Result<()> {
    let body = serde_json::json!({ "value": "swordfish" }).to_string();
    application.call(
        "PUT",
        &format!("/secrets/{key}"),
        Some(body.into_bytes()),
        200,
    )?;
    Ok(())
}
