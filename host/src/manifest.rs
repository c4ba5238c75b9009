//! `spin.toml`, manifest version 2: what the host reads of it, and what it refuses.
//!
//! Entries that only other tools use are accepted and left alone. Everything that could not work later is refused here, with the name of the entry to change.

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    spin_manifest_version: u32,
    /// `[application]`: name and version, for people.
    #[serde(rename = "application")]
    _application: IgnoredAny,
    /// `[variables]`.
    #[serde(default)]
    pub variables: BTreeMap<String, Variable>,
    /// `[[trigger.http]]` and `[[trigger.cron]]`.
    #[serde(default)]
    pub trigger: Triggers,
    /// `[component.<id>]`.
    #[serde(default)]
    pub component: BTreeMap<String, Component>,
}

/// One entry of `[variables]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    /// The value when none is given.
    pub default: Option<String>,
    /// Whether the host refuses to start without a value.
    #[serde(default)]
    pub required: bool,
    /// Nothing here ever shows a value, so this makes no difference.
    #[serde(default, rename = "secret")]
    _secret: IgnoredAny,
    #[serde(default, rename = "description")]
    _description: IgnoredAny,
}

/// All triggers.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Triggers {
    /// Routes.
    #[serde(default)]
    pub http: Vec<HttpTrigger>,
    /// Schedules.
    #[serde(default)]
    pub cron: Vec<CronTrigger>,
}

/// `[[trigger.http]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpTrigger {
    #[serde(default, rename = "id")]
    _id: IgnoredAny,
    /// The component that answers.
    pub component: String,
    /// The paths it answers.
    pub route: Route,
    /// Spin's executor setting; only `http` is known.
    executor: Option<Executor>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Executor {
    r#type: String,
}

/// A route: a pattern, or private (reached by other components only).
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Route {
    /// `/path`, `/path/...` or `/path/:name`.
    Pattern(String),
    /// `{ private = true }`.
    Private {
        /// Has to be true.
        private: bool,
    },
}

/// `[[trigger.cron]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CronTrigger {
    #[serde(default, rename = "id")]
    _id: IgnoredAny,
    /// The component to call.
    pub component: String,
    /// Six or seven fields, seconds first.
    pub cron_expression: String,
}

/// `[component.<id>]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Component {
    #[serde(default, rename = "description")]
    _description: IgnoredAny,
    /// The `.wasm` file, relative to the manifest.
    pub source: String,
    /// Databases it may open.
    #[serde(default)]
    pub sqlite_databases: BTreeSet<String>,
    /// Key-value stores it may open.
    #[serde(default)]
    pub key_value_stores: BTreeSet<String>,
    /// Hosts it may send requests to.
    #[serde(default)]
    pub allowed_outbound_hosts: Vec<String>,
    /// Environment variables.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Variables it may read, as templates.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// `[component.<id>.build]`.
    pub build: Option<Build>,
    /// Settings of other tools.
    #[serde(default, rename = "tool")]
    _tool: IgnoredAny,
}

/// `[component.<id>.build]`: how the `.wasm` file is made. The host only mentions it.
#[derive(Debug, Deserialize)]
pub struct Build {
    command: toml::Value,
}

/// What a manifest wants to be there.
pub struct Wants {
    /// The names of its variables.
    pub variables: BTreeSet<String>,
    /// Its components that have no file, and where that should be.
    pub missing: Vec<(String, PathBuf)>,
}

/// What the application in a manifest wants to be there.
///
/// # Errors
/// When the manifest cannot be used.
pub fn wants(manifest: &Path) -> Result<Wants> {
    let folder = manifest.parent().unwrap_or(Path::new("")).to_owned();
    let manifest = Manifest::read(manifest)?;
    let files = manifest
        .component
        .into_iter()
        .map(|(id, component)| (id, folder.join(component.source)));
    Ok(Wants {
        variables: manifest.variables.into_keys().collect(),
        missing: files.filter(|(_, file)| !file.is_file()).collect(),
    })
}

