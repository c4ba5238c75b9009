//! The secrets that functions ask for, loaded when they do.
//!
//! Each value that is loaded has its row in the audit trail, so only those are that a function really
//! came to. What is going to be stored is evaluated without any: no secret's value is in a plan, in an
//! execution's parameters or in a name.

use serde_json::Value;
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use windlass_core::db::Db;
use windlass_core::outbound::Outbound;
use windlass_core::{Error, Kind, Result, Scope};
use windlass_store::secrets::{self, Purpose, Read};

/// The shortest text that is worth hiding: what is shorter is in every other text.
const WORTH_HIDING: usize = 4;

/// What stands where a secret's value would.
const HIDDEN: &str = "********";

/// What is known of one secret.
enum Known {
    Value(Value),
    /// It is there, but not for this caller to read.
    Hidden,
    /// A provider keeps it and has not been asked yet.
    Elsewhere(Box<Read>),
    Absent,
}

/// The secrets of one evaluation.
#[derive(Default)]
pub(super) struct Secrets {
    known: RefCell<HashMap<String, Known>>,
    /// Names that functions asked for and that are not known.
    asked: RefCell<BTreeSet<String>>,
    /// Whether none is to be read.
    is_withheld: bool,
}

impl Secrets {
    /// No secrets at all, for values that are going to be stored.
    pub(super) fn withheld() -> Self {
        Self {
            is_withheld: true,
            ..Self::default()
        }
    }

    /// Whether none is to be read.
    pub(super) fn are_withheld(&self) -> bool {
        self.is_withheld
    }

    /// A value as functions see it.
    pub(super) fn value(&self, name: &str) -> Option<Value> {
        match self.known.borrow().get(name) {
            Some(Known::Value(value)) => Some(value.clone()),
            Some(_) => None,
            None => {
                self.asked.borrow_mut().insert(name.to_owned());
                None
            }
        }
    }

    /// Whether a secret is there whose value this caller may not read.
    pub(super) fn is_hidden(&self, name: &str) -> bool {
        matches!(self.known.borrow().get(name), Some(Known::Hidden))
    }

    /// Whether a provider has to be asked before functions know all.
    pub(super) fn are_elsewhere(&self) -> bool {
        let known = self.known.borrow();
        known.values().any(|one| matches!(one, Known::Elsewhere(_)))
    }

    /// Whether functions asked for what is not known.
    pub(super) fn is_asked(&self) -> bool {
        !self.asked.borrow().is_empty()
    }

    /// Loads what was asked for in vain; answers whether there was anything.
    pub(super) async fn load(
        &self,
        db: &impl Db,
        scope: Option<&Scope>,
        purpose: Purpose,
    ) -> Result<bool> {
        let asked = self.asked.take();
        if self.is_withheld || asked.is_empty() {
            return Ok(false);
        }
        for name in asked {
            let known = match scope {
                Some(scope) => load_one(db, scope, purpose, &name).await?,
                None => Known::Absent,
            };
            self.known.borrow_mut().insert(name, known);
        }
        Ok(true)
    }

    /// Asks providers for what they keep.
    pub(super) async fn fetch(&self, outbound: &impl Outbound) -> Result<()> {
        let mut all = self.known.take();
        for (name, known) in &mut all {
            if let Known::Elsewhere(read) = known {
                *known = Known::Value(windlass_secrets::fetch(read, name, outbound).await?);
            }
        }
        self.known.replace(all);
        Ok(())
    }

    /// A text for many to read, without the values of these secrets in it.
    pub(super) fn hide_in(&self, text: &str) -> String {
        let mut texts = Vec::new();
        for known in self.known.borrow().values() {
            if let Known::Value(value) = known {
                collect(value, &mut texts);
            }
        }
        // What is part of another goes later.
        texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
        let hide = |shown: String, secret: String| shown.replace(&secret, HIDDEN);
        texts.into_iter().fold(text.to_owned(), hide)
    }
}

/// The texts in a value that are worth hiding.
fn collect(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) if text.chars().count() >= WORTH_HIDING => {
            texts.push(text.clone());
            // As JSON shows it, it may look different.
            let shown = value.to_string();
            texts.push(shown.trim_matches('"').to_owned());
            // A secret may be JSON as a text, whose parts functions pick.
            if let Ok(inner @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(text) {
                collect(&inner, texts);
            }
        }
        Value::Number(number) if number.to_string().len() >= WORTH_HIDING => {
            texts.push(number.to_string());
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, texts)),
        Value::Object(fields) => fields.values().for_each(|field| collect(field, texts)),
        _ => {}
    }
}

async fn load_one(db: &impl Db, scope: &Scope, purpose: Purpose, name: &str) -> Result<Known> {
    let Some(read) = secrets::read(db, scope, name, purpose, Some(&[])).await? else {
        let hidden = match purpose {
            Purpose::Show => is_there(secrets::show(db, scope, name, Some(&[])).await)?,
            Purpose::Run => false,
        };
        return Ok(if hidden { Known::Hidden } else { Known::Absent });
    };
    Ok(match windlass_secrets::stored(&read).await? {
        Some(value) => Known::Value(value),
        None => Known::Elsewhere(Box::new(read)),
    })
}

fn is_there(found: Result<Read, Error>) -> Result<bool> {
    match found {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == Kind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_told_has_no_secret_in_it() {
        let secrets = Secrets::default();
        for (name, value) in [
            ("plain", json!("hunter2")),
            ("longer", json!("hunter2-and-more")),
            ("nested", json!({ "a": ["s3cret", 12345], "b": true })),
            ("text", json!("{\"pin\": \"9876\"}")),
            ("quoted", json!("a\"b\"c")),
            ("short", json!("no")),
        ] {
            secrets
                .known
                .borrow_mut()
                .insert(name.into(), Known::Value(value));
        }
        for (text, want) in [
            ("it said hunter2-and-more!", "it said ********!"),
            ("hunter2 hunter2", "******** ********"),
            (
                "{\"x\": \"s3cret\", \"y\": 12345}",
                "{\"x\": \"********\", \"y\": ********}",
            ),
            ("pin 9876", "pin ********"),
            ("\"a\\\"b\\\"c\"", "\"********\""),
            ("there is no way", "there is no way"),
        ] {
            assert_eq!(secrets.hide_in(text), want);
        }
    }

    #[test]
    fn what_is_withheld_is_not_even_asked_for() {
        pollster::block_on(async {
            let db = windlass_core::db::NativeDb::in_memory();
            let scope = Scope::system("ann", "harbour");
            let withheld = Secrets::withheld();
            assert_eq!(withheld.value("key"), None);
            // There is no table to ask.
            let loaded = withheld.load(&db, Some(&scope), Purpose::Run).await;
            assert!(!loaded.unwrap());
        });
    }
}
