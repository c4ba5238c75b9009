//! What a wagon says about itself: its `package.json`.

use crate::package::invalid;
use serde_json::Value;
use windlass_blueprint::archive::Tree;
use windlass_core::{Result, limits};
use windlass_store::plugins::About;

/// The file in the directory of a wagon.
pub const METADATA: &str = "package.json";

/// The longest name, version and the like.
const LONGEST: usize = 256;

/// What a wagon says, and what it calls its own file.
///
/// # Errors
/// 400 when it lacks a name or a version, or says what cannot be kept.
pub fn about(tree: &Tree) -> Result<(About, String)> {
    let text = tree.text(METADATA).unwrap_or_default();
    let metadata: Value = serde_json::from_slice(text).map_err(|error| {
        invalid(format!(
            "{METADATA} of the wagon is no usable JSON: {error}"
        ))
    })?;
    limits::check_size(METADATA, &metadata)?;
    let built_on = metadata.get("build_server_os_properties");
    let built_on = built_on.unwrap_or(&Value::Null);
    let about = About {
        package_name: required(&metadata, "package_name")?,
        package_version: required(&metadata, "package_version")?,
        package_source: optional(&metadata, "package_source", usize::MAX)?,
        distribution: optional(built_on, "distribution", LONGEST)?,
        distribution_version: optional(built_on, "distribution_version", LONGEST)?,
        distribution_release: optional(built_on, "distribution_release", LONGEST)?,
        supported_platform: optional(&metadata, "supported_platform", LONGEST)?,
        supported_py_versions: list(&metadata, "supported_python_versions")?.unwrap_or_default(),
        wheels: list(&metadata, "wheels")?.unwrap_or_default(),
        excluded_wheels: list(&metadata, "excluded_wheels")?,
    };
    let archive_name = match optional(&metadata, "archive_name", LONGEST)? {
        Some(name) => name,
        None => format!("{}-{}.wgn", about.package_name, about.package_version),
    };
    if !is_file_name(&archive_name) {
        return Err(invalid(format!(
            "archive_name in {METADATA} is not the name of a file: {archive_name}"
        )));
    }
    Ok((about, archive_name))
}

/// Whether a text can be the name of a file anywhere, also in a header.
pub fn is_file_name(name: &str) -> bool {
    let is_plain = |c: char| !c.is_control() && !matches!(c, '/' | '\\' | '"');
    !matches!(name, "" | "." | "..") && name.len() <= LONGEST && name.chars().all(is_plain)
}

fn required(metadata: &Value, name: &str) -> Result<String> {
    let text = optional(metadata, name, LONGEST)?;
    text.ok_or_else(|| invalid(format!("{METADATA} of the wagon has no {name}")))
}

fn optional(metadata: &Value, name: &str, longest: usize) -> Result<Option<String>> {
    match metadata.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) if text.len() <= longest && !text.contains('\0') => {
            Ok(Some(text.clone()))
        }
        Some(_) => Err(invalid(format!(
            "{name} in {METADATA} is not a usable text"
        ))),
    }
}

fn list(metadata: &Value, name: &str) -> Result<Option<Vec<String>>> {
    match metadata.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(items)) => {
            let texts = items.iter().map(|item| item.as_str().map(str::to_owned));
            let texts: Option<Vec<String>> = texts.collect();
            let texts = texts
                .ok_or_else(|| invalid(format!("{name} in {METADATA} has more than texts")))?;
            Ok(Some(texts))
        }
        Some(_) => Err(invalid(format!("{name} in {METADATA} is no list"))),
    }
}
