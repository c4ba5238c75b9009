//! Storing what an upload brought.

use super::{Plugin, StoredFile, Wagon};
use crate::resource::{self, New};
use crate::{blobs, json_text};
use serde_json::{Map, Value, json};
use windlass_core::db::{Db, Tx, Value as SqlValue};
use windlass_core::{Error, Permission, Result, Scope, Visibility, params};

/// What a wagon says about itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct About {
    /// The package.
    pub package_name: String,
    /// Its version.
    pub package_version: String,
    /// Where the package was from.
    pub package_source: Option<String>,
    /// The distribution that it was built on; the next two belong to it.
    pub distribution: Option<String>,
    /// The distribution's version.
    pub distribution_version: Option<String>,
    /// The distribution's name of that version.
    pub distribution_release: Option<String>,
    /// What it runs on; `any` for everything.
    pub supported_platform: Option<String>,
    /// The versions of Python that it is for.
    pub supported_py_versions: Vec<String>,
    /// The wheels in it.
    pub wheels: Vec<String>,
    /// The wheels that were left out of it, where it says so.
    pub excluded_wheels: Option<Vec<String>>,
}

/// A plugin to be stored. Its blobs were written and are nobody's until then.
#[derive(Clone, Debug)]
pub struct NewPlugin {
    /// What its wagon says.
    pub about: About,
    /// What people call it; the package's name when absent.
    pub title: Option<String>,
    /// The wagon.
    pub wagon: Wagon,
    /// The files beside it.
    pub files: Vec<StoredFile>,
    /// Labels that blueprints get which import it: `{"key": ["value"]}`.
    pub blueprint_labels: Option<Map<String, Value>>,
    /// Labels that their deployments get, in the same form.
    pub labels: Option<Map<String, Value>>,
    /// Tags of the resources that those create.
    pub resource_tags: Option<Map<String, Value>>,
}

/// Demands that no plugin of the tenant, and no global one, has the same package in an archive of the
/// same name. For what is global itself, none of any tenant.
///
/// # Errors
/// 409.
pub async fn demand_free(
    db: &impl Db,
    scope: &Scope,
    visibility: Visibility,
    about: &About,
    archive_name: &str,
) -> Result<()> {
    let sql = "select 1 from plugins where package_name = ?1 and archive_name = ?2
                   and (tenant_name = ?3 or visibility = 'global' or ?4) limit 1";
    let is_global = visibility == Visibility::Global;
    let name = &about.package_name;
    let values = params![name, archive_name, scope.tenant(), is_global];
    if db.first(sql, values).await?.is_none() {
        return Ok(());
    }
    Err(Error::conflict(format!(
        "a plugin archive by the name of {archive_name} already exists for package with name {name} \
         and version {}",
        about.package_version
    )))
}

/// Stores a new plugin.
///
/// # Errors
/// 403 for global without `create_global_resource`, 409 for an id or an archive that is there; 503 when
/// a blob was swept.
pub async fn insert(tx: &impl Tx, scope: &Scope, new: &New, plugin: &NewPlugin) -> Result<()> {
    let NewPlugin { about, wagon, .. } = plugin;
    demand_free(tx, scope, new.visibility, about, &wagon.name).await?;
    blobs::keep(tx, &wagon.blob).await?;
    let list = |items: &[String]| json_text(items).map(SqlValue::from);
    let object = |value: &Option<Map<String, Value>>| {
        SqlValue::from(value.as_ref().map(|object| json!(object).to_string()))
    };
    let title = plugin.title.as_ref().unwrap_or(&about.package_name);
    let excluded = about.excluded_wheels.as_deref().map(list).transpose()?;
    let columns: [(&'static str, SqlValue); 18] = [
        ("title", title.into()),
        ("package_name", (&about.package_name).into()),
        ("package_version", (&about.package_version).into()),
        ("package_source", about.package_source.as_deref().into()),
        ("archive_name", (&wagon.name).into()),
        ("distribution", about.distribution.as_deref().into()),
        (
            "distribution_version",
            about.distribution_version.as_deref().into(),
        ),
        (
            "distribution_release",
            about.distribution_release.as_deref().into(),
        ),
        (
            "supported_platform",
            about.supported_platform.as_deref().into(),
        ),
        ("supported_py_versions", list(&about.supported_py_versions)?),
        ("wheels", list(&about.wheels)?),
        ("excluded_wheels", excluded.unwrap_or(SqlValue::Null)),
        ("blueprint_labels", object(&plugin.blueprint_labels)),
        ("labels", object(&plugin.labels)),
        ("resource_tags", object(&plugin.resource_tags)),
        ("archive_blob", (&wagon.blob).into()),
        ("archive_size", wagon.size.into()),
        ("archive_sha256", (&wagon.sha256).into()),
    ];
    resource::insert::<Plugin>(tx, scope, new, &columns, Permission::PluginUpload).await?;
    for (number, file) in plugin.files.iter().enumerate() {
        blobs::keep(tx, &file.blob).await?;
        tx.execute(
            "insert into plugin_files (plugin_key, number, name, blob, size)
             select key, ?3, ?4, ?5, ?6 from plugins where id = ?1 and tenant_name = ?2",
            params![
                &new.id,
                scope.tenant(),
                number,
                &file.name,
                &file.blob,
                file.size
            ],
        )
        .await?;
    }
    Ok(())
}
