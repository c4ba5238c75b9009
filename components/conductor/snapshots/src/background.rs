//! `POST /snapshots/{execution_id}/carry-out`: makes or restores the snapshot of an execution. The scheduler
//! calls it for a row of the queue that it holds.
//!
//! One that is begun again begins anew: until its last transaction it has changed nothing.

use windlass_core::db::{Db, KeptDb};
use windlass_core::{Context, Response, Result};
use windlass_snapshot::executions::Task;
use windlass_store::queue;
use windlass_store::queue::lent::{self, Lent};

/// `POST /snapshots/{execution_id}/carry-out`.
pub async fn carry_out(ctx: &Context<impl KeptDb>) -> Result<Response> {
    lent::answer(ctx, "a snapshot will be tried again", go_on).await
}

async fn go_on(db: &impl Db, lent: &Lent) -> Result<()> {
    match Task::find(db, &lent.holder, lent.key).await? {
        Some(task) => task.run(db).await,
        // Its execution was cancelled for good: there is nothing left to do.
        None => queue::finish(db, &lent.holder, &[lent.key]).await.map(drop),
    }
}
