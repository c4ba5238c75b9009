//! Operations: the steps of a tasks graph, one row each.
//!
//! The engine makes most of them and runs them itself. Workflows that run outside keep their books
//! here too: what they store, change and delete one by one is in `client`.

mod client;
mod engine;
mod inputs;
mod list;
mod state;
#[cfg(test)]
mod tests;

pub(crate) use client::insert;
pub use client::{
    ClientOperation, NewOperation, StateReport, create, delete, find, report, set_state,
};
pub use engine::{
    CallOnItsWay, DueCall, EngineOperation, NewDependencies, OpenOperation, OperationChange,
    add_dependencies, execution_of, failed_subgraphs, find_due, forget_islands, give_up,
    insert_all, on_their_way, open_around, open_of_graph, reset, take_back, update_all,
};
pub use inputs::{Declared, DeclaredInputs, declared_inputs, set_inputs};
pub use list::OPERATIONS;
pub use state::OperationState;
