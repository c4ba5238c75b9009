//! Plans in answers: read only when somebody asks for them, and sent while they are made.
//!
//! The plan of a few kilobytes of YAML can have a hundred megabytes, and a list has many. So the
//! database answers everything else, with a place where each plan belongs, and plans are written
//! into their places one after the other, a few nodes at a time.

use std::io;
use windlass_blueprint::{Fields, Plan};
use windlass_core::db::{Db, KeptDb};
use windlass_core::places::{self, Places, Reached};
use windlass_core::serde::Serialize;
use windlass_core::{Error, NextPart, Parts, Response, Result, platform};
use windlass_store::blueprints::{self, PIECE, PLACE, PlanText, PlanTexts};

/// How many bytes of a plan are made at a time.
const PART: usize = 64 << 10;

/// A response whose places of plans are filled in while it is sent.
pub fn with_plans(db: &impl KeptDb, response: Response) -> Response {
    places::filled(response, PLACE, |places| Filled {
        db: db.clone(),
        places,
        plan: Source::None,
    })
}

/// JSON with a plan in the place of the text `place`, which is in it once.
pub fn with_plan(
    db: &impl KeptDb,
    status: u16,
    text: &str,
    place: &str,
    plan: PlanTexts,
) -> Response {
    let text = text.replacen(&format!("\"{place}\""), &format!("{PLACE}\""), 1);
    let plan = match plan.full {
        Some(full) => PlanText::Full(full),
        None => PlanText::Stored(plan.stored),
    };
    let filled = Filled {
        db: db.clone(),
        places: Places::new(PLACE, text),
        plan: Source::Given(plan),
    };
    Response::made_json(status, filled)
}

/// An answer that is being filled in.
struct Filled<D> {
    db: D,
    places: Places,
    plan: Source,
}

/// What is written next into the place that was reached.
enum Source {
    /// Nothing: the text goes on.
    None,
    /// The only plan of the answer.
    Given(PlanText),
    /// The rest of one, from this node on.
    Nodes(Box<Plan>, usize),
}

impl<D: Db> Parts for Filled<D> {
    fn next(&mut self) -> NextPart<'_> {
        Box::pin(self.part())
    }
}

impl<D: Db> Filled<D> {
    async fn part(&mut self) -> Result<Option<Vec<u8>>> {
        if let Source::Nodes(plan, first) = &mut self.plan {
            let (part, next) = nodes(plan, *first)?;
            *first = next;
            if next > plan.nodes.len() {
                self.plan = Source::None;
            }
            // Others have their turn in between.
            platform::pause().await;
            return Ok(Some(part));
        }
        let (mut part, key) = match self.places.next().await? {
            Reached::End => return Ok(None),
            Reached::Text(text) => return Ok(Some(text)),
            Reached::Place(before, key) => (before, key),
        };
        let plan = match std::mem::replace(&mut self.plan, Source::None) {
            Source::Given(plan) => Some(plan),
            _ => blueprints::text_to_show(&self.db, key).await?,
        };
        match plan {
            // Gone since the answer began.
            None => part.extend_from_slice(b"null"),
            Some(PlanText::Full(text)) => part.extend_from_slice(text.as_bytes()),
            Some(PlanText::Stored(text)) => {
                let plan = serde_json::from_str(&text).map_err(Error::internal)?;
                part.extend(sections(&plan)?);
                self.plan = Source::Nodes(Box::new(plan), 0);
            }
        }
        Ok(Some(part))
    }
}

fn json(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(Error::internal)
}

/// A plan's JSON as far as its first node.
fn sections(plan: &Plan) -> Result<Vec<u8>> {
    let mut text = json(&plan.sections)?;
    text.pop();
    if !plan.sections.is_empty() {
        text.push(b',');
    }
    text.extend_from_slice(b"\"nodes\":[");
    Ok(text)
}

/// The JSON of some nodes from this one on, and the next after them: one more than there are when that
/// was the end.
fn nodes(plan: &Plan, first: usize) -> Result<(Vec<u8>, usize)> {
    let mut text = Vec::with_capacity(PART * 5 / 4);
    let rest: &[Fields] = plan.nodes.get(first..).unwrap_or_default();
    for (place, node) in (first..).zip(rest) {
        if text.len() >= PART {
            return Ok((text, place));
        }
        if place > 0 {
            text.push(b',');
        }
        text.extend(json(node)?);
    }
    text.extend_from_slice(b"]}");
    Ok((text, plan.nodes.len() + 1))
}

/// The JSON of a plan as clients see it, unless it is too large to be kept.
pub fn small(plan: &Plan) -> Option<String> {
    let mut text = AtMost(Vec::new());
    serde_json::to_writer(&mut text, plan).ok()?;
    String::from_utf8(text.0).ok()
}

/// Whether a text is what a plan is as clients see it.
pub fn is_said_by(text: &str, plan: &Plan) -> bool {
    let mut rest = Same(text.as_bytes());
    serde_json::to_writer(&mut rest, plan).is_ok() && rest.0.is_empty()
}

/// Takes as many bytes as fit into a row.
struct AtMost(Vec<u8>);

impl io::Write for AtMost {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > PIECE {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Takes the bytes that it expects.
struct Same<'t>(&'t [u8]);

impl io::Write for Same<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let rest = self.0.strip_prefix(bytes);
        self.0 = rest.ok_or(io::ErrorKind::InvalidData)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
