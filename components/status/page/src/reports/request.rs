//! The body of a report, checked as the original checks it: every mistake at once, in its words.

use serde_json::{Map, Value, json};
use windlass_core::{Error, Request, Result, limits};
use windlass_status::components::Attribute;
use windlass_status::direction::without_turns;
use windlass_status::events::impact_named;

/// The title of an incident that a report without one opens.
const TEXT: &str = "Incident";

/// The longest title, in characters.
const LONGEST_TEXT: usize = 1000;

/// The most attributes that a report may name.
const MOST_ATTRIBUTES: usize = 100;

/// What a monitor posted.
#[derive(Debug, PartialEq, Eq)]
pub struct Posted {
    /// The component's name.
    pub name: String,
    /// How bad it is; not checked against what is allowed yet.
    pub impact: i64,
    /// The title of an incident: one line.
    pub text: String,
    /// Attributes that the component must have.
    pub attributes: Vec<Attribute>,
}

impl Posted {
    /// Reads a request.
    ///
    /// # Errors
    /// 400 for what is no JSON, 422 naming every field that is not as it should be.
    pub fn read(request: &Request) -> Result<Self> {
        let body = match is_json(request) {
            true if !request.body.is_empty() => {
                limits::check_values(&request.body)?;
                serde_json::from_slice(&request.body).map_err(|error| {
                    Error::bad_parameters("Invalid JSON body.")
                        .context(error)
                        .extra("errors", json!({ "json": ["Invalid JSON body."] }))
                })?
            }
            // The original reads nothing of another type, and then misses the fields.
            _ => Value::Object(Map::new()),
        };
        Self::parse(&body).map_err(|errors| {
            let message = format!("unusable: {}", names(&errors).join(", "));
            Error::unprocessable(message).extra("errors", json!({ "json": errors }))
        })
    }

    /// The report in a body, or what is wrong with each field.
    fn parse(body: &Value) -> Result<Self, Map<String, Value>> {
        let mut wrong = Map::new();
        let Value::Object(body) = body else {
            wrong.insert("_schema".into(), json!(["Invalid input type."]));
            return Err(wrong);
        };
        let attributes = attributes(body.get("attributes"));
        let impact = field(body, "impact", integer, "Not a valid integer.");
        let name = field(body, "name", string, "Not a valid string.");
        let text = match body.get("text") {
            None => Ok(TEXT.to_owned()),
            Some(_) => field(body, "text", string, "Not a valid string.").and_then(title),
        };
        for (field, error) in [
            ("attributes", attributes.as_ref().err()),
            ("impact", impact.as_ref().err()),
            ("name", name.as_ref().err()),
            ("text", text.as_ref().err()),
        ] {
            if let Some(error) = error {
                wrong.insert(field.into(), error.clone());
            }
        }
        unknown(body, &["attributes", "impact", "name", "text"], &mut wrong);
        match (name, impact, text, attributes) {
            (Ok(name), Ok(impact), Ok(text), Ok(attributes)) if wrong.is_empty() => Ok(Self {
                name,
                impact,
                text,
                attributes,
            }),
            _ => Err(wrong),
        }
    }
}

/// Whether a body is to be read as JSON; one of no stated type is.
fn is_json(request: &Request) -> bool {
    let given = request.get_header("content-type");
    let essence = given.unwrap_or("application/json").split(';').next();
    let essence = essence.unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || essence.ends_with("+json")
}

/// The fields that are wrong, for the log: not what was in them.
fn names(errors: &Map<String, Value>) -> Vec<&str> {
    let known = ["attributes", "impact", "name", "text"];
    let name = |name: &str| known.into_iter().find(|known| *known == name);
    errors
        .keys()
        .map(|given| name(given).unwrap_or("an unknown field"))
        .collect()
}

