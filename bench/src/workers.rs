//! Workers: how many operations a second are handed out and reported, and what workers cost that only wait.
//!
//! The workers are connections that run nothing: what is measured is the server alone.

use crate::application::Application;
use crate::prepare;
use anyhow::{Context, Result, bail, ensure};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use windlass_tests::{Answer, Outgoing};

/// Deployments that are installed at once, and the nodes of each, of which every one has an operation.
const DEPLOYMENTS: usize = 20;
const NODES: usize = 50;

/// Workers, and the connections of each.
const WORKERS: usize = 4;
const CONNECTIONS: usize = 2;

/// How many operations a connection takes at most, where it takes several.
const BATCH: usize = 25;

/// Workers that only wait, and for how long it is looked at them.
const WAITING: usize = 1000;
const QUIET: Duration = Duration::from_secs(10);

/// How long everything may take before it is given up.
const PATIENCE: Duration = Duration::from_secs(180);

/// Prints a table.
pub fn measure() -> Result<()> {
    let application = Application::start()?;
    let mut text = String::from(
        "tosca_definitions_version: cloudify_dsl_1_4\nimports: [cloudify/types/types.yaml]\nplugins:\n  yard: {executor: central_deployment_agent, install: false}\nnode_templates:\n",
    );
    for number in 0..NODES {
        writeln!(
            text,
            "  n{number}: {{type: cloudify.nodes.Root, interfaces: {{cloudify.interfaces.lifecycle: {{create: yard.yard.build}}}}}}"
        )?;
    }
    prepare::upload(&application, "yard", &text)?;
    println!("\n| operations | a second | processor ms for each |");
    println!("|---|---|---|");
    for (name, batch) in [
        ("taken and reported one by one", 1),
        ("25 at a time", BATCH),
    ] {
        let (time, spent) = handed_out(&application, batch)?;
        let all = DEPLOYMENTS * NODES;
        println!(
            "| {all} of {DEPLOYMENTS} deployments, {name} | {:.0} | {:.2} |",
            all as f64 / time.as_secs_f64(),
            spent.as_secs_f64() * 1000.0 / all as f64
        );
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (memory, spent) = runtime.block_on(waiting(&application))?;
    println!("\n| workers that wait | MiB more | % of a core |");
    println!("|---|---|---|");
    println!(
        "| {WAITING} | {:.0} | {:.1} |",
        memory as f64 / f64::from(1 << 20),
        spent.as_secs_f64() / QUIET.as_secs_f64() * 100.0
    );
    Ok(())
}

/// Installs the deployments with so many operations at a time; how long it took from the first lease to the
/// last result, and the processor time of the host.
fn handed_out(application: &Application, batch: usize) -> Result<(Duration, Duration)> {
    for number in 0..DEPLOYMENTS {
        let id = format!("yard-{batch}-{number}");
        let body = json!({ "blueprint_id": "yard" }).to_string().into_bytes();
        application.call("PUT", &format!("/deployments/{id}"), Some(body), 201)?;
        let body = json!({ "deployment_id": id, "workflow_id": "install" }).to_string();
        application.call("POST", "/executions", Some(body.into_bytes()), 201)?;
    }
    let all = DEPLOYMENTS * NODES;
    let database = Connection::open(application.database())?;
    let sql = "select count(*) from operations where state = 'sent' and queue is not null
         and not exists (select 1 from queue q where q.kind = 'operation' and q.subject = operations.id)";
    let begun = Instant::now();
    while database.query_row(sql, [], |row| row.get::<_, i64>(0))? < i64::try_from(all)? {
        ensure!(begun.elapsed() < PATIENCE, "not all operations were sent");
        std::thread::sleep(Duration::from_millis(50));
    }
    let done = AtomicUsize::new(0);
    let (begun, before) = (Instant::now(), application.processor_time()?);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS * CONNECTIONS)
            .map(|place| {
                let worker = Worker {
                    application,
                    name: format!("worker-{}", place % WORKERS),
                    batch,
                    done: &done,
                };
                scope.spawn(move || worker.work(all, begun))
            })
            .collect();
        for worker in workers {
            let ended = worker
                .join()
                .map_err(|_| anyhow::anyhow!("a worker panicked"));
            ended??;
        }
        anyhow::Ok(())
    })?;
    let taken = (begun.elapsed(), application.processor_time()? - before);
    demand_started(application, batch)?;
    Ok(taken)
}

