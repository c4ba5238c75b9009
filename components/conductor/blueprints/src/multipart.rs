//! Multipart forms, read as they arrive.
//!
//! A small scanner of our own: the libraries for this want bodies that can be sent between threads,
//! which the platform's streams cannot, or an executor that does not exist here. Nothing larger
//! than a piece of the body is ever held.

use windlass_core::stream::BodyStream;
use windlass_core::{Error, Result};

/// The most bytes of a part's headers.
const HEADER_BYTES: usize = 16 << 10;

/// The most parts of a form.
const PARTS: usize = 100;

/// The longest boundary; the standard's limit is 70.
const BOUNDARY: std::ops::RangeInclusive<usize> = 1..=200;

/// A form under way: part after part, and within a part piece after piece.
pub struct Multipart<'r> {
    body: &'r BodyStream,
    /// What ends a part: a line break, two hyphens, the boundary.
    delimiter: Vec<u8>,
    buffer: Vec<u8>,
    parts: usize,
    /// Whether the last delimiter was seen.
    is_over: bool,
}

impl<'r> Multipart<'r> {
    /// Reads a form whose boundary the content type names.
    ///
    /// # Errors
    /// 400 when it names none.
    pub fn new(content_type: &str, body: &'r BodyStream) -> Result<Self> {
        let boundary = parameter(content_type, "boundary")
            .filter(|boundary| BOUNDARY.contains(&boundary.len()))
            .ok_or_else(|| broken("its content type names no boundary"))?;
        Ok(Self {
            body,
            delimiter: format!("\r\n--{boundary}").into_bytes(),
            // So that a delimiter in the first line looks like any other.
            buffer: b"\r\n".to_vec(),
            parts: 0,
            is_over: false,
        })
    }

    /// The name of the next part; none at the end. What was not read of the last one is skipped.
    pub async fn part(&mut self) -> Result<Option<String>> {
        if self.is_over {
            return Ok(None);
        }
        while self.piece().await?.is_some() {}
        self.buffer.drain(..self.delimiter.len());
        while self.buffer.len() < 2 {
            self.fill().await?;
        }
        if self.buffer.starts_with(b"--") {
            self.is_over = true;
            return Ok(None);
        }
        self.parts += 1;
        if self.parts > PARTS {
            return Err(broken(format!("it has more than {PARTS} parts")));
        }
        let headers = self.headers().await?;
        Ok(Some(name(&headers)?))
    }

    /// The headers of a part, behind its delimiter; white space may stand before them.
    async fn headers(&mut self) -> Result<String> {
        let mut looked_at = 0_usize;
        let end = loop {
            let from = looked_at.saturating_sub(3);
            let unseen = self.buffer.get(from..).unwrap_or_default();
            if let Some(at) = unseen.windows(4).position(|four| four == b"\r\n\r\n") {
                break from + at;
            }
            looked_at = self.buffer.len();
            if looked_at > HEADER_BYTES {
                return Err(broken("a part's headers are too long"));
            }
            self.fill().await?;
        };
        let headers: Vec<u8> = self.buffer.drain(..end).collect();
        self.buffer.drain(..4);
        let headers =
            String::from_utf8(headers).map_err(|_| broken("a part's headers are not UTF-8"))?;
        match headers.trim_start_matches([' ', '\t']).starts_with("\r\n") {
            true => Ok(headers),
            false => Err(broken("something follows a boundary in its line")),
        }
    }

