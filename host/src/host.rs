//! Starting and stopping: from a manifest to an application that serves.

use crate::allowed::AllowedHosts;
use crate::bindings::cron::SpinCronPre;
use crate::cache::{Cache, Compiler};
use crate::core_app::CoreApp;
use crate::cron::{Cron, parse_schedule};
use crate::engine::engine;
use crate::faults::Faults;
use crate::guest::{ComponentEnv, GuestState, linker};
use crate::key_value::KeyValueFile;
use crate::manifest::{Component as ComponentEntry, Manifest, Route as RouteEntry};
use crate::measured::Measured;
use crate::options::HostOptions;
use crate::reach::Reach;
use crate::room::Room;
use crate::router::{Route, Router};
use crate::running::{Parts, RunningHost};
use crate::server;
use crate::sqlite::Database;
use crate::variables::Variables;
use crate::worker::{Factory, InstanceLimits};
use anyhow::{Context, Result, anyhow};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::sync::watch;
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};
use wasmtime_wasi_http::handler::{ProxyHandler, ProxyPre};
use wasmtime_wasi_http::p2::bindings::ProxyPre as Proxy2Pre;
use wasmtime_wasi_http::p3::bindings::ServicePre as Proxy3Pre;

/// A component that serves requests.
#[derive(Clone)]
struct Served {
    pre: Arc<ProxyPre<GuestState>>,
    /// WASI 0.3 components answer several requests per instance, 0.2 ones a single one.
    reusable: bool,
    component: Arc<ComponentEnv>,
}

/// Starts the application that `options` describe.
///
/// # Errors
/// What is wrong with the manifest, the variables, the state directory, the address or a component,
/// in words that say what to do.
pub fn start(options: HostOptions) -> Result<RunningHost> {
    let mut manifest = Manifest::read(&options.manifest)?;
    if !options.components.is_empty() {
        manifest.keep_components(&options.components)?;
    }
    // The port is taken before anything else happens: what cannot be served leaves nothing behind, and
    // the compiler may run for a while.
    let (address, listeners) = server::listen(options.listen, options.threads)?;
    let variables = Variables::resolve(&manifest, &options.variables, address, |name| {
        std::env::var(name).ok()
    })?;
    let router = Arc::new(build_router(&manifest)?);
    let faults = Arc::new(match &options.faults {
        Some(list) => Faults::parse(list)?,
        None => Faults::default(),
    });
    let state = State::open(&options, &faults)?;
    let environments = environments(&options, &manifest, &variables, &state, &faults)?;
    let application = Application::load(&options, &manifest, environments)?;

    let (stop, stopping) = watch::channel(false);
    let mut threads = Vec::new();
    for (number, listener) in listeners.into_iter().enumerate() {
        threads.push(application.serve(number, listener, &router, &options, &stopping)?);
    }
    let measured = application.measured.clone();
    threads.extend(application.keep_schedules(stopping)?);
    Ok(RunningHost::new(Parts {
        address,
        routes: router,
        tick_token: variables.get("tick_token").unwrap_or_default().to_owned(),
        key_value: state.key_value.store("default"),
        state_dir: options.state_dir,
        faults,
        stop,
        threads,
        measured,
        temporary_state: options.temporary_state,
    }))
}

/// Makes a folder that only its owner can look into: the generated password is in it. One that is there
/// keeps its permissions, which are the operator's.
///
/// # Errors
/// Of the file system.
pub fn make_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// What outlives the process.
struct State {
    database: Arc<Database>,
    key_value: Arc<KeyValueFile>,
}

impl State {
    fn open(options: &HostOptions, faults: &Arc<Faults>) -> Result<Self> {
        let folder = &options.state_dir;
        let refused = |what: &str| {
            format!(
                "cannot {what} the state directory {}: choose another with --state-dir",
                folder.display()
            )
        };
        make_private(folder).with_context(|| refused("create"))?;
        let room = Room::of(folder, faults.clone());
        let path = folder.join("sqlite_key_value.db");
        let key_value = KeyValueFile::open(&path, faults.clone(), room.clone())
            .with_context(|| refused("write to"))?;
        let database = Database::new(
            &folder.join("sqlite_db.db"),
            options.request_timeout,
            faults.clone(),
            room,
        );
        Ok(Self {
            database,
            key_value,
        })
    }
}

fn environments(
    options: &HostOptions,
    manifest: &Manifest,
    variables: &Variables,
    state: &State,
    faults: &Arc<Faults>,
) -> Result<HashMap<String, Arc<ComponentEnv>>> {
    let mut environments = HashMap::new();
    for (id, entry) in &manifest.component {
        let environment = component_env(id, entry, options, variables, state, faults)
            .with_context(|| format!("[component.{id}] in {}", options.manifest.display()))?;
        environments.insert(id.clone(), Arc::new(environment));
    }
    Ok(environments)
}

