//! Implementations and mappings: the plugin, script or nothing that a text stands for.

use super::Blueprint;
use crate::error::Error;
use crate::operations::HTTP_PLUGIN;

/// How many dots of an implementation are looked at.
const MAX_DOTS: usize = 100;

/// What an implementation or mapping stands for.
pub(super) enum Target {
    Nothing,
    Plugin {
        plugin: String,
        operation: String,
    },
    Script {
        /// The plugin for scripts, if the blueprint has it.
        plugin: Option<String>,
        /// `script_path` or `script_source`.
        input: &'static str,
        value: String,
    },
}

/// Why an implementation stands for nothing.
pub(super) enum Unclear {
    Ambiguous(String, Vec<String>),
    Unknown(String),
}

impl Unclear {
    pub fn refuse(self, unknown: impl FnOnce(&str) -> Error) -> Error {
        match self {
            Self::Unknown(implementation) => unknown(&implementation),
            Self::Ambiguous(implementation, plugins) => Error::parser(
                91,
                format!(
                    "Ambiguous operation mapping '{implementation}': it fits the plugins {}",
                    crate::python_text::list(plugins)
                ),
            ),
        }
    }
}

impl Blueprint<'_> {
    /// What an implementation stands for.
    pub(super) fn implementation(&self, text: &str) -> std::result::Result<Target, Unclear> {
        if text.is_empty() {
            return Ok(Target::Nothing);
        }
        let script = |input, value: &str| Target::Script {
            plugin: self
                .plugins
                .contains_key("script")
                .then(|| "script".to_owned()),
            input,
            value: value.to_owned(),
        };
        if text.contains('\n') {
            return Ok(script("script_source", text));
        }
        // A plugin's name may have dots itself, so every dot may be where it ends.
        let dots = text
            .match_indices('.')
            .map(|(place, _)| place)
            .take(MAX_DOTS);
        let mut found: Vec<(&str, &str)> = Vec::new();
        for (plugin, operation) in dots.map(|place| (&text[..place], &text[place + 1..])) {
            let known = self.plugins.contains_key(plugin) || plugin == HTTP_PLUGIN;
            if known && !operation.is_empty() {
                found.push((plugin, operation));
            }
        }
        match found.as_slice() {
            [(plugin, operation)] => {
                return Ok(Target::Plugin {
                    plugin: (*plugin).to_owned(),
                    operation: (*operation).to_owned(),
                });
            }
            [] => {}
            several => {
                let names = several.iter().map(|(name, _)| (*name).to_owned()).collect();
                return Err(Unclear::Ambiguous(text.to_owned(), names));
            }
        }
        let is_url = text.starts_with("http://") || text.starts_with("https://");
        let path = super::imports::normalise("", text);
        if is_url || path.is_some_and(|path| self.tree.contains(&path)) {
            return Ok(script("script_path", text));
        }
        Err(Unclear::Unknown(text.to_owned()))
    }

    /// Who runs a plugin's operations unless they say otherwise.
    pub(super) fn executor_of(&self, plugin: &str) -> Option<String> {
        match self.plugins.get(plugin) {
            Some(plugin) => plugin["executor"].as_str().map(str::to_owned),
            None => Some("central_deployment_agent".to_owned()),
        }
    }
}
