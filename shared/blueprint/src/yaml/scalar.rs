//! The meaning of plain scalars in YAML 1.1: `yes` is true, `0644` is 420, `1e5` is a text.

use serde_json::{Number, Value};

/// How many digits an integer may have. Python reads as many.
const MAX_DIGITS: usize = 4300;

/// The value of a scalar without quotes.
pub(super) fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Value::Bool(true);
        }
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Value::Bool(false);
        }
        _ => {}
    }
    let starts_number =
        text.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first));
    if starts_number && let Some(number) = integer(text).or_else(|| float(text)) {
        return number;
    }
    Value::String(text.to_owned())
}

/// The kind of a plain scalar that is no value: `<<` merges maps, and `=` can only be a key.
pub(super) fn special(text: &str) -> Option<&'static str> {
    match text {
        "<<" => Some("merge"),
        "=" => Some("value"),
        _ => None,
    }
}

/// The value of a scalar whose tag says its kind, such as `int`. The result is `None` if it has
/// another kind.
pub(super) fn of_kind(kind: &str, text: &str) -> Option<Value> {
    let resolved = || resolve(text);
    match kind {
        "str" | "binary" | "timestamp" => Some(Value::from(text)),
        "null" => Some(Value::Null),
        "int" => Some(resolved()).filter(windlass_python::is_int),
        "float" => resolved().as_f64().map(Value::from),
        "bool" => Some(resolve(&text.to_ascii_lowercase())).filter(Value::is_boolean),
        _ => None,
    }
}

/// A key in the form of JSON: numbers and booleans become texts.
pub(super) fn key_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn signed(text: &str) -> (bool, &str) {
    match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    }
}

fn integer(text: &str) -> Option<Value> {
    let (negative, digits) = signed(text);
    let bare: String = digits.chars().filter(|digit| *digit != '_').collect();
    if digits.starts_with('_') {
        return None;
    }
    let size = if let Some(binary) = bare.strip_prefix("0b") {
        decimal(binary, 2)?
    } else if let Some(hex) = bare.strip_prefix("0x") {
        decimal(hex, 16)?
    } else if bare.contains(':') {
        sexagesimal(&bare)?.to_string()
    } else if bare.len() > 1 && bare.starts_with('0') {
        decimal(&bare, 8)?
    } else {
        decimal(&bare, 10)?
    };
    let sign = if negative && size != "0" { "-" } else { "" };
    let number: Number = format!("{sign}{size}").parse().ok()?;
    Some(Value::Number(number))
}

/// The decimal digits of a number of any size, which is given to another base.
fn decimal(digits: &str, base: u32) -> Option<String> {
    const PART: u64 = 1_000_000_000;
    if digits.is_empty() || digits.len() > MAX_DIGITS {
        return None;
    }
    // Nine digits in each part, the last ones first.
    let mut parts = vec![0_u64];
    for digit in digits.chars() {
        let mut carry = u64::from(digit.to_digit(base)?);
        for part in &mut parts {
            let sum = *part * u64::from(base) + carry;
            (*part, carry) = (sum % PART, sum / PART);
        }
        if carry > 0 {
            parts.push(carry);
        }
    }
    let text: String = parts
        .iter()
        .rev()
        .map(|part| format!("{part:09}"))
        .collect();
    let bare = text.trim_start_matches('0');
    Some(if bare.is_empty() { "0" } else { bare }.to_owned())
}

/// Reads numbers to the base of sixty, which YAML 1.1 has for times: `1:30` is 90.
fn sexagesimal(text: &str) -> Option<u64> {
    let mut parts = text.split(':');
    let first = parts.next()?;
    if first.is_empty() || first.starts_with('0') || !all_digits(first) {
        return None;
    }
    let mut total: u64 = first.parse().ok()?;
    for part in parts {
        if part.is_empty() || part.len() > 2 || !all_digits(part) {
            return None;
        }
        let part: u64 = part.parse().ok().filter(|part| *part < 60)?;
        total = total.checked_mul(60)?.checked_add(part)?;
    }
    Some(total)
}

fn all_digits(text: &str) -> bool {
    text.bytes().all(|digit| digit.is_ascii_digit())
}

