//! What belongs to one instance of a component, and everything that instances can import.

use crate::allowed::AllowedHosts;
use crate::bindings::spin;
use crate::faults::Faults;
use crate::key_value::{KeyValue, Store as KeyValueStore};
use crate::logs::Logger;
use crate::outbound::Outbound;
use crate::sqlite::{Database, Sqlite};
use crate::stdio::{Lines, Output};
use crate::variables::VariablesAccess;
use std::collections::HashMap;
use std::sync::Arc;
use wasmtime::component::{Linker, ResourceTable};
use wasmtime::{Engine, Store, StoreLimits, StoreLimitsBuilder};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

/// What a component may do, the same for all its instances.
pub struct ComponentEnv {
    /// Its name in spin.toml.
    pub id: String,
    /// Databases it may open, by label.
    pub databases: HashMap<String, Arc<Database>>,
    /// Key-value stores it may open, by label.
    pub stores: HashMap<String, KeyValueStore>,
    /// Variables it may read.
    pub variables: HashMap<String, String>,
    /// Its environment variables.
    pub environment: Vec<(String, String)>,
    /// Hosts it may send requests to.
    pub allowed: AllowedHosts,
    /// The most memory an instance may have, in bytes.
    pub max_memory: usize,
    /// Where problems are told.
    pub logger: Logger,
    /// Whether what it prints is passed on.
    pub show_output: bool,
    /// Faults injected by tests.
    pub faults: Arc<Faults>,
}

/// The state of one instance.
pub struct GuestState {
    /// What the component may do.
    pub component: Arc<ComponentEnv>,
    /// Resources handed to the instance.
    pub table: ResourceTable,
    /// Database connections it holds open.
    pub open_connections: usize,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outbound: Outbound,
    limits: StoreLimits,
}

/// A store for a new instance. `outbound` says how its requests leave.
pub fn new_store(
    engine: &Engine,
    component: &Arc<ComponentEnv>,
    outbound: Outbound,
) -> Store<GuestState> {
    let (stdout, stderr) = if component.show_output {
        (Output::Stdout, Output::Stderr)
    } else {
        (Output::Nothing, Output::Nothing)
    };
    let wasi = WasiCtxBuilder::new()
        .stdout(Lines::new(stdout))
        .stderr(Lines::new(stderr))
        .envs(&component.environment)
        // Requests leave through `outbound` only, where they are checked.
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .build();
    let state = GuestState {
        component: component.clone(),
        table: ResourceTable::new(),
        open_connections: 0,
        wasi,
        http: WasiHttpCtx::new(),
        outbound,
        limits: StoreLimitsBuilder::new()
            .memory_size(component.max_memory)
            .build(),
    };
    let mut store = Store::new(engine, state);
    store.limiter(|state| &mut state.limits);
    // A component that computes gives way to the other requests of its core at every tick.
    store.set_epoch_deadline(1);
    store.epoch_deadline_async_yield_and_update(1);
    store
}

/// Everything that components can import.
pub fn linker(engine: &Engine) -> wasmtime::Result<Linker<GuestState>> {
    use spin::fermyon::spin as v2;
    use spin::spin as current;
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi::p3::add_to_linker(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    current::sqlite::sqlite::add_to_linker::<_, Sqlite>(&mut linker, |state| state)?;
    current::key_value::key_value::add_to_linker::<_, KeyValue>(&mut linker, |state| state)?;
    current::variables::variables::add_to_linker::<_, VariablesAccess>(&mut linker, |state| state)?;
    v2::key_value::add_to_linker::<_, KeyValue>(&mut linker, |state| state)?;
    v2::variables::add_to_linker::<_, VariablesAccess>(&mut linker, |state| state)?;
    Ok(linker)
}

impl WasiView for GuestState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for GuestState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            ctx: &mut self.http,
            table: &mut self.table,
            hooks: &mut self.outbound,
        }
    }
}
