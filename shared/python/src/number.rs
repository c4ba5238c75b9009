//! Texts as numbers, as `int(..)` and `float(..)` read them.

use serde_json::{Number, Value};

/// The most digits of an integer that Python reads.
const DIGITS: usize = 4300;

/// The result of `int(text)`; none where that is an error.
pub fn integer(text: &str) -> Option<Value> {
    let text = plain(text)?;
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(&text)),
    };
    if digits.is_empty() || digits.len() > DIGITS || !digits.bytes().all(|one| one.is_ascii_digit())
    {
        return None;
    }
    let number = match digits.trim_start_matches('0') {
        "" => "0".to_owned(),
        digits => format!("{sign}{digits}"),
    };
    serde_json::from_str(&number).ok().map(Value::Number)
}

/// The result of `float(text)`; none where that is an error, and for what JSON has no number for.
pub fn float(text: &str) -> Option<Value> {
    let text = plain(text)?;
    let is_number =
        |one: u8| one.is_ascii_digit() || matches!(one, b'.' | b'e' | b'E' | b'+' | b'-');
    if !text.bytes().all(is_number) {
        return None;
    }
    Number::from_f64(text.parse().ok()?).map(Value::Number)
}

/// The text without blanks around it and without the underscores between its digits.
fn plain(text: &str) -> Option<String> {
    let text = text.trim();
    let bytes = text.as_bytes();
    let is_digit = |place: Option<usize>| {
        let byte = place.and_then(|place| bytes.get(place));
        byte.is_some_and(u8::is_ascii_digit)
    };
    let stands_well =
        |place: usize| is_digit(place.checked_sub(1)) && is_digit(place.checked_add(1));
    let mut underscores = text.match_indices('_').map(|(place, _)| place);
    underscores.all(stands_well).then(|| text.replace('_', ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn texts_are_read_as_python_reads_them() {
        for (text, expected) in [
            ("5", json!(5)),
            (" +007 ", json!(7)),
            ("-12", json!(-12)),
            ("-0", json!(0)),
            ("1_000", json!(1000)),
        ] {
            assert_eq!(integer(text), Some(expected), "{text}");
        }
        let large = "123456789012345678901234567890";
        assert_eq!(integer(large).unwrap().to_string(), large);
        for text in [
            "", "+", "5.0", "_1", "1_", "1__0", "1e3", "0x1", "five", "--1",
        ] {
            assert_eq!(integer(text), None, "{text}");
        }
        assert_eq!(integer(&"1".repeat(DIGITS + 1)), None);
        for (text, expected) in [
            ("5", json!(5.0)),
            ("-.5", json!(-0.5)),
            ("1e3", json!(1000.0)),
            ("1_0.5", json!(10.5)),
        ] {
            assert_eq!(float(text), Some(expected), "{text}");
        }
        for text in ["", "inf", "nan", "1e999", "1,5", "e", "."] {
            assert_eq!(float(text), None, "{text}");
        }
    }
}
