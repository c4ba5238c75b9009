//! The steps of an update, in the words and the order of the API.

use serde::{Deserialize, Serialize};

/// What happens to an entity. Steps are in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It goes.
    Remove,
    /// It comes.
    Add,
    /// It is another one than before, at the same place.
    Modify,
}

/// What kind of thing is different.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the words of the API")]
pub enum EntityType {
    Node,
    Relationship,
    Property,
    Operation,
    Workflow,
    Output,
    Description,
    Group,
    PolicyType,
    PolicyTrigger,
    Plugin,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What tells the steps of an update apart: their number, from 1.
    pub id: String,
    /// What happens.
    pub action: Action,
    /// To what kind of thing.
    pub entity_type: EntityType,
    /// Which one: the way to it from the root of a plan, such as `nodes`, `vm`, `properties`, `ip`.
    /// Relationships have no names, so they are `[0]`, `[1]`, ... in the list of their node: of the new
    /// one, and where they are removed, of the old one.
    pub entity_id: Vec<String>,
    /// For nodes that are added: those with higher numbers come first, because others depend on them.
    pub topology_order: usize,
}

impl Step {
    /// A step that has no number yet.
    pub(super) fn new(action: Action, entity_type: EntityType, path: &[&str]) -> Self {
        Self {
            id: String::new(),
            action,
            entity_type,
            entity_id: path.iter().map(|&part| part.to_owned()).collect(),
            topology_order: 0,
        }
    }

    /// The name of the node that it is about, if it is about one or a part of one.
    pub fn node(&self) -> Option<&str> {
        match self.entity_id.as_slice() {
            [first, node, ..] if first == "nodes" => Some(node),
            _ => None,
        }
    }

    /// Where it stands: removals, additions, changes; relationships leave before their nodes and come
    /// after them; nodes that others depend on come first.
    fn rank(&self) -> (Action, u8, std::cmp::Reverse<usize>) {
        let kind = match (self.action, self.entity_type) {
            (Action::Remove, EntityType::Relationship) | (Action::Add, EntityType::Node) => 0,
            (Action::Remove, EntityType::Node) | (Action::Add, EntityType::Relationship) => 2,
            _ => 1,
        };
        (self.action, kind, std::cmp::Reverse(self.topology_order))
    }
}

/// Puts steps in their order and numbers them. Those of the same rank stay as they were found.
pub(super) fn in_order(steps: &mut [Step]) {
    steps.sort_by_key(Step::rank);
    for (place, step) in steps.iter_mut().enumerate() {
        step.id = (place + 1).to_string();
    }
}
