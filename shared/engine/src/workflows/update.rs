//! update: brings a deployment to another blueprint or other inputs.
//!
//! What is different is found out when it begins, see [`windlass_deployment::update`]. What went is
//! uninstalled, what is new is installed, and what is there follows its changes: by the operations
//! that its node has for that, or else by being installed again.

use super::instance_steps::{InstanceSteps, subgraphs};
use super::parameters::Parameters;
use super::relationships::{self, Direction, Order};
use super::selection::Selection;
use super::{Act, INTERFACE, On, Part, PartKind, Refusal, UpdateAct};
use crate::graph::{Builder, Check};
use crate::plan::{Implementation, Node, Topology};
use std::collections::HashMap;

/// What somebody wants of an update, besides the blueprint and the inputs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpdateOptions {
    /// New instances are there, but not installed.
    pub skip_install: bool,
    /// Instances that go are not uninstalled.
    pub skip_uninstall: bool,
    /// Nothing is installed again, but for what [`Self::reinstall`] names.
    pub skip_reinstall: bool,
    /// It is not looked at whether instances have drifted.
    pub skip_drift_check: bool,
    /// What is not well is not healed.
    pub skip_heal: bool,
    /// What changed is installed again, even where its node has operations for that.
    pub force_reinstall: bool,
    /// Failures of what is uninstalled are passed over.
    pub ignore_failure: bool,
    /// What is new is installed before what goes is uninstalled.
    pub install_first: bool,
    /// Instances that are installed again in any case, by id.
    pub reinstall: Vec<String>,
    /// Texts among the inputs may stand for numbers and truth values.
    pub auto_correct_types: bool,
    /// Nodes that stay keep the plugins that they have.
    pub keep_plugins: bool,
    /// A workflow of the deployment that does the work instead.
    pub workflow: Option<String>,
}

impl UpdateOptions {
    /// Reads the parameters of the execution.
    ///
    /// # Errors
    /// When the list of instances is none.
    pub fn of(parameters: &serde_json::Map<String, serde_json::Value>) -> Result<Self, Refusal> {
        let parameters = Parameters(parameters);
        Ok(Self {
            skip_install: parameters.flag("skip_install"),
            skip_uninstall: parameters.flag("skip_uninstall"),
            skip_reinstall: parameters.flag("skip_reinstall"),
            skip_drift_check: parameters.flag("skip_drift_check"),
            skip_heal: parameters.flag("skip_heal"),
            force_reinstall: parameters.flag("force_reinstall"),
            ignore_failure: parameters.flag("ignore_failure"),
            install_first: parameters.flag("install_first"),
            reinstall: parameters.texts("reinstall_list")?,
            auto_correct_types: parameters.flag("auto_correct_types"),
            keep_plugins: parameters.0.get("update_plugins") == Some(&false.into()),
            workflow: parameters.text("workflow_id").map(str::to_owned),
        })
    }

    /// The parts of the workflow.
    pub(super) fn parts(&self) -> Vec<Part> {
        let act = |act: UpdateAct| Part::act(Act::Update(act));
        let chosen = |name: &str, kind: PartKind| Part::new(name, kind).on(On::Chosen);
        let uninstall = |name: &str| {
            let ignore_failure = self.ignore_failure;
            chosen(name, PartKind::Uninstall { ignore_failure })
        };
        let mut parts = vec![act(UpdateAct::Begin)];
        if self.workflow.is_some() {
            parts.push(act(UpdateAct::Settle));
            parts.push(Part::new("update-run-workflow", PartKind::RunBeside));
            parts.push(act(UpdateAct::Finish));
            return parts;
        }
        if !self.skip_heal {
            parts.push(act(UpdateAct::ChooseChecked));
            parts.extend(super::catalogue::heal_chosen());
        }
        if !self.skip_drift_check {
            parts.push(act(UpdateAct::ChooseDriftChecked));
            parts.push(chosen(
                "update-check-drift",
                super::catalogue::check_all(Check::Drift),
            ));
        }
        if self.install_first && !self.skip_install {
            parts.push(act(UpdateAct::ChooseAddedFirst));
            parts.push(chosen("update-install-first", PartKind::Install));
        }
        if !self.skip_uninstall {
            parts.push(act(UpdateAct::ChooseRemoved));
            parts.push(uninstall("update-uninstall"));
        }
        parts.push(act(UpdateAct::ReplaceNodes));
        if !self.skip_install {
            parts.push(act(UpdateAct::ChooseAdded));
            parts.push(chosen("update-install", PartKind::Install));
        }
        if !self.force_reinstall {
            parts.push(act(UpdateAct::ChooseFollowing));
            parts.push(chosen("update-follow", PartKind::Follow));
        }
        parts.push(act(UpdateAct::ChooseReinstalled));
        parts.push(uninstall("update-reinstall-uninstall"));
        parts.push(chosen("update-reinstall-install", PartKind::Install));
        parts.push(act(UpdateAct::Finish));
        parts
    }
}

