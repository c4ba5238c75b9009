//! Which instances each part of an update is about.

use crate::plan::{Node, Topology};
use crate::workflows::{UpdateAct, UpdateOptions, can_follow, can_tell_drift, has_operation};
use std::collections::{HashMap, HashSet};
use windlass_store::deployment_updates::work::{Item, Role};

/// What an update has to do.
pub(super) struct Roles<'a> {
    work: &'a [Item],
    drifted: Vec<String>,
}

impl<'a> Roles<'a> {
    /// What was written down at the beginning, and the instances that were found to have drifted.
    pub const fn new(work: &'a [Item], drifted: Vec<String>) -> Self {
        Self { work, drifted }
    }

    /// The instances of a role.
    pub fn of(&self, role: Role) -> Vec<String> {
        let items = self.work.iter().filter(|item| item.role == role);
        items.map(|item| item.instance_id.clone()).collect()
    }

    fn has(&self, role: Role) -> bool {
        self.work.iter().any(|item| item.role == role)
    }

    fn changes(&self) -> bool {
        self.has(Role::Changed) || !self.drifted.is_empty()
    }

    /// Whether a choice finds nothing, which is seen without reading the deployment.
    pub fn is_idle(&self, choice: UpdateAct, options: &UpdateOptions) -> bool {
        match choice {
            UpdateAct::ChooseRemoved => !self.has(Role::Removed) && !self.has(Role::Reduced),
            UpdateAct::ChooseAddedFirst => !self.has(Role::Added),
            UpdateAct::ChooseAdded => !self.has(Role::Added) && !self.has(Role::Extended),
            UpdateAct::ChooseFollowing => !self.changes(),
            UpdateAct::ChooseReinstalled => !self.changes() && options.reinstall.is_empty(),
            _ => false,
        }
    }

    /// The relationships of a role as the nodes at their ends: targets by their source.
    pub fn relationships(
        &self,
        topology: &Topology,
        role: Role,
    ) -> HashMap<String, HashSet<String>> {
        let mut ends: HashMap<String, HashSet<String>> = HashMap::new();
        let node = |id: &str| Some(topology.node(topology.place(id)?).id.clone());
        for item in self.work.iter().filter(|item| item.role == role) {
            if let (Some(source), Some(target)) = (node(&item.instance_id), node(&item.target_id)) {
                ends.entry(source).or_default().insert(target);
            }
        }
        ends
    }

    /// The instances that were there before and stay, of nodes of some kind.
    fn staying(&self, topology: &Topology, of: impl Fn(&Node) -> bool) -> Vec<String> {
        let others: HashSet<&str> = self
            .work
            .iter()
            .filter(|item| matches!(item.role, Role::Added | Role::Removed))
            .map(|item| item.instance_id.as_str())
            .collect();
        let places = (0..topology.len()).filter(|place| {
            let id = topology.instance(*place).id.as_str();
            !others.contains(id) && is_installed(topology, *place) && of(topology.node(*place))
        });
        places
            .map(|place| topology.instance(place).id.clone())
            .collect()
    }

    /// Those that can be asked whether they are well.
    pub fn checked(&self, topology: &Topology) -> Vec<String> {
        let check = "cloudify.interfaces.validation.check_status";
        self.staying(topology, |node| has_operation(node, check))
    }

    /// Those that can be asked whether they have drifted.
    pub fn drift_checked(&self, topology: &Topology) -> Vec<String> {
        self.staying(topology, can_tell_drift)
    }

    /// The new ones that are not there yet.
    pub fn added(&self, topology: &Topology) -> Vec<String> {
        let mut added = self.of(Role::Added);
        added.retain(|id| {
            let place = topology.place(id);
            place.is_some_and(|place| topology.instance(place).state != "started")
        });
        added
    }

    /// The new ones that can be there before others go: not of nodes that are replaced, and not on
    /// anything that is.
    pub fn added_first(&self, topology: &Topology, replaced: &HashSet<String>) -> Vec<String> {
        let mut left = self.added(topology);
        let mut late: HashSet<usize> = (0..topology.len())
            .filter(|place| replaced.contains(&topology.node(*place).id))
            .collect();
        loop {
            let before = left.len();
            left.retain(|id| {
                let Some(place) = topology.place(id) else {
                    return false;
                };
                let relationships = topology.instance(place).relationships.iter();
                let mut targets = relationships.filter_map(|one| topology.place(&one.target_id));
                let waits = late.contains(&place) || targets.any(|target| late.contains(&target));
                if waits {
                    late.insert(place);
                }
                !waits
            });
            if left.len() == before {
                return left;
            }
        }
    }

    /// The instances that changed or have drifted, and are there, by whether their nodes have
    /// operations for that.
    fn changed(&self, topology: &Topology, wanted: impl Fn(&Node) -> bool) -> Vec<usize> {
        let gone: HashSet<String> = self.of(Role::Removed).into_iter().collect();
        let mut ids: Vec<String> = self.of(Role::Changed);
        ids.extend(self.drifted.iter().cloned());
        let ids = ids.iter().filter(|id| !gone.contains(*id));
        let mut places: Vec<usize> = ids
            .filter_map(|id| topology.place(id))
            .filter(|place| is_installed(topology, *place) && wanted(topology.node(*place)))
            .collect();
        places.sort_unstable();
        places.dedup();
        places
    }

    /// The instances that can follow the changes of their nodes.
    pub fn following(&self, topology: &Topology) -> Vec<String> {
        ids(topology, self.changed(topology, can_follow))
    }

    /// The instances that have to be installed again, with all that they contain.
    pub fn reinstalled(&self, topology: &Topology, options: &UpdateOptions) -> Vec<String> {
        let named = options.reinstall.iter();
        let mut places: Vec<usize> = named.filter_map(|id| topology.place(id)).collect();
        if !options.skip_reinstall {
            let has_to = |node: &Node| options.force_reinstall || !can_follow(node);
            places.extend(self.changed(topology, has_to));
        }
        let gone: HashSet<String> = self.of(Role::Removed).into_iter().collect();
        let mut chosen = ids(topology, topology.with_contained(places));
        chosen.retain(|id| !gone.contains(id));
        chosen
    }
}

fn ids(topology: &Topology, places: Vec<usize>) -> Vec<String> {
    let ids = places.into_iter().map(|place| topology.instance(place));
    ids.map(|instance| instance.id.clone()).collect()
}

/// Whether anything was done with an instance that a change would have to follow.
fn is_installed(topology: &Topology, place: usize) -> bool {
    let state = topology.instance(place).state.as_str();
    !matches!(state, "uninitialized" | "deleted")
}
