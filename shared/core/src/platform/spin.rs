//! Spin's interfaces.

use super::{
    OUTBOUND_BODY, OutboundAnswer, OutboundRequest, OutboundResponse, kv_failure, spin_failure,
};
use crate::error::{Error, Result};
use crate::outbound::failure::{Failure, host_of};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use spin_sdk::key_value::Store;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

thread_local! {
    static STORE: RefCell<Option<Rc<Store>>> = const { RefCell::new(None) };
    // Variables do not change while an instance lives.
    static VARIABLES: RefCell<BTreeMap<String, Option<String>>> =
        const { RefCell::new(BTreeMap::new()) };
}

/// How long the key-value store may take. A store on another machine has no limit of its own.
const KV_PATIENCE: Duration = Duration::from_secs(10);

/// Does something with the store, within [`KV_PATIENCE`].
async fn with_store<T>(
    work: impl AsyncFnOnce(&Store) -> Result<T, spin_sdk::key_value::Error>,
) -> Result<T> {
    let work = async {
        let known = STORE.with_borrow(Clone::clone);
        let store = match known {
            Some(store) => store,
            None => {
                let store = Rc::new(Store::open_default().await.map_err(refused)?);
                STORE.set(Some(store.clone()));
                store
            }
        };
        work(&store).await.map_err(refused)
    };
    let in_time = in_time(KV_PATIENCE, work).await;
    in_time.unwrap_or_else(|| Err(kv_failure("it did not answer")))
}

fn refused(error: spin_sdk::key_value::Error) -> Error {
    match error {
        spin_sdk::key_value::Error::Other(text) => kv_failure(&text),
        other => Error::internal(format!("key-value store: {other:?}")),
    }
}

pub async fn kv_get(key: &str) -> Result<Option<Vec<u8>>> {
    with_store(async |store| store.get(key).await).await
}

/// The store's interface is asynchronous. A request's task may wait for it all the same: only
/// synchronous exports may not.
pub fn kv_get_blocking(key: &str) -> Result<Option<Vec<u8>>> {
    let key = key.to_owned();
    wasip3::wit_bindgen::block_on(async move { kv_get(&key).await })
}

pub async fn kv_set(key: &str, value: &[u8]) -> Result<()> {
    with_store(async |store| store.set(key, value).await).await
}

pub async fn kv_delete(key: &str) -> Result<()> {
    with_store(async |store| store.delete(key).await).await
}

pub async fn variable(name: &str) -> Option<String> {
    if let Some(known) = VARIABLES.with_borrow(|known| known.get(name).cloned()) {
        return known;
    }
    let value = spin_sdk::variables::get(name).await.ok();
    VARIABLES.with_borrow_mut(|known| known.insert(name.to_owned(), value.clone()));
    value
}

pub fn spawn(task: impl Future<Output = ()> + 'static) {
    wasip3::spawn(task);
}

pub async fn sleep(time: Duration) {
    let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    wasip3::clocks::monotonic_clock::wait_for(nanos).await;
}

pub async fn pause() {
    wasip3::wit_bindgen::yield_async().await;
}

/// What comes of `work`, or nothing when it takes longer. The alarm costs nothing where the work does
/// not wait.
pub async fn in_time<T>(time: Duration, work: impl Future<Output = T>) -> Option<T> {
    let (work, alarm) = (std::pin::pin!(work), std::pin::pin!(sleep(time)));
    match futures_util::future::select(work, alarm).await {
        futures_util::future::Either::Left((done, _)) => Some(done),
        futures_util::future::Either::Right(_) => None,
    }
}

/// What comes of `work` in time, or else what was waited for in vain, and from whom.
async fn within<T>(
    time: Duration,
    (what, url): (&str, &str),
    work: impl Future<Output = Result<T, String>>,
) -> Result<T, String> {
    in_time(time, work).await.unwrap_or_else(|| {
        let (host, seconds) = (host_of(url), time.as_secs_f32());
        Err(format!("no {what} from `{host}` within {seconds} seconds"))
    })
}

pub async fn send(request: OutboundRequest) -> Result<OutboundResponse, String> {
    let timeout = request.timeout.unwrap_or(Duration::from_secs(30));
    let url = request.url.clone();
    within(timeout, ("answer", &url), exchange(request)).await
}

async fn exchange(request: OutboundRequest) -> Result<OutboundResponse, String> {
    let answer = begin(request).await?;
    let OutboundBody { body, url } = answer.body;
    let body = Limited::new(body, OUTBOUND_BODY).collect().await;
    let body = body.map_err(|error| {
        let failure = match error.downcast_ref() {
            Some(code) => spin_failure::of(code),
            None if error.is::<LengthLimitError>() => Failure::TooLarge("body"),
            None => Failure::BrokeOff,
        };
        failure.about(&url)
    })?;
    let body = body.to_bytes();
    Ok(OutboundResponse {
        status: answer.status,
        headers: answer.headers,
        body: body.to_vec(),
    })
}

/// The body of another server's answer, and where it comes from.
pub struct OutboundBody {
    body: wasip3::http_compat::IncomingResponseBody,
    url: String,
}

pub async fn open(request: OutboundRequest) -> Result<OutboundAnswer, String> {
    let timeout = request.timeout.unwrap_or(Duration::from_secs(30));
    let url = request.url.clone();
    within(timeout, ("answer", &url), begin(request)).await
}

pub async fn outbound_chunk(
    body: &mut OutboundBody,
    patience: Duration,
) -> Result<Option<Vec<u8>>, String> {
    let OutboundBody { body, url } = body;
    let url: &str = url;
    let chunk = async {
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|code| spin_failure::of(&code).about(url))?;
            // Trailers say nothing that anybody asked for.
            if let Ok(data) = frame.into_data() {
                return Ok(Some(Vec::from(data)));
            }
        }
        Ok(None)
    };
    within(patience, ("more of the answer", url), chunk).await
}

async fn begin(request: OutboundRequest) -> Result<OutboundAnswer, String> {
    let method = if request.method.is_empty() {
        "GET"
    } else {
        &request.method
    };
    let mut outbound = http::Request::builder().method(method).uri(&request.url);
    if let Some(length) = request.length_header() {
        outbound = outbound.header(http::header::CONTENT_LENGTH, length);
    }
    for (name, value) in &request.headers {
        outbound = outbound.header(name, value);
    }
    let outbound = outbound
        .body(Full::new(Bytes::from(request.body)))
        .map_err(|_| Failure::BadRequest("request").about(&request.url))?;
    let answer = spin_sdk::http::send(outbound)
        .await
        .map_err(|code| spin_failure::of(&code).about(&request.url))?;
    let (head, body) = answer.into_parts();
    let headers = head.headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.to_string(), value)
    });
    Ok(OutboundAnswer {
        status: head.status.as_u16(),
        headers: headers.collect(),
        body: OutboundBody {
            body,
            url: request.url,
        },
    })
}
