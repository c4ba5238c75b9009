//! A bounded number of permits, first come, first served, for the tasks of one thread.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// So many may be inside at once.
pub(super) struct Slots {
    free: Cell<usize>,
    waiting: RefCell<VecDeque<Rc<Waiting>>>,
}

#[derive(Default)]
struct Waiting {
    is_granted: Cell<bool>,
    waker: RefCell<Option<Waker>>,
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
    pub(super) async fn take(self: &Rc<Self>) -> Slot {
        if let Some(left) = self.free.get().checked_sub(1) {
            self.free.set(left);
            return Slot(self.clone());
        }
        let waiting = Rc::new(Waiting::default());
        self.waiting.borrow_mut().push_back(waiting.clone());
        let mut place = Place {
            slots: self,
            waiting,
            is_done: false,
        };
        poll_fn(|context| {
            if place.waiting.is_granted.get() {
                return Poll::Ready(());
            }
            place.waiting.waker.replace(Some(context.waker().clone()));
            Poll::Pending
        })
        .await;
        place.is_done = true;
        Slot(self.clone())
    }

    fn release(&self) {
        let next = self.waiting.borrow_mut().pop_front();
        match next {
            Some(next) => {
                next.is_granted.set(true);
                if let Some(waker) = next.waker.take() {
                    waker.wake();
                }
            }
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
    waiting: Rc<Waiting>,
    is_done: bool,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        if self.waiting.is_granted.get() {
            self.slots.release();
        } else {
            let mut queue = self.slots.waiting.borrow_mut();
            queue.retain(|other| !Rc::ptr_eq(other, &self.waiting));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::Context;

    #[test]
    fn slots_go_to_those_who_wait_in_their_order() {
        let slots = Slots::new(1);
        let mut context = Context::from_waker(Waker::noop());
        let first = pollster::block_on(slots.take());
        let (mut second, mut third, mut fourth) = (
            Box::pin(slots.take()),
            Box::pin(slots.take()),
            pin!(slots.take()),
        );
        assert!(second.as_mut().poll(&mut context).is_pending());
        assert!(third.as_mut().poll(&mut context).is_pending());
        assert!(fourth.as_mut().poll(&mut context).is_pending());
        // One who gives up before its turn, and one who does after it was granted.
        drop(third);
        drop(first);
        assert!(fourth.as_mut().poll(&mut context).is_pending());
        drop(second);
        assert!(fourth.as_mut().poll(&mut context).is_ready());
    }
}
