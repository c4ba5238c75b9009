//! Which instances a graph is about, and what the others do meanwhile.

use super::Refusal;
use super::parameters::Parameters;
use crate::plan::Topology;
use std::collections::{HashMap, HashSet};

/// The instances that a graph is about. All others are waited for, and run what their relationships
/// to selected ones ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    selected: Vec<bool>,
    relationships: HashMap<String, HashSet<String>>,
}

impl Selection {
    /// Asks for each instance, by its place, whether it is selected.
    pub fn new(topology: &Topology, selects: impl Fn(usize) -> bool) -> Self {
        Self {
            selected: (0..topology.len()).map(selects).collect(),
            relationships: HashMap::new(),
        }
    }

    /// The instances of these ids; ids that nobody has are passed over.
    pub fn of_ids<'a>(topology: &Topology, ids: impl IntoIterator<Item = &'a str>) -> Self {
        let mut selected = vec![false; topology.len()];
        for id in ids {
            let place = topology.place(id);
            if let Some(place) = place.and_then(|place| selected.get_mut(place)) {
                *place = true;
            }
        }
        Self {
            selected,
            relationships: HashMap::new(),
        }
    }

    /// Has relationships established or unlinked although neither end is selected: those of the
    /// instances of a node, the key, to instances of other nodes. For relationships that come or go
    /// by themselves.
    #[must_use]
    pub fn with_relationships(mut self, of: HashMap<String, HashSet<String>>) -> Self {
        self.relationships = of;
        self
    }

    /// Whether the instance at a place is selected.
    pub fn contains(&self, place: usize) -> bool {
        self.selected.get(place).copied().unwrap_or(false)
    }

    /// Whether an instance that is left alone runs its relationship to a target.
    pub(super) fn touches(&self, topology: &Topology, source: usize, target: usize) -> bool {
        let of_source = || self.relationships.get(&topology.instance(source).node_id);
        let also = || of_source().is_some_and(|of| of.contains(&topology.instance(target).node_id));
        self.contains(target) || !self.relationships.is_empty() && also()
    }

    /// The places of the selected instances.
    pub fn places(&self) -> impl Iterator<Item = usize> {
        (0..self.selected.len()).filter(|place| self.contains(*place))
    }

    /// The places of the others.
    pub fn others(&self) -> impl Iterator<Item = usize> {
        (0..self.selected.len()).filter(|place| !self.contains(*place))
    }
}

/// The parameters by which people select instances. One that is empty selects all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    type_names: Vec<String>,
    node_ids: HashSet<String>,
    node_instance_ids: HashSet<String>,
}

impl Filter {
    /// Reads `type_names`, `node_ids` and `node_instance_ids`.
    ///
    /// # Errors
    /// When one of them is no list of texts.
    pub(super) fn of(parameters: &Parameters) -> Result<Self, Refusal> {
        Ok(Self {
            type_names: parameters.texts("type_names")?,
            node_ids: parameters.texts("node_ids")?.into_iter().collect(),
            node_instance_ids: parameters.texts("node_instance_ids")?.into_iter().collect(),
        })
    }

    /// Whether the instance at a place fits all of them. A type also stands for those that derive
    /// from it.
    pub fn selects(&self, topology: &Topology, place: usize) -> bool {
        let node = topology.node(place);
        let id = &topology.instance(place).id;
        (self.node_ids.is_empty() || self.node_ids.contains(&node.id))
            && (self.type_names.is_empty()
                || self.type_names.iter().any(|name| node.is_of_type(name)))
            && (self.node_instance_ids.is_empty() || self.node_instance_ids.contains(id))
    }
}
