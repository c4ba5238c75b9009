//! Providers that answer from a closure.

use super::*;
use serde_json::json;
use windlass_core::outbound::{OutboundRequest, OutboundResponse};
use windlass_core::platform::set_variable;

/// A provider that keeps what it is asked.
struct Server<F>(F);

impl<F: Fn(&OutboundRequest) -> (u16, Value)> Outbound for Server<F> {
    async fn send(&self, request: OutboundRequest) -> Result<OutboundResponse, String> {
        let (status, body) = self.0(&request);
        Ok(OutboundResponse {
            status,
            headers: Vec::new(),
            body: body.to_string().into_bytes(),
        })
    }
}

fn connection(kind: ProviderType, parameters: Value) -> Connection {
    let parameters = parameters.as_object().unwrap().clone();
    Connection::new("far", kind, parameters).unwrap()
}

fn vault() -> Connection {
    let parameters =
        json!({ "url": "https://vault.example/", "token": "t0k3n", "path": "secret/app" });
    connection(ProviderType::Vault, parameters)
}

fn windlass() -> Connection {
    let parameters =
        json!({ "host": "far.example", "username": "ann", "password": "pw", "tenant": "quay" });
    connection(ProviderType::Cloudify, parameters)
}

#[test]
fn a_vault_is_asked_for_a_document_with_the_token() {
    let server = Server(|request: &OutboundRequest| {
        assert_eq!(request.url, "https://vault.example/v1/secret/data/app/db");
        assert_eq!(
            request.headers,
            [("X-Vault-Token".to_owned(), "t0k3n".to_owned())]
        );
        (
            200,
            json!({ "data": { "data": { "pw": "x", "value": 7 } } }),
        )
    });
    for (key, options, want) in [
        ("pw", json!({ "path": "db" }), json!("x")),
        ("other", json!({ "path": "db", "key": "pw" }), json!("x")),
        ("another", json!({ "path": "db" }), json!(7)),
    ] {
        let options = options.as_object().unwrap();
        let value = pollster::block_on(vault().value(key, options, &server)).unwrap();
        assert_eq!(value, want, "{key}");
    }
}

#[test]
fn another_application_is_asked_as_its_user_in_its_tenant() {
    let server = Server(|request: &OutboundRequest| {
        let headers: Vec<&str> = request
            .headers
            .iter()
            .map(|(_, value)| value.as_str())
            .collect();
        assert_eq!(headers, ["Basic YW5uOnB3", "quay"]);
        match request.url.as_str() {
            "https://far.example/api/v3.1/secrets/pw" => (200, json!({ "value": "x" })),
            "https://far.example/api/v3.1/secrets/hidden" => (200, json!({ "value": "" })),
            "https://far.example/api/v3.1/secrets?_size=0" => (200, json!({})),
            _ => (404, json!({})),
        }
    });
    let ask = |key: &str| pollster::block_on(windlass().value(key, &Map::new(), &server));
    assert_eq!(ask("pw").unwrap(), "x");
    assert_eq!(ask("hidden").unwrap_err().kind(), Kind::FailedDependency);
    assert_eq!(ask("none").unwrap_err().kind(), Kind::NotFound);
    pollster::block_on(windlass().test(&server)).unwrap();
}

#[test]
fn a_provider_that_fails_is_told_without_its_credentials_and_answers() {
    for connection in [vault(), windlass()] {
        for status in [301, 401, 403, 500] {
            let server = Server(move |_: &OutboundRequest| (status, json!("hunter2")));
            let nowhere = Map::new();
            let value = connection.value("pw", &nowhere, &server);
            for refusal in [
                pollster::block_on(value).unwrap_err(),
                pollster::block_on(connection.test(&server)).unwrap_err(),
            ] {
                assert_eq!(refusal.kind(), Kind::FailedDependency);
                let text = refusal.for_log();
                assert!(text.contains(&status.to_string()), "{text}");
                for private in ["hunter2", "t0k3n", "pw"] {
                    assert!(!text.contains(private), "{text}");
                }
            }
        }
    }
}

#[test]
fn a_provider_in_the_operators_network_is_not_asked() {
    let server = Server(|_: &OutboundRequest| unreachable!("nothing is sent"));
    let parameters = json!({ "url": "http://127.0.0.1:8200", "token": "t", "path": "secret" });
    let inside = connection(ProviderType::Vault, parameters);
    let refusal = pollster::block_on(inside.test(&server)).unwrap_err();
    assert_eq!(refusal.kind(), Kind::FailedDependency);
    set_variable("outbound_allow_private", "true");
    let server = Server(|_: &OutboundRequest| (200, json!({})));
    pollster::block_on(inside.test(&server)).unwrap();
}

#[test]
fn connection_parameters_are_texts_that_are_there() {
    for (kind, parameters, missing) in [
        (ProviderType::Local, json!({}), None),
        (
            ProviderType::Vault,
            json!({ "url": "u", "path": 7 }),
            Some("vault needs the connection parameters: token, path"),
        ),
        (
            ProviderType::Cloudify,
            json!({ "host": "h", "username": "", "tenant": "t" }),
            Some("username, password"),
        ),
    ] {
        let parameters = parameters.as_object().unwrap().clone();
        match (Connection::new("far", kind, parameters), missing) {
            (Ok(_), None) => {}
            (Err(refusal), Some(text)) => assert!(refusal.message().contains(text), "{refusal:?}"),
            (got, _) => panic!("{kind:?}: {got:?}"),
        }
    }
}
