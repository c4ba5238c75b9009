//! What all pages have in common: the head, the way around, the headers of the answer.

use super::brand::{Brand, brand};
use super::style;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use windlass_core::Response;
use windlass_status::direction::without_turns;

/// The pages that every page leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// How everything is now.
    Status,
    /// What is over.
    History,
    /// How available everything was.
    Availability,
    /// How to be told what happens.
    Subscribe,
    /// None of them.
    Elsewhere,
}

const NAVIGATION: [(Section, &str, &str); 4] = [
    (Section::Status, "/status", "Status"),
    (Section::History, "/history", "History"),
    (Section::Availability, "/availability", "Availability"),
    (Section::Subscribe, "/status/subscribe", "Subscribe"),
];

/// A whole page as the answer. The body goes into the page's `main`, and begins with an `h1`. What
/// people named is in an element of its own direction there; nothing else turns a text.
pub fn page(status: u16, section: Section, title: &str, body: &Markup) -> Response {
    let (style, brand) = (style::sheet(), brand());
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width,initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · " (brand.name) }
                link rel="icon" type="image/svg+xml" href="/status/favicon.svg";
                link rel="alternate" type="text/calendar" title="Maintenances" href="/status/calendar.ics";
                style { (PreEscaped(style.text)) }
                script src="/status/times.js" defer {}
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                (PreEscaped(include_str!("../assets/icons.svg").trim_end()))
                header {
                    div.in {
                        a.brand href="/status" { (logo(brand)) (brand.name) }
                        nav aria-label="Pages" {
                            @for (of, address, name) in NAVIGATION {
                                a href=(address) aria-current=[(of == section).then_some("page")] { (name) }
                            }
                        }
                    }
                }
                main #main.in tabindex="-1" { (body) }
                footer {
                    div.in {
                        p #zone { "All times are in UTC." }
                        p {
                            @if let Some(link) = &brand.link {
                                a href=(link) { (brand.name) } " · "
                            }
                            a href="/status/summary.json" { "Summary as JSON" } " · "
                            a href="/status/badge.svg" { "Badge" } " · "
                            a href="/api-spec.json" { "API" }
                        }
                    }
                }
            }
        }
    };
    let document = document.into_string();
    let document = without_turns(&document).into_owned();
    Response::bytes(status, "text/html; charset=utf-8", document.into_bytes())
        .header("content-security-policy", policy(style.hash, brand))
        .header("x-content-type-options", "nosniff")
        .header("referrer-policy", "strict-origin-when-cross-origin")
        .header("cache-control", "no-cache")
}

/// A page that says what is wrong with the address.
pub fn error_page(status: u16, title: &str, text: &str) -> Response {
    let body = html! {
        div.empty {
            h1 { (title) }
            p { (text) }
            p { a.button href="/status" { "To the status page" } }
        }
    };
    page(status, Section::Elsewhere, title, &body)
}

/// Nothing but our own style, our own script, our own pictures, and forms that come back to us.
fn policy(hash: &str, brand: &Brand) -> String {
    let origin = brand.logo_origin().map(|origin| format!(" {origin}"));
    let origin = origin.unwrap_or_default();
    format!(
        "default-src 'none'; style-src '{hash}'; script-src 'self'; img-src 'self' data:{origin}; form-action 'self'; \
         base-uri 'none'; frame-ancestors 'none'"
    )
}

fn logo(brand: &Brand) -> Markup {
    html! {
        @match &brand.logo {
            Some(logo) => { img.logo src=(logo) alt=""; }
            None => { svg.logo aria-hidden="true" { use href="#logo" {} } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_escapes_its_title_and_says_where_it_is() {
        let body = html! { h1 { "<b>" } };
        let response = page(200, Section::History, "</title><script>", &body);
        let text = String::from_utf8(response.body).unwrap();
        assert!(text.contains("<title>&lt;/title&gt;&lt;script&gt; · Status Dashboard</title>"));
        assert!(text.contains("<h1>&lt;b&gt;</h1>"));
        assert!(text.contains(r#"<a href="/history" aria-current="page">History</a>"#));
        assert_eq!(text.matches("aria-current=\"page\"").count(), 1);
        assert_eq!(text.matches("<script").count(), 1);
        assert!(text.contains("<script src=\"/status/times.js\" defer></script>"));
    }

    #[test]
    fn nothing_turns_the_text_around_it() {
        let body = html! { h1 { "a\u{202e}b\u{2066}c" } p { "שלום" } };
        let response = page(200, Section::Status, "t\u{202b}", &body);
        let text = String::from_utf8(response.body).unwrap();
        assert!(text.contains("<h1>abc</h1><p>שלום</p>"), "{text}");
        assert!(!text.contains(windlass_status::direction::turns));
    }

    #[test]
    fn the_policy_names_the_style_that_is_in_the_page() {
        use base64::Engine as _;
        use sha2::{Digest, Sha256};
        let response = error_page(404, "Not found", "nothing");
        let text = String::from_utf8(response.body).unwrap();
        let style = text.split_once("<style>").unwrap().1;
        let style = style.split_once("</style>").unwrap().0;
        let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(style));
        let policy = &response
            .headers
            .iter()
            .find(|(name, _)| *name == "content-security-policy");
        assert!(
            policy
                .unwrap()
                .1
                .contains(&format!("style-src 'sha256-{hash}';"))
        );
    }
}
