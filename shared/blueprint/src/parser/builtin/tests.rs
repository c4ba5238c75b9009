//! Every leaf of the built-in types, in every version, against a table of them.

use super::*;
use serde_json::{Map, json};
use std::collections::BTreeMap;

const LEAVES: &str = include_str!("leaves.tsv");
/// The versions in the table. The last one are the types of today.
const VERSIONS: [&str; 14] = [
    "4.3.3", "4.4", "4.5", "4.5.5", "4.6", "5.0.5", "5.1.0", "5.1.1", "5.2.0", "6.1.0", "6.2.0",
    "6.3.0", "6.3.1", "now",
];

/// The types of a version as the table has them, by the paths of the leaves.
fn expected(version: usize) -> BTreeMap<String, Value> {
    let mut leaves = BTreeMap::new();
    for line in LEAVES.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split('\t').collect();
        let number = |name: &str| VERSIONS.iter().position(|known| *known == name).unwrap();
        let says = fields[2]
            .split(' ')
            .any(|span| match span.split_once("..") {
                Some((first, last)) => (number(first)..=number(last)).contains(&version),
                None => span == "all" || number(span) == version,
            });
        if says {
            let value = serde_json::from_str(fields[1]).unwrap();
            leaves.insert(fields[0].to_owned(), value);
        }
    }
    leaves
}

/// All leaves but descriptions. What has only a description has none.
fn leaves(value: &Value, path: &str, found: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (name, inner) in map
                .iter()
                .filter(|(name, inner)| *name != "description" || inner.is_object())
            {
                let path = match path {
                    "" => name.clone(),
                    path => format!("{path} > {name}"),
                };
                leaves(inner, &path, found);
            }
        }
        value => {
            found.insert(path.to_owned(), value.clone());
        }
    }
}

fn types(version: &str) -> Value {
    match version {
        "now" => current(Version(4)),
        number => published(&number.parse().unwrap(), Version(4)),
    }
    .to_value()
}

#[test]
fn every_version_says_what_the_table_says() {
    for (place, version) in VERSIONS.iter().enumerate() {
        let mut found = BTreeMap::new();
        let raw = match *version {
            "now" => read(TYPES).unwrap(),
            number => unfitted(&number.parse().unwrap()),
        };
        leaves(&raw.to_value(), "", &mut found);
        let expected = expected(place);
        for (path, value) in &expected {
            assert_eq!(found.get(path), Some(value), "{version}: {path}");
        }
        assert!(expected.len() > 200, "{version}");
        // What has a description only is not in the table, and older versions have lost theirs.
        found.retain(|path, value| expected.contains_key(path) || *value != json!({}));
        for path in found.keys() {
            assert!(
                expected.contains_key(path),
                "{version} should not have {path}"
            );
        }
    }
}

#[test]
fn a_number_that_is_not_known_means_the_nearest_older_one() {
    for (number, same) in [
        ("4.5.6", "4.5.5"),
        ("5.0.0", "4.6"),
        ("5.1", "5.1.0"),
        ("3.4.2", "4.3.3"),
        ("6.4.0", "6.3.1"),
    ] {
        assert_eq!(types(number), types(same), "{number}");
    }
    assert_ne!(types("4.3.3"), types("4.4"));
    assert_ne!(types("6.3.1"), types("now"));
}

#[test]
fn only_urls_of_published_types_mean_them() {
    for (url, number) in [
        (
            "http://www.getcloudify.org/spec/cloudify/4.5.5/types.yaml",
            Some("4.5.5"),
        ),
        (
            "https://getcloudify.org/spec/cloudify/5.1.0/types.yaml",
            Some("5.1.0"),
        ),
        (
            "https://cloudify.co/spec/cloudify/6.3.1/types.yaml",
            Some("6.3.1"),
        ),
        (
            "http://www.cloudify.co/spec/cloudify/3.4/types.yaml",
            Some("3.4"),
        ),
        ("http://example.com/spec/cloudify/4.5.5/types.yaml", None),
        (
            "http://getcloudify.org.example.com/spec/cloudify/4.5.5/types.yaml",
            None,
        ),
        (
            "http://www.getcloudify.org/spec/cloudify/moon/types.yaml",
            None,
        ),
        (
            "http://www.getcloudify.org/spec/cloudify/4.5.5/plugin.yaml",
            None,
        ),
        (
            "ftp://www.getcloudify.org/spec/cloudify/4.5.5/types.yaml",
            None,
        ),
        ("cloudify/types/types.yaml", None),
    ] {
        let expected = number.map(|number| number.parse::<Number>().unwrap());
        assert_eq!(number_of(url), expected, "{url}");
    }
}

#[test]
fn a_blueprint_of_every_version_becomes_a_plan() {
    use crate::archive::Tree;
    use crate::{NoImports, parse};
    for (version, language) in [
        ("4.3.3", "1_3"),
        ("4.6", "1_3"),
        ("5.2.0", "1_3"),
        ("6.3.1", "1_4"),
    ] {
        let text = format!(
            "tosca_definitions_version: cloudify_dsl_{language}\n\
             imports: [http://www.getcloudify.org/spec/cloudify/{version}/types.yaml]\n\
             node_templates: {{mast: {{type: cloudify.nodes.Compute}}}}\n"
        );
        let tree = Tree::from_texts([("blueprint.yaml", text.as_str())]);
        let plan = parse(&tree, "blueprint.yaml", &NoImports).map(|plan| plan.to_value());
        let plan = plan.unwrap_or_else(|error| panic!("{version}: {error}"));
        assert!(plan["workflows"]["install"].is_object(), "{version}");
        assert_eq!(plan["nodes"][0]["type"], json!("cloudify.nodes.Compute"));
        assert_ne!(plan["nodes"][0]["properties"], Value::Object(Map::new()));
    }
}

#[test]
fn other_programs_get_the_types_as_a_file() {
    use crate::built_in_file;
    let type_of_operation = |types: &Value| {
        types["workflows"]["execute_operation"]["parameters"]["operation"]["type"].clone()
    };
    for (name, expected) in [
        ("types_1_5.yaml", "operation_name"),
        ("types_1_4.yaml", "string"),
        // Every version of the language reads it.
        ("types.yaml", "string"),
    ] {
        let types = built_in_file(name).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(type_of_operation(&types), expected, "{name}");
        assert!(types.get("tosca_definitions_version").is_none(), "{name}");
        assert_eq!(types["plugins"]["windlass-http"]["install"], false);
    }
    for name in [
        "types_1_6.yaml",
        "types_1_4",
        "types14.yaml",
        "older.yaml",
        "",
    ] {
        assert_eq!(built_in_file(name), None, "{name}");
    }
}
