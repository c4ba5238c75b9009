//! Executions whose workflow a worker runs: the worker says how they stand, here is only what nobody else does.
//!
//! They stay pending until the worker says that it begins. A wish to cancel is the workflow's to fulfil; where no
//! worker has it, or nobody wants to wait, it ends here.

use super::Drive;
use crate::step::End;
use windlass_core::Result;
use windlass_core::Timestamp;
use windlass_core::db::Tx;
use windlass_store::executions::{Execution, Status};
use windlass_store::workflow_leases::{self, Place};

/// Whose workers run workflows: those of the control plane, as the original has it.
pub const QUEUE: &str = "central_deployment_agent";

/// Takes such an execution as far as it goes without its worker. Answers its status afterwards.
pub async fn drive(
    tx: &impl Tx,
    execution: Execution,
    place: Place,
    now: Timestamp,
) -> Result<Option<Status>> {
    let status = execution.status;
    let is_to_end = match status {
        Status::ForceCancelling | Status::KillCancelling => true,
        Status::Cancelling => place == Place::Free,
        _ => false,
    };
    if !is_to_end {
        return Ok(Some(status));
    }
    end(tx, execution, End::Cancelled, now).await.map(Some)
}

/// Ends such an execution, whatever its worker does. Answers its status afterwards.
pub async fn end(tx: &impl Tx, execution: Execution, end: End, now: Timestamp) -> Result<Status> {
    workflow_leases::close(tx, &execution).await?;
    let newest = windlass_store::events::newest(tx, &execution).await?;
    let mut drive = Drive::new(tx, execution, newest.map_or(now, |newest| newest.max(now)));
    drive.end(end);
    let status = drive.execution.status;
    drive.save().await?;
    Ok(status)
}
