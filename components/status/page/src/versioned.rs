//! Answers that stay the same until something on the status page changes.
//!
//! Each request reads one number, `status_version`, which takes microseconds. As long as it is the one
//! that an answer was made for, the answer is not made again. Making one is what costs: with 300
//! components and 2000 incidents on three of them each, native SQLite takes 90 ms for the list of
//! components (3.9 MB) and 30 ms for the list of incidents (0.6 MB).
//!
//! An answer is kept in three places, because each helps where the others cannot:
//! - The client has it and sends its tag: then nothing is made or sent (304).
//!   Many clients have no cache.
//! - The instance remembers it. That costs nothing, but an instance lives for some requests only.
//! - The key-value store has it, for a new instance, which often gets several requests at once that
//!   would all make it. Only what is asked for without parameters and was wanted twice is put there,
//!   so endlessly many questions do not fill the store. While everything changes all the time nothing is
//!   put there, and an answer of more than 1 MiB never is.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use windlass_core::db::Db;
use windlass_core::platform::kv;
use windlass_core::{Context, Request, Response, Result, log};
use windlass_status as status;

/// How many bytes of answers an instance remembers at most.
const CAPACITY: usize = 4 << 20;

#[derive(Default)]
struct Remembered {
    version: i64,
    bytes: usize,
    answers: Vec<(String, Rc<Answer>)>,
}

struct Answer {
    body: Vec<u8>,
    /// Whether it is in the key-value store, or does not belong there.
    is_shared: Cell<bool>,
}

thread_local! {
    static REMEMBERED: RefCell<Remembered> = RefCell::default();
}

fn recall(version: i64, key: &str) -> Option<Rc<Answer>> {
    REMEMBERED.with_borrow(|known| {
        let mut answers = known.answers.iter().filter(|_| known.version == version);
        answers
            .find(|(of, _)| of == key)
            .map(|(_, answer)| answer.clone())
    })
}

fn remember(version: i64, key: String, answer: Rc<Answer>) {
    let size = key.len() + answer.body.len();
    REMEMBERED.with_borrow_mut(|known| {
        if known.version != version || known.bytes + size > CAPACITY {
            *known = Remembered {
                version,
                ..Remembered::default()
            };
        }
        if size <= CAPACITY {
            known.bytes += size;
            known.answers.push((key, answer));
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
    let is_plain = ctx.request.query.is_empty() && !ctx.route.contains('{');
    let answer = match recall(version, &key) {
        Some(answer) => {
            if !answer.is_shared.replace(true) {
                share(version, &key, &answer.body).await;
            }
            answer
        }
        None => {
            let found = match is_plain {
                true => shared(version, &key).await?,
                false => None,
            };
            let is_shared = Cell::new(!is_plain || found.is_some());
            let body = match found {
                Some(body) => body,
                None => make().await?.into_bytes(),
            };
            let answer = Rc::new(Answer { body, is_shared });
            remember(version, key, answer.clone());
            answer
        }
    };
    Ok(answered(Response::json_text(200, answer.body.as_slice())))
}

/// The largest answer that is shared: what the key-value store takes in one piece.
const LARGEST: usize = 1 << 20;

fn name(key: &str) -> String {
    let plain = key.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    format!("status/answers/{plain}")
}

/// What another instance made of this version. In front of the answer stands its version.
async fn shared(version: i64, key: &str) -> Result<Option<Vec<u8>>> {
    let kept = kv::get(&name(key)).await?;
    let of_version = |kept: Vec<u8>| Some(kept.strip_prefix(head(version).as_bytes())?.to_vec());
    Ok(kept.and_then(of_version))
}

/// Lets other instances find an answer. Without that they make it themselves.
async fn share(version: i64, key: &str, body: &[u8]) {
    let mut kept = head(version).into_bytes();
    kept.extend_from_slice(body);
    if kept.len() > LARGEST {
        return;
    }
    if let Err(error) = kv::set(&name(key), &kept).await {
        log::error("an answer is not shared", &error);
    }
}

fn head(version: i64) -> String {
    format!("{version}\n")
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
    use windlass_core::db::NativeDb;
    use windlass_core::http::Method;
    use windlass_core::{Error, Family};

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
        let body = |size| {
            Rc::new(Answer {
                body: vec![b'x'; size],
                is_shared: Cell::new(true),
            })
        };
        remember(1, "a".into(), body(10));
        remember(1, "b".into(), body(20));
        assert_eq!(recall(1, "a").map(|answer| answer.body.len()), Some(10));
        assert!(recall(2, "a").is_none());
        remember(1, "c".into(), body(CAPACITY - 20));
        assert!(recall(1, "a").is_none());
        assert!(recall(1, "c").is_some());
        remember(2, "d".into(), body(CAPACITY + 1));
        assert!(recall(2, "d").is_none());
        assert!(recall(1, "c").is_none());
    }

    #[test]
    fn a_new_instance_finds_what_another_one_was_asked_for_twice() {
        pollster::block_on(async {
            let db = NativeDb::in_memory();
            windlass_store::migrations::apply(&db).await.unwrap();
            let (request, nobody) = (
                Request::new(Method::GET, "/list"),
                Err(Error::unauthorized("nobody")),
            );
            let (family, id) = (Family::StatusDashboard, String::new());
            let mut ctx = Context::new(db, family, request, "/list", Vec::new(), id, nobody);
            let made = Cell::new(0);
            let ask = async |ctx: &Context<NativeDb>| {
                let make = async || {
                    made.set(made.get() + 1);
                    Ok(made.get().to_string())
                };
                let key = format!("list {:?}", ctx.request.query);
                let response = json(ctx, key, make).await.unwrap();
                String::from_utf8(response.body).unwrap()
            };
            let new_instance =
                || REMEMBERED.with_borrow_mut(|known| *known = Remembered::default());
            assert_eq!(ask(&ctx).await, "1");
            new_instance();
            assert_eq!(ask(&ctx).await, "2", "wanted once: nobody else has it");
            assert_eq!(ask(&ctx).await, "2");
            new_instance();
            assert_eq!(ask(&ctx).await, "2", "wanted twice: shared");
            ctx.db
                .execute("update status_version set version = version + 1", &[])
                .await
                .unwrap();
            assert_eq!(ask(&ctx).await, "3", "something changed");
            ctx.request.query = vec![("name".into(), "a".into())];
            for _ in 0..2 {
                assert_eq!(ask(&ctx).await, "4");
            }
            new_instance();
            assert_eq!(ask(&ctx).await, "5", "one of endlessly many is not shared");
        });
    }
}
