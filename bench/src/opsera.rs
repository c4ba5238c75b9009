//! Pipelines and what is read from their runs: a run beside its receiver's own time, a hundred at once, how
//! fast runs begin, and DORA's measures over many runs.

use crate::application::Application;
use anyhow::{Context, Result, ensure};
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use windlass_tests::{Outgoing, Recorder};

/// Steps of a run.
const STEPS: usize = 10;
/// How long the receiver of the single run takes for each call.
const RECEIVER: Duration = Duration::from_millis(10);
/// Runs at the same time.
const AT_ONCE: usize = 100;
/// Runs that begin, and the clients that begin them.
const BEGUN: usize = 1200;
const CLIENTS: usize = 4;
/// Runs that are measured over, and within how many milliseconds that is to be answered.
const HISTORIES: [(i64, u128); 2] = [(100_000, 200), (1_000_000, 1000)];

/// How often an answer was that the database is busy.
static BUSY: AtomicUsize = AtomicUsize::new(0);

/// A client of Opsera.
struct Client<'a> {
    application: &'a Application,
    token: String,
}

impl Client<'_> {
    fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Result<Value> {
        let request = Outgoing {
            method: method.into(),
            path: path.into(),
            headers: vec![
                ("authorization".into(), format!("Bearer {}", self.token)),
                ("tenant".into(), "default_tenant".into()),
                ("content-type".into(), "application/json".into()),
            ],
            body: body.map(|body| body.to_string().into_bytes()),
        };
        let send = || windlass_tests::send(self.application.address(), &request);
        let mut answer = send().map_err(anyhow::Error::msg)?;
        // On a loaded disk a writer may have to ask once more.
        while answer.status == 503 {
            BUSY.fetch_add(1, Ordering::Relaxed);
            answer = send().map_err(anyhow::Error::msg)?;
        }
        let text = String::from_utf8_lossy(&answer.body);
        ensure!(
            answer.status == 200,
            "{method} {path}: {} {text}",
            answer.status
        );
        Ok(serde_json::from_slice(&answer.body)?)
    }

    fn pipeline(&self, what: &str, id: &str) -> Result<Value> {
        let path = format!("/api/v1/pipeline/{what}");
        self.ask("POST", &path, Some(json!({ "pipelineId": id })))
    }

    fn create(&self, plan: &Value) -> Result<String> {
        let body = json!({ "name": "bench", "workflow": { "plan": plan } });
        let made = self.ask("POST", "/api/v1/pipeline/create", Some(body))?;
        Ok(made["_id"]
            .as_str()
            .context("a pipeline has an id")?
            .to_owned())
    }

    fn start(&self, id: &str) -> Result<()> {
        let started = self.pipeline("run", id)?;
        ensure!(started["status"] == "executed", "{started}");
        Ok(())
    }
}

/// Measures all and prints a table.
pub fn measure() -> Result<()> {
    let application = Application::start()?;
    let headers = application.token()?;
    let token = headers.first().context("a token is a header")?.1.clone();
    let client = Client {
        application: &application,
        token,
    };
    let slow = Recorder::answering(|_| {
        std::thread::sleep(RECEIVER);
        (200, json!({}))
    });
    println!("\n| pipelines | |\n|---|---|");
    one_run(&client, &slow)?;
    many_runs(&client, &Recorder::start())?;
    beginnings(&client)?;
    for (runs, most) in HISTORIES {
        history(&client, runs, most)?;
    }
    println!(
        "| answers 503, asked again | {} |",
        BUSY.load(Ordering::Relaxed)
    );
    Ok(())
}

fn steps(receiver: &Recorder) -> Value {
    let step = |number| {
        let configuration = json!({ "url": format!("{}/{number}", receiver.url()) });
        json!({ "name": format!("s{number}"), "tool": { "tool_identifier": "webhook", "configuration": configuration } })
    };
    (0..STEPS).map(step).collect()
}

