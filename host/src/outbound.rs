//! Requests that components send: checked against `allowed_outbound_hosts`, then sent over the
//! network or handed to another component in this process (`http://<component>.spin.internal/`).
//! TCP connections are checked against the same list, with the scheme `tcp`. Where names may lead is
//! [`crate::reach`]'s.

use crate::allowed::Target;
use crate::client;
use crate::core_app::CoreApp;
use crate::guest::ComponentEnv;
use http::header::{HOST, HeaderName};
use http::uri::Scheme;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, Result, WasiBody,
    WasiHttpHooks,
};

/// How the requests of one instance leave.
pub struct Outbound {
    component: Arc<ComponentEnv>,
    /// The application on this core; none for components run by a cron trigger, which on Spin live
    /// in a process of their own and reach others over the network only.
    local: Option<Weak<CoreApp>>,
}

type Sent = (
    http::Response<WasiBody>,
    Box<dyn Future<Output = Result<()>> + Send>,
);

impl Outbound {
    /// For an instance of `component`.
    pub fn new(component: &Arc<ComponentEnv>, local: Option<Weak<CoreApp>>) -> Self {
        Self {
            component: component.clone(),
            local,
        }
    }
}

impl WasiHttpHooks for Outbound {
    // Components see and may set `host`, as on Spin.
    fn is_forbidden_header(&mut self, name: &HeaderName) -> bool {
        is_forbidden(name)
    }

    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::new(is_forbidden)
    }

    fn set_host_header(&mut self) -> bool {
        false
    }

    fn default_scheme(&mut self) -> Option<Scheme> {
        Some(Scheme::HTTPS)
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _processed: Box<dyn Future<Output = Result<()>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent>> + Send> {
        let component = self.component.clone();
        let local = self.local.clone();
        Box::new(async move { send(&component, local, request, options.unwrap_or_default()).await })
    }
}

fn is_forbidden(name: &HeaderName) -> bool {
    name != HOST && DEFAULT_FORBIDDEN_HEADERS.contains(name)
}

/// Whether a component may connect to an address. As on Spin the name it was looked up from does not
/// count, so entries with names allow no connection.
pub fn may_connect(component: &ComponentEnv, address: SocketAddr) -> bool {
    let target = Target::of_connection(address);
    if !component.allowed.allows(&target) {
        tell_refusal(component, "connection", &target);
        return false;
    }
    let (reach, allowed) = (&component.reach, &component.allowed);
    let may = reach.allows_connection(allowed, &target, address);
    if !may {
        tell_private(component, "connection", &target);
    }
    may
}

fn tell_refusal(component: &ComponentEnv, what: &str, target: &Target) {
    component.logger.component_problem(
        &component.id,
        &format!(
            "a {what} to {target} was refused: to allow it, add \"{target}\" to allowed_outbound_hosts of [component.{}] in spin.toml",
            component.id
        ),
    );
}

fn tell_private(component: &ComponentEnv, what: &str, target: &Target) {
    component.logger.component_problem(
        &component.id,
        &format!(
            "a {what} to {target} was refused: it leads to a private or local address. To allow that one, add \"{target}\" to allowed_outbound_hosts of [component.{}] in spin.toml; to allow all, set the variable outbound_allow_private",
            component.id
        ),
    );
}

async fn send(
    component: &ComponentEnv,
    local: Option<Weak<CoreApp>>,
    request: http::Request<WasiBody>,
    options: RequestOptions,
) -> Result<Sent> {
    let target = Target::of(request.uri()).ok_or(Error::HttpRequestUriInvalid)?;
    if !component.allowed.allows(&target) {
        tell_refusal(component, "request", &target);
        return Err(Error::HttpRequestDenied);
    }
    if !component.faults.before_outbound().await {
        return Err(Error::ConnectionRefused);
    }
    let Some(callee) = target.chained_component() else {
        let connecting = component
            .reach
            .connect(&component.allowed, &target, &component.faults);
        let sent = client::send(request, &target, connecting, options).await;
        if matches!(sent, Err(Error::DestinationIpProhibited)) {
            tell_private(component, "request", &target);
        }
        return sent;
    };
    let Some(app) = local.as_ref().and_then(Weak::upgrade) else {
        component.logger.component_problem(
            &component.id,
            "*.spin.internal is not reachable from a cron trigger: call the application's public address",
        );
        return Err(Error::DestinationNotFound);
    };
    let response = app.call_chained(callee, request).await?;
    Ok((response, Box::new(async { Ok(()) })))
}
