//! What the platform gives besides the database: key-value store, application variables,
//! outbound HTTP and TCP, work that goes on after the response.
//!
//! On Wasm these are Spin's interfaces; natively they are stand-ins in memory, for tests only.

#[cfg(target_arch = "wasm32")]
#[path = "platform/spin.rs"]
mod imp;
#[cfg(not(target_arch = "wasm32"))]
#[path = "platform/native.rs"]
mod imp;
#[cfg(target_arch = "wasm32")]
mod spin_failure;

use crate::error::{Error, Result};
use std::time::Duration;

pub mod tcp;

/// The key-value store `default`.
pub mod kv {
    use super::{Result, imp};

    /// The value of a key, if there is one.
    pub async fn get(key: &str) -> Result<Option<Vec<u8>>> {
        imp::kv_get(key).await
    }

    /// As [`get`], for readers that are no async code, such as those of archives. It holds up the
    /// other requests of the instance, so what it reads should be small.
    pub fn get_blocking(key: &str) -> Result<Option<Vec<u8>>> {
        imp::kv_get_blocking(key)
    }

    /// Writes a value of at most 1 MiB; larger bytes go through [`crate::blob`].
    pub async fn set(key: &str, value: &[u8]) -> Result<()> {
        imp::kv_set(key, value).await
    }

    /// Removes a key; an absent one is no error.
    pub async fn delete(key: &str) -> Result<()> {
        imp::kv_delete(key).await
    }
}

/// The failure of a call to the key-value store, from its own text: 503, since another try may do.
#[cfg(any(test, target_arch = "wasm32"))]
fn kv_failure(text: &str) -> Error {
    let told = if text.contains("disk is full") {
        "There is no room left to store anything"
    } else {
        "The store of archives and keys does not work now, try again"
    };
    Error::new(crate::error::Kind::Unavailable, told).context(format!("key-value store: {text}"))
}

/// An application variable as it is set. Nothing when it is empty or not declared. Whoever wants one
/// reads it through [`crate::variables`].
pub(crate) async fn variable(name: &str) -> Option<String> {
    imp::variable(name).await.filter(|value| !value.is_empty())
}

/// Sets an application variable for this thread: tests have no other way to give one.
#[cfg(not(target_arch = "wasm32"))]
pub fn set_variable(name: &str, value: &str) {
    imp::set_variable(name, value);
}

/// Answers what this thread sends from now on, in the place of other servers: tests have none.
#[cfg(not(target_arch = "wasm32"))]
pub fn set_servers(
    answer: impl Fn(&OutboundRequest) -> Result<OutboundResponse, String> + 'static,
) {
    imp::set_servers(std::rc::Rc::new(answer));
}

/// Runs a task that may go on after the response was sent. Never the only thing that makes
/// work happen: the platform may end the instance at any moment.
pub fn spawn(task: impl Future<Output = ()> + 'static) {
    imp::spawn(task);
}

/// Waits for a while.
pub async fn sleep(time: Duration) {
    imp::sleep(time).await;
}

/// What comes of `work`, or nothing when it takes longer.
pub async fn in_time<T>(time: Duration, work: impl Future<Output = T>) -> Option<T> {
    imp::in_time(time, work).await
}

/// Lets the other requests of the instance go on, in the middle of a long computation.
pub async fn pause() {
    imp::pause().await;
}

/// A request to another server, or to another component.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutboundRequest {
    /// The method; GET when empty.
    pub method: String,
    /// The whole URL.
    pub url: String,
    /// Header names and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// How long to wait for the whole answer; 30 s when absent.
    pub timeout: Option<Duration>,
}

impl OutboundRequest {
    /// The length to send with the body. Without it the platform sends the body in chunks, an empty one
    /// too, which some servers refuse. A length among the headers is the caller's own.
    #[cfg(any(test, target_arch = "wasm32"))]
    fn length_header(&self) -> Option<usize> {
        let is_length = |(name, _): &(String, String)| name.eq_ignore_ascii_case("content-length");
        (!self.headers.iter().any(is_length)).then_some(self.body.len())
    }
}

