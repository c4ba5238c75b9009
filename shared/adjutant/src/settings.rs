//! Settings: which actions a task has, when tokens expire, what mails say, how large quotas are.
//!
//! `defaults.json` is the whole document. The setting `adjutant_settings` of `/config` says what is
//! different from it: an object of it is put over the default's object key by key, anything else
//! takes the place of what was there.

use crate::actions::ActionKind;
use crate::task_type::{DuplicatePolicy, TaskType};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use windlass_core::db::Db;
use windlass_core::{Error, Result, Scope};
use windlass_store::config;

/// The document of a fresh installation.
const DEFAULTS: &str = include_str!("defaults.json");

/// The setting that says what is different.
const SETTING: &str = "adjutant.adjutant_settings";

/// The whole document.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Whether users are called by their addresses. Then requests have no `username`.
    pub username_is_email: bool,
    /// The names of the regions that there are.
    pub regions: Vec<String>,
    /// The region of projects for which none is named.
    pub default_region: String,
    /// The project that new projects are below, if they are below one.
    pub default_parent: Option<String>,
    /// What the links in mails begin with, before the token. Empty: the page of this application.
    pub token_page: String,
    /// How often one address may ask for accounts and passwords within an hour.
    pub submissions_per_hour: i64,
    /// How often one user may have mail sent to somebody within an hour.
    pub requests_per_hour: i64,
    /// How many mails about tasks of one type an address gets within an hour.
    pub mails_per_hour: i64,
    tasks: BTreeMap<TaskType, TaskSettings>,
    /// How much room projects have.
    pub quotas: QuotaSettings,
}

/// The settings of one type of tasks.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskSettings {
    /// Whether its actions may approve themselves.
    pub allow_auto_approve: bool,
    /// What becomes of the same request twice.
    pub duplicate_policy: DuplicatePolicy,
    /// How long a token counts, in seconds.
    pub token_expiry: i64,
    /// The actions after those that the type has anyway.
    pub additional_actions: Vec<ActionKind>,
    /// Settings of single actions.
    pub actions: BTreeMap<ActionKind, Map<String, Value>>,
    /// The mails of its stages.
    pub emails: Emails,
}

/// The mails of the stages of a task.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Emails {
    /// After it was asked for.
    pub initial: Option<Template>,
    /// With the token.
    pub token: Option<Template>,
    /// When it is done.
    pub completed: Option<Template>,
}

/// What a mail says. `{{name}}` stands for a value, see `mails`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// The subject.
    pub subject: String,
    /// The text for programs that show no markup.
    pub text: String,
    /// The same as markup; values are escaped.
    pub html: String,
}

/// How many of each resource of each service.
pub type Amounts = BTreeMap<String, BTreeMap<String, i64>>;

/// The sizes that a quota can have.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuotaSettings {
    /// The names of the sizes, smallest first.
    pub order: Vec<String>,
    /// How many days have to pass before a quota approves itself again.
    pub days_between_autoapprove: i64,
    /// The services whose quotas are looked after.
    pub services: Vec<String>,
    /// What each size allows.
    pub sizes: BTreeMap<String, Amounts>,
}

impl Settings {
    /// The settings as they are now.
    ///
    /// # Errors
    /// Internal, when the document is not usable: what is wrong with it is for the log.
    pub async fn load(db: &impl Db) -> Result<Self> {
        let different = config::find(db, &Scope::engine(), SETTING).await?.value;
        Self::read(different)
    }

    /// The defaults with what is different from them.
    pub(crate) fn read(mut different: Value) -> Result<Self> {
        let mut document: Value = serde_json::from_str(DEFAULTS).map_err(Error::internal)?;
        name_anew(&mut different);
        put_over(&mut document, different);
        let settings: Self = serde_json::from_value(document)
            .map_err(|error| Error::internal(format!("the setting {SETTING}: {error}")))?;
        Ok(settings)
    }

    /// The settings of a type of tasks.
    ///
    /// # Errors
    /// Internal, when the document has none.
    pub fn task(&self, of: TaskType) -> Result<&TaskSettings> {
        let none = || Error::internal(format!("the setting {SETTING} has no {}", of.name()));
        self.tasks.get(&of).ok_or_else(none)
    }

    /// All actions of a type of tasks, in their order.
    pub fn actions(&self, of: TaskType) -> Result<Vec<ActionKind>> {
        let mut actions = vec![ActionKind::main(of)];
        actions.extend_from_slice(&self.task(of)?.additional_actions);
        Ok(actions)
    }

    /// A setting of an action, in a type of tasks.
    pub fn of_action(&self, of: TaskType, action: ActionKind, name: &str) -> Option<&Value> {
        self.tasks.get(&of)?.actions.get(&action)?.get(name)
    }

    /// The same where it is a list of texts; empty when it is not set.
    pub fn list_of_action(&self, of: TaskType, action: ActionKind, name: &str) -> Vec<String> {
        let list = self.of_action(of, action, name).and_then(Value::as_array);
        let texts = list.into_iter().flatten().filter_map(Value::as_str);
        texts.map(str::to_owned).collect()
    }
}

/// Gives types of tasks that are called as in older versions their present names.
fn name_anew(different: &mut Value) {
    if let Some(Value::Object(tasks)) = different.get_mut("tasks") {
        let named = std::mem::take(tasks).into_iter().map(|(name, value)| {
            let known = TaskType::named(&name).map(|of| of.name().to_owned());
            (known.unwrap_or(name), value)
        });
        *tasks = named.collect();
    }
}

/// Objects are merged, anything else is replaced.
fn put_over(document: &mut Value, different: Value) {
    match (document, different) {
        (Value::Object(known), Value::Object(different)) => {
            for (name, value) in different {
                put_over(known.entry(name).or_insert(Value::Null), value);
            }
        }
        (document, different) => *document = different,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_type_of_tasks_has_settings() {
        let settings = Settings::read(json!({})).unwrap();
        for of in TaskType::ALL {
            assert!(settings.task(*of).is_ok(), "{}", of.name());
        }
        assert_eq!(
            settings.actions(TaskType::CreateProjectAndUser).unwrap(),
            [
                ActionKind::NewProjectWithUser,
                ActionKind::NewProjectDefaultNetwork,
                ActionKind::SetProjectQuota
            ]
        );
    }

    #[test]
    fn the_setting_says_only_what_is_different() {
        let settings = Settings::read(json!({
            "tasks": { "invite_user": { "token_expiry": 60, "emails": { "token": null } } },
        }))
        .unwrap();
        let invite = settings.task(TaskType::InviteUserToProject).unwrap();
        assert_eq!(invite.token_expiry, 60);
        assert!(invite.emails.token.is_none() && invite.emails.completed.is_some());
        let reset = settings.task(TaskType::ResetUserPassword).unwrap();
        assert_eq!(reset.token_expiry, 86_400);
    }

    #[test]
    fn a_document_that_is_not_usable_is_refused_and_named_in_the_log() {
        for (different, part) in [
            (json!({ "regions": 5 }), "invalid type"),
            (json!({ "tusks": {} }), "tusks"),
            (
                json!({ "tasks": { "update_quota": { "additional_actions": ["NoAction"] } } }),
                "NoAction",
            ),
        ] {
            let refusal = Settings::read(different).unwrap_err();
            assert!(refusal.for_log().contains(part), "{}", refusal.for_log());
            assert!(!refusal.message().contains(part));
        }
    }
}
