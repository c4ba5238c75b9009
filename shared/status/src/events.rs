//! Events: the incidents, maintenances and announcements of the table `status_incidents`.
//!
//! People open and change them ([`open`], [`change`], [`extract`]), the clock begins and ends them
//! ([`advance`]), and monitors report incidents (`crate::reports`). All of them write with `row`.

mod clock;
mod extraction;
mod kind;
mod list;
mod markup;
pub mod monitor_list;
mod moves;
mod opening;
mod row;
mod update;
mod visibility;

#[cfg(test)]
mod tests;

pub use clock::advance;
pub use extraction::extract;
pub use kind::{BAD, EventKind, impact_name, impact_named};
pub use list::{Filter, find_json, list};
pub use markup::{escape, link};
pub use opening::{Opened, Placed, open};
pub use row::{Event, EventRef, NewEvent, SYSTEM, find};
pub use update::{change, rewrite_update};

pub(crate) use moves::{Member, tell_of_move};
pub(crate) use row::{
    NewUpdate, Origin, add_component, add_update, close, insert, remove_component, set_impact,
};
pub(crate) use visibility::{EFFECTIVE_MAINTENANCE, PUBLIC, is_insider, visible};

use windlass_core::{Error, Kind};

/// The refusal of an event that there is not.
pub fn unknown() -> Error {
    Error::new(Kind::NotFound, "event does not exist")
}
