//! Places: how many requests a core works on at once.
//!
//! A few requests keep a core busy, and each may need an instance of its own, so more would only take
//! memory and time from each other. That holds while they compute. A request whose client has yet to
//! send its body gives its place back until bytes arrive, and while the thread has nothing to do
//! although all places are taken, those inside wait for something else (another server, the disk), so
//! more are let in.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// Requests that one core works on at once; more wait.
const USUAL: usize = 4;
/// Requests inside at once when many of them wait for something else.
const MOST: usize = 512;
/// How many are let in at a time when the core is idle.
const AT_A_TIME: usize = 4;
/// How often an idle core is looked for while requests wait.
const LOOK: Duration = Duration::from_millis(2);
/// A core whose timer fires later than this is computing.
const LATE: Duration = Duration::from_millis(2);
/// Requests that may wait; more are answered 503 at once.
const MOST_WAITING: usize = 4096;

/// The places of one core.
pub struct Places {
    permits: Arc<Semaphore>,
    /// Places beyond the usual; given up again when a request ends.
    extra: AtomicUsize,
    /// Requests inside whose place is given back for now.
    away: AtomicUsize,
    waiting: AtomicUsize,
    somebody_waits: Notify,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(USUAL)),
            extra: AtomicUsize::new(0),
            away: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            somebody_waits: Notify::new(),
        }
    }
}

impl Places {
    /// Waits for a place, first come, first served. Nothing when too many wait already.
    pub async fn take(self: &Arc<Self>) -> Option<Place> {
        if let Ok(permit) = self.permits.clone().try_acquire_owned() {
            return Some(Place::new(self, permit));
        }
        if self.waiting.fetch_add(1, Relaxed) >= MOST_WAITING {
            self.waiting.fetch_sub(1, Relaxed);
            return None;
        }
        let waiting = Waiting(&self.waiting);
        self.somebody_waits.notify_one();
        let permit = self.permits.clone().acquire_owned().await.ok();
        drop(waiting);
        permit.map(|permit| Place::new(self, permit))
    }

    /// Lets more in while those inside only wait. Runs beside the server, for ever, on its thread.
    pub async fn relieve(&self) {
        let metrics = Handle::current().metrics();
        loop {
            self.somebody_waits.notified().await;
            while self.waiting.load(Relaxed) > 0 {
                let busy = metrics.worker_total_busy_duration(0);
                let began = Instant::now();
                tokio::time::sleep(LOOK).await;
                let late = began.elapsed().saturating_sub(LOOK);
                let busy = metrics.worker_total_busy_duration(0).saturating_sub(busy);
                if late < LATE && busy < LOOK / 2 {
                    self.let_in(AT_A_TIME.min(self.waiting.load(Relaxed)));
                }
            }
        }
    }

    fn let_in(&self, wanted: usize) {
        let beyond = self.extra.load(Relaxed) + self.away.load(Relaxed);
        let more = wanted.min((MOST - USUAL).saturating_sub(beyond));
        self.extra.fetch_add(more, Relaxed);
        self.permits.add_permits(more);
    }

    /// Takes a permit back: one that was made beyond the usual is gone with it.
    fn give_back(&self, permit: OwnedSemaphorePermit) {
        let one_less = |extra: usize| extra.checked_sub(1);
        if self.extra.fetch_update(Relaxed, Relaxed, one_less).is_ok() {
            permit.forget();
        }
    }
}

/// The place of one request, until it is dropped.
pub struct Place {
    places: Arc<Places>,
    here: Arc<Mutex<Here>>,
}

/// Where a request is.
enum Here {
    /// In its place.
    Inside(OwnedSemaphorePermit),
    /// Inside, but its place is somebody else's until it needs it again.
    Away,
    /// Answered.
    Gone,
}

impl Place {
    fn new(places: &Arc<Places>, permit: OwnedSemaphorePermit) -> Self {
        Self {
            places: places.clone(),
            here: Arc::new(Mutex::new(Here::Inside(permit))),
        }
    }

