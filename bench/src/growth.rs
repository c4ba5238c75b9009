//! How lists grow: every list with its usual filters, sorts, searches and deep pages, asked for in a
//! small installation and in one a hundred times as large.
//!
//! What finds the same number of rows in both is to take at most [`LIST`] times as long, a search
//! [`SEARCH`] times. What a share of the table is found by is shown beside, without a limit.

pub mod rows;

use crate::application::Application;
use crate::load::{self, Case};
use anyhow::{Result, ensure};
use rows::FEW;
use rusqlite::Connection;
use std::time::Instant;

/// Rows of each table.
const SMALL: i64 = 10_000;
const LARGE: i64 = 1_000_000;

/// How many times as long what grows a hundredfold may take.
const LIST: f64 = 1.5;
const SEARCH: f64 = 3.0;

/// What is expected of a list.
#[derive(Clone, Copy, PartialEq)]
enum Limit {
    Times(f64),
    /// It reads a share of the table.
    Share,
}

/// What is asked for: the path after the version, and its limit. Two lists need a path of their own.
const LISTS: [(&str, Limit); 64] = {
    use Limit::{Share, Times};
    const EVEN: Limit = Times(LIST);
    const FOUND: Limit = Times(SEARCH);
    [
        ("/blueprints", EVEN),
        ("/blueprints?_sort=-created_at", EVEN),
        ("/blueprints?_sort=id", EVEN),
        ("/blueprints?_sort=-updated_at", EVEN),
        ("/blueprints?_offset=9000", EVEN),
        ("/blueprints?_search=print-00077", FOUND),
        ("/blueprints?_search=t-0000099", FOUND),
        ("/deployments", EVEN),
        ("/deployments?_all_tenants=true", EVEN),
        ("/deployments?_include=id,display_name", EVEN),
        ("/deployments?_sort=-created_at", EVEN),
        ("/deployments?_sort=display_name", EVEN),
        ("/deployments?_sort=id", EVEN),
        ("/deployments?_sort=blueprint_id", EVEN),
        ("/deployments?_offset=9000", EVEN),
        ("/deployments?blueprint_id=blueprint-0000001", EVEN),
        ("/deployments?blueprint_id=blueprint-0000002", EVEN),
        ("/deployments?installation_status=inactive", EVEN),
        ("/deployments?deployment_status=good", EVEN),
        ("/deployments?deployment_status=requires_attention", EVEN),
        ("/deployments?visibility=private", EVEN),
        ("/deployments?id=deployment-0000077", EVEN),
        ("/deployments?created_by=admin", Share),
        ("/deployments?_search=ment-00077", FOUND),
        ("/deployments?_search_name=number%2000099", FOUND),
        ("/deployments?_search=ment-0004242&_sort=-created_at", FOUND),
        ("/deployments?_search=de", Share),
        ("/deployments?_search=deployment", Share),
        // Rules about labels: many have the team, few the rack.
        (
            "/deployments?_filter_rules=%5B%7B%22key%22%3A%22team%22%2C%22values%22%3A%5B%22team-7%22%5D%2C%22operator%22%3A%22any_of%22%2C%22type%22%3A%22label%22%7D%5D",
            EVEN,
        ),
        (
            "/deployments?_filter_rules=%5B%7B%22key%22%3A%22team%22%2C%22values%22%3A%5B%22team-7%22%5D%2C%22operator%22%3A%22is_not%22%2C%22type%22%3A%22label%22%7D%5D",
            EVEN,
        ),
        (
            "/deployments?_filter_rules=%5B%7B%22key%22%3A%22rack%22%2C%22values%22%3A%5B%22rack-7%22%5D%2C%22operator%22%3A%22any_of%22%2C%22type%22%3A%22label%22%7D%5D",
            FOUND,
        ),
        (
            "/deployments?_filter_rules=%5B%7B%22key%22%3A%22rack%22%2C%22values%22%3A%5B%22rack-7%22%2C%22rack-8%22%5D%2C%22operator%22%3A%22any_of%22%2C%22type%22%3A%22label%22%7D%2C%7B%22key%22%3A%22team%22%2C%22values%22%3A%5B%22team-5%22%5D%2C%22operator%22%3A%22any_of%22%2C%22type%22%3A%22label%22%7D%5D",
            FOUND,
        ),
        ("/labels/deployments", EVEN),
        ("/labels/deployments/team", EVEN),
        ("/labels/blueprints", EVEN),
        ("/executions", EVEN),
        ("/executions?_sort=-created_at", EVEN),
        ("/executions?deployment_id=deployment-0000007", EVEN),
        ("/executions?status=failed", EVEN),
        ("/executions?status=terminated&_sort=-created_at", EVEN),
        ("/executions?status=queued&_sort=-created_at", EVEN),
        ("/executions?workflow_id=install", EVEN),
        ("/executions?_offset=8000", EVEN),
        ("/tasks_graphs?execution_id=execution-0000077", EVEN),
        ("/operations?execution_id=execution-0000077", EVEN),
        ("/operations?graph_id=graph-0000077", EVEN),
        ("/nodes", EVEN),
        ("/nodes?deployment_id=deployment-0000007", EVEN),
        ("/nodes?_offset=9000", EVEN),
        ("/nodes?_search=node-00077", FOUND),
        ("/node-instances", EVEN),
        ("/node-instances?deployment_id=deployment-0000007", EVEN),
        ("/node-instances?state=started", EVEN),
        ("/node-instances?state=deleting", EVEN),
        ("/node-instances?_search=tance-00077", FOUND),
        ("/events", EVEN),
        ("/events?include_logs=true&_sort=-timestamp", EVEN),
        ("/events?execution_id=execution-0000007", EVEN),
        ("/events?deployment_id=deployment-0000001", EVEN),
        (
            "/events?_range=timestamp,2023-11-14T22:20:00Z,2023-11-14T22:30:00Z",
            EVEN,
        ),
        ("/sites", EVEN),
        ("/users", EVEN),
        ("/user-groups", EVEN),
        ("/tenants", EVEN),
    ]
};

