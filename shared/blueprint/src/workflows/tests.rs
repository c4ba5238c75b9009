use super::*;
use serde_json::json;

#[test]
fn availability_follows_the_rules() {
    let started = ["started", "started"];
    let some = ["started", "uninitialized"];
    let fresh = ["uninitialized", "deleted"];
    let stuck = ["creating", "uninitialized"];
    let active = |words: Value| json!({ "node_instances_active": words });
    for (rules, states, expected) in [
        (json!(null), &fresh, true),
        (json!({}), &fresh, true),
        (json!({"available": true}), &fresh, true),
        (json!({"available": false}), &fresh, false),
        (active(json!(["all"])), &started, true),
        (active(json!(["all"])), &some, false),
        (active(json!(["none"])), &fresh, true),
        (active(json!(["none"])), &some, false),
        (active(json!(["none"])), &stuck, true),
        (active(json!(["partial"])), &stuck, true),
        (active(json!(["partial"])), &some, true),
        (active(json!(["partial"])), &fresh, false),
        (active(json!(["all", "partial"])), &started, true),
        (active(json!([])), &some, true),
        (active(json!(null)), &some, true),
        (json!({"node_types_required": []}), &fresh, true),
        (json!({"node_types_required": null}), &fresh, true),
        (
            json!({"node_instances_active": [], "node_types_required": ["a.Other"]}),
            &fresh,
            false,
        ),
        (json!({"node_types_required": ["a.Host"]}), &fresh, true),
        (json!({"node_types_required": ["a.Other"]}), &fresh, false),
        (
            json!({"available": true, "node_types_required": ["a.Other"]}),
            &fresh,
            false,
        ),
    ] {
        let available = is_available(&rules, states.iter().copied(), ["a.Root", "a.Host"]);
        assert_eq!(available, Ok(expected), "{rules} {states:?}");
    }
    // A deployment without instances counts as fully active, and as inactive.
    assert_eq!(is_available(&active(json!(["all"])), [], []), Ok(true));
    assert_eq!(is_available(&active(json!(["none"])), [], []), Ok(true));
    for rules in [active(json!(["some"])), json!({"moon": "full"}), json!([1])] {
        assert!(is_available(&rules, [], []).is_err(), "{rules}");
    }
}

#[test]
fn parameters_are_merged_or_refused() {
    let declared = json!({
        "count": {"type": "integer", "default": 1, "constraints": [{"less_than": 10}]},
        "name": {"type": "string"},
        "ratio": {"type": "float", "required": false},
        "flag": {"type": "boolean", "default": false},
        "ids": {"type": "list", "item_type": "integer", "default": []},
        "any": {"default": null},
    });
    let run = |given: Value, custom| {
        let given = given.as_object().cloned().unwrap_or_default();
        merge_parameters("w", &declared, &given, custom)
            .map(Value::Object)
            .map_err(|error| error.message)
    };
    let undeclared = "Workflow \"w\" does not have the following parameters declared: x,y. Remove these parameters or use the flag for allowing custom parameters";
    let missing = "Workflow \"w\" must be provided with the following parameters to execute: name";
    for (given, refusal) in [
        (json!({"x": 1, "y": 2}), undeclared),
        (
            json!({"name": 3}),
            "Parameter \"name\" must be of type string",
        ),
        (
            json!({"count": "a"}),
            "Parameter \"count\" must be of type integer",
        ),
        (
            json!({"count": true}),
            "Parameter \"count\" must be of type integer",
        ),
        (
            json!({"flag": "maybe"}),
            "Parameter \"flag\" must be of type boolean",
        ),
        (
            json!({"ids": [1, "x"]}),
            "Parameter \"ids\" must be of type list",
        ),
        (
            json!({"count": "12"}),
            "Parameter \"count\" does not meet its constraints: Value 12 of input count violates constraint less_than(10) operator.",
        ),
        (json!({}), missing),
    ] {
        assert_eq!(
            run(given.clone(), false),
            Err(refusal.to_owned()),
            "{given}"
        );
    }
    let given = json!({"count": "3", "name": "n", "ratio": "1.5", "flag": "True", "ids": ["4"]});
    let merged = run(given, false);
    let expected =
        json!({"count": 3, "name": "n", "ratio": 1.5, "flag": true, "ids": [4], "any": null});
    assert_eq!(merged, Ok(expected));
    let custom = run(json!({"name": "n", "x": 1}), true);
    assert_eq!(custom.map(|all| all["x"].clone()), Ok(json!(1)));
}
