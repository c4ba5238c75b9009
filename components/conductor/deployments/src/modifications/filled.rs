//! Answers about modifications: the instances that they are about are written into their places while
//! the answer is sent, because there can be thousands.

use windlass_core::db::{Db, KeptDb};
use windlass_core::{Error, MadeBody, NextPart, Parts, Response, Result, platform};
use windlass_store::deployment_modifications::{PLACE, Part, instances_text};

/// A response whose places of instances are filled in while it is sent.
pub fn with_instances(db: &impl KeptDb, response: Response) -> Response {
    let text = String::from_utf8(response.body).unwrap_or_default();
    if response.made.is_none() && !text.contains(PLACE) {
        return Response {
            body: text.into_bytes(),
            ..response
        };
    }
    let filled = Filled {
        db: db.clone(),
        text,
        more: response.made,
        at: 0,
        reading: None,
    };
    let made = Response::made_json(response.status, filled);
    Response {
        headers: response.headers,
        ..made
    }
}

/// An answer that is being filled in.
struct Filled<D> {
    db: D,
    /// With the places of instances.
    text: String,
    /// What follows the text, which is then read in parts. No place is in two of them.
    more: Option<MadeBody>,
    /// How much of the text was sent.
    at: usize,
    reading: Option<Reading>,
}

/// The place that is being filled: whose instances, which part of them, and after which number.
struct Reading {
    modification: i64,
    part: usize,
    after: Option<i64>,
}

impl<D: Db> Parts for Filled<D> {
    fn next(&mut self) -> NextPart<'_> {
        Box::pin(self.part())
    }
}

impl<D: Db> Filled<D> {
    async fn part(&mut self) -> Result<Option<Vec<u8>>> {
        if self.reading.is_some() {
            // Others have their turn in between.
            platform::pause().await;
            return self.instances().await.map(Some);
        }
        if self.at == self.text.len() && !self.read_on().await? {
            return Ok(None);
        }
        let rest = self.text.get(self.at..).unwrap_or_default();
        let Some((before, after)) = rest.split_once(PLACE) else {
            let last = rest.as_bytes().to_vec();
            self.at = self.text.len();
            return Ok(Some(last));
        };
        let (key, _) = after.split_once('"').unwrap_or_default();
        self.reading = Some(Reading {
            modification: key.parse().unwrap_or_default(),
            part: 0,
            after: None,
        });
        let before = before.as_bytes().to_vec();
        self.at += before.len() + PLACE.len() + key.len() + 1;
        Ok(Some(before))
    }

    /// Some instances of the place that was reached, with what belongs around them.
    async fn instances(&mut self) -> Result<Vec<u8>> {
        let Some(reading) = &mut self.reading else {
            return Ok(Vec::new());
        };
        let Some(part) = Part::ALL.get(reading.part) else {
            self.reading = None;
            return Ok(b"}".to_vec());
        };
        let mut text = String::new();
        if reading.after.is_none() {
            let begin = if reading.part == 0 { "{" } else { ", " };
            text = format!("{begin}\"{}\": [", part.name());
        }
        let after = reading.after.unwrap_or(-1);
        let read = instances_text(&self.db, reading.modification, *part, after).await?;
        match read {
            Some((instances, last)) => {
                if reading.after.is_some() {
                    text.push_str(", ");
                }
                text.push_str(&instances);
                reading.after = Some(last);
            }
            None => {
                text.push(']');
                reading.part += 1;
                reading.after = None;
            }
        }
        Ok(text.into_bytes())
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
