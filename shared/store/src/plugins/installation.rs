//! How far managers and agents are with installing a plugin, as they report it.

use super::{PLUGINS, Plugin};
use crate::audit;
use windlass_core::db::Tx;
use windlass_core::{Permission, Result, Scope, params};

windlass_core::named_enum! {
    /// How far one of them is.
    pub enum State {
        /// It was asked to install it.
        PendingInstall = "pending-install",
        /// It is at it.
        Installing = "installing",
        /// It has it.
        Installed = "installed",
        /// It could not.
        Error = "error",
        /// It was asked to remove it.
        PendingUninstall = "pending-uninstall",
        /// It is removing it.
        Uninstalling = "uninstalling",
        /// It has it no more.
        Uninstalled = "uninstalled",
    }
}

/// Who installs plugins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// A manager, by its host name.
    Manager(&'a str),
    /// An agent, by its name.
    Agent(&'a str),
}

impl<'a> Place<'a> {
    /// The values of the two columns, of which one is empty.
    fn columns(self) -> (&'a str, &'a str) {
        match self {
            Self::Manager(name) => (name, ""),
            Self::Agent(name) => ("", name),
        }
    }
}

/// Asks managers and agents to install a plugin: their state becomes `pending-install`, and an error of
/// before is forgotten.
pub async fn request(
    tx: &impl Tx,
    scope: &Scope,
    plugin: &Plugin,
    places: &[Place<'_>],
) -> Result<()> {
    for place in places {
        set(tx, plugin, *place, State::PendingInstall, None).await?;
    }
    record(tx, scope, plugin).await
}

/// Notes how far one of them is.
pub async fn report(
    tx: &impl Tx,
    scope: &Scope,
    plugin: &Plugin,
    place: Place<'_>,
    state: State,
    error: Option<&str>,
) -> Result<()> {
    set(tx, plugin, place, state, error).await?;
    record(tx, scope, plugin).await
}

async fn set(
    tx: &impl Tx,
    plugin: &Plugin,
    place: Place<'_>,
    state: State,
    error: Option<&str>,
) -> Result<()> {
    let (manager, agent) = place.columns();
    tx.execute(
        "insert into plugin_states (plugin_key, manager, agent, state, error)
         values (?1, ?2, ?3, ?4, ?5)
         on conflict do update set state = excluded.state, error = excluded.error",
        params![plugin.0.key, manager, agent, state, error],
    )
    .await
}

async fn record(tx: &impl Tx, scope: &Scope, plugin: &Plugin) -> Result<()> {
    let action = Permission::PluginUpload.name();
    audit::insert(tx, scope, action, PLUGINS.name, &plugin.0.id).await
}
