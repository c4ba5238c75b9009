//! How long it takes to make a snapshot of a large installation and to restore it in another one, and
//! whether that one has every row afterwards.

use crate::application::Application;
use crate::growth::rows;
use anyhow::{Context, Result, ensure};
use rusqlite::Connection;
use rusqlite::types::Value;
use serde_json::json;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::time::{Duration, Instant};
use windlass_tests::Outgoing;

/// Deployments, and as many of all else but node instances.
const DEPLOYMENTS: i64 = 10_000;
/// Node instances of each node.
const INSTANCES: i64 = 10;

/// What the two may take.
const MAKING: Duration = Duration::from_secs(15);
const RESTORING: Duration = Duration::from_secs(30);

/// What differs afterwards: what is no part of the state, what is counted or indexed anew, and what says
/// that a snapshot was made and restored.
const DIFFERENT: [&str; 22] = [
    "audit_log",
    "disk_room",
    "failed_logins",
    "familiar_addresses",
    "identity_version",
    "license",
    "list_versions",
    "log_bundles",
    "loose_blobs",
    "maintenance",
    "managers",
    "brokers",
    "queue",
    "row_counts",
    "scheduler_ticks",
    "schema_versions",
    "search_indexes",
    "sessions",
    "snapshots",
    "status_version",
    "users",
    "verified_credentials",
];

/// Measures both and prints them; an error when a limit is passed or a row differs.
pub fn measure() -> Result<()> {
    let first = installation()?;
    let (making, archive) = make(&first)?;
    let second = Application::start()?;
    upload(&second, archive)?;
    let restoring = restore(&second)?;
    let memory = (first.memory()? >> 20, second.memory()? >> 20);
    let (wanted, found) = (digests(&first.database())?, digests(&second.database())?);
    let tables = wanted.len();
    for (table, digest) in wanted {
        let same = found.get(&table) == Some(&digest);
        ensure!(
            same || DIFFERENT.contains(&table.as_str()),
            "{table} differs"
        );
    }
    println!(
        "\n| {DEPLOYMENTS} deployments, {} node instances | s | at most |",
        DEPLOYMENTS * INSTANCES
    );
    println!("|---|---|---|");
    for (what, time, most) in [
        ("made", making, MAKING),
        ("restored in another installation", restoring, RESTORING),
    ] {
        println!(
            "| {what} | {:.1} | {} |",
            time.as_secs_f64(),
            most.as_secs()
        );
    }
    println!("\nEqual row by row: {} tables.", tables - DIFFERENT.len());
    println!(
        "Memory of the hosts afterwards: {} and {} MiB.",
        memory.0, memory.1
    );
    ensure!(
        making <= MAKING && restoring <= RESTORING,
        "it took too long"
    );
    Ok(())
}

/// An installation with its rows, which runs.
fn installation() -> Result<Application> {
    let mut application = Application::start()?;
    application.call("GET", "/deployments", None, 200)?;
    application.stop();
    let mut database = Connection::open(application.database())?;
    rows::fill(&mut database, DEPLOYMENTS)?;
    database.execute(
        "with recursive n (k) as (select 1 union all select k + 1 from n where k < ?1)
         insert into node_instances (deployment_key, deployment_id, id, node_id, tenant_name, created_by,
             visibility, \"index\", relationships, scaling_groups, state)
         select deployment_key, deployment_id, id || '-' || k, node_id, tenant_name, created_by, visibility, k + 1,
             relationships, scaling_groups, state
         from node_instances, n where \"index\" = 1",
        [INSTANCES - 1],
    )?;
    drop(database);
    application.restart()?;
    Ok(application)
}

/// Makes a snapshot; the time until it is there, and its bytes.
fn make(application: &Application) -> Result<(Duration, Vec<u8>)> {
    let begun = Instant::now();
    application.call("PUT", "/snapshots/all", Some(b"{}".to_vec()), 201)?;
    wait(|| {
        let snapshot = application.call("GET", "/snapshots/all", None, 200)?;
        ensure!(snapshot["status"] != "failed", "{snapshot}");
        Ok(snapshot["status"] == "created")
    })?;
    let time = begun.elapsed();
    let request = Outgoing {
        method: "GET".into(),
        path: "/api/v3.1/snapshots/all/archive".into(),
        headers: application.headers(),
        body: None,
    };
    let answer =
        windlass_tests::send(application.address(), &request).map_err(anyhow::Error::msg)?;
    eprintln!("made in {time:.1?}, {} bytes", answer.body.len());
    Ok((time, answer.body))
}

fn upload(application: &Application, archive: Vec<u8>) -> Result<()> {
    application.call("PUT", "/snapshots/all/archive", Some(archive), 201)?;
    Ok(())
}

/// Restores it; the time until the state is the new one.
fn restore(application: &Application) -> Result<Duration> {
    let begun = Instant::now();
    let body = json!({ "force": true }).to_string().into_bytes();
    let execution = application.call("POST", "/snapshots/all/restore", Some(body), 200)?;
    let id = execution["id"].as_str().context("an execution has an id")?;
    wait(|| {
        let execution = application.call("GET", &format!("/executions/{id}"), None, 200)?;
        ensure!(execution["status"] != "failed", "{execution}");
        Ok(execution["status"] == "terminated")
    })?;
    Ok(begun.elapsed())
}

fn wait(is_done: impl Fn() -> Result<bool>) -> Result<()> {
    let begun = Instant::now();
    while !is_done()? {
        ensure!(
            begun.elapsed() < Duration::from_secs(180),
            "nothing came of it in three minutes"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// The executions that are no part of what is compared.
const THEIR_OWN: &str =
    "select key from executions where workflow_id in ('create_snapshot', 'restore_snapshot')";

/// A digest of all rows of each table, whatever their order.
fn digests(database: &Path) -> Result<BTreeMap<String, u64>> {
    let database = Connection::open(database)?;
    let mut tables = database.prepare(
        "select name from pragma_table_list
         where schema = 'main' and type = 'table' and name not like 'sqlite\\_%' escape '\\'",
    )?;
    let names: Vec<String> = tables
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut digests = BTreeMap::new();
    for name in names {
        let condition = match name.as_str() {
            "executions" => format!("key not in ({THEIR_OWN})"),
            "events" => format!("execution_key not in ({THEIR_OWN})"),
            _ => "true".to_owned(),
        };
        let sql = format!("select * from \"{name}\" where {condition}");
        let mut statement = database.prepare(&sql)?;
        let columns = statement.column_count();
        let mut rows = statement.query([])?;
        let mut digest = 0_u64;
        while let Some(row) = rows.next()? {
            let mut hasher = DefaultHasher::new();
            for column in 0..columns {
                let value: Value = row.get(column)?;
                format!("{value:?}").hash(&mut hasher);
            }
            // In whatever order they come.
            digest = digest.wrapping_add(hasher.finish());
        }
        digests.insert(name, digest);
    }
    Ok(digests)
}