/// The compiled components, each as its triggers call it.
struct Application {
    engine: Engine,
    served: HashMap<String, Served>,
    schedules: Vec<Cron>,
    measured: Arc<Measured>,
}

impl Application {
    fn load(
        options: &HostOptions,
        manifest: &Manifest,
        environments: HashMap<String, Arc<ComponentEnv>>,
    ) -> Result<Self> {
        let to_engine = |error: wasmtime::Error| anyhow!("{error:#}");
        let engine = engine(options.max_memory).map_err(to_engine)?;
        let linker = linker(&engine).map_err(to_engine)?;
        let triggers = &manifest.trigger;
        let crons = if options.cron {
            triggers.cron.as_slice()
        } else {
            &[]
        };
        let http = triggers.http.iter().map(|trigger| &*trigger.component);
        let served_ids: BTreeSet<&str> = http.collect();
        let cron_ids = crons.iter().map(|trigger| &*trigger.component);
        let needed = served_ids.iter().copied().chain(cron_ids).collect();
        let compiled = load_all(options, manifest, &engine, needed)?;
        let find = |id: &str| match (compiled.get(id), environments.get(id)) {
            (Some(component), Some(environment)) => Ok((component, environment.clone())),
            _ => Err(anyhow!("a trigger names `{id}`, which is no component")),
        };

        let mut served = HashMap::new();
        for id in served_ids {
            let (compiled, component) = find(id)?;
            let (pre, reusable) = http_pre(&linker, compiled)
                .with_context(|| format!("component `{id}` cannot serve HTTP requests here"))?;
            let pre = Arc::new(pre);
            served.insert(
                id.to_owned(),
                Served {
                    pre,
                    reusable,
                    component,
                },
            );
        }
        let mut schedules = Vec::new();
        for trigger in crons {
            let id = trigger.component.as_str();
            let (compiled, component) = find(id)?;
            let pre = linker
                .instantiate_pre(compiled)
                .and_then(SpinCronPre::new)
                .map_err(to_engine)
                .with_context(|| format!("component `{id}` cannot handle cron events"))?;
            schedules.push(Cron {
                engine: engine.clone(),
                pre,
                component,
                schedule: parse_schedule(id, &trigger.cron_expression)?,
            });
        }
        Ok(Self {
            engine,
            served,
            schedules,
            measured: Measured::new(&options.state_dir),
        })
    }

    /// A thread that answers the connections of one listener, with instances of its own.
    fn serve(
        &self,
        number: usize,
        listener: std::net::TcpListener,
        router: &Arc<Router>,
        options: &HostOptions,
        stopping: &watch::Receiver<bool>,
    ) -> Result<std::thread::JoinHandle<()>> {
        let (router, options) = (router.clone(), options.clone());
        let (served, engine) = (self.served.clone(), self.engine.clone());
        let stopping = stopping.clone();
        let measured = self.measured.clone();
        spawn(format!("core-{number}"), async move || {
            let alive = Arc::new(AtomicUsize::new(0));
            let app = build_core(
                &router, served, &engine, &options, &stopping, &alive, measured,
            );
            tokio::select! {
                () = app.places.relieve() => {}
                served = server::serve(listener, app.clone(), stopping, alive) => {
                    if let Err(error) = served {
                        options.logger.problem(&format!("cannot serve: {error}"));
                    }
                }
            }
        })
    }

    /// A thread for all cron triggers, if there are any.
    fn keep_schedules(
        self,
        stopping: watch::Receiver<bool>,
    ) -> Result<Option<std::thread::JoinHandle<()>>> {
        let schedules = self.schedules;
        if schedules.is_empty() {
            return Ok(None);
        }
        let thread = spawn("cron".to_owned(), async move || {
            let runs = schedules
                .into_iter()
                .map(|schedule| schedule.run(stopping.clone()));
            futures::future::join_all(runs).await;
        })?;
        Ok(Some(thread))
    }
}

/// A thread with a runtime of its own.
fn spawn<F: Future<Output = ()>>(
    name: String,
    body: impl FnOnce() -> F + Send + 'static,
) -> Result<std::thread::JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_keep_alive(std::time::Duration::from_secs(5))
        .max_blocking_threads(32)
        .build()?;
    let thread = std::thread::Builder::new().name(name).spawn(move || {
        runtime.block_on(body());
        runtime.shutdown_background();
    })?;
    Ok(thread)
}

fn build_router(manifest: &Manifest) -> Result<Router> {
    let mut router = Router::default();
    for trigger in &manifest.trigger.http {
        if let RouteEntry::Pattern(pattern) = &trigger.route {
            router.add(Route::new(&trigger.component, pattern)?)?;
        }
    }
    Ok(router)
}

