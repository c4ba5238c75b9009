//! Texts in quotes.

use std::fmt::Write as _;

/// Writes a text as a Python literal. The quotes are double ones only for a text that has single
/// quotes and no double ones; what cannot be seen is written as an escape.
pub(super) fn write(text: &str, out: &mut String) {
    let mark = match text.contains('\'') && !text.contains('"') {
        true => '"',
        false => '\'',
    };
    out.reserve(text.len() + 2);
    out.push(mark);
    for letter in text.chars() {
        match letter {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            letter if letter == mark => {
                out.push('\\');
                out.push(letter);
            }
            letter if is_printable(letter) => out.push(letter),
            letter => escape(letter, out),
        }
    }
    out.push(mark);
}

/// Writes a letter by its number: with two digits, else four, else eight.
fn escape(letter: char, out: &mut String) {
    let number = u32::from(letter);
    // Writing into a text cannot fail.
    let _ = match number {
        0..=0xff => write!(out, "\\x{number:02x}"),
        0x100..=0xffff => write!(out, "\\u{number:04x}"),
        _ => write!(out, "\\U{number:08x}"),
    };
}

/// Whether Python prints a letter as it is. Unassigned, private and invisible letters are not
/// printed, and no blank but the one of ASCII.
///
/// The standard library decides the same for `Debug`, by the same categories of Unicode. It makes
/// one exception, for marks that combine with the letter in front of them, but not when there is
/// such a letter.
fn is_printable(letter: char) -> bool {
    if letter.is_ascii() {
        return !letter.is_ascii_control();
    }
    let pair = String::from_iter(['a', letter]);
    pair.escape_debug().nth(1) == Some(letter)
}
