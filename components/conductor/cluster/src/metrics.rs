//! `/metrics`: the state of the application in the text format of Prometheus.
//!
//! It asks for credentials like everything else, with the permission of `/status`: every user
//! has it, so a user without any tenant is enough for a scraper. The numbers are of all tenants.

use std::fmt::Write as _;
use windlass_core::db::Db;
use windlass_core::{Context, Permission, Response, Result, Timestamp};
use windlass_store::maintenance::{self, Mode};
use windlass_store::overview::{self, Counts, Measure, Measures, Queue};

/// `GET /metrics`: what there is, how executions fare, and whether due work waits.
pub async fn metrics(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_anywhere(Permission::StatusGet)?;
    let counts = overview::counts(&ctx.db, &scope).await?;
    let queue = overview::queue(&ctx.db, &scope, Timestamp::now()).await?;
    let measures = overview::measures(&ctx.db, &scope, Timestamp::now()).await?;
    let moment = Moment {
        ticked_at: overview::last_tick(&ctx.db).await?,
        mode: maintenance::state(&ctx.db, &scope).await?.status,
    };
    let mut text = render(&counts, &queue, &moment);
    render_measures(&mut text, &measures);
    Ok(Response::bytes(
        200,
        "text/plain; version=0.0.4; charset=utf-8",
        text,
    ))
}

/// What is so at this moment.
struct Moment {
    /// When a tick of the queue began last, in milliseconds.
    ticked_at: i64,
    /// Whether the application is being maintained.
    mode: Mode,
}

