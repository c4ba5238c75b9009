//! Figures of this machine, all in one run: requests a second, latency, memory, starts, and how fast
//! a workflow runs; beside a native server that runs the same SQL on the same database file.
//!
//! ```text
//! windlass-bench            everything, in some minutes (scripts/bench builds and runs it)
//! windlass-bench status     the status page alone
//! windlass-bench disk       how much the database grows with each execution
//! windlass-bench growth     every list with 10,000 rows and with 1,000,000
//! windlass-bench adjutant   tasks beside the original service, and logins
//! windlass-bench snapshots  a snapshot of 10,000 deployments, made and restored elsewhere
//! windlass-bench opsera     pipelines: runs, how fast they begin, what is read from a million
//! windlass-bench followers  events while they happen, to 1, 100 and 500 who follow
//! windlass-bench workers    operations handed out and reported, and workers that wait
//! windlass-bench install    nodes a second through an install of 2,000
//! windlass-bench at-once    200 executions at once, and whether one starves
//! windlass-bench updates    an update of 10 of 2,000 nodes
//! windlass-bench ticks      ticks with nothing due, after few and after a million executions
//! windlass-bench native ... the native server, started by the first form
//! windlass-bench --write    all of it several times, as docs/benchmarks.md and docs/growth/*.svg; or parts
//! ```
//!
//! `--seconds` says how long each case is measured, `--runs` how often each part is for `--write`, `--rows` how
//! many rows grow, and `--spin PATH` runs everything on that binary of Spin instead of the embedded host.
//!
//! The load generator, the server and the database share the machine's cores, so the figures say
//! how things compare, not what a server of that kind can do. Loopback only.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a measurement that cannot go on ends with a panic"
)]

mod adjutant;
mod application;
mod at_once;
mod book;
mod disk;
mod followers;
mod growth;
mod load;
mod native;
mod opsera;
mod options;
mod parsing;
mod plot;
mod prepare;
mod process;
mod report;
mod snapshots;
mod status;
mod tables;
mod ticks;
mod updates;
mod workers;

use anyhow::Result;
use application::Application;
use load::{Case, Load};
use options::Options;
use report::{Line, Report};
use std::time::Duration;

/// That of the host, which the native server is compared with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Connections that send requests at the same time.
const CONNECTIONS: usize = 16;
/// Deployments that a page is taken from.
const DEPLOYMENTS: u32 = 10_000;
/// A page as programs ask for it, without the fields that take work.
const NARROW_PAGE: &str =
    "/api/v3.1/deployments?_size=20&_include=id,blueprint_id,created_at,deployment_status";
/// Visitors of the status page, a second.
const VISITORS: u32 = 100;
/// Nodes of the workflow.
const NODES: usize = 500;
/// Nodes of an install that is measured by itself, how often, and how many a second are demanded.
const INSTALLED: usize = 2000;
const INSTALLS: usize = 3;
const RATE: f64 = 5000.0;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "native") {
        return native::serve(&arguments[1..]);
    }
    let options = Options::parse(arguments)?;
    if options.is_written {
        return book::write(&options);
    }
    application::run_on(options.spin.clone());
    // As fast as the answers come.
    let load = Load {
        connections: CONNECTIONS,
        time: Duration::from_secs(options.seconds),
        pace: None,
    };
    let rows = options.rows.as_deref();
    let number = options.parts.get(1).map(String::as_str);
    match options.parts.first().map(String::as_str) {
        Some("status") => measure_status(load),
        Some("disk") => disk::measure(),
        Some("growth") => growth::measure(rows),
        Some("snapshots") => snapshots::measure(),
        Some("adjutant") => adjutant::measure(load, rows.or(number)),
        Some("followers") => followers::measure(),
        Some("workers") => workers::measure(),
        Some("install") => measure_install(number),
        Some("at-once") => at_once::measure(number),
        Some("updates") => updates::measure(number),
        Some("ticks") => ticks::measure(number),
        Some("opsera") => opsera::measure(),
        Some("requests") | None => measure(load),
        Some(other) => anyhow::bail!("unknown argument {other}"),
    }
}

/// How fast an install goes through its nodes, each time in an installation of its own.
fn measure_install(nodes: Option<&str>) -> Result<()> {
    let nodes = nodes.map_or(Ok(INSTALLED), str::parse)?;
    let mut times = Vec::with_capacity(INSTALLS);
    for _ in 0..INSTALLS {
        times.push(prepare::install(&Application::start()?, nodes)?);
    }
    times.sort_unstable();
    let rate = nodes as f64 / times[INSTALLS / 2].as_secs_f64();
    println!("\n| nodes | median of {INSTALLS} | nodes a second |\n|---|---|---|");
    println!("| {nodes} | {:.2?} | {rate:.0} |", times[INSTALLS / 2]);
    anyhow::ensure!(
        rate >= RATE,
        "{rate:.0} nodes a second, {RATE} are demanded"
    );
    Ok(())
}

