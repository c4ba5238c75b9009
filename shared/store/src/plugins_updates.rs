//! Updates of plugins: a blueprint's deployments get the newest plugins that its imports allow.
//!
//! A hidden copy of the blueprint has the plan with these plugins. The deployments get that copy one after the
//! other, and in the end the blueprint gets its plan and the deployments back. The rows of the deployments
//! say how far that is; what happens next is the engine's to decide.

mod copy;
mod deployments;
mod row;
mod state;

pub use copy::{adopt, let_go, new_copy_id};
pub use deployments::{
    Member, MemberState, NewMember, Progress, begin_member, deployments_of, end_member,
    insert_members, left_behind, newcomers, next_member, other_tenants, progress, retry_failed,
    started_member,
};
pub use row::{
    NewPluginsUpdate, PLUGINS_UPDATE, PluginsUpdate, Running, active, finalize, insert,
    of_execution, reevaluate, running, set_state,
};
pub use state::PluginsUpdateState;

#[cfg(test)]
mod tests;
