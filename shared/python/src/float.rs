//! Numbers with a fraction.

use serde_json::Number;

/// Writes the shortest text that reads back as the same number. 1e16 and above, and below 1e-4,
/// it has an exponent of at least two digits.
///
/// The digits are those of `serde_json`. Those of the standard library are the other ones of two
/// that are equally near: 111659285584252.12 there would end in 13.
pub(super) fn write(number: &Number, out: &mut String) {
    // JSON may write it in other ways, such as 1.50 and 1E5.
    let shortest = number.as_f64().and_then(Number::from_f64);
    let text = shortest.as_ref().unwrap_or(number).to_string();
    let (sign, text) = match text.strip_prefix('-') {
        Some(text) => ("-", text),
        None => ("", text.as_str()),
    };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let both = format!("{whole}{fraction}");
    let without_zeros = both.trim_start_matches('0');
    let digits = without_zeros.trim_end_matches('0');
    // How many digits stand in front of the point, were there no exponent.
    let point = length(whole) + exponent.parse::<i64>().unwrap_or(0)
        - (length(&both) - length(without_zeros));
    out.push_str(sign);
    match digits.split_at_checked(1) {
        None => out.push_str("0.0"),
        Some(_) if (-3..=16).contains(&point) => write_plain(digits, point, out),
        Some((first, rest)) => {
            let rest = match rest {
                "" => String::new(),
                rest => format!(".{rest}"),
            };
            let exponent = point - 1;
            let sign = if exponent < 0 { '-' } else { '+' };
            out.push_str(&format!("{first}{rest}e{sign}{:02}", exponent.abs()));
        }
    }
}

/// Writes digits with the point behind the first `point` of them, and with the zeros that are
/// needed to reach it.
fn write_plain(digits: &str, point: i64, out: &mut String) {
    let before = usize::try_from(point).unwrap_or(0);
    match digits.split_at_checked(before) {
        Some(("", rest)) => {
            let zeros = "0".repeat(usize::try_from(-point).unwrap_or(0));
            out.push_str(&format!("0.{zeros}{rest}"));
        }
        Some((whole, "")) => out.push_str(&format!("{whole}.0")),
        Some((whole, rest)) => out.push_str(&format!("{whole}.{rest}")),
        None => out.push_str(&format!("{digits:0<before$}.0")),
    }
}

fn length(text: &str) -> i64 {
    i64::try_from(text.len()).unwrap_or(i64::MAX)
}
