//! The status page: 50 components with a past of 90 days, read by visitors and written by monitors.

use crate::application::Application;
use crate::load::Case;
use anyhow::{Context, Result, ensure};
use rusqlite::{Connection, params};
use serde_json::{Map, json};
use windlass_core::Timestamp;
use windlass_identity::jwt;

/// What monitors sign with.
pub const SECRET: &str = "a secret of the benchmark's, long enough to sign";
/// Components that the page shows.
const SHOWN: i64 = 50;
/// Those among them that `component_status` is asked for, and how many incidents they had.
const ASKED: i64 = 20;
const INCIDENTS: i64 = 200;
/// Incidents of the other ones.
const OTHERS: i64 = 100;
/// Components that monitors report one after the other.
const REPORTED: u64 = 9_000;
const DAY: i64 = 86_400;

/// A catalogue of the first 20 components, with all their incidents.
pub fn prepare_list(application: &Application) -> Result<()> {
    catalogue(application, ASKED, 0)?;
    past(application, 0..INCIDENTS)
}

/// The whole catalogue, and the incidents of the others.
pub fn prepare_page(application: &Application) -> Result<()> {
    catalogue(application, SHOWN, 0)?;
    past(application, INCIDENTS..INCIDENTS + OTHERS)
}

/// Incidents all over 90 days. Those can be made with SQL only: the API takes none that are over
/// already.
fn past(application: &Application, numbers: std::ops::Range<i64>) -> Result<()> {
    let database = Connection::open(application.database())?;
    database.busy_timeout(std::time::Duration::from_secs(10))?;
    let now = Timestamp::now();
    for number in numbers {
        let component = match number < INCIDENTS {
            true => number % ASKED,
            false => ASKED + number % (SHOWN - ASKED),
        };
        let begun = now.plus_seconds(-(1 + number * 7 % 89) * DAY);
        let ended = begun.plus_seconds(600 + number * 131 % 7_200).to_string();
        database.execute(
            "insert into status_incidents (kind, title, impact, started_at, ended_at, is_system,
                 status, created_at, created_by, updated_at)
             values ('incident', 'Slow answers', ?1, ?2, ?3, 1, 'resolved', ?2, 'bench', ?3)",
            params![1 + number % 3, begun.to_string(), ended],
        )?;
        let incident = database.last_insert_rowid();
        database.execute(
            "insert into status_incident_components (incident_id, component_id)
             select ?1, id from status_components order by position, id limit 1 offset ?2",
            params![incident, component],
        )?;
        for status in ["fixing", "resolved"] {
            database.execute(
                "insert into status_updates (incident_id, status, text, at, created_at, created_by)
                 values (?1, ?2, 'The cause is known and being worked on.', ?3, ?3, 'bench')",
                params![incident, status, ended],
            )?;
        }
    }
    Ok(())
}

/// Makes the catalogue: what the page shows, and more that only monitors report.
fn catalogue(application: &Application, shown: i64, more: u64) -> Result<()> {
    let component = |name: String, group: u64| {
        let category = format!("group {}", group % 5);
        json!({ "name": name, "attributes": { "region": "EU-1", "category": category } })
    };
    let shown = (0..shown).map(|number| match number < ASKED {
        true => component(format!("core-{number}"), number.unsigned_abs()),
        false => component(format!("edge-{number}"), number.unsigned_abs()),
    });
    let reported = (0..more).map(|number| component(format!("probe-{number}"), number));
    let components: Vec<_> = shown.chain(reported).collect();
    let body = json!({ "components": components }).to_string().into_bytes();
    application.call_at("PUT", "/api/v1/catalogue", Some(body), 200)?;
    Ok(())
}

/// What visitors ask for.
pub fn reads() -> [Case; 2] {
    [
        Case::new("the status page, 50 components", "GET", "/status", &[]),
        Case::new(
            "component_status, 20 components and 200 incidents",
            "GET",
            "/api/v1/component_status",
            &[],
        ),
    ]
}

/// What monitors post: what everybody knows already, something new now and then, something new each
/// time. From here on the catalogue is larger than the page's.
pub fn reports(application: &Application) -> Result<[Case; 3]> {
    catalogue(application, SHOWN, REPORTED)?;
    let mut claims = Map::new();
    claims.insert("stackmon".into(), "bench".into());
    let now = Timestamp::now();
    let token = jwt::sign(SECRET, claims, now, now.plus_seconds(3_600))
        .ok()
        .context("the secret is long enough")?;
    let headers = [("authorization".to_owned(), format!("Bearer {token}"))];
    let case = |name, component: &str, impact: u8| {
        let body = json!({ "name": component, "impact": impact }).to_string();
        Case::new(name, "POST", "/api/v1/component_status", &headers).body(body, &[201, 409])
    };
    Ok([
        case("report what is known already", "core-1", 1),
        case("report, one in ten new", "probe-<>", 1)
            .period(REPORTED)
            .repeats(10),
        case("report, all new", "probe-<>", 2).period(REPORTED),
    ])
}

/// How many components are in an open incident: answers alone would prove nothing.
pub fn reported(application: &Application) -> Result<i64> {
    let database = Connection::open(application.database())?;
    let sql = "select count(distinct component_id) from status_incident_components
               join status_incidents on id = incident_id where ended_at is null";
    let open: i64 = database.query_row(sql, [], |row| row.get(0))?;
    ensure!(open > 1, "the reports changed nothing");
    Ok(open)
}