fn float_value(negative: bool, size: f64) -> Option<Value> {
    serde_json::Number::from_f64(if negative { -size } else { size }).map(Value::Number)
}

/// Reads a float. It has a dot, and an exponent needs a sign.
fn float(text: &str) -> Option<Value> {
    let (negative, body) = signed(text);
    if let Some((sixties, seconds)) = body.rsplit_once(':') {
        let (whole, fraction) = seconds.split_once('.')?;
        if whole.len() > 2 || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        let seconds: f64 = seconds.parse().ok().filter(|seconds| *seconds < 60.0)?;
        let minutes = match sixties.contains(':') {
            true => sexagesimal(sixties)?,
            false if all_digits(sixties) => sixties.parse().ok()?,
            false => return None,
        };
        return float_value(negative, minutes as f64 * 60.0 + seconds);
    }
    let (mantissa, exponent) = match body.find(['e', 'E']) {
        Some(place) => (&body[..place], Some(&body[place + 1..])),
        None => (body, None),
    };
    if let Some(exponent) = exponent {
        let digits = exponent.strip_prefix(['+', '-'])?;
        if digits.is_empty() || !all_digits(digits) {
            return None;
        }
    }
    let (whole, fraction) = mantissa.split_once('.')?;
    let legal = |part: &str| {
        part.bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'_')
    };
    if !legal(whole) || !legal(fraction) || whole.starts_with('_') {
        return None;
    }
    if whole.is_empty()
        && (!fraction.starts_with(|first: char| first.is_ascii_digit())
            || text.starts_with(['+', '-']))
    {
        return None;
    }
    let bare: String = body.chars().filter(|digit| *digit != '_').collect();
    float_value(negative, bare.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn plain_scalars_mean_what_yaml_1_1_says() {
        for (text, expected) in [
            ("yes", json!(true)),
            ("On", json!(true)),
            ("NO", json!(false)),
            ("off", json!(false)),
            ("y", json!("y")),
            ("yEs", json!("yEs")),
            ("", json!(null)),
            ("~", json!(null)),
            ("Null", json!(null)),
            ("0644", json!(420)),
            ("08", json!("08")),
            ("0o17", json!("0o17")),
            ("0x1F", json!(31)),
            ("0x+1", json!("0x+1")),
            ("0b11", json!(3)),
            ("1_000", json!(1000)),
            ("_1", json!("_1")),
            ("1:30", json!(90)),
            ("190:20:30", json!(685230)),
            ("190:20:30.15", json!(685230.15)),
            ("1:70", json!("1:70")),
            ("-12", json!(-12)),
            ("+12", json!(12)),
            ("-", json!("-")),
            ("12345678901234", json!(12345678901234_i64)),
            ("1.5", json!(1.5)),
            (".5", json!(0.5)),
            ("5.", json!(5.0)),
            ("+.5", json!("+.5")),
            ("1e5", json!("1e5")),
            ("1.0e5", json!("1.0e5")),
            ("1.0e+5", json!(100000.0)),
            ("1.2.3", json!("1.2.3")),
            (".", json!(".")),
            ("...", json!("...")),
            (".inf", json!(".inf")),
            ("2020-01-01", json!("2020-01-01")),
            ("9223372036854775807", json!(i64::MAX)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("18446744073709551615", json!(u64::MAX)),
        ] {
            assert_eq!(resolve(text), expected, "{text:?}");
        }
    }

    #[test]
    fn integers_of_any_size_keep_their_digits() {
        for (text, expected) in [
            ("18446744073709551616", "18446744073709551616"),
            ("-9223372036854775809", "-9223372036854775809"),
            ("0xffffffffffffffffff", "4722366482869645213695"),
            ("-0xffffffffffffffffff", "-4722366482869645213695"),
            ("1_000_000_000_000_000_000_000", "1000000000000000000000"),
            ("01000000000000000000000", "9223372036854775808"),
            ("-0", "0"),
        ] {
            assert_eq!(resolve(text).to_string(), expected, "{text}");
        }
        let long = "9".repeat(MAX_DIGITS + 1);
        assert!(resolve(&long).is_string());
        assert!(resolve(&long[1..]).is_number());
    }
}
