//! What becomes of alerts: each raises or lowers a signal, as the first rule says that fits it.

use super::settings::{Rule, Settings};
use super::{Alert, Receiver};
use crate::components::{Attribute, Component, list};
use crate::reports::{self, Subject};
use crate::signals::{self, Key, Signal, Source};
use serde::Serialize;
use windlass_core::db::Tx;
use windlass_core::{Error, Kind, Result, Scope, Timestamp, log};

/// The most alerts that fire at one receiver at once.
const FIRING: i64 = 1000;
/// The longest title of an incident, in characters.
const TITLE: usize = 200;

/// What became of an alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Taken {
    /// Which one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Whether it fires, or was refused.
    pub status: &'static str,
    /// Of one that was refused, its place in the message, from 0, and why.
    #[serde(flatten)]
    pub refused: Option<Refused>,
    /// The incident that tells of it, or told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident_id: Option<i64>,
    /// Why none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignored: Option<&'static str>,
}

/// An alert that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// Its place in the message, from 0.
    index: usize,
    /// Why.
    error: String,
}

impl Taken {
    /// Says of an alert that it was refused. Whoever sends it has no use for an answer that nobody reads, so
    /// the log has it, too.
    pub fn refused(receiver: &Receiver, index: usize, why: &Error) -> Self {
        let told = [
            ("receiver", receiver.id.as_str().into()),
            ("index", index.into()),
            ("message", why.message().into()),
        ];
        log::line(log::Level::Warning, "an alert was refused", told);
        Self {
            fingerprint: None,
            status: "refused",
            refused: Some(Refused {
                index,
                error: why.message().to_owned(),
            }),
            incident_id: None,
            ignored: None,
        }
    }
}

/// Takes alerts of a message. Those that mean no component are passed over, and the answer says why:
/// whoever sent them would send all of them again otherwise.
pub async fn take(
    tx: &impl Tx,
    scope: &Scope,
    receiver: &Receiver,
    alerts: &[&Alert],
    now: Timestamp,
) -> Result<Vec<Taken>> {
    let mut taken = Vec::with_capacity(alerts.len());
    for alert in alerts {
        let key = Key {
            source: Source::Receiver,
            source_id: &receiver.id,
            fingerprint: &alert.fingerprint,
        };
        let became = if alert.is_firing {
            fire(tx, scope, &receiver.settings, key, alert, now).await?
        } else {
            Ok(signals::lower(tx, scope, key, now).await?)
        };
        taken.push(Taken {
            fingerprint: Some(alert.fingerprint.clone()),
            refused: None,
            status: if alert.is_firing {
                "firing"
            } else {
                "resolved"
            },
            incident_id: became.unwrap_or_default(),
            ignored: became.err(),
        });
    }
    Ok(taken)
}

/// Raises a signal for an alert. Answers its incident, or why the alert is passed over.
async fn fire(
    tx: &impl Tx,
    scope: &Scope,
    settings: &Settings,
    key: Key<'_>,
    alert: &Alert,
    now: Timestamp,
) -> Result<Result<Option<i64>, &'static str>> {
    let Some(rule) = settings.rules.iter().find(|rule| rule.fits(&alert.fields)) else {
        return Ok(Err("no rule fits"));
    };
    let Some(component) = component(tx, rule, alert).await? else {
        return Ok(Err("there is no such component"));
    };
    if !signals::lasts(tx, key).await? && signals::count(tx, key).await? >= FIRING {
        // Whoever sends it takes it for told, so somebody here has to know.
        let told = [("receiver", key.source_id.into())];
        log::line(log::Level::Error, "a receiver takes no more alerts", told);
        return Ok(Err("too many alerts fire already"));
    }
    let signal = Signal {
        key,
        component: component.id,
        impact: rule.impact,
        title: &alert.title,
        public_title: &public_title(settings, rule, alert, &component),
    };
    signals::raise(tx, scope, &signal, now).await.map(Ok)
}

/// The component that a rule means.
async fn component(tx: &impl Tx, rule: &Rule, alert: &Alert) -> Result<Option<Component>> {
    let value = |field: &String| alert.fields.get(field).cloned().unwrap_or_default();
    let id = match (&rule.component_from, rule.component_id) {
        (Some(field), _) => {
            let attributes: Vec<Attribute> = (rule.attributes_from.iter())
                .map(|(name, field)| Attribute {
                    name: name.clone(),
                    value: value(field),
                })
                .collect();
            let name = value(field);
            reports::find_component(tx, Subject::Named(&name, &attributes)).await?
        }
        (None, id) => id,
    };
    let Some(id) = id else { return Ok(None) };
    match list::find(tx, id).await {
        Ok(component) => Ok(Some(component)),
        Err(refusal) if refusal.kind() == Kind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// What everybody reads: the rule's title, the alert's where the receiver says so, or that there is a
/// problem.
fn public_title(settings: &Settings, rule: &Rule, alert: &Alert, component: &Component) -> String {
    let told = Some(&alert.title).filter(|title| settings.publish_titles && !title.is_empty());
    let title = match rule.title.as_ref().or(told) {
        Some(title) => title.clone(),
        None => format!("{} has a problem", component.label()),
    };
    title.chars().take(TITLE).collect()
}
