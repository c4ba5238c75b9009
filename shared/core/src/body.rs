//! JSON bodies as clients send them: a key whose value is null is one that was not given, because old
//! clients send every key they know.

use crate::context::Context;
use crate::db::Db;
use crate::error::{Error, Result};
use crate::ids;
use crate::limits;
use crate::request::parse_bool;
use crate::time::Timestamp;
use serde_json::{Map, Value};

/// The object in a request's body; empty when there is none.
#[derive(Clone, Debug, Default)]
pub struct Body {
    values: Map<String, Value>,
}

/// What an update says about one value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Given<T> {
    /// Nothing: it stays as it is.
    #[default]
    Absent,
    /// It goes away.
    Null,
    /// It becomes this.
    Value(T),
}

impl<T> Given<T> {
    /// Whether the update changes the value.
    pub fn is_change(&self) -> bool {
        !matches!(self, Self::Absent)
    }

    /// The same, with the value borrowed.
    pub fn as_ref(&self) -> Given<&T> {
        match self {
            Self::Absent => Given::Absent,
            Self::Null => Given::Null,
            Self::Value(value) => Given::Value(value),
        }
    }

    /// The new value, if there is one.
    pub fn value(self) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }

    /// The value after the update.
    pub fn over(self, current: Option<T>) -> Option<T> {
        match self {
            Self::Absent => current,
            changed => changed.value(),
        }
    }

    /// Reads the value, if there is one; what is read as nothing takes the value away.
    pub fn read<U>(self, read: impl FnOnce(T) -> Result<Option<U>>) -> Result<Given<U>> {
        Ok(match self {
            Self::Absent => Given::Absent,
            Self::Null => Given::Null,
            Self::Value(value) => read(value)?.map_or(Given::Null, Given::Value),
        })
    }
}

impl<T> From<Option<T>> for Given<T> {
    /// For endpoints where a null means the same as nothing.
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Self::Value)
    }
}

impl Body {
    /// The body of a request.
    ///
    /// # Errors
    /// 415 and 400 for what is no JSON object, 413 for a value that is larger than what is kept as one.
    pub fn of(ctx: &Context<impl Db>) -> Result<Self> {
        let object = ctx.json_object()?;
        if ctx.request.body.len() > limits::VALUE_BYTES {
            for (name, value) in &object {
                limits::check_size(name, value)?;
            }
        }
        Ok(Self::from(object))
    }

    /// An object inside a body; `what` names it in the refusal of anything else.
    pub fn inner(value: &Value, what: &str) -> Result<Self> {
        match value {
            Value::Object(fields) => Ok(Self::from(fields.clone())),
            other => Err(Error::wrong_type(what, "dict", other)),
        }
    }

    /// An object inside this one; empty when it is absent.
    pub fn inside(&self, name: &str) -> Result<Self> {
        Ok(Self::from(self.object(name)?.cloned().unwrap_or_default()))
    }

    /// Whether nothing was given.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The names of what was given.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// A value that was given.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    /// A text.
    pub fn text(&self, name: &str) -> Result<Option<&str>> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(Error::wrong_type(name, "str", other)),
        }
    }

    /// A text that must be there.
    pub fn required_text(&self, name: &str) -> Result<&str> {
        self.text(name)?.ok_or_else(|| Error::missing(name))
    }

    /// A text that counts as absent when it is empty.
    pub fn filled_text(&self, name: &str) -> Result<Option<&str>> {
        Ok(self.text(name)?.filter(|text| !text.is_empty()))
    }

    /// An identifier, see [`ids::check`].
    pub fn id(&self, name: &str) -> Result<Option<&str>> {
        let id = self.text(name)?;
        id.map_or(Ok(()), |id| ids::check(name, id))?;
        Ok(id)
    }

    /// A truth value, which may come as text; anything else is of the wrong type.
    pub fn boolean(&self, name: &str) -> Result<Option<bool>> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(Value::String(text)) => parse_bool(name, text).map(Some),
            Some(other) => Err(Error::wrong_type(name, "bool", other)),
        }
    }

    /// A truth value in the words of a query string, which executions take in their body.
    pub fn flag(&self, name: &str) -> Result<Option<bool>> {
        match self.get(name) {
            Some(value @ (Value::Number(_) | Value::Array(_) | Value::Object(_))) => {
                parse_bool(name, &value.to_string()).map(Some)
            }
            _ => self.boolean(name),
        }
    }

    /// A whole number.
    pub fn integer(&self, name: &str) -> Result<Option<i64>> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => match value.as_i64() {
                Some(number) => Ok(Some(number)),
                None => Err(Error::wrong_type(name, "int", value)),
            },
        }
    }

    /// A list.
    pub fn list(&self, name: &str) -> Result<Option<&Vec<Value>>> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Array(items)) => Ok(Some(items)),
            Some(other) => Err(Error::wrong_type(name, "list", other)),
        }
    }

    /// An object.
    pub fn object(&self, name: &str) -> Result<Option<&Map<String, Value>>> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Object(fields)) => Ok(Some(fields)),
            Some(other) => Err(Error::wrong_type(name, "dict", other)),
        }
    }

    /// A list of objects.
    pub fn objects(&self, name: &str) -> Result<Option<Vec<Map<String, Value>>>> {
        let Some(items) = self.list(name)? else {
            return Ok(None);
        };
        let object = |item: &Value| match item {
            Value::Object(fields) => Ok(fields.clone()),
            other => Err(Error::wrong_type(name, "list of dict", other)),
        };
        items.iter().map(object).collect::<Result<_>>().map(Some)
    }

    /// A time, which must say its zone: it comes from another installation.
    pub fn zoned_time(&self, name: &str) -> Result<Option<Timestamp>> {
        let text = self.filled_text(name)?;
        text.map(|text| Timestamp::parse_zoned(name, text))
            .transpose()
    }
}

