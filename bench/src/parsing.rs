//! The blueprint language beside its original: the same large blueprint, parsed by the component
//! (the whole upload is timed, from the request to its answer) and by the Python package (only its parser is).

use crate::application::Application;
use crate::prepare::upload;
use anyhow::{Context, Result, ensure};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Nodes of the blueprint.
pub const NODES: usize = 2_000;

/// The shortest of a few times of each.
pub struct Parsing {
    /// An upload: unpacked, parsed, stored, answered with its plan.
    pub upload: Duration,
    /// The original parser alone; none without it (`scripts/setup --tests` installs it).
    pub original: Option<Duration>,
}

/// Measures both.
pub fn measure(application: &Application) -> Result<Parsing> {
    let text = blueprint()?;
    let mut upload_times = Vec::new();
    for number in 0..3 {
        let begun = Instant::now();
        upload(application, &format!("nodes-{number}"), &text)?;
        upload_times.push(begun.elapsed());
    }
    Ok(Parsing {
        upload: upload_times.into_iter().min().context("three uploads")?,
        original: original(&text)?,
    })
}

/// Types with properties and interfaces, nodes that use functions and depend on each other.
fn blueprint() -> Result<String> {
    let mut text = String::from(
        "tosca_definitions_version: cloudify_dsl_1_5
imports: [cloudify/types/types.yaml]
inputs:
  region: { type: string, default: north }
plugins:
  cranes: { executor: central_deployment_agent, install: false }
node_types:
  harbour.Crane:
    derived_from: cloudify.nodes.Root
    properties:
      load: { type: integer, default: 10 }
      place: { type: string, default: '' }
    interfaces:
      cloudify.interfaces.lifecycle:
        create: { implementation: cranes.create, inputs: { place: { default: { get_property: [SELF, place] } } } }
node_templates:
",
    );
    for number in 0..NODES {
        writeln!(
            text,
            "  crane_{number}:
    type: harbour.Crane
    properties: {{ load: {number}, place: {{ concat: [{{ get_input: region }}, '-{number}'] }} }}"
        )?;
        if number > 0 {
            writeln!(
                text,
                "    relationships: [{{ type: cloudify.relationships.depends_on, target: crane_{} }}]",
                number / 2
            )?;
        }
    }
    Ok(text)
}

fn original(text: &str) -> Result<Option<Duration>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let python = root.join(".windlass/venv/bin/python");
    if !python.exists() {
        return Ok(None);
    }
    let folder = std::env::temp_dir().join(format!("windlass-parsing-{}", std::process::id()));
    let types = folder.join("resources/cloudify/types");
    std::fs::create_dir_all(&types)?;
    std::fs::write(folder.join("blueprint.yaml"), text)?;
    let builtin = root.join("shared/blueprint/src/builtin/types.yaml");
    std::fs::copy(builtin, types.join("types.yaml"))?;
    let output = Command::new(python)
        .arg(root.join("bench/original_parser.py"))
        .arg(&folder)
        .arg(folder.join("resources"))
        .output()?;
    std::fs::remove_dir_all(&folder)?;
    let failure = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "the original parser failed: {failure}"
    );
    let seconds: f64 = String::from_utf8(output.stdout)?.trim().parse()?;
    Ok(Some(Duration::from_secs_f64(seconds)))
}
