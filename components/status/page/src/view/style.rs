//! The style sheet as it goes into a page, and the hash that the policy allows it by.

use base64::Engine as _;
use sha2::{Digest, Sha256};
use std::cell::OnceCell;

const SOURCE: &str = include_str!("../assets/style.css");

/// The style of all pages.
#[derive(Clone, Copy)]
pub struct Sheet {
    /// What stands between `<style>` and `</style>`.
    pub text: &'static str,
    /// Its hash in the words of a Content-Security-Policy.
    pub hash: &'static str,
}

/// The style sheet, made ready once in the life of an instance.
pub fn sheet() -> Sheet {
    thread_local! {
        static SHEET: OnceCell<Sheet> = const { OnceCell::new() };
    }
    SHEET.with(|known| {
        *known.get_or_init(|| {
            let text = tightened(SOURCE) + &super::brand::brand().style();
            let digest = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(&text));
            // Both live as long as the instance does.
            Sheet {
                text: text.leak(),
                hash: format!("sha256-{digest}").leak(),
            }
        })
    })
}

/// The rules without comments and indentation. The file keeps to one comment or declaration a line.
fn tightened(source: &str) -> String {
    let mut text = String::with_capacity(source.len());
    for line in source.lines().map(str::trim) {
        if line.starts_with("/*") {
            continue;
        }
        text.push_str(
            &line
                .replace(": ", ":")
                .replace(", ", ",")
                .replace(" {", "{"),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_style_is_whole_and_cannot_end_its_element() {
        let sheet = sheet();
        assert!(!sheet.text.contains('<'), "nothing closes the element");
        assert!(!sheet.text.contains("*/") && !sheet.text.contains("url("));
        assert_eq!(
            sheet.text.matches('{').count(),
            sheet.text.matches('}').count()
        );
        assert!(SOURCE.lines().all(|line| {
            let line = line.trim();
            !line.starts_with("/*") || line.ends_with("*/")
        }));
    }
}
