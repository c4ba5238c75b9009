//! Answers about modifications: the instances that they are about are written into their places while
//! the answer is sent, because there can be thousands.

use windlass_core::db::{Db, KeptDb};
use windlass_core::places::{self, Places, Reached};
use windlass_core::{NextPart, Parts, Response, Result, platform};
use windlass_store::deployment_modifications::{PLACE, Part, instances_text};

/// A response whose places of instances are filled in while it is sent.
pub fn with_instances(db: &impl KeptDb, response: Response) -> Response {
    places::filled(response, PLACE, |places| Filled {
        db: db.clone(),
        places,
        reading: None,
    })
}

/// An answer that is being filled in.
struct Filled<D> {
    db: D,
    places: Places,
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
        match self.places.next().await? {
            Reached::End => Ok(None),
            Reached::Text(text) => Ok(Some(text)),
            Reached::Place(before, modification) => {
                self.reading = Some(Reading {
                    modification,
                    part: 0,
                    after: None,
                });
                Ok(Some(before))
            }
        }
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
}
