//! Identifiers: which texts may be one, and new ones.
//!
//! The checks, their order and their texts are Conductor's; the other families borrow them.

use crate::error::{Error, Result};

/// The longest identifier, in characters.
pub const MAX_LENGTH: usize = 256;

/// Checks an identifier that must begin with a letter. `what` names the argument in the refusal.
pub fn check(what: &str, id: &str) -> Result<()> {
    check_characters(what, id)?;
    if id.starts_with(|first: char| first.is_ascii_alphabetic()) {
        Ok(())
    } else {
        Err(refuse(
            what,
            format!("The `{what}` argument must begin with a letter"),
        ))
    }
}

/// Checks length and characters only: deployment ids may begin with a digit.
pub fn check_characters(what: &str, id: &str) -> Result<()> {
    if id.is_empty() {
        return Err(refuse(what, format!("The `{what}` argument is empty")));
    }
    if id.chars().count() > MAX_LENGTH {
        return Err(refuse(
            what,
            format!(
                "The `{what}` argument is too long. Maximum allowed length is {MAX_LENGTH} characters"
            ),
        ));
    }
    if id
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "_-.~".contains(c))
    {
        return Ok(());
    }
    Err(refuse(
        what,
        format!(
            "The `{what}` argument contains illegal characters. Only letters, digits and the \
             characters \"-\", \".\" and \"_\" are allowed"
        ),
    ))
}

fn refuse(what: &str, message: String) -> Error {
    Error::bad_parameters(message.clone()).field(what, message)
}

/// A new identifier for what the server names itself: UUID version 4.
pub fn new_uuid() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// A random text of small letters and digits.
pub fn random_text(length: usize) -> String {
    const ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut text = String::with_capacity(length);
    while text.len() < length {
        for byte in random_bytes::<32>() {
            // 252 is the largest multiple of 36 in a byte: beyond it letters would be unequal.
            if byte < 252 && text.len() < length {
                let letter = ALPHABET.get(usize::from(byte) % ALPHABET.len());
                text.extend(letter.copied().map(char::from));
            }
        }
    }
    text
}

/// Random bytes that nobody can guess.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // The platform's generator fails only where there is none; UUIDs would be broken there too.
    if getrandom::fill(&mut bytes).is_err() {
        for chunk in bytes.chunks_mut(16) {
            let random = uuid::Uuid::new_v4();
            for (byte, random) in chunk.iter_mut().zip(random.as_bytes()) {
                *byte = *random;
            }
        }
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
    fn random_texts_have_their_length_and_differ() {
        assert_eq!(random_text(40).len(), 40);
        assert_ne!(random_text(40), random_text(40));
        assert_ne!(random_bytes::<33>(), random_bytes::<33>());
    }
}
