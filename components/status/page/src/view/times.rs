//! Times as people read them, always in UTC and always with the machine's form beside it. Where a script may
//! run, `assets/times.js` puts the visitor's own time before them.

use maud::{Markup, html};
use windlass_core::Timestamp;
use windlass_status::availability::start_of;

/// A day as people read it: `21 Nov 2026`.
const DATE: &str = "%-d %b %Y";

/// A minute as machines read it.
const MACHINE: &str = "%Y-%m-%dT%H:%MZ";

/// `21 Nov 2026, 14:27 UTC`.
pub fn moment(time: Timestamp) -> Markup {
    html! {
        time datetime=(time.format(MACHINE)) { (time.format(DATE)) ", " (time.format("%H:%M UTC")) }
    }
}

/// From one moment to another; the day is said once when it is the same.
pub fn period(from: Timestamp, until: Timestamp) -> Markup {
    let (first, last) = (from.format(DATE), until.format(DATE));
    html! {
        time datetime=(from.format(MACHINE)) { (first) ", " (from.format("%H:%M")) }
        " – "
        time datetime=(until.format(MACHINE)) {
            @if first != last { (last) ", " }
            (until.format("%H:%M UTC"))
        }
    }
}

/// `21 Nov 2026` of a day since 1970.
pub fn day_name(number: i64) -> String {
    start_of(number).format(DATE)
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
}
