//! What a native server does with the same SQL: axum and rusqlite, without login, log and Wasm.
//!
//! As fast as one would write it: a thread and a connection for each core, statements prepared once,
//! values bound where they are, the file mapped into memory, the allocator of the host.
//!
//! It is the yardstick, not a rival: what the application adds (who calls, what they may see, one log
//! line each, isolation of components) is in the difference.

use crate::process::Server;
use anyhow::{Context, Result, anyhow};
use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags};
use std::cell::RefCell;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use windlass_core::Scope;
use windlass_core::db::Value;
use windlass_core::list::{ListQuery, Paging};
use windlass_store::blueprints;
use windlass_store::deployments::DEPLOYMENT;

/// How much of the database file is mapped into memory, in bytes.
const MAPPED: i64 = 1 << 30;
/// How much of it a connection keeps, in kilobytes.
const CACHED_KB: i64 = 64 << 10;

/// A running native server.
pub struct Native(Server);

impl Native {
    /// Starts this program as the native server on a database file.
    pub fn start(database: &Path) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("native").arg(database);
        Server::start(command).map(Self)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// Its memory, in bytes.
    pub fn memory(&self) -> Result<u64> {
        self.0.memory()
    }
}

/// The native server: `native DATABASE`.
pub fn serve(arguments: &[String]) -> Result<()> {
    let database: Arc<str> = arguments
        .first()
        .context("native DATABASE")?
        .as_str()
        .into();
    let scope = Scope::system("admin", "default_tenant");
    let query = ListQuery {
        paging: Paging {
            size: 20,
            offset: 0,
            all_results: false,
            with_total: true,
        },
        ..ListQuery::everything()
    };
    let page = Arc::new(DEPLOYMENT.page_statement(&scope, &query));
    let four = DEPLOYMENT.parse_include(Some("id,blueprint_id,created_at,deployment_status"));
    let four = four.map_err(|error| anyhow!(error.for_log()))?;
    let query = ListQuery {
        include: four,
        ..query
    };
    let narrow = Arc::new(DEPLOYMENT.page_statement(&scope, &query));
    let record = Arc::new(blueprints::BLUEPRINTS.find_statement(
        &scope,
        None,
        "t.id = {}",
        [Value::from("bench")],
    ));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let (page_file, narrow_file, record_file) = (database.clone(), database.clone(), database);
        let app = Router::new()
            .route(
                "/status",
                get(async || json("{\"status\": \"OK\"}".to_owned())),
            )
            .route(
                "/page",
                get(async move || answer(&page_file, (&page.sql, &page.parameters), 1)),
            )
            .route(
                "/narrow",
                get(async move || answer(&narrow_file, (&narrow.sql, &narrow.parameters), 1)),
            )
            .route(
                "/record",
                get(async move || answer(&record_file, (&record.sql, &record.parameters), 0)),
            );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("Serving http://{}", listener.local_addr()?);
        axum::serve(
            axum::serve::ListenerExt::tap_io(listener, |stream| {
                let _ = stream.set_nodelay(true);
            }),
            app,
        )
        .await?;
        Ok(())
    })
}

thread_local! {
    /// One connection per worker thread: statements are short, so they run where the request is.
    static CONNECTION: RefCell<Option<Connection>> = const { RefCell::new(None) };
}

fn answer(database: &str, statement: (&str, &[Value]), column: usize) -> Response {
    match run(database, statement, column) {
        Ok(text) => json(text),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}")).into_response(),
    }
}

fn run(database: &str, (sql, parameters): (&str, &[Value]), column: usize) -> Result<String> {
    CONNECTION.with_borrow_mut(|connection| {
        let connection = match connection {
            Some(connection) => connection,
            None => connection.insert(open(database)?),
        };
        let mut prepared = connection.prepare_cached(sql)?;
        for (index, value) in parameters.iter().enumerate() {
            let value = match value {
                Value::Null => ValueRef::Null,
                Value::Integer(number) => ValueRef::Integer(*number),
                Value::Real(number) => ValueRef::Real(*number),
                Value::Text(text) => ValueRef::Text(text.as_bytes()),
                Value::Blob(bytes) => ValueRef::Blob(bytes),
            };
            prepared.raw_bind_parameter(index + 1, ToSqlOutput::Borrowed(value))?;
        }
        let mut rows = prepared.raw_query();
        let row = rows.next()?.context("one row")?;
        Ok(row.get(column)?)
    })
}

/// What reads alone can have: the pages of the file in the process's memory, and no lock per call.
fn open(database: &str) -> Result<Connection> {
    let connection = Connection::open_with_flags(
        database,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "mmap_size", MAPPED)?;
    connection.pragma_update(None, "cache_size", -CACHED_KB)?;
    Ok(connection)
}

fn json(text: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}
