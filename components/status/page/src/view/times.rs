//! Times as people read them, always in UTC and always with the machine's form beside it.

use maud::{Markup, html};
use windlass_core::{Error, Result, Timestamp};
use windlass_status::availability::start_of;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The name of a month by its number.
pub fn month_name(number: i64) -> &'static str {
    let index = usize::try_from(number - 1).unwrap_or(usize::MAX);
    MONTHS.get(index).copied().unwrap_or("?")
}

/// `21 Nov 2026, 14:27 UTC`.
pub fn moment(time: Timestamp) -> Markup {
    let text = time.to_string();
    let minute = text.get(..16).unwrap_or(&text);
    let clock = text.get(11..16).unwrap_or_default();
    html! { time datetime={ (minute) "Z" } { (date(&text)) ", " (clock) " UTC" } }
}

/// From one moment to another; the day is said once when it is the same.
pub fn period(from: Timestamp, until: Timestamp) -> Markup {
    let (begin, end) = (from.to_string(), until.to_string());
    let (first, second) = (
        begin.get(..16).unwrap_or(&begin),
        end.get(..16).unwrap_or(&end),
    );
    let clock = |text: &str| text.get(11..16).unwrap_or_default().to_owned();
    let is_same_day = begin.get(..10) == end.get(..10);
    html! {
        time datetime={ (first) "Z" } { (date(&begin)) ", " (clock(&begin)) }
        " – "
        time datetime={ (second) "Z" } {
            @if !is_same_day { (date(&end)) ", " }
            (clock(&end)) " UTC"
        }
    }
}

/// `21 Nov 2026` of a time's text.
fn date(text: &str) -> String {
    let number = |from: usize, to: usize| -> i64 {
        let digits = text.get(from..to).unwrap_or_default();
        digits.parse().unwrap_or_default()
    };
    let month = month_name(number(5, 7));
    let short = month.get(..3).unwrap_or(month);
    format!("{} {short} {}", number(8, 10), number(0, 4))
}

/// `21 Nov 2026` of a day since 1970.
pub fn day_name(number: i64) -> String {
    date(&start_of(number).to_string())
}

/// How long something took: `1 h 20 min`, in at most two units.
pub fn duration(seconds: i64) -> String {
    let minutes = seconds.max(0) / 60;
    let (days, hours, rest) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    match (days, hours, rest) {
        (0, 0, 0) => "less than a minute".to_owned(),
        (0, 0, rest) => format!("{rest} min"),
        (0, hours, 0) => format!("{hours} h"),
        (0, hours, rest) => format!("{hours} h {rest} min"),
        (days, 0, _) => format!("{days} d"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// A month of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month {
    year: i64,
    /// From 1 to 12.
    number: i64,
}

impl Month {
    /// The month that a moment is in.
    pub fn of(time: Timestamp) -> Self {
        let text = time.to_string();
        let part = |from: usize, to: usize| text.get(from..to)?.parse().ok();
        Self {
            year: part(0, 4).unwrap_or_default(),
            number: part(5, 7).unwrap_or(1),
        }
    }

    /// Reads `2026-11`.
    ///
    /// # Errors
    /// 400 for anything else.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong =
            || Error::bad_parameters(format!("month: `{text}` is no month such as 2026-11"));
        let (year, number) = text.split_once('-').ok_or_else(wrong)?;
        let digits = |part: &str, length: usize| -> Option<i64> {
            let is_number = part.len() == length && part.bytes().all(|b| b.is_ascii_digit());
            part.parse().ok().filter(|_| is_number)
        };
        match (digits(year, 4), digits(number, 2)) {
            (Some(year), Some(number)) if (1..=12).contains(&number) => Ok(Self { year, number }),
            _ => Err(wrong()),
        }
    }

    /// Its first moment.
    pub fn begin(self) -> Timestamp {
        let text = format!("{self}-01");
        Timestamp::parse("month", &text).unwrap_or(Timestamp::from_millis(i64::MAX))
    }

    /// The first moment after it.
    pub fn end(self) -> Timestamp {
        let next = match self.number {
            12 => Self {
                year: self.year + 1,
                number: 1,
            },
            number => Self {
                year: self.year,
                number: number + 1,
            },
        };
        next.begin()
    }

    /// `November 2026`.
    pub fn name(self) -> String {
        format!("{} {}", month_name(self.number), self.year)
    }
}

impl std::fmt::Display for Month {
    /// As a link names it: `2026-11`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_status::availability::day_of;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse("time", text).unwrap()
    }

    #[test]
    fn moments_are_readable_by_people_and_machines() {
        assert_eq!(
            moment(at("2026-01-02T03:04:05")).into_string(),
            r#"<time datetime="2026-01-02T03:04Z">2 Jan 2026, 03:04 UTC</time>"#
        );
        let same_day = period(at("2026-01-02 03:04"), at("2026-01-02 05:00")).into_string();
        assert!(same_day.contains(">2 Jan 2026, 03:04<") && same_day.contains(">05:00 UTC<"));
        let days = period(at("2026-01-02 03:04"), at("2026-01-03 05:00")).into_string();
        assert!(days.contains(">3 Jan 2026, 05:00 UTC<"));
        assert_eq!(day_name(0), "1 Jan 1970");
        assert_eq!(day_name(day_of(at("2026-11-21 23:59"))), "21 Nov 2026");
    }

    #[test]
    fn durations_have_two_units() {
        for (seconds, want) in [
            (-5, "less than a minute"),
            (59, "less than a minute"),
            (60, "1 min"),
            (3600, "1 h"),
            (4800, "1 h 20 min"),
            (86_400, "1 d"),
            (100_000, "1 d 3 h"),
        ] {
            assert_eq!(duration(seconds), want, "{seconds}");
        }
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
