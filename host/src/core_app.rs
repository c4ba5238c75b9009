//! The application as one core runs it: finds the component for a request and calls it.
//!
//! Every core has its own instances; what they share are the databases and the compiled components.

use crate::arrival::{Arrival, Refused};
use crate::logs::Logger;
use crate::measured::Measured;
use crate::places::Places;
use crate::router::{Match, Router};
use crate::strict::{self, Lines};
use crate::worker::Factory;
use bytes::Bytes;
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body::Body as _;
use http_body_util::{BodyExt, Full};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};
use wasmtime_wasi_http::handler::{ExpirationError, InstantiationError, ProxyHandler};
use wasmtime_wasi_http::{Error, WasiBody};

/// How long a request waits for room for a new instance.
const INSTANCE_PATIENCE: Duration = Duration::from_secs(5);

/// The application on one core.
pub struct CoreApp {
    router: Arc<Router>,
    handlers: HashMap<String, ProxyHandler<Factory>>,
    /// How many requests are worked on at once.
    pub places: Arc<Places>,
    logger: Logger,
    measured: Arc<Measured>,
}

impl CoreApp {
    /// Puts an application together.
    pub fn new(
        router: Arc<Router>,
        handlers: HashMap<String, ProxyHandler<Factory>>,
        logger: Logger,
        measured: Arc<Measured>,
    ) -> Self {
        Self {
            router,
            handlers,
            places: Arc::default(),
            logger,
            measured,
        }
    }

    /// Answers one request from the network.
    pub async fn respond(
        &self,
        request: Request<hyper::body::Incoming>,
        client: &HeaderValue,
        lines: &Lines,
    ) -> Response<WasiBody> {
        let has_body = !request.body().is_end_stream();
        if let Err(text) = strict::check(&request) {
            return refused(StatusCode::BAD_REQUEST, text);
        }
        if !lines.are_strict(has_body) {
            return refused(
                StatusCode::BAD_REQUEST,
                "A line of the head ends in a bare LF",
            );
        }
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
        let (method, begun) = (request.method().clone(), Instant::now());
        let response = self.serve(request, &found, client, lines).await;
        let (route, status) = (&found.route.pattern, response.status().as_u16());
        self.measured
            .answered(route, &method, status, begun.elapsed());
        response
    }

    /// Has a component answer, once the beginning of the body is there.
    async fn serve(
        &self,
        mut request: Request<hyper::body::Incoming>,
        found: &Match<'_>,
        client: &HeaderValue,
        lines: &Lines,
    ) -> Response<WasiBody> {
        let has_body = !request.body().is_end_stream();
        if let Err(status) = prepare(&mut request, found, client) {
            return plain(status, "");
        }
        // Who asks to be told whether to send the body is told by the component.
        let asks_first = request.headers().contains_key(header::EXPECT);
        let (head, body) = request.into_parts();
        let mut body = Arrival::new(body, lines.clone());
        if has_body && !asks_first {
            match body.begin().await {
                Ok(()) => {}
                Err(Refused::Slow) => {
                    return refused(StatusCode::REQUEST_TIMEOUT, "The body arrives too slowly");
                }
                Err(Refused::Broken) => {
                    return refused(StatusCode::BAD_REQUEST, "The body cannot be read");
                }
            }
        }
        let Some(place) = self.places.take().await else {
            let mut response = plain(StatusCode::SERVICE_UNAVAILABLE, "too many requests wait");
            let retry = HeaderValue::from_static("1");
            response.headers_mut().insert(header::RETRY_AFTER, retry);
            return response;
        };
        let body = if has_body {
            body.leaving(place.leave())
        } else {
            body
        };
        let request = Request::from_parts(head, body.boxed_unsync());
        match self.call(&found.route.component, request).await {
            Ok(response) => response,
            Err(status) => plain(status, status.canonical_reason().unwrap_or_default()),
        }
    }

    /// Says in the log that a client sent what is not HTTP.
    pub fn tell_malformed(&self, client: &SocketAddr, error: &hyper::Error) {
        self.logger
            .info(&format!("{client} sent a malformed request: {error}"));
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
}

/// Makes the URI absolute and adds the headers that Spin adds.
fn prepare(
    request: &mut Request<hyper::body::Incoming>,
    found: &Match<'_>,
    client: &HeaderValue,
) -> Result<(), StatusCode> {
    // HTTP/1.0 has no such header.
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

/// A refusal after which nothing else is read from the connection.
fn refused(status: StatusCode, text: &'static str) -> Response<WasiBody> {
    let mut response = plain(status, text);
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
    response
}

/// The header that tells a component who called.
pub fn client_header(address: SocketAddr) -> HeaderValue {
    HeaderValue::from_str(&address.to_string())
        .unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}
