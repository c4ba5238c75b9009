//! The entry point of a component on Spin.
//!
//! The response's body, or its beginning, is written into its stream before the response is returned, and its length
//! is in the head: a server that does not set TCP_NODELAY then sends both in one segment, where
//! a body that follows later costs keep-alive clients about 40 milliseconds.

use crate::app::{self, Identity};
use crate::blob;
use crate::db::SpinDb;
use crate::error::{Error, Result};
use crate::family::Family;
use crate::ids;
use crate::request::{Request, parse_query};
use crate::response::{MadeBody, Response};
use crate::router::{Route, Router};
use crate::stream::BodyStream;
use std::cell::{Cell, OnceCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;
use wasip3::http::types::{
    ErrorCode, Fields, Method, Request as WasiRequest, Response as WasiResponse,
};

thread_local! {
    static ROUTER: OnceCell<Rc<Router<SpinDb>>> = const { OnceCell::new() };
    static PREPARED: Cell<bool> = const { Cell::new(false) };
    static INSTANCE: OnceCell<String> = const { OnceCell::new() };
    static SERVED: Cell<u64> = const { Cell::new(0) };
}

/// The largest body that is read to its end, kept or not.
const READ_LIMIT: usize = crate::limits::UPLOAD_BODY;

/// How long a body that nobody wants is read.
const DRAIN_LIMIT: Duration = Duration::from_secs(60);

/// Serves one request of a component with these routes.
///
/// # Errors
/// Never: failures are answers.
pub async fn serve<I: Identity>(
    family: Family,
    routes: fn() -> Vec<Route<SpinDb>>,
    request: WasiRequest,
) -> Result<WasiResponse, ErrorCode> {
    let response = match prepared::<I>(routes).await {
        Ok(router) => match read(&router, request).await {
            Ok(request) => {
                let id = request_id(&request);
                let (stream, asks_first) = (request.stream.clone(), asks_first(&request));
                let response = app::handle::<I, _>(&router, SpinDb, family, request, id).await;
                leave(stream, asks_first);
                response
            }
            Err(error) => app::failure(family, &error).guarded(),
        },
        Err(error) => {
            crate::log::error("the application is not ready", &error);
            app::failure(family, &error).guarded()
        }
    };
    Ok(start(family, response).await)
}

async fn prepared<I: Identity>(routes: fn() -> Vec<Route<SpinDb>>) -> Result<Rc<Router<SpinDb>>> {
    if !PREPARED.get() {
        I::prepare(&SpinDb).await?;
        PREPARED.set(true);
    }
    if let Some(router) = ROUTER.with(|known| known.get().cloned()) {
        return Ok(router);
    }
    let router = Rc::new(Router::new(routes())?);
    ROUTER.with(|known| known.set(router.clone()).ok());
    Ok(router)
}

/// What a client sent as its name for the request, or one that is unique among instances.
fn request_id(request: &Request) -> String {
    let usable =
        |id: &&str| (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic());
    if let Some(id) = request.get_header("x-request-id").filter(usable) {
        return id.to_owned();
    }
    let number = SERVED.get() + 1;
    SERVED.set(number);
    INSTANCE.with(|name| format!("{}-{number}", name.get_or_init(|| ids::random_text(8))))
}

async fn read(router: &Router<SpinDb>, request: WasiRequest) -> Result<Request> {
    let method = match request.get_method() {
        Method::Get => http::Method::GET,
        Method::Head => http::Method::HEAD,
        Method::Post => http::Method::POST,
        Method::Put => http::Method::PUT,
        Method::Delete => http::Method::DELETE,
        Method::Patch => http::Method::PATCH,
        Method::Options => http::Method::OPTIONS,
        Method::Connect => http::Method::CONNECT,
        Method::Trace => http::Method::TRACE,
        Method::Other(name) => http::Method::from_bytes(name.as_bytes())
            .map_err(|_| Error::bad_parameters("The request's method is no HTTP method"))?,
    };
    let path_and_query = request.get_path_with_query().unwrap_or_default();
    let (path, query) = path_and_query
        .split_once('?')
        .unwrap_or((&path_and_query, ""));
    let headers: Vec<(String, String)> = request
        .get_headers()
        .copy_all()
        .into_iter()
        .map(|(name, value)| {
            let value = String::from_utf8(value)
                .unwrap_or_else(|bad| String::from_utf8_lossy(bad.as_bytes()).into_owned());
            (name.to_ascii_lowercase(), value)
        })
        .collect();
    let header = |name: &str| {
        headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, v)| v)
    };
    let length = header("content-length").and_then(|text| text.parse::<usize>().ok());
    let has_body = length.is_some_and(|length| length > 0) || header("transfer-encoding").is_some();
    if length.is_some_and(|length| length > READ_LIMIT) {
        return Err(crate::limits::too_large(READ_LIMIT));
    }
    let mut request_read = Request {
        method,
        path: path.to_owned(),
        query: parse_query(query),
        headers,
        body: Vec::new(),
        stream: BodyStream::default(),
    };
    // Each host call costs; most reads have no body to ask for. A GET's body is never used.
    let may_have =
        has_body || !matches!(request_read.method, http::Method::GET | http::Method::HEAD);
    if may_have && length != Some(0) {
        let stream = BodyStream::of_request(request);
        // What no route reads is not kept: nobody has shown yet who they are.
        let route = router.find(&request_read.method, &request_read.path).ok();
        if route.as_ref().is_some_and(|found| found.route.is_streamed) {
            request_read.stream = stream;
            return Ok(request_read);
        }
        let limit = route.map_or(0, |found| found.route.body_limit);
        match read_body(&stream, length.unwrap_or(0), limit).await? {
            Some(body) => request_read.body = body,
            None => {
                leave(stream, asks_first(&request_read));
                if limit > 0 {
                    return Err(crate::limits::too_large(limit));
                }
            }
        }
    }
    Ok(request_read)
}