fn measure_status(load: Load) -> Result<()> {
    let mut report = Report::default();
    let mut lines = Vec::new();
    let application = Application::start()?;
    status_page(&application, load, &mut report, &mut lines)?;
    report.lines = lines;
    print!("{report}");
    Ok(())
}

fn measure(load: Load) -> Result<()> {
    let mut report = Report::default();

    eprintln!("starting, and making {DEPLOYMENTS} deployments");
    let mut application = Application::start()?;
    application.rest()?;
    report.memory("at rest, just started", application.memory()?);
    prepare::deployments(&application, DEPLOYMENTS)?;
    let headers = application.headers();
    let case = |name, method, path: &str| Case::new(name, method, path, &headers);

    let status = case("status", "GET", "/api/v3.1/status");
    let record = case("one blueprint", "GET", "/api/v3.1/blueprints/bench");
    let page = case(
        "page of 20 of 10,000 deployments",
        "GET",
        "/api/v3.1/deployments?_size=20",
    );
    let narrow = case("the same, four fields", "GET", NARROW_PAGE);
    prepare::secret(&application, "word")?;
    let secret = case("one secret", "GET", "/api/v3.1/secrets/word");
    let create = case("create a deployment", "PUT", "/api/v3.1/deployments/new-{}").body(
        serde_json::json!({ "blueprint_id": "bench" }).to_string(),
        &[201],
    );
    // The same request by both ways to log in: a password must not cost more once it was verified.
    let tenants = "/api/v3.1/tenants";
    let by_password = case("tenants, by password", "GET", tenants);
    let by_token = Case::new("tenants, by token", "GET", tenants, &application.token()?);
    let mut lines = Vec::new();
    let cases = [
        status,
        record,
        page,
        narrow,
        secret,
        create,
        by_token,
        by_password,
    ];
    for case in cases {
        eprintln!("measuring: {}", case.name);
        let figures = load.run(application.address(), &case)?;
        report.memory(&format!("under load: {}", case.name), application.memory()?);
        lines.push(Line {
            name: case.name,
            windlass: figures,
            native: None,
        });
    }

    status_page(&application, load, &mut report, &mut lines)?;

    eprintln!("measuring: the native server");
    let native = native::Native::start(&application.database())?;
    for (line, path) in lines
        .iter_mut()
        .zip(["/status", "/record", "/page", "/narrow"])
    {
        let case = Case::new(line.name, "GET", path, &[]);
        line.native = Some(load.run(native.address(), &case)?);
    }
    report.memory("the native server", native.memory()?);
    drop(native);
    report.lines = lines;

    eprintln!("measuring: a workflow of {NODES} nodes");
    report.install = Some((NODES, prepare::install(&application, NODES)?));

    eprintln!("measuring: the parser beside the original");
    report.parsing = Some(parsing::measure(&application)?);

    eprintln!("measuring: starts");
    for _ in 0..3 {
        report.starts.push(application.restart()?);
    }
    application.rest()?;
    report.memory("at rest, 10,000 deployments", application.memory()?);
    print!("{report}");
    Ok(())
}

/// The status page at a steady pace and at full load, and what monitors post.
fn status_page(
    application: &Application,
    load: Load,
    report: &mut Report,
    lines: &mut Vec<Line>,
) -> Result<()> {
    let steady = Load {
        pace: Some(VISITORS),
        ..load
    };
    let short = Load {
        time: Duration::from_secs(2),
        ..load
    };
    let mut measure = |case: Case, load: Load| -> Result<()> {
        eprintln!("measuring: {}", case.name);
        let windlass = load.run(application.address(), &case)?;
        report.memory(&format!("under load: {}", case.name), application.memory()?);
        lines.push(Line {
            name: case.name,
            windlass,
            native: None,
        });
        Ok(())
    };
    let [page, list] = status::reads();
    status::prepare_list(application)?;
    measure(list, load)?;
    status::prepare_page(application)?;
    measure(page.clone(), load)?;
    measure(page.named("the same, 100 a second"), steady)?;
    // These change what the others read.
    for case in status::reports(application)? {
        measure(case, short)?;
    }
    let open = status::reported(application)?;
    eprintln!("{open} components are in an open incident now");
    Ok(())
}
