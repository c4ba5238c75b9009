//! Another application with this API, such as a second installation of this one.
//!
//! `host` is a name, with a port if need be, or the beginning of a URL. A password goes there, so it is
//! HTTPS unless `protocol` or the URL says otherwise.

use crate::{Connection, failed};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
use windlass_core::Result;
use windlass_core::outbound::{Outbound, OutboundResponse};

pub(crate) async fn value(
    connection: &Connection,
    key: &str,
    options: &Map<String, Value>,
    outbound: &impl Outbound,
) -> Result<Value> {
    let key = options.get("key").and_then(Value::as_str).unwrap_or(key);
    let path = utf8_percent_encode(key, NON_ALPHANUMERIC);
    let answer = ask(connection, &format!("secrets/{path}"), outbound).await?;
    let answer = connection.read(key, &answer)?;
    let value = answer.get("value").cloned();
    // Somebody else's hidden value is an empty text there.
    let is_value = |value: &Value| !value.is_null() && value != "";
    value
        .filter(is_value)
        .ok_or_else(|| failed(&connection.name, format_args!("it does not show `{key}`")))
}

pub(crate) async fn test(connection: &Connection, outbound: &impl Outbound) -> Result<()> {
    let answer = ask(connection, "secrets?_size=0", outbound).await?;
    match answer.status {
        200 => Ok(()),
        status => Err(failed(
            &connection.name,
            format_args!("it answered {status} to its user"),
        )),
    }
}

async fn ask(
    connection: &Connection,
    path: &str,
    outbound: &impl Outbound,
) -> Result<OutboundResponse> {
    let parameter = |name| connection.parameter(name);
    let login = format!("{}:{}", parameter("username"), parameter("password"));
    let headers = vec![
        (
            "Authorization".into(),
            format!("Basic {}", STANDARD.encode(login)),
        ),
        ("Tenant".into(), parameter("tenant").to_owned()),
    ];
    let url = format!("{}/api/v3.1/{path}", base(connection));
    connection.get(url, headers, outbound).await
}

fn base(connection: &Connection) -> String {
    let host = connection.parameter("host").trim_end_matches('/');
    if host.contains("://") {
        return host.to_owned();
    }
    let protocol = match connection.parameter("protocol") {
        "" => "https",
        given => given,
    };
    match connection.parameter("port") {
        "" => format!("{protocol}://{host}"),
        port => format!("{protocol}://{host}:{port}"),
    }
}