    /// The next piece of the part's content; none at its end.
    pub async fn piece(&mut self) -> Result<Option<Vec<u8>>> {
        loop {
            let (free, is_delimiter) = free_of(&self.buffer, &self.delimiter);
            if free > 0 {
                let rest = self.buffer.split_off(free);
                return Ok(Some(std::mem::replace(&mut self.buffer, rest)));
            }
            if is_delimiter {
                return Ok(None);
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Result<()> {
        match self.body.next().await? {
            Some(bytes) => {
                self.buffer.extend_from_slice(&bytes);
                Ok(())
            }
            None => Err(broken("it ends before its last boundary")),
        }
    }
}

/// How many bytes at the beginning cannot be part of the delimiter, and whether the whole
/// delimiter comes then.
fn free_of(buffer: &[u8], delimiter: &[u8]) -> (usize, bool) {
    let mut at = 0;
    while let Some(next) = buffer
        .get(at..)
        .and_then(|rest| rest.iter().position(|byte| *byte == b'\r'))
    {
        at += next;
        let rest = buffer.get(at..).unwrap_or_default();
        if rest.starts_with(delimiter) {
            return (at, true);
        }
        if delimiter.starts_with(rest) {
            return (at, false);
        }
        at += 1;
    }
    (buffer.len(), false)
}

/// The name that a part's `Content-Disposition` gives it; empty when it gives none.
fn name(headers: &str) -> Result<String> {
    for line in headers.split("\r\n") {
        if let Some((header, value)) = line.split_once(':')
            && header.trim().eq_ignore_ascii_case("content-disposition")
        {
            return Ok(parameter(value, "name").unwrap_or_default());
        }
    }
    Err(broken("a part has no Content-Disposition"))
}

/// A parameter of a header's value: `; name=value`, the value in quotes or not.
fn parameter(value: &str, wanted: &str) -> Option<String> {
    let mut rest = value.split_once(';')?.1;
    loop {
        let (name, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => unquoted(quoted)?,
            None => {
                let (value, next) = after.split_once(';').unwrap_or((after, ""));
                (value.trim().to_owned(), next)
            }
        };
        if name
            .trim_matches([' ', '\t', ';'])
            .eq_ignore_ascii_case(wanted)
        {
            return Some(value);
        }
        rest = next;
    }
}

/// A text up to its closing quote, and what comes after it.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, text.get(at + 1..).unwrap_or_default())),
            '\\' => value.push(letters.next()?.1),
            _ => value.push(letter),
        }
    }
    None
}

fn broken(why: impl std::fmt::Display) -> Error {
    Error::bad_parameters(format!("The multipart body is not usable: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parts of a body that arrives in pieces of this size.
    fn parts(content_type: &str, body: &[u8], size: usize) -> Result<Vec<(String, Vec<u8>)>> {
        pollster::block_on(async {
            let stream = BodyStream::of_pieces(body.chunks(size).map(<[u8]>::to_vec).collect());
            let mut form = Multipart::new(content_type, &stream)?;
            let mut parts = Vec::new();
            while let Some(name) = form.part().await? {
                let mut content = Vec::new();
                while let Some(piece) = form.piece().await? {
                    content.extend(piece);
                }
                parts.push((name, content));
            }
            Ok(parts)
        })
    }

    const TYPE: &str = "multipart/form-data; charset=utf-8; boundary=\"x\"";

    #[test]
    fn parts_are_the_same_however_they_arrive() {
        let tricky = b"\r\n--\r\r\n-\r\n--y\r\n\r\n--X\r";
        let mut body = b"a preamble\r\n--x\r\nContent-Disposition: form-data; name=\"params\"\r\n\r\n{}\r\n--x  \r\ncontent-type: text/plain\r\nCONTENT-DISPOSITION: form-data; filename=\"a;name=b\"; name=file\r\n\r\n".to_vec();
        body.extend_from_slice(tricky);
        body.extend_from_slice(b"\r\n--x\r\nContent-Disposition: form-data; name=\"e\\\"\"\r\n\r\n\r\n--x--\r\nand more");
        let want = [
            ("params".to_owned(), b"{}".to_vec()),
            ("file".to_owned(), tricky.to_vec()),
            ("e\"".to_owned(), Vec::new()),
        ];
        for size in [1, 2, 3, 7, 64, 1000] {
            assert_eq!(parts(TYPE, &body, size).unwrap(), want, "{size}");
        }
    }

    #[test]
    fn what_is_no_form_is_refused() {
        let head = "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n";
        let endless = format!("--x\r\nA: {}", "b".repeat(HEADER_BYTES + 5));
        let many = head.repeat(PARTS + 1).replace("--x", "\r\n--x");
        for (content_type, body) in [
            ("multipart/form-data", format!("{head}1\r\n--x--")),
            (
                "multipart/form-data; boundary=",
                format!("{head}1\r\n--x--"),
            ),
            (TYPE, String::new()),
            (TYPE, "nothing".to_owned()),
            (TYPE, head.to_owned()),
            (TYPE, format!("{head}1\r\n--x")),
            (TYPE, format!("{head}1\r\n--xy\r\n\r\n")),
            (TYPE, "--x\r\nA: b\r\n\r\n1\r\n--x--".to_owned()),
            (TYPE, "--x\r\n\r\n1\r\n--x--".to_owned()),
            (TYPE, endless),
            (TYPE, many),
        ] {
            for size in [1, 1000] {
                let short: String = body.chars().take(90).collect();
                assert!(
                    parts(content_type, body.as_bytes(), size).is_err(),
                    "{content_type}: {short}"
                );
            }
        }
    }
}
