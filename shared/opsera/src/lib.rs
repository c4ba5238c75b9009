//! Opsera: tools, pipelines and their runs, what people did, who there is, and what all of it tells.
//!
//! A *pipeline* is a plan of *steps*, each of which calls a *tool* or does something here. A *run* is
//! one go through the plan: [`lifecycle`] begins, stops and approves, [`drive`] says what follows from
//! what has happened, [`steps`] does the work of the queue. An account of Opsera is a tenant.

pub mod access;
pub mod activity;
pub mod body;
pub mod directory;
pub mod drive;
pub mod insights;
pub mod lifecycle;
pub mod logs;
pub mod pipelines;
pub mod plan;
pub mod rows;
pub mod runs;
mod secrets;
pub mod steps;
mod template;
pub mod tools;

#[cfg(test)]
mod testing;
