//! Subscriptions: who wants to be told, how, and about what.
//!
//! Nobody is told anything before they confirmed it: whoever reads the address's mail with a link, a
//! webhook by answering with a challenge. What is not confirmed within [`LIFETIME`] is dropped.

mod link;
mod list;
mod rate_limit;
mod request;
mod row;
mod secret;

#[cfg(test)]
pub(crate) mod tests;

pub use link::{Link, find_by_token};
pub use list::{Choices, choices, list};
pub use rate_limit::count_request;
pub use request::{NewSubscription, add_room, demand_in_catalogue, request};
pub use row::{Subscription, confirm, delete, find, unsubscribe};
pub(crate) use row::{disable, expire, note_failure, note_request, note_success};
pub use secret::Secret;

/// How long a subscription waits for its confirmation, in seconds.
pub const LIFETIME: i64 = 48 * 3600;

/// How long an address is left in peace between two requests to confirm, in seconds.
pub const PEACE: i64 = 3600;

windlass_core::named_enum! {
    /// How a subscriber is told.
    pub enum Channel {
        /// By a mail to an address.
        Email = "email",
        /// By a signed request to a URL.
        Webhook = "webhook",
    }
}

windlass_core::named_enum! {
    /// In which form a webhook is told.
    pub enum Format {
        /// As the API documents it, for programs.
        Standard = "standard",
        /// As an incoming webhook of Slack takes it; those of Mattermost and Rocket.Chat, too.
        Slack = "slack",
        /// As a workflow of Microsoft Teams takes it.
        Teams = "teams",
        /// As a webhook of Discord takes it.
        Discord = "discord",
    }
}
