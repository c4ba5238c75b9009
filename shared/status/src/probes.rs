//! Probes: this installation asks by itself whether something answers, over HTTP or TCP, and a component
//! is down after so many failures in a row, and well again after so many successes.
//!
//! A probe that is down is a signal (see [`crate::signals`]), so its incident begins and ends by the same
//! rules as an alert's. Each check is a row of the queue that puts itself back: two hosts share the work,
//! and a kill costs one check at most. What went wrong names what is inside and is for operators; the
//! public sees how long answers took.

mod checking;
mod history;
mod row;
mod settings;

pub use checking::{pass_over, run};
pub use history::{SLOT, Slot, charted, history, slot_of};
pub use row::{Probe, delete, find, list, save};
pub use settings::{Check, Settings};

#[cfg(test)]
mod tests;