fn render(counts: &Counts, queue: &Queue, moment: &Moment) -> String {
    let mut text = String::with_capacity(2048);
    let version = format!("{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
    gauge(
        &mut text,
        "windlass_info",
        "What runs here.",
        &[(version, "1".into())],
    );
    for (name, help, value) in [
        (
            "windlass_blueprints",
            "Blueprints of all tenants.",
            counts.blueprints.to_string(),
        ),
        (
            "windlass_deployments",
            "Deployments of all tenants.",
            counts.deployments.to_string(),
        ),
        (
            "windlass_plugins",
            "Plugins of all tenants.",
            counts.plugins.to_string(),
        ),
        (
            "windlass_queue_depth",
            "Work that is left, also what is for later or under way.",
            queue.depth.to_string(),
        ),
        (
            "windlass_queue_due",
            "Work that could start now.",
            queue.due.to_string(),
        ),
        (
            "windlass_queue_oldest_due_age_seconds",
            "How long the oldest work that could start now has waited.",
            format!("{:.3}", queue.oldest_due_millis as f64 / 1000.0),
        ),
        (
            "windlass_scheduler_last_tick_timestamp_seconds",
            "When a tick of the queue began last, as far as it was noted: one in ten seconds is.",
            format!("{:.3}", moment.ticked_at as f64 / 1000.0),
        ),
    ] {
        gauge(&mut text, name, help, &[(String::new(), value)]);
    }
    let modes: Vec<(String, String)> = Mode::ALL
        .iter()
        .map(|mode| {
            let is_now = u8::from(*mode == moment.mode);
            (format!("{{mode=\"{}\"}}", mode.name()), is_now.to_string())
        })
        .collect();
    gauge(
        &mut text,
        "windlass_maintenance_mode",
        "1 for the mode that holds now.",
        &modes,
    );
    let executions: Vec<(String, String)> = counts
        .executions
        .iter()
        .map(|(status, count)| {
            (
                format!("{{status=\"{}\"}}", escaped(status)),
                count.to_string(),
            )
        })
        .collect();
    gauge(
        &mut text,
        "windlass_executions",
        "Executions of all tenants, by status.",
        &executions,
    );
    text
}

/// What is told by kind of work, by state, or counted since the database was made.
fn render_measures(text: &mut String, measures: &Measures) {
    let by_kind = |value: fn(&overview::QueueOf) -> String| -> Vec<(String, String)> {
        let label = |kind: &str| format!("{{kind=\"{}\"}}", escaped(kind));
        let values = measures.queue.iter();
        values.map(|of| (label(&of.kind), value(of))).collect()
    };
    let by_state = |label: &str, measured: &[Measure]| -> Vec<(String, String)> {
        let value = |one: &Measure| {
            let name = format!("{{{label}=\"{}\"}}", escaped(&one.name));
            (name, one.value.to_string())
        };
        measured.iter().map(value).collect()
    };
    gauge(
        text,
        "windlass_queue_work",
        "Work that is left, by kind.",
        &by_kind(|of| of.depth.to_string()),
    );
    gauge(
        text,
        "windlass_queue_work_due",
        "Work that could start now, by kind.",
        &by_kind(|of| of.due.to_string()),
    );
    gauge(
        text,
        "windlass_queue_work_oldest_due_age_seconds",
        "How long the oldest work that could start now has waited, by kind.",
        &by_kind(|of| seconds(of.oldest_due_millis)),
    );
    let ages: Vec<(String, String)> = measures
        .oldest_executions
        .iter()
        .map(|one| (format!("{{status=\"{}\"}}", one.name), seconds(one.value)))
        .collect();
    gauge(
        text,
        "windlass_execution_oldest_age_seconds",
        "How long ago the oldest execution was made that has not ended, by status.",
        &ages,
    );
    gauge(
        text,
        "windlass_status_notices",
        "What subscribers of the status page are told, of the last month, by state.",
        &by_state("state", &measures.deliveries),
    );
    gauge(
        text,
        "windlass_mails",
        "Mails about accounts, of the last month, by state.",
        &by_state("state", &measures.mails),
    );
    for one in &measures.counters {
        let (name, help) = match one.name.as_str() {
            "logins" => (
                "windlass_logins_total",
                "Logins, of each user at most one a minute.",
            ),
            "login_failures" => ("windlass_login_failures_total", "Logins that were refused."),
            "executions_failed" => (
                "windlass_executions_failed_total",
                "Executions that ended with an error.",
            ),
            "executions_terminated" => (
                "windlass_executions_terminated_total",
                "Executions that ended well.",
            ),
            // Of a newer version of the database.
            _ => continue,
        };
        metric(
            text,
            name,
            "counter",
            help,
            &[(String::new(), one.value.to_string())],
        );
    }
}

/// Milliseconds as Prometheus has times.
fn seconds(millis: i64) -> String {
    format!("{:.3}", millis as f64 / 1000.0)
}

/// A number that goes up and down: its values with their labels.
fn gauge(text: &mut String, name: &str, help: &str, values: &[(String, String)]) {
    metric(text, name, "gauge", help, values);
}

fn metric(text: &mut String, name: &str, kind: &str, help: &str, values: &[(String, String)]) {
    // Writing to a text does not fail.
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    for (labels, value) in values {
        let _ = writeln!(text, "{name}{labels} {value}");
    }
}

fn escaped(label: &str) -> String {
    label
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_measured_is_told_by_kind_and_state() {
        let one = |name: &str, value| Measure {
            name: name.into(),
            value,
        };
        let mut text = String::new();
        render_measures(
            &mut text,
            &Measures {
                queue: vec![overview::QueueOf {
                    kind: "operation".into(),
                    depth: 3,
                    due: 2,
                    oldest_due_millis: 1250,
                }],
                oldest_executions: vec![one("started", 60_000)],
                deliveries: vec![one("failed", 1)],
                mails: vec![one("sent", 5)],
                counters: vec![one("logins", 7), one("login_failures", 2), one("later", 1)],
            },
        );
        for line in [
            "windlass_queue_work{kind=\"operation\"} 3",
            "windlass_queue_work_due{kind=\"operation\"} 2",
            "windlass_queue_work_oldest_due_age_seconds{kind=\"operation\"} 1.250",
            "windlass_execution_oldest_age_seconds{status=\"started\"} 60.000",
            "windlass_status_notices{state=\"failed\"} 1",
            "windlass_mails{state=\"sent\"} 5",
            "# TYPE windlass_logins_total counter",
            "windlass_logins_total 7",
            "windlass_login_failures_total 2",
        ] {
            assert!(text.lines().any(|known| known == line), "{line} in\n{text}");
        }
        assert!(!text.contains("later"));
    }

    #[test]
    fn every_line_is_a_comment_or_a_value() {
        let counts = Counts {
            blueprints: 2,
            deployments: 1,
            plugins: 3,
            executions: vec![("started".into(), 3), ("od\"d\n".into(), 1)],
        };
        let text = render(
            &counts,
            &Queue {
                depth: 4,
                due: 1,
                oldest_due_millis: 1500,
            },
            &Moment {
                ticked_at: 1_700_000_000_250,
                mode: Mode::Activating,
            },
        );
        for line in [
            "windlass_blueprints 2",
            "windlass_executions{status=\"started\"} 3",
            "windlass_executions{status=\"od\\\"d\\n\"} 1",
            "windlass_queue_oldest_due_age_seconds 1.500",
            "windlass_plugins 3",
            "windlass_scheduler_last_tick_timestamp_seconds 1700000000.250",
            "windlass_maintenance_mode{mode=\"activating\"} 1",
            "windlass_maintenance_mode{mode=\"activated\"} 0",
            "# TYPE windlass_queue_depth gauge",
        ] {
            assert!(text.lines().any(|known| known == line), "{line} in\n{text}");
        }
        assert!(
            text.lines()
                .all(|line| line.starts_with("# ") || line.starts_with("windlass_"))
        );
        assert!(text.ends_with('\n'));
    }
}
