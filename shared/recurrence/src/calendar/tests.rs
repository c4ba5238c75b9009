use super::*;
use serde_json::{Value, json};
use windlass_core::Body;

fn rule(value: &Value) -> Rule {
    Rule::read(&Body::inner(value, "body").unwrap(), None).unwrap()
}

fn time(text: &str) -> Timestamp {
    Timestamp::parse("time", text).unwrap()
}

/// The first moments of a rule from its beginning on, without zeros.
fn moments(value: &Value, since: &str, until: Option<&str>, limit: usize) -> Vec<String> {
    let since = time(since);
    let calendar = Calendar::new(&rule(value), since, until.map(time)).unwrap();
    calendar
        .after(since.plus_seconds(-1), limit)
        .iter()
        .map(|moment| moment.format("%Y-%m-%d %H:%M:%S"))
        .collect()
}

#[test]
fn a_rule_names_its_moments() {
    // 2026-01-01 is a Thursday.
    for (rule, want) in [
        (json!({ "count": 1 }), vec!["2026-01-01 09:30:00"]),
        (
            json!({ "recurrence": "2 weeks", "count": 3 }),
            vec![
                "2026-01-01 09:30:00",
                "2026-01-15 09:30:00",
                "2026-01-29 09:30:00",
            ],
        ),
        (
            json!({ "recurrence": "90min", "count": 2 }),
            vec!["2026-01-01 09:30:00", "2026-01-01 11:00:00"],
        ),
        (
            json!({ "recurrence": "1 day", "weekdays": ["mo", "TU"], "count": 3 }),
            vec![
                "2026-01-05 09:30:00",
                "2026-01-06 09:30:00",
                "2026-01-12 09:30:00",
            ],
        ),
        (
            json!({ "recurrence": "1 week", "weekdays": ["th", "sa"], "count": 3 }),
            vec![
                "2026-01-01 09:30:00",
                "2026-01-03 09:30:00",
                "2026-01-08 09:30:00",
            ],
        ),
        (
            json!({ "recurrence": "1 month", "weekdays": ["2mo", "l-fr"], "count": 4 }),
            vec![
                "2026-01-12 09:30:00",
                "2026-01-30 09:30:00",
                "2026-02-09 09:30:00",
                "2026-02-27 09:30:00",
            ],
        ),
        (
            json!({ "recurrence": "1 month", "weekdays": ["MO", "2MO"], "count": 3 }),
            vec![
                "2026-01-05 09:30:00",
                "2026-01-12 09:30:00",
                "2026-01-19 09:30:00",
            ],
        ),
        (
            json!({ "recurrence": "1 year", "weekdays": ["1su"], "count": 2 }),
            vec!["2026-01-04 09:30:00", "2027-01-03 09:30:00"],
        ),
        (
            json!({ "count": 1, "weekdays": ["su"] }),
            vec!["2026-01-04 09:30:00"],
        ),
        (
            json!({ "rrule": "RRULE:FREQ=DAILY;INTERVAL=3;COUNT=2" }),
            vec!["2026-01-01 09:30:00", "2026-01-04 09:30:00"],
        ),
        (
            json!({ "rrule": "freq=monthly;bymonthday=-1;until=20260301T000000Z" }),
            vec!["2026-01-31 09:30:00", "2026-02-28 09:30:00"],
        ),
        (
            json!({ "rrule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;COUNT=2" }),
            vec!["2028-02-29 09:30:00", "2032-02-29 09:30:00"],
        ),
        (
            json!({ "rrule": "FREQ=SECONDLY;BYMONTH=3;COUNT=1" }),
            vec!["2026-03-01 00:00:00"],
        ),
    ] {
        let limit = want.len() + 1;
        let got = moments(&rule, "2026-01-01T09:30:00.250Z", None, limit);
        assert_eq!(got, want, "{rule}");
    }
}

#[test]
fn the_end_of_a_rule_goes_before_that_of_its_schedule() {
    let until = Some("2026-01-03T09:30:00");
    let daily = |rule: &str| moments(&json!({ "rrule": rule }), "2026-01-01T09:30:00", until, 9);
    assert_eq!(daily("FREQ=DAILY").len(), 3);
    assert_eq!(daily("FREQ=DAILY;UNTIL=20260102").len(), 1);
    assert_eq!(daily("FREQ=DAILY;UNTIL=20260105T235959Z").len(), 5);
}

/// Years of past moments cost no more than none, and change nothing about those to come.
#[test]
fn what_is_past_is_passed_over() {
    for value in [
        json!({ "recurrence": "7 sec" }),
        json!({ "recurrence": "7 min", "count": 4_000_000 }),
        json!({ "recurrence": "5 hours" }),
        json!({ "recurrence": "11 days" }),
        json!({ "recurrence": "3 weeks", "weekdays": ["mo", "fr"] }),
        json!({ "recurrence": "5 months" }),
        json!({ "rrule": "FREQ=HOURLY;INTERVAL=7;BYDAY=MO,WE" }),
        json!({ "rrule": "FREQ=WEEKLY;INTERVAL=3;WKST=SU;BYDAY=SU,MO;BYSETPOS=-1" }),
        json!({ "rrule": "FREQ=DAILY;INTERVAL=2;BYHOUR=8,20;BYSETPOS=2" }),
    ] {
        let since = time("2020-02-29T11:12:13");
        let calendar = Calendar::new(&rule(&value), since, None).unwrap();
        let first = calendar.after(since, 40);
        for (index, moment) in first.iter().enumerate() {
            let rest = calendar.after(*moment, 40 - index - 1);
            assert_eq!(rest, &first[index + 1..], "{value} after {moment}");
        }
        let began = std::time::Instant::now();
        let later = calendar.after(time("2026-11-28T00:00:00"), 1000);
        assert_eq!(later.len(), 1000, "{value}");
        assert!(later.is_sorted(), "{value}");
        assert!(
            began.elapsed().as_millis() < 500,
            "{value}: {:?}",
            began.elapsed()
        );
    }
}

