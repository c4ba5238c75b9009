//! What clients are shown of a difference, within what is kept as one value.

use serde_json::{Map, Value, json};
use std::collections::HashSet;

use super::Difference;
use super::steps::{Action, EntityType, Step, in_order};

/// How many bytes of steps are shown, as JSON.
const STEPS_BYTES: usize = 256 << 10;

/// How many bytes of the other list of what is different.
const ENTITIES_BYTES: usize = 128 << 10;

/// About how many bytes a step has, besides its path.
const STEP_BYTES: usize = 90;

impl Difference {
    /// The steps as they are shown. Of an update that changes very much, all steps inside of a node are
    /// one that says that the node is modified, and what is still too much is left out at the end.
    pub(super) fn shown_steps(&self) -> Vec<Step> {
        if bytes(&self.steps) <= STEPS_BYTES {
            return self.steps.clone();
        }
        let mut steps = folded(&self.steps);
        in_order(&mut steps);
        let mut left = STEPS_BYTES;
        steps
            .into_iter()
            .take_while(|step| {
                let fits = left.checked_sub(bytes(std::slice::from_ref(step)));
                left = fits.unwrap_or_default();
                fits.is_some()
            })
            .collect()
    }

    /// The paths of all that is different, by the kind of entity; null when there are too many.
    pub(super) fn modified_entities(&self) -> Value {
        if bytes(&self.steps) > ENTITIES_BYTES {
            return Value::Null;
        }
        let mut entities = Map::new();
        for step in &self.steps {
            let kind = serde_json::to_value(step.entity_type).unwrap_or_default();
            let kind = kind.as_str().unwrap_or_default();
            let entry = entities.entry(kind).or_insert_with(|| json!([]));
            if let Some(paths) = entry.as_array_mut() {
                paths.push(step.entity_id.join(":").into());
            }
        }
        Value::Object(entities)
    }
}

fn bytes(steps: &[Step]) -> usize {
    let of = |step: &Step| {
        step.entity_id
            .iter()
            .map(|part| part.len() + 3)
            .sum::<usize>()
    };
    steps.iter().map(|step| STEP_BYTES + of(step)).sum()
}

/// The steps with one for each node instead of all those inside of it.
fn folded(steps: &[Step]) -> Vec<Step> {
    let mut seen = HashSet::new();
    let folded = steps.iter().filter_map(|step| match step.node() {
        Some(node) if step.entity_id.len() > 2 => seen
            .insert(node)
            .then(|| Step::new(Action::Modify, EntityType::Node, &["nodes", node])),
        _ => Some(step.clone()),
    });
    folded.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn properties(nodes: usize) -> Difference {
        let names: Vec<String> = (0..nodes).map(|number| format!("node_{number}")).collect();
        let mut steps = Vec::new();
        for name in &names {
            for property in ["ip", "port"] {
                let path = ["nodes", name, "properties", property];
                steps.push(Step::new(Action::Modify, EntityType::Property, &path));
            }
        }
        Difference {
            steps,
            unsupported: Vec::new(),
        }
    }

    #[test]
    fn steps_are_folded_by_node_and_then_left_out() {
        for (nodes, want, path) in [
            (3, 6..=6, 4),
            (1500, 1500..=1500, 2),
            (4000, 2000..=3000, 2),
        ] {
            let shown = properties(nodes).shown_steps();
            assert!(want.contains(&shown.len()), "{nodes}: {}", shown.len());
            assert!(
                shown.iter().all(|step| step.entity_id.len() == path),
                "{nodes}"
            );
            let text = serde_json::to_string(&shown).unwrap();
            assert!(text.len() < STEPS_BYTES * 5 / 4, "{nodes}: {}", text.len());
        }
    }

    #[test]
    fn entities_are_listed_by_their_kind() {
        let entities = properties(1).modified_entities();
        let want =
            json!({ "property": ["nodes:node_0:properties:ip", "nodes:node_0:properties:port"] });
        assert_eq!(entities, want);
        assert_eq!(properties(5000).modified_entities(), Value::Null);
    }
}
