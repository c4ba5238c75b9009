//! Imports of plugins: which of the uploaded plugins is meant, and which properties it gets.
//!
//! `plugin:<name>?version=>=2.0,<3&distribution=centos` means the newest plugin that fits.

use super::UploadedPlugin;
use super::schema::{self, map};
use super::version::Version;
use crate::error::{Error, Result};
use crate::functions::function_of;
use crate::yaml::{Data, Node, Position};
use indexmap::IndexMap;
use pep440_rs::VersionSpecifiers;
use serde_json::Value;
use std::str::FromStr;
use windlass_python as python;

/// Chooses the newest plugin that fits the query.
pub(super) fn choose(
    name: &str,
    query: &str,
    mut offers: Vec<UploadedPlugin>,
) -> Result<UploadedPlugin> {
    let refused = |message: String| Error::parser(13, format!("Import failed: {message}"));
    let mut version: Option<VersionSpecifiers> = None;
    let (mut wanted, mut distribution) = (String::new(), String::new());
    let mut seen = Vec::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let value = decoded(value);
        if !matches!(key, "version" | "distribution") {
            return Err(refused(format!(
                "Error parsing spec for plugin {name}: invalid parameter {key}"
            )));
        }
        if seen.contains(&key) {
            return Err(refused(format!(
                "Error parsing spec for plugin {name}: multiple values for {key}"
            )));
        }
        seen.push(key);
        if key == "distribution" {
            offers.retain(|offer| offer.distribution.as_deref() == Some(&value));
            distribution = format!(" for {value}");
            continue;
        }
        wanted = format!(" with version {}", value.trim());
        // A version without an operator means exactly this version.
        let specifiers = VersionSpecifiers::from_str(&value)
            .or_else(|_| VersionSpecifiers::from_str(&format!("=={value}")));
        version = Some(specifiers.map_err(|_| {
            refused(format!(
                "Error parsing spec for plugin {name}: invalid version {value}"
            ))
        })?);
    }
    let mut best: Option<(Option<pep440_rs::Version>, UploadedPlugin)> = None;
    for offer in offers {
        let number = pep440_rs::Version::from_str(&offer.version).ok();
        let fits = match (&version, &number) {
            (Some(wanted), Some(number)) => wanted.contains(number),
            (Some(_), None) => false,
            (None, _) => true,
        };
        if fits && best.as_ref().is_none_or(|(newest, _)| number > *newest) {
            best = Some((number, offer));
        }
    }
    best.map(|(_, offer)| offer).ok_or_else(|| {
        refused(format!(
            "Couldn't find plugin \"{name}\"{wanted}{distribution}. Please upload the plugin"
        ))
    })
}

/// Decodes `%3E` and `+` in the value of a query.
fn decoded(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut ahead = rest.clone();
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                match (digit(ahead.next()), digit(ahead.next())) {
                    (Some(high), Some(low)) => {
                        rest = ahead;
                        (high * 16 + low) as u8
                    }
                    _ => b'%',
                }
            }
            byte => byte,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The YAML file of a plugin for a version of the language. This is the file with the version in
/// its name, or else the first file without a version.
pub(super) fn file_for(plugin: &UploadedPlugin, version: Version) -> Option<&str> {
    let wanted = format!("{}.yaml", version.number());
    if let [only] = plugin.files.as_slice() {
        return Some(only);
    }
    let fitting = plugin.files.iter().find(|name| name.contains(&wanted));
    let general = || plugin.files.iter().find(|name| !has_version(name));
    fitting.or_else(general).map(String::as_str)
}

/// Whether a file name has a version, as in `plugin_1_4.yaml`.
fn has_version(name: &str) -> bool {
    let Some(rest) = name.strip_suffix(".yaml") else {
        return false;
    };
    let Some((rest, minor)) = rest.rsplit_once('_') else {
        return false;
    };
    let major = rest.rsplit_once('_').map_or("", |(_, major)| major);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    major.len() == 1 && digits(major) && digits(minor)
}

/// Replaces the labels and tags of a plugin's file by those that the uploaded plugin has now.
pub(super) fn take_labels(file: &mut Node, plugin: &UploadedPlugin, at: Position) {
    let Data::Map(sections) = &mut file.data else {
        return;
    };
    for (section, given, with_values) in [
        ("blueprint_labels", &plugin.blueprint_labels, true),
        ("labels", &plugin.labels, true),
        ("resource_tags", &plugin.resource_tags, false),
    ] {
        sections.shift_remove(section);
        let Some(given) = given.as_object().filter(|given| !given.is_empty()) else {
            continue;
        };
        let entries = given.iter().map(|(key, value)| {
            let value = Node::of_value(value, at);
            let entry = match with_values {
                true => Node {
                    at,
                    data: Data::Map(IndexMap::from([("values".to_owned(), value)])),
                },
                false => value,
            };
            (key.clone(), entry)
        });
        let section_node = Node {
            at,
            data: Data::Map(entries.collect()),
        };
        sections.insert(section.to_owned(), section_node);
    }
}

/// Sets properties of the plugins in a file, as the import asks for them.
pub(super) fn set_properties(file: &mut Node, given: Option<&Node>) -> Result<()> {
    let given = given.and_then(Node::as_map).cloned().unwrap_or_default();
    let Some(Data::Map(plugins)) = entry(file, "plugins").map(|node| &mut node.data) else {
        return Ok(());
    };
    for plugin in plugins.values_mut() {
        let Some(Data::Map(properties)) = entry(plugin, "properties").map(|node| &mut node.data)
        else {
            continue;
        };
        let mut wrong = Vec::new();
        let mut unknown: Vec<&String> = given.keys().collect();
        for (name, property) in properties {
            let Some(value) = given.get(name) else {
                continue;
            };
            unknown.retain(|other| *other != name);
            map(property)?;
            let type_name = schema::text_at(property, "type")?.map(str::to_owned);
            let plain = value.to_value();
            let fits = match &type_name {
                Some(type_name) => is_of_type(&plain, type_name)? || function_of(&plain).is_some(),
                None => true,
            };
            if !fits {
                let value = python::str(&plain);
                let type_name = type_name.unwrap_or_default();
                wrong.push(format!(
                    "Property {name}: value '{value}' should be of type {type_name}"
                ));
            } else if let Data::Map(property) = &mut property.data {
                property.insert("value".to_owned(), value.clone());
            }
        }
        if !unknown.is_empty() {
            let names = python::list(unknown);
            wrong.push(format!(
                "Properties for imported plugin are redundant: {names}, consider updating import lines"
            ));
        }
        if !wrong.is_empty() {
            return Err(Error::parser(221, wrong.join(".  ")));
        }
    }
    Ok(())
}

fn is_of_type(value: &Value, type_name: &str) -> Result<bool> {
    // In the original, a boolean is an integer.
    let is_int = python::is_int(value) || value.is_boolean();
    match type_name {
        "string" => Ok(value.is_string() || is_int),
        "integer" => Ok(is_int),
        "float" => Ok(is_int || value.is_f64()),
        "boolean" => Ok(value.is_boolean()),
        "list" => Ok(value.is_array()),
        _ => Err(Error::parser(
            220,
            "Properties should either be strings, integers, floats, booleans, or lists.",
        )),
    }
}

fn entry<'a>(node: &'a mut Node, name: &str) -> Option<&'a mut Node> {
    match &mut node.data {
        Data::Map(map) => map.get_mut(name),
        _ => None,
    }
}