/// A field that must be there.
fn field<T>(
    of: &Map<String, Value>,
    name: &str,
    read: fn(&Value) -> Option<T>,
    otherwise: &str,
) -> Result<T, Value> {
    match of.get(name) {
        None => Err(json!(["Missing data for required field."])),
        Some(Value::Null) => Err(json!(["Field may not be null."])),
        Some(value) => read(value).ok_or_else(|| json!([otherwise])),
    }
}

fn unknown(of: &Map<String, Value>, known: &[&str], wrong: &mut Map<String, Value>) {
    for name in of.keys().filter(|name| !known.contains(&name.as_str())) {
        wrong.insert(name.clone(), json!(["Unknown field."]));
    }
}

fn string(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// A whole number, also as text; what follows the point of another is dropped, as in the original.
/// Impacts may be named.
fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| {
            // A number beyond the range becomes its end, and is no impact either way.
            number.as_f64().map(|number| number as i64)
        }),
        Value::String(text) => {
            let text = text.trim();
            impact_named(text).or_else(|| text.parse().ok())
        }
        _ => None,
    }
}

/// A title: one line, in its own direction. Control characters would break feeds and mails that
/// carry it; a monitor, which repeats what some program said, is not refused for them.
fn title(text: String) -> Result<String, Value> {
    if text.chars().count() > LONGEST_TEXT {
        return Err(json!([format!(
            "Longer than maximum length {LONGEST_TEXT}."
        )]));
    }
    let line: String = without_turns(&text)
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    let line = line.trim();
    Ok(if line.is_empty() { TEXT } else { line }.to_owned())
}

fn attributes(value: Option<&Value>) -> Result<Vec<Attribute>, Value> {
    let items = match value {
        None => return Ok(Vec::new()),
        Some(Value::Null) => return Err(json!(["Field may not be null."])),
        Some(Value::Array(items)) => items,
        Some(_) => return Err(json!(["Not a valid list."])),
    };
    if items.len() > MOST_ATTRIBUTES {
        return Err(json!([format!(
            "Longer than maximum length {MOST_ATTRIBUTES}."
        )]));
    }
    let (mut attributes, mut wrong) = (Vec::new(), Map::new());
    for (place, item) in items.iter().enumerate() {
        match attribute(item) {
            Ok(attribute) => attributes.push(attribute),
            Err(errors) => {
                wrong.insert(place.to_string(), Value::Object(errors));
            }
        }
    }
    if wrong.is_empty() {
        return Ok(attributes);
    }
    Err(Value::Object(wrong))
}