    /// For whoever notices that the request only waits.
    pub fn leave(&self) -> Leave {
        Leave {
            places: self.places.clone(),
            here: self.here.clone(),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut here = self.here.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *here, Here::Gone) {
            Here::Inside(permit) => self.places.give_back(permit),
            Here::Away => {
                self.places.away.fetch_sub(1, Relaxed);
            }
            Here::Gone => {}
        }
    }
}

/// Gives the place of a request to others while it waits.
pub struct Leave {
    places: Arc<Places>,
    here: Arc<Mutex<Here>>,
}

impl Leave {
    /// The request waits for its client. Where too many are away already it keeps its place.
    pub fn go(&self) {
        let mut here = self.here.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(*here, Here::Inside(_)) || self.places.away.load(Relaxed) >= MOST {
            return;
        }
        if let Here::Inside(permit) = std::mem::replace(&mut *here, Here::Away) {
            self.places.away.fetch_add(1, Relaxed);
            self.places.give_back(permit);
        }
    }

    /// It goes on. It does not wait for a place: where none is free, one more is inside for a while.
    pub fn come_back(&self) {
        let mut here = self.here.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*here, Here::Away)
            && let Ok(permit) = self.places.permits.clone().try_acquire_owned()
        {
            self.places.away.fetch_sub(1, Relaxed);
            *here = Here::Inside(permit);
        }
    }
}

/// Counts a waiting request, also when its client goes away.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes the usual places.
    async fn full(places: &Arc<Places>) -> Vec<Place> {
        let mut inside = Vec::new();
        for _ in 0..USUAL {
            inside.push(places.take().await.unwrap());
        }
        inside
    }

    async fn relieved<T>(places: &Places, work: impl Future<Output = T>) -> T {
        tokio::select! {
            () = places.relieve() => unreachable!("it goes on for ever"),
            done = work => done,
        }
    }

    #[tokio::test]
    async fn requests_that_only_wait_do_not_keep_others_out() {
        let places = Arc::new(Places::default());
        let inside = full(&places).await;
        let others = relieved(&places, async {
            let mut entered = Vec::new();
            for _ in 0..50 {
                entered.push(places.take().await.unwrap());
            }
            entered
        });
        let entered = tokio::time::timeout(Duration::from_secs(10), others).await;
        assert_eq!(entered.unwrap().len(), 50);
        drop(inside);
        // What was made for them is gone again.
        assert_eq!(places.extra.load(Relaxed), 0);
        assert_eq!(places.permits.available_permits(), USUAL);
    }

    #[tokio::test]
    async fn while_the_core_computes_nobody_else_gets_in() {
        let places = Arc::new(Places::default());
        let _inside = full(&places).await;
        relieved(&places, async {
            let next = places.take();
            tokio::pin!(next);
            for _ in 0..20 {
                assert!(futures::poll!(next.as_mut()).is_pending());
                let begun = std::time::Instant::now();
                while begun.elapsed() < Duration::from_millis(5) {
                    std::hint::spin_loop();
                }
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!(places.extra.load(Relaxed), 0);
    }

    #[tokio::test]
    async fn who_waits_for_a_client_gives_its_place_to_others() {
        let places = Arc::new(Places::default());
        let slow = full(&places).await;
        let leaves: Vec<Leave> = slow.iter().map(Place::leave).collect();
        for leave in &leaves {
            leave.go();
            leave.go();
        }
        assert_eq!(places.permits.available_permits(), USUAL);
        let others = full(&places).await;
        // No place is free: they go on all the same.
        for leave in &leaves {
            leave.come_back();
        }
        assert_eq!(places.away.load(Relaxed), USUAL);
        drop(others);
        for leave in &leaves {
            leave.come_back();
        }
        assert_eq!(
            (
                places.away.load(Relaxed),
                places.permits.available_permits()
            ),
            (0, 0)
        );
        for leave in &leaves {
            leave.go();
        }
        drop(slow);
        assert_eq!(
            (
                places.away.load(Relaxed),
                places.permits.available_permits()
            ),
            (0, USUAL)
        );
    }
}
