//! Reads deployments and wanted numbers of instances as JSON, one case a line, and prints what
//! has to come and go, one line for each.
//!
//! For comparing with another implementation: `tests/oracle` runs it. A case has `plan` (a
//! deployment's), `node_instances` and `modified`: node or group to `instances`, and as needed
//! `removed_first` and `removed_last`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "it is a tool for tests and may stop at once"
)]

use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, Write};
use windlass_blueprint::{DeploymentPlan, NodeInstance, Wanted, modify};

#[derive(Deserialize)]
struct Case {
    plan: DeploymentPlan,
    node_instances: Vec<NodeInstance>,
    modified: HashMap<String, Numbers>,
}

#[derive(Deserialize)]
struct Numbers {
    instances: usize,
    #[serde(default)]
    removed_first: Vec<String>,
    #[serde(default)]
    removed_last: Vec<String>,
}

fn answer(case: Case) -> Value {
    let wanted = case.modified.into_iter().map(|(name, numbers)| {
        let wanted = Wanted {
            instances: numbers.instances,
            removed_first: numbers.removed_first,
            removed_last: numbers.removed_last,
        };
        (name, wanted)
    });
    let mut last: u32 = 0;
    let mut random = || {
        last += 1;
        last
    };
    match modify(
        &case.plan,
        &case.node_instances,
        &wanted.collect(),
        &mut random,
    ) {
        Ok(done) => json!({
            "added": done.added,
            "added_related": done.added_related,
            "extended": done.extended,
            "removed": done.removed,
            "removed_related": done.removed_related,
            "reduced": done.reduced,
        }),
        Err(error) => json!({ "refused": error.message }),
    }
}

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        writeln!(out, "{}", answer(serde_json::from_str(&line?)?))?;
    }
    Ok(())
}
