//! What the bodies of several deployment endpoints say in the same words.

use unicode_normalization::UnicodeNormalization;
use windlass_core::{Body, Error, Result};

/// The longest name shown to people, in characters.
const DISPLAY_NAME: usize = 256;

/// The name shown to people: normalised, and nothing in it that a terminal would obey.
pub fn display_name(body: &Body) -> Result<Option<String>> {
    let Some(text) = body.text("display_name")? else {
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_display_name_is_short_and_printable() {
        for (name, want) in [
            (json!("Krähe ﬁ"), Some("Krähe fi")),
            (json!(""), None),
            (json!("a\nb"), None),
            (json!("x".repeat(257)), None),
        ] {
            let body = Body::inner(&json!({ "display_name": name }), "body").unwrap();
            let got = display_name(&body).ok().flatten();
            assert_eq!(got.as_deref(), want, "{name}");
        }
    }
}
