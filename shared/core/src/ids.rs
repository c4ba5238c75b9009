//! Identifiers: which texts may be one, and new ones.
//!
//! The checks, their order and their texts are Conductor's; the other families borrow them.

use crate::error::{Error, Result};
use std::borrow::Cow;

/// The longest identifier, in characters.
pub const MAX_LENGTH: usize = 256;

/// Checks an identifier that must begin with a letter. `what` names the argument in the refusal.
pub fn check(what: &str, id: &str) -> Result<()> {
    check_characters(what, id)?;
    let starts_well = id.starts_with(|first: char| first.is_ascii_alphabetic());
    refuse_fault(
        what,
        (!starts_well).then(|| "must begin with a letter".into()),
    )
}

/// Checks length and characters only: deployment ids may begin with a digit.
pub fn check_characters(what: &str, id: &str) -> Result<()> {
    refuse_fault(what, fault(id))
}

/// Checks a name that a blueprint chose, as those of nodes: they may have spaces and any letters,
/// but no control characters, which many readers of a text take for its end.
pub fn check_name(what: &str, name: &str) -> Result<()> {
    let has_control = || name.chars().any(char::is_control);
    let fault = fault_of_length(name).or_else(|| {
        has_control().then(|| "contains illegal characters: control characters".into())
    });
    refuse_fault(what, fault)
}

/// What is wrong with the length or the characters of an identifier, as the end of a sentence.
pub fn fault(id: &str) -> Option<Cow<'static, str>> {
    let is_usual = |c: char| c.is_ascii_alphanumeric() || "_-.~".contains(c);
    fault_of_length(id).or_else(|| {
        (!id.chars().all(is_usual)).then_some(Cow::Borrowed(
            "contains illegal characters. Only letters, digits and the characters \"-\", \".\" and \
             \"_\" are allowed",
        ))
    })
}

fn fault_of_length(id: &str) -> Option<Cow<'static, str>> {
    if id.is_empty() {
        return Some("is empty".into());
    }
    let is_long = id.chars().count() > MAX_LENGTH;
    is_long
        .then(|| format!("is too long. Maximum allowed length is {MAX_LENGTH} characters").into())
}

fn refuse_fault(what: &str, fault: Option<Cow<'static, str>>) -> Result<()> {
    let Some(fault) = fault else { return Ok(()) };
    let message = format!("The `{what}` argument {fault}");
    Err(Error::bad_parameters(message.clone()).field(what, message))
}

/// A new identifier for what the server names itself: UUID version 4.
pub fn new_uuid() -> String {
    uuid::Builder::from_random_bytes(random_bytes())
        .into_uuid()
        .to_string()
}

/// A random text of small letters and digits.
pub fn random_text(length: usize) -> String {
    let mut text = String::with_capacity(length);
    while text.len() < length {
        for byte in random_bytes::<32>() {
            // 252 is the largest multiple of 36 in a byte. Beyond it some letters would come more often.
            if byte < 252 && text.len() < length {
                text.push(char::from(match byte % 36 {
                    letter @ 0..26 => b'a' + letter,
                    digit => b'0' + (digit - 26),
                }));
            }
        }
    }
    text
}

/// Random bytes that nobody can guess: the only source of chance in the application.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    if getrandom::fill(&mut bytes).is_err() {
        // Every platform that we run on has a generator. Without one no secret would be a secret,
        // and no answer is better than a key that can be guessed.
        std::process::abort();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_refused_in_the_documented_order() {
        let long = "a".repeat(257);
        for (id, part) in [
            ("", "is empty"),
            (
                long.as_str(),
                "is too long. Maximum allowed length is 256 characters",
            ),
            ("a/b", "contains illegal characters"),
            ("9lives", "must begin with a letter"),
            ("ünicode", "contains illegal characters"),
        ] {
            let refusal = check("blueprint_id", id).unwrap_err();
            assert!(refusal.message().contains(part), "{id}: {refusal:?}");
        }
        assert!(check("blueprint_id", "a-b_c.d~9").is_ok());
        assert!(check_characters("deployment_id", "9lives").is_ok());
    }

    #[test]
    fn a_name_of_a_blueprint_has_any_letters_but_an_end() {
        let long = "é".repeat(256);
        for name in ["web server", "größe", "a/b", "1", long.as_str()] {
            check_name("id", name).unwrap();
        }
        for (name, part) in [
            ("", "is empty"),
            (&format!("{long}e"), "is too long"),
            ("a\0", "illegal characters"),
            ("a\nb", "illegal characters"),
            ("\u{85}", "illegal characters"),
        ] {
            let refusal = check_name("id", name).unwrap_err();
            assert!(refusal.message().contains(part), "{name}: {refusal:?}");
        }
    }

    #[test]
    fn random_texts_have_their_length_and_differ() {
        assert_eq!(random_text(40).len(), 40);
        assert_ne!(random_text(40), random_text(40));
        assert_ne!(random_bytes::<33>(), random_bytes::<33>());
        let letters: std::collections::BTreeSet<char> = random_text(4000).chars().collect();
        let wanted = ('0'..='9').chain('a'..='z').collect();
        assert_eq!(letters, wanted);
    }

    #[test]
    fn new_identifiers_are_uuids_of_version_4() {
        let id = new_uuid();
        assert_eq!((id.len(), id.get(14..15)), (36, Some("4")), "{id}");
        assert_ne!(id, new_uuid());
    }
}
