//! What workflows are made of: graphs, and what is done between them.
//!
//! A workflow is a list of parts that follow each other. What one of them finds out and a later one
//! needs is kept in a [`Memory`] with the graph, so that a crash in between loses nothing.

use super::agents::Agents;
use super::checks::Checks;
use super::scale::Scaling;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};

/// One part of a workflow.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The name of its graph.
    pub name: String,
    /// What it does.
    pub kind: PartKind,
    /// The instances it is about.
    pub on: On,
    /// Where the workflow goes on when it fails. It fails in the end all the same, with the first
    /// failure; nowhere means that it fails at once.
    pub rescue: Option<usize>,
    /// Whether the workflow is over after it, although other parts follow: those are a rescue.
    pub is_last: bool,
}

impl Part {
    /// A part on the instances that the parameters select.
    pub fn new(name: impl Into<String>, kind: PartKind) -> Self {
        Self {
            name: name.into(),
            kind,
            on: On::Filtered,
            rescue: None,
            is_last: false,
        }
    }

    /// Something that is done between graphs.
    pub fn act(act: Act) -> Self {
        Self::new("", PartKind::Act(act))
    }

    /// The same on other instances.
    #[must_use]
    pub fn on(self, on: On) -> Self {
        Self { on, ..self }
    }

    /// The same, with a place to go on with when it fails.
    #[must_use]
    pub fn or_else(self, rescue: usize) -> Self {
        Self {
            rescue: Some(rescue),
            ..self
        }
    }

    /// The same as the last part of a workflow that goes well.
    #[must_use]
    pub fn last(self) -> Self {
        Self {
            is_last: true,
            ..self
        }
    }
}

/// What a part does.
#[derive(Clone, Debug, PartialEq)]
pub enum PartKind {
    /// Installs the instances.
    Install,
    /// Uninstalls them.
    Uninstall {
        /// Whether failed operations are passed over.
        ignore_failure: bool,
    },
    /// Uninstalls the deployments that use this one as their environment.
    UninstallServices {
        /// The parameters of their uninstall.
        parameters: Map<String, Value>,
    },
    /// Runs the workflow that somebody wants of an update, which does the work of all other parts.
    RunBeside,
    /// Runs one operation on them.
    Operation {
        /// Its full or short name.
        operation: String,
        /// Inputs over those of the blueprint.
        inputs: Map<String, Value>,
        /// Whether those may replace declared ones.
        allow_override: bool,
        /// Whether targets go before their dependents.
        by_dependency: bool,
    },
    /// Has them say how they are.
    Check(Checks),
    /// Heals them by their own operations. A heal that fails fails nothing else.
    Heal,
    /// Takes those that are on their way back.
    Rollback {
        /// Whether failed operations are passed over.
        ignore_failure: bool,
    },
    /// Has the instances follow a change of their nodes, by the operations that those have for it.
    Follow,
    /// Looks after the agents of those that are hosts.
    Agents(Agents),
    /// Something in the transaction itself, without a graph.
    Act(Act),
}

/// What is done between graphs.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// Tells people something about the execution.
    Tell(String),
    /// Chooses the host of an instance with all that it contains; the instance's own tree where it
    /// has no host.
    ChooseTree(String),
    /// Chooses what is to be healed among the chosen, and keeps what is to be reinstalled for
    /// later.
    ChooseRemedies {
        /// Whether an instance that was never checked counts as well.
        trusting: bool,
        /// Whether anything may be reinstalled.
        allow_reinstall: bool,
    },
    /// Refuses a scaling that cannot be done.
    CheckScaling(Scaling),
    /// Begins a modification, and chooses what comes or what goes.
    StartScaling(Scaling),
    /// Chooses what a modification has added that somebody else has begun and not ended.
    ChooseAbandoned,
    /// Keeps the modification.
    FinishModification,
    /// Takes the modification back.
    RollBackModification,
    /// Chooses what was kept for later, and whose heal has failed.
    ChooseUnhealed {
        /// Whether anything may be reinstalled.
        allow_reinstall: bool,
    },
    /// A step of an update of the deployment.
    Update(UpdateAct),
}

/// What an update of a deployment does between graphs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateAct {
    /// Finds out what is different, and writes down what is to be done.
    Begin,
    /// Chooses the instances that were there before and can be asked whether they are well.
    ChooseChecked,
    /// Chooses those that can be asked whether they have drifted.
    ChooseDriftChecked,
    /// Chooses the instances that go, and the relationships that end.
    ChooseRemoved,
    /// Puts nodes in the place of those of the same name that they replace.
    ReplaceNodes,
    /// Chooses the new instances that can be there before others go.
    ChooseAddedFirst,
    /// Chooses the new instances that are not there yet, and the relationships that begin.
    ChooseAdded,
    /// Chooses the instances that can follow a change of their nodes.
    ChooseFollowing,
    /// Chooses the instances that have to be installed again instead.
    ChooseReinstalled,
    /// Replaces nodes, and gives the deployment its new blueprint before anything is done about that.
    Settle,
    /// Takes away what went, and gives the deployment its new blueprint.
    Finish,
}

/// Which instances a part is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// Those that the parameters select.
    Filtered,
    /// All of the deployment.
    All,
    /// Those that were chosen on the way, see [`Memory::chosen`].
    Chosen,
}

/// What a workflow has to remember from part to part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// The ids of the instances that the next parts are about. None: all of the deployment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chosen: Option<Vec<String>>,
    /// The ids of instances that something else is to be done about after that.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub later: Vec<String>,
    /// The relationships that begin or end although neither end is chosen: target nodes by their source.
    #[serde(skip_serializing_if = "HashMap::is_empty")]
    pub relationships: HashMap<String, HashSet<String>>,
    /// The modification of the deployment that is under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modification: Option<String>,
    /// What failed first, while a rescue is under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

impl Memory {
    /// Whether parts on chosen instances have nothing to do.
    pub fn chose_nothing(&self) -> bool {
        self.relationships.is_empty() && self.chosen.as_ref().is_some_and(Vec::is_empty)
    }
}
