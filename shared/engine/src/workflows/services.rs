//! A recursive uninstall: one operation for each service, those that others of them use after those.
//!
//! As in the original a service that cannot be uninstalled keeps nobody from going on.

use crate::components::{PLUGIN, UNINSTALL_SERVICE};
use crate::graph::{Builder, Call, Task};
use crate::plan::Topology;
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// Builds the graph.
pub fn build(topology: &Topology, parameters: &Map<String, Value>, builder: &mut Builder) {
    let mut places = HashMap::new();
    for service in &topology.services {
        let inputs = Map::from_iter([
            ("deployment_id".to_owned(), json!(service.id)),
            ("parameters".to_owned(), Value::Object(parameters.clone())),
        ]);
        let call = Call {
            operation: "uninstall".to_owned(),
            plugin: PLUGIN.to_owned(),
            inputs,
            ignore_failure: true,
            ..Call::default()
        };
        let name = UNINSTALL_SERVICE.to_owned();
        let place = builder.add(None, name, Task::Call(Box::new(call)));
        places.insert(service.id.as_str(), place);
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
