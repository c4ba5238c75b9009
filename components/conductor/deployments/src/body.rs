//! JSON bodies as clients send them: a key whose value is null is one that was not given.

use serde_json::{Map, Value};
use unicode_normalization::UnicodeNormalization;
use windlass_core::db::Db;
use windlass_core::request::parse_bool;
use windlass_core::{Context, Error, Permission, Result, Timestamp, ids};
use windlass_store::blueprints;

/// The longest name shown to people, in characters.
const DISPLAY_NAME: usize = 256;

/// The object in a request's body; empty when there is none.
#[derive(Clone, Debug, Default)]
pub struct Body(Map<String, Value>);

impl Body {
    /// The body of a request.
    ///
    /// # Errors
    /// 415 and 400 for what is no JSON object.
    pub fn of(ctx: &Context<impl Db>) -> Result<Self> {
        let mut object = ctx.json_object()?;
        object.retain(|_, value| !value.is_null());
        Ok(Self(object))
    }

    /// Whether nothing was given.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A value that was given.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
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

    /// A truth value, which may come as text.
    pub fn boolean(&self, name: &str) -> Result<Option<bool>> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(Value::String(text)) => parse_bool(name, text).map(Some),
            Some(other) => Err(Error::wrong_type(name, "bool", other)),
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
        let items = match self.get(name) {
            None => return Ok(None),
            Some(Value::Array(items)) => items,
            Some(other) => return Err(Error::wrong_type(name, "list", other)),
        };
        let object = |item: &Value| match item {
            Value::Object(fields) => Ok(fields.clone()),
            other => Err(Error::wrong_type(name, "list of dict", other)),
        };
        items.iter().map(object).collect::<Result<_>>().map(Some)
    }

    /// The name shown to people: normalised, and nothing in it that a terminal would obey.
    pub fn display_name(&self) -> Result<Option<String>> {
        let Some(text) = self.text("display_name")? else {
            return Ok(None);
        };
        let name: String = text.nfkc().collect();
        let refuse = |why: &str| {
            let text = format!("The `display_name` argument {why}");
            Err(Error::bad_parameters(text.clone()).field("display_name", text))
        };
        if name.is_empty() {
            return refuse("is empty");
        }
        if name.chars().count() > DISPLAY_NAME {
            return refuse("is too long. Maximum allowed length is 256 characters");
        }
        if name.chars().any(char::is_control) {
            return refuse("contains control characters, which are not allowed");
        }
        Ok(Some(name))
    }

    /// The name of a site. No sites can be made yet, so none exists.
    ///
    /// # Errors
    /// 400 for a name that no site can have, 404 for any other.
    pub fn site_name(&self) -> Result<Option<String>> {
        let Some(name) = self.text("site_name")? else {
            return Ok(None);
        };
        ids::check("site_name", name)?;
        Err(Error::not_found("Site", name))
    }

    /// Another time of creation than now, for those who may say so.
    ///
    /// # Errors
    /// 403 without `set_timestamp`; 400 for what is no time with a zone.
    pub fn created_at(&self, ctx: &Context<impl Db>) -> Result<Option<Timestamp>> {
        let Some(text) = self.text("created_at")? else {
            return Ok(None);
        };
        ctx.allow(Permission::SetTimestamp)?;
        let clock = text.split_once(['T', ' ']).map_or("", |(_, clock)| clock);
        if clock.contains(['Z', 'z', '+', '-']) {
            return Timestamp::parse("created_at", text).map(Some);
        }
        Err(Error::bad_parameters(format!(
            "created_at: `{text}` names no time zone"
        )))
    }

    /// Another creator than the caller, for those who may say so: the user's name.
    ///
    /// # Errors
    /// 403 without `set_owner`; 400 for an unknown user.
    pub async fn creator(&self, ctx: &Context<impl Db>) -> Result<Option<String>> {
        let Some(name) = self.text("created_by")?.or(self.text("creator")?) else {
            return Ok(None);
        };
        ctx.allow(Permission::SetOwner)?;
        let found = blueprints::username(&ctx.db, name).await?;
        let unknown = || Error::bad_parameters(format!("User {name} does not exist."));
        found.ok_or_else(unknown).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn body(value: Value) -> Body {
        match value {
            Value::Object(object) => Body(object),
            _ => Body::default(),
        }
    }

    #[test]
    fn wrong_types_are_named_as_in_python() {
        let body = body(json!({ "a": 1, "b": "x", "c": [1] }));
        for (refusal, want) in [
            (
                body.text("a").unwrap_err(),
                "a parameter is expected to be of type str but is of type int",
            ),
            (
                body.object("b").unwrap_err(),
                "b parameter is expected to be of type dict but is of type str",
            ),
            (
                body.boolean("c").unwrap_err(),
                "c parameter is expected to be of type bool but is of type list",
            ),
            (
                body.boolean("b").unwrap_err(),
                "b must be <true/false>, got x",
            ),
            (
                body.objects("c").unwrap_err(),
                "c parameter is expected to be of type list of dict but is of type int",
            ),
            (
                body.required_text("d").unwrap_err(),
                "Missing d in json request body",
            ),
        ] {
            assert_eq!(refusal.message(), want);
        }
    }

    #[test]
    fn a_display_name_is_short_and_printable() {
        for (name, want) in [
            (json!("Krähe ﬁ"), Some("Krähe fi")),
            (json!(""), None),
            (json!("a\nb"), None),
            (json!("x".repeat(257)), None),
        ] {
            let got = body(json!({ "display_name": name }))
                .display_name()
                .ok()
                .flatten();
            assert_eq!(got.as_deref(), want, "{name}");
        }
    }
}
