//! Whose page it is: its name, colour, logo, and a link in the footer, as the operator's variables say. What is
//! not set, or cannot be understood, is as it is without them.

use std::cell::Cell;
use windlass_core::http::Uri;
use windlass_core::http::uri::Authority;
use windlass_core::variables;

/// The name of a page that has none of its own.
const NAME: &str = "Status Dashboard";

/// How the page presents itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brand {
    /// Its name: in the head, in titles and in feeds.
    pub name: String,
    /// The colour of the logo and of the line above the page: `#rrggbb`.
    pub colour: Option<String>,
    /// The URL of a picture in the place of the logo.
    pub logo: Option<String>,
    /// Where the footer leads to.
    pub link: Option<String>,
}

thread_local! {
    static BRAND: Cell<Option<&'static Brand>> = const { Cell::new(None) };
}

/// Reads the variables, once in the life of an instance. Handlers that answer with a page begin with it.
pub async fn load() {
    if BRAND.get().is_some() {
        return;
    }
    let text = async |name: &str| variables::text(name).await.unwrap_or_default();
    let brand = Brand::of(
        &text("status_name").await,
        &text("status_colour").await,
        &text("status_logo").await,
        &text("status_link").await,
    );
    // It lives as long as the instance does.
    BRAND.set(Some(Box::leak(Box::new(brand))));
}

/// The brand that was loaded, else that of a page without one.
pub fn brand() -> &'static Brand {
    BRAND.get().unwrap_or_else(|| {
        thread_local! {
            static PLAIN: &'static Brand = Box::leak(Box::new(Brand::of("", "", "", "")));
        }
        PLAIN.with(|plain| *plain)
    })
}

impl Brand {
    fn of(name: &str, colour: &str, logo: &str, link: &str) -> Self {
        let set = |text: &str| Some(text.to_owned());
        Self {
            name: if name.is_empty() { NAME } else { name }.to_owned(),
            colour: set(colour).filter(|colour| is_colour(colour)),
            logo: set(logo).filter(|logo| origin(logo).is_some()),
            link: set(link).filter(|link| origin(link).is_some()),
        }
    }

    /// Where the picture comes from, for the policy of the page.
    pub fn logo_origin(&self) -> Option<String> {
        self.logo.as_deref().and_then(origin)
    }

    /// Rules that follow those of the style sheet.
    pub fn style(&self) -> String {
        match &self.colour {
            Some(colour) => {
                format!(".logo{{fill:{colour}}}header{{border-top:4px solid {colour}}}")
            }
            None => String::new(),
        }
    }
}

/// Six digits after a `#`, so that nothing else gets into the style sheet.
fn is_colour(text: &str) -> bool {
    let digits = text.strip_prefix('#').unwrap_or_default();
    digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Scheme, host and port of a URL of the web.
fn origin(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    let scheme = uri
        .scheme_str()
        .filter(|scheme| matches!(*scheme, "http" | "https"))?;
    let authority = uri.authority().map(Authority::as_str)?;
    // What would end the directive of a policy, or hide another host.
    let is_plain = !authority.is_empty() && !authority.contains(['@', ';', ',', '\'']);
    is_plain.then(|| format!("{scheme}://{authority}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_understood_is_as_if_it_were_not_set() {
        let plain = Brand::of("", "red;}", "javascript:alert(1)", "//x");
        assert_eq!(plain.name, "Status Dashboard");
        assert_eq!(
            (
                plain.colour.as_ref(),
                plain.logo.as_ref(),
                plain.link.as_ref()
            ),
            (None, None, None)
        );
        assert_eq!(plain.style(), "");
        let own = Brand::of(
            "Harbour <b>",
            "#0a7B3c",
            "https://cdn.example:8443/logo.svg",
            "https://harbour.example/help",
        );
        assert_eq!(own.name, "Harbour <b>");
        assert_eq!(
            own.logo_origin().as_deref(),
            Some("https://cdn.example:8443")
        );
        assert!(own.style().contains("fill:#0a7B3c"));
        for colour in ["#fff", "#12345g", "0a7b3c", "#0a7b3c;"] {
            assert_eq!(Brand::of("", colour, "", "").colour, None, "{colour}");
        }
        for url in [
            "https://a@b.example/x",
            "ftp://a.example",
            "https://",
            "/logo.svg",
        ] {
            assert_eq!(Brand::of("", "", url, url).logo, None, "{url}");
        }
    }
}
