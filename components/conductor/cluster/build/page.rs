//! The description as a page: families, resources and operations, each to be opened. It needs no script.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;
use std::collections::BTreeMap;

/// Path, method and what the document says of them.
type Operation<'a> = (&'a str, &'a str, &'a Value);

/// The name of a family, what it is, and its operations by resource.
type Family<'a> = (&'a str, &'a str, BTreeMap<String, Vec<Operation<'a>>>);

/// The whole page.
pub fn render(document: &Value, style: &str) -> String {
    let families = families(document);
    let html = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width,initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "API · Windlass" }
                style { (PreEscaped(style)) }
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header {
                    h1 { "Windlass API" }
                    p {
                        "Every endpoint of this application. The same for programs: "
                        a href="/openapi.json" { "openapi.json" } "."
                    }
                    nav aria-label="Families" {
                        @for (name, ..) in &families { a href={ "#" (name) } { (name) } }
                    }
                }
                main #main tabindex="-1" {
                    @for (name, about, groups) in &families {
                        section {
                            h2 #(name) { (about) }
                            @for (group, operations) in groups {
                                h3 { (group) }
                                @for operation in operations { (shown(document, *operation)) }
                            }
                        }
                    }
                }
            }
        }
    };
    html.into_string()
}

/// All families that the document has.
fn families(document: &Value) -> Vec<Family<'_>> {
    let tags = document["tags"].as_array().into_iter().flatten();
    tags.map(|tag| {
        let name = tag["name"].as_str().unwrap_or_default();
        let about = tag["description"].as_str().unwrap_or_default();
        let mut groups: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for (path, operations) in document["paths"].as_object().into_iter().flatten() {
            for (method, operation) in operations.as_object().into_iter().flatten() {
                if operation["tags"][0] == name {
                    let id = operation["operationId"].as_str().unwrap_or_default();
                    let group = id.split('.').next().unwrap_or_default().replace('_', " ");
                    groups.entry(group).or_default().push((
                        path.as_str(),
                        method.as_str(),
                        operation,
                    ));
                }
            }
        }
        (name, about, groups)
    })
    .collect()
}

fn shown(document: &Value, (path, method, operation): Operation<'_>) -> Markup {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let body = &operation["requestBody"]["content"];
    let example = &body["application/json"]["example"];
    html! {
        details id=(text(&operation["operationId"])) {
            summary {
                span class={ "method " (method) } { (method.to_uppercase()) }
                " " code { (path) } " "
                span.soft { (text(&operation["summary"])) }
            }
            p { (text(&operation["description"])) }
            @if let Some(parameters) = operation["parameters"].as_array() {
                h4 { "Parameters" }
                dl {
                    @for parameter in parameters {
                        @let parameter = resolved(document, parameter);
                        dt { code { (text(&parameter["name"])) } " " span.soft { (text(&parameter["in"])) } }
                        dd { (text(&parameter["description"])) }
                    }
                }
            }
            @if !example.is_null() {
                h4 { "Body" }
                pre tabindex="0" { code { (pretty(example)) } }
            } @else if body.is_object() {
                h4 { "Body" }
                p { "A form: " code { "params" } " as JSON, and an archive." }
            }
            h4 { "Answers" }
            dl {
                @for (status, answer) in operation["responses"].as_object().into_iter().flatten() {
                    dt { code { (status) } }
                    dd {
                        (text(&resolved(document, answer)["description"]))
                        @if let Some(name) = schema(answer) { ": " code { (name) } }
                    }
                }
            }
        }
    }
}

/// What a reference within the document leads to.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let pointer = value["$ref"]
        .as_str()
        .and_then(|reference| reference.strip_prefix('#'));
    pointer
        .and_then(|pointer| document.pointer(pointer))
        .unwrap_or(value)
}

/// The name of the schema that an answer follows.
fn schema(answer: &Value) -> Option<&str> {
    let reference = &answer["content"]["application/json"]["schema"]["$ref"];
    reference.as_str()?.rsplit('/').next()
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}
