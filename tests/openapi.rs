//! The description of the application, `docs/openapi.json`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by a panic"
)]

use std::fs;
use windlass_tests::{openapi, repository, routes};

#[test]
fn the_file_says_what_the_table_and_the_resources_say() {
    let file = repository().join(openapi::FILE);
    let written = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        written == openapi::text(),
        "{} is not up to date: cargo run -p windlass-tests --bin openapi",
        openapi::FILE
    );
}

#[test]
fn every_route_is_described_with_its_answers() {
    let document = openapi::document();
    let mut described = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let place = format!("{method} {path}");
            assert!(operation["operationId"].is_string(), "{place}");
            assert!(
                !operation["responses"].as_object().unwrap().is_empty(),
                "{place}"
            );
            let named = path.matches('{').count();
            let parameters = operation["parameters"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let in_path = parameters.iter().filter(|one| one["in"] == "path").count();
            assert_eq!(in_path, named, "{place}");
            described += 1;
        }
    }
    assert_eq!(described, routes().len());
}
