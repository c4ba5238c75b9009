//! What imports are called, and which file a name means.

use super::found::Origin;
use crate::error::{Error, Result};
use crate::functions::function_of;
use crate::parser::schema::{self, map};
use crate::parser::version::Version;
use crate::yaml::{Data, Node};

/// A namespace inside another one.
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

/// `cloudify/types/types.yaml`, or the same with a version of the language in its name.
pub(super) fn is_builtin_name(name: &str) -> bool {
    let middle = name
        .strip_prefix("cloudify/types/types")
        .and_then(|rest| rest.strip_suffix(".yaml"));
    middle.is_some_and(|version| version.is_empty() || Version::is_suffix(version))
}

/// An import's name, with the properties that it may give to a plugin.
pub(super) fn import_name(item: &Node, version: Version) -> Result<(&str, Option<&Node>)> {
    let Data::Map(entries) = &item.data else {
        // The original names the last of the kinds that an import may be.
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

/// A file by its name: from the importing file, then from the blueprint's directory.
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

/// Joins two paths; `None` when the result lies outside.
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
