//! How lists grow: every list with its usual filters, sorts, searches and deep pages, asked for in
//! installations of several sizes, usually a small one and one a hundred times as large.
//!
//! What finds the same number of rows in all is to take at most [`LIST`] times as long in the largest as with
//! [`SMALL`] rows, a search [`SEARCH`] times. What a share of the table is found by is shown beside, without a
//! limit.

pub mod rows;

use crate::application::Application;
use crate::load::{self, Case};
use anyhow::{Result, ensure};
use rows::FEW;
use rusqlite::Connection;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Rows of each table, when nobody says.
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
const LISTS: [(&str, Limit); 68] = {
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
        ("/deployments?rules=team any_of team-7", EVEN),
        ("/deployments?rules=team is_not team-7", EVEN),
        ("/deployments?rules=rack any_of rack-7", FOUND),
        (
            "/deployments?rules=rack any_of rack-7,rack-8; team any_of team-5",
            FOUND,
        ),
        // What no number is kept of: counted once, then remembered until something changes.
        (
            "/deployments?rules=team any_of team-7; @installation_status any_of active",
            FOUND,
        ),
        (
            "/deployments?rules=team any_of team-7; @display_name contains 7",
            FOUND,
        ),
        (
            "/deployments?rules=@display_name contains 7&_total=false",
            FOUND,
        ),
        ("/deployments?_search=deployment&_total=false", FOUND),
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
    ("/tokens", Limit::Times(LIST)),
    ("/v2/incidents", Limit::Share),
    ("/metrics", Limit::Times(LIST)),
];

/// How often each list is asked for in each size.
const ANSWERS: usize = 24;

/// Measures all sizes and prints one table; an error when a limit is passed. `sizes` are rows, separated by
/// commas.
pub fn measure(sizes: Option<&str>) -> Result<()> {
    let sizes: Vec<i64> = match sizes {
        Some(sizes) => sizes.split(',').map(str::parse).collect::<Result<_, _>>()?,
        None => vec![SMALL, LARGE],
    };
    let installations: Vec<Application> = sizes
        .iter()
        .map(|rows| installation(*rows))
        .collect::<Result<_>>()?;
    let first = sizes.iter().position(|rows| *rows >= SMALL).unwrap_or(0);
    let columns: String = sizes
        .iter()
        .map(|rows| format!(" ms, {rows} rows |"))
        .collect();
    println!("\n| list |{columns} times | at most |");
    println!("|---|{}---|---|", "---|".repeat(sizes.len()));
    let mut too_slow = 0;
    for (path, limit) in LISTS.iter().chain(&MORE) {
        let times = fastest(&installations, &address(path))?;
        let grown = match (times.get(first), times.last()) {
            (Some(small), Some(large)) => large / small,
            _ => 1.0,
        };
        let allowed = match limit {
            Limit::Times(most) if grown <= *most => format!("{most}"),
            Limit::Times(most) => {
                too_slow += 1;
                format!("**{most}**")
            }
            Limit::Share => "-".to_owned(),
        };
        let times: String = times.iter().map(|time| format!(" {time:.2} |")).collect();
        println!("| {path} |{times} {grown:.1} | {allowed} |");
    }
    ensure!(too_slow == 0, "{too_slow} lists grow faster than they may");
    Ok(())
}

/// The address of a page of 20. Filter rules are written in a short form: `key operator values`, the key of
/// an attribute with an `@`.
fn address(path: &str) -> String {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let mut parameters: Vec<String> = query
        .split('&')
        .filter(|parameter| !parameter.is_empty())
        .map(|parameter| match parameter.strip_prefix("rules=") {
            Some(short) => format!("_filter_rules={}", percent_encoded(&rules(short))),
            None => parameter.to_owned(),
        })
        .collect();
    let (version, size) = match path {
        _ if path.starts_with("/v2/") => ("", "limit=20"),
        "/metrics" => ("", "_size=20"),
        _ => ("/api/v3.1", "_size=20"),
    };
    parameters.push(size.to_owned());
    format!("{version}{path}?{}", parameters.join("&"))
}

fn rules(short: &str) -> String {
    let rules = short.split("; ").map(|rule| {
        let mut words = rule.splitn(3, ' ');
        let mut word = || words.next().unwrap_or_default();
        let (key, operator, values) = (word(), word(), word());
        let kind = match key.starts_with('@') {
            true => "attribute",
            false => "label",
        };
        let values: Vec<&str> = values.split(',').collect();
        json!({ "key": key.trim_start_matches('@'), "operator": operator, "values": values, "type": kind })
    });
    Value::from_iter(rules).to_string()
}

fn percent_encoded(text: &str) -> String {
    let encoded = |byte: u8| match byte.is_ascii_alphanumeric() {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(encoded).collect()
}

/// A quarter of the answers came within so many milliseconds, in each size: what else runs on the
/// machine makes some slower, nothing makes one faster.
fn fastest(installations: &[Application], path: &str) -> Result<Vec<f64>> {
    let Some(headers) = installations.first().map(Application::headers) else {
        return Ok(Vec::new());
    };
    let case = Case::new("a list", "GET", path, &headers);
    let servers: Vec<_> = installations.iter().map(Application::address).collect();
    let times = load::by_turns(&servers, &case, ANSWERS)?;
    let quarter = |mut times: Vec<Duration>| {
        times.sort_unstable();
        times[ANSWERS / 4].as_secs_f64() * 1000.0
    };
    Ok(times.into_iter().map(quarter).collect())
}

/// An installation with so many rows, which runs, and in which filters find what they are to find.
fn installation(rows: i64) -> Result<Application> {
    let application = filled(rows)?;
    demand_few(&application)?;
    Ok(application)
}

/// An installation with so many rows, which runs.
pub fn filled(rows: i64) -> Result<Application> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_list_has_an_address() {
        for (path, want) in [
            ("/sites", "/api/v3.1/sites?_size=20"),
            ("/v2/incidents", "/v2/incidents?limit=20"),
            (
                "/deployments?_search=de&_total=false",
                "/api/v3.1/deployments?_search=de&_total=false&_size=20",
            ),
        ] {
            assert_eq!(address(path), want);
        }
        for (path, _) in LISTS.iter().chain(&MORE) {
            assert!(!address(path).contains([' ', '"', '@', ';']), "{path}");
        }
        assert_eq!(
            rules("team any_of a,b; @id contains 7"),
            json!([
                { "key": "team", "operator": "any_of", "values": ["a", "b"], "type": "label" },
                { "key": "id", "operator": "contains", "values": ["7"], "type": "attribute" },
            ])
            .to_string()
        );
    }
}
