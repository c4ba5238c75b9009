//! The work that goes on beside a tick's own: calls, and what waits for others.
//!
//! Nothing but the tick gets such work any further. So it is driven [along](Beside::along) with all that
//! the tick itself does: one that holds the database's only place for writing, while the tick waits for
//! that place, would else keep everybody from writing until the tick lost its patience.

use super::Finished;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

/// What is under way, and what has ended and was not looked at yet.
#[derive(Default)]
pub(super) struct Beside<'a> {
    under_way: RefCell<FuturesUnordered<LocalBoxFuture<'a, Finished>>>,
    ended: RefCell<Vec<Finished>>,
}

impl<'a> Beside<'a> {
    /// Lets work go on from now on.
    pub(super) fn push(&self, work: impl Future<Output = Finished> + 'a) {
        self.under_way.borrow_mut().push(Box::pin(work));
    }

    /// Whether there is nothing under way and nothing to be looked at.
    pub(super) fn is_empty(&self) -> bool {
        self.under_way.borrow().is_empty() && self.ended.borrow().is_empty()
    }

    /// What has ended by now.
    pub(super) fn take(&self) -> Vec<Finished> {
        self.ended.take()
    }

    /// Lets what is under way go on once, however little the tick waits. As [`some`](Self::some), for what
    /// is driven along.
    pub(super) async fn turn(&self) {
        let mut has_waited = false;
        poll_fn(|context| match std::mem::replace(&mut has_waited, true) {
            true => Poll::Ready(()),
            false => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
        })
        .await;
    }

    /// Waits until something has ended. Only what is driven [along](Self::along) may wait for it.
    pub(super) async fn some(&self) {
        poll_fn(|_| match self.ended.borrow().is_empty() {
            true => Poll::Pending,
            false => Poll::Ready(()),
        })
        .await;
    }

    /// Does the tick's own work, and whenever that waits, what is under way.
    pub(super) async fn along<T>(&self, own: impl Future<Output = T>) -> T {
        let mut own = pin!(own);
        poll_fn(|context| {
            loop {
                if let Poll::Ready(result) = own.as_mut().poll(context) {
                    return Poll::Ready(result);
                }
                let mut has_ended = false;
                let mut under_way = self.under_way.borrow_mut();
                while let Poll::Ready(Some(finished)) = under_way.poll_next_unpin(context) {
                    self.ended.borrow_mut().push(finished);
                    has_ended = true;
                }
                // The tick may have waited for just that.
                if !has_ended {
                    return Poll::Pending;
                }
            }
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::pending;
    use serde_json::Value;
    use std::cell::Cell;
    use windlass_store::queue::{Leased, Work};

    fn finished(key: i64) -> Finished {
        let row = Leased {
            key,
            work: Work::PipelineStep,
            subject: String::new(),
            payload: Value::Null,
            attempts: 1,
            failures: 0,
            last_error: None,
        };
        Finished::Other(row, Ok(()))
    }

    #[test]
    fn what_is_under_way_goes_on_while_the_tick_waits_for_it() {
        let is_held = Cell::new(true);
        let beside = Beside::default();
        let waited = pollster::block_on(beside.along(async {
            // It gives its place back only when it gets any further.
            beside.push(async {
                Beside::default().turn().await;
                is_held.set(false);
                finished(1)
            });
            beside.push(pending());
            poll_fn(|_| match is_held.get() {
                true => Poll::Pending,
                false => Poll::Ready(()),
            })
            .await;
            beside.some().await;
            beside.take().len()
        }));
        assert_eq!(waited, 1);
        assert!(!beside.is_empty(), "the other one is still under way");
        assert!(beside.take().is_empty());
    }
}
