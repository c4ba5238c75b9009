//! What records hold: short texts, each trimmed; what is not known is not kept.

use crate::body;
use serde_json::{Map, Value as Json};
use windlass_core::{Error, Result};

/// 400 for a field.
pub fn refuse(field: &str, text: &str) -> Error {
    Error::bad_parameters(text.to_owned()).field(field, text)
}

/// Takes these short texts out of an object; those that are absent, null or empty stay absent.
///
/// # Errors
/// 400 for what is no text, too long, or has control characters.
pub fn texts(object: &Map<String, Json>, names: &[&str]) -> Result<Map<String, Json>> {
    let mut taken = Map::new();
    for name in names {
        if let Some(text) = body::optional_name(object.get(*name), name)? {
            taken.insert((*name).to_owned(), text.into());
        }
    }
    Ok(taken)
}

/// Demands that these are there.
///
/// # Errors
/// 400 naming those that are not.
pub fn demand(record: &Map<String, Json>, names: &[&str]) -> Result<()> {
    let missing: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| !record.contains_key(*name))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let text = format!("Missing required field(s): {}", missing.join(", "));
    let refusal = Error::bad_parameters(text);
    Err(missing
        .iter()
        .fold(refusal, |refusal, name| refusal.field(*name, "is missing")))
}

/// Demands that a text can be an e-mail address.
///
/// # Errors
/// 400.
pub fn check_email(field: &str, email: &str) -> Result<()> {
    let is_plain = |c: char| !c.is_whitespace() && !c.is_control() && !"<>()[]\\,;:\"/".contains(c);
    let is_domain = |domain: &str| {
        let is_label = |label: &str| {
            let is_inner = |c: char| c.is_alphanumeric() || c == '-';
            !label.is_empty()
                && label.chars().all(is_inner)
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        domain.contains('.') && domain.split('.').all(is_label)
    };
    let is_address = email.len() <= 254
        && email.chars().all(is_plain)
        && email.split_once('@').is_some_and(|(name, domain)| {
            !name.is_empty() && name.len() <= 64 && is_domain(domain)
        });
    if is_address {
        return Ok(());
    }
    Err(refuse(field, "Invalid email format"))
}

/// Applies a change: what is null goes, everything else is put in.
pub fn merged(mut document: Map<String, Json>, changes: &Map<String, Json>) -> Map<String, Json> {
    for (name, value) in changes {
        document.insert(name.clone(), value.clone());
    }
    document
}
