//! Spin's interfaces.

use super::{OUTBOUND_BODY, OutboundRequest, OutboundResponse};
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

pub async fn send(request: OutboundRequest) -> Result<OutboundResponse, String> {
    let timeout = request.timeout.unwrap_or(Duration::from_secs(30));
    let nanos = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
    let answer = std::pin::pin!(exchange(request));
    let alarm = std::pin::pin!(wasip3::clocks::monotonic_clock::wait_for(nanos));
    match futures_util::future::select(answer, alarm).await {
        futures_util::future::Either::Left((answer, _)) => answer,
        futures_util::future::Either::Right(_) => Err(format!(
            "no answer within {} seconds",
            timeout.as_secs_f32()
        )),
    }
}

async fn exchange(request: OutboundRequest) -> Result<OutboundResponse, String> {
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
    let body = Limited::new(body, OUTBOUND_BODY)
        .collect()
        .await
        .map_err(|error| format!("the answer broke off: {error}"))?
        .to_bytes();
    Ok(OutboundResponse {
        status: head.status.as_u16(),
        headers: head
            .headers
            .iter()
            .map(|(name, value)| {
                (
                    name.to_string(),
                    String::from_utf8_lossy(value.as_bytes()).into_owned(),
                )
            })
            .collect(),
        body: body.to_vec(),
    })
}
