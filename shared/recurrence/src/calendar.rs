//! The moments that a rule names between its first and its last one.

use crate::Rule;
use crate::rrule::Parts;
use chrono::{DateTime, TimeZone};
use recurrence::{Frequency, RRuleSet, Tz};
use windlass_core::{Error, Result, Timestamp};

/// The most moments that a rule may name in one period, and that may be counted.
const MOMENTS: usize = 2000;

/// The largest count of a rule whose moments have to be counted one by one.
const COUNT: u32 = 10_000;

/// A rule with its first and last moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Calendar {
    /// One rule, or one for each weekday.
    parts: Vec<Parts>,
    /// How many moments of all rules together there are.
    count: Option<u32>,
    since: Timestamp,
    until: Option<Timestamp>,
}

impl Calendar {
    /// The calendar of a rule. `since` is the moment from which periods are counted, to the second; it
    /// is the first one that the rule may name.
    ///
    /// # Errors
    /// 400 for a rule that takes too long to compute, that contradicts itself or that never names a
    /// moment.
    pub fn new(rule: &Rule, since: Timestamp, until: Option<Timestamp>) -> Result<Self> {
        let calendar = Self::unchecked(rule, since, until)?;
        calendar.demand_bounded()?;
        // One that cannot be built names nothing; the first of all moments tells both.
        let begin = Timestamp::from_millis(calendar.since.millis() - 1);
        match calendar.after(begin, 1).first() {
            Some(_) => Ok(calendar),
            None => Err(Error::bad_parameters(
                "The schedule never occurs: its rule names no moment between `since` and `until`",
            )),
        }
    }

    /// The calendar of a rule that was accepted before.
    ///
    /// # Errors
    /// 400 for what could not have been accepted.
    pub fn unchecked(rule: &Rule, since: Timestamp, until: Option<Timestamp>) -> Result<Self> {
        let (parts, count) = rule.parts()?;
        let since = Timestamp::from_millis(since.millis().div_euclid(1000) * 1000);
        Ok(Self {
            parts,
            count,
            since,
            until,
        })
    }

    fn demand_bounded(&self) -> Result<()> {
        let refuse = |text: String| Err(Error::bad_parameters(text));
        if self.since < Timestamp::default() {
            return refuse("`since` must not be before 1970".to_owned());
        }
        for parts in &self.parts {
            if parts.moments_of_a_period() > MOMENTS {
                return refuse(format!(
                    "The rule names more than {MOMENTS} moments in one period"
                ));
            }
        }
        let mut counts = self.parts.iter().filter(|parts| !parts.is_even());
        let largest = counts
            .by_ref()
            .filter_map(|parts| parts.count)
            .chain(self.count);
        match largest.max() {
            Some(count) if count > COUNT => {
                refuse(format!("The count of this rule may be {COUNT} at most"))
            }
            _ => Ok(()),
        }
    }

    /// The first moment after another one; none when there is none.
    pub fn next_after(&self, moment: Timestamp) -> Option<Timestamp> {
        self.after(moment, 1).into_iter().next()
    }

    /// The moments after another one, in their order, `limit` at most.
    pub fn after(&self, moment: Timestamp, limit: usize) -> Vec<Timestamp> {
        let mut set: Option<RRuleSet> = None;
        for parts in &self.parts {
            // Where moments are counted together, each of them has to be named.
            let from = match self.count {
                Some(_) => self.since,
                None => moment,
            };
            let Some((start, parts)) = self.passed_over(parts, from) else {
                continue;
            };
            let until = earlier(parts.until, self.until).and_then(utc);
            let built = parts
                .unvalidated(until)
                .zip(utc(start))
                .and_then(|(rule, start)| Some((rule.validate(start).ok()?, start)));
            if let Some((rule, start)) = built {
                set = Some(set.unwrap_or_else(|| RRuleSet::new(start)).rrule(rule));
            }
        }
        let Some(set) = set else {
            return Vec::new();
        };
        let set = set.limit();
        let count = self.count.map_or(usize::MAX, |count| {
            usize::try_from(count).unwrap_or(usize::MAX)
        });
        let mut last = None;
        (&set)
            .into_iter()
            .map(|moment| moment.timestamp_millis())
            .take_while(|millis| *millis <= Timestamp::from_millis(i64::MAX).millis())
            // Two weekdays can name the same moment.
            .filter(move |millis| last.replace(*millis) != Some(*millis))
            .take(count)
            .skip_while(|millis| *millis <= moment.millis())
            .take(limit)
            .map(Timestamp::from_millis)
            .collect()
    }

    /// The rule as it stands in the last period before a moment: so many periods of the same length are
    /// passed over. None when its count is used up by then.
    fn passed_over(&self, parts: &Parts, moment: Timestamp) -> Option<(Timestamp, Parts)> {
        let mut parts = parts.clone();
        let seconds = (moment.millis() - self.since.millis()).div_euclid(1000);
        let Some(period) = parts.period().filter(|_| seconds > 0) else {
            return Some((self.since, parts));
        };
        let mut steps = (seconds / period - 1).max(0);
        match parts.count {
            Some(count) if parts.is_even() => {
                parts.count = Some(count.checked_sub(u32::try_from(steps).ok()?)?);
                parts.count.filter(|left| *left > 0)?;
            }
            Some(_) => steps = 0,
            None => {}
        }
        Some((self.since.plus_seconds(steps * period), parts))
    }
}

fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    // A rule's own end goes before the schedule's, as in the original.
    one.or(other)
}

/// A moment as the crate has it.
fn utc(moment: Timestamp) -> Option<DateTime<Tz>> {
    Tz::Tz(chrono_tz::UTC)
        .timestamp_millis_opt(moment.millis())
        .single()
}

/// How a rule's periods are called.
pub(crate) fn is_of_month(frequency: Frequency) -> bool {
    matches!(frequency, Frequency::Yearly | Frequency::Monthly)
}

#[cfg(test)]
mod tests;
