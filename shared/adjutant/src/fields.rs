//! The fields of a request: one flat object, of which each action picks its own.
//!
//! What is wrong is told field by field, in the words of the original, and everything at once.

use serde_json::{Map, Value};
use windlass_core::{Error, python};
use windlass_delivery::mail;

const REQUIRED: &str = "This field is required.";
const NULL: &str = "This field may not be null.";
const BLANK: &str = "This field may not be blank.";

/// The key of what is wrong with several fields together.
pub const WHOLE: &str = "non_field_errors";

/// The longest address, in characters.
const LONGEST_EMAIL: usize = 254;

/// How a text field is read.
#[derive(Clone, Debug)]
pub struct Text {
    longest: usize,
    default: Option<Value>,
    may_be_blank: bool,
}

impl Text {
    /// A text that must be there, of so many characters at most.
    pub const fn required(longest: usize) -> Self {
        Self {
            longest,
            default: None,
            may_be_blank: false,
        }
    }

    /// A text that may be left out. Where that leaves a null, a null may be sent too.
    pub fn or(longest: usize, default: impl Into<Value>) -> Self {
        Self {
            default: Some(default.into()),
            ..Self::required(longest)
        }
    }

    /// The same, also for a text without letters.
    pub fn may_be_blank(mut self) -> Self {
        self.may_be_blank = true;
        self
    }
}

/// The fields that one action takes from a request, and what was wrong with them.
#[derive(Debug)]
pub struct Fields<'b> {
    body: &'b Map<String, Value>,
    taken: Map<String, Value>,
    wrong: Vec<(String, String)>,
}

impl<'b> Fields<'b> {
    /// Nothing taken yet.
    pub fn of(body: &'b Map<String, Value>) -> Self {
        Self {
            body,
            taken: Map::new(),
            wrong: Vec::new(),
        }
    }

    /// Says what is wrong with a field.
    pub fn refuse(&mut self, name: &str, why: impl Into<String>) {
        self.wrong.push((name.to_owned(), why.into()));
    }

    /// A value that was taken.
    pub fn taken(&self, name: &str) -> Option<&Value> {
        self.taken.get(name)
    }

    fn keep(&mut self, name: &str, value: impl Into<Value>) {
        self.taken.insert(name.to_owned(), value.into());
    }

    /// The value of a field, unless it is left out, or null where that means the same.
    fn given(&mut self, name: &str, default: Option<Value>) -> Option<&'b Value> {
        match (self.body.get(name), default) {
            (None, None) => self.refuse(name, REQUIRED),
            (None, Some(default)) | (Some(Value::Null), Some(default @ Value::Null)) => {
                self.keep(name, default);
            }
            (Some(Value::Null), _) => self.refuse(name, NULL),
            (Some(value), _) => return Some(value),
        }
        None
    }

    /// Takes a text. Numbers are texts too, and white space around it is dropped.
    pub fn text(&mut self, name: &str, how: &Text) {
        let Some(value) = self.given(name, how.default.clone()) else {
            return;
        };
        let text = match value {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            _ => return self.refuse(name, "Not a valid string."),
        };
        if text.contains('\0') {
            self.refuse(name, "Null characters are not allowed.");
        } else if text.is_empty() && !how.may_be_blank {
            self.refuse(name, BLANK);
        } else if text.chars().count() > how.longest {
            let longest = how.longest;
            let why = format!("Ensure this field has no more than {longest} characters.");
            self.refuse(name, why);
        } else {
            self.keep(name, text);
        }
    }

    /// Takes an address that mail can be sent to.
    pub fn email(&mut self, name: &str) {
        self.text(name, &Text::required(LONGEST_EMAIL));
        let is_one = |value: &Value| value.as_str().is_some_and(mail::is_address);
        if self.taken.get(name).is_some_and(|value| !is_one(value)) {
            self.taken.remove(name);
            self.refuse(name, "Enter a valid email address.");
        }
    }

    /// Takes a truth value, in any of the words that forms send.
    pub fn boolean(&mut self, name: &str, default: bool) {
        let Some(value) = self.given(name, Some(default.into())) else {
            return;
        };
        let word = match value {
            Value::Bool(value) => return self.keep(name, *value),
            Value::String(text) => text.trim().to_ascii_lowercase(),
            other => other.to_string(),
        };
        match word.as_str() {
            "true" | "t" | "yes" | "y" | "on" | "1" => self.keep(name, true),
            "false" | "f" | "no" | "n" | "off" | "0" => self.keep(name, false),
            _ => self.refuse(name, "Must be a valid boolean."),
        }
    }

    /// Takes a list of some of these words, each once.
    pub fn choices(&mut self, name: &str, choices: &[&str]) {
        let Some(value) = self.given(name, Some(Value::Array(Vec::new()))) else {
            return;
        };
        let Value::Array(items) = value else {
            let kind = python::type_name(value);
            let why = format!("Expected a list of items but got type \"{kind}\".");
            return self.refuse(name, why);
        };
        let mut taken: Vec<Value> = Vec::new();
        for item in items {
            if !item.as_str().is_some_and(|text| choices.contains(&text)) {
                let shown = item
                    .as_str()
                    .map_or_else(|| item.to_string(), str::to_owned);
                let shown: String = shown.chars().take(100).collect();
                return self.refuse(name, format!("\"{shown}\" is not a valid choice."));
            }
            if !taken.contains(item) {
                taken.push(item.clone());
            }
        }
        self.keep(name, taken);
    }

    /// What was taken, by name, or what was wrong.
    pub fn finish(self) -> Result<Map<String, Value>, Vec<(String, String)>> {
        if self.wrong.is_empty() {
            return Ok(self.taken);
        }
        Err(self.wrong)
    }
}

