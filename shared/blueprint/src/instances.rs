//! Node instances: what of a plan's nodes is to run, how often, and who is connected to whom.
//!
//! Nodes and scaling groups form one tree of containers: a node lies in the node that it is
//! contained in, the members of a scaling group in the group. Every container's instance gets
//! its own instances of what lies in it, so counts multiply from the top down.

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
    /// `<node>_<six random characters>`.
    pub id: String,
    /// The node's name.
    pub node_id: String,
    /// The instance of the outermost host that it is contained in, or its own id for a host
    /// that is contained in none.
    #[serde(default)]
    pub host_id: Option<String>,
    /// 1, 2, ... among the instances of its node.
    #[serde(default)]
    pub index: u32,
    /// In the order of the template.
    #[serde(default)]
    pub relationships: Vec<InstanceRelationship>,
    /// The scaling groups that it is a member of, from the inside out.
    #[serde(default)]
    pub scaling_groups: Vec<ScalingGroupInstance>,
    /// `uninitialized` for a new one.
    #[serde(default)]
    pub state: String,
    /// What operations have written.
    #[serde(default)]
    pub runtime_properties: Map<String, Value>,
}

/// A relationship of an instance to an instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct InstanceRelationship {
    /// The relationship's type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The target node.
    pub target_name: String,
    /// The target instance.
    pub target_id: String,
}

/// An instance of a scaling group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct ScalingGroupInstance {
    /// The group's name.
    pub name: String,
    /// `<group>_<six random characters>`.
    pub id: String,
}

const CONTAINED_IN: &str = "cloudify.relationships.contained_in";

/// Makes the instances of a deployment's nodes, in the order of the plan's nodes. `random`
/// gives the bits for their ids.
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