/// How long each run took, by its own times, once all have ended.
fn run_times(application: &Application, count: usize) -> Result<Vec<i64>> {
    let database = Connection::open(application.database())?;
    database.busy_timeout(Duration::from_secs(10))?;
    let begun = Instant::now();
    loop {
        let mut rows = database.prepare(
            "select ended_at - started_at from pipeline_runs where ended_at is not null
             and state = 'success' order by key desc limit ?1",
        )?;
        let times = rows.query_map([i64::try_from(count)?], |row| row.get(0))?;
        let mut times = times.collect::<rusqlite::Result<Vec<i64>>>()?;
        if times.len() >= count {
            times.sort_unstable();
            return Ok(times);
        }
        ensure!(
            begun.elapsed() < Duration::from_secs(120),
            "{} of {count} have ended",
            times.len()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn one_run(client: &Client<'_>, receiver: &Recorder) -> Result<()> {
    let id = client.create(&steps(receiver))?;
    let address = receiver.url().trim_start_matches("http://").parse()?;
    let mut fastest = (Duration::MAX, i64::MAX);
    for _ in 0..5 {
        let begun = Instant::now();
        for number in 0..STEPS {
            let request = Outgoing {
                method: "POST".into(),
                path: format!("/{number}"),
                headers: Vec::new(),
                body: Some(Vec::new()),
            };
            windlass_tests::send(address, &request).map_err(anyhow::Error::msg)?;
        }
        fastest.0 = fastest.0.min(begun.elapsed());
        client.start(&id)?;
        std::thread::sleep(Duration::from_secs(1));
        let times = run_times(client.application, 1)?;
        fastest.1 = fastest.1.min(times.first().copied().unwrap_or(i64::MAX));
    }
    println!(
        "| {STEPS} webhooks one after the other, ms; called directly; at most 5 times | {}; {:.1} |",
        fastest.1,
        fastest.0.as_secs_f64() * 1000.0
    );
    Ok(())
}

fn many_runs(client: &Client<'_>, receiver: &Recorder) -> Result<()> {
    let plan = steps(receiver);
    let ids = (0..AT_ONCE)
        .map(|_| client.create(&plan))
        .collect::<Result<Vec<_>>>()?;
    let database = Connection::open(client.application.database())?;
    database.busy_timeout(Duration::from_secs(10))?;
    database.execute(
        "update pipeline_runs set state = 'stopped' where state = 'success'",
        [],
    )?;
    for id in &ids {
        client.start(id)?;
    }
    let times = run_times(client.application, AT_ONCE)?;
    let (median, slowest) = (times[AT_ONCE / 2], times[AT_ONCE - 1]);
    println!(
        "| {AT_ONCE} such runs at once, ms: median, slowest; at most 3 times | {median}, {slowest} |"
    );
    Ok(())
}

fn beginnings(client: &Client<'_>) -> Result<()> {
    let plan = json!([{ "name": "ok", "tool": { "tool_identifier": "approval" } }]);
    let ids = (0..BEGUN)
        .map(|_| client.create(&plan))
        .collect::<Result<Vec<_>>>()?;
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let clients: Vec<_> = ids
            .chunks(BEGUN.div_ceil(CLIENTS))
            .map(|ids| scope.spawn(move || ids.iter().try_for_each(|id| client.start(id))))
            .collect();
        clients
            .into_iter()
            .try_for_each(|one| one.join().expect("a client ends"))
    })?;
    #[allow(clippy::cast_precision_loss, reason = "a count of runs")]
    let rate = BEGUN as f64 / begun.elapsed().as_secs_f64();
    println!("| runs begun a second, {CLIENTS} clients | {rate:.0} |");
    Ok(())
}

/// So many runs of a hundred pipelines within the last thirty days, one in seven failed.
fn history(client: &Client<'_>, runs: i64, most: u128) -> Result<()> {
    let mut database = Connection::open(client.application.database())?;
    database.busy_timeout(Duration::from_secs(30))?;
    let work = database.transaction()?;
    work.execute("update pipelines set project_id = 'p' || (key % 20)", [])?;
    work.execute(
        "with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < ?1),
         moments (n, at) as (select n, unixepoch() * 1000 - n % 2500000 * 1000 from numbers)
         insert into pipeline_runs (pipeline_key, number, tenant_name, plan_key, state, cause, started_by,
             committed_at, started_at, ended_at)
         select p.key, ?1 + 10 + m.n, p.tenant_name, p.plan_key, iif(m.n % 7 = 0, 'failed', 'success'), 'push',
             'admin', m.at - m.n % 86400 * 1000, m.at, m.at
         from moments m cross join pipelines p on p.key = 1 + m.n % 100",
        params![runs],
    )?;
    work.commit()?;
    let mut fastest = u128::MAX;
    for _ in 0..5 {
        let begun = Instant::now();
        let told = client.ask("GET", "/api/v2/insights/dora?by=project", None)?;
        ensure!(told["count"] == 20, "{told}");
        fastest = fastest.min(begun.elapsed().as_millis());
    }
    println!("| DORA by project over {runs} more runs, ms; at most | {fastest}; {most} |");
    Ok(())
}
