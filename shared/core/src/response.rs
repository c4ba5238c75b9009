//! A response: status, headers, a body.
//!
//! The body is complete before the first byte leaves, because a response whose body follows its
//! head a moment later costs keep-alive clients tens of milliseconds on servers that do not set
//! TCP_NODELAY. Only a blob is sent while it is read, from its second chunk on, and what is too large
//! for memory, from its second part on.

use crate::error::{Error, Result};
use serde::Serialize;
use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

/// How many bytes of a body that is made while it is sent are made before its head leaves. One with no
/// more is sent as if it had been in memory.
const BEGINNING: usize = 256 << 10;

/// What every response says unless it says something else. Most are somebody's own, so nobody keeps them; an
/// icon or an archive that a user uploaded runs nothing where a browser shows it.
const GUARDS: [(&str, &str); 3] = [
    ("cache-control", "no-store"),
    (
        "content-security-policy",
        "default-src 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
];

/// A part of a body on its way, none at the end.
pub type NextPart<'a> = Pin<Box<dyn Future<Output = Result<Option<Vec<u8>>>> + 'a>>;

/// Makes a body in parts, in their order.
pub trait Parts {
    /// The next part.
    fn next(&mut self) -> NextPart<'_>;
}

/// A body that is made while it is sent. Clones are the same body; it can be sent once.
#[derive(Clone)]
pub struct MadeBody {
    parts: Rc<RefCell<Option<Box<dyn Parts>>>>,
    length: Option<u64>,
    /// Whether its parts come when something happens: then nobody waits for a second one.
    is_live: bool,
}

impl fmt::Debug for MadeBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MadeBody")
    }
}

impl MadeBody {
    /// A body of these parts.
    pub fn new(parts: impl Parts + 'static) -> Self {
        Self {
            parts: Rc::new(RefCell::new(Some(Box::new(parts)))),
            length: None,
            is_live: false,
        }
    }

    /// How many bytes it has, where that is known before it is made.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// The next part, none at the end.
    pub async fn next(&self) -> Result<Option<Vec<u8>>> {
        let Some(mut parts) = self.parts.take() else {
            return Ok(None);
        };
        let next = parts.next().await?;
        if next.is_some() {
            self.parts.replace(Some(parts));
        }
        Ok(next)
    }

    /// Its first parts, and whether they are all.
    pub async fn beginning(&self) -> Result<(Vec<u8>, bool)> {
        let mut bytes = Vec::new();
        while bytes.len() < BEGINNING {
            match self.next().await? {
                Some(part) if self.is_live => return Ok((part, false)),
                Some(part) => bytes.extend_from_slice(&part),
                None => return Ok((bytes, true)),
            }
        }
        Ok((bytes, false))
    }

    /// All of it, for tests.
    #[cfg(feature = "native")]
    pub async fn read(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        while let Some(part) = self.next().await? {
            bytes.extend_from_slice(&part);
        }
        Ok(bytes)
    }
}

/// A body that is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// How many bytes it would have, where that is known before it is made.
    pub length: Option<u64>,
}

/// One HTTP response.
#[derive(Clone, Debug, Default)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Header names (lower case) and values; `content-length` is added on the way out.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// A blob that is the body instead: its name and its size.
    pub blob: Option<(String, u64)>,
    /// What is the body instead, made while it is sent.
    pub made: Option<MadeBody>,
    /// What was left out, because HEAD is answered without a body.
    pub left_out: Option<LeftOut>,
    /// Whether the log says nothing of it: for what happens every second and changed nothing.
    pub quiet: bool,
}

impl Response {
    /// A response without a body.
    pub fn empty(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    /// A response whose body is this JSON text.
    pub fn json_text(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::bytes(status, "application/json", body)
    }

    /// A response whose body is this value as JSON.
    pub fn json(status: u16, value: &impl Serialize) -> Result<Self> {
        serde_json::to_vec(value)
            .map(|body| Self::json_text(status, body))
            .map_err(Error::internal)
    }

    /// A response of any content type.
    pub fn bytes(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: vec![("content-type", content_type.to_owned())],
            body: body.into(),
            ..Self::default()
        }
    }

    /// A response whose body is a blob of this name and size.
    pub fn blob(status: u16, content_type: &str, id: &str, size: u64) -> Self {
        Self {
            blob: Some((id.to_owned(), size)),
            ..Self::bytes(status, content_type, Vec::new())
        }
    }

    /// A response of JSON that is made while it is sent.
    pub fn made_json(status: u16, parts: impl Parts + 'static) -> Self {
        Self {
            made: Some(MadeBody::new(parts)),
            ..Self::json_text(status, Vec::new())
        }
    }

    /// A response of any content type that is made while it is sent. Clients that show how far a download is
    /// ask for its length, where it is known.
    pub fn made(
        status: u16,
        content_type: &str,
        length: impl Into<Option<u64>>,
        parts: impl Parts + 'static,
    ) -> Self {
        let body = MadeBody {
            length: length.into(),
            ..MadeBody::new(parts)
        };
        Self {
            made: Some(body),
            ..Self::bytes(status, content_type, Vec::new())
        }
    }

    /// A response whose parts come when something happens. Its head leaves with the first.
    pub fn live(status: u16, content_type: &str, parts: impl Parts + 'static) -> Self {
        let body = MadeBody {
            is_live: true,
            ..MadeBody::new(parts)
        };
        Self {
            made: Some(body),
            ..Self::bytes(status, content_type, Vec::new())
        }
    }

    /// The same response without its body, as HEAD is answered.
    #[must_use]
    pub fn without_body(mut self) -> Self {
        let length = match (self.blob.take(), self.made.take()) {
            (Some((_, size)), _) => Some(size),
            (None, Some(made)) => made.length(),
            (None, None) => Some(self.body.len() as u64),
        };
        self.left_out = Some(LeftOut { length });
        self.body = Vec::new();
        self
    }

    /// The same response without a line in the log.
    #[must_use]
    pub fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// The same response with what keeps a browser and a cache from doing more with it than they are told.
    /// Whoever makes it may have said otherwise already.
    #[must_use]
    pub fn guarded(mut self) -> Self {
        for (name, value) in GUARDS {
            if self.headers.iter().all(|(known, _)| *known != name) {
                self.headers.push((name, value.to_owned()));
            }
        }
        self
    }

    /// The same response with one more header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct NoParts;

    impl Parts for NoParts {
        fn next(&mut self) -> NextPart<'_> {
            Box::pin(async { Ok(None) })
        }
    }

    #[test]
    fn head_is_told_the_length_that_get_would_have() {
        for (response, length) in [
            (Response::json_text(200, "[1]"), 3),
            (
                Response::blob(200, "application/gzip", "b", 1 << 30),
                1 << 30,
            ),
            (Response::made(200, "application/zip", 9, NoParts), 9),
            (Response::empty(204), 0),
        ] {
            let head = response.without_body();
            assert_eq!(
                head.left_out,
                Some(LeftOut {
                    length: Some(length)
                })
            );
            assert!(head.body.is_empty() && head.blob.is_none());
        }
    }
}
