//! What of a tool is secret: found by what a property is called, kept sealed.

use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;
use windlass_core::{Error, Result, secretbox};

/// What is shown instead, and what a client sends back for "as it was".
pub const MASK: &str = "***";

/// A property whose name has one of these in it is a credential. `key` alone would take too many along.
const MARKS: [&str; 9] = [
    "password",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "privatekey",
    "authorization",
    "cookie",
    "credential",
];

/// A property whose name has one of these in it is an address.
const ADDRESSES: [&str; 6] = ["url", "uri", "host", "endpoint", "server", "address"];

/// Credentials by their places, as JSON pointers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Credentials(BTreeMap<String, Json>);

/// A name in small letters and digits alone.
fn plain(name: &str) -> String {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    plain.to_ascii_lowercase()
}

/// Whether what has this name holds headers. Any of them may log in, whatever it is called.
fn holds_headers(name: &str) -> bool {
    plain(name) == "headers"
}

fn is_secret(name: &str, value: &Json) -> bool {
    if value.is_null() || value.is_boolean() {
        return false;
    }
    // Headers that are no object are taken as one.
    if holds_headers(name) && !value.is_object() {
        return true;
    }
    let plain = plain(name);
    plain == "key" || plain.ends_with("key") || MARKS.iter().any(|mark| plain.contains(mark))
}

