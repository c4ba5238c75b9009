//! The status page: components, and the incidents and maintenances on them.
//!
//! All of it belongs to the installation. Who may change it holds the permission in [`TENANT`]. What
//! everybody may see is read with `Scope::public()`.

pub mod availability;
pub mod bindings;
pub mod body;
pub mod components;
pub mod direction;
pub mod events;
pub mod feeds;
pub mod lifecycle;
pub mod maintenance;
pub mod notices;
pub mod outbox;
pub mod overview;
mod page;
pub mod probes;
pub mod receivers;
pub mod reports;
pub mod signals;
pub mod subscriptions;
pub mod templates;
#[cfg(test)]
mod testing;

pub use page::Page;

use windlass_core::db::Db;
use windlass_core::{Error, Result, Scope};

/// The tenant in which a caller's roles count for the status page.
pub const TENANT: &str = "default_tenant";

/// A number that changes with everything that a page or a list shows.
pub async fn version(db: &impl Db) -> Result<i64> {
    db.first("select version from status_version", &[])
        .await?
        .ok_or_else(|| Error::internal("status_version has one row"))?
        .integer(0)
}

/// Refuses a scope that may see only what everybody may.
fn demand_insider(scope: &Scope) -> Result<()> {
    match events::is_insider(scope) {
        true => Ok(()),
        false => Err(Error::forbidden("This is not for the public")),
    }
}
