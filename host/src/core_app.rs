//! The application as one core runs it: finds the component for a request and calls it.
//!
//! Every core has its own instances; what they share are the databases and the compiled components.

use crate::logs::Logger;
use crate::router::{Match, Router};
use crate::worker::Factory;
use bytes::Bytes;
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use wasmtime_wasi_http::handler::{ExpirationError, InstantiationError, ProxyHandler};
use wasmtime_wasi_http::{Error, WasiBody};

/// Requests that one core works on at once; more wait. A few keep a core busy, and each of them may
/// need an instance of its own, so more would only take memory.
const USUAL_CONCURRENT: usize = 4;
/// Requests that one core works on at once when many of them wait for something else.
const MAX_CONCURRENT: usize = 512;
/// When no request was answered for so long although others wait, one more is let in.
const STALL: Duration = Duration::from_millis(20);
/// Requests that may wait; more are answered 503 at once.
const MAX_WAITING: usize = 4096;
/// How long a request waits for room for a new instance.
const INSTANCE_PATIENCE: Duration = Duration::from_secs(5);

/// The application on one core.
pub struct CoreApp {
    router: Arc<Router>,
    handlers: HashMap<String, ProxyHandler<Factory>>,
    room: Semaphore,
    /// Room beyond the usual; given up again when a request ends.
    extra: AtomicUsize,
    waiting: AtomicUsize,
    somebody_waits: Notify,
    answered: AtomicU64,
    logger: Logger,
}

impl CoreApp {
    /// Puts an application together.
    pub fn new(
        router: Arc<Router>,
        handlers: HashMap<String, ProxyHandler<Factory>>,
        logger: Logger,
    ) -> Self {
        Self {
            router,
            handlers,
            room: Semaphore::new(USUAL_CONCURRENT),
            extra: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            somebody_waits: Notify::new(),
            answered: AtomicU64::new(0),
            logger,
        }
    }

    /// Answers one request from the network.
    pub async fn respond(
        &self,
        mut request: Request<hyper::body::Incoming>,
        client: &HeaderValue,
    ) -> Response<WasiBody> {
        let path = request.uri().path();
        if let Some(name) = path.strip_prefix("/.well-known/spin/") {
            return match name {
                "health" => plain(StatusCode::OK, "OK"),
                _ => plain(StatusCode::NOT_FOUND, ""),
            };
        }
        let path = path.to_owned();
        let Some(found) = self.router.find(&path) else {
            return plain(StatusCode::NOT_FOUND, "");
        };
        if let Err(status) = prepare(&mut request, &found, client) {
            return plain(status, "");
        }
        let Some(_room) = self.wait_for_room().await else {
            let mut response = plain(StatusCode::SERVICE_UNAVAILABLE, "too many requests wait");
            let retry = HeaderValue::from_static("1");
            response.headers_mut().insert(header::RETRY_AFTER, retry);
            return response;
        };
        let request = request.map(|body| body.map_err(Error::from).boxed_unsync());
        match self.call(&found.route.component, request).await {
            Ok(response) => response,
            Err(status) => plain(status, status.canonical_reason().unwrap_or_default()),
        }
    }

    /// Answers a request of one component to another. It needs no room of its own: its caller has
    /// some, and waiting for more could be waiting for each other.
    pub async fn call_chained(
        &self,
        component: &str,
        mut request: Request<WasiBody>,
    ) -> Result<Response<WasiBody>, Error> {
        if !self.handlers.contains_key(component) {
            self.logger.problem(&format!(
                "{component}.spin.internal was called, but no [[trigger.http]] names the component `{component}`"
            ));
            return Err(Error::DestinationNotFound);
        }
        let path = request.uri().path().to_owned();
        let full_url = request.uri().to_string();
        let headers = request.headers_mut();
        headers.remove(header::HOST);
        let mut set = |name: &'static str, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        set("spin-path-info", &path);
        set("spin-full-url", &full_url);
        set("spin-matched-route", "/...");
        set("spin-base-path", "/");
        set("spin-raw-component-route", "/...");
        set("spin-component-route", "");
        set("spin-client-addr", "127.0.0.1:0");
        match self.call(component, request).await {
            Ok(response) => Ok(response),
            Err(status) => Ok(plain(status, status.canonical_reason().unwrap_or_default())),
        }
    }

    /// Calls a component; the error is the status to answer.
    async fn call(
        &self,
        component: &str,
        mut request: Request<WasiBody>,
    ) -> Result<Response<WasiBody>, StatusCode> {
        let Some(handler) = self.handlers.get(component) else {
            return Err(StatusCode::INTERNAL_SERVER_ERROR);
        };
        let started = Instant::now();
        loop {
            let error = match handler.handle((), request).await {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            let error = match error.downcast::<InstantiationError<()>>() {
                Ok(refused) => {
                    let is_full = refused.error.is::<wasmtime::PoolConcurrencyLimitError>();
                    if is_full && started.elapsed() < INSTANCE_PATIENCE {
                        request = refused
                            .request
                            .into_inner()
                            .unwrap_or_else(PoisonError::into_inner);
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        continue;
                    }
                    self.logger.component_problem(
                        component,
                        &format!("no instance could be made: {:#}", refused.error),
                    );
                    return Err(StatusCode::SERVICE_UNAVAILABLE);
                }
                Err(error) => error,
            };
            let limit = handler.state().limits.request;
            if error.is::<ExpirationError>() || started.elapsed() >= limit {
                self.logger.component_problem(
                    component,
                    &format!("no response within {} s", limit.as_secs_f32()),
                );
                return Err(StatusCode::GATEWAY_TIMEOUT);
            }
            // A trap is logged with its cause where the instance ends.
            self.logger
                .component_problem(component, &format!("a request failed: {error:#}"));
            return Err(StatusCode::INTERNAL_SERVER_ERROR);
        }
    }

    async fn wait_for_room(&self) -> Option<Room<'_>> {
        if let Ok(permit) = self.room.try_acquire() {
            return Some(Room::new(self, permit));
        }
        if self.waiting.fetch_add(1, Relaxed) >= MAX_WAITING {
            self.waiting.fetch_sub(1, Relaxed);
            return None;
        }
        let waiting = Waiting(&self.waiting);
        self.somebody_waits.notify_one();
        let permit = self.room.acquire().await.ok();
        drop(waiting);
        permit.map(|permit| Room::new(self, permit))
    }

