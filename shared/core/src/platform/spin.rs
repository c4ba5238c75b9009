//! Spin's interfaces.

use super::{OUTBOUND_BODY, OutboundAnswer, OutboundRequest, OutboundResponse};
use crate::error::{Error, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
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

async fn store() -> Result<Rc<Store>> {
    if let Some(store) = STORE.with_borrow(Clone::clone) {
        return Ok(store);
    }
    let store = Rc::new(Store::open_default().await.map_err(refused)?);
    STORE.set(Some(store.clone()));
    Ok(store)
}

fn refused(error: spin_sdk::key_value::Error) -> Error {
    Error::internal(format!("key-value store: {error:?}"))
}

pub async fn kv_get(key: &str) -> Result<Option<Vec<u8>>> {
    store().await?.get(key).await.map_err(refused)
}

/// The store's interface is asynchronous. A request's task may wait for it all the same: only
/// synchronous exports may not.
pub fn kv_get_blocking(key: &str) -> Result<Option<Vec<u8>>> {
    let key = key.to_owned();
    wasip3::wit_bindgen::block_on(async move { kv_get(&key).await })
}

pub async fn kv_set(key: &str, value: &[u8]) -> Result<()> {
    store().await?.set(key, value).await.map_err(refused)
}

pub async fn kv_delete(key: &str) -> Result<()> {
    store().await?.delete(key).await.map_err(refused)
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

/// What comes of `work` in time, or else what was waited for in vain.
async fn within<T>(
    time: Duration,
    what: &str,
    work: impl Future<Output = Result<T, String>>,
) -> Result<T, String> {
    let (work, alarm) = (std::pin::pin!(work), std::pin::pin!(sleep(time)));
    match futures_util::future::select(work, alarm).await {
        futures_util::future::Either::Left((result, _)) => result,
        futures_util::future::Either::Right(_) => {
            Err(format!("no {what} within {} seconds", time.as_secs_f32()))
        }
    }
}

pub async fn send(request: OutboundRequest) -> Result<OutboundResponse, String> {
    let timeout = request.timeout.unwrap_or(Duration::from_secs(30));
    within(timeout, "answer", exchange(request)).await
}

async fn exchange(request: OutboundRequest) -> Result<OutboundResponse, String> {
    let answer = begin(request).await?;
    let body = Limited::new(answer.body, OUTBOUND_BODY)
        .collect()
        .await
        .map_err(broke_off)?
        .to_bytes();
    Ok(OutboundResponse {
        status: answer.status,
        headers: answer.headers,
        body: body.to_vec(),
    })
}

/// The body of another server's answer.
pub type OutboundBody = wasip3::http_compat::IncomingResponseBody;

pub async fn open(request: OutboundRequest) -> Result<OutboundAnswer, String> {
    let timeout = request.timeout.unwrap_or(Duration::from_secs(30));
    within(timeout, "answer", begin(request)).await
}

pub async fn outbound_chunk(
    body: &mut OutboundBody,
    patience: Duration,
) -> Result<Option<Vec<u8>>, String> {
    let chunk = async {
        while let Some(frame) = body.frame().await {
            // Trailers say nothing that anybody asked for.
            if let Ok(data) = frame.map_err(broke_off)?.into_data() {
                return Ok(Some(Vec::from(data)));
            }
        }
        Ok(None)
    };
    within(patience, "more of the answer", chunk).await
}

fn broke_off(error: impl std::fmt::Display) -> String {
    format!("the answer broke off: {error}")
}

async fn begin(request: OutboundRequest) -> Result<OutboundAnswer, String> {
    let method = if request.method.is_empty() {
        "GET"
    } else {
        &request.method
    };
    let mut outbound = http::Request::builder().method(method).uri(&request.url);
    for (name, value) in &request.headers {
        outbound = outbound.header(name, value);
    }
    let outbound = outbound
        .body(Full::new(Bytes::from(request.body)))
        .map_err(|error| error.to_string())?;
    let answer = spin_sdk::http::send(outbound)
        .await
        .map_err(|code| format!("{code:?}"))?;
    let (head, body) = answer.into_parts();
    let headers = head.headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.to_string(), value)
    });
    Ok(OutboundAnswer {
        status: head.status.as_u16(),
        headers: headers.collect(),
        body,
    })
}
