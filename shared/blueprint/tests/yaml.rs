//! YAML as blueprints were written: what is taken, what is refused and where, and in time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by a panic"
)]

use serde_json::{Value, json};
use std::time::{Duration, Instant};
use windlass_blueprint::yaml_value;

fn read(text: &str) -> Value {
    yaml_value(text.as_bytes()).unwrap_or_else(|why| panic!("{text:?}: {why}"))
}

#[test]
fn files_that_people_wrote_mean_what_they_meant() {
    for (text, expected) in [
        (
            "{value: {concat:[bow, -, stern]}}",
            json!({"value": {"concat": ["bow", "-", "stern"]}}),
        ),
        ("{x:{}, y:[]}", json!({"x": {}, "y": []})),
        (
            "mast:\n    flags: 'the first line,\n    the second one,\nand the third'\n    n: 1",
            json!({"mast": {"flags": "the first line, the second one, and the third", "n": 1}}),
        ),
        ("a: |\n  one", json!({"a": "one"})),
        ("a: |\n  one\n", json!({"a": "one\n"})),
        ("a: >+\n  one\n\n", json!({"a": "one\n\n"})),
        ("a: |", json!({"a": ""})),
        ("a: \"\\ud83d\\udea2\"", json!({"a": "\u{1f6a2}"})),
        (
            "a: &a {x: 1}\nb: {<<: [*a, {x: 2, y: 3}], z: 4}",
            json!({"a": {"x": 1}, "b": {"x": 1, "y": 3, "z": 4}}),
        ),
    ] {
        assert_eq!(read(text), expected, "{text:?}");
    }
}

#[test]
fn what_is_no_yaml_is_told_with_its_place() {
    for (text, expected) in [
        (
            "a:\n  b: 'one\ntwo",
            "found unexpected end of stream, line 3, column 4 \
             (in the quoted text that begins in line 2, column 6)",
        ),
        (
            "a: [b,\n  c}",
            "expected ',' or ']', but found '}', line 2, column 4 \
             (in the list that begins in line 1, column 4)",
        ),
        (
            "a: b: c",
            "mapping values are not allowed here, line 1, column 5",
        ),
        (
            "a:\n\tb: c",
            "found character '\\t' that cannot start any token, line 2, column 1",
        ),
        (
            "a: b\nc\nd: e",
            "could not find expected ':', line 3, column 1 \
             (in the key that begins in line 2, column 1)",
        ),
        ("a: *b", "found undefined alias b, line 1, column 4"),
        (
            "a: &b 1\nc: &b 2",
            "found duplicate anchor b, line 2, column 4",
        ),
        (
            "a: b\u{7}",
            "found the character '\\u{7}', which is not allowed, line 1, column 5",
        ),
    ] {
        assert_eq!(
            yaml_value(text.as_bytes()).unwrap_err(),
            expected,
            "{text:?}"
        );
    }
}

#[test]
fn bytes_that_are_no_text_are_told_with_their_place() {
    let why = yaml_value(b"a: b\nc: caf\xe9\n").unwrap_err();
    assert_eq!(why, "the file is not UTF-8, line 2, column 7");
    assert_eq!(
        yaml_value(b"\xff\xfea\0:\0 \0b\0").unwrap(),
        json!({"a": "b"})
    );
    let why = yaml_value(b"\xff\xfea\0:").unwrap_err();
    assert_eq!(why, "the file is not UTF-16");
}

/// Each is a megabyte or so, and would take long if it took more than its length.
#[test]
fn texts_that_nobody_would_write_take_no_time() {
    let doubling: String = ('b'..='m')
        .map(|name| {
            let before = char::from(name as u8 - 1);
            format!("{name}: &{name} [*{before}, *{before}, *{before}, *{before}]\n")
        })
        .collect();
    for (what, text) in [
        ("aliases", format!("a: &a [x, x, x, x]\n{doubling}")),
        (
            "anchors",
            (0..60_000).map(|n| format!("- &a{n} x\n")).collect(),
        ),
        ("brackets", "[".repeat(1_000_000)),
        ("maps", "{a: ".repeat(1_000_000)),
        ("dashes", "- ".repeat(500_000)),
        ("keys", "? ".repeat(500_000)),
        ("colons", ": ".repeat(500_000)),
        ("a scalar", format!("a: \"{}\"", "x".repeat(1_000_000))),
        ("words", format!("a: {}", "x y\n  ".repeat(150_000))),
        ("lines", format!("a: '{}'", "\n".repeat(1_000_000))),
        ("a block", format!("a: |\n{}", "\n".repeat(1_000_000))),
        ("tags", "!a".repeat(500_000)),
        ("more than is allowed", "x".repeat(10_000_000)),
    ] {
        let begun = Instant::now();
        let _ = yaml_value(text.as_bytes());
        let taken = begun.elapsed();
        assert!(taken < Duration::from_secs(10), "{what} took {taken:?}");
    }
}
