//! What workers lease: operations, shell steps of pipelines and workflows, and what holds for leases of every kind.

use windlass_core::db::Db;
use windlass_core::{Error, Result, log};
use windlass_store::{shell_steps, workflow_leases};

/// What a lease is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseKind {
    /// An operation of an execution's graph, or one that a workflow sent.
    Operation,
    /// A shell step of a pipeline.
    Step,
    /// The workflow of an execution.
    Workflow,
}

impl LeaseKind {
    /// The kind of a lease, open or not, or never given: its id says so.
    pub fn of(id: &str) -> Self {
        if id.starts_with(shell_steps::LEASE_PREFIX) {
            Self::Step
        } else if id.starts_with(workflow_leases::LEASE_PREFIX) {
            Self::Workflow
        } else {
            Self::Operation
        }
    }
}

/// The refusal of a lease that is not the caller's, or not any more.
pub(crate) fn lost(id: &str) -> Error {
    Error::conflict(format!("The lease `{id}` is not this worker's any more"))
}

/// Whether the result that comes with a lease is the one that ended it: then there is nothing left to do.
///
/// # Errors
/// 409 for a lease that another result has ended, or that is not open.
pub(crate) fn is_told_again(
    id: &str,
    (known, is_open): (Option<&str>, bool),
    hash: &str,
) -> Result<bool> {
    match known {
        Some(known) if known == hash => Ok(true),
        None if is_open => Ok(false),
        _ => Err(lost(id)),
    }
}

/// Takes leases away that were not kept, each in a transaction of its own: `end` looks again whether it was, and
/// answers whether it took it. Answers how many were taken. The failure of one leaves the others alone.
pub(crate) async fn take_away<D: Db, K>(
    db: &D,
    expired: Vec<K>,
    end: impl AsyncFn(&D::Tx, &K) -> Result<bool>,
) -> usize {
    let mut taken = 0;
    for one in expired {
        match db.transaction(async |tx| end(tx, &one).await).await {
            Ok(is_taken) => taken += usize::from(is_taken),
            Err(error) => log::error("an expired lease could not be taken away", &error),
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_tells_its_kind() {
        for (id, kind) in [
            ("shell-1", LeaseKind::Step),
            ("workflow-1", LeaseKind::Workflow),
            ("d6a2c7a8-0000-4000-8000-000000000000", LeaseKind::Operation),
            ("", LeaseKind::Operation),
        ] {
            assert_eq!(LeaseKind::of(id), kind, "{id}");
        }
    }

    #[test]
    fn a_result_counts_once_and_no_other_after_it() {
        for (known, is_open, told) in [
            (None, true, Some(false)),
            (Some("same"), false, Some(true)),
            (Some("same"), true, Some(true)),
            (Some("other"), true, None),
            (None, false, None),
        ] {
            let found = is_told_again("l", (known, is_open), "same").ok();
            assert_eq!(found, told, "{known:?} {is_open}");
        }
    }
}