/// The answer of another server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutboundResponse {
    /// The status code.
    pub status: u16,
    /// Header names and values.
    pub headers: Vec<(String, String)>,
    /// The body, at most [`OUTBOUND_BODY`] bytes.
    pub body: Vec<u8>,
}

/// The largest answer that is read from another server, in bytes.
pub const OUTBOUND_BODY: usize = 64 << 20;

/// Sends a request and reads the whole answer.
///
/// # Errors
/// A sentence for people that names the host: it is not allowed, cannot be reached, is too slow or
/// answers too much. See [`crate::outbound::failure`].
pub async fn send(request: OutboundRequest) -> Result<OutboundResponse, String> {
    imp::send(request).await
}

/// The answer of another server whose body is still to come.
pub struct OutboundAnswer {
    /// The status code.
    pub status: u16,
    /// Header names and values.
    pub headers: Vec<(String, String)>,
    body: imp::OutboundBody,
}

impl OutboundAnswer {
    /// The next bytes of the body, none at its end.
    ///
    /// # Errors
    /// When the body broke off, or nothing came for `patience`.
    pub async fn chunk(&mut self, patience: Duration) -> Result<Option<Vec<u8>>, String> {
        imp::outbound_chunk(&mut self.body, patience).await
    }
}

/// Sends a request and waits for the head of its answer, for as long as its timeout says.
///
/// # Errors
/// As [`send`].
pub async fn open(request: OutboundRequest) -> Result<OutboundAnswer, String> {
    imp::open(request).await
}

/// The component that runs due work, and the path it listens on.
const SCHEDULER: &str = "http://scheduler.spin.internal/internal/tick";

/// The header that carries the tick's token.
pub const TICK_TOKEN_HEADER: &str = "x-windlass-tick-token";

/// The key under which the tick's token is kept when no variable sets it.
pub const TICK_TOKEN_KEY: &str = "core/tick-token";

/// The token that a tick must carry: the variable `tick_token`, or the one made on first use.
pub async fn tick_token() -> Result<Option<String>> {
    if let Some(token) = crate::variables::secret("tick_token").await {
        return Ok(Some(token));
    }
    let kept = kv::get(TICK_TOKEN_KEY).await?;
    kept.map(|bytes| String::from_utf8(bytes).map_err(Error::internal))
        .transpose()
}

/// Refuses a request that does not carry the tick's token in its header.
///
/// # Errors
/// 401, also when there is no token yet.
pub async fn demand_tick_token(given: Option<&str>) -> Result<()> {
    match (tick_token().await?, given) {
        (Some(wanted), Some(given)) if crate::hashing::same(&wanted, given) => Ok(()),
        _ => Err(Error::unauthorized(format!(
            "the header {TICK_TOKEN_HEADER} is missing or wrong"
        ))),
    }
}

/// Tells the scheduler that there is work, so that nobody waits for the next second. To be called
/// after the commit; a nudge that is lost only delays the work until the cron's next tick.
pub fn nudge() {
    spawn(async {
        let Ok(Some(token)) = tick_token().await else {
            return;
        };
        let request = OutboundRequest {
            method: "POST".into(),
            url: SCHEDULER.into(),
            headers: vec![(TICK_TOKEN_HEADER.into(), token)],
            ..OutboundRequest::default()
        };
        if let Err(error) = send(request).await {
            crate::log::line(
                crate::log::Level::Warning,
                "nudge failed",
                [("error", error.into())],
            );
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn every_request_says_how_long_its_body_is() {
        let with = |body: &str, headers: &[(&str, &str)]| OutboundRequest {
            body: body.into(),
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect(),
            ..OutboundRequest::default()
        };
        for (request, length) in [
            (with("", &[]), Some(0)),
            (with("{}", &[("accept", "*/*")]), Some(2)),
            (with("{}", &[("Content-Length", "2")]), None),
        ] {
            assert_eq!(request.length_header(), length, "{request:?}");
        }
    }

    #[test]
    fn a_key_value_store_that_fails_is_a_503_without_its_text() {
        for text in ["it did not answer", "connection refused", "disk is full"] {
            let error = kv_failure(text);
            assert_eq!(error.kind(), Kind::Unavailable, "{text}");
            assert!(!error.message().contains(text), "{text}");
            assert!(error.for_log().contains(text), "{text}");
        }
    }
}
