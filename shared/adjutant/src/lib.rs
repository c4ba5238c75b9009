//! Adjutant: what people ask for, what administrators approve, and what becomes of it.
//!
//! A *task* is one request: a new project, an invitation, a forgotten password. Its *actions* say what
//! is done, in their order, in three steps: prepared when it is asked for, approved by an
//! administrator or by themselves, and submitted with the *token* that was mailed to somebody.
//! *Notifications* tell administrators what needs them.
//!
//! Everything an action does is in the same database as its task, so each step of a task is one
//! transaction: a crash leaves all of a step or nothing of it, and no step needs to be mended.

pub mod actions;
pub mod environments;
pub mod fields;
pub mod filters;
pub mod lifecycle;
pub mod mails;
pub mod members;
pub mod notifications;
pub mod people;
pub mod quotas;
pub mod roles;
pub mod settings;
pub mod submissions;
pub mod task_type;
pub mod tasks;
pub mod tokens;
mod wire;

#[cfg(test)]
mod testing;

pub use actions::ActionKind;
pub use lifecycle::Submission;
pub use settings::Settings;
pub use task_type::TaskType;
