//! Plugins as blueprints name them: by package, version and distribution.

use super::{Plugin, files};
use crate::resource;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use windlass_core::db::Db;
use windlass_core::{Kind, Result, Scope, blob, params};

/// The most plugins of one name that an import chooses among.
const OFFERS: i64 = 500;

/// A package that a plan wants installed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version; any will do where none is named.
    pub version: Option<String>,
}

/// A plugin that an import may choose.
#[derive(Clone, Debug, Deserialize)]
pub struct Offer {
    /// The plugin's id.
    pub id: String,
    /// The version of its package.
    pub package_version: String,
    /// The distribution that it is for.
    pub distribution: Option<String>,
    /// The names of its YAML files, in their order.
    pub files: Vec<String>,
    /// Labels that deployments get: `{"key": ["value"]}`, or null.
    pub labels: Value,
    /// Labels that blueprints get, in the same form.
    pub blueprint_labels: Value,
    /// Tags of the resources that a deployment creates.
    pub resource_tags: Value,
}

/// The plugins of this package name that the caller sees: their tenant's own before global ones, newer
/// uploads before older ones.
pub async fn offers(db: &impl Db, scope: &Scope, name: &str) -> Result<Vec<Offer>> {
    let sql = format!(
        "select json_object('id', p.id, 'package_version', p.package_version,
             'distribution', p.distribution, 'labels', json(coalesce(p.labels, 'null')),
             'blueprint_labels', json(coalesce(p.blueprint_labels, 'null')),
             'resource_tags', json(coalesce(p.resource_tags, 'null')),
             'files', json((select json_group_array(name) from (
                 select f.name from plugin_files f where f.plugin_key = p.key
                     and f.name like '%.y%ml' order by f.number))))
         from plugins p where p.package_name = ?4 and {}
         order by p.tenant_name = ?1 desc, p.key desc limit ?5",
        Scope::visible("p")
    );
    db.json_rows(&sql, &scope.with(&[name.into(), OFFERS.into()]))
        .await
}

/// The text of a YAML file of a plugin that the caller sees; none when either is not there.
pub async fn file_text(
    db: &impl Db,
    scope: &Scope,
    id: &str,
    name: &str,
) -> Result<Option<String>> {
    let plugin: Plugin = match resource::find(db, scope, id).await {
        Ok(plugin) => plugin,
        Err(error) if error.kind() == Kind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let found = files(db, &plugin).await?;
    let Some(file) = found.iter().find(|file| file.name == name) else {
        return Ok(None);
    };
    let bytes = blob::read(&file.blob, file.size).await?;
    Ok(String::from_utf8(bytes).ok())
}

/// The first of these packages that no plugin brings which the caller sees.
pub async fn first_missing(
    db: &impl Db,
    scope: &Scope,
    packages: Vec<Package>,
) -> Result<Option<Package>> {
    let sql = format!(
        "select 1 from plugins p where p.package_name = ?4
             and (?5 is null or p.package_version = ?5) and {} limit 1",
        Scope::visible("p")
    );
    for package in packages {
        let values = params![&package.name, package.version.as_deref()];
        if db.first(&sql, &scope.with(values)).await?.is_none() {
            return Ok(Some(package));
        }
    }
    Ok(None)
}
