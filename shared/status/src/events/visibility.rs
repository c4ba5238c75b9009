//! Who may see which events. This is the only place with that rule.

use windlass_core::Scope;
use windlass_core::caller::Reach;

/// The condition on `status_incidents i` for what the public may know of. A maintenance that was
/// called off before the public knew of it stays unknown.
pub(crate) const PUBLIC: &str = "(i.status not in ('pending_review', 'reviewed') \
     and (i.status <> 'cancelled' or i.kind <> 'maintenance' or exists ( \
         select 1 from status_updates known where known.incident_id = i.id \
         and known.status in ('planned', 'modified', 'in_progress'))))";

/// The condition on `status_incidents i` for maintenances that are not called off, over or yet to be
/// approved, whatever the clock says.
pub(crate) const EFFECTIVE_MAINTENANCE: &str = "i.kind = 'maintenance' \
     and i.status not in ('cancelled', 'completed', 'pending_review', 'reviewed')";

/// The condition on `status_incidents i` for what a scope sees: the public sees [`PUBLIC`], people who
/// are logged in and the application's own work see everything. A monitor is no person.
pub(crate) fn visible(scope: &Scope) -> &'static str {
    if is_insider(scope) { "true" } else { PUBLIC }
}

/// Whether a scope sees what the public does not.
pub(crate) fn is_insider(scope: &Scope) -> bool {
    match scope.caller() {
        Ok(caller) => caller.monitor().is_none(),
        Err(_) => *scope.reach() == Reach::Everywhere,
    }
}
