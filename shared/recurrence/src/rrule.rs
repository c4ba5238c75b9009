//! RRULEs: `FREQ=MONTHLY;BYDAY=MO;BYSETPOS=2`, as RFC 5545 writes them.
//!
//! The crate that computes with rules reads texts too, by regular expressions that would double the
//! size of a component; this reader knows only rules and is a page long.

use recurrence::{Frequency, NWeekday, RRule, Tz, Unvalidated, Weekday};
use windlass_core::{Error, Result, Timestamp};

/// The longest text of a rule.
const LENGTH: usize = 1000;

/// The parts of a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Parts {
    /// How long a period is, with the interval.
    pub frequency: Frequency,
    /// Of how many periods one counts.
    pub interval: u16,
    /// How many moments there are at most.
    pub count: Option<u32>,
    /// The last moment there may be.
    pub until: Option<Timestamp>,
    /// On which day a week begins.
    pub week_start: Weekday,
    /// Which of the moments of a period.
    pub set_positions: Vec<i32>,
    /// Months.
    pub months: Vec<u8>,
    /// Days of the month, negative ones from its end.
    pub month_days: Vec<i8>,
    /// Days of the year.
    pub year_days: Vec<i16>,
    /// Weeks of the year.
    pub weeks: Vec<i8>,
    /// Weekdays.
    pub weekdays: Vec<NWeekday>,
    /// Hours.
    pub hours: Vec<u8>,
    /// Minutes.
    pub minutes: Vec<u8>,
    /// Seconds.
    pub seconds: Vec<u8>,
}

impl Parts {
    /// A rule that names one moment in each period.
    pub fn of(frequency: Frequency, interval: u16) -> Self {
        Self {
            frequency,
            interval,
            count: None,
            until: None,
            week_start: Weekday::Mon,
            set_positions: Vec::new(),
            months: Vec::new(),
            month_days: Vec::new(),
            year_days: Vec::new(),
            weeks: Vec::new(),
            weekdays: Vec::new(),
            hours: Vec::new(),
            minutes: Vec::new(),
            seconds: Vec::new(),
        }
    }

    /// Reads a rule, with or without `RRULE:` before it.
    ///
    /// # Errors
    /// 400 for what is none.
    pub fn parse(text: &str) -> Result<Self> {
        let refuse = |why: String| Error::bad_parameters(format!("invalid RRULE string: {why}"));
        if text.len() > LENGTH {
            return Err(refuse(format!("it is longer than {LENGTH} bytes")));
        }
        let upper = text.trim().to_ascii_uppercase();
        let rule = upper.strip_prefix("RRULE:").unwrap_or(&upper);
        let mut parts = Self::of(Frequency::Yearly, 1);
        let mut known: Vec<&str> = Vec::new();
        for part in rule.split(';').filter(|part| !part.is_empty()) {
            let (name, value) = part
                .split_once('=')
                .ok_or_else(|| refuse(format!("`{part}` is not of the form NAME=VALUE")))?;
            if known.contains(&name) {
                return Err(refuse(format!("{name} is given twice")));
            }
            known.push(name);
            parts
                .set(name, value)
                .ok_or_else(|| refuse(format!("`{part}` is not understood")))?;
        }
        match known.contains(&"FREQ") {
            true => Ok(parts),
            false => Err(refuse("it has no FREQ".to_owned())),
        }
    }

    /// Sets a part; none for an unknown one and for a value that it cannot have.
    fn set(&mut self, name: &str, value: &str) -> Option<()> {
        match name {
            "FREQ" => self.frequency = frequency(value)?,
            "INTERVAL" => self.interval = value.parse().ok().filter(|interval| *interval > 0)?,
            "COUNT" => self.count = Some(value.parse().ok().filter(|count| *count > 0)?),
            "UNTIL" => self.until = Some(Timestamp::parse("UNTIL", value).ok()?),
            "WKST" => self.week_start = weekday(value)?,
            "BYSETPOS" => self.set_positions = numbers(value)?,
            "BYMONTH" => self.months = numbers(value)?,
            "BYMONTHDAY" => self.month_days = numbers(value)?,
            "BYYEARDAY" => self.year_days = numbers(value)?,
            "BYWEEKNO" => self.weeks = numbers(value)?,
            "BYDAY" => self.weekdays = value.split(',').map(nth_weekday).collect::<Option<_>>()?,
            "BYHOUR" => self.hours = numbers(value)?,
            "BYMINUTE" => self.minutes = numbers(value)?,
            "BYSECOND" => self.seconds = numbers(value)?,
            _ => return None,
        }
        Some(())
    }

