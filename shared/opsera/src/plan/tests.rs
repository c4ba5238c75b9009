use super::*;

fn wait(name: &str) -> Json {
    json!({ "name": name, "tool": { "tool_identifier": "wait", "configuration": { "seconds": 1 } } })
}

fn after(name: &str, dependencies: Json) -> Json {
    let mut step = wait(name);
    step["dependencies"] = dependencies;
    step
}

#[test]
fn steps_follow_each_other_unless_they_say_what_they_wait_for() {
    let steps = json!([
        wait("a"),
        wait("b"),
        after("c", json!([])),
        after("d", json!(["a", "c", "a"])),
    ]);
    let plan = Plan::read(Some(&steps)).unwrap();
    let before: Vec<&[usize]> = plan
        .steps
        .iter()
        .map(|step| &step.dependencies[..])
        .collect();
    assert_eq!(before, [&[][..], &[0], &[], &[0, 2]]);
    // Stored, each names the others by id, and is read the same.
    assert_eq!(Plan::stored(plan.json.clone()).unwrap(), plan);
    assert_eq!(plan.json[3]["dependencies"][1], plan.json[2]["_id"]);
    assert!(Plan::read(None).unwrap().steps.is_empty());
}

#[test]
fn what_no_step_can_be_is_refused() {
    let tool = |identifier: &str, configuration: Json| json!([{ "name": "a", "tool": { "tool_identifier": identifier, "configuration": configuration } }]);
    let variable = |name: &str, value: Json| {
        let configuration =
            json!({ "script": "true", "queue": "q", "environment": { name: value } });
        tool("shell", configuration)
    };
    let codes = |codes: Json| {
        let configuration = json!({ "script": "true", "queue": "q", "expected_exit_codes": codes });
        tool("shell", configuration)
    };
    let with = |field: &str, value: Json| {
        let mut step = wait("a");
        step[field] = value;
        json!([step])
    };
    for (steps, text) in [
        (json!({}), "workflow.plan must be a list"),
        (json!([7]), "Step `0`: must be an object"),
        (json!([{}]), "Step `0`: name is missing"),
        (json!([{ "name": "a" }]), "tool must be an object"),
        (
            json!([wait("a"), wait("a")]),
            "another step has its name or id",
        ),
        (with("_id", json!("x")), "_id must be 24"),
        (
            tool("terraform", json!({})),
            "no tool type `terraform` is here: webhook, jenkins",
        ),
        (tool("wait", json!({})), "wait needs seconds"),
        (tool("shell", json!({ "queue": "q" })), "shell needs script"),
        (
            tool("shell", json!({ "script": "true" })),
            "shell needs queue",
        ),
        (
            tool("shell", json!({ "script": 7, "queue": "q" })),
            "script must be a text",
        ),
        (
            tool(
                "shell",
                json!({ "script": "x".repeat(70_000), "queue": "q" }),
            ),
            "script has 70000 bytes, more than the allowed 65536",
        ),
        (
            tool("shell", json!({ "script": "a\0", "queue": "q" })),
            "script has a NUL",
        ),
        (
            tool("shell", json!({ "script": "true", "queue": ["q"] })),
            "queue must be a name",
        ),
        (variable("A", json!({})), "`A` must be a text"),
        (variable("1A", json!("x")), "letters, digits and `_`"),
        (variable("", json!("x")), "letters, digits and `_`"),
        (variable("windlass_output", json!("x")), "of the worker's"),
        (
            variable("A", json!("{{ ")),
            "cannot be filled: syntax error",
        ),
        (codes(json!([])), "expected_exit_codes must be"),
        (codes(json!([256])), "expected_exit_codes must be"),
        (codes(json!(0)), "expected_exit_codes must be"),
        (tool("wait", json!([])), "configuration must be an object"),
        (tool("webhook", json!({})), "webhook needs a url"),
        (
            tool("jenkins", json!({ "job": "x" })),
            "jenkins needs the toolConfigId",
        ),
        (
            tool("jenkins", json!({ "toolConfigId": "x" })),
            "toolConfigId must be 24",
        ),
        (
            tool("webhook", json!({ "url": "{{ " })),
            "cannot be filled: syntax error",
        ),
        (
            with("retries", json!(21)),
            "retries must be a whole number from 0 to 20",
        ),
        (
            with("timeout_seconds", json!(-1)),
            "timeout_seconds must be",
        ),
        (with("active", json!("yes")), "active must be true or false"),
        (
            with("dependencies", json!("a")),
            "dependencies must be a list",
        ),
        (
            with("dependencies", json!(["z"])),
            "it depends on `z`, which is no step",
        ),
        (
            with("dependencies", json!(["a"])),
            "its dependencies are a cycle",
        ),
        (
            json!([
                after("a", json!(["c"])),
                after("b", json!(["a"])),
                after("c", json!(["b"]))
            ]),
            "its dependencies are a cycle",
        ),
        (Json::from(vec![wait("a"); 201]), "more than 200 steps"),
    ] {
        let refusal = Plan::read(Some(&steps)).unwrap_err();
        assert!(
            refusal.message().contains(text),
            "{steps}: {}",
            refusal.message()
        );
    }
}

#[test]
fn thresholds_compare_numbers_and_texts() {
    let outputs = json!({ "coverage": 81.5, "grade": "A", "count": "7" });
    let outputs = outputs.as_object().unwrap();
    for (output, operator, value, is_met) in [
        ("coverage", ">=", json!(80), true),
        ("coverage", "<", json!(80), false),
        ("grade", "==", json!("A"), true),
        ("grade", "!=", json!("B"), true),
        ("grade", ">", json!("B"), false),
        ("count", "==", json!(7), true),
        ("none", "==", json!(7), false),
    ] {
        let threshold = Threshold {
            output: output.into(),
            operator: operator.into(),
            value,
        };
        assert_eq!(threshold.fault(outputs).is_none(), is_met, "{threshold:?}");
    }
}

#[test]
fn a_script_is_no_template() {
    let script = "echo ${A} {{ secrets.key }} {% x %}";
    let steps = json!([{ "name": "a", "tool": { "tool_identifier": "shell", "configuration": {
        "script": script, "queue": "q", "environment": { "KEY": "{{ secrets.key }}" } } } }]);
    let plan = Plan::read(Some(&steps)).unwrap();
    let step = &plan.steps[0];
    assert_eq!(step.timeout_seconds, Some(3600));
    let places = step.kind.with_places(&step.configuration);
    assert_eq!(
        Json::Object(places),
        json!({ "environment": { "KEY": "{{ secrets.key }}" } })
    );
}
