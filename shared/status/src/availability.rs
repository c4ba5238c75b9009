//! Availability: for how much of each month and day the components worked.
//!
//! One statement reads the intervals that count, everything else is arithmetic on them. Overlapping
//! intervals count once, and those that are open last until now. Only an outage is downtime; the days
//! also tell how long lesser incidents and maintenances were.

use windlass_core::db::Db;
use windlass_core::{Error, Result, Timestamp, params};

/// How many months are told, the current one among them.
const MONTHS: i64 = 12;

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
pub struct Month {
    /// The year.
    pub year: i64,
    /// The month, from 1.
    pub month: u32,
    /// In percent, to five decimals.
    pub percentage: f64,
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
    pub months: Vec<Month>,
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
        (0..IMPACTS).rev().find(|impact| self.seconds[*impact] > 0)
    }

    /// How much of the day it worked, in percent.
    pub fn percentage(&self) -> f64 {
        percentage(i64::from(self.seconds[OUTAGE]) * 1000, DAY)
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

/// For each component of the catalogue its last twelve months.
pub async fn by_component(db: &impl Db, now: Timestamp) -> Result<Vec<Availability>> {
    let Months { starts, names } = Months::until(now)?;
    let from = Timestamp::from_millis(starts[0]);
    let row = db
        .first(
            "select (select json_group_array(json_array(id, name, coalesce(region, ''))) from (
                     select id, name, region from status_components
                     where retired_at is null order by position, id)),
                 (select json_group_array(json_array(x.component_id, i.impact, i.started_at, i.ended_at))
                  from status_incidents i join status_incident_components x on x.incident_id = i.id
                  where i.impact = 3 and i.started_at < ?2 and (i.ended_at is null or i.ended_at > ?1))",
            params![from, now],
        )
        .await?
        .ok_or_else(|| Error::internal("a select without a table answers one row"))?;
    let components: Vec<(i64, String, String)> = row.json(0)?;
    let intervals = Intervals::new(row.json(1)?, now);
    let tell = |(component, name, region): (i64, String, String)| {
        let down = intervals.millis_of(component, OUTAGE, &starts);
        let months = down.iter().zip(&names).zip(starts.windows(2));
        let months = months.map(|((down, (year, month)), bounds)| Month {
            year: *year,
            month: *month,
            percentage: percentage(*down, bounds[1] - bounds[0]),
        });
        Availability {
            component,
            name,
            region,
            months: months.rev().collect(),
        }
    };
    Ok(components.into_iter().map(tell).collect())
}

/// For each component of the catalogue the days from `from_day` to `to_day`, both included, each
/// counted from 1970 (see [`day_of`]).
pub async fn days(db: &impl Db, from_day: i64, to_day: i64, now: Timestamp) -> Result<Vec<Days>> {
    let (from, until) = (start_of(from_day), start_of(to_day.saturating_add(1)));
    let sql = format!(
        "select (select json_group_array(id) from (select id from status_components
                     where retired_at is null order by position, id)),
             (select json_group_array(json_array(x.component_id, i.impact, i.started_at, i.ended_at))
              from status_incidents i join status_incident_components x on x.incident_id = i.id
              where i.started_at < min(?2, ?3) and (i.ended_at is null or i.ended_at > ?1) and {COUNTS})"
    );
    let row = db
        .first(&sql, params![from, until, now])
        .await?
        .ok_or_else(|| Error::internal("a select without a table answers one row"))?;
    let components: Vec<i64> = row.json(0)?;
    let intervals = Intervals::new(row.json(1)?, now);
    let starts: Vec<i64> = (from_day..=to_day.saturating_add(1))
        .map(|day| day.saturating_mul(DAY))
        .collect();
    let tell = |component: i64| {
        let mut days = vec![Day::default(); starts.len().saturating_sub(1)];
        for impact in 0..IMPACTS {
            let lasted = intervals.millis_of(component, impact, &starts);
            for (day, millis) in days.iter_mut().zip(lasted) {
                // A moment of an incident is worth a second, or the day would look untouched.
                day.seconds[impact] = u32::try_from((millis + 999) / 1000).unwrap_or(u32::MAX);
            }
        }
        Days { component, days }
    };
    Ok(components.into_iter().map(tell).collect())
}

/// The last twelve months, the oldest first.
struct Months {
    /// When each begins, and when the last one ends, in milliseconds since 1970.
    starts: Vec<i64>,
    /// Each one's year and number.
    names: Vec<(i64, u32)>,
}

impl Months {
    fn until(now: Timestamp) -> Result<Self> {
        let text = now.to_string();
        let part = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
        let (Some(year), Some(month)) = (part(0..4), part(5..7)) else {
            return Err(Error::internal(format!("`{text}` is no time")));
        };
        // Months counted from the year 0; before it there is nothing to tell.
        let current = year * 12 + month - 1;
        let first = (current + 1 - MONTHS).max(0);
        let name = |number: i64| (number / 12, u32::try_from(number % 12 + 1).unwrap_or(1));
        let start = |number: i64| match name(number) {
            // The text of a later time would not sort.
            (10_000.., _) => Ok(Timestamp::from_millis(i64::MAX).millis() + 1),
            (year, month) => {
                let text = format!("{year:04}-{month:02}-01");
                Timestamp::parse("month", &text).map(Timestamp::millis)
            }
        };
        Ok(Self {
            starts: (first..=current + 1).map(start).collect::<Result<_>>()?,
            names: (first..=current).map(name).collect(),
        })
    }
}

/// What was not available, of a whole, to five decimals.
fn percentage(down: i64, whole: i64) -> f64 {
    let percent = 100.0 - down as f64 / whole.max(1) as f64 * 100.0;
    (percent * 100_000.0).round() / 100_000.0
}

/// When which impact was on which component, in milliseconds; ordered, so that those of one
/// component and impact stand together.
struct Intervals(Vec<(i64, usize, i64, i64)>);

impl Intervals {
    /// From rows of component, impact, start, and end where there is one.
    fn new(rows: Vec<(i64, usize, Timestamp, Option<Timestamp>)>, now: Timestamp) -> Self {
        let mut intervals: Vec<_> = rows
            .into_iter()
            .map(|(component, impact, start, end)| {
                let end = end.map_or(now, |end| end.min(now));
                (component, impact, start.millis(), end.millis())
            })
            .filter(|(_, _, start, end)| start < end)
            .collect();
        intervals.sort_unstable();
        Self(intervals)
    }

    /// How many milliseconds of each stretch between two of the ordered `bounds` had this impact
    /// on a component.
    fn millis_of(&self, component: i64, impact: usize, bounds: &[i64]) -> Vec<i64> {
        let mut lasted = vec![0; bounds.len().saturating_sub(1)];
        let begin = self.0.partition_point(|i| (i.0, i.1) < (component, impact));
        let of_it = self.0[begin..]
            .iter()
            .take_while(|i| (i.0, i.1) == (component, impact));
        // What lies before this moment is counted already.
        let mut counted = i64::MIN;
        for (_, _, start, end) in of_it {
            let start = (*start).max(counted);
            if start >= *end {
                continue;
            }
            counted = *end;
            let first = bounds
                .partition_point(|bound| *bound <= start)
                .saturating_sub(1);
            for (stretch, bounds) in lasted.iter_mut().zip(bounds.windows(2)).skip(first) {
                if bounds[0] >= *end {
                    break;
                }
                *stretch += ((*end).min(bounds[1]) - start.max(bounds[0])).max(0);
            }
        }
        lasted
    }
}

#[cfg(test)]
mod tests;