/// The body, or nothing when it has more than `limit` bytes, or says so.
async fn read_body(stream: &BodyStream, announced: usize, limit: usize) -> Result<Option<Vec<u8>>> {
    if announced > limit || limit == 0 {
        return Ok(None);
    }
    let mut body = Vec::with_capacity(announced);
    while let Some(bytes) = stream.next().await? {
        if body.len() + bytes.len() > limit {
            return Ok(None);
        }
        body.extend_from_slice(&bytes);
    }
    Ok(Some(body))
}

/// Whether the client waits to be told whether to send its body.
fn asks_first(request: &Request) -> bool {
    let expected = request.get_header("expect");
    expected.is_some_and(|what| what.eq_ignore_ascii_case("100-continue"))
}

/// Leaves a body that is not wanted. The answer does not wait for it, but a client that is still sending
/// would not see the answer, so the rest is read beside it, within reason. Who asked first has
/// not begun, and is not asked to.
fn leave(stream: BodyStream, asks_first: bool) {
    if stream.is_over() || (asks_first && !stream.is_begun()) {
        return;
    }
    wasip3::spawn(async move {
        let drained = std::pin::pin!(stream.drain(READ_LIMIT));
        let alarm = std::pin::pin!(crate::platform::sleep(DRAIN_LIMIT));
        futures_util::future::select(drained, alarm).await;
    });
}

/// What is left of a body after its beginning.
enum Rest {
    Nothing,
    Blob(String, u64),
    Made(MadeBody),
}

/// The beginning of a response's body, its whole length where that is known, and the rest.
async fn beginning(response: &mut Response) -> Result<(Option<u64>, Rest)> {
    if let Some(left_out) = response.left_out {
        return Ok((left_out.length, Rest::Nothing));
    }
    if let Some((id, size)) = response.blob.take() {
        response.body = blob::chunk(&id, size, 0).await?;
        let is_whole = response.body.len() as u64 == size;
        let rest = Rest::Blob(id, size);
        return Ok((Some(size), if is_whole { Rest::Nothing } else { rest }));
    }
    if let Some(made) = response.made.take() {
        let (bytes, is_whole) = made.beginning().await?;
        response.body = bytes;
        if !is_whole {
            return Ok((made.length(), Rest::Made(made)));
        }
    }
    Ok((Some(response.body.len() as u64), Rest::Nothing))
}

/// Turns a response into one whose body is on its way already: all of it, or its beginning.
async fn start(family: Family, mut response: Response) -> WasiResponse {
    let (length, rest) = match beginning(&mut response).await {
        Ok(begun) => begun,
        Err(error) => {
            crate::log::error("a body cannot be read", &error);
            response = app::failure(family, &error).guarded();
            (Some(response.body.len() as u64), Rest::Nothing)
        }
    };
    let mut headers: Vec<(String, Vec<u8>)> = response
        .headers
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.into_bytes()))
        .collect();
    let has_length = response.status != 204 && response.status != 304;
    if let Some(length) = length.filter(|_| has_length) {
        headers.push(("content-length".into(), length.to_string().into_bytes()));
    }
    let fields = Fields::from_list(&headers).unwrap_or_else(|_| Fields::new());
    // Dropping the writer answers "no trailers".
    let (trailers, trailers_reader) = wasip3::wit_future::new(|| Ok(None));
    let contents = if response.body.is_empty() {
        None
    } else {
        let (mut writer, reader) = wasip3::wit_stream::new();
        let body = response.body;
        let mut writing = Box::pin(async move {
            // A client that went away takes what it took.
            if !writer.write_all(body).await.is_empty() {
                return;
            }
            if let Err(error) = send_rest(&mut writer, rest).await {
                crate::log::error("a download broke off", &error);
                // Else the client would wait for what never comes.
                let _ = trailers.write(Err(ErrorCode::InternalError(None))).await;
            }
        });
        let done = poll_fn(|cx| Poll::Ready(writing.as_mut().poll(cx).is_ready())).await;
        if !done {
            wasip3::spawn(writing);
        }
        Some(reader)
    };
    let (wasi, _sent) = WasiResponse::new(fields, contents, trailers_reader);
    // Every status this application answers is a valid one.
    let _ = wasi.set_status_code(response.status);
    wasi
}

/// Sends what follows the beginning of a body.
async fn send_rest(writer: &mut wasip3::wit_bindgen::StreamWriter<u8>, rest: Rest) -> Result<()> {
    match rest {
        Rest::Nothing => {}
        Rest::Blob(id, size) => {
            for number in 1..blob::chunks(size) {
                let chunk = blob::chunk(&id, size, number).await?;
                if !writer.write_all(chunk).await.is_empty() {
                    break;
                }
            }
        }
        Rest::Made(made) => {
            while let Some(part) = made.next().await? {
                if !writer.write_all(part).await.is_empty() {
                    break;
                }
            }
        }
    }
    Ok(())
}
