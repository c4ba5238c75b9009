//! Availability: for how much of each month and day the components worked.
//!
//! A statement reads the intervals that count, everything else is arithmetic on them. Overlapping
//! intervals count once, and those that are open last until now. Only an outage is downtime; the days
//! also tell how long lesser incidents and maintenances were.

use serde::Deserialize;
use windlass_core::db::Db;
use windlass_core::time::Month;
use windlass_core::{Result, Timestamp, params};
use windlass_store::pieces;

/// How many months are told, the current one among them.
const MONTHS: u32 = 12;

/// How long a day is, in milliseconds. UTC knows no other.
const DAY: i64 = 86_400_000;

/// How many impacts there are: maintenance, minor, major, outage.
pub const IMPACTS: usize = 4;

/// The impact of an outage, the only one that counts as downtime.
const OUTAGE: usize = 3;

/// Which events count: incidents, and maintenances that take or took place.
const COUNTS: &str = "(i.kind = 'incident' or (i.kind = 'maintenance'
    and i.status not in ('pending_review', 'reviewed', 'cancelled')))";

/// How available a component was in a month.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MonthlyAvailability {
    /// The month.
    pub month: Month,
    /// In percent, to five decimals; none of a month before the component was listed, unless it was
    /// down then.
    pub percentage: Option<f64>,
}

/// A component and its months.
#[derive(Clone, Debug, PartialEq)]
pub struct Availability {
    /// The component's number.
    pub component: i64,
    /// Its name.
    pub name: String,
    /// Its region; empty when it has none.
    pub region: String,
    /// Twelve months, the current one first.
    pub months: Vec<MonthlyAvailability>,
}

/// A day of a component.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Day {
    /// How long each impact lasted, in seconds: maintenance, minor, major, outage.
    pub seconds: [u32; IMPACTS],
}

impl Day {
    /// The worst impact of the day, 0 when there was a maintenance only; nothing when all was well.
    pub fn worst(&self) -> Option<usize> {
        self.seconds.iter().rposition(|seconds| *seconds > 0)
    }

    /// How long it did not work at all, in seconds.
    pub fn outage(&self) -> i64 {
        self.seconds.get(OUTAGE).copied().map_or(0, i64::from)
    }

    /// How much of the day it worked, in percent.
    pub fn percentage(&self) -> f64 {
        percentage(self.outage() * 1000, DAY)
    }
}

/// A component and its days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Days {
    /// The component's number.
    pub component: i64,
    /// Every day that was asked for, the oldest first.
    pub days: Vec<Day>,
}

/// The UTC day of a moment, counted from 1970.
pub fn day_of(time: Timestamp) -> i64 {
    time.millis().div_euclid(DAY)
}

/// The first moment of a UTC day counted from 1970.
pub fn start_of(day: i64) -> Timestamp {
    Timestamp::from_millis(day.saturating_mul(DAY))
}

/// A component of the catalogue.
#[derive(Deserialize)]
struct Listed {
    id: i64,
    name: String,
    region: String,
    created_at: Timestamp,
}

/// For each component of the catalogue its last twelve months.
pub async fn by_component(db: &impl Db, now: Timestamp) -> Result<Vec<Availability>> {
    let months = months_until(now);
    let mut starts: Vec<i64> = months.iter().map(|month| month.begin_millis()).collect();
    starts.push(Month::of(now).after(1).begin_millis());
    let from = months.first().map_or(now, |month| month.begin());
    let components = "select json_object('id', id, 'name', name,
                          'region', coalesce(region, ''), 'created_at', created_at) as item
                      from status_components where retired_at is null order by position, id";
    let components: Vec<Listed> = pieces::read_few(db, components, &[]).await?;
    let lasting = "select json_array(x.component_id, i.impact, i.started_at, i.ended_at) as item
                   from status_incidents i join status_incident_components x on x.incident_id = i.id
                   where i.impact = 3 and i.started_at < ?2
                       and (i.ended_at is null or i.ended_at > ?1)";
    let lasting = pieces::read_few(db, lasting, params![from, now]).await?;
    let intervals = Intervals::new(lasting, now);
    let tell = |component: Listed| {
        let down = intervals.millis_of(component.id, OUTAGE, &starts);
        // What was recorded before a component was listed counts all the same.
        let touched = down.iter().position(|down| *down > 0);
        let touched = touched.unwrap_or(months.len());
        let told = months.iter().zip(down).zip(lengths(&starts)).enumerate();
        let told = told.map(|(place, ((month, down), length))| {
            let is_known = place >= touched || month.end() > component.created_at;
            MonthlyAvailability {
                month: *month,
                percentage: is_known.then(|| percentage(down, length)),
            }
        });
        Availability {
            component: component.id,
            name: component.name,
            region: component.region,
            months: told.rev().collect(),
        }
    };
    Ok(components.into_iter().map(tell).collect())
}

