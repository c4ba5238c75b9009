//! One request to the scheduler.

use wasi::http::outgoing_handler::handle;
use wasi::http::types::{
    Fields, IncomingResponse, Method, OutgoingBody, OutgoingRequest, RequestOptions, Scheme,
};

const PATH: &str = "/internal/tick";
const TOKEN_HEADER: &str = "x-windlass-tick-token";
/// How long a tick may take to answer. The scheduler goes on without a listener, so a tick that
/// takes longer is not lost, and ticks do not pile up here.
const ANSWER_NANOS: u64 = 5_000_000_000;
const CONNECT_NANOS: u64 = 2_000_000_000;

/// Posts the tick to the application at `url`; the error says what to look at.
pub fn send(url: &str, token: &str) -> Result<(), String> {
    let (scheme, authority) = split(url)?;
    let headers = Fields::new();
    let header = |name: &str, value: &str| {
        headers
            .append(name, value.as_bytes())
            .map_err(|error| format!("header {name}: {error:?}"))
    };
    header(TOKEN_HEADER, token)?;
    header("content-length", "0")?;

    let request = OutgoingRequest::new(headers);
    let refused = |()| format!("variable self_url = {url:?} is not an address");
    request.set_method(&Method::Post).map_err(refused)?;
    request.set_scheme(Some(&scheme)).map_err(refused)?;
    request.set_authority(Some(authority)).map_err(refused)?;
    request.set_path_with_query(Some(PATH)).map_err(refused)?;
    let body = request.body().map_err(refused)?;

    let options = RequestOptions::new();
    let unsupported = |()| "timeouts are not supported here".to_owned();
    options
        .set_connect_timeout(Some(CONNECT_NANOS))
        .map_err(unsupported)?;
    options
        .set_first_byte_timeout(Some(ANSWER_NANOS))
        .map_err(unsupported)?;

    let failed = |error| format!("POST {url}{PATH}: {error:?}");
    let answer = handle(request, Some(options)).map_err(failed)?;
    OutgoingBody::finish(body, None).map_err(failed)?;
    answer.subscribe().block();
    let response: IncomingResponse = answer
        .get()
        .and_then(Result::ok)
        .ok_or("the answer was taken by somebody else")?
        .map_err(failed)?;
    match response.status() {
        200..300 => Ok(()),
        status => Err(format!("POST {url}{PATH} answered {status}")),
    }
}

/// Scheme and authority of `http://host:port`, with or without a slash at the end.
fn split(url: &str) -> Result<(Scheme, &str), String> {
    let url = url.trim_end_matches('/');
    match url.split_once("://") {
        Some(("http", authority)) => Ok((Scheme::Http, authority)),
        Some(("https", authority)) => Ok((Scheme::Https, authority)),
        _ => Err(format!(
            "variable self_url = {url:?} is not http(s)://host:port"
        )),
    }
}
