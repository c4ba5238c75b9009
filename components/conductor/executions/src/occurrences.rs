//! The occurrences of schedules in answers: computed when they are shown, since they depend on the
//! time, and while the answer is sent, since a page may have a million of them.

use serde_json::{Map, Value};
use std::vec;
use windlass_core::list::{ListQuery, Page};
use windlass_core::{Error, NextPart, Parts, Response, Result, Timestamp, platform};
use windlass_recurrence::{Calendar, Rule};

/// The field that they are in.
const FIELD: &str = "all_next_occurrences";

/// The most of one schedule that are shown.
const SHOWN: usize = 1000;

/// How many schedules are filled in at a time.
const AT_ONCE: usize = 8;

/// Whether a list shows them.
pub fn are_wanted(query: &ListQuery) -> bool {
    let include = query.include.as_ref();
    include.is_none_or(|fields| fields.iter().any(|field| field.name == FIELD))
}

/// A schedule with its occurrences after a moment in the place of what they are computed from.
pub fn filled(mut schedule: Map<String, Value>, now: Timestamp) -> Map<String, Value> {
    if let Some(place) = schedule.get_mut(FIELD) {
        *place = occurrences(place, now).unwrap_or_default().into();
    }
    schedule
}

fn occurrences(from: &Value, now: Timestamp) -> Option<Vec<Value>> {
    let rule: Rule = serde_json::from_value(from.get("rule")?.clone()).ok()?;
    let time = |name: &str| Timestamp::parse(name, from.get(name)?.as_str()?).ok();
    let calendar = Calendar::unchecked(&rule, time("since")?, time("until")).ok()?;
    let moments = calendar.after(now, SHOWN).into_iter();
    Some(
        moments
            .map(|moment| moment.format("%Y-%m-%d %H:%M:%S").into())
            .collect(),
    )
}

/// The envelope of a page of schedules.
pub fn respond(page: Page, query: &ListQuery, now: Timestamp) -> Result<Response> {
    let schedules: Vec<Map<String, Value>> = page.parse()?;
    let none = Page {
        items: "[]".to_owned(),
        ..page
    };
    let envelope = none.respond(query);
    let text = String::from_utf8(envelope.body).map_err(Error::internal)?;
    let (before, after) = text.split_once("[]").unwrap_or_default();
    let filling = Filling {
        now,
        before: Some(format!("{before}[")),
        separator: "",
        left: schedules.into_iter(),
        after: Some(format!("]{after}")),
    };
    Ok(Response::made_json(envelope.status, filling))
}

/// A page that is being filled in.
struct Filling {
    now: Timestamp,
    before: Option<String>,
    separator: &'static str,
    left: vec::IntoIter<Map<String, Value>>,
    after: Option<String>,
}

impl Parts for Filling {
    fn next(&mut self) -> NextPart<'_> {
        Box::pin(self.part())
    }
}

impl Filling {
    async fn part(&mut self) -> Result<Option<Vec<u8>>> {
        let mut part = self.before.take().unwrap_or_default();
        for schedule in self.left.by_ref().take(AT_ONCE) {
            part.push_str(std::mem::replace(&mut self.separator, ", "));
            part.push_str(&Value::from(filled(schedule, self.now)).to_string());
        }
        if self.left.len() == 0 {
            match self.after.take() {
                Some(after) => part.push_str(&after),
                None => return Ok(None),
            }
        }
        // Others have their turn in between.
        platform::pause().await;
        Ok(Some(part.into_bytes()))
    }
}