#[test]
fn what_never_occurs_or_takes_long_is_refused() {
    let seconds: Vec<String> = (0..60).map(|second| second.to_string()).collect();
    let seconds = seconds.join(",");
    for (text, since, until, part) in [
        (
            "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
            "2026-01-01",
            None,
            "never occurs",
        ),
        (
            "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
            "2026-01-01",
            None,
            "never occurs",
        ),
        (
            "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30",
            "2026-01-01",
            None,
            "never occurs",
        ),
        (
            "FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30",
            "2026-01-01",
            None,
            "never occurs",
        ),
        (
            "FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30",
            "2026-01-01",
            None,
            "never occurs",
        ),
        (
            "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
            "2026-01-01",
            None,
            "never occurs",
        ),
        (
            "FREQ=SECONDLY;INTERVAL=60;BYSECOND=1",
            "2026-01-01",
            None,
            "never occurs",
        ),
        (
            "FREQ=DAILY",
            "2026-01-02",
            Some("2026-01-01"),
            "never occurs",
        ),
        (
            "FREQ=DAILY;UNTIL=20251231",
            "2026-01-01",
            None,
            "never occurs",
        ),
        (
            "FREQ=WEEKLY;BYMONTHDAY=1",
            "2026-01-01",
            None,
            "never occurs",
        ),
        (
            "FREQ=DAILY;BYHOUR=1;COUNT=10001",
            "2026-01-01",
            None,
            "may be 10000 at most",
        ),
        ("FREQ=DAILY", "1969-12-31", None, "before 1970"),
        (
            &format!("FREQ=YEARLY;BYSECOND={seconds}"),
            "2026-01-01",
            None,
            "more than 2000 moments",
        ),
    ] {
        let rule = rule(&json!({ "rrule": text }));
        let began = std::time::Instant::now();
        let refusal = Calendar::new(&rule, time(since), until.map(time)).unwrap_err();
        assert!(
            refusal.message().contains(part),
            "{text}: {}",
            refusal.message()
        );
        assert!(
            began.elapsed().as_secs() < 3,
            "{text}: {:?}",
            began.elapsed()
        );
    }
}

/// Whatever parts a rule has: it is computed in a bounded time, and does not panic.
#[test]
fn random_rules_neither_hang_nor_panic() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    for _ in 0..100 {
        let names = [
            "YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY",
        ];
        let mut text = format!("FREQ={}", names[random(7) as usize]);
        if random(2) == 0 {
            let interval = if random(4) == 0 {
                65_535
            } else {
                random(60) + 1
            };
            text += &format!(";INTERVAL={interval}");
        }
        let ranges: [(&str, i64, i64); 8] = [
            ("BYSETPOS", -367, 367),
            ("BYMONTH", 0, 13),
            ("BYMONTHDAY", -32, 32),
            ("BYYEARDAY", -367, 367),
            ("BYWEEKNO", -54, 54),
            ("BYHOUR", 0, 25),
            ("BYMINUTE", 0, 61),
            ("BYSECOND", 0, 61),
        ];
        for (name, from, to) in ranges {
            if random(4) == 0 {
                let width = (to - from) as u64;
                let some: Vec<String> = (0..=random(3))
                    .map(|_| (from + random(width) as i64).to_string())
                    .collect();
                text += &format!(";{name}={}", some.join(","));
            }
        }
        if random(3) == 0 {
            let days = ["MO", "2TU", "-1WE", "SU", "-53FR", "366SA", "99TH"];
            text += &format!(
                ";BYDAY={},{}",
                days[random(7) as usize],
                days[random(7) as usize]
            );
        }
        if random(4) == 0 {
            text += &format!(";COUNT={}", random(12_000) + 1);
        }
        let Ok(parts) = Parts::parse(&text) else {
            continue;
        };
        drop(parts);
        let rule = rule(&json!({ "rrule": text }));
        let since = Timestamp::from_millis(random(4_000_000_000_000) as i64);
        let began = std::time::Instant::now();
        if let Ok(calendar) = Calendar::new(&rule, since, None) {
            let now = time("2026-11-28T00:00:00");
            let later = calendar.after(now, 1000);
            assert!(
                later.iter().all(|moment| *moment > now),
                "{text} since {since}"
            );
            assert!(later.is_sorted(), "{text} since {since}");
        }
        let took = began.elapsed();
        assert!(took.as_secs() < 4, "{text} since {since}: {took:?}");
    }
}
