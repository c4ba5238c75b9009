//! Answers that stay the same until something on the status page changes.
//!
//! Each request reads one number, `status_version`. As long as it is the one that an answer was made for,
//! an instance gives the answer that it remembers, and a browser that has it already gets a 304.

use std::cell::RefCell;
use std::rc::Rc;
use windlass_core::db::Db;
use windlass_core::{Context, Request, Response, Result};
use windlass_store::status;

/// How many bytes of answers an instance remembers at most.
const CAPACITY: usize = 4 << 20;

#[derive(Default)]
struct Remembered {
    version: i64,
    bytes: usize,
    answers: Vec<(String, Rc<Vec<u8>>)>,
}

thread_local! {
    static REMEMBERED: RefCell<Remembered> = RefCell::default();
}

fn recall(version: i64, key: &str) -> Option<Rc<Vec<u8>>> {
    REMEMBERED.with_borrow(|known| {
        let mut answers = known.answers.iter().filter(|_| known.version == version);
        answers
            .find(|(of, _)| of == key)
            .map(|(_, body)| body.clone())
    })
}

fn remember(version: i64, key: String, body: Rc<Vec<u8>>) {
    let size = key.len() + body.len();
    REMEMBERED.with_borrow_mut(|known| {
        if known.version != version || known.bytes + size > CAPACITY {
            *known = Remembered {
                version,
                ..Remembered::default()
            };
        }
        if size <= CAPACITY {
            known.bytes += size;
            known.answers.push((key, body));
        }
    });
}

/// Answers 200 with the JSON that `make` makes of the database alone, or 304. `key` tells answers of
/// one component apart.
///
/// The number is read first: a change that comes between makes an answer that is newer than its
/// number, and the next request makes it again.
pub async fn json<D: Db>(
    ctx: &Context<D>,
    key: String,
    make: impl AsyncFnOnce() -> Result<String>,
) -> Result<Response> {
    let version = status::version(&ctx.db).await?;
    let tag = format!("\"{version}\"");
    let answered = |response: Response| {
        response
            .header("etag", tag.clone())
            .header("cache-control", "no-cache")
    };
    if has(&ctx.request, &tag) {
        return Ok(answered(Response::empty(304)));
    }
    let body = match recall(version, &key) {
        Some(body) => body,
        None => {
            let body = Rc::new(make().await?.into_bytes());
            remember(version, key, body.clone());
            body
        }
    };
    Ok(answered(Response::json_text(200, body.as_slice())))
}

/// Whether the client has the answer with this tag already.
pub fn has(request: &Request, tag: &str) -> bool {
    let given = request.get_header("if-none-match").unwrap_or_default();
    given.split(',').map(str::trim).any(|given| {
        // A proxy that compresses makes a tag a weak one.
        given == "*" || given.strip_prefix("W/").unwrap_or(given) == tag
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_core::http::Method;

    #[test]
    fn a_client_may_name_several_tags() {
        for (given, want) in [
            ("\"7\"", true),
            ("W/\"7\"", true),
            ("\"6\", \"7\"", true),
            ("*", true),
            ("\"77\"", false),
            ("7", false),
            ("", false),
        ] {
            let request = Request::new(Method::GET, "/").header("if-none-match", given);
            assert_eq!(has(&request, "\"7\""), want, "{given}");
        }
    }

    #[test]
    fn an_instance_remembers_one_version_and_not_too_much() {
        let body = |size| Rc::new(vec![b'x'; size]);
        remember(1, "a".into(), body(10));
        remember(1, "b".into(), body(20));
        assert_eq!(recall(1, "a").map(|body| body.len()), Some(10));
        assert!(recall(2, "a").is_none());
        remember(1, "c".into(), body(CAPACITY - 20));
        assert!(recall(1, "a").is_none());
        assert!(recall(1, "c").is_some());
        remember(2, "d".into(), body(CAPACITY + 1));
        assert!(recall(2, "d").is_none());
        assert!(recall(1, "c").is_none());
    }
}
