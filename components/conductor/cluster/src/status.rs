//! `/status` and `/cluster-status`: whether the parts of the application work.
//!
//! Clients know the parts by the names of the original's services, so each of ours stands under
//! the name of its counterpart; its description says what it is.

use serde_json::{Map, Value, json};
use windlass_core::db::Db;
use windlass_core::list::{Field, Fields};
use windlass_core::{Context, Permission, Response, Result, Scope, Timestamp};
use windlass_store::overview::{self, Readiness};

/// How long due work may wait before the scheduler counts as not running, in milliseconds: it
/// ticks every second, so this is thirty that failed.
const PATIENCE: i64 = 30_000;

/// How long no tick may have begun, in milliseconds, also when nothing was due: one in ten is noted.
const SILENCE: i64 = 60_000;

static STATUS: Fields = Fields(&[Field::named("status"), Field::named("services")]);

/// One part of the application.
struct Service {
    /// The name of its counterpart.
    name: &'static str,
    unit: &'static str,
    description: &'static str,
    works: bool,
}

/// `GET /ok`: for load balancers, open to everybody. Where nothing can be stored any more it is a 503.
pub async fn ok(ctx: &Context<impl Db>) -> Result<Response> {
    let (status, word) = match overview::readiness(&ctx.db, Timestamp::now()).await {
        Readiness::Ready => (200, "\"OK\""),
        Readiness::Full => (503, "\"FAIL\""),
        Readiness::Failing => (500, "\"FAIL\""),
    };
    Ok(Response::json_text(status, word))
}

/// `GET /status`: the overall state and, unless `summary` is asked for, each part's.
pub async fn status(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_anywhere(Permission::StatusGet)?;
    let summary = ctx.request.query_bool("summary")?.unwrap_or(false);
    let include = ctx.include(STATUS)?;
    let services = services(&ctx.db, &scope).await;
    let shown: Map<String, Value> = services
        .iter()
        .filter(|_| !summary)
        .map(|service| (service.name.to_owned(), service.as_systemd()))
        .collect();
    ctx.ok(include.of(json!({ "status": word(all_work(&services)), "services": shown })))
}

/// Each part's state, for whoever is sent a bundle of logs.
pub async fn report(db: &impl Db, scope: &Scope) -> Value {
    let services = services(db, scope).await;
    services
        .iter()
        .map(|service| (service.name.to_owned(), service.activity().into()))
        .collect::<Map<_, _>>()
        .into()
}

/// `GET /cluster-status`: the same as a cluster of one node. A summary of a failure is a 500, for
/// load balancers that look at nothing else.
pub async fn cluster_status(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_anywhere(Permission::ClusterStatusGet)?;
    let summary = ctx.request.query_bool("summary")?.unwrap_or(false);
    let services = services(&ctx.db, &scope).await;
    let works = all_work(&services);
    if summary {
        let body = json!({ "status": word(works), "services": {} });
        return Response::json(if works { 200 } else { 500 }, &body);
    }
    let (database, manager): (Vec<Service>, Vec<Service>) = services
        .into_iter()
        .partition(|service| service.name == DATABASE);
    ctx.ok(json!({ "status": word(works), "services": {
        "manager": service_type(&manager, Some("")),
        "db": service_type(&database, None),
        // Work waits in the database: its queue is what a broker is elsewhere.
        "broker": service_type(&[], None),
    } }))
}

const DATABASE: &str = "PostgreSQL";

/// Looks at every part.
async fn services(db: &impl Db, scope: &Scope) -> [Service; 4] {
    let now = Timestamp::now();
    let queue = overview::queue(db, scope, now).await;
    let ticked_at = overview::last_tick(db).await;
    [
        Service {
            name: "Manager Rest-Service",
            unit: "windlass-api",
            description: "The components that answer the APIs; this answer is the proof",
            works: true,
        },
        Service {
            name: DATABASE,
            unit: "windlass-store",
            description: "The SQLite database: it answers, has this build's schema, and room for more",
            works: overview::readiness(db, now).await == Readiness::Ready,
        },
        Service {
            name: "Management Worker",
            unit: "windlass-scheduler",
            description: "The scheduler: it ticked in the last minute, and no due work has waited for half of one",
            works: queue.is_ok_and(|queue| queue.oldest_due_millis <= PATIENCE)
                && ticked_at.is_ok_and(|at| is_ticking(at, now)),
        },
        Service {
            name: "Webserver",
            unit: "windlass-host",
            description: "The platform that runs the components and carried this request",
            works: true,
        },
    ]
}

/// Whether the clock of the queue runs. One that has not begun yet is given the time that due work has.
fn is_ticking(at: i64, now: Timestamp) -> bool {
    at == 0 || now.millis() - at <= SILENCE
}

fn all_work(services: &[Service]) -> bool {
    services.iter().all(|service| service.works)
}

fn word(works: bool) -> &'static str {
    if works { "OK" } else { "Fail" }
}

impl Service {
    /// As `/status` shows it: the original's services are units of systemd.
    fn as_systemd(&self) -> Value {
        let (state, active, sub) = if self.works {
            ("running", "active", "running")
        } else {
            ("down", "inactive", "dead")
        };
        json!({
            "status": self.activity(),
            "is_remote": false,
            "extra_info": { "systemd": {
                "display_name": self.name,
                "unit_id": self.unit,
                "instances": [{
                    "LoadState": "loaded", "Description": self.description, "state": state,
                    "MainPID": 0, "Id": self.unit, "ActiveState": active, "SubState": sub,
                }],
            } },
        })
    }

    fn activity(&self) -> &'static str {
        if self.works { "Active" } else { "Inactive" }
    }
}

/// One type of node as `/cluster-status` shows it, with our only node of that type.
fn service_type(services: &[Service], public_ip: Option<&str>) -> Value {
    let status = word(all_work(services));
    let mut nodes = Map::new();
    if !services.is_empty() {
        let shown: Map<String, Value> = services
            .iter()
            .map(|service| {
                let shown = json!({ "status": service.activity(), "extra_info": {
                    "description": service.description,
                } });
                (service.name.to_owned(), shown)
            })
            .collect();
        nodes.insert(
            "windlass".into(),
            json!({
                "status": status,
                "version": crate::version::CONDUCTOR,
                "public_ip": public_ip,
                "private_ip": "",
                "services": shown,
            }),
        );
    }
    json!({ "status": status, "is_external": false, "nodes": nodes })
}

#[cfg(test)]
#[path = "status/tests.rs"]
mod tests;
