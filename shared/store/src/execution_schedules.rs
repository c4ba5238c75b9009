//! Execution schedules: workflows that start by themselves, once or again and again.
//!
//! A schedule belongs to a deployment and is known by its id there. Its next occurrence is a row of
//! the queue as long as it is enabled; what an occurrence does is the engine's to say.

mod defaults;
mod list;
mod occurrence;
mod row;
#[cfg(test)]
mod tests;

pub use defaults::{Known, delete_default, insert_default, known, redefine};
pub use list::SCHEDULES;
pub use occurrence::{Due, disable, find_due, move_on};
pub use row::{Arguments, NewSchedule, Schedule, delete, find_own, insert, save};
