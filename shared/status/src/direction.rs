//! Characters that turn the direction of the text around them.
//!
//! A title with U+202E in it is read backwards, and so is what follows it on its line, in a mail or a
//! feed reader: `gpj.exe` looks like `exe.jpg`. Hebrew and Arabic do without them: their letters have
//! a direction of their own. The marks U+200E and U+200F turn nothing and are left alone.

use std::borrow::Cow;

/// Whether a character begins or ends an embedding, an override or an isolate.
pub const fn turns(letter: char) -> bool {
    matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text without such characters, for what was stored before they were refused.
pub fn without_turns(text: &str) -> Cow<'_, str> {
    match text.contains(turns) {
        true => text.chars().filter(|letter| !turns(*letter)).collect(),
        false => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_turns_the_text_around_it_is_left_out_and_letters_stay() {
        for (text, want) in [
            ("Disks \u{202e}gpj.exe", "Disks gpj.exe"),
            ("\u{2067}a\u{2069}\u{202c}", "a"),
            ("דיסקים \u{200f}איטיים", "דיסקים \u{200f}איטיים"),
            ("الأقراص بطيئة", "الأقراص بطيئة"),
        ] {
            assert_eq!(without_turns(text), want);
        }
        assert!(matches!(without_turns("plain"), Cow::Borrowed(_)));
    }
}
