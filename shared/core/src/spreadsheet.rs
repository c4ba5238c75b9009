//! Texts in tables that spreadsheets open: what begins as a formula is one to them, and whoever chose the
//! text would have it run on the reader's machine.

use std::borrow::Cow;

/// What formulas begin with, also as wide letters, and what is passed over before them.
const BEGINS: [char; 11] = [
    '=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
];

/// A text that no spreadsheet takes for a formula: with an apostrophe before what begins as one, as
/// spreadsheets themselves mark texts.
pub fn cell(text: &str) -> Cow<'_, str> {
    match text.starts_with(BEGINS) || text.trim_start().starts_with(BEGINS) {
        true => Cow::Owned(format!("'{text}")),
        false => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_as_a_formula_is_marked_as_text() {
        for formula in [
            "=1+1",
            "+1",
            "-1",
            "@sum(a1)",
            "\t=1",
            "\r=1",
            "\n=1",
            "  =1",
            "\u{ff1d}1",
            "\u{ff20}a",
        ] {
            assert_eq!(cell(formula), format!("'{formula}"), "{formula:?}");
        }
        for text in [
            "",
            "ann",
            "a=1",
            "192.0.2.7",
            "2001:db8::/64",
            "'=1",
            "\"=1",
        ] {
            assert_eq!(cell(text), text);
        }
    }
}
