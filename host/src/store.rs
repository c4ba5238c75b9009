//! The application's store, for whoever runs it: whether it is as it should be.
//!
//! Looking at it is the application's own business (`/internal/audit-store` of the scheduler), in as many
//! requests as that takes.

use crate::private::Private;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use windlass_host::HostOptions;

/// The component that looks after the store.
const COMPONENT: &str = "scheduler";

/// Prints what is wrong with the store, and mends it where that is possible and wanted.
///
/// # Errors
/// When something is wrong and stays so.
pub fn audit(options: HostOptions, repair: bool) -> Result<()> {
    let application = Private::start(options, COMPONENT)?;
    let wrong = inspect(&application, repair);
    application.stop();
    let wrong = wrong?;
    ensure!(wrong == 0, "{wrong} findings are left");
    Ok(())
}

/// Asks for one part after the other. Answers how many findings are left.
fn inspect(application: &Private, repair: bool) -> Result<usize> {
    let mut place = json!({ "repair": repair });
    let mut inspected = String::new();
    let mut wrong = 0;
    loop {
        let answer = application.ask("/internal/audit-store", &place)?;
        let text = |value: &Value, name: &str| {
            let text = value.get(name).and_then(Value::as_str);
            text.map(str::to_owned)
                .context("the application told something else")
        };
        // A large part takes more than one request.
        let part = text(&answer, "inspected")?;
        if part != inspected {
            println!("inspecting {part}");
            inspected = part;
        }
        let findings = answer.get("findings").and_then(Value::as_array);
        for finding in findings.context("the application told no findings")? {
            let is_repaired = finding.get("repaired") == Some(&Value::Bool(true));
            let what = if is_repaired { "repaired" } else { "wrong" };
            println!("{what}: {}", text(finding, "text")?);
            wrong += usize::from(!is_repaired);
        }
        match answer.get("next") {
            Some(next) if next.is_object() => place = next.clone(),
            _ => return Ok(wrong),
        }
    }
}
