//! Mail and webhooks: how what the application has to tell reaches people and programs.
//!
//! Several families tell things, so nothing here knows what a message is about. An attempt ends
//! in a [`Sent`], which says whether another one makes sense; who queued it decides when.

pub mod mail;
pub mod markup;
mod settings;
mod smtp;
pub mod webhook;

pub use settings::{MailServer, Settings, public_url};

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It arrived.
    Delivered,
    /// It did not, and may do so later: why, and in how many seconds the other side asks for it.
    Later(String, Option<i64>),
    /// It did not and never will.
    Never(String),
    /// The receiver wants nothing any more.
    Gone(String),
}
