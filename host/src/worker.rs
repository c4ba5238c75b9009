//! Instances: how many requests each answers, how long each may take, and when it ends.
//!
//! As on Spin 4.1 an instance answers up to 128 requests, 16 of them at once, and goes away after a
//! while without any. A trap ends the instance and answers 500 to every request on it.

use crate::core_app::CoreApp;
use crate::guest::{ComponentEnv, GuestState, new_store};
use crate::outbound::Outbound;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep};
use wasmtime::component::GuestTaskId;
use wasmtime::{Engine, Store, StoreContextMut};
use wasmtime_wasi_http::handler::{
    HandlerState, Instance, ProxyPre, ShouldAccept, WorkerExpiration, WorkerState, WorkerStatus,
};
use wasmtime_wasi_http::{WasiHttpCtxView, WasiHttpView};

/// How long after a request's limit its instance is given up entirely.
const GRACE: Duration = Duration::from_millis(500);

/// How long an instance may go on after its last response began: large bodies take their time.
const AFTER_RESPONSE: Duration = Duration::from_secs(600);

/// The limits of instances.
#[derive(Clone, Copy, Debug)]
pub struct InstanceLimits {
    /// Requests an instance answers in its life.
    pub requests: usize,
    /// Requests an instance answers at once.
    pub concurrent: usize,
    /// How long an instance without requests is kept.
    pub idle: Duration,
    /// How long a request may take until its response begins.
    pub request: Duration,
}

/// Makes the instances of one component on one core.
pub struct Factory {
    /// The engine that compiled the component.
    pub engine: Engine,
    /// The component, ready to be instantiated.
    pub pre: Arc<ProxyPre<GuestState>>,
    /// What it may do.
    pub component: Arc<ComponentEnv>,
    /// The application on this core, for calls to other components.
    pub local: Weak<CoreApp>,
    /// The limits of its instances.
    pub limits: InstanceLimits,
    /// Becomes true when the host stops.
    pub stopping: watch::Receiver<bool>,
    /// Instances alive on this core.
    pub alive: Arc<AtomicUsize>,
}

impl HandlerState for Factory {
    type StoreData = GuestState;
    type WorkerExpiration = Expiration;
    type WorkerState = Life;

    async fn instantiate(&self) -> wasmtime::Result<Instance<GuestState, Expiration, Life>> {
        let outbound = Outbound::new(&self.component, Some(self.local.clone()));
        let mut store = new_store(&self.engine, &self.component, outbound);
        let proxy = self.pre.instantiate_async(&mut store).await?;
        self.alive.fetch_add(1, SeqCst);
        let mut stopping = self.stopping.clone();
        Ok(Instance {
            store,
            proxy,
            view: view_of,
            expiration: Expiration {
                limits: self.limits,
                timer: Box::pin(tokio::time::sleep(self.limits.idle)),
                stopping: Box::pin(async move {
                    let _ = stopping.wait_for(|stop| *stop).await;
                }),
                is_stopping: false,
            },
            state: Life {
                component: self.component.clone(),
                limits: self.limits,
                alive: self.alive.clone(),
            },
        })
    }
}

fn view_of(state: &mut GuestState) -> WasiHttpCtxView<'_> {
    state.http()
}

/// The life of one instance.
pub struct Life {
    component: Arc<ComponentEnv>,
    limits: InstanceLimits,
    alive: Arc<AtomicUsize>,
}

impl WorkerState for Life {
    type StoreData = GuestState;
    type RequestData = ();

    fn should_accept_request(&self, concurrent: usize, total: usize) -> ShouldAccept {
        if total >= self.limits.requests {
            ShouldAccept::Never
        } else if concurrent >= self.limits.concurrent {
            ShouldAccept::No
        } else {
            ShouldAccept::Yes
        }
    }

    fn on_request_start(
        &self,
        _store: StoreContextMut<'_, GuestState>,
        _data: (),
        _task: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + 'static + Send + Sync>> {
        Box::pin(tokio::time::sleep(self.limits.request))
    }

    fn drop(&self, store: Store<GuestState>, result: wasmtime::Result<()>) {
        if let Err(error) = result {
            self.component.logger.component_problem(
                &self.component.id,
                &format!("the instance ended with its requests: {error:#}"),
            );
        }
        drop(store);
        self.alive.fetch_sub(1, SeqCst);
    }
}

/// When an instance ends. Polled beside the instance, so it works for one that only computes.
pub struct Expiration {
    limits: InstanceLimits,
    timer: Pin<Box<Sleep>>,
    stopping: Pin<Box<dyn Future<Output = ()> + Send + Sync>>,
    is_stopping: bool,
}

impl WorkerExpiration for Expiration {
    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        status: WorkerStatus,
        start: std::time::Instant,
    ) -> Poll<()> {
        let this = &mut *self;
        if !this.is_stopping && this.stopping.as_mut().poll(context).is_ready() {
            this.is_stopping = true;
        }
        let limit = match status {
            WorkerStatus::Idle if this.is_stopping => return Poll::Ready(()),
            WorkerStatus::Idle => this.limits.idle,
            WorkerStatus::Requests => this.limits.request + GRACE,
            WorkerStatus::PostReturn => AFTER_RESPONSE.max(this.limits.request),
        };
        let end = Instant::from_std(start) + limit;
        loop {
            // The timer is only moved when it must be: moving it at each request would cost more
            // than letting it fire early once in a while.
            if this.timer.deadline() > end {
                this.timer.as_mut().reset(end);
            }
            match this.timer.as_mut().poll(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(()) if Instant::now() >= end => return Poll::Ready(()),
                Poll::Ready(()) => this.timer.as_mut().reset(end),
            }
        }
    }
}
