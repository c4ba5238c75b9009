//! What the stories in `tests/` are told with: a running application, callers, archives, and a server
//! that records what the application sends.
//!
//! A story starts a Windlass of its own on the embedded host, in a process and a folder of its own, and
//! talks to it over HTTP like any client. Nothing here waits by sleeping: work that happens by
//! itself runs when a story says [`Windlass::run_pending_work`], because the schedules are off.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by a panic"
)]

mod archive;
mod caller;
mod conformance;
mod dashboard;
mod endpoints;
mod http;
mod lamp;
mod monitors;
pub mod openapi;
mod people;
mod process;
mod recorder;
mod secrets;
mod stored;
mod things;
mod together;
mod windlass;

pub use archive::{Archive, Entry, gzip};
pub use caller::{Caller, Reply};
pub use endpoints::{Endpoint, Permission, Touches, routes};
pub use http::{Answer, Outgoing, send};
pub use monitors::{MONITORS_SECRET, claims_of, jwt, monitor_token};
pub use process::{host_command, host_command_on, repository};
pub use recorder::{Recorded, Recorder};
pub use serde_json::{Value, json};
pub use stored::Stored;
pub use things::Things;
pub use together::{at_once, demand_none};
pub use windlass::{Folder, Options, PASSWORD, Stopped, TICK_HEADER, Windlass};