fn component_env(
    id: &str,
    entry: &ComponentEntry,
    options: &HostOptions,
    variables: &Variables,
    state: &State,
    faults: &Arc<Faults>,
) -> Result<ComponentEnv> {
    let allowed: Vec<String> = entry
        .allowed_outbound_hosts
        .iter()
        .map(|host| variables.expand(host))
        .collect::<Result<_>>()?;
    let mut own_variables = HashMap::new();
    for (name, template) in &entry.variables {
        own_variables.insert(name.clone(), variables.expand(template)?);
    }
    let labels = |labels: &BTreeSet<String>| labels.iter().cloned().collect::<Vec<_>>();
    Ok(ComponentEnv {
        id: id.to_owned(),
        databases: labels(&entry.sqlite_databases)
            .into_iter()
            .map(|label| (label, state.database.clone()))
            .collect(),
        stores: labels(&entry.key_value_stores)
            .into_iter()
            .map(|label| (label.clone(), state.key_value.store(&label)))
            .collect(),
        reach: Reach::new(variables.get("outbound_allow_private"), &own_variables),
        variables: own_variables,
        environment: entry.environment.clone().into_iter().collect(),
        allowed: AllowedHosts::parse(&allowed)?,
        max_memory: options.max_memory,
        logger: options.logger,
        show_output: options.show_output,
        faults: faults.clone(),
    })
}

/// Loads the components that some trigger names, several at once: the first time each is compiled.
fn load_all(
    options: &HostOptions,
    manifest: &Manifest,
    engine: &Engine,
    needed: BTreeSet<&str>,
) -> Result<BTreeMap<String, Component>> {
    let folder = options.manifest.parent();
    let folder = folder.map_or_else(PathBuf::new, Path::to_owned);
    let compiler = options.compiler.as_deref().map(|program| Compiler {
        program: program.to_owned(),
        max_memory: options.max_memory,
    });
    let cache = Cache::open(&options.cache_dir, compiler)?;
    let load = |id: &str| -> Result<Component> {
        let entry = manifest
            .component
            .get(id)
            .ok_or_else(|| anyhow!("a trigger names `{id}`, which is no component"))?;
        let wasm = folder.join(&entry.source);
        let mut started = None;
        let component = cache
            .load(engine, &wasm, &entry.build_command(), || {
                started = Some(Instant::now());
                options
                    .logger
                    .info(&format!("Compiling {id} (done once for this version)"));
            })
            .with_context(|| format!("component `{id}`"))?;
        if let Some(started) = started {
            let seconds = started.elapsed().as_secs_f32();
            options
                .logger
                .info(&format!("Compiled {id} in {seconds:.1} s"));
        }
        Ok(component)
    };
    let at_once = std::thread::available_parallelism().map_or(2, usize::from);
    let needed = Mutex::new(needed.into_iter());
    let next = || needed.lock().unwrap_or_else(PoisonError::into_inner).next();
    std::thread::scope(|scope| {
        let loaders: Vec<_> = (0..at_once)
            .map(|_| {
                scope.spawn(|| {
                    std::iter::from_fn(next)
                        .map(|id| Ok((id.to_owned(), load(id)?)))
                        .collect::<Result<Vec<_>>>()
                })
            })
            .collect();
        let mut components = BTreeMap::new();
        for loader in loaders {
            let loaded = loader
                .join()
                .map_err(|_| anyhow!("a thread that loads components was stopped"))??;
            components.extend(loaded);
        }
        Ok(components)
    })
}

fn http_pre(
    linker: &Linker<GuestState>,
    component: &Component,
) -> Result<(ProxyPre<GuestState>, bool)> {
    let pre = linker
        .instantiate_pre(component)
        .map_err(|error| anyhow!("{error:#}"))?;
    if let Ok(pre) = Proxy3Pre::new(pre.clone()) {
        return Ok((ProxyPre::P3(pre), true));
    }
    match Proxy2Pre::new(pre) {
        Ok(pre) => Ok((ProxyPre::P2(pre), false)),
        Err(_) => Err(anyhow!(
            "it exports neither `wasi:http/handler@0.3` nor `wasi:http/incoming-handler@0.2`"
        )),
    }
}

fn build_core(
    router: &Arc<Router>,
    served: HashMap<String, Served>,
    engine: &Engine,
    options: &HostOptions,
    stopping: &watch::Receiver<bool>,
    alive: &Arc<AtomicUsize>,
    measured: Arc<Measured>,
) -> Arc<CoreApp> {
    Arc::new_cyclic(|local| {
        let handler = |served: Served| {
            let limits = InstanceLimits {
                requests: if served.reusable {
                    options.instance_requests
                } else {
                    1
                },
                concurrent: if served.reusable {
                    options.instance_concurrency
                } else {
                    1
                },
                idle: options.idle_timeout,
                request: options.request_timeout,
            };
            ProxyHandler::new(Factory {
                engine: engine.clone(),
                pre: served.pre,
                component: served.component,
                local: local.clone(),
                limits,
                stopping: stopping.clone(),
                alive: alive.clone(),
            })
        };
        let handlers = served
            .into_iter()
            .map(|(id, served)| (id, handler(served)))
            .collect();
        CoreApp::new(router.clone(), handlers, options.logger, measured)
    })
}
