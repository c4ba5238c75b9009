use super::*;
use serde_json::json;

#[test]
fn texts_print_as_in_python() {
    for (text, expected) in [
        ("", r"''"),
        ("a", r"'a'"),
        ("it's", r#""it's""#),
        ("say \"so\"", r#"'say "so"'"#),
        ("it's \"so\"", r#"'it\'s "so"'"#),
        ("\\", r"'\\'"),
        ("\\'", r#""\\'""#),
        ("a\nb\r\n\tc", r"'a\nb\r\n\tc'"),
        (
            "\0\u{7}\u{8}\u{b}\u{c}\u{1b}",
            r"'\x00\x07\x08\x0b\x0c\x1b'",
        ),
        ("\u{7f}\u{80}\u{9f}", r"'\x7f\x80\x9f'"),
        ("\u{a0}|\u{ad}", r"'\xa0|\xad'"),
        ("grün é e\u{301} 漢字 Ж", "'grün é e\u{301} 漢字 Ж'"),
        ("\u{301}", "'\u{301}'"),
        (
            "😀 \u{1f9d1}\u{200d}\u{1f680}",
            "'😀 \u{1f9d1}\\u200d\u{1f680}'",
        ),
        (
            "\u{2028}\u{2029}\u{3000}\u{feff}",
            r"'\u2028\u2029\u3000\ufeff'",
        ),
        ("\u{e000}\u{fffe}\u{fffd}", "'\\ue000\\ufffe\u{fffd}'"),
        ("\u{10ffff}\u{e0001}", r"'\U0010ffff\U000e0001'"),
        ("${}{{}}%s", r"'${}{{}}%s'"),
    ] {
        assert_eq!(repr(&json!(text)), expected, "{text:?}");
        assert_eq!(str(&json!(text)), text);
        assert_eq!(list([text]), format!("[{expected}]"));
    }
}

#[test]
fn other_values_print_as_in_python() {
    for (value, expected) in [
        (json!(null), "None"),
        (json!(true), "True"),
        (json!(false), "False"),
        (json!(0), "0"),
        (json!(-3), "-3"),
        (json!(18446744073709551615_u64), "18446744073709551615"),
        (json!(0.0), "0.0"),
        (json!(-0.0), "-0.0"),
        (json!(1.0), "1.0"),
        (json!(-2.5), "-2.5"),
        (json!(0.1), "0.1"),
        (json!(100000000000000.0), "100000000000000.0"),
        (json!(9999999999999998.0), "9999999999999998.0"),
        (json!(1e16), "1e+16"),
        (json!(1.5e16), "1.5e+16"),
        (json!(-1e20), "-1e+20"),
        (json!(1e100), "1e+100"),
        (json!(1.7976931348623157e308), "1.7976931348623157e+308"),
        (json!(0.0001), "0.0001"),
        (json!(0.00012345), "0.00012345"),
        (json!(0.00001), "1e-05"),
        (json!(1e-7), "1e-07"),
        (json!(5e-324), "5e-324"),
        // Two texts with one digit less are equally near; the even one counts.
        (json!(111659285584252.0 + 0.125), "111659285584252.12"),
        (json!(-1113178120592002.0 - 0.25), "-1113178120592002.2"),
        (json!(0.30000000000000004), "0.30000000000000004"),
        (json!([]), "[]"),
        (json!({}), "{}"),
        (json!([[], [1, [null]]]), "[[], [1, [None]]]"),
        (json!(["a", {"b": "it's"}]), r#"['a', {'b': "it's"}]"#),
        (
            json!({"a": [1, true, null], "it's": 1.0, "": {"\n": "x"}}),
            r#"{'a': [1, True, None], "it's": 1.0, '': {'\n': 'x'}}"#,
        ),
    ] {
        assert_eq!(repr(&value), expected, "{value}");
        assert_eq!(str(&value), expected, "{value}");
    }
}

#[test]
fn lists_of_texts_print_as_in_python() {
    assert_eq!(list::<&str>([]), "[]");
    assert_eq!(list(["a"]), "['a']");
    assert_eq!(
        list(["a".to_owned(), "it's".to_owned()]),
        r#"['a', "it's"]"#
    );
}

#[test]
fn types_are_named_as_in_python() {
    for (value, name, truth) in [
        (json!(null), "NoneType", false),
        (json!(true), "bool", true),
        (json!(false), "bool", false),
        (json!(0), "int", false),
        (json!(-1), "int", true),
        (json!(0.0), "float", false),
        (json!(0.5), "float", true),
        (json!(""), "str", false),
        (json!("0"), "str", true),
        (json!([]), "list", false),
        (json!([null]), "list", true),
        (json!({}), "dict", false),
        (json!({"": null}), "dict", true),
    ] {
        assert_eq!(type_name(&value), name, "{value}");
        assert_eq!(is_true(&value), truth, "{value}");
    }
}

#[test]
fn values_are_equal_as_in_python() {
    for (one, other, expected) in [
        (json!(1), json!(1.0), true),
        (json!(true), json!(1), true),
        (json!(false), json!(0.0), true),
        (json!(true), json!(2), false),
        (json!("1"), json!(1), false),
        (json!(null), json!(false), false),
        (json!([1, true]), json!([1.0, 1]), true),
        (json!([1]), json!([1, 2]), false),
        (json!({"a": 1, "b": 2}), json!({"b": 2.0, "a": 1}), true),
        (json!({"a": 1}), json!({"b": 1}), false),
    ] {
        assert_eq!(equal(&one, &other), expected, "{one} {other}");
        assert_eq!(equal(&other, &one), expected, "{other} {one}");
    }
}