    /// Whether it names one moment in each period, all of the same distance.
    pub fn is_even(&self) -> bool {
        self.frequency >= Frequency::Weekly
            && *self
                == Self {
                    count: self.count,
                    until: self.until,
                    week_start: self.week_start,
                    ..Self::of(self.frequency, self.interval)
                }
    }

    /// How long its periods are in seconds; none where they differ.
    pub fn period(&self) -> Option<i64> {
        let unit = match self.frequency {
            Frequency::Yearly | Frequency::Monthly => return None,
            Frequency::Weekly => 7 * 86_400,
            Frequency::Daily => 86_400,
            Frequency::Hourly => 3_600,
            Frequency::Minutely => 60,
            Frequency::Secondly => 1,
        };
        Some(unit * i64::from(self.interval))
    }

    /// How many moments a period may have.
    pub fn moments_of_a_period(&self) -> usize {
        let days = match self.frequency {
            Frequency::Yearly => 366,
            Frequency::Monthly => 31,
            Frequency::Weekly => 7,
            _ => 1,
        };
        let several = |list: &[u8], is_in: bool| if is_in { list.len().max(1) } else { 1 };
        days * several(&self.hours, self.frequency < Frequency::Hourly)
            * several(&self.minutes, self.frequency < Frequency::Minutely)
            * several(&self.seconds, self.frequency < Frequency::Secondly)
    }

    /// The rule as the crate takes it.
    pub fn unvalidated(&self, until: Option<chrono::DateTime<Tz>>) -> Option<RRule<Unvalidated>> {
        let months: Option<Vec<chrono::Month>> = (self.months.iter())
            .map(|month| chrono::Month::try_from(*month).ok())
            .collect();
        let mut rule = RRule::new(self.frequency)
            .interval(self.interval)
            .week_start(self.week_start)
            .by_set_pos(self.set_positions.clone())
            .by_month(&months?)
            .by_month_day(self.month_days.clone())
            .by_year_day(self.year_days.clone())
            .by_week_no(self.weeks.clone())
            .by_weekday(self.weekdays.clone())
            .by_hour(self.hours.clone())
            .by_minute(self.minutes.clone())
            .by_second(self.seconds.clone());
        if let Some(count) = self.count {
            rule = rule.count(count);
        }
        if let Some(until) = until {
            rule = rule.until(until);
        }
        Some(rule)
    }
}

fn frequency(text: &str) -> Option<Frequency> {
    Some(match text {
        "YEARLY" => Frequency::Yearly,
        "MONTHLY" => Frequency::Monthly,
        "WEEKLY" => Frequency::Weekly,
        "DAILY" => Frequency::Daily,
        "HOURLY" => Frequency::Hourly,
        "MINUTELY" => Frequency::Minutely,
        "SECONDLY" => Frequency::Secondly,
        _ => return None,
    })
}

/// The weekday of two capital letters.
pub fn weekday(text: &str) -> Option<Weekday> {
    Some(match text {
        "SU" => Weekday::Sun,
        "MO" => Weekday::Mon,
        "TU" => Weekday::Tue,
        "WE" => Weekday::Wed,
        "TH" => Weekday::Thu,
        "FR" => Weekday::Fri,
        "SA" => Weekday::Sat,
        _ => return None,
    })
}

/// `MO`, `2MO` or `-1FR`.
fn nth_weekday(text: &str) -> Option<NWeekday> {
    let (number, day) = text.split_at_checked(text.len().checked_sub(2)?)?;
    let day = weekday(day)?;
    if number.is_empty() {
        return Some(NWeekday::Every(day));
    }
    let number: i16 = number.parse().ok().filter(|number| *number != 0)?;
    Some(NWeekday::Nth(number, day))
}

fn numbers<T: std::str::FromStr + Ord>(text: &str) -> Option<Vec<T>> {
    let mut numbers: Vec<T> = (text.split(','))
        .map(|number| number.parse().ok())
        .collect::<Option<_>>()?;
    numbers.sort_unstable();
    numbers.dedup();
    Some(numbers)
}