fn attribute(item: &Value) -> Result<Attribute, Map<String, Value>> {
    let mut wrong = Map::new();
    let Value::Object(item) = item else {
        wrong.insert("_schema".into(), json!(["Invalid input type."]));
        return Err(wrong);
    };
    let name = field(item, "name", string, "Not a valid string.");
    let value = field(item, "value", string, "Not a valid string.");
    for (field, read) in [("name", &name), ("value", &value)] {
        if let Err(error) = read {
            wrong.insert(field.into(), error.clone());
        }
    }
    unknown(item, &["name", "value"], &mut wrong);
    match (name, value) {
        (Ok(name), Ok(value)) if wrong.is_empty() => Ok(Attribute { name, value }),
        _ => Err(wrong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: Value) -> Result<Posted, Value> {
        Posted::parse(&body).map_err(Value::Object)
    }

    #[test]
    fn impacts_are_numbers_texts_and_names() {
        for (given, want) in [
            (json!(1), Some(1)),
            (json!("2"), Some(2)),
            (json!(" 3 "), Some(3)),
            (json!(1.5), Some(1)),
            (json!("minor"), Some(1)),
            (json!("Major"), Some(2)),
            (json!("OUTAGE"), Some(3)),
            (json!("maintenance"), Some(0)),
            (json!(-4), Some(-4)),
            (json!(1e300), Some(i64::MAX)),
            (json!("1.5"), None),
            (json!("bad"), None),
            (json!(""), None),
            (json!(true), None),
            (json!([1]), None),
        ] {
            let got = parse(json!({ "name": "a", "impact": given }));
            assert_eq!(got.ok().map(|posted| posted.impact), want, "{given}");
        }
    }

    #[test]
    fn each_mistake_is_told_in_the_words_of_the_original() {
        let missing = json!(["Missing data for required field."]);
        let null = json!(["Field may not be null."]);
        let unknown = json!(["Unknown field."]);
        for (body, want) in [
            (json!({}), json!({ "impact": missing, "name": missing })),
            (
                json!({ "name": null, "impact": null, "text": null, "attributes": null }),
                json!({ "attributes": null, "impact": null, "name": null, "text": null }),
            ),
            (
                json!({ "name": 1, "impact": true, "text": [], "attributes": {} }),
                json!({
                    "attributes": ["Not a valid list."], "impact": ["Not a valid integer."],
                    "name": ["Not a valid string."], "text": ["Not a valid string."]
                }),
            ),
            (
                json!({ "name": "a", "impact": 1, "foo": 1, "b.c": 1 }),
                json!({ "foo": unknown, "b.c": unknown }),
            ),
            (
                json!({ "name": "a", "impact": 1, "attributes": [
                    { "name": "region" }, { "name": "b", "value": "c" }, 7,
                    { "name": "b", "value": 1, "x": 2 }
                ] }),
                json!({ "attributes": {
                    "0": { "value": missing },
                    "2": { "_schema": ["Invalid input type."] },
                    "3": { "value": ["Not a valid string."], "x": unknown }
                } }),
            ),
            (json!([]), json!({ "_schema": ["Invalid input type."] })),
            (json!("text"), json!({ "_schema": ["Invalid input type."] })),
            (
                json!({ "name": "a", "impact": 1, "text": "x".repeat(1001) }),
                json!({ "text": ["Longer than maximum length 1000."] }),
            ),
        ] {
            // In the table `null` stands for its refusal, too.
            let want: Value = match want {
                Value::Object(fields) => fields
                    .into_iter()
                    .map(|(name, text)| (name, if text.is_null() { null.clone() } else { text }))
                    .collect(),
                other => other,
            };
            assert_eq!(parse(body.clone()), Err(want), "{body}");
        }
    }

    #[test]
    fn a_title_is_one_line() {
        for (given, want) in [
            ("Disk full", "Disk full"),
            (" Disk\r\nfull\u{0} ", "Disk  full"),
            ("", "Incident"),
            ("\n", "Incident"),
            ("Größe <b>", "Größe <b>"),
            ("Disk \u{202e}lluf", "Disk lluf"),
            ("דיסק מלא", "דיסק מלא"),
        ] {
            let posted = parse(json!({ "name": "a", "impact": 1, "text": given })).unwrap();
            assert_eq!(posted.text, want, "{given:?}");
        }
    }

    #[test]
    fn a_body_of_another_type_counts_as_empty() {
        use windlass_core::Kind;
        use windlass_core::http::Method;
        for (content_type, body, want) in [
            ("application/json", "{\"name\":\"a\",\"impact\":1}", None),
            (
                "Application/JSON; charset=utf-8",
                "{\"name\":\"a\",\"impact\":1}",
                None,
            ),
            (
                "application/problem+json",
                "{\"name\":\"a\",\"impact\":1}",
                None,
            ),
            (
                "text/plain",
                "{\"name\":\"a\",\"impact\":1}",
                Some(Kind::UnprocessableEntity),
            ),
            ("application/json", "", Some(Kind::UnprocessableEntity)),
            ("application/json", "{\"name\":", Some(Kind::BadParameters)),
            ("application/json", "null", Some(Kind::UnprocessableEntity)),
        ] {
            let mut request = Request::new(Method::POST, "/").header("content-type", content_type);
            request.body = body.into();
            let got = Posted::read(&request).err().map(|error| error.kind());
            assert_eq!(got, want, "{content_type} {body}");
        }
    }
}
