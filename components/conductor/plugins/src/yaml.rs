//! `/plugins/{plugin_id}/yaml`: the file that blueprints import.

use crate::archive::attachment;
use windlass_core::db::Db;
use windlass_core::{Context, Error, Permission, Response, Result};
use windlass_store::plugins::{self, Plugin, StoredFile};
use windlass_store::resource::{self, TenantRow};

/// `GET /plugins/{plugin_id}/yaml`: the file that fits `dsl_version`, such as `1_4`, best.
pub async fn yaml(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::PluginDownload)?;
    let version = ctx.request.query_value("dsl_version").unwrap_or_default();
    let plugin: Plugin = resource::find(&ctx.db, &scope, ctx.path("plugin_id")).await?;
    let files = plugins::files(&ctx.db, &plugin).await?;
    let file = best(&files, version)
        .ok_or_else(|| Error::not_found("Plugin YAML file", &plugin.head().id))?;
    let response = Response::blob(200, "application/octet-stream", &file.blob, file.size);
    Ok(response.header("content-disposition", attachment(&file.name)))
}

/// The YAML file of exactly this version, else of the highest below it, else the first without a version,
/// else the first.
fn best<'f>(files: &'f [StoredFile], version: &str) -> Option<&'f StoredFile> {
    let files: Vec<&StoredFile> = files.iter().filter(|file| file.is_yaml()).collect();
    let general = files.iter().find(|file| version_of(&file.name).is_none());
    let wanted = numbers(version.strip_prefix("cloudify_dsl_").unwrap_or(version));
    let fitting = wanted.and_then(|wanted| {
        let versions = files
            .iter()
            .filter_map(|file| Some((version_of(&file.name)?, file)));
        let not_above = versions.filter(|(version, _)| *version <= wanted);
        not_above.max_by_key(|(version, _)| *version)
    });
    let newest = files.iter().max_by_key(|file| version_of(&file.name));
    let found = fitting.map(|(_, file)| file).or(general).or(newest);
    found.copied()
}

/// The version in a name such as `plugin_1_4.yaml`.
fn version_of(name: &str) -> Option<(u32, u32)> {
    let (stem, _) = name.rsplit_once('.')?;
    let (rest, minor) = stem.rsplit_once('_')?;
    let (_, major) = rest.rsplit_once('_')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// `1_4`, or `1.4`, as two numbers.
fn numbers(version: &str) -> Option<(u32, u32)> {
    let (major, minor) = version.split_once(['_', '.'])?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_that_fits_best_is_found() {
        let shelf = |names: &[&str]| -> Vec<StoredFile> {
            let file = |name: &&str| StoredFile {
                name: (*name).to_owned(),
                blob: String::new(),
                size: 0,
            };
            names.iter().map(file).collect()
        };
        for (names, version, want) in [
            (
                &["plugin_1_3.yaml", "plugin_1_5.yaml"][..],
                "1_5",
                Some("plugin_1_5.yaml"),
            ),
            (
                &["plugin_1_3.yaml", "plugin_1_5.yaml"],
                "1_4",
                Some("plugin_1_3.yaml"),
            ),
            (
                &["plugin_1_4.yaml", "plugin.yaml"],
                "1_3",
                Some("plugin.yaml"),
            ),
            (&["plugin_1_4.yaml", "plugin.yaml"], "", Some("plugin.yaml")),
            (
                &["plugin_1_4.yaml", "plugin_1_5.yaml"],
                "1_3",
                Some("plugin_1_5.yaml"),
            ),
            (
                &["plugin_1_4.yaml"],
                "cloudify_dsl_1_4",
                Some("plugin_1_4.yaml"),
            ),
            (
                &["v2_plugin.yaml", "icon.png"],
                "1_4",
                Some("v2_plugin.yaml"),
            ),
            (&["icon.png"], "1_4", None),
            (&[], "1_4", None),
        ] {
            let files = shelf(names);
            let found = best(&files, version).map(|file| file.name.as_str());
            assert_eq!(found, want, "{names:?} {version}");
        }
    }
}
