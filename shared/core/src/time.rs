//! Times: UTC, ISO 8601 with three fraction digits and `Z`, as text everywhere.
//!
//! The text sorts as the time does, so the database compares and indexes it as it is.

use crate::error::{Error, Result};
use chrono::{DateTime, Datelike, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

mod iso;
mod month;
mod offset;

pub use month::Month;

/// The first and the last moment whose text still sorts, in milliseconds since 1970.
const RANGE: (i64, i64) = (-62_167_219_200_000, 253_402_300_799_999);

/// A moment, to the millisecond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(DateTime<Utc>);

impl Timestamp {
    /// The present moment.
    pub fn now() -> Self {
        Self(Utc::now())
    }

    /// Milliseconds since 1970.
    pub fn millis(self) -> i64 {
        self.0.timestamp_millis()
    }

    /// This moment in the words of a format of chrono, such as `%H:%M`.
    pub fn format(self, format: &'static str) -> String {
        self.0.format(format).to_string()
    }

    /// The moment so many milliseconds after 1970; the nearest representable one if it is beyond.
    pub fn from_millis(millis: i64) -> Self {
        let millis = millis.clamp(RANGE.0, RANGE.1);
        Self(DateTime::from_timestamp_millis(millis).unwrap_or_default())
    }

    /// This moment moved by seconds (negative: into the past), at most to the years 0 and 9999.
    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Self {
        self.plus_millis(seconds.saturating_mul(1000))
    }

    /// This moment moved by milliseconds, at most to the years 0 and 9999.
    #[must_use]
    pub fn plus_millis(self, millis: i64) -> Self {
        let moved = TimeDelta::try_milliseconds(millis)
            .and_then(|distance| self.0.checked_add_signed(distance))
            .filter(|moved| (0..=9999).contains(&moved.year()));
        moved.map_or_else(
            || Self::from_millis(if millis < 0 { i64::MIN } else { i64::MAX }),
            Self,
        )
    }

    /// Reads ISO 8601 in its extended or its basic form, with or without zone (none means UTC), or a
    /// plain date.
    ///
    /// # Errors
    /// 400, naming `what` the text was given for.
    pub fn parse(what: &str, text: &str) -> Result<Self> {
        Self::read(what, text).map(|(time, _)| time)
    }

    /// The same for a time that must say its zone.
    ///
    /// # Errors
    /// 400 as [`Self::parse`], and for a time without a zone.
    pub fn parse_zoned(what: &str, text: &str) -> Result<Self> {
        match Self::read(what, text)? {
            (time, true) => Ok(time),
            (_, false) => Err(Error::bad_parameters(format!(
                "{what}: `{text}` names no time zone"
            ))),
        }
    }

    fn read(what: &str, text: &str) -> Result<(Self, bool)> {
        let read = iso::read(text).filter(|(time, _)| (0..=9999).contains(&time.year()));
        let (time, has_zone) = read.ok_or_else(|| {
            Error::bad_parameters(format!("{what}: `{text}` is not a time in ISO 8601"))
        })?;
        Ok((Self(time), has_zone))
    }
}

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl From<Timestamp> for crate::db::Value {
    fn from(time: Timestamp) -> Self {
        Self::Text(time.to_string())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse("time", &text).map_err(|error| serde::de::Error::custom(error.message()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_every_form_that_clients_send() {
        for (given, want) in [
            ("2021-03-25T15:51:30.526Z", "2021-03-25T15:51:30.526Z"),
            (
                "2021-03-25T15:51:30.526789+02:00",
                "2021-03-25T13:51:30.526Z",
            ),
            ("2021-03-25T15:51:30", "2021-03-25T15:51:30.000Z"),
            ("2021-03-25 15:51:30.5", "2021-03-25T15:51:30.500Z"),
            ("2021-03-25", "2021-03-25T00:00:00.000Z"),
            ("2021-03-25 15:51", "2021-03-25T15:51:00.000Z"),
            ("20210325T155130Z", "2021-03-25T15:51:30.000Z"),
        ] {
            assert_eq!(
                Timestamp::parse("since", given).unwrap().to_string(),
                want,
                "{given}"
            );
        }
        let zoned = |text| Timestamp::parse_zoned("since", text).map(|time| time.to_string());
        assert_eq!(
            zoned("20210325T1551+0200").unwrap(),
            "2021-03-25T13:51:00.000Z"
        );
        let refusal = zoned("2021-03-25").unwrap_err();
        assert_eq!(refusal.message(), "since: `2021-03-25` names no time zone");
        let refusal = Timestamp::parse("since", "tomorrow").unwrap_err();
        assert_eq!(
            refusal.message(),
            "since: `tomorrow` is not a time in ISO 8601"
        );
    }

    #[test]
    fn a_moment_never_leaves_the_years_whose_text_sorts() {
        let now = Timestamp::now();
        for moved in [
            now.plus_seconds(i64::MAX),
            now.plus_millis(i64::MAX),
            Timestamp::from_millis(i64::MAX),
        ] {
            assert_eq!(moved.to_string(), "9999-12-31T23:59:59.999Z");
        }
        for moved in [
            now.plus_seconds(i64::MIN),
            now.plus_millis(i64::MIN),
            Timestamp::from_millis(i64::MIN),
        ] {
            assert_eq!(moved.to_string(), "0000-01-01T00:00:00.000Z");
        }
        assert!(Timestamp::parse("since", "+12345-01-01").is_err());
    }
}