/// The operations by which an instance follows a change of its node, in their order, with what is told
/// before and after each.
const FOLLOWING: [(&str, [&str; 2]); 6] = [
    (
        "preupdate",
        ["Preupdating node instance", "Node instance preupdated"],
    ),
    (
        "update",
        ["Updating node instance", "Node instance updated"],
    ),
    (
        "postupdate",
        ["Postupdating node instance", "Node instance postupdated"],
    ),
    (
        "update_config",
        [
            "Updating configuration of node instance",
            "Node instance configuration updated",
        ],
    ),
    (
        "update_apply",
        [
            "Applying update of node instance",
            "Node instance update applied",
        ],
    ),
    (
        "update_postapply",
        [
            "Post-applying update of node instance",
            "Node instance update post-applied",
        ],
    ),
];

/// Whether a node has an implementation of an operation, given by its full name.
pub fn has_operation(node: &Node, name: &str) -> bool {
    let operation = node.operations.get(name);
    operation.is_some_and(|operation| !operation.is_noop())
}

/// Whether instances of a node can be asked whether they have drifted: they, or their relationships.
pub fn can_tell_drift(node: &Node) -> bool {
    let of_relationship = "cloudify.interfaces.relationship_lifecycle.check_drift";
    let tells = |operations: &HashMap<String, Implementation>| {
        let operation = operations.get(of_relationship);
        operation.is_some_and(|operation| !operation.is_noop())
    };
    has_operation(node, &format!("{INTERFACE}.check_drift"))
        || node.relationships.iter().any(|relationship| {
            tells(&relationship.source_operations) || tells(&relationship.target_operations)
        })
}

/// Whether a node has operations by which its instances follow a change.
pub fn can_follow(node: &Node) -> bool {
    let mut names = FOLLOWING
        .iter()
        .map(|(name, _)| format!("{INTERFACE}.{name}"));
    names.any(|name| has_operation(node, &name))
}

/// Builds the graph in which the selected instances follow the changes of their nodes, targets of
/// relationships first.
pub(super) fn build(topology: &Topology, selection: &Selection, builder: &mut Builder) {
    let subgraphs = subgraphs(topology, selection, builder, |topology, place, builder| {
        let name = format!("update_{}", topology.instance(place).id);
        let mut steps = InstanceSteps::new(topology, place, builder, None, name);
        for (operation, [before, after]) in FOLLOWING {
            steps.around(before, &format!("{INTERFACE}.{operation}"), after);
            if operation == "update" {
                let texts = ["Updating relationships", "Relationships updated"];
                steps.related("update", texts, Order::Template);
            }
        }
        steps.finish()
    });
    let direction = Direction::TargetsFirst;
    relationships::order(topology, selection, &subgraphs, direction, builder);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn options_leave_parts_out() {
        let names = |options: serde_json::Value| {
            let options = UpdateOptions::of(options.as_object().unwrap()).unwrap();
            let parts = options.parts().into_iter();
            let graphs = parts.filter(|part| !matches!(part.kind, PartKind::Act(_)));
            graphs.map(|part| part.name).collect::<Vec<_>>()
        };
        let reinstall = ["update-reinstall-uninstall", "update-reinstall-install"];
        let nothing = json!({
            "skip_heal": true, "skip_drift_check": true, "skip_install": true,
            "skip_uninstall": true, "force_reinstall": true, "install_first": true,
        });
        assert_eq!(names(nothing), reinstall);
        let usual = names(json!({}));
        let healing = [
            "check_status",
            "heal",
            "reinstall-uninstall",
            "reinstall-install",
        ];
        assert_eq!(usual[..4], healing);
        let changing = [
            "update-check-drift",
            "update-uninstall",
            "update-install",
            "update-follow",
        ];
        assert_eq!(usual[4..8], changing);
        assert_eq!(usual[8..], reinstall);
        let first =
            names(json!({ "install_first": true, "skip_heal": true, "skip_drift_check": true }));
        assert_eq!(first[..2], ["update-install-first", "update-uninstall"]);
        assert!(UpdateOptions::of(json!({ "reinstall_list": 7 }).as_object().unwrap()).is_err());
    }
}
