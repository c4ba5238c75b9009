//! A catalogue as the operator wrote it: checked as a whole, and refused by its first mistake.

use serde_json::{Map, Value};
use std::collections::HashSet;
use windlass_core::{Error, Result};
use windlass_status::components::catalogue::Entry;
use windlass_status::components::{Attribute, attributes_key};
use windlass_status::direction::turns;

/// The most components of a catalogue.
const MOST_COMPONENTS: usize = 10_000;

/// The most attributes of a component.
const MOST_ATTRIBUTES: usize = 20;

/// The longest name of a component, in characters.
const LONGEST_NAME: usize = 100;

/// The longest name and the longest value of an attribute, in characters.
const LONGEST_ATTRIBUTE: (usize, usize) = (30, 50);

/// The components of a catalogue.
///
/// # Errors
/// 422 naming the place of the first mistake, such as `components[3].attributes.region`.
pub fn entries(catalogue: &Value) -> Result<Vec<Entry>> {
    let catalogue = object("the catalogue", catalogue)?;
    only(catalogue, &["components"], "")?;
    let components = catalogue
        .get("components")
        .ok_or_else(|| wrong("components", "is missing"))?;
    let components = list("components", components)?;
    if components.len() > MOST_COMPONENTS {
        return Err(wrong(
            "components",
            &format!("holds more than {MOST_COMPONENTS}"),
        ));
    }
    let mut known = HashSet::new();
    let mut entries = Vec::with_capacity(components.len());
    for (number, component) in components.iter().enumerate() {
        let place = format!("components[{number}]");
        let entry = entry(&place, component)?;
        let key = attributes_key(&entry.attributes);
        if !known.insert((entry.name.clone(), key)) {
            let text = format!("`{}` is there before with the same attributes", entry.name);
            return Err(wrong(&place, &text));
        }
        entries.push(entry);
    }
    Ok(entries)
}

fn entry(place: &str, component: &Value) -> Result<Entry> {
    let component = object(place, component)?;
    only(component, &["name", "attributes"], &format!("{place}."))?;
    let name_place = format!("{place}.name");
    let name = component
        .get("name")
        .ok_or_else(|| wrong(&name_place, "is missing"))?;
    let name = text(&name_place, name, LONGEST_NAME)?;
    let attributes = match component.get("attributes") {
        None | Some(Value::Null) => Vec::new(),
        Some(given) => attributes(&format!("{place}.attributes"), given)?,
    };
    Ok(Entry { name, attributes })
}

/// Attributes as an object, or as the list that other endpoints show.
fn attributes(place: &str, given: &Value) -> Result<Vec<Attribute>> {
    let (longest_name, longest_value) = LONGEST_ATTRIBUTE;
    let mut attributes: Vec<Attribute> = Vec::new();
    match given {
        Value::Object(fields) => {
            for (name, value) in fields {
                let name = checked(&format!("{place}: the name `{name}`"), name, longest_name)?;
                let value = text(&format!("{place}.{name}"), value, longest_value)?;
                attributes.push(Attribute { name, value });
            }
        }
        Value::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                let place = format!("{place}[{number}]");
                let item = object(&place, item)?;
                only(item, &["name", "value"], &format!("{place}."))?;
                let [name, value] =
                    [("name", longest_name), ("value", longest_value)].map(|(field, longest)| {
                        let place = format!("{place}.{field}");
                        let value = item.get(field);
                        let value = value.ok_or_else(|| wrong(&place, "is missing"))?;
                        text(&place, value, longest)
                    });
                let (name, value) = (name?, value?);
                if attributes.iter().any(|known| known.name == name) {
                    return Err(wrong(&place, &format!("`{name}` is there before")));
                }
                attributes.push(Attribute { name, value });
            }
        }
        other => {
            let text = format!("must be an object or a list, not {}", kind(other));
            return Err(wrong(place, &text));
        }
    }
    if attributes.len() > MOST_ATTRIBUTES {
        return Err(wrong(place, &format!("holds more than {MOST_ATTRIBUTES}")));
    }
    Ok(attributes)
}

fn wrong(place: &str, what: &str) -> Error {
    Error::unprocessable(format!("{place} {what}"))
}

fn object<'a>(place: &str, value: &'a Value) -> Result<&'a Map<String, Value>> {
    value
        .as_object()
        .ok_or_else(|| wrong(place, &format!("must be an object, not {}", kind(value))))
}

fn list<'a>(place: &str, value: &'a Value) -> Result<&'a [Value]> {
    match value {
        Value::Array(items) => Ok(items),
        other => Err(wrong(
            place,
            &format!("must be a list, not {}", kind(other)),
        )),
    }
}

