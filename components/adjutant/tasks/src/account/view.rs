//! What all pages have in common: the head, the style, the headers of the answer.

use maud::{DOCTYPE, Markup, html};
use windlass_core::Response;

const STYLE: &str = include_str!("style.css");

/// A page may load its style from here and send its forms here, and nothing else.
const POLICY: &str = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// A whole page as the answer. Its address may hold a token, so no other site learns it and no cache
/// keeps it.
pub fn page(status: u16, title: &str, body: &Markup) -> Response {
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width,initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Windlass" }
                link rel="stylesheet" href="/account/style.css";
            }
            body { main { (body) } }
        }
    };
    Response::bytes(status, "text/html; charset=utf-8", document.into_string())
        .header("content-security-policy", POLICY)
        .header("x-content-type-options", "nosniff")
        .header("referrer-policy", "no-referrer")
        .header("cache-control", "no-store")
}

/// The style of all pages.
pub fn style() -> Response {
    Response::bytes(200, "text/css; charset=utf-8", STYLE)
        .header("x-content-type-options", "nosniff")
        .header("cache-control", "max-age=3600")
}
