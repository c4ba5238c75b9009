//! Months of the calendar, in UTC.

use super::Timestamp;
use crate::error::{Error, Result};
use chrono::{Datelike, Months, NaiveDate, NaiveTime};

/// A month of the calendar, in UTC. Months sort as they follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month {
    first_day: NaiveDate,
}

impl Month {
    /// The month that a moment is in.
    pub fn of(time: Timestamp) -> Self {
        let date = time.0.date_naive();
        Self {
            first_day: date.with_day(1).unwrap_or(date),
        }
    }

    /// Reads `2026-11`.
    ///
    /// # Errors
    /// 400 for anything else.
    pub fn parse(text: &str) -> Result<Self> {
        let first_day = NaiveDate::parse_from_str(&format!("{text}-01"), "%Y-%m-%d").ok();
        let month = first_day.map(|first_day| Self { first_day });
        // Numbers with a sign, or of another length, are read too, but they are not written so.
        let month = month.filter(|month| month.to_string() == text);
        month.ok_or_else(|| {
            Error::bad_parameters(format!("month: `{text}` is no month such as 2026-11"))
        })
    }

    /// The year.
    pub fn year(self) -> i32 {
        self.first_day.year()
    }

    /// The number of the month in its year, from 1.
    pub fn number(self) -> u32 {
        self.first_day.month()
    }

    /// Its first moment, in milliseconds since 1970.
    pub fn begin_millis(self) -> i64 {
        let begin = self.first_day.and_time(NaiveTime::MIN);
        begin.and_utc().timestamp_millis()
    }

    /// Its first moment.
    pub fn begin(self) -> Timestamp {
        Timestamp::from_millis(self.begin_millis())
    }

    /// The first moment after it.
    pub fn end(self) -> Timestamp {
        self.after(1).begin()
    }

    /// The month so many months later; itself where the calendar ends before.
    #[must_use]
    pub fn after(self, months: u32) -> Self {
        let moved = self.first_day.checked_add_months(Months::new(months));
        moved.map_or(self, |first_day| Self { first_day })
    }

    /// The month so many months before; nothing before the year 0.
    pub fn before(self, months: u32) -> Option<Self> {
        let moved = self.first_day.checked_sub_months(Months::new(months))?;
        (moved.year() >= 0).then_some(Self { first_day: moved })
    }

    /// This month in the words of a format of chrono, such as `%B %Y`.
    pub fn format(self, format: &'static str) -> String {
        self.first_day.format(format).to_string()
    }
}

impl std::fmt::Display for Month {
    /// As a link names it: `2026-11`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.first_day.format("%Y-%m"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse("time", text).unwrap()
    }

    #[test]
    fn months_follow_each_other() {
        for (text, begin, end) in [
            ("2026-11", "2026-11-01", "2026-12-01"),
            ("2026-12", "2026-12-01", "2027-01-01"),
            ("0000-01", "0000-01-01", "0000-02-01"),
        ] {
            let month = Month::parse(text).unwrap();
            assert_eq!((month.begin(), month.end()), (at(begin), at(end)), "{text}");
            assert_eq!(month.to_string(), text);
            assert_eq!(Month::of(month.begin()), month);
        }
        assert_eq!(
            Month::parse("9999-12").unwrap().end(),
            Timestamp::from_millis(i64::MAX)
        );
        for text in [
            "",
            "2026",
            "2026-13",
            "2026-00",
            "2026-1",
            "26-11",
            "+026-11",
            "2026-11-01",
            "2026-é",
        ] {
            assert!(Month::parse(text).is_err(), "{text}");
        }
    }
}