impl From<Map<String, Value>> for Body {
    fn from(object: Map<String, Value>) -> Self {
        let given = object.into_iter().filter(|(_, value)| !value.is_null());
        Self {
            values: given.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn body() -> Body {
        let value = json!({
            "text": "a", "empty": "", "null": null, "number": 1, "yes": "True", "no": false,
            "list": [1], "object": {}, "zoned": "2026-01-01T02:00:00+02:00",
            "naive": "2026-01-01T02:00:00",
        });
        Body::inner(&value, "body").unwrap()
    }

    #[test]
    fn null_means_absent() {
        let body = body();
        assert!(body.text("null").unwrap().is_none());
        assert!(body.flag("null").unwrap().is_none());
        assert_eq!(
            body.required_text("null").unwrap_err().message(),
            "Missing null in json request body"
        );
        assert_eq!(body.text("empty").unwrap(), Some(""));
        assert_eq!(body.filled_text("empty").unwrap(), None);
    }

    #[test]
    fn an_update_leaves_a_value_takes_it_away_or_replaces_it() {
        for (given, after) in [
            (Given::from(None), Some("before")),
            (Given::Null, None),
            (Given::from(Some("a")), Some("a")),
            (Given::from(Some("")), Some("")),
        ] {
            let is_change = given != Given::Absent;
            assert_eq!(given.is_change(), is_change, "{given:?}");
            assert_eq!(given.over(Some("before")), after, "{given:?}");
            let filled = given.read(|text| Ok(Some(text).filter(|text| !text.is_empty())));
            let is_gone = after.is_none_or(str::is_empty);
            assert_eq!(filled.unwrap() == Given::Null, is_gone, "{given:?}");
        }
    }

    #[test]
    fn truth_values_may_be_text() {
        let body = body();
        assert_eq!(body.flag("yes").unwrap(), Some(true));
        assert_eq!(body.flag("no").unwrap(), Some(false));
        for (name, text) in [
            ("number", "number must be <true/false>, got 1"),
            ("text", "text must be <true/false>, got a"),
        ] {
            assert_eq!(body.flag(name).unwrap_err().message(), text);
        }
    }

    #[test]
    fn wrong_types_are_named_as_in_python() {
        let body = body();
        for (refusal, text) in [
            (
                body.text("list").unwrap_err(),
                "list parameter is expected to be of type str but is of type list",
            ),
            (
                body.list("object").unwrap_err(),
                "object parameter is expected to be of type list but is of type dict",
            ),
            (
                body.object("number").unwrap_err(),
                "number parameter is expected to be of type dict but is of type int",
            ),
        ] {
            assert_eq!(refusal.message(), text);
        }
        for (refusal, text) in [
            (
                body.boolean("list").unwrap_err(),
                "list parameter is expected to be of type bool but is of type list",
            ),
            (
                body.objects("list").unwrap_err(),
                "list parameter is expected to be of type list of dict but is of type int",
            ),
        ] {
            assert_eq!(refusal.message(), text);
        }
        assert_eq!(body.integer("number").unwrap(), Some(1));
        assert!(body.integer("yes").is_err());
        assert_eq!(body.list("list").unwrap().unwrap().len(), 1);
        assert!(body.object("object").unwrap().unwrap().is_empty());
    }

    #[test]
    fn restored_times_say_their_zone() {
        let body = body();
        let time = body.zoned_time("zoned").unwrap().unwrap();
        assert_eq!(time.to_string(), "2026-01-01T00:00:00.000Z");
        assert!(
            body.zoned_time("naive")
                .unwrap_err()
                .message()
                .contains("time zone")
        );
    }
}
