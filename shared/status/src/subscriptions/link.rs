//! The links that mails carry: each has a token that only its subscription knows.

use super::LIFETIME;
use super::row::{JSON, Subscription};
use windlass_core::db::Db;
use windlass_core::{Result, Timestamp, hashing, params};

/// Which of a subscription's two tokens a link carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// The one that confirms.
    Confirm,
    /// The one that ends it.
    Unsubscribe,
}

impl Link {
    const fn column(self) -> &'static str {
        match self {
            Self::Confirm => "confirm_hash",
            Self::Unsubscribe => "unsubscribe_hash",
        }
    }
}

/// The subscription that a link's token belongs to, if it is of use any more. Who has the token needs
/// no other right.
pub async fn find_by_token(
    db: &impl Db,
    link: Link,
    token: &str,
    now: Timestamp,
) -> Result<Option<Subscription>> {
    let sql = format!(
        "select {JSON} from status_subscriptions
         where {} = ?1 and (?2 or confirmed_at is not null or requested_at > ?3)",
        link.column()
    );
    let parameters = params![
        hashing::digest(token),
        link == Link::Unsubscribe,
        now.plus_seconds(-LIFETIME)
    ];
    db.first_json(&sql, parameters).await
}
