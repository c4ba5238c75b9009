//! The steps of random pairs of shapes, applied to the first, make the second.

use super::*;

/// Numbers that look random and are the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn map(&mut self, names: &[&str]) -> Value {
        let mut map = Map::new();
        for name in names {
            if self.below(3) > 0 {
                map.insert((*name).to_owned(), self.below(3).into());
            }
        }
        map.into()
    }

    fn relationship(&mut self) -> Value {
        let types = [CONNECTED, CONNECTED, CONTAINED];
        let kind = types[usize::try_from(self.below(3)).unwrap()];
        let mut relationship = to(kind, &format!("n{}", self.below(5)));
        relationship["properties"] = self.map(&["p", "q"]);
        relationship["source_operations"] = self.map(&["establish"]);
        relationship["target_operations"] = self.map(&["unlink"]);
        relationship
    }

    fn node(&mut self, id: &str) -> NewNode {
        let relationships: Vec<Value> = (0..self.below(4)).map(|_| self.relationship()).collect();
        node(
            id,
            json!({
                "type": format!("t{}", self.below(2)), "properties": self.map(&["a", "b"]),
                "operations": self.map(&["start", "stop"]), "relationships": relationships,
                "plugins": [{ "name": format!("p{}", self.below(3)), "source": "x" }],
                "instances": 1 + self.below(2),
            }),
        )
    }

    fn shape(&mut self) -> Shape {
        let ids = ["n0", "n1", "n2", "n3", "n4"];
        let ids: Vec<&str> = ids.into_iter().filter(|_| self.below(3) > 0).collect();
        let nodes = ids.into_iter().map(|id| self.node(id)).collect();
        let workflows = self.map(&["install", "heal"]);
        let workflows: Vec<Value> = workflows
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| json!({ "name": name, "operation": value }))
            .collect();
        let mut columns = json!({ "outputs": self.map(&["x", "y", "z"]), "workflows": workflows });
        if self.below(2) == 0 {
            columns["description"] = self.below(2).to_string().into();
        }
        shape(columns, nodes)
    }
}

/// A shape as one value in which every entity is found under its path, but for relationships.
fn value(shape: &Shape) -> Value {
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let mut nodes = Map::new();
    let mut plugins = Map::new();
    for node in &shape.nodes {
        for plugin in read(&node.plugins).as_array().unwrap() {
            let name = plugin["name"].as_str().unwrap();
            plugins.insert(name.to_owned(), plugin.clone());
        }
        let parts = json!({
            "type": node.type_name, "type_hierarchy": read(&node.type_hierarchy),
            "properties": read(&node.properties), "operations": read(&node.operations),
            "relationships": read(&node.relationships), "capabilities": node.counts.number,
        });
        nodes.insert(node.id.clone(), parts);
    }
    let mut workflows = Map::new();
    for workflow in shape.columns["workflows"].as_array().unwrap() {
        let name = workflow["name"].as_str().unwrap();
        workflows.insert(name.to_owned(), workflow.clone());
    }
    let mut all = json!({
        "nodes": nodes, "plugins_to_install": plugins, "workflows": workflows,
        "outputs": shape.columns["outputs"],
    });
    if let Some(text) = shape.columns.get("description") {
        all["description"] = text.clone();
    }
    all
}

fn place(text: &str) -> usize {
    text.trim_matches(['[', ']']).parse().unwrap()
}

/// Applies the steps that move the relationships of nodes, and then all others.
fn apply(mut here: Value, steps: &[Step], new: &Value) -> Value {
    let whole_nodes = |step: &&Step| step.entity_id.len() == 2 && step.node().is_some();
    for step in steps.iter().filter(whole_nodes) {
        apply_at(&mut here, new, step);
    }
    let old = here.clone();
    for (id, node) in here["nodes"].as_object_mut().unwrap() {
        let of_node: Vec<&Step> = steps
            .iter()
            .filter(|step| step.node() == Some(id) && step.entity_id.len() > 3)
            .filter(|step| step.entity_id[2] == "relationships")
            .collect();
        if !of_node.is_empty() {
            let (old, new) = (&old["nodes"][id], &new["nodes"][id]);
            node["relationships"] = relationships(old, new, &of_node);
        }
    }
    let others = steps.iter().filter(|step| {
        let moves = step.entity_type == EntityType::Relationship
            && step.entity_id.len() < 6
            && step
                .entity_id
                .last()
                .is_some_and(|last| last.starts_with('['));
        !whole_nodes(step) && !moves
    });
    for step in others {
        apply_at(&mut here, new, step);
    }
    here
}

fn relationships(old: &Value, new: &Value, steps: &[&Step]) -> Value {
    let list = |node: &Value| node["relationships"].as_array().unwrap().clone();
    let (old, new) = (list(old), list(new));
    let mut slots: BTreeMap<usize, Value> = BTreeMap::new();
    let about = |was: usize| {
        let name = format!("[{was}]");
        let is_move = |step: &&&Step| {
            step.entity_type == EntityType::Relationship
                && step.entity_id[3] == name
                && (step.action == Action::Remove || step.entity_id.len() == 5)
                && step
                    .entity_id
                    .last()
                    .is_some_and(|last| last.starts_with('['))
        };
        steps.iter().find(is_move)
    };
    for (was, relationship) in old.into_iter().enumerate() {
        match about(was) {
            Some(step) if step.action == Action::Remove => {}
            Some(step) => drop(slots.insert(place(&step.entity_id[4]), relationship)),
            None => drop(slots.insert(was, relationship)),
        }
    }
    for step in steps {
        if step.entity_type == EntityType::Relationship && step.action == Action::Add {
            let at = place(&step.entity_id[3]);
            slots.insert(at, new[at].clone());
        }
    }
    slots.into_values().collect()
}

/// Does to the value under a path what the step says, with what the new shape has there.
fn apply_at(here: &mut Value, new: &Value, step: &Step) {
    let mut at = here;
    let mut there = new;
    let (last, way) = step.entity_id.split_last().unwrap();
    for part in way {
        (at, there) = match part.strip_prefix('[') {
            Some(_) => (&mut at[place(part)], &there[place(part)]),
            None => (&mut at[part.as_str()], &there[part.as_str()]),
        };
    }
    let (at, there) = (at.as_object_mut().unwrap(), there.get(last));
    match step.action {
        Action::Remove => assert!(at.shift_remove(last).is_some(), "{step:?}"),
        Action::Add => assert!(at.insert(last.clone(), there.unwrap().clone()).is_none()),
        Action::Modify => {
            let was = at.insert(last.clone(), there.unwrap().clone());
            assert_ne!(was.as_ref(), there, "{step:?} changes nothing");
        }
    }
}

#[test]
fn the_steps_between_two_shapes_make_one_of_the_other() {
    for seed in 0..600 {
        let mut dice = Dice(seed);
        let (old, new) = (dice.shape(), dice.shape());
        let found = difference(&old, &new);
        found.demand_supported().unwrap();
        let made = apply(value(&old), &found.steps, &value(&new));
        assert_eq!(made, value(&new), "seed {seed}: {:#?}", found.steps);
        let same = difference(&new, &new);
        assert_eq!(same, Difference::default(), "seed {seed}");
    }
}
