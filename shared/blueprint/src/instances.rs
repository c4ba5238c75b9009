//! Node instances: how many instances each node of a plan has, and how they are connected.
//!
//! Nodes and scaling groups form one tree of containers. A node is inside the node that it is
//! contained in, and the members of a scaling group are inside the group. Each instance of a
//! container has its own instances of what is inside, so numbers multiply from the top down.

mod containers;
mod forest;
mod modification;

use crate::error::Result;
use crate::plan::DeploymentPlan;
use containers::Containers;
use forest::Forest;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use modification::{Modification, Wanted, modify};

/// One instance of a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct NodeInstance {
    /// The id: `<node>_<six random characters>`.
    pub id: String,
    /// The name of the node.
    pub node_id: String,
    /// The id of the outermost host that contains it. A host that no other host contains has its
    /// own id here.
    #[serde(default)]
    pub host_id: Option<String>,
    /// The number among the instances of its node, counted from 1.
    #[serde(default)]
    pub index: u32,
    /// Its relationships, in the order of the template.
    #[serde(default)]
    pub relationships: Vec<InstanceRelationship>,
    /// The scaling groups that it is a member of, the innermost first.
    #[serde(default)]
    pub scaling_groups: Vec<ScalingGroupInstance>,
    /// The state in its life cycle. A new instance is `uninitialized`.
    #[serde(default)]
    pub state: String,
    /// The properties that operations have written.
    #[serde(default)]
    pub runtime_properties: Map<String, Value>,
}

/// A relationship between two instances.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct InstanceRelationship {
    /// The name of the relationship's type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The name of the target node.
    pub target_name: String,
    /// The id of the target instance.
    pub target_id: String,
}

/// An instance of a scaling group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct ScalingGroupInstance {
    /// The name of the group.
    pub name: String,
    /// The id: `<group>_<six random characters>`.
    pub id: String,
}

const CONTAINED_IN: &str = "cloudify.relationships.contained_in";

/// Makes the instances of all nodes, in the order of the plan. `random` returns random bits for
/// their ids.
pub fn instantiate(
    plan: &DeploymentPlan,
    random: &mut dyn FnMut() -> u32,
) -> Result<Vec<NodeInstance>> {
    let containers = Containers::of(plan);
    let mut forest = Forest::new(&containers);
    for element in containers.top_down()? {
        for parent in forest.parents(element) {
            forest.add(element, parent, containers.element(element).count, random)?;
        }
    }
    forest.instances(&plan.plan.nodes)
}
