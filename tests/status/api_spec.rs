//! `/api-spec.json`: the family's endpoints as an OpenAPI document.

use std::collections::BTreeSet;
use windlass_tests::{Value, Windlass, routes};

/// Pages for people, which no program is to call.
const PAGES: [&str; 9] = [
    "/availability",
    "/history",
    "/incidents",
    "/incidents/{}",
    "/status",
    "/status/{}",
    "/status/favicon.svg",
    "/status/times.js",
    "/status/subscribe",
];

/// Where the endpoints of the second version stand once more.
const AGAIN: &str = "/api/v2/status/";

#[test]
fn the_document_describes_every_endpoint_and_no_other() {
    let windlass = Windlass::start();
    let anybody = windlass.nobody().without_tenant().at_root();
    let document = anybody.get("/api-spec.json").expect(200);
    assert_eq!(document["openapi"], "3.0.3");
    let served: BTreeSet<(String, String)> = routes()
        .into_iter()
        .filter(|(_, place)| place.contains("components/status/"))
        .map(|((method, path), _)| (method, path))
        .filter(|(_, path)| !PAGES.contains(&path.as_str()) && !path.starts_with(AGAIN))
        .collect();
    let mut described = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods of a path") {
            if method == "parameters" {
                continue;
            }
            assert!(
                operation["responses"].is_object(),
                "{method} {path} has no answers"
            );
            let parts = path
                .split('/')
                .map(|part| if part.starts_with('{') { "{}" } else { part });
            let path = parts.collect::<Vec<_>>().join("/");
            described.insert((method.to_uppercase(), path.trim_end_matches('/').to_owned()));
        }
    }
    let missing: Vec<_> = served.difference(&described).collect();
    let unknown: Vec<_> = described.difference(&served).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "missing {missing:?}, unknown {unknown:?}"
    );
}

#[test]
fn every_reference_of_the_document_leads_somewhere() {
    let windlass = Windlass::start();
    let anybody = windlass.nobody().without_tenant().at_root();
    let document = anybody.get("/api-spec.json").expect(200);
    let mut found = 0;
    let mut left: Vec<&Value> = vec![&document];
    while let Some(value) = left.pop() {
        if let Some(reference) = value["$ref"].as_str() {
            let pointer = reference.trim_start_matches('#');
            assert!(document.pointer(pointer).is_some(), "{reference}");
            found += 1;
        }
        match value {
            Value::Object(fields) => left.extend(fields.values()),
            Value::Array(items) => left.extend(items),
            _ => {}
        }
    }
    assert!(found > 10, "{found} references");
}
