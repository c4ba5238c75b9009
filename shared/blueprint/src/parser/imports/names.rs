//! The names of imports, and the files that they mean.

use super::found::Origin;
use crate::error::{Error, Result};
use crate::functions::function_of;
use crate::parser::schema::{self, map};
use crate::parser::version::Version;
use crate::yaml::{Data, Node};

/// The name of a namespace inside another one.
pub(super) fn joined(outer: &str, inner: &str) -> String {
    match (outer, inner) {
        ("", inner) => inner.to_owned(),
        (outer, "") => outer.to_owned(),
        (outer, inner) => format!("{outer}--{inner}"),
    }
}

/// Whether a name is a URL. Files are never fetched from the network.
pub(super) fn is_url(name: &str) -> bool {
    let scheme = name.split_once(':').map(|(scheme, _)| scheme);
    matches!(scheme, Some("http" | "https" | "ftp" | "file"))
}

/// Whether this is `cloudify/types/types.yaml`, or the same with a version of the language in its
/// name.
pub(super) fn is_builtin_name(name: &str) -> bool {
    let middle = name
        .strip_prefix("cloudify/types/types")
        .and_then(|rest| rest.strip_suffix(".yaml"));
    middle.is_some_and(|version| version.is_empty() || Version::is_suffix(version))
}

/// The name of an import, and the properties that it gives to a plugin.
pub(super) fn import_name(item: &Node, version: Version) -> Result<(&str, Option<&Node>)> {
    let Data::Map(entries) = &item.data else {
        // An import may also be a map, and the original names the last type that it tries.
        let name = item.as_str().ok_or_else(|| schema::wrong(item, "dict"))?;
        return Ok((name, None));
    };
    for (name, properties) in entries {
        for (property, value) in map(properties)? {
            version.requires(Version(5), property, value)?;
            let is_function = function_of(&value.to_value()).is_some();
            if value.is_null() || (value.as_map().is_some() && !is_function) {
                let message = "Properties of imported node should either be strings, integers, \
                     floats, booleans, lists or intrinsic functions";
                return Err(Error::parser(220, message).at(value).under(property));
            }
        }
        version.requires(Version(5), name, properties)?;
    }
    match (entries.len(), entries.get_index(0)) {
        (1, Some((name, properties))) => Ok((name, Some(properties))),
        _ => Err(Error::parser(
            220,
            "Import with properties should be a single-entry dictionary",
        )),
    }
}

/// Finds a file by its name: beside the importing file, or from the top of the blueprint.
pub(super) fn find(origin: &Origin<'_>, target: &str) -> Option<String> {
    let directory = origin
        .path
        .rsplit_once('/')
        .map_or("", |(directory, _)| directory);
    let from_file = normalise(directory, target);
    let from_top = normalise("", target);
    [from_file, from_top]
        .into_iter()
        .flatten()
        .find(|path| origin.files.text(path).is_some())
}

/// Joins two paths. The result is `None` if it lies outside of the blueprint.
pub(in crate::parser) fn normalise(directory: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in directory.split('/').chain(target.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}
