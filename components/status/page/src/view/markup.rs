//! The texts of updates: plain ones, and those that link from one incident to another.
//!
//! What the application writes itself about an incident carries anchors, in the form that clients know
//! from the original: `<a href='/incidents/7'>title</a>`, everything else escaped. Here such a text is
//! read, not trusted: only an anchor of exactly this form becomes a link, and all else is text.

use maud::{Markup, html};

const OPENING: &str = "<a href='/incidents/";
const CLOSING: &str = "</a>";

/// A piece of a text.
#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Link { incident: u64, text: String },
}

/// The text of an update as HTML.
pub fn text(text: &str, is_markup: bool) -> Markup {
    if !is_markup {
        return html! { (text) };
    }
    html! {
        @for piece in pieces(text) {
            @match piece {
                Piece::Text(text) => { (text) }
                Piece::Link { incident, text } => { a href={ "/incidents/" (incident) } { (text) } }
            }
        }
    }
}

fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(begin) = rest.find(OPENING) {
        let (before, anchor) = rest.split_at(begin);
        plain.push_str(before);
        match link(anchor) {
            Some((link, after)) => {
                if !plain.is_empty() {
                    pieces.push(Piece::Text(unescaped(&plain)));
                    plain.clear();
                }
                pieces.push(link);
                rest = after;
            }
            None => {
                let (opening, after) = anchor.split_at(OPENING.len());
                plain.push_str(opening);
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    if !plain.is_empty() {
        pieces.push(Piece::Text(unescaped(&plain)));
    }
    pieces
}

/// The anchor that a text begins with, and what follows it.
fn link(text: &str) -> Option<(Piece, &str)> {
    let (number, rest) = text.strip_prefix(OPENING)?.split_once("'>")?;
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (inner, after) = rest.split_once(CLOSING)?;
    if inner.contains('<') {
        return None;
    }
    let link = Piece::Link {
        incident: number.parse().ok()?,
        text: unescaped(inner),
    };
    Some((link, after))
}

/// The text behind its escapes; those that nobody here writes stay as they are.
fn unescaped(text: &str) -> String {
    const ESCAPES: [(&str, char); 7] = [
        ("&amp;", '&'),
        ("&lt;", '<'),
        ("&gt;", '>'),
        ("&quot;", '"'),
        ("&#39;", '\''),
        ("&#x27;", '\''),
        ("&apos;", '\''),
    ];
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find('&') {
        let (before, escape) = rest.split_at(begin);
        plain.push_str(before);
        let known = ESCAPES.iter().find(|(name, _)| escape.starts_with(name));
        match known {
            Some((name, character)) => {
                plain.push(*character);
                rest = escape.get(name.len()..).unwrap_or_default();
            }
            None => {
                plain.push('&');
                rest = escape.get(1..).unwrap_or_default();
            }
        }
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_anchors_become_links() {
        for (given, want) in [
            (
                "Volumes (EU-DE) moved to <a href='/incidents/7'>Slow &amp; &lt;b&gt;</a>",
                r#"Volumes (EU-DE) moved to <a href="/incidents/7">Slow &amp; &lt;b&gt;</a>"#,
            ),
            (
                "<a href='/incidents/1'>a</a><a href='/incidents/2'>b</a>",
                r#"<a href="/incidents/1">a</a><a href="/incidents/2">b</a>"#,
            ),
            (
                "<a href='https://example.org'>a</a>",
                "&lt;a href='https://example.org'&gt;a&lt;/a&gt;",
            ),
            (
                "<a href='/incidents/1' onclick='x'>a</a>",
                "&lt;a href='/incidents/1' onclick='x'&gt;a&lt;/a&gt;",
            ),
            (
                "<a href='/incidents/../x'>a</a>",
                "&lt;a href='/incidents/../x'&gt;a&lt;/a&gt;",
            ),
            (
                "<a href='/incidents/1'><script>x</script></a>",
                "&lt;a href='/incidents/1'&gt;&lt;script&gt;x&lt;/script&gt;&lt;/a&gt;",
            ),
            (
                "<a href='/incidents/1'>open",
                "&lt;a href='/incidents/1'&gt;open",
            ),
            (
                "<a href='/incidents/99999999999999999999999'>a</a>",
                "&lt;a href='/incidents/99999999999999999999999'&gt;a&lt;/a&gt;",
            ),
            (
                "<script>alert(1)</script>",
                "&lt;script&gt;alert(1)&lt;/script&gt;",
            ),
            (
                "&lt;script&gt; &#39;x&#39; &copy; &",
                "&lt;script&gt; 'x' &amp;copy; &amp;",
            ),
            (
                "é & <a href='/incidents/é",
                "é &amp; &lt;a href='/incidents/é",
            ),
        ] {
            assert_eq!(text(given, true).into_string(), want, "{given}");
        }
    }

    #[test]
    fn what_people_write_is_text() {
        let given = "<a href='/incidents/7'>a</a> &amp;";
        assert_eq!(
            text(given, false).into_string(),
            "&lt;a href='/incidents/7'&gt;a&lt;/a&gt; &amp;amp;"
        );
    }
}