/// Lists that are found at other addresses.
const MORE: [(&str, Limit); 3] = [
    ("/api/v3.1/tokens?_size=20", Limit::Times(LIST)),
    ("/v2/incidents?limit=20", Limit::Share),
    ("/metrics", Limit::Times(LIST)),
];

/// How often each list is asked for in both sizes.
const ANSWERS: usize = 24;

/// Measures both sizes and prints one table; an error when a limit is passed.
pub fn measure() -> Result<()> {
    let lists: Vec<(String, Limit)> = LISTS
        .iter()
        .map(|(path, limit)| {
            let separator = if path.contains('?') { '&' } else { '?' };
            (format!("/api/v3.1{path}{separator}_size=20"), *limit)
        })
        .chain(
            MORE.iter()
                .map(|(path, limit)| ((*path).to_owned(), *limit)),
        )
        .collect();
    let sizes = [installation(SMALL)?, installation(LARGE)?];
    println!("\n| list | ms, {SMALL} rows | ms, {LARGE} rows | times | at most |");
    println!("|---|---|---|---|---|");
    let mut too_slow = 0;
    for (path, limit) in &lists {
        let [small, large] = fastest(&sizes, path)?;
        let times = large / small;
        let allowed = match limit {
            Limit::Times(most) if times <= *most => format!("{most}"),
            Limit::Times(most) => {
                too_slow += 1;
                format!("**{most}**")
            }
            Limit::Share => "-".to_owned(),
        };
        let path = path.trim_start_matches("/api/v3.1").replace("_size=20", "");
        let path = path.trim_end_matches(['?', '&']);
        println!("| {path} | {small:.2} | {large:.2} | {times:.1} | {allowed} |");
    }
    ensure!(too_slow == 0, "{too_slow} lists grow faster than they may");
    Ok(())
}

/// A quarter of the answers came within so many milliseconds, in each size: what else runs on the
/// machine makes some slower, nothing makes one faster.
fn fastest(sizes: &[Application; 2], path: &str) -> Result<[f64; 2]> {
    let [small, large] = sizes;
    let case = Case::new("a list", "GET", path, &small.headers());
    let servers = [small.address(), large.address()];
    let times = load::by_turns(servers, &case, ANSWERS)?;
    Ok(times.map(|mut times| {
        times.sort_unstable();
        times[ANSWERS / 4].as_secs_f64() * 1000.0
    }))
}

/// An installation with so many rows, which runs.
fn installation(rows: i64) -> Result<Application> {
    eprintln!("making {rows} rows");
    let begun = Instant::now();
    let mut application = Application::start()?;
    application.call("GET", "/deployments", None, 200)?;
    application.stop();
    let mut database = Connection::open(application.database())?;
    rows::fill(&mut database, rows)?;
    drop(database);
    application.restart()?;
    eprintln!("made in {:.0} s", begun.elapsed().as_secs_f64());
    demand_few(&application)?;
    Ok(application)
}

/// What finds a fixed number of rows is to find them in both sizes.
fn demand_few(application: &Application) -> Result<()> {
    for path in [
        "/deployments?blueprint_id=blueprint-0000001",
        "/nodes?deployment_id=deployment-0000007",
        "/executions?deployment_id=deployment-0000007&_include_system_workflows=true",
        "/events?execution_id=execution-0000001&include_logs=true",
    ] {
        let list = application.call("GET", path, None, 200)?;
        let total = &list["metadata"]["pagination"]["total"];
        ensure!(*total == FEW, "{path} finds {total} rows instead of {FEW}");
    }
    Ok(())
}
