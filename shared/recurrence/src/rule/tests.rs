use super::*;

fn read(value: &Value, stored: Option<&Value>) -> Result<Value> {
    let stored: Option<Rule> = stored.map(|stored| serde_json::from_value(stored.clone()).unwrap());
    let body = Body::inner(value, "body").unwrap();
    Rule::read(&body, stored.as_ref()).map(|rule| Value::from(&rule))
}

#[test]
fn a_rule_is_stored_as_it_was_said() {
    for (given, want) in [
        (
            json!({ "recurrence": "2 weeks", "count": "5", "weekdays": ["su", "Mo", "su"] }),
            json!({ "recurrence": "2 weeks", "count": 5, "weekdays": ["SU", "MO"] }),
        ),
        (
            json!({ "recurrence": "1mo", "weekdays": ["l-fr", "4sa"] }),
            json!({ "recurrence": "1mo", "count": null, "weekdays": ["L-FR", "4SA"] }),
        ),
        (
            json!({ "count": 1, "recurrence": null, "weekdays": [], "rrule": "" }),
            json!({ "recurrence": null, "count": 1, "weekdays": null }),
        ),
        (
            json!({ "rrule": "FREQ=DAILY;INTERVAL=3" }),
            json!({ "rrule": "FREQ=DAILY;INTERVAL=3" }),
        ),
    ] {
        assert_eq!(read(&given, None).unwrap(), want, "{given}");
        // What is stored can be read, and stays as it is when nothing is said.
        assert_eq!(read(&json!({}), Some(&want)).unwrap(), want);
    }
    for unit in [
        "sec", "seconds", "min", "minutes", "h", "hours", "d", "day", "w", "weeks", "mo", "months",
        "y", "years",
    ] {
        for text in [format!("3{unit}"), format!("3 {unit}")] {
            read(&json!({ "recurrence": text }), None).unwrap();
        }
    }
}

#[test]
fn an_update_keeps_what_it_does_not_say() {
    let periods = json!({ "recurrence": "1 day", "count": 5, "weekdays": ["MO"] });
    let text = json!({ "rrule": "FREQ=DAILY" });
    for (stored, given, want) in [
        (
            &periods,
            json!({ "count": 7 }),
            json!({ "recurrence": "1 day", "count": 7, "weekdays": ["MO"] }),
        ),
        (&periods, text.clone(), text.clone()),
        (
            &text,
            json!({ "recurrence": "1 h" }),
            json!({ "recurrence": "1 h", "count": null, "weekdays": null }),
        ),
    ] {
        assert_eq!(read(&given, Some(stored)).unwrap(), want, "{given}");
    }
    assert!(read(&json!({ "count": 2 }), Some(&text)).is_err());
    assert!(read(&json!({ "recurrence": "1 fortnight" }), Some(&periods)).is_err());
}

#[test]
fn what_is_no_rule_is_refused() {
    for (given, part) in [
        (
            json!({}),
            "recurrence must be specified for execution count larger than 1",
        ),
        (json!({ "count": 2 }), "recurrence must be specified"),
        (
            json!({ "weekdays": ["mo"] }),
            "recurrence must be specified",
        ),
        (
            json!({ "count": 0, "recurrence": "1 day" }),
            "count must be an integer",
        ),
        (
            json!({ "count": "many", "recurrence": "1 day" }),
            "count must be an integer, got many",
        ),
        (
            json!({ "count": 1.5 }),
            "count parameter is expected to be of type int",
        ),
        (
            json!({ "recurrence": "1 fortnight" }),
            "not a legal recurrence expression",
        ),
        (
            json!({ "recurrence": "day" }),
            "not a legal recurrence expression",
        ),
        (
            json!({ "recurrence": "1  day" }),
            "not a legal recurrence expression",
        ),
        (json!({ "recurrence": "0 days" }), "from 1 to 65535"),
        (json!({ "recurrence": "65536 days" }), "from 1 to 65535"),
        (
            json!({ "recurrence": 5 }),
            "expected to be of type str but is of type int",
        ),
        (
            json!({ "recurrence": "1 d", "weekdays": "mo" }),
            "expected to be of type list",
        ),
        (
            json!({ "recurrence": "1 d", "weekdays": [5] }),
            "expected to be of type list of str",
        ),
        (
            json!({ "recurrence": "1 d", "weekdays": ["xx"] }),
            "invalid weekday `xx`",
        ),
        (
            json!({ "recurrence": "1 d", "weekdays": ["é"] }),
            "invalid weekday `é`",
        ),
        (
            json!({ "recurrence": "1 mo", "weekdays": ["5mo"] }),
            "invalid weekday `5mo`",
        ),
        (
            json!({ "recurrence": "1 w", "weekdays": ["2mo"] }),
            "can only be used with a months|years recurrence, but got 1 w",
        ),
        (
            json!({ "count": 1, "weekdays": ["2mo"] }),
            "can only be used with a months|years",
        ),
        (
            json!({ "rrule": "FREQ=DAILY", "count": 1 }),
            "`rrule` cannot be provided together with",
        ),
        (
            json!({ "rrule": "FREQ=DAILY", "recurrence": "1 d" }),
            "`rrule` cannot be provided",
        ),
        (json!({ "rrule": "INTERVAL=2" }), "it has no FREQ"),
        (
            json!({ "rrule": "every day" }),
            "is not of the form NAME=VALUE",
        ),
        (
            json!({ "rrule": "FREQ=FORTNIGHTLY" }),
            "`FREQ=FORTNIGHTLY` is not understood",
        ),
        (
            json!({ "rrule": "FREQ=DAILY;INTERVAL=0" }),
            "`INTERVAL=0` is not understood",
        ),
        (
            json!({ "rrule": "FREQ=DAILY;COUNT=0" }),
            "`COUNT=0` is not understood",
        ),
        (
            json!({ "rrule": "FREQ=DAILY;BYDAY=0MO" }),
            "`BYDAY=0MO` is not understood",
        ),
        (
            json!({ "rrule": "FREQ=DAILY;BYDAY=é" }),
            "is not understood",
        ),
        (
            json!({ "rrule": "FREQ=DAILY;FREQ=DAILY" }),
            "FREQ is given twice",
        ),
        (
            json!({ "rrule": "FREQ=DAILY;UNTIL=tomorrow" }),
            "is not understood",
        ),
        (
            json!({ "rrule": "FREQ=DAILY;X-MOON=FULL" }),
            "is not understood",
        ),
        (
            json!({ "rrule": format!("FREQ=DAILY;BYHOUR={}1", "1,".repeat(600)) }),
            "longer than 1000 bytes",
        ),
    ] {
        let refusal = read(&given, None).unwrap_err();
        assert!(
            refusal.message().contains(part),
            "{given}: {}",
            refusal.message()
        );
    }
}

#[test]
fn a_period_later_is_another_moment() {
    let moment = Timestamp::parse("", "2026-01-31T09:30:00.5").unwrap();
    for (text, want) in [
        ("4 hours", "2026-01-31T13:30:00.500Z"),
        ("1w", "2026-02-07T09:30:00.500Z"),
        ("1 month", "2026-02-28T09:30:00.500Z"),
        ("2 years", "2028-01-31T09:30:00.500Z"),
        ("65535 years", "9999-12-31T23:59:59.999Z"),
    ] {
        assert_eq!(later(moment, text).unwrap().to_string(), want, "{text}");
    }
    assert!(later(moment, "soon").is_err());
}