    /// Makes room while the requests inside only wait: for a slow client, another server or the disk.
    /// Runs beside the server, for ever.
    pub async fn relieve(&self) {
        loop {
            self.somebody_waits.notified().await;
            let mut before = self.answered.load(Relaxed);
            while self.waiting.load(Relaxed) > 0 {
                tokio::time::sleep(STALL).await;
                let answered = self.answered.load(Relaxed);
                let is_stalled = answered == before && self.waiting.load(Relaxed) > 0;
                if is_stalled && self.extra.load(Relaxed) < MAX_CONCURRENT - USUAL_CONCURRENT {
                    self.extra.fetch_add(1, Relaxed);
                    self.room.add_permits(1);
                }
                before = answered;
            }
        }
    }
}

/// The room one request takes.
struct Room<'a> {
    app: &'a CoreApp,
    permit: Option<SemaphorePermit<'a>>,
}

impl<'a> Room<'a> {
    fn new(app: &'a CoreApp, permit: SemaphorePermit<'a>) -> Self {
        let permit = Some(permit);
        Self { app, permit }
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.app.answered.fetch_add(1, Relaxed);
        let one_less = |extra: usize| extra.checked_sub(1);
        let was_extra = self.app.extra.fetch_update(Relaxed, Relaxed, one_less);
        if was_extra.is_ok()
            && let Some(permit) = self.permit.take()
        {
            permit.forget();
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

/// Makes the URI absolute and adds the headers that Spin adds.
fn prepare(
    request: &mut Request<hyper::body::Incoming>,
    found: &Match<'_>,
    client: &HeaderValue,
) -> Result<(), StatusCode> {
    let host = match request.headers().get(header::HOST) {
        Some(host) => host.clone(),
        None => HeaderValue::from_static("localhost"),
    };
    let authority = Authority::try_from(host.as_bytes()).map_err(|_| StatusCode::BAD_REQUEST)?;
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(authority);
    let uri = Uri::from_parts(parts).map_err(|_| StatusCode::BAD_REQUEST)?;

    let headers = request.headers_mut();
    // Only the host may say these: a client's own would be taken for the host's.
    headers.remove("spin-path-info");
    insert(headers, "spin-path-info", &found.path_info);
    insert(headers, "spin-full-url", &uri.to_string());
    headers.insert(HeaderName::from_static("spin-client-addr"), client.clone());
    for (name, value) in &found.route.headers {
        headers.insert(name, value.clone());
    }
    for (name, value) in &found.captures {
        let name = format!("spin-path-match-{}", name.to_ascii_lowercase());
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_str(value),
        ) {
            headers.insert(name, value);
        }
    }
    *request.uri_mut() = uri;
    Ok(())
}

fn insert(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response<WasiBody> {
    let body = Full::new(Bytes::from_static(text.as_bytes()));
    let mut response = Response::new(body.map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = status;
    response
}

/// The header that tells a component who called.
pub fn client_header(address: SocketAddr) -> HeaderValue {
    HeaderValue::from_str(&address.to_string())
        .unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app() -> CoreApp {
        CoreApp::new(Arc::default(), HashMap::new(), Logger::default())
    }

    /// Fills the usual room with requests that only wait.
    async fn full(app: &CoreApp) -> Vec<Room<'_>> {
        let mut inside = Vec::new();
        for _ in 0..USUAL_CONCURRENT {
            inside.push(app.wait_for_room().await.unwrap());
        }
        inside
    }

    #[tokio::test(start_paused = true)]
    async fn requests_that_only_wait_do_not_keep_others_out() {
        let app = app();
        let inside = full(&app).await;
        let others = async {
            let mut entered = Vec::new();
            for _ in 0..50 {
                entered.push(app.wait_for_room().await.unwrap());
            }
            entered.len()
        };
        let entered = tokio::select! {
            () = app.relieve() => 0,
            entered = others => entered,
        };
        assert_eq!(entered, 50);
        drop(inside);
        // What was made for them is gone again.
        assert_eq!(app.extra.load(Relaxed), 0);
        assert_eq!(app.room.available_permits(), USUAL_CONCURRENT);
    }

    #[tokio::test(start_paused = true)]
    async fn while_requests_are_answered_nobody_else_gets_in() {
        let app = app();
        let mut inside = full(&app).await;
        let answering = async {
            for _ in 0..100 {
                let next = app.wait_for_room();
                tokio::pin!(next);
                assert!(futures::poll!(next.as_mut()).is_pending());
                tokio::time::sleep(STALL / 4).await;
                inside.remove(0);
                inside.push(next.await.unwrap());
                assert_eq!(app.extra.load(Relaxed), 0);
            }
        };
        tokio::select! {
            () = app.relieve() => {}
            () = answering => {}
        }
    }
}
