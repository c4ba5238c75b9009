//! What keeps a deployment from being deleted or taken down: others that depend on it.

use windlass_core::db::Db;
use windlass_core::{Error, Kind, Result};
use windlass_store::deployments::Owner;
use windlass_store::inter_deployment_dependencies::{self as dependencies, Blocked};

/// Refuses what others that depend on a deployment would suffer from. `doomed` are the rows of
/// deployments that go with it.
///
/// # Errors
/// 400 `dependent_exists_error`, which names a few of them.
pub async fn demand_none(
    db: &impl Db,
    deployment: &Owner,
    what: Blocked<'_>,
    doomed: &[i64],
) -> Result<()> {
    let dependents = dependencies::blocking(db, deployment, what, doomed).await?;
    if dependents.is_empty() {
        return Ok(());
    }
    let id = &deployment.id;
    let lines = (1..).zip(&dependents);
    let lines: Vec<String> = lines
        .map(|(number, dependent)| format!("[{number}] {}", dependent.line(id)))
        .collect();
    let head = match what {
        Blocked::Deletion { .. } => format!(
            "Can't delete deployment {id} - the following existing installations depend on it:"
        ),
        Blocked::Workflow { name, .. } => format!(
            "Can't execute workflow `{name}` on deployment {id} - existing installations depend on it:"
        ),
    };
    let text = format!("{head}\n{}", lines.join("\n"));
    Err(Error::new(Kind::DependentExists, text))
}