fn place(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// What in an object says where its credentials go: properties that are named like an address, by
/// their places.
pub fn addresses(object: &Map<String, Json>) -> BTreeMap<String, Json> {
    fn collect(value: &Json, pointer: &str, found: &mut BTreeMap<String, Json>) {
        match value {
            Json::Object(fields) => collect_fields(fields, pointer, found),
            Json::Array(items) => {
                for (number, item) in items.iter().enumerate() {
                    collect(item, &place(pointer, &number.to_string()), found);
                }
            }
            _ => {}
        }
    }
    fn collect_fields(
        fields: &Map<String, Json>,
        pointer: &str,
        found: &mut BTreeMap<String, Json>,
    ) {
        for (name, value) in fields {
            let place = place(pointer, name);
            let plain = plain(name);
            if holds_headers(name) || is_secret(name, value) {
                continue;
            }
            if ADDRESSES.iter().any(|mark| plain.contains(mark)) && !value.is_null() {
                found.insert(place, value.clone());
            } else {
                collect(value, &place, found);
            }
        }
    }
    let mut found = BTreeMap::new();
    collect_fields(object, "", &mut found);
    found
}

impl Credentials {
    /// Takes the credentials out of an object. A mask stands for the one that was known at its place,
    /// and goes where there was none.
    pub fn take(object: &mut Map<String, Json>, known: &Self) -> Self {
        let mut taken = Self::default();
        taken.take_from(object, "", known, false);
        taken
    }

    /// Takes what is secret in an object; everything where `are_headers`.
    fn take_from(
        &mut self,
        object: &mut Map<String, Json>,
        pointer: &str,
        known: &Self,
        are_headers: bool,
    ) {
        let mut gone = Vec::new();
        for (name, value) in object.iter_mut() {
            let place = place(pointer, name);
            let is_header = are_headers && !value.is_null() && !value.is_boolean();
            if !is_header && !is_secret(name, value) {
                self.take_inside(value, &place, known, holds_headers(name));
                continue;
            }
            let secret = match value == MASK {
                true => known.0.get(&place).cloned(),
                false => Some(value.clone()),
            };
            match secret {
                Some(secret) => {
                    self.0.insert(place, secret);
                    *value = MASK.into();
                }
                None => gone.push(name.clone()),
            }
        }
        for name in gone {
            object.shift_remove(&name);
        }
    }

    fn take_inside(&mut self, value: &mut Json, pointer: &str, known: &Self, are_headers: bool) {
        match value {
            Json::Object(fields) => self.take_from(fields, pointer, known, are_headers),
            Json::Array(items) => {
                for (number, item) in items.iter_mut().enumerate() {
                    let place = place(pointer, &number.to_string());
                    self.take_inside(item, &place, known, are_headers);
                }
            }
            _ => {}
        }
    }

    /// Puts them back where they belong.
    pub fn put_back(&self, object: &mut Map<String, Json>) {
        let mut value = Json::Object(std::mem::take(object));
        for (place, secret) in &self.0 {
            if let Some(target) = value.pointer_mut(place) {
                *target = secret.clone();
            }
        }
        if let Json::Object(fields) = value {
            *object = fields;
        }
    }

    /// The texts among them.
    pub fn texts(&self) -> Vec<String> {
        fn collect(value: &Json, texts: &mut Vec<String>) {
            match value {
                Json::String(text) => texts.push(text.clone()),
                Json::Number(number) => texts.push(number.to_string()),
                Json::Array(items) => items.iter().for_each(|item| collect(item, texts)),
                Json::Object(fields) => fields.values().for_each(|item| collect(item, texts)),
                Json::Null | Json::Bool(_) => {}
            }
        }
        let mut texts = Vec::new();
        self.0.values().for_each(|value| collect(value, &mut texts));
        texts
    }

    /// The sealed text of the column; none for none.
    pub async fn seal(&self) -> Result<Option<String>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let plain = serde_json::to_vec(&self.0).map_err(Error::internal)?;
        secretbox::seal(&plain).await.map(Some)
    }

    /// What the column holds.
    pub async fn open(sealed: Option<&str>) -> Result<Self> {
        let Some(sealed) = sealed else {
            return Ok(Self::default());
        };
        let plain = secretbox::open(sealed).await?;
        serde_json::from_slice(&plain)
            .map(Self)
            .map_err(Error::internal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: Json) -> Map<String, Json> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn credentials_are_taken_by_name_and_put_back() {
        let given = object(json!({
            "name": "x", "token": "t0k", "port": 7,
            "configuration": {
                "url": "u", "toolConfigId": "keep", "jobPassword": "p", "a/b": [{ "api_key": "k" }],
                "use_token": true, "tokens": ["a", "b"], "monkey": "m",
            },
        }));
        let mut shown = given.clone();
        let taken = Credentials::take(&mut shown, &Credentials::default());
        let configuration = &shown["configuration"];
        assert_eq!(shown["token"], "***");
        assert_eq!(configuration["jobPassword"], "***");
        assert_eq!(configuration["a/b"][0]["api_key"], "***");
        assert_eq!(configuration["tokens"], "***");
        assert_eq!(
            (&configuration["toolConfigId"], &configuration["use_token"]),
            (&json!("keep"), &json!(true))
        );
        let mut back = shown.clone();
        taken.put_back(&mut back);
        assert_eq!(back, given);
        // Sent back as they are shown they stay, and one that was never there is none.
        let mut again = shown.clone();
        again.insert("password".into(), "***".into());
        assert_eq!(Credentials::take(&mut again, &taken), taken);
        assert_eq!(again, shown);
    }

    #[test]
    fn headers_are_credentials_whatever_they_are_called() {
        let given = object(json!({
            "configuration": {
                "headers": { "X-Who": "a-value", "n": 7, "none": null, "deep": { "b": "c" } },
                "list": [{ "Headers": ["Cookie: a=b"] }], "certPassphrase": "p",
                "Authorization": "Bearer x", "cookies": "a=b", "credentials": { "user": "u" },
            },
        }));
        let mut shown = given.clone();
        let taken = Credentials::take(&mut shown, &Credentials::default());
        assert_eq!(
            shown["configuration"],
            json!({
                "headers": { "X-Who": "***", "n": "***", "none": null, "deep": "***" },
                "list": [{ "Headers": "***" }], "certPassphrase": "***",
                "Authorization": "***", "cookies": "***", "credentials": "***",
            })
        );
        let mut again = shown.clone();
        assert_eq!(Credentials::take(&mut again, &taken), taken);
        taken.put_back(&mut shown);
        assert_eq!(shown, given);
    }
}
