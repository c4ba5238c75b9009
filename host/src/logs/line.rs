//! One line of the log: what is in it, and how people read it.

use serde_json::{Map, Value};
use std::fmt::Write as _;

/// How the line of a request begins that was answered as it should be, after its time.
const GOOD_REQUEST: &str = r#""level":"info","text":"request","#;

/// Where the level of a line is, at the latest.
const HEAD_BYTES: usize = 96;

/// Whether a component's line is about a request that was answered as it should be.
pub fn is_of_good_request(line: &[u8]) -> bool {
    let head = line.get(..HEAD_BYTES).unwrap_or(line);
    let wanted = GOOD_REQUEST.as_bytes();
    head.starts_with(b"{") && head.windows(wanted.len()).any(|part| part == wanted)
}

/// What is in a line that is JSON.
pub fn fields(line: &[u8]) -> Option<Map<String, Value>> {
    if !line.starts_with(b"{") {
        return None;
    }
    serde_json::from_slice(line).ok()
}

/// A line for people: time, level and text, then what belongs to it as `name=value`. Requests are the
/// line of an access log.
pub fn render(fields: &Map<String, Value>, is_coloured: bool) -> String {
    let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    let paint = |code: &str, text: &str| match is_coloured {
        true => format!("\x1b[{code}m{text}\x1b[0m"),
        false => text.to_owned(),
    };
    let level = text("level");
    let colour = match level {
        "error" => "31",
        "warning" => "33",
        _ => "32",
    };
    let mut line = format!(
        "{} {} ",
        paint("2", text("time")),
        paint(colour, &format!("{level:7}"))
    );
    let mut told = vec!["time", "level", "text"];
    if text("text") == "request" {
        let millis = fields.get("micros").and_then(Value::as_f64).unwrap_or(0.0) / 1000.0;
        let status = fields.get("status").map(plain).unwrap_or_default();
        let (method, path) = (text("method"), text("path"));
        let _ = write!(line, "{method} {path} {status} {millis:.1} ms");
        told.extend(["method", "path", "status", "micros", "route", "request_id"]);
    } else {
        line.push_str(&harmless(text("text")));
    }
    for (name, value) in fields {
        if told.contains(&name.as_str()) || value.is_null() {
            continue;
        }
        let _ = write!(line, " {}{}", paint("2", &format!("{name}=")), plain(value));
    }
    line
}

/// A value as it is read: a text of one word without quotes. What would do something to a terminal is escaped.
fn plain(value: &Value) -> String {
    let needs_quotes = |letter: char| letter == ' ' || letter == '"' || letter.is_control();
    match value {
        Value::String(text) if !text.contains(needs_quotes) && !text.is_empty() => text.clone(),
        other => harmless(&other.to_string()),
    }
}

/// A text without control characters: JSON leaves those beyond ASCII as they are.
fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            letter if letter.is_control() => {
                let _ = write!(shown, "\\u{:04x}", u32::from(letter));
            }
            letter => shown.push(letter),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &str = r#"{"time":"2026-01-01T00:00:00.000Z","level":"info","text":"request","method":"GET","path":"/status","route":"/status","status":200,"micros":1250,"request_id":"a-1","caller":"admin"}"#;

    #[test]
    fn people_read_a_request_as_in_an_access_log() {
        let found = fields(REQUEST.as_bytes()).unwrap();
        assert_eq!(
            render(&found, false),
            "2026-01-01T00:00:00.000Z info    GET /status 200 1.2 ms caller=admin"
        );
    }

    #[test]
    fn other_lines_have_their_text_and_what_belongs_to_it() {
        let line = r#"{"time":"T","level":"warning","text":"login refused","address":"192.0.2.7","n":3,"none":null,"why":"a b"}"#;
        let found = fields(line.as_bytes()).unwrap();
        let wanted = "T warning login refused address=192.0.2.7 n=3 why=\"a b\"";
        assert_eq!(render(&found, false), wanted);
        let painted = render(&found, true);
        assert!(painted.contains("\x1b[33mwarning\x1b[0m"), "{painted}");
        assert!(fields(b"thread panicked").is_none());
        assert!(fields(b"{ half").is_none());
    }

    #[test]
    fn nothing_in_a_line_steers_a_terminal_or_makes_a_second_line() {
        let steering = "\u{1b}[2J\u{9b}1m\u{7f}\r\n";
        let line = serde_json::json!({
            "time": "T", "level": "info", "text": steering, "why": steering, "more": format!("a {steering}"),
        });
        let shown = render(line.as_object().unwrap(), false);
        assert!(!shown.contains(char::is_control), "{shown:?}");
        let wanted = r#"why="\u001b[2J\u009b1m\u007f\r\n""#;
        assert!(shown.contains(wanted), "{shown}");
    }

    #[test]
    fn a_request_that_failed_is_no_good_one() {
        assert!(is_of_good_request(REQUEST.as_bytes()));
        let failed = REQUEST.replace(r#""info""#, r#""error""#);
        assert!(!is_of_good_request(failed.as_bytes()));
        assert!(!is_of_good_request(b"request"));
        let other = r#"{"time":"T","level":"info","text":"session given"}"#;
        assert!(!is_of_good_request(other.as_bytes()));
    }
}
