//! What belongs to one instance of a component, and everything that instances can import.

use crate::allowed::AllowedHosts;
use crate::bindings::spin;
use crate::faults::Faults;
use crate::key_value::{KeyValue, Store as KeyValueStore};
use crate::logs::Logger;
use crate::outbound::{self, Outbound};
use crate::reach::Reach;
use crate::sqlite::{Database, Sqlite};
use crate::stdio::{Lines, Output};
use crate::variables::VariablesAccess;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use wasmtime::component::{Linker, ResourceTable};
use wasmtime::{Engine, Store, StoreLimits, StoreLimitsBuilder};
use wasmtime_wasi::sockets::SocketAddrUse;
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
    /// Which private addresses those hosts may lead to.
    pub reach: Reach,
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
        (
            Output::Stdout,
            Output::Log(component.logger, component.id.as_str().into()),
        )
    } else {
        (Output::Nothing, Output::Nothing)
    };
    let sockets = component.clone();
    let wasi = WasiCtxBuilder::new()
        .stdout(Lines::new(stdout))
        .stderr(Lines::new(stderr))
        .envs(&component.environment)
        // Requests leave through `outbound`, where they are checked, connections through this check.
        .socket_addr_check(move |address, used| {
            let component = sockets.clone();
            Box::pin(async move { may_use(&component, address, used).await })
        })
        .allow_tcp(true)
        .allow_udp(false)
        .allow_ip_name_lookup(true)
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

/// Whether an instance may use a socket like this: to connect where `allowed_outbound_hosts` lets it,
/// with the scheme `tcp`, and for nothing else.
async fn may_use(component: &ComponentEnv, address: SocketAddr, used: SocketAddrUse) -> bool {
    match used {
        // Connecting binds to any free port of any address first. To bind to that by itself is of no
        // use, since nobody may listen.
        SocketAddrUse::TcpBind => address.ip().is_unspecified() && address.port() == 0,
        SocketAddrUse::TcpConnect => {
            outbound::may_connect(component, address) && component.faults.before_outbound().await
        }
        _ => false,
    }
}