/// The refusal of fields. What several actions find wrong with the same one is told once.
pub fn refusal(wrong: &[(String, String)]) -> Error {
    let mut told: Vec<&(String, String)> = Vec::new();
    for one in wrong {
        if !told.contains(&one) {
            told.push(one);
        }
    }
    told.into_iter().fold(
        Error::bad_parameters("Some fields are not valid"),
        |error, (field, why)| error.field(field.as_str(), why.as_str()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn taken(body: &Value, take: impl Fn(&mut Fields<'_>)) -> Result<Value, String> {
        let mut fields = Fields::of(body.as_object().unwrap());
        take(&mut fields);
        let wrong = |mut wrong: Vec<(String, String)>| wrong.remove(0).1;
        fields.finish().map(Value::from).map_err(wrong)
    }

    #[test]
    fn a_text_is_trimmed_and_has_its_length() {
        let how = Text::required(5);
        for (body, want) in [
            (json!({ "a": " x " }), Ok(json!({ "a": "x" }))),
            (json!({ "a": 5 }), Ok(json!({ "a": "5" }))),
            (json!({}), Err(REQUIRED)),
            (json!({ "a": null }), Err(NULL)),
            (json!({ "a": "  " }), Err(BLANK)),
            (
                json!({ "a": "abcdef" }),
                Err("Ensure this field has no more than 5 characters."),
            ),
            (json!({ "a": true }), Err("Not a valid string.")),
            (json!({ "a": ["x"] }), Err("Not a valid string.")),
            (
                json!({ "a": "x\u{0}" }),
                Err("Null characters are not allowed."),
            ),
        ] {
            let got = taken(&body, |fields| fields.text("a", &how));
            assert_eq!(got, want.map_err(str::to_owned), "{body}");
        }
        let optional = Text::or(5, Value::Null);
        for body in [json!({}), json!({ "a": null })] {
            let got = taken(&body, |fields| fields.text("a", &optional));
            assert_eq!(got, Ok(json!({ "a": null })), "{body}");
        }
        let filled = Text::or(7, "default");
        let got = taken(&json!({ "a": null }), |fields| fields.text("a", &filled));
        assert_eq!(got, Err(NULL.to_owned()));
    }

    #[test]
    fn addresses_booleans_and_choices_are_refused_in_the_words_of_the_original() {
        let invalid = "Enter a valid email address.";
        let got = taken(&json!({ "a": "nobody" }), |fields| fields.email("a"));
        assert_eq!(got, Err(invalid.to_owned()));
        let got = taken(&json!({ "a": "ann@example.com" }), |fields| {
            fields.email("a")
        });
        assert!(got.is_ok());
        for (value, want) in [
            (json!("Yes"), Some(true)),
            (json!(0), Some(false)),
            (json!(true), Some(true)),
            (json!("perhaps"), None),
            (json!([]), None),
        ] {
            let got = taken(&json!({ "a": value }), |fields| fields.boolean("a", false));
            assert_eq!(got.ok().map(|got| got["a"].clone()), want.map(Value::from));
        }
        let roles = ["member", "project_mod"];
        for (value, want) in [
            (json!(["member", "member"]), Ok(json!({ "a": ["member"] }))),
            (json!(["nope"]), Err("\"nope\" is not a valid choice.")),
            (json!([5]), Err("\"5\" is not a valid choice.")),
            (
                json!("member"),
                Err("Expected a list of items but got type \"str\"."),
            ),
        ] {
            let got = taken(&json!({ "a": value }), |fields| fields.choices("a", &roles));
            assert_eq!(got, want.map_err(str::to_owned), "{value}");
        }
    }

    #[test]
    fn what_several_actions_refuse_is_told_once() {
        let wrong = |field: &str, why: &str| (field.to_owned(), why.to_owned());
        let refusal = refusal(&[wrong("a", REQUIRED), wrong("a", REQUIRED), wrong("b", NULL)]);
        assert_eq!(refusal.fields().len(), 2);
    }
}