impl Manifest {
    /// Reads and checks the file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| {
            format!(
                "cannot read {}: give the path of spin.toml with --from",
                path.display()
            )
        })?;
        Self::parse(&text).with_context(|| format!("{} cannot be used", path.display()))
    }

    /// Checks the text of a manifest.
    pub fn parse(text: &str) -> Result<Self> {
        let manifest: Self = toml::from_str(text)?;
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> Result<()> {
        if self.spin_manifest_version != 2 {
            bail!(
                "spin_manifest_version is {}, only 2 is supported",
                self.spin_manifest_version
            );
        }
        for name in self.variables.keys() {
            if !name.starts_with(|c: char| c.is_ascii_lowercase())
                || !name
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
            {
                bail!(
                    "variable `{name}`: a name has lower-case letters, digits and `_`, and starts with a letter"
                );
            }
        }
        for trigger in &self.trigger.http {
            self.check_component("[[trigger.http]]", &trigger.component)?;
            if let Some(Executor { r#type }) = &trigger.executor
                && r#type != "http"
            {
                bail!(
                    "[[trigger.http]] of `{}`: executor `{type}` is not supported, only `http`",
                    trigger.component
                );
            }
            if matches!(trigger.route, Route::Private { private: false }) {
                bail!(
                    "[[trigger.http]] of `{}`: a route is a pattern or {{ private = true }}",
                    trigger.component
                );
            }
        }
        for trigger in &self.trigger.cron {
            self.check_component("[[trigger.cron]]", &trigger.component)?;
        }
        for (id, component) in &self.component {
            component
                .check()
                .with_context(|| format!("[component.{id}]"))?;
        }
        Ok(())
    }

    /// Leaves out every component that is not in `ids`, with its triggers.
    pub fn keep_components(&mut self, ids: &BTreeSet<String>) -> Result<()> {
        for id in ids {
            self.check_component("--component-id", id)?;
        }
        self.component.retain(|id, _| ids.contains(id));
        self.trigger
            .http
            .retain(|trigger| ids.contains(&trigger.component));
        self.trigger
            .cron
            .retain(|trigger| ids.contains(&trigger.component));
        Ok(())
    }

    fn check_component(&self, place: &str, id: &str) -> Result<()> {
        if self.component.contains_key(id) {
            return Ok(());
        }
        let known: Vec<&str> = self.component.keys().map(String::as_str).collect();
        bail!(
            "{place} names the component `{id}`, but there is no [component.{id}]; known: {}",
            known.join(", ")
        );
    }
}

impl Component {
    /// How the `.wasm` file is made, for a message.
    pub fn build_command(&self) -> String {
        let command = self.build.as_ref().map(|build| &build.command);
        match command {
            Some(toml::Value::String(command)) => command.clone(),
            Some(toml::Value::Array(commands)) => {
                let commands: Vec<&str> = commands.iter().filter_map(toml::Value::as_str).collect();
                commands.join(" && ")
            }
            _ => "cargo build --release --target wasm32-wasip2".to_owned(),
        }
    }

    fn check(&self) -> Result<()> {
        for (key, labels) in [
            ("sqlite_databases", &self.sqlite_databases),
            ("key_value_stores", &self.key_value_stores),
        ] {
            if let Some(label) = labels.iter().find(|label| *label != "default") {
                bail!("{key} names `{label}`; only `default` exists here");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        spin_manifest_version = 2
        [application]
        name = "windlass"
        version = "1.0.0"
        [variables]
        color = { default = "blue" }
        [[trigger.http]]
        route = "/a/..."
        component = "a"
        [[trigger.http]]
        route = { private = true }
        component = "b"
        [[trigger.cron]]
        cron_expression = "* * * * * *"
        component = "b"
        [component.a]
        source = "a.wasm"
        sqlite_databases = ["default"]
        key_value_stores = ["default"]
        allowed_outbound_hosts = ["http://b.spin.internal"]
        [component.a.variables]
        color = "{{ color }}"
        [component.a.build]
        command = "cargo build"
        [component.b]
        source = "b.wasm"
    "#;

    #[test]
    fn a_manifest_is_read() {
        let manifest = Manifest::parse(GOOD).unwrap();
        assert_eq!(manifest.component.len(), 2);
        assert_eq!(manifest.trigger.cron[0].cron_expression, "* * * * * *");
        assert!(matches!(
            manifest.trigger.http[1].route,
            Route::Private { private: true }
        ));
    }

    #[test]
    fn what_cannot_work_is_refused_by_name() {
        for (from, to, expected) in [
            ("manifest_version = 2", "manifest_version = 1", "only 2"),
            ("component = \"a\"", "component = \"z\"", "no [component.z]"),
            ("private = true", "private = false", "private = true"),
            ("[\"default\"]", "[\"other\"]", "`other`"),
            ("source = \"a.wasm\"", "sauce = \"a.wasm\"", "sauce"),
            ("color = { default", "Color = { default", "`Color`"),
        ] {
            let text = GOOD.replace(from, to);
            let error = format!("{:#}", Manifest::parse(&text).unwrap_err());
            assert!(error.contains(expected), "{to}: {error}");
        }
    }
}
