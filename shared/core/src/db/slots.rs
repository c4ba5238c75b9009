//! A bounded number of permits, first come, first served, for the requests of one instance.
//!
//! Who waits looks again and again whether its turn has come: a request cannot wake another one, each is
//! a task of its own for the platform.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

/// The first and the longest pause before somebody who waits looks again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(8));

/// So many may be inside at once.
pub(super) struct Slots {
    free: Cell<usize>,
    /// Who waits, and whether a slot was given to them meanwhile.
    waiting: RefCell<VecDeque<Rc<Cell<bool>>>>,
}

/// One slot, until it is dropped.
pub(super) struct Slot(Rc<Slots>);

impl Slots {
    pub(super) fn new(count: usize) -> Rc<Self> {
        Rc::new(Self {
            free: Cell::new(count),
            waiting: RefCell::default(),
        })
    }

    /// Waits for a slot. Whoever stops waiting leaves the queue.
    pub(super) async fn take(self: &Rc<Self>, sleep: impl AsyncFn(Duration)) -> Slot {
        if let Some(left) = self.free.get().checked_sub(1) {
            self.free.set(left);
            return Slot(self.clone());
        }
        let mut place = Place {
            slots: self,
            is_granted: Rc::default(),
            is_done: false,
        };
        let queued = place.is_granted.clone();
        self.waiting.borrow_mut().push_back(queued);
        let mut pause = PAUSES.0;
        while !place.is_granted.get() {
            sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
        place.is_done = true;
        Slot(self.clone())
    }

    fn release(&self) {
        let next = self.waiting.borrow_mut().pop_front();
        match next {
            Some(next) => next.set(true),
            None => self.free.set(self.free.get() + 1),
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.release();
    }
}

/// A place in the queue, left when the one who waits goes away.
struct Place<'a> {
    slots: &'a Slots,
    is_granted: Rc<Cell<bool>>,
    is_done: bool,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        if self.is_granted.get() {
            self.slots.release();
        } else {
            let mut queue = self.slots.waiting.borrow_mut();
            queue.retain(|other| !Rc::ptr_eq(other, &self.is_granted));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::{Context, Poll, Waker};

    /// Is over when it is looked at again.
    async fn moment(_: Duration) {
        let mut is_first = true;
        std::future::poll_fn(|_| match std::mem::take(&mut is_first) {
            true => Poll::Pending,
            false => Poll::Ready(()),
        })
        .await;
    }

    #[test]
    fn slots_go_to_those_who_wait_in_their_order() {
        let slots = Slots::new(1);
        let mut context = Context::from_waker(Waker::noop());
        let first = pollster::block_on(slots.take(moment));
        let [mut second, mut third, mut fourth] = [0; 3].map(|_| Box::pin(slots.take(moment)));
        for waiting in [&mut second, &mut third, &mut fourth] {
            assert!(waiting.as_mut().poll(&mut context).is_pending());
        }
        // One who gives up before its turn, and one who does after it was granted.
        drop(third);
        drop(first);
        assert!(fourth.as_mut().poll(&mut context).is_pending());
        drop(second);
        assert!(fourth.as_mut().poll(&mut context).is_ready());
    }
}
