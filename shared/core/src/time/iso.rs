//! Times as ISO 8601 writes them, in the forms that clients of all families send.
//!
//! Extended (`2017-03-16T12:33:01.5+02:00`) or basic (`20170316T123301Z`), to the day, the hour, the
//! minute, the second or a fraction of it, and the parts of one time in either form. Between date and
//! time stands a `T` or a space. A zone's `+` may have arrived as a space, as it does in a query where
//! it was not escaped.

use chrono::{DateTime, Duration, NaiveDate, NaiveTime, Utc};

/// The moment, and whether the text says in which zone it is; without one it is UTC.
pub(super) fn read(text: &str) -> Option<(DateTime<Utc>, bool)> {
    let text = text.trim();
    let Some((date, clock)) = text.split_once(['T', 't', ' ']) else {
        return Some((self::date(text)?.and_time(NaiveTime::MIN).and_utc(), false));
    };
    let (clock, zone) = match clock.find(['Z', 'z', '+', '-', ' ']) {
        Some(place) => clock.split_at_checked(place)?,
        None => (clock, ""),
    };
    let (time, more) = self::clock(clock)?;
    let local = self::date(date)?.and_time(time).checked_add_signed(more)?;
    let moment = local.checked_sub_signed(self::zone(zone)?)?.and_utc();
    Some((moment, !zone.is_empty()))
}

/// `2017-03-16` or `20170316`.
fn date(text: &str) -> Option<NaiveDate> {
    let [year, month, day] = match text.len() {
        8 => [text.get(..4)?, text.get(4..6)?, text.get(6..)?],
        10 if text.get(4..5) == Some("-") && text.get(7..8) == Some("-") => {
            [text.get(..4)?, text.get(5..7)?, text.get(8..)?]
        }
        _ => return None,
    };
    let year = i32::try_from(number(year)?).ok()?;
    NaiveDate::from_ymd_opt(year, number(month)?, number(day)?)
}

/// `12`, `12:33`, `1233`, `12:33:01.5` or `123301,5`. A leap second is the end of the one before, and
/// what is over midnight comes back beside the time.
fn clock(text: &str) -> Option<(NaiveTime, Duration)> {
    let (whole, fraction) = match text.split_once(['.', ',']) {
        Some((whole, digits)) => (whole, nanoseconds(digits)?),
        None => (text, 0),
    };
    let (hour, minute, second) = parts(whole)?;
    if fraction > 0 && second.is_none() {
        return None;
    }
    let (hour, minute) = (number(hour)?, minute.map_or(Some(0), number)?);
    let second = second.map_or(Some(0), number)?;
    let leap = u32::from(second == 60);
    let time = NaiveTime::from_hms_nano_opt(hour, minute, second - leap, fraction)?;
    Some((time, Duration::seconds(leap.into())))
}

/// The zone's distance from UTC: none, `Z`, `+02:00`, `+0200` or `+02`.
fn zone(text: &str) -> Option<Duration> {
    let text = text.trim_end();
    let zone = match text.trim_start() {
        zone if zone.starts_with(['+', '-', 'Z', 'z']) => zone,
        "" => return Some(Duration::zero()),
        _ => text,
    };
    if matches!(zone, "Z" | "z") {
        return Some(Duration::zero());
    }
    let (sign, digits) = zone.split_at_checked(1)?;
    let (hours, minutes, None) = parts(digits)? else {
        return None;
    };
    let (hours, minutes) = (number(hours)?, minutes.map_or(Some(0), number)?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    let distance = Duration::minutes(i64::from(hours * 60 + minutes));
    match sign {
        "+" | " " => Some(distance),
        "-" => Some(-distance),
        _ => None,
    }
}

/// Hours, minutes and seconds, with colons between them or without.
fn parts(text: &str) -> Option<(&str, Option<&str>, Option<&str>)> {
    Some(match text.len() {
        2 => (text, None, None),
        4 => (text.get(..2)?, text.get(2..), None),
        6 => (text.get(..2)?, text.get(2..4), text.get(4..)),
        5 if text.get(2..3) == Some(":") => (text.get(..2)?, text.get(3..), None),
        8 if text.get(2..3) == Some(":") && text.get(5..6) == Some(":") => {
            (text.get(..2)?, text.get(3..5), text.get(6..))
        }
        _ => return None,
    })
}

/// Digits alone: signs and spaces are none.
fn number(digits: &str) -> Option<u32> {
    let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| all_digits)
}

