//! Implementations and mappings: texts that name a plugin's function, a script or nothing.

use super::Blueprint;
use crate::error::Error;
use crate::operations::HTTP_PLUGIN;

/// How many dots of an implementation are tried.
const MAX_DOTS: usize = 100;

/// What an implementation or mapping means.
pub(super) enum Target {
    Nothing,
    Plugin {
        plugin: String,
        operation: String,
    },
    Script {
        /// The plugin that runs scripts, if the blueprint has one.
        plugin: Option<String>,
        /// The input that takes the script: `script_path` or `script_source`.
        input: &'static str,
        value: String,
    },
}

/// Why it is not clear what an implementation means.
pub(super) enum Unclear {
    Ambiguous(Vec<String>),
    Unknown(String),
}

impl Unclear {
    /// The refusal of the operation or workflow called `name`.
    pub fn refuse(self, name: &str, unknown: impl FnOnce(&str) -> Error) -> Error {
        match self {
            Self::Unknown(implementation) => unknown(&implementation),
            Self::Ambiguous(plugins) => Error::parser(
                91,
                format!(
                    "Ambiguous operation mapping. [operation={name}, plugins={}]",
                    windlass_python::list(plugins)
                ),
            ),
        }
    }
}

/// Whether a text begins with a scheme, as a URL does.
fn is_url(text: &str) -> bool {
    let Some((scheme, _)) = text.split_once(':') else {
        return false;
    };
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    scheme.starts_with(|first: char| first.is_ascii_alphabetic()) && scheme.bytes().all(legal)
}

/// A function of the plugin that the control plane runs itself. That plugin needs no declaration
/// and has no namespace.
fn own_function(text: &str) -> Option<&str> {
    let text = text.rsplit_once("--").map_or(text, |(_, text)| text);
    let operation = text.strip_prefix(HTTP_PLUGIN)?.strip_prefix('.')?;
    (!operation.is_empty()).then_some(operation)
}

impl Blueprint<'_> {
    /// Finds out what an implementation means. An existing script, a URL or a text of several lines
    /// comes before a plugin, so a file may have the name of a plugin's function.
    pub(super) fn implementation(&self, text: &str) -> std::result::Result<Target, Unclear> {
        if text.is_empty() {
            return Ok(Target::Nothing);
        }
        // A script plugin that was imported with a namespace is the same plugin under another name.
        let script = |input| Target::Script {
            plugin: self
                .plugins
                .keys()
                .find(|name| name.ends_with("script"))
                .cloned(),
            input,
            value: text.to_owned(),
        };
        if is_url(text) || self.is_file(text) {
            return Ok(script("script_path"));
        }
        if text.trim().contains('\n') {
            return Ok(script("script_source"));
        }
        // The name of a plugin may have dots, so it may end at any dot.
        let dots = text.match_indices('.').take(MAX_DOTS);
        let found: Vec<(&str, &str)> = dots
            .filter_map(|(place, _)| Some((text.get(..place)?, text.get(place + 1..)?)))
            .filter(|(plugin, _)| self.plugins.contains_key(*plugin))
            .collect();
        match found.as_slice() {
            [(plugin, operation)] => Ok(Target::Plugin {
                plugin: (*plugin).to_owned(),
                operation: (*operation).to_owned(),
            }),
            [] => match (own_function(text), text.split_once("--")) {
                (Some(operation), _) => Ok(Target::Plugin {
                    plugin: HTTP_PLUGIN.to_owned(),
                    operation: operation.to_owned(),
                }),
                // Scripts of an imported blueprint were checked when it was uploaded.
                (None, Some((namespace, _))) if self.namespaces.contains_key(namespace) => {
                    Ok(script("script_path"))
                }
                _ => Err(Unclear::Unknown(text.to_owned())),
            },
            several => {
                let names = several.iter().map(|(name, _)| (*name).to_owned()).collect();
                Err(Unclear::Ambiguous(names))
            }
        }
    }

    /// Whether the blueprint has a file of this name. The name may have a namespace, and counts
    /// from the main file or from the top of the archive.
    fn is_file(&self, text: &str) -> bool {
        let name = text.rsplit_once("--").map_or(text, |(_, name)| name);
        [self.directory, ""].into_iter().any(|directory| {
            let path = super::imports::normalise(directory, name);
            path.is_some_and(|path| self.tree.contains(&path))
        })
    }

    /// Who runs the operations of a plugin that do not say it themselves.
    pub(super) fn executor_of(&self, plugin: &str) -> Option<String> {
        match self.plugins.get(plugin) {
            Some(plugin) => plugin["executor"].as_str().map(str::to_owned),
            None => Some("central_deployment_agent".to_owned()),
        }
    }
}
