//! Components: what the status page tells the state of, the table `status_components`.
//!
//! The catalogue, which is all components that are not retired, is for everybody.

use serde::{Deserialize, Serialize};
use serde_json::json;

pub mod catalogue;
pub mod list;
mod with_incidents;

pub use with_incidents::{Window, find_with_incidents, list_with_incidents};

/// A property of a component, such as its region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    /// Its name, at most 30 characters.
    pub name: String,
    /// Its value, at most 50 characters.
    pub value: String,
}

/// A component of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Component {
    /// Its number.
    pub id: i64,
    /// Its name, which components of several regions share.
    pub name: String,
    /// Its attributes, in the order of the catalogue.
    pub attributes: Vec<Attribute>,
}

impl Component {
    /// A component of a table with the alias `c` as JSON, which this type is read from.
    pub(crate) const JSON: &'static str =
        "json_object('id', c.id, 'name', c.name, 'attributes', json(c.attributes))";

    /// Its name followed by the values of its attributes: `Volumes (EU-DE, Storage)`. Plain text.
    pub fn label(&self) -> String {
        let values: Vec<&str> = self.attributes.iter().map(|a| a.value.as_str()).collect();
        format!("{} ({})", self.name, values.join(", "))
    }

    /// The value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|a| a.name == name);
        found.map(|attribute| attribute.value.as_str())
    }
}

/// Attributes as one text, however they are ordered: what makes a component of a name the same one.
pub fn attributes_key(attributes: &[Attribute]) -> String {
    let mut sorted: Vec<&Attribute> = attributes.iter().collect();
    sorted.sort_by(|a, b| (&a.name, &a.value).cmp(&(&b.name, &b.value)));
    json!(sorted).to_string()
}