fn text(place: &str, value: &Value, longest: usize) -> Result<String> {
    match value {
        Value::String(text) => checked(place, text, longest),
        other => Err(wrong(
            place,
            &format!("must be a text, not {}", kind(other)),
        )),
    }
}

fn checked(place: &str, text: &str, longest: usize) -> Result<String> {
    if text.trim().is_empty() {
        return Err(wrong(place, "must not be empty"));
    }
    if text.chars().count() > longest {
        return Err(wrong(
            place,
            &format!("is longer than {longest} characters"),
        ));
    }
    if text.chars().any(char::is_control) {
        return Err(wrong(place, "must be one line without control characters"));
    }
    if text.contains(turns) {
        return Err(wrong(
            place,
            "must not change the direction of the text around it",
        ));
    }
    Ok(text.to_owned())
}

fn only(fields: &Map<String, Value>, known: &[&str], place: &str) -> Result<()> {
    let unknown = fields.keys().find(|name| !known.contains(&name.as_str()));
    unknown.map_or(Ok(()), |name| {
        // A field name can be as long as the catalogue.
        let name: String = name.chars().take(50).collect();
        Err(wrong(&format!("{place}{name}"), "is unknown"))
    })
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn attributes_are_an_object_or_a_list() {
        let as_object = json!({ "components": [
            { "name": "a", "attributes": { "region": "EU", "category": "Storage" } }, { "name": "b" }
        ] });
        let as_list = json!({ "components": [
            { "name": "a", "attributes": [
                { "name": "region", "value": "EU" }, { "name": "category", "value": "Storage" }
            ] },
            { "name": "b", "attributes": null }
        ] });
        let read = entries(&as_object).unwrap();
        assert_eq!(read, entries(&as_list).unwrap());
        assert_eq!(read.len(), 2);
        assert_eq!(read[0].attributes[1].value, "Storage");
        assert!(entries(&json!({ "components": [] })).unwrap().is_empty());
    }

    #[test]
    fn the_first_mistake_is_named_with_its_place() {
        let one = |component| json!({ "components": [{ "name": "a" }, component] });
        let with = |attributes| one(json!({ "name": "b", "attributes": attributes }));
        for (catalogue, want) in [
            (json!(null), "the catalogue must be an object, not null"),
            (json!([]), "the catalogue must be an object, not a list"),
            (json!({}), "components is missing"),
            (
                json!({ "components": {} }),
                "components must be a list, not an object",
            ),
            (json!({ "components": [], "x": 1 }), "x is unknown"),
            (
                one(json!("b")),
                "components[1] must be an object, not a text",
            ),
            (one(json!({})), "components[1].name is missing"),
            (
                one(json!({ "name": "" })),
                "components[1].name must not be empty",
            ),
            (
                one(json!({ "name": 7 })),
                "components[1].name must be a text, not a number",
            ),
            (
                one(json!({ "name": "b", "colour": 1 })),
                "components[1].colour is unknown",
            ),
            (
                one(json!({ "name": "b\u{202e}c" })),
                "components[1].name must not change the direction of the text around it",
            ),
            (
                one(json!({ "name": "b\n" })),
                "components[1].name must be one line without control characters",
            ),
            (
                one(json!({ "name": "x".repeat(101) })),
                "components[1].name is longer than 100 characters",
            ),
            (
                one(json!({ "name": "a", "attributes": {} })),
                "components[1] `a` is there before with the same attributes",
            ),
            (
                with(json!({ "region": "x".repeat(51) })),
                "components[1].attributes.region is longer than 50 characters",
            ),
            (
                with(json!({ "region": false })),
                "components[1].attributes.region must be a text, not a truth value",
            ),
            (
                with(json!({ "region": null })),
                "components[1].attributes.region must be a text, not null",
            ),
            (
                with(json!("EU")),
                "components[1].attributes must be an object or a list, not a text",
            ),
            (
                with(json!([{ "name": "region" }])),
                "components[1].attributes[0].value is missing",
            ),
            (
                with(json!([{ "name": "x".repeat(31), "value": "y" }])),
                "components[1].attributes[0].name is longer than 30 characters",
            ),
            (
                with(json!([{ "name": "a", "value": "b" }, { "name": "a", "value": "c" }])),
                "components[1].attributes[1] `a` is there before",
            ),
            (
                with(json!({ "": "b" })),
                "components[1].attributes: the name `` must not be empty",
            ),
        ] {
            assert_eq!(
                entries(&catalogue).unwrap_err().message(),
                want,
                "{catalogue}"
            );
        }
        let many: Vec<Value> = (0..10_001)
            .map(|n| json!({ "name": n.to_string() }))
            .collect();
        let refusal = entries(&json!({ "components": many })).unwrap_err();
        assert_eq!(refusal.message(), "components holds more than 10000");
    }
}
