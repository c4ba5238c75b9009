//! Components that leave an event for another.

use super::markup::{escape, link};
use super::row::{EventRef, NewUpdate, SYSTEM, add_update};
use crate::components::Component;
use windlass_core::db::Tx;
use windlass_core::{Result, Timestamp};

/// A component on its way, and who moves it when.
pub(crate) struct Member<'a> {
    pub(crate) component: &'a Component,
    pub(crate) by: &'a str,
    pub(crate) now: Timestamp,
}

impl Member<'_> {
    /// Tells in an event what happened to the component. `what` is markup.
    pub(crate) async fn tell(&self, tx: &impl Tx, event: &EventRef, what: &str) -> Result<()> {
        let text = format!("{} {what}", escape(&self.component.label()));
        let update = NewUpdate {
            status: SYSTEM,
            text: &text,
            is_markup: true,
            at: self.now,
        };
        add_update(tx, event, &update, self.by, self.now).await
    }
}

/// Tells both events of a component that left the one for the other.
pub(crate) async fn tell_of_move(
    tx: &impl Tx,
    member: &Member<'_>,
    from: &EventRef,
    to: &EventRef,
) -> Result<()> {
    let told = format!("moved from {}", link(from));
    member.tell(tx, to, &told).await?;
    let told = format!("moved to {}", link(to));
    member.tell(tx, from, &told).await
}
