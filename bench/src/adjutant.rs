//! Adjutant beside its original: a page of 20 of 10,000 tasks by their status, asked of both in the same run;
//! how that grows, and how fast Keystone's clients log in.
//!
//! The original runs as its authors serve it (`bench/original_adjutant.py`), from a Python environment of
//! its own that the first run makes.

use crate::application::Application;
use crate::load::{Case, Figures, Load};
use crate::process::Server;
use anyhow::{Context, Result, ensure};
use rusqlite::{Connection, params};
use serde_json::json;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// What is installed beside Python.
const ORIGINAL: [&str; 2] = ["python-adjutant==13.0.0", "gunicorn==27.0.1"];
/// Tasks that a page is taken from, at first and in the end.
const TASKS: i64 = 10_000;
const MANY_TASKS: i64 = 1_000_000;
/// A page of those that are not done, which every other one is.
const PAGE: &str =
    "/v1/tasks?tasks_per_page=20&filters=%7B%22completed%22%3A%7B%22exact%22%3Afalse%7D%7D";

/// Measures all of it and prints a table. Another number than a million is for small disks.
pub fn measure(load: Load, most: Option<&str>) -> Result<()> {
    let most = most.map_or(Ok(MANY_TASKS), str::parse)?;
    eprintln!("starting, and making {TASKS} tasks on both sides");
    let original = Original::start()?;
    let application = Application::start()?;
    let database = Connection::open(application.database())?;
    database.busy_timeout(Duration::from_secs(10))?;
    fill(&database, 0, TASKS)?;
    let headers = application.bearer()?;
    let page = Case::new(
        "page of 20 of 10,000 tasks, by status",
        "GET",
        PAGE,
        &headers,
    );
    let ours = load.run(application.address(), &page)?;
    let theirs = load.run(
        original.address(),
        &Case::new("the original", "GET", PAGE, &[]),
    )?;
    // Once more the other way round: what else runs on the machine comes and goes.
    let theirs_again = load.run(
        original.address(),
        &Case::new("the original", "GET", PAGE, &[]),
    )?;
    let ours_again = load.run(application.address(), &page)?;
    drop(original);
    let nothing = Case::new("GET /v1, which asks nothing", "GET", "/v1", &headers);
    let floor = load.run(application.address(), &nothing)?;
    let logins = load.run(application.address(), &login(&application))?;
    eprintln!("making {most} tasks");
    fill(&database, TASKS, most)?;
    let of_many = load.run(application.address(), &page)?;
    // Beside what costs the same however many there are: so much the machine has become slower or faster.
    let floor_again = load.run(application.address(), &nothing)?;

    println!("\n| what | answers/s | p50 ms | p99 ms |\n|---|---|---|---|");
    let lines = [
        ("page of 20 of 10,000 tasks, by status", ours),
        ("the same again", ours_again),
        ("the original", theirs),
        ("the original again", theirs_again),
        ("GET /v1, which asks the database nothing", floor),
        (
            "POST /v3/auth/tokens, a password that is remembered",
            logins,
        ),
    ];
    for (name, figures) in lines {
        print(name, figures);
    }
    print(&format!("page of 20 of {most} tasks"), of_many);
    print("GET /v1 again", floor_again);
    let times = (ours.rate + ours_again.rate) / (theirs.rate + theirs_again.rate);
    println!("\n{times:.0} times the rate of the original");
    Ok(())
}

fn print(name: &str, figures: Figures) {
    let millis = |time: Duration| time.as_secs_f64() * 1000.0;
    let (p50, p99) = (millis(figures.p50), millis(figures.p99));
    println!("| {name} | {:.0} | {p50:.2} | {p99:.2} |", figures.rate);
}

/// A login by name and password, as `openstack` does for every command.
fn login(application: &Application) -> Case {
    let (name, password) = application.login();
    let body = json!({ "auth": {
        "identity": { "methods": ["password"], "password": { "user": {
            "name": name, "password": password, "domain": { "name": "Default" } } } },
        "scope": { "project": { "name": "default_tenant", "domain": { "name": "Default" } } },
    } });
    Case::new("login", "POST", "/v3/auth/tokens", &[]).body(body.to_string(), &[201])
}

