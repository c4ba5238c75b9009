//! The embedded host: runs a Spin application without Spin.
//!
//! It reads the same `spin.toml`, runs the same `.wasm` files and offers the Spin interfaces that the
//! components import, on Wasmtime's crates. Spin stays the reference: nothing here is meant to be
//! something an application could depend on. The binary `windlass-host` stands in for `spin up`;
//! tests use the library:
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! let host = windlass_host::HostOptions::for_test("spin.toml")
//!     .variable("tick_token", "secret")
//!     .start()?;
//! println!("serving {}", host.url());
//! host.run_pending_work()?;
//! host.stop();
//! # Ok(())
//! # }
//! ```

mod allowed;
mod arrival;
mod bindings;
mod cache;
mod client;
mod core_app;
mod cron;
mod engine;
mod faults;
mod guest;
mod host;
mod key_value;
mod log_file;
mod logs;
mod manifest;
mod measured;
mod options;
mod outbound;
mod places;
mod reach;
mod room;
mod router;
mod running;
mod server;
mod sqlite;
mod stdio;
mod strict;
mod variables;
mod worker;

pub use cache::compile;
pub use faults::Faults;
pub use host::make_private;
pub use key_value::Store as KeyValueStore;
pub use log_file::LogFile;
pub use logs::{LogFormat, Logger, log_to};
pub use manifest::{Wants, wants};
pub use measured::{Measured, serve as serve_metrics};
pub use options::HostOptions;
pub use room::free_bytes;
pub use running::RunningHost;
