//! What a request to update plugins asks for.

use serde_json::{Map, Value};
use std::collections::BTreeSet;
use windlass_blueprint::newer_plugins::{NamedVersion, Wish};
use windlass_core::{Body, Error, Result};
use windlass_engine::PluginsUpdateOptions;

/// What a request asks for; an empty one for the latest of everything.
pub struct Wanted {
    /// Which versions.
    pub wish: Wish,
    /// And how.
    pub options: PluginsUpdateOptions,
}

impl Wanted {
    /// Reads the request.
    ///
    /// # Errors
    /// 400 for what is of the wrong type.
    pub fn of(body: &Body) -> Result<Self> {
        let flag = |name: &str| Ok::<_, Error>(body.boolean(name)?.unwrap_or(false));
        let names = |name: &str| names(body, name);
        Ok(Self {
            wish: Wish {
                only: names("plugin_names")?,
                to_latest: names("to_latest")?,
                all_to_latest: flag("all_to_latest")?,
                to_minor: names("to_minor")?,
                all_to_minor: flag("all_to_minor")?,
                named: named(body)?,
            },
            options: PluginsUpdateOptions {
                force: flag("force")?,
                auto_correct_types: flag("auto_correct_types")?,
                reevaluate: flag("reevaluate_active_statuses")?,
                all_tenants: flag("all_tenants")?,
            },
        })
    }
}

fn names(body: &Body, list: &str) -> Result<BTreeSet<String>> {
    let items = body.list(list)?.map(Vec::as_slice).unwrap_or_default();
    let name = |item: &Value| {
        let text = item.as_str().map(str::to_owned);
        text.ok_or_else(|| Error::wrong_type(list, "list of str", item))
    };
    items.iter().map(name).collect()
}

/// The versions that a mapping names: `{"updates": [{"<import>": {"plugin_name": .., "suggested_version":
/// ..}}]}`, as the original's tool for that writes it. What else is in an entry is passed over.
fn named(body: &Body) -> Result<Vec<NamedVersion>> {
    let updates = body.inside("mapping")?.objects("updates")?;
    let mut named = Vec::new();
    for (import, entry) in updates.into_iter().flatten().flat_map(Map::into_iter) {
        let entry = Body::inner(&entry, "mapping")?;
        let package = entry.text("plugin_name")?;
        let version = entry.text("suggested_version")?;
        if let (Some(package), Some(version)) = (package, version) {
            named.push(NamedVersion {
                package: package.to_owned(),
                version: version.to_owned(),
                import,
            });
        }
    }
    Ok(named)
}
