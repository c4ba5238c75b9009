//! Vault and OpenBao: a key-value store of version 2.
//!
//! The parameter `path` is the store's mount and, after it, the document; the option `path` of a secret
//! leads further. Where that is the mount alone, the document is called as the secret. In the document the
//! value is what is called as the secret (or as the option `key` says), else what is called `value`.

use crate::{Connection, failed};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
use windlass_core::Result;
use windlass_core::outbound::Outbound;

pub(crate) async fn value(
    connection: &Connection,
    key: &str,
    options: &Map<String, Value>,
    outbound: &impl Outbound,
) -> Result<Value> {
    let option = |name: &str| options.get(name).and_then(Value::as_str);
    let path = document(connection.parameter("path"), option("path"), key);
    let answer = connection.get(url(connection, &path), headers(connection), outbound);
    let answer = connection.read(key, &answer.await?)?;
    let data = answer.pointer("/data/data");
    let field = |name: &str| data.and_then(|data| data.get(name)).cloned();
    field(option("key").unwrap_or(key))
        .or_else(|| field("value"))
        .ok_or_else(|| connection.has_no(key))
}

pub(crate) async fn test(connection: &Connection, outbound: &impl Outbound) -> Result<()> {
    let url = url(connection, "auth/token/lookup-self");
    let answer = connection.get(url, headers(connection), outbound).await?;
    match answer.status {
        200 => Ok(()),
        status => Err(failed(
            &connection.name,
            format_args!("it answered {status} to its token"),
        )),
    }
}

fn headers(connection: &Connection) -> Vec<(String, String)> {
    vec![("X-Vault-Token".into(), connection.parameter("token").into())]
}

fn url(connection: &Connection, path: &str) -> String {
    let base = connection.parameter("url").trim_end_matches('/');
    format!("{base}/v1/{path}")
}

/// The path of a document in Vault's API.
fn document(path: &str, more: Option<&str>, key: &str) -> String {
    let parts = [path, more.unwrap_or_default()];
    let mut parts = parts
        .iter()
        .flat_map(|part| part.split('/'))
        .filter(|part| !part.is_empty());
    let mount = parts.next().unwrap_or_default();
    let mut parts: Vec<&str> = parts.collect();
    // Some write the path as the API has it.
    if parts.first() == Some(&"data") {
        parts.remove(0);
    }
    if parts.is_empty() {
        parts.push(key);
    }
    let parts: Vec<String> = (parts.iter())
        .map(|part| utf8_percent_encode(part, NON_ALPHANUMERIC).to_string())
        .collect();
    let mount = utf8_percent_encode(mount, NON_ALPHANUMERIC);
    format!("{mount}/data/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_found_by_what_the_provider_and_the_secret_say() {
        for (path, more, want) in [
            ("secret", None, "secret/data/key"),
            ("secret/app", None, "secret/data/app"),
            ("/secret/data/app/", Some("db"), "secret/data/app/db"),
            ("secret", Some("/db/main"), "secret/data/db/main"),
            ("secret", Some("../sys/seal"), "secret/data/%2E%2E/sys/seal"),
        ] {
            assert_eq!(document(path, more, "key"), want, "{path} {more:?}");
        }
    }
}
