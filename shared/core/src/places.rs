//! Places in JSON that are filled in while it is sent.
//!
//! What is large (plans, thousands of instances) is not read with its row. The database answers everything
//! else, with a text `"<place><key>"` where it belongs, and what belongs there is written part by part.

use crate::error::{Error, Result};
use crate::response::{MadeBody, Parts, Response};

/// JSON with places, read from one place to the next.
pub struct Places {
    place: &'static str,
    text: String,
    /// What follows the text, which is then read in parts. No place is in two of them.
    more: Option<MadeBody>,
    /// How much of the text was sent.
    at: usize,
}

/// How far the JSON was read.
pub enum Reached {
    /// To the end of a part of it: this is sent.
    Text(Vec<u8>),
    /// To a place: this is sent, and then what belongs to the key.
    Place(Vec<u8>, i64),
    /// To its end.
    End,
}

impl Places {
    /// A whole text. A place begins with a quotation mark and these words.
    pub fn new(place: &'static str, text: String) -> Self {
        Self {
            place,
            text,
            more: None,
            at: 0,
        }
    }

    /// Reads on.
    ///
    /// # Errors
    /// Of what makes the text.
    pub async fn next(&mut self) -> Result<Reached> {
        if self.at == self.text.len() && !self.read_on().await? {
            return Ok(Reached::End);
        }
        let rest = self.text.get(self.at..).unwrap_or_default();
        let Some((before, after)) = rest.split_once(self.place) else {
            let last = rest.as_bytes().to_vec();
            self.at = self.text.len();
            return Ok(Reached::Text(last));
        };
        let (key, _) = after.split_once('"').unwrap_or_default();
        let reached = Reached::Place(before.into(), key.parse().unwrap_or_default());
        self.at += before.len() + self.place.len() + key.len() + 1;
        Ok(reached)
    }

    /// Goes on with the next part of the text. Answers whether there is one.
    async fn read_on(&mut self) -> Result<bool> {
        let Some(more) = &self.more else {
            return Ok(false);
        };
        let next = more.next().await?;
        self.at = 0;
        self.text = String::from_utf8(next.unwrap_or_default()).map_err(Error::internal)?;
        Ok(!self.text.is_empty())
    }
}

/// A response whose places are filled in while it is sent; as it is when there are none.
pub fn filled<P: Parts + 'static>(
    response: Response,
    place: &'static str,
    fill: impl FnOnce(Places) -> P,
) -> Response {
    let text = String::from_utf8(response.body).unwrap_or_default();
    if response.made.is_none() && !text.contains(place) {
        return Response {
            body: text.into_bytes(),
            ..response
        };
    }
    let places = Places {
        more: response.made,
        ..Places::new(place, text)
    };
    let made = Response::made_json(response.status, fill(places));
    Response {
        headers: response.headers,
        ..made
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_around_places_is_sent_as_it_is() {
        let text = r#"{"a": "@7", "b": ["@12", "@x"]} é"#;
        let mut places = Places::new("\"@", text.to_owned());
        let mut sent = String::new();
        pollster::block_on(async {
            loop {
                match places.next().await.unwrap() {
                    Reached::End => break,
                    Reached::Text(text) => sent.push_str(&String::from_utf8(text).unwrap()),
                    Reached::Place(before, key) => {
                        sent.push_str(&String::from_utf8(before).unwrap());
                        sent.push_str(&format!("<{key}>"));
                    }
                }
            }
        });
        assert_eq!(sent, r#"{"a": <7>, "b": [<12>, <0>]} é"#);
    }

    #[test]
    fn an_answer_without_places_is_left_alone() {
        struct Nothing;
        impl Parts for Nothing {
            fn next(&mut self) -> crate::response::NextPart<'_> {
                Box::pin(async { Ok(None) })
            }
        }
        let plain = Response {
            body: b"{}".to_vec(),
            ..Response::made_json(200, Nothing)
        };
        let plain = Response {
            made: None,
            ..plain
        };
        let same = filled(plain, "\"@", |_| -> Nothing {
            unreachable!("there is no place")
        });
        assert_eq!(
            (same.body.as_slice(), same.made.is_none()),
            (&b"{}"[..], true)
        );
    }
}
