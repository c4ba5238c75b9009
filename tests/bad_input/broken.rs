//! A row's body, broken in every way: what is no object at all, and each value in it replaced.

use windlass_tests::{Answer, Endpoint, Value, json};

/// More than any body may have.
const TEN_MEGABYTES: usize = 10 << 20;

/// Something that is sent instead of a row's body.
pub struct Body {
    pub what: String,
    pub body: Vec<u8>,
    pub content_type: &'static str,
    /// What Conductor answers, whatever the row, where that is the same for all.
    refusal: Option<(&'static [u16], &'static str)>,
}

impl Body {
    /// A value that only the row itself can judge.
    pub fn value(what: String, body: &Value) -> Self {
        Self {
            what,
            body: body.to_string().into_bytes(),
            content_type: "application/json",
            refusal: None,
        }
    }

    /// What is no usable JSON object.
    pub fn unusable(what: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            what: what.into(),
            body: body.into(),
            content_type: "application/json",
            refusal: Some((&[400], "bad_parameters_error")),
        }
    }

    /// Whether an answer is what every row of Conductor answers.
    pub fn is_refused_as_everywhere(&self, row: &Endpoint, answer: &Answer) -> bool {
        let Some((statuses, code)) = self.refusal else {
            return true;
        };
        if row.family != "conductor" {
            return true;
        }
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        statuses.contains(&answer.status) && (answer.status == 413 || body["error_code"] == code)
    }
}

/// Everything that is sent instead of a row's body.
pub fn bad_bodies(row: &Endpoint, value: &dyn Fn(&str) -> String) -> Vec<Body> {
    let text = row.filled_body(value).expect("these have one");
    let own: Value = serde_json::from_str(&text).expect("the table's bodies are JSON");
    let mut bodies = vec![
        Body::unusable("half an object", "{\"blueprint_id\": "),
        Body::unusable("a list", "[1, 2]"),
        Body::unusable("a text", "\"text\""),
        Body::unusable("a number", "7"),
        Body::unusable("null", "null"),
        Body::unusable("bytes", b"\xff\xfe\x00\x01"),
        Body::unusable("an endless list", "[".repeat(20_000)),
        Body::unusable(
            "a deep object",
            format!("{{\"a\": {}1{}}}", "[".repeat(5000), "]".repeat(5000)),
        ),
        Body {
            refusal: Some((&[400, 413], "bad_parameters_error")),
            ..Body::unusable(
                "ten megabytes",
                format!("{{\"display_name\": \"{}\"}}", "x".repeat(TEN_MEGABYTES)),
            )
        },
    ];
    if !row.is_form {
        bodies.push(Body {
            content_type: "application/xml",
            refusal: Some((&[415], "unsupported_content_type_error")),
            ..Body::unusable("another language", "<a/>")
        });
    }
    let mut unknown = own.clone();
    unknown["colour_of_the_crane"] = json!("red");
    bodies.push(Body::value("an unknown field".into(), &unknown));
    for place in places(&own, "") {
        for (what, bad) in bad_values() {
            let mut body = own.clone();
            *body.pointer_mut(&place).expect("it was there") = bad;
            bodies.push(Body::value(format!("{place} is {what}"), &body));
        }
    }
    bodies
}

/// The pointers to all that is in a body, at any depth.
fn places(value: &Value, of: &str) -> Vec<String> {
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(k, v)| (k.clone(), v)).collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(n, v)| (n.to_string(), v))
            .collect(),
        _ => Vec::new(),
    };
    let mut places = Vec::new();
    for (name, value) in inner {
        let place = format!("{of}/{name}");
        places.push(place.clone());
        places.extend(self::places(value, &place));
    }
    places
}

fn bad_values() -> Vec<(&'static str, Value)> {
    let deep = (0..500).fold(json!(1), |inner, _| json!([inner]));
    vec![
        ("null", json!(null)),
        ("a truth value", json!(true)),
        ("a number", json!(-7)),
        ("a fraction", json!(1.5)),
        ("a huge number", json!(1e300)),
        ("a list", json!([7])),
        ("an empty list", json!([])),
        ("an object", json!({ "x": 7 })),
        ("an empty text", json!("")),
        ("a very long text", json!("x".repeat(200_000))),
        ("a text with NUL", json!("a\u{0}b")),
        (
            "a text with control characters",
            json!("a\u{1}\r\n\u{1b}[2J\u{7f}b"),
        ),
        ("too deep", deep),
    ]
}
