//! How the pages look: HTML made here, without a script and without anything from elsewhere.
//!
//! `maud` escapes every text by default; the only texts that are taken as markup are the icons and the
//! style sheet, which are files of this component. One request loads a page: the style is in it,
//! and the policy that goes with it allows that style by its hash and nothing else.

mod bars;
pub mod brand;
mod events;
mod layout;
mod markup;
mod states;
mod style;
mod times;

pub use bars::{DAYS, Day, bars};
pub use events::{article, class, facts, updates};
pub use layout::{Section, error_page, page};
pub use states::{Picture, icon, label, legend};
pub use times::duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What may stand unescaped in the value of a query.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A text as the value of a query parameter in a link.
pub fn in_query(text: &str) -> String {
    utf8_percent_encode(text, QUERY).to_string()
}
