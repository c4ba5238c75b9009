//! A response: status, headers, a body.
//!
//! The body is complete before the first byte leaves, because a response whose body follows its
//! head a moment later costs keep-alive clients tens of milliseconds on servers that do not set
//! TCP_NODELAY. Only a blob is sent while it is read, from its second chunk on.

use crate::error::{Error, Result};
use serde::Serialize;

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
    /// The answer to HEAD: no body, and this is how long the one of GET would be.
    pub length_of_get: Option<u64>,
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

    /// The same response without its body, as HEAD is answered.
    #[must_use]
    pub fn without_body(mut self) -> Self {
        let blob = self.blob.take().map(|(_, size)| size);
        self.length_of_get = Some(blob.unwrap_or(self.body.len() as u64));
        self.body = Vec::new();
        self
    }

    /// The same response without a line in the log.
    #[must_use]
    pub fn quiet(mut self) -> Self {
        self.quiet = true;
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

    #[test]
    fn head_is_told_the_length_that_get_would_have() {
        for (response, length) in [
            (Response::json_text(200, "[1]"), 3),
            (
                Response::blob(200, "application/gzip", "b", 1 << 30),
                1 << 30,
            ),
            (Response::empty(204), 0),
        ] {
            let head = response.without_body();
            assert_eq!(head.length_of_get, Some(length));
            assert!(head.body.is_empty() && head.blob.is_none());
        }
    }
}
