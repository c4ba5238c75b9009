//! The network and the clock of work that reaches other servers. Both are given from outside, so
//! tests have their own. [`address`] says which servers may be reached, [`failure`] why one was not, and
//! [`download`] fetches what a user names by a URL.

pub mod address;
pub mod download;
pub mod failure;

pub use crate::platform::{OutboundRequest, OutboundResponse};

/// Sends requests to other servers.
#[allow(
    async_fn_in_trait,
    reason = "one thread per instance: no future has to be Send"
)]
pub trait Outbound {
    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// A text for people: not allowed, not reachable, too slow, too large.
    async fn send(&self, request: OutboundRequest) -> Result<OutboundResponse, String>;
}

/// The platform's outbound HTTP.
#[derive(Clone, Copy, Debug)]
pub struct Network;

impl Outbound for Network {
    async fn send(&self, request: OutboundRequest) -> Result<OutboundResponse, String> {
        crate::platform::send(request).await
    }
}

/// A clock. Tests have one that they can move.
#[allow(
    async_fn_in_trait,
    reason = "one thread per instance: no future has to be Send"
)]
pub trait Clock {
    /// The present moment.
    fn now(&self) -> crate::Timestamp;

    /// Waits for so many milliseconds.
    async fn sleep(&self, millis: i64);
}