/// What ended so fast is to have done its work.
fn demand_started(application: &Application, batch: usize) -> Result<()> {
    let begun = Instant::now();
    for number in 0..DEPLOYMENTS {
        let path =
            format!("/node-instances?deployment_id=yard-{batch}-{number}&state=started&_size=0");
        loop {
            let list = application.call("GET", &path, None, 200)?;
            if list["metadata"]["pagination"]["total"] == NODES {
                break;
            }
            ensure!(begun.elapsed() < PATIENCE, "an install did not end: {list}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    Ok(())
}

/// One connection of a worker.
struct Worker<'a> {
    application: &'a Application,
    name: String,
    batch: usize,
    done: &'a AtomicUsize,
}

impl Worker<'_> {
    fn work(&self, all: usize, begun: Instant) -> Result<()> {
        while self.done.load(SeqCst) < all {
            ensure!(begun.elapsed() < PATIENCE, "operations are left");
            let asked = json!({
                "worker": self.name, "queues": ["central_deployment_agent"], "max": self.batch,
            });
            let leases = self.call("lease", &asked, 200)?;
            let leases = leases["items"].as_array().context("there are items")?;
            if leases.is_empty() {
                std::thread::sleep(Duration::from_millis(2));
                continue;
            }
            self.report(leases)?;
            self.done.fetch_add(leases.len(), SeqCst);
        }
        Ok(())
    }

    fn report(&self, leases: &[Value]) -> Result<()> {
        if let (1, [lease]) = (self.batch, leases) {
            let id = lease["lease_id"].as_str().unwrap_or_default();
            let result = json!({ "status": "succeeded", "result": null });
            return self
                .call(&format!("leases/{id}/result"), &result, 204)
                .map(drop);
        }
        let results: Vec<Value> = leases
            .iter()
            .map(|lease| json!({ "lease_id": lease["lease_id"], "status": "succeeded" }))
            .collect();
        let told = self.call("leases/results", &json!({ "results": results }), 200)?;
        let items = told["items"].as_array().context("there are items")?;
        match items.iter().find(|item| item["status"] != 204) {
            Some(item) => bail!("a result was refused: {item}"),
            None => Ok(()),
        }
    }

    fn call(&self, what: &str, body: &Value, want: u16) -> Result<Value> {
        let mut headers = self.application.headers();
        headers.push(("content-type".into(), "application/json".into()));
        let request = Outgoing {
            method: "POST".into(),
            path: format!("/api/v3.1/operations/{what}"),
            headers,
            body: Some(body.to_string().into_bytes()),
        };
        let Answer { status, body, .. } =
            windlass_tests::send(self.application.address(), &request)
                .map_err(anyhow::Error::msg)?;
        ensure!(
            status == want,
            "{what} answered {status}: {}",
            String::from_utf8_lossy(&body)
        );
        Ok(serde_json::from_slice(&body).unwrap_or_default())
    }
}

/// What so many who wait take of memory, and of a processor in the time that is looked at them.
async fn waiting(application: &Application) -> Result<(u64, Duration)> {
    application.rest()?;
    let (memory, idle) = (application.memory()?, spent(application).await?);
    let headers: String = application
        .headers()
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let mut streams = Vec::new();
    for number in 0..WAITING {
        let body = json!({ "worker": format!("w{number}"), "queues": ["nobodys"], "wait": 25 });
        let body = body.to_string();
        let request = format!(
            "POST /api/v3.1/operations/lease HTTP/1.1\r\nhost: localhost\r\n{headers}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(application.address()).await?;
        stream.write_all(request.as_bytes()).await?;
        streams.push(stream);
    }
    for stream in &mut streams {
        let mut head = [0; 12];
        let read = tokio::time::timeout(PATIENCE, stream.read_exact(&mut head));
        read.await.context("who waits is told so at once")??;
        ensure!(
            &head == b"HTTP/1.1 200",
            "{}",
            String::from_utf8_lossy(&head)
        );
    }
    let taken = spent(application).await?;
    let memory = application.memory()?.saturating_sub(memory);
    Ok((memory, taken.saturating_sub(idle)))
}

async fn spent(application: &Application) -> Result<Duration> {
    let before = application.processor_time()?;
    tokio::time::sleep(QUIET).await;
    Ok(application.processor_time()?.saturating_sub(before))
}
