//! Texts that are markup: what the application itself says of events, with links to others.

use super::row::EventRef;

pub use windlass_delivery::markup::escape;

/// A link to an event.
pub fn link(event: &EventRef) -> String {
    format!(
        "<a href='/incidents/{}'>{}</a>",
        event.id,
        escape(&event.title)
    )
}
