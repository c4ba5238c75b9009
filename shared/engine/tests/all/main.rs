//! The engine from outside: whole workflows against a database, without a network or a clock.
//!
//! One program of all of them: what the engine is made of is compiled for the tests' database once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by a panic"
)]

mod agents;
mod beside;
mod busy;
mod checks;
mod common;
mod components;
mod control;
mod crashes;
mod dry_run;
mod failures;
mod fairness;
mod groups;
mod heal;
mod idle;
mod install;
mod lease_work;
mod leases;
mod leftovers;
mod parameters;
mod plugins_updates;
mod scale;
mod schedules;
mod second_tries;
mod sent_operations;
mod services;
mod sweep;
mod update_options;
mod updates;
mod weight;
mod workflow_leases;