/// Everything that components can import: what Rust's library and the SDK use of WASI, and Spin's own.
/// Files, the sockets of WASI 0.2 and the rest of 0.3 are left out: every function is compiled for the
/// host, a hundred of them took a third of its build. A component that imports one does not start, and
/// is told which.
pub fn linker(engine: &Engine) -> wasmtime::Result<Linker<GuestState>> {
    use spin::fermyon::spin as v2;
    use spin::spin as current;
    let mut linker = Linker::new(engine);
    add_wasi_0_2(&mut linker)?;
    wasmtime_wasi::p3::cli::add_to_linker(&mut linker)?;
    wasmtime_wasi::p3::clocks::add_to_linker(&mut linker)?;
    wasmtime_wasi::p3::sockets::add_to_linker(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    current::sqlite::sqlite::add_to_linker::<_, Sqlite>(&mut linker, |state| state)?;
    current::key_value::key_value::add_to_linker::<_, KeyValue>(&mut linker, |state| state)?;
    current::variables::variables::add_to_linker::<_, VariablesAccess>(&mut linker, |state| state)?;
    v2::key_value::add_to_linker::<_, KeyValue>(&mut linker, |state| state)?;
    v2::variables::add_to_linker::<_, VariablesAccess>(&mut linker, |state| state)?;
    Ok(linker)
}

/// What Rust's library for `wasm32-wasip2` imports, whatever a program does.
fn add_wasi_0_2(linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
    use wasmtime_wasi::cli::{WasiCli, WasiCliView};
    use wasmtime_wasi::p2::bindings::{cli, random};
    use wasmtime_wasi::random::{WasiRandom, WasiRandomView};
    wasmtime_wasi::p2::add_to_linker_proxy_interfaces_async(linker)?;
    random::insecure_seed::add_to_linker::<_, WasiRandom>(linker, WasiRandomView::random)?;
    cli::environment::add_to_linker::<_, WasiCli>(linker, WasiCliView::cli)?;
    cli::exit::add_to_linker::<_, WasiCli>(linker, WasiCliView::cli)?;
    cli::terminal_input::add_to_linker::<_, WasiCli>(linker, WasiCliView::cli)?;
    cli::terminal_output::add_to_linker::<_, WasiCli>(linker, WasiCliView::cli)?;
    cli::terminal_stdin::add_to_linker::<_, WasiCli>(linker, WasiCliView::cli)?;
    cli::terminal_stdout::add_to_linker::<_, WasiCli>(linker, WasiCliView::cli)?;
    cli::terminal_stderr::add_to_linker::<_, WasiCli>(linker, WasiCliView::cli)
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::time::Duration;
    use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddressFamily};
    use wasmtime_wasi::p2::bindings::sockets::tcp::HostTcpSocket as _;
    use wasmtime_wasi::p2::bindings::sockets::udp_create_socket::Host as _;
    use wasmtime_wasi::p2::bindings::sockets::{instance_network, tcp_create_socket};
    use wasmtime_wasi::sockets::WasiSocketsView as _;

    fn instance(allowed: &[String]) -> Store<GuestState> {
        let component = Arc::new(ComponentEnv {
            id: "caller".to_owned(),
            databases: HashMap::new(),
            stores: HashMap::new(),
            variables: HashMap::new(),
            environment: Vec::new(),
            allowed: AllowedHosts::parse(allowed).unwrap(),
            reach: Reach::default(),
            max_memory: 1 << 20,
            logger: Logger::default(),
            show_output: false,
            faults: Arc::default(),
        });
        let engine = crate::engine::engine(1 << 20).unwrap();
        new_store(&engine, &component, Outbound::new(&component, None))
    }

    /// What an instance that may reach these hosts is told when it connects to an address.
    async fn connect(allowed: &[String], address: SocketAddr) -> Result<(), ErrorCode> {
        let mut store = instance(allowed);
        let mut view = store.data_mut().sockets();
        let network = instance_network::Host::instance_network(&mut view).unwrap();
        let socket =
            tcp_create_socket::Host::create_tcp_socket(&mut view, IpAddressFamily::Ipv4).unwrap();
        let handle = socket.rep();
        view.start_connect(socket, network, address.into()).unwrap();
        loop {
            let socket = wasmtime::component::Resource::new_own(handle);
            match view
                .finish_connect(socket)
                .map_err(|error| error.downcast().unwrap())
            {
                Ok(_) => return Ok(()),
                Err(ErrorCode::WouldBlock) => tokio::time::sleep(Duration::from_millis(1)).await,
                Err(error) => return Err(error),
            }
        }
    }

    #[tokio::test]
    async fn an_instance_connects_where_it_may_and_nowhere_else() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let port = address.port();
        for (entry, allowed) in [
            (format!("tcp://127.0.0.1:{port}"), true),
            (format!("tcp://*:{port}"), true),
            ("*://*:*".to_owned(), false),
            ("tcp://127.0.0.1:1".to_owned(), false),
            (format!("tcp://192.0.2.7:{port}"), false),
            (format!("http://127.0.0.1:{port}"), false),
            (format!("tcp://localhost:{port}"), false),
        ] {
            let got = connect(std::slice::from_ref(&entry), address).await;
            match (allowed, got) {
                (true, Ok(())) => drop(listener.accept().unwrap()),
                (false, Err(ErrorCode::AccessDenied)) => {}
                (_, got) => panic!("{entry}: {got:?}"),
            }
        }
        listener.set_nonblocking(true).unwrap();
        assert!(listener.accept().is_err(), "a refused connection arrived");
    }

    #[tokio::test]
    async fn nobody_listens_and_nobody_sends_datagrams() {
        let mut store = instance(&["*://*:*".to_owned()]);
        let mut view = store.data_mut().sockets();
        let network = instance_network::Host::instance_network(&mut view).unwrap();
        let socket =
            tcp_create_socket::Host::create_tcp_socket(&mut view, IpAddressFamily::Ipv4).unwrap();
        let handle = socket.rep();
        let address: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let bound = view.start_bind(socket, network, address.into()).await;
        let error = bound.unwrap_err().downcast().unwrap();
        assert_eq!(error, ErrorCode::AccessDenied);
        let socket = wasmtime::component::Resource::new_own(handle);
        assert!(view.start_listen(socket).await.is_err());
        assert!(view.create_udp_socket(IpAddressFamily::Ipv4).await.is_err());
    }
}
