//! Workflows that a workflow starts and waits for, as operations of its graph.

use crate::components::WorkflowRun;
use crate::graph::Builder;
use crate::plan::Topology;
use serde_json::{Map, Value};
use std::collections::HashMap;

/// Uninstalls all services of the deployment, those that others of them use after those. As in the
/// original a service that cannot be uninstalled keeps nobody from going on.
pub fn uninstall(topology: &Topology, parameters: &Map<String, Value>, builder: &mut Builder) {
    let mut places = HashMap::new();
    for service in &topology.services {
        let run = WorkflowRun {
            deployment_id: service.id.clone(),
            workflow_id: "uninstall".to_owned(),
            parameters: parameters.clone(),
            is_beside: false,
        };
        let (name, task) = run.task(true);
        places.insert(service.id.as_str(), builder.add(None, name, task));
    }
    for service in &topology.services {
        let later = places.get(service.id.as_str());
        let users = service.users.iter();
        for earlier in users.filter_map(|user| places.get(user.as_str())) {
            if let Some(later) = later {
                builder.depend(*later, *earlier);
            }
        }
    }
}

/// Runs a workflow beside the one that waits for it.
pub fn beside(topology: &Topology, builder: &mut Builder) {
    if let Some(run) = &topology.beside {
        let (name, task) = run.task(false);
        builder.add(None, name, task);
    }
}
