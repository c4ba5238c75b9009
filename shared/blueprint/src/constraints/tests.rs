use super::*;
use serde_json::json;

#[test]
fn constraints_hold_or_say_why_not() {
    for (constraint, value, kept) in [
        (json!({"equal": 1}), json!(1.0), true),
        (json!({"equal": "a"}), json!("b"), false),
        (json!({"greater_than": 1}), json!(1), false),
        (json!({"greater_or_equal": 1}), json!(1), true),
        (json!({"less_than": 2}), json!(1.5), true),
        (json!({"less_or_equal": 2}), json!(3), false),
        (json!({"in_range": [1, 3]}), json!(3), true),
        (json!({"in_range": [1, 3]}), json!(4), false),
        (json!({"in_range": [1, 3]}), json!("2"), false),
        (json!({"valid_values": ["a", "b"]}), json!("b"), true),
        (json!({"valid_values": ["a", "b"]}), json!("c"), false),
        (json!({"length": 2}), json!("ab"), true),
        (json!({"min_length": 3}), json!([1, 2]), false),
        (json!({"max_length": 3}), json!({"a": 1}), true),
        (json!({"pattern": "ab+"}), json!("abbc"), true),
        (json!({"pattern": "b+"}), json!("abb"), false),
        (json!({"pattern": "b+"}), json!(3), false),
        (json!({"valid_values": [1]}), json!(true), true),
        (json!({"name_pattern": {"contains": "x"}}), json!("y"), true),
        (json!({"filter_id": "f"}), json!("y"), false),
    ] {
        let schema = json!({ "type": "secret_key", "constraints": [constraint] });
        let result = check(&schema, "i", &value);
        assert_eq!(result.is_ok(), kept, "{constraint} {value}");
    }
}

#[test]
fn a_violation_reads_as_clients_know_it() {
    let schema = json!({ "constraints": [{ "in_range": [1, 65535] }] });
    let error = check(&schema, "port", &json!(70000)).unwrap_err();
    let expected = "Value 70000 of input port violates constraint in_range(1, 65535) operator.";
    assert_eq!(error.message, expected);
    let schema = json!({ "constraints": [{ "equal": 1, "error_message": "only one" }] });
    let error = check(&schema, "port", &json!(2)).unwrap_err();
    assert_eq!(error.message, "Value 2 of input port is invalid. only one");
}

#[test]
fn definitions_are_checked() {
    for (constraint, code) in [
        (json!({"in_range": [1, 2]}), None),
        (json!({"in_range": {"get_input": "x"}}), None),
        (json!({"in_rangee": [1, 2]}), Some(103)),
        (json!({"in_range": [1]}), Some(212)),
        (json!({"pattern": "("}), Some(212)),
        (json!({"length": "a"}), Some(212)),
    ] {
        let result = check_definition(&constraint, "i");
        assert_eq!(
            result.err().and_then(|error| error.code()),
            code,
            "{constraint}"
        );
    }
}
