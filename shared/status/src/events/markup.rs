//! Texts that are markup: what the application itself says of events, with links to others.

use super::row::EventRef;

/// A link to an event.
pub fn link(event: &EventRef) -> String {
    format!(
        "<a href='/incidents/{}'>{}</a>",
        event.id,
        escape(&event.title)
    )
}

/// A text as it stands in markup.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}
