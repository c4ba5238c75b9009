//! `/metrics`: the state of the application in the text format of Prometheus.
//!
//! It asks for credentials like everything else, with the permission of `/status`: every user
//! has it, so a user without any tenant is enough for a scraper. The numbers are of all tenants.

use std::fmt::Write as _;
use windlass_core::db::Db;
use windlass_core::{Context, Permission, Response, Result, Timestamp};
use windlass_store::overview::{self, Counts, Queue};

/// `GET /metrics`: what there is, how executions fare, and whether due work waits.
pub async fn metrics(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_anywhere(Permission::StatusGet)?;
    let counts = overview::counts(&ctx.db, &scope).await?;
    let queue = overview::queue(&ctx.db, &scope, Timestamp::now()).await?;
    let text = render(&counts, &queue);
    Ok(Response::bytes(
        200,
        "text/plain; version=0.0.4; charset=utf-8",
        text,
    ))
}

fn render(counts: &Counts, queue: &Queue) -> String {
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
    ] {
        gauge(&mut text, name, help, &[(String::new(), value)]);
    }
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

/// One metric: its values with their labels.
fn gauge(text: &mut String, name: &str, help: &str, values: &[(String, String)]) {
    // Writing to a text does not fail.
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
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
    fn every_line_is_a_comment_or_a_value() {
        let counts = Counts {
            blueprints: 2,
            deployments: 1,
            executions: vec![("started".into(), 3), ("od\"d\n".into(), 1)],
        };
        let text = render(
            &counts,
            &Queue {
                depth: 4,
                due: 1,
                oldest_due_millis: 1500,
            },
        );
        for line in [
            "windlass_blueprints 2",
            "windlass_executions{status=\"started\"} 3",
            "windlass_executions{status=\"od\\\"d\\n\"} 1",
            "windlass_queue_oldest_due_age_seconds 1.500",
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