/// The digits after the point; those finer than a nanosecond are left out.
fn nanoseconds(digits: &str) -> Option<u32> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    format!("{digits:0<9}").get(..9)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Option<(String, bool)> {
        let (moment, has_zone) = read(text)?;
        Some((moment.format("%FT%T%.9f").to_string(), has_zone))
    }

    #[test]
    fn every_form_of_a_time_is_read() {
        for (text, want, has_zone) in [
            ("2017-03-16", "2017-03-16T00:00:00.000000000", false),
            ("20170316", "2017-03-16T00:00:00.000000000", false),
            ("20170316T123301Z", "2017-03-16T12:33:01.000000000", true),
            ("20170316T1233", "2017-03-16T12:33:00.000000000", false),
            (
                "2017-03-16T12:33:01+0200",
                "2017-03-16T10:33:01.000000000",
                true,
            ),
            (
                "2017-03-16T12:33:01+02",
                "2017-03-16T10:33:01.000000000",
                true,
            ),
            (
                "20170316T123301.25-0530",
                "2017-03-16T18:03:01.250000000",
                true,
            ),
            ("2026-11-20T10:00Z", "2026-11-20T10:00:00.000000000", true),
            ("2026-11-20T10Z", "2026-11-20T10:00:00.000000000", true),
            (
                "2026-11-20 10:00:00",
                "2026-11-20T10:00:00.000000000",
                false,
            ),
            (
                "2026-11-20 10:00:00 +02:00",
                "2026-11-20T08:00:00.000000000",
                true,
            ),
            // A plus that became a space on its way.
            (
                "2026-11-20T10:00:00 02:00",
                "2026-11-20T08:00:00.000000000",
                true,
            ),
            (
                "2026-11-20 10:00:00 0200",
                "2026-11-20T08:00:00.000000000",
                true,
            ),
            (
                "2026-11-20t10:00:00,123456789123z",
                "2026-11-20T10:00:00.123456789",
                true,
            ),
            (
                "2016-12-31T23:59:60.5Z",
                "2017-01-01T00:00:00.500000000",
                true,
            ),
            (
                " 2026-11-20T00:30+01:00 ",
                "2026-11-19T23:30:00.000000000",
                true,
            ),
        ] {
            assert_eq!(shown(text), Some((want.to_owned(), has_zone)), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_not_guessed_at() {
        for text in [
            "",
            "T",
            "tomorrow",
            "2026",
            "2026-11",
            "2026-13-01",
            "2026-02-30",
            "2026/11/20",
            "2026-11-20T",
            "2026-11-20T24:00",
            "2026-11-20T10:60",
            "2026-11-20T10:00:61",
            "2026-11-20T10:5",
            "2026-11-20T1000:00",
            "2026-11-20T10:00.5",
            "2026-11-20T10:00:00.",
            "2026-11-20T10:00:00.5x",
            "2026-11-20T10:00:00+",
            "2026-11-20T10:00:00+2",
            "2026-11-20T10:00:00+24:00",
            "2026-11-20T10:00:00+02:60",
            "2026-11-20T10:00:00+02:00:00",
            "2026-11-20T10:00:00Z+02:00",
            "2026-11-20T10:00:00 UTC",
            "2026-11-20T+1:00",
            "+2026-11-20",
            "12026-11-20",
            "２０２６-11-20",
            "2026-11-20T１0:00",
            "2026-11-20Té:00",
        ] {
            assert_eq!(shown(text), None, "{text}");
        }
    }
}
