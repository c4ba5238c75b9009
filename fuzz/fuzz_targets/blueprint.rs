//! A main file of any bytes: parsed, made a deployment plan, made node instances.
//!
//! Whatever comes of it is right, as long as it comes soon and without a panic; a plan that is
//! stored must come back as it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Map;
use windlass_blueprint::archive::Tree;
use windlass_blueprint::{NoImports, Plan, instantiate, parse, prepare_deployment};

fuzz_target!(|text: &str| {
    let tree = Tree::from_texts([("blueprint.yaml", text)]);
    let Ok(plan) = parse(&tree, "blueprint.yaml", &NoImports) else {
        return;
    };
    let back = Plan::from_stored(plan.to_stored());
    assert_eq!(back.map(|plan| plan.to_value()), Some(plan.to_value()));
    let Ok(prepared) = prepare_deployment(&plan, &Map::new(), &|_| true, false) else {
        return;
    };
    let mut number = 0;
    let mut random = || {
        number += 1;
        number
    };
    let _ = instantiate(&prepared, &mut random);
});
