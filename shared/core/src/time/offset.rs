//! Distances in time as people write them: `+10h`, `+1 day`, `+2 weeks +3 hours`.

use super::Timestamp;
use chrono::{Datelike, Duration, Months};

impl Timestamp {
    /// This moment moved by what the text says; nothing when it is no such text, or leads to
    /// years whose text would no longer sort.
    ///
    /// Units are seconds to years, as long or as short as clients write them: `min`, `minutes`,
    /// `h`, `mo`. Months and years keep the day where the month has it.
    pub fn plus_text(self, text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        let mut moved = self.0;
        for step in text.strip_prefix('+')?.split('+') {
            let step = step.trim();
            let unit_at = step.find(|c: char| !c.is_ascii_digit())?;
            let (number, unit) = step.split_at(unit_at);
            let number: u32 = number.parse().ok()?;
            let unit = unit.trim_start();
            let seconds = |each: i64| Duration::try_seconds(i64::from(number) * each);
            moved = match unit.strip_suffix('s').unwrap_or(unit) {
                "sec" | "second" => moved.checked_add_signed(seconds(1)?)?,
                "min" | "minute" => moved.checked_add_signed(seconds(60)?)?,
                "h" | "hour" => moved.checked_add_signed(seconds(3600)?)?,
                "d" | "day" => moved.checked_add_signed(seconds(24 * 3600)?)?,
                "w" | "week" => moved.checked_add_signed(seconds(7 * 24 * 3600)?)?,
                "mo" | "month" => moved.checked_add_months(Months::new(number))?,
                "y" | "year" => moved.checked_add_months(Months::new(number.checked_mul(12)?))?,
                _ => return None,
            };
        }
        (moved.year() <= 9999).then_some(Self(moved))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_read_as_clients_write_them() {
        let from = Timestamp::parse("from", "2024-01-31T10:00:00Z").unwrap();
        for (text, want) in [
            ("+10h", Some("2024-01-31T20:00:00.000Z")),
            ("+1 day", Some("2024-02-01T10:00:00.000Z")),
            (" +30 Minutes ", Some("2024-01-31T10:30:00.000Z")),
            ("+1day+10min", Some("2024-02-01T10:10:00.000Z")),
            ("+2 weeks +5 secs", Some("2024-02-14T10:00:05.000Z")),
            ("+1mo", Some("2024-02-29T10:00:00.000Z")),
            ("+3y", Some("2027-01-31T10:00:00.000Z")),
            ("10h", None),
            ("+", None),
            ("+10", None),
            ("+h", None),
            ("+-1h", None),
            ("+10 parsecs", None),
            ("+1h+", None),
            ("+8000y", None),
            ("+4294967295y", None),
            ("+99999999999999999999d", None),
        ] {
            let got = from.plus_text(text).map(|time| time.to_string());
            assert_eq!(got.as_deref(), want, "{text}");
        }
    }
}
