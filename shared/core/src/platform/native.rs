//! Stand-ins in memory, one set per thread: what native tests run on.

use super::{OutboundAnswer, OutboundRequest, OutboundResponse};
use crate::error::Result;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

/// What answers in the place of other servers.
type Servers = Rc<dyn Fn(&OutboundRequest) -> Result<OutboundResponse, String>>;

thread_local! {
    static SERVERS: RefCell<Option<Servers>> = const { RefCell::new(None) };
    static STORE: RefCell<BTreeMap<String, Vec<u8>>> = const { RefCell::new(BTreeMap::new()) };
    static VARIABLES: RefCell<BTreeMap<String, String>> = const { RefCell::new(BTreeMap::new()) };
}

pub async fn kv_get(key: &str) -> Result<Option<Vec<u8>>> {
    Ok(STORE.with_borrow(|store| store.get(key).cloned()))
}

pub fn kv_get_blocking(key: &str) -> Result<Option<Vec<u8>>> {
    Ok(STORE.with_borrow(|store| store.get(key).cloned()))
}

pub async fn kv_set(key: &str, value: &[u8]) -> Result<()> {
    STORE.with_borrow_mut(|store| store.insert(key.to_owned(), value.to_vec()));
    Ok(())
}

pub async fn kv_delete(key: &str) -> Result<()> {
    STORE.with_borrow_mut(|store| store.remove(key));
    Ok(())
}

pub fn set_variable(name: &str, value: &str) {
    VARIABLES.with_borrow_mut(|known| known.insert(name.to_owned(), value.to_owned()));
}

/// Variables that no test has set come from the environment, as Spin names them there.
pub async fn variable(name: &str) -> Option<String> {
    if let Some(value) = VARIABLES.with_borrow(|known| known.get(name).cloned()) {
        return Some(value);
    }
    std::env::var(format!("SPIN_VARIABLE_{}", name.to_ascii_uppercase())).ok()
}

/// Nothing outlives a native test: the task is dropped.
pub fn spawn(task: impl Future<Output = ()> + 'static) {
    drop(task);
}

/// Native tests have nothing that would be waited for.
pub async fn sleep(_time: Duration) {}

/// Native tests never wait.
pub async fn in_time<T>(_time: Duration, work: impl Future<Output = T>) -> Option<T> {
    Some(work.await)
}

pub async fn pause() {}

/// There is none: see [`open`].
pub enum OutboundBody {}

pub async fn open(request: OutboundRequest) -> Result<OutboundAnswer, String> {
    Err(unreachable(&request))
}

pub async fn outbound_chunk(
    body: &mut OutboundBody,
    _patience: Duration,
) -> Result<Option<Vec<u8>>, String> {
    match *body {}
}

pub fn set_servers(servers: Servers) {
    SERVERS.set(Some(servers));
}

pub async fn send(request: OutboundRequest) -> Result<OutboundResponse, String> {
    match SERVERS.with_borrow(Clone::clone) {
        Some(servers) => servers(&request),
        None => Err(unreachable(&request)),
    }
}

fn unreachable(request: &OutboundRequest) -> String {
    format!("native tests reach no other server ({})", request.url)
}
