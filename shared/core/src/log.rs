//! Structured log lines: one JSON object a line on standard error.
//!
//! Spin and the platforms that run it collect a component's standard error as it is. Secrets,
//! passwords and bodies are never given to these functions.

use serde_json::{Map, Value};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write as _;

/// How loud a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// One line per request and other normal events.
    Info,
    /// Something an operator should look at some day.
    Warning,
    /// Something failed that should not have.
    Error,
}

/// Writes one line. `fields` come after the level, time and text.
pub fn line(level: Level, text: &str, fields: impl IntoIterator<Item = (&'static str, Value)>) {
    let mut line = Map::new();
    let level = match level {
        Level::Info => "info",
        Level::Warning => "warning",
        Level::Error => "error",
    };
    line.insert("time".into(), crate::Timestamp::now().to_string().into());
    line.insert("level".into(), level.into());
    line.insert("text".into(), text.into());
    line.extend(
        fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value)),
    );
    let mut line = Value::Object(line).to_string();
    line.push('\n');
    // In one piece: standard error is not buffered, and every write is a call to the host.
    // Where it is closed there is nobody to tell.
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// The text with only the ids of the tokens in it: clients that take a value for an id send it
/// where it does not belong, in paths, and refusals repeat it. Adjutant's tokens are a part of paths
/// and have no id.
pub fn without_tokens(text: &str) -> Cow<'_, str> {
    const PLACES: [&str; 3] = ["/v1/tokens/", "/v1/token/", "/account/token/"];
    match PLACES.iter().find(|place| text.contains(**place)) {
        Some(place) => without_ids(&without_segment(text, place))
            .into_owned()
            .into(),
        None => without_ids(text),
    }
}

/// The text without what follows a part of a path.
fn without_segment(text: &str, place: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(place) {
        shown.push_str(before);
        shown.push_str(place);
        let end = after
            .find(|c: char| !c.is_ascii_alphanumeric() && !"-_%.~".contains(c))
            .unwrap_or(after.len());
        let (segment, after) = after.split_at(end);
        if !segment.is_empty() {
            shown.push_str("***");
        }
        rest = after;
    }
    shown + rest
}

fn without_ids(text: &str) -> Cow<'_, str> {
    // Users' tokens are `ctok-..`, sessions `stok-..`.
    const PREFIX: &str = "tok-";
    if !text.contains(PREFIX) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, token)) = rest.split_once(PREFIX) {
        shown.push_str(before);
        shown.push_str(PREFIX);
        let end = token
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '-')
            .unwrap_or(token.len());
        let (token, after) = token.split_at(end);
        match token.split_once('-') {
            Some((id, _)) => {
                shown.push_str(id);
                shown.push_str("-***");
            }
            None => shown.push_str(token),
        }
        rest = after;
    }
    shown.push_str(rest);
    shown.into()
}

/// How long the same error is not written again, in milliseconds.
const PEACE: i64 = 60_000;

/// The most errors that are remembered. What is more is written each time.
const REMEMBERED: usize = 64;

/// An error line about something that has no request to answer. What fails again and again, such as a database
/// that nobody can write to, is written once a minute by an instance; the next line says how often it
/// failed in between.
pub fn error(text: &str, error: &crate::Error) {
    thread_local! {
        static SEEN: RefCell<Seen> = const { RefCell::new(Seen(BTreeMap::new())) };
    }
    let error = error.for_log();
    let now = crate::Timestamp::now().millis();
    let left_out = SEEN.with(|seen| seen.borrow_mut().note(format!("{text}: {error}"), now));
    match left_out {
        None => {}
        Some(0) => line(Level::Error, text, [("error", error.into())]),
        Some(times) => {
            let fields = [("error", error.into()), ("left_out", times.into())];
            line(Level::Error, text, fields);
        }
    }
}

/// When which error was written the last time, and how often it was left out since.
struct Seen(BTreeMap<String, (i64, u64)>);

impl Seen {
    /// Whether an error is to be written now: how often it was left out before. A clock that was set back
    /// leaves nothing out.
    fn note(&mut self, error: String, now: i64) -> Option<u64> {
        if let Some((written, left_out)) = self.0.get_mut(&error)
            && (*written..*written + PEACE).contains(&now)
        {
            *left_out += 1;
            return None;
        }
        if self.0.len() >= REMEMBERED {
            self.0
                .retain(|_, (written, _)| (*written..*written + PEACE).contains(&now));
        }
        let before = self.0.remove(&error).map_or(0, |(_, left_out)| left_out);
        if self.0.len() < REMEMBERED {
            self.0.insert(error, (now, 0));
        }
        Some(before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_error_is_written_once_a_minute() {
        let mut seen = Seen(BTreeMap::new());
        let mut note = |error: &str, now| seen.note(error.to_owned(), now);
        for (error, now, want) in [
            ("disk", 0, Some(0)),
            ("disk", 1_000, None),
            ("net", 1_000, Some(0)),
            ("disk", 59_999, None),
            ("disk", 60_000, Some(2)),
            ("disk", 60_001, None),
            // The clock was set back.
            ("disk", 5, Some(1)),
        ] {
            assert_eq!(note(error, now), want, "{error} {now}");
        }
    }

    #[test]
    fn so_many_errors_are_remembered_and_no_more() {
        let mut seen = Seen(BTreeMap::new());
        for number in 0..200 {
            assert_eq!(seen.note(number.to_string(), 1), Some(0));
        }
        assert_eq!(seen.0.len(), REMEMBERED);
        assert_eq!(seen.note("199".into(), 2), Some(0), "not remembered");
        assert_eq!(seen.note("new".into(), 70_000), Some(0));
        assert_eq!(seen.0.len(), 1, "the old ones are forgotten");
    }

    #[test]
    fn a_token_in_a_text_loses_its_secret() {
        for (text, want) in [
            (
                "/tokens/ctok-abcdefghij-0123456789",
                "/tokens/ctok-abcdefghij-***",
            ),
            ("a ctok-a-b, stok-c-d!", "a ctok-a-***, stok-c-***!"),
            (
                "Could not find token ctok-abc",
                "Could not find token ctok-abc",
            ),
            ("/v1/tokens/0123456789abcdef", "/v1/tokens/***"),
            ("no `/v1/token/0123/x` here", "no `/v1/token/***/x` here"),
            ("/account/token/0123-45", "/account/token/***"),
            ("/v1/tokens/", "/v1/tokens/"),
            ("nothing here", "nothing here"),
            ("ctok-a-", "ctok-a-***"),
        ] {
            assert_eq!(without_tokens(text), want);
        }
    }
}