/// How long it is from each moment to the next one.
fn lengths(starts: &[i64]) -> impl DoubleEndedIterator<Item = i64> + ExactSizeIterator {
    let ends = starts.iter().skip(1);
    starts.iter().zip(ends).map(|(start, end)| end - start)
}

/// The last twelve months, the oldest first; fewer in the first year of the calendar.
fn months_until(now: Timestamp) -> Vec<Month> {
    let current = Month::of(now);
    let before = (1..MONTHS)
        .rev()
        .filter_map(|months| current.before(months));
    before.chain([current]).collect()
}

/// For each component of the catalogue the days from `from_day` to `to_day`, both included, each
/// counted from 1970 (see [`day_of`]).
pub async fn days(db: &impl Db, from_day: i64, to_day: i64, now: Timestamp) -> Result<Vec<Days>> {
    let (from, until) = (start_of(from_day), start_of(to_day.saturating_add(1)));
    let components = "select cast(id as text) as item from status_components
                      where retired_at is null order by position, id";
    let components: Vec<i64> = pieces::read_few(db, components, &[]).await?;
    let lasting = format!(
        "select json_array(x.component_id, i.impact, i.started_at, i.ended_at) as item
         from status_incidents i join status_incident_components x on x.incident_id = i.id
         where i.started_at < min(?2, ?3) and (i.ended_at is null or i.ended_at > ?1) and {COUNTS}"
    );
    let lasting = pieces::read_few(db, &lasting, params![from, until, now]).await?;
    let intervals = Intervals::new(lasting, now);
    let starts: Vec<i64> = (from_day..=to_day.saturating_add(1))
        .map(|day| day.saturating_mul(DAY))
        .collect();
    let tell = |component: i64| {
        let mut days = vec![Day::default(); starts.len().saturating_sub(1)];
        for impact in 0..IMPACTS {
            let lasted = intervals.millis_of(component, impact, &starts);
            for (day, millis) in days.iter_mut().zip(lasted) {
                // A moment of an incident is worth a second, or the day would look untouched.
                let seconds = u32::try_from((millis + 999) / 1000).unwrap_or(u32::MAX);
                if let Some(place) = day.seconds.get_mut(impact) {
                    *place = seconds;
                }
            }
        }
        Days { component, days }
    };
    Ok(components.into_iter().map(tell).collect())
}

/// What was not available, of a whole, to five decimals.
fn percentage(down: i64, whole: i64) -> f64 {
    let percent = 100.0 - down as f64 / whole.max(1) as f64 * 100.0;
    (percent * 100_000.0).round() / 100_000.0
}

/// A row of an event and a component that it is on. It is read from a list of these values, because
/// there may be thousands of them.
#[derive(Deserialize)]
struct Lasting {
    component: i64,
    impact: usize,
    started_at: Timestamp,
    ended_at: Option<Timestamp>,
}

/// How long an impact was on a component, in milliseconds since 1970.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Interval {
    component: i64,
    impact: usize,
    start: i64,
    end: i64,
}

/// When which impact was on which component; ordered, so that those of one component and impact
/// stand together.
struct Intervals(Vec<Interval>);

impl Intervals {
    fn new(rows: Vec<Lasting>, now: Timestamp) -> Self {
        let mut intervals: Vec<_> = rows
            .into_iter()
            .map(|row| Interval {
                component: row.component,
                impact: row.impact,
                start: row.started_at.millis(),
                end: row.ended_at.map_or(now, |end| end.min(now)).millis(),
            })
            .filter(|interval| interval.start < interval.end)
            .collect();
        intervals.sort_unstable();
        Self(intervals)
    }

    /// How many milliseconds of each stretch between two of the ordered `bounds` had this impact
    /// on a component.
    fn millis_of(&self, component: i64, impact: usize, bounds: &[i64]) -> Vec<i64> {
        let mut lasted = vec![0; bounds.len().saturating_sub(1)];
        let wanted = (component, impact);
        let begin = self.0.partition_point(|i| (i.component, i.impact) < wanted);
        let of_it = self.0.iter().skip(begin);
        let of_it = of_it.take_while(|i| (i.component, i.impact) == wanted);
        // What lies before this moment is counted already.
        let mut counted = i64::MIN;
        for Interval { start, end, .. } in of_it {
            let start = (*start).max(counted);
            if start >= *end {
                continue;
            }
            counted = *end;
            let first = bounds
                .partition_point(|bound| *bound <= start)
                .saturating_sub(1);
            let stretches = bounds.iter().zip(bounds.iter().skip(1));
            for (stretch, (from, until)) in lasted.iter_mut().zip(stretches).skip(first) {
                if from >= end {
                    break;
                }
                *stretch += ((*end).min(*until) - start.max(*from)).max(0);
            }
        }
        lasted
    }
}

#[cfg(test)]
mod tests;
