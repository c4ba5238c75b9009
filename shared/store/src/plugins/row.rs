//! One plugin's row and its files: how they are found and read.

use super::PLUGINS;
use crate::resource::{Head, TenantRow};
use serde::Deserialize;
use windlass_core::db::Db;
use windlass_core::list::Resource;
use windlass_core::{Error, Result, params};

/// A plugin's row.
#[derive(Clone, Debug, Deserialize)]
pub struct Plugin(pub(super) Head);

impl TenantRow for Plugin {
    const RESOURCE: &'static Resource = &PLUGINS;

    fn head(&self) -> &Head {
        &self.0
    }
}

/// A plugin's package in the blob store.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Wagon {
    /// The name of the file.
    pub name: String,
    /// The blob's name.
    pub blob: String,
    /// Its size in bytes.
    pub size: u64,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}

/// A file that came with a plugin, in the blob store.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct StoredFile {
    /// Its name, without folders.
    pub name: String,
    /// The blob's name.
    pub blob: String,
    /// Its size in bytes.
    pub size: u64,
}

impl StoredFile {
    /// Whether its name says that it is YAML.
    pub fn is_yaml(&self) -> bool {
        self.name.ends_with(".yaml") || self.name.ends_with(".yml")
    }
}

/// The package of a plugin.
pub async fn wagon(db: &impl Db, plugin: &Plugin) -> Result<Wagon> {
    let sql = "select json_object('name', archive_name, 'blob', archive_blob, 'size', archive_size,
                   'sha256', archive_sha256) from plugins where key = ?1";
    let found = db.first_json(sql, params![plugin.0.key]).await?;
    found.ok_or_else(|| Error::not_found(PLUGINS.name, &plugin.0.id))
}

/// The files that came with a plugin, in their order.
pub async fn files(db: &impl Db, plugin: &Plugin) -> Result<Vec<StoredFile>> {
    let sql = "select json_object('name', name, 'blob', blob, 'size', size) from plugin_files
               where plugin_key = ?1 order by number";
    db.json_rows(sql, params![plugin.0.key]).await
}
