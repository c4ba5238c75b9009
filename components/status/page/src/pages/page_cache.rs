//! What an instance remembers of pages: those made in this minute from the state that still holds.
//!
//! A page depends on the tables, whose changes count up `status_version`, on the clock, which begins
//! and ends maintenances and is shown in days, and on what was asked for. The version is read before
//! the page is made, so a page made of something newer is only remembered for too short a time.

use crate::{versioned, view};
use std::cell::RefCell;
use std::collections::HashMap;
use windlass_core::db::Db;
use windlass_core::{Context, Response, Result, Timestamp, hashing};
use windlass_status as status;

/// The most pages that are remembered, and the most bytes of their bodies.
const PAGES: usize = 256;
const BYTES: usize = 8 << 20;

/// Pages of one version in one minute.
#[derive(Default)]
struct Memory {
    version: i64,
    minute: i64,
    pages: HashMap<String, Page>,
    bytes: usize,
}

#[derive(Clone)]
struct Page {
    etag: String,
    response: Response,
}

impl Memory {
    /// Forgets what does not hold any more.
    fn turn_to(&mut self, version: i64, minute: i64) {
        if (self.version, self.minute) != (version, minute) {
            *self = Self {
                version,
                minute,
                ..Self::default()
            };
        }
    }

    fn keep(&mut self, key: String, page: Page) {
        let bytes = page.response.body.len();
        if self.pages.len() < PAGES && self.bytes + bytes <= BYTES {
            self.bytes += bytes;
            self.pages.insert(key, page);
        }
    }
}

thread_local! {
    static MEMORY: RefCell<Memory> = RefCell::default();
}

/// The answer called `key`, remembered or made; 304 when the client has it. Only answers with the
/// status 200 are remembered.
pub async fn remembered<D: Db>(
    ctx: &Context<D>,
    key: String,
    make: impl AsyncFnOnce(Timestamp) -> Result<Response>,
) -> Result<Response> {
    view::brand::load().await;
    let now = Timestamp::now();
    let minute = now.millis().div_euclid(60_000);
    let version = status::version(&ctx.db).await?;
    let known = MEMORY.with_borrow_mut(|memory| {
        memory.turn_to(version, minute);
        memory.pages.get(&key).cloned()
    });
    if let Some(page) = known {
        return Ok(answer(ctx, page));
    }
    let response = make(now).await?;
    if response.status != 200 {
        return Ok(response);
    }
    let text = String::from_utf8_lossy(&response.body);
    let digest = hashing::digest(&text);
    let etag = format!("\"{}\"", digest.get(..20).unwrap_or(&digest));
    let response = response.header("etag", etag.clone());
    let page = Page { etag, response };
    MEMORY.with_borrow_mut(|memory| {
        // Another request may have turned it to another minute meanwhile.
        if (memory.version, memory.minute) == (version, minute) {
            memory.keep(key, page.clone());
        }
    });
    Ok(answer(ctx, page))
}

fn answer<D: Db>(ctx: &Context<D>, page: Page) -> Response {
    let mut response = page.response;
    if versioned::has(&ctx.request, &page.etag) {
        response.status = 304;
        response.body.clear();
        response.headers.retain(|(name, _)| *name != "content-type");
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_is_forgotten_and_the_memory_has_an_end() {
        let page = |length: usize| Page {
            etag: "\"a\"".into(),
            response: Response::bytes(200, "text/html", vec![b'x'; length]),
        };
        let mut memory = Memory::default();
        memory.turn_to(3, 7);
        memory.keep("a".into(), page(10));
        memory.turn_to(3, 7);
        assert!(memory.pages.contains_key("a"));
        memory.keep("large".into(), page(BYTES));
        assert!(!memory.pages.contains_key("large"));
        for number in 0..2 * PAGES {
            memory.keep(number.to_string(), page(1));
        }
        assert_eq!(memory.pages.len(), PAGES);
        memory.turn_to(4, 7);
        assert!(memory.pages.is_empty() && memory.bytes == 0);
    }
}
