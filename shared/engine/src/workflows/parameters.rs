//! The parameters of an execution, as the built-in workflows read them.

use super::Refusal;
use serde_json::{Map, Value};

/// Parameters, defaults filled in.
pub struct Parameters<'a>(pub &'a Map<String, Value>);

impl Parameters<'_> {
    /// Whether something is wanted; a text that says so counts too.
    pub fn flag(&self, key: &str) -> bool {
        match self.0.get(key) {
            Some(Value::Bool(truth)) => *truth,
            Some(Value::String(text)) => text.eq_ignore_ascii_case("true"),
            _ => false,
        }
    }

    /// A text that is not empty.
    pub fn text(&self, key: &str) -> Option<&str> {
        let text = self.0.get(key).and_then(Value::as_str);
        text.filter(|text| !text.is_empty())
    }

    /// The inputs of an operation.
    ///
    /// # Errors
    /// When there is something else.
    pub fn inputs(&self, key: &str) -> Result<Map<String, Value>, Refusal> {
        match self.0.get(key) {
            None | Some(Value::Null) => Ok(Map::new()),
            Some(Value::Object(inputs)) => Ok(inputs.clone()),
            Some(_) => Err(Refusal(format!("The parameter `{key}` must be a map"))),
        }
    }

    /// The texts of a filter; one alone may stand without a list.
    ///
    /// # Errors
    /// When there is something else.
    pub fn texts(&self, key: &str) -> Result<Vec<String>, Refusal> {
        let texts = match self.0.get(key) {
            None | Some(Value::Null) => Some(Vec::new()),
            Some(Value::String(text)) => Some(vec![text.clone()]),
            Some(Value::Array(items)) => items
                .iter()
                .map(|item| item.as_str().map(str::to_owned))
                .collect(),
            Some(_) => None,
        };
        texts.ok_or_else(|| Refusal("Filters of a workflow must be lists of texts".into()))
    }
}
