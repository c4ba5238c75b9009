//! Which queued work that is not the engine's own is done here, and by what.
//!
//! A new kind is one arm in each of the two functions: `handles`, and `run`.

use crate::platform::{Network, SystemClock};
use crate::uploads;
use windlass_core::db::Db;
use windlass_core::{Error, Result, Timestamp};
use windlass_engine::Handlers;
use windlass_status::events;
use windlass_status::maintenance;
use windlass_status::notices;
use windlass_store::blueprints::UPLOAD_WORK;
use windlass_store::queue::{self, Leased};

/// All kinds of work beside executions and their operations.
pub struct Work;

impl<D: Db> Handlers<D> for Work {
    fn handles(&self, kind: &str) -> bool {
        matches!(kind, events::CLOCK | UPLOAD_WORK) || notices::handles(kind)
    }

    fn is_local(&self, kind: &str) -> bool {
        kind == events::CLOCK || notices::is_local(kind)
    }

    async fn run(&self, db: &D, holder: &str, row: &Leased) -> Result<()> {
        match row.kind.as_str() {
            events::CLOCK => maintenance::run(db, holder, row, Timestamp::now()).await,
            UPLOAD_WORK => uploads::run(&Network, holder, row).await,
            kind if notices::handles(kind) => {
                notices::run(db, &Network, &SystemClock, holder, row).await
            }
            kind => Err(Error::internal(format!("nobody handles {kind}"))),
        }
    }

    async fn give_up(&self, db: &D, holder: &str, row: &Leased, why: &str) -> Result<()> {
        if notices::handles(&row.kind) {
            return notices::give_up(db, holder, row, why, Timestamp::now()).await;
        }
        if row.kind == UPLOAD_WORK {
            return uploads::give_up(db, holder, row, why).await;
        }
        let text = format!("{} of {} was given up: {why}", row.kind, row.subject);
        windlass_core::log::error("queue", &Error::internal(text));
        queue::finish(db, holder, &[row.key]).await.map(drop)
    }
}