/// Tasks as sign-ups make them, every other one done: so many, numbered from the first on.
fn fill(database: &Connection, first: i64, end: i64) -> Result<()> {
    let note = "No existing project with name 'pier'. - (2026-11-21 01:06:18.612528+00:00)";
    let notes = json!({ "NewProjectWithUserAction": [note, note] }).to_string();
    for from in (first..end).step_by(10_000) {
        let values = params![from, (from + 10_000).min(end), notes];
        database.execute(
            "with recursive n (n) as (select ?1 union all select n + 1 from n where n + 1 < ?2)
             insert into adjutant_tasks (uuid, task_type, hash_key, action_notes, completed, standing,
                 created_on, completed_on)
             select printf('%032x', n), 'create_project_and_user', printf('%064x', n), ?3, n % 2,
                 2 * (n % 2), strftime('%Y-%m-%dT%H:%M:%fZ', 1700000000 + n, 'unixepoch'),
                 iif(n % 2, '2026-11-21T01:06:18.612Z', null) from n",
            values,
        )?;
        database.execute(
            "insert into adjutant_actions (task_key, position, action_name, action_data, valid, created)
             select t.key, a.key, a.value ->> 0, a.value ->> 1, 1, t.created_on
             from adjutant_tasks t, json_each(?3) a
             where t.uuid between printf('%032x', ?1) and printf('%032x', ?2 - 1)",
            params![from, (from + 10_000).min(end), actions()],
        )?;
    }
    Ok(())
}

fn actions() -> String {
    let person = json!({ "domain_id": "default", "email": "bob@example.com", "parent_id": null,
        "project_name": "pier" });
    let network = json!({ "region": "RegionOne", "setup_network": false });
    json!([
        ["NewProjectWithUserAction", person.to_string()],
        ["NewProjectDefaultNetworkAction", network.to_string()],
        ["SetProjectQuotaAction", "{}"],
    ])
    .to_string()
}

/// The original, with as many tasks.
struct Original {
    server: Server,
    folder: PathBuf,
}

impl Original {
    fn start() -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let folder = std::env::temp_dir().join(format!("windlass-original-{port}"));
        std::fs::create_dir_all(&folder)?;
        let mut command = Command::new(python()?);
        command
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("original_adjutant.py"))
            .arg(&folder)
            .args([TASKS.to_string(), port.to_string()]);
        let server = Server::start(command)?;
        let original = Self { server, folder };
        let begun = Instant::now();
        while TcpStream::connect(original.address()).is_err() {
            ensure!(
                begun.elapsed() < Duration::from_secs(60),
                "the original does not answer"
            );
            std::thread::sleep(Duration::from_millis(200));
        }
        Ok(original)
    }

    fn address(&self) -> SocketAddr {
        self.server.address
    }
}

impl Drop for Original {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The Python that has the original, which is installed below `target/` the first time.
fn python() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = root.join("target/original-adjutant");
    let python = folder.join("bin/python");
    let installed = folder.join(".installed");
    if std::fs::read_to_string(&installed).is_ok_and(|text| text == ORIGINAL.join(" ")) {
        return Ok(python);
    }
    eprintln!("installing {}", ORIGINAL.join(" "));
    // It imports a module that Python 3.13 dropped, as the clients do.
    let base = ["python3.11", "python3.12", "python3"]
        .into_iter()
        .find(|name| Command::new(name).arg("--version").output().is_ok())
        .context("there is no Python")?;
    run(Command::new(base).args(["-m", "venv"]).arg(&folder))?;
    let pip = folder.join("bin/pip");
    run(Command::new(pip)
        .args(["install", "--quiet", "setuptools<81"])
        .args(ORIGINAL))?;
    std::fs::write(installed, ORIGINAL.join(" "))?;
    Ok(python)
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status()?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}
