//! Versions of the language, and what each of them brought.

use crate::error::{Error, Result, Under};
use crate::yaml::Node;
use serde_json::{Value, json};
use windlass_python as python;

/// `cloudify_dsl_1_<minor>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(pub u32);

const NAMES: [&str; 6] = [
    "cloudify_dsl_1_0",
    "cloudify_dsl_1_1",
    "cloudify_dsl_1_2",
    "cloudify_dsl_1_3",
    "cloudify_dsl_1_4",
    "cloudify_dsl_1_5",
];
/// The section that names the version.
pub(super) const SECTION: &str = "tosca_definitions_version";

impl Version {
    pub const OLDEST: Self = Self(0);
    pub const NEWEST: Self = Self(NAMES.len() as u32 - 1);

    /// The version that a file states, if it states one.
    pub fn of(file: &Node) -> Result<Option<Self>> {
        let Some(node) = file.get(SECTION) else {
            return Ok(None);
        };
        let name = super::schema::text(node).under(SECTION)?;
        match NAMES.iter().position(|known| *known == name) {
            Some(minor) => Ok(Some(Self(minor as u32))),
            None => Err(Error::parser(
                29,
                format!(
                    "Unexpected {SECTION} {name}; Currently supported versions are: {}",
                    python::list(NAMES)
                ),
            )
            .at(node)
            .under(SECTION)),
        }
    }

    /// The version with the number `1_<minor>`, or the newest one if there is no such version.
    pub fn numbered(number: &str) -> Self {
        let named = |name: &&str| name.strip_prefix("cloudify_dsl_") == Some(number);
        let minor = NAMES.iter().position(named);
        minor.map_or(Self::NEWEST, |minor| Self(minor as u32))
    }

    /// Whether a text is `_1_<minor>` for a version that exists.
    pub fn is_suffix(text: &str) -> bool {
        NAMES
            .iter()
            .any(|name| name.strip_prefix("cloudify_dsl") == Some(text))
    }

    /// The number in the form `1_4`.
    pub fn number(self) -> String {
        format!("1_{}", self.0)
    }

    /// The name in the form `cloudify_dsl_1_4`.
    pub fn name(self) -> &'static str {
        let name = NAMES.get(self.0 as usize).or(NAMES.last());
        name.copied().unwrap_or_default()
    }

    /// Refuses something that a later version brought.
    pub fn requires(self, since: Self, what: &str, node: &Node) -> Result<()> {
        if self >= since {
            return Ok(());
        }
        let (name, added) = (self.name(), since.name());
        let message = format!("{what} not supported in version {name}, it was added in {added}");
        Err(Error::parser(102, message).at(node))
    }

    /// The section `version` of a plan.
    pub fn to_value(self) -> Value {
        json!({
            "raw": self.name(),
            "definitions_name": "cloudify_dsl",
            "definitions_version": [1, self.0],
        })
    }
}
