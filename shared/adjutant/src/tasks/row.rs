//! A task and its actions as the code works with them.

use crate::actions::ActionKind;
use crate::task_type::TaskType;
use crate::wire;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use windlass_core::{Error, Result, Timestamp, ids};

windlass_core::named_enum! {
    /// What an action found when it was prepared.
    #[derive(Default)]
    pub enum State {
        /// Everything is still to be made.
        #[default]
        Default = "default",
        /// The user is there already.
        Existing = "existing",
        /// The user is there and shut out.
        Disabled = "disabled",
        /// There is nothing to do.
        Complete = "complete" | "completed",
    }
}

/// One action of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Action {
    /// What it does.
    #[serde(rename = "action_name")]
    pub kind: ActionKind,
    /// What it was asked for, after the checks of its fields.
    #[serde(rename = "action_data")]
    pub data: Map<String, Value>,
    /// What it has made so far.
    pub cache: Map<String, Value>,
    /// What it found when it was prepared.
    pub state: State,
    /// Whether it can be done.
    pub valid: bool,
    /// Whether somebody has to confirm it with a token.
    pub need_token: bool,
    /// Whether it approves itself; nothing: that is for others to say.
    pub auto_approve: Option<bool>,
}

impl Action {
    /// An action that was not looked at yet.
    pub fn new(kind: ActionKind, data: Map<String, Value>) -> Self {
        Self {
            kind,
            data,
            cache: Map::new(),
            state: State::Default,
            valid: false,
            need_token: false,
            auto_approve: None,
        }
    }

    /// A text that it was asked for; empty where there is none.
    pub fn text(&self, name: &str) -> &str {
        self.data
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// A text that may be null.
    pub fn optional_text(&self, name: &str) -> Option<&str> {
        self.data.get(name).and_then(Value::as_str)
    }

    /// A list of texts.
    pub fn list(&self, name: &str) -> Vec<String> {
        let list = self.data.get(name).and_then(Value::as_array);
        let texts = list.into_iter().flatten().filter_map(Value::as_str);
        texts.map(str::to_owned).collect()
    }

    /// A truth value.
    pub fn flag(&self, name: &str) -> bool {
        self.data
            .get(name)
            .and_then(Value::as_bool)
            .unwrap_or(false)
    }

    /// A text that it has kept of what it made.
    pub fn made(&self, name: &str) -> Option<&str> {
        self.cache.get(name).and_then(Value::as_str)
    }
}

/// One request.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Task {
    /// Its number; 0 before it is stored.
    pub key: i64,
    /// Its id.
    pub uuid: String,
    /// What is asked for.
    pub task_type: TaskType,
    /// What tells it from other requests.
    pub hash_key: String,
    /// Who asked; an empty object for somebody without an account.
    pub keystone_user: Value,
    /// The project it was asked from.
    pub project_id: Option<String>,
    /// The address it was asked from.
    pub ip_address: Option<String>,
    /// Who approved it; an empty object until then.
    pub approved_by: Value,
    /// What happened to it.
    pub task_notes: Vec<String>,
    /// What happened in its actions.
    pub action_notes: BTreeMap<ActionKind, Vec<String>>,
    /// Whether it was approved.
    pub approved: bool,
    /// Whether it is done.
    pub completed: bool,
    /// Whether it was called off.
    pub cancelled: bool,
    /// When it was asked for.
    pub created_on: Timestamp,
    /// When it was approved, if it was.
    pub approved_on: Option<Timestamp>,
    /// When it was done, if it is.
    pub completed_on: Option<Timestamp>,
    /// What it does, in this order.
    pub actions: Vec<Action>,
}

/// A row as the JSON that [`Task`] is read from.
pub(super) const SQL: &str = "json_object('key', t.key, 'uuid', t.uuid, 'task_type', t.task_type,
    'hash_key', t.hash_key, 'keystone_user', json(t.keystone_user), 'project_id', t.project_id,
    'ip_address', t.ip_address, 'approved_by', json(t.approved_by),
    'task_notes', json(t.task_notes), 'action_notes', json(t.action_notes),
    'approved', json(iif(t.approved, 'true', 'false')),
    'completed', json(iif(t.completed, 'true', 'false')),
    'cancelled', json(iif(t.cancelled, 'true', 'false')),
    'created_on', t.created_on, 'approved_on', t.approved_on, 'completed_on', t.completed_on,
    'actions', json((select json_group_array(json_object('action_name', a.action_name,
        'action_data', json(a.action_data), 'cache', json(a.cache), 'state', a.state,
        'valid', json(iif(a.valid, 'true', 'false')),
        'need_token', json(iif(a.need_token, 'true', 'false')),
        'auto_approve', json(case a.auto_approve when 1 then 'true' when 0 then 'false' else 'null' end)))
      from (select * from adjutant_actions where task_key = t.key order by position) a)))";

impl Task {
    /// A request that was just made.
    pub fn new(task_type: TaskType, actions: Vec<Action>, now: Timestamp) -> Self {
        Self {
            key: 0,
            uuid: ids::new_uuid().replace('-', ""),
            task_type,
            hash_key: String::new(),
            keystone_user: Value::Object(Map::new()),
            project_id: None,
            ip_address: None,
            approved_by: Value::Object(Map::new()),
            task_notes: Vec::new(),
            action_notes: BTreeMap::new(),
            approved: false,
            completed: false,
            cancelled: false,
            created_on: now,
            approved_on: None,
            completed_on: None,
            actions,
        }
    }

    /// A value of who asked; empty where nobody has.
    pub fn submitter(&self, name: &str) -> &str {
        let value = self.keystone_user.get(name);
        value.and_then(Value::as_str).unwrap_or_default()
    }

    /// The roles of who asked, as they were then.
    pub fn submitter_roles(&self) -> Vec<String> {
        let roles = self.keystone_user.get("roles").and_then(Value::as_array);
        let names = roles.into_iter().flatten().filter_map(Value::as_str);
        names.map(str::to_owned).collect()
    }

    /// Adds a note about the whole.
    pub fn note(&mut self, text: &str, now: Timestamp) {
        self.task_notes.push(wire::note(text, now));
    }

    /// Whether every action can be done.
    pub fn is_valid(&self) -> bool {
        self.actions.iter().all(|action| action.valid)
    }

    /// Whether somebody has to confirm it with a token.
    pub fn needs_token(&self) -> bool {
        self.actions.iter().any(|action| action.need_token)
    }

    /// What a token has to come with.
    pub fn token_fields(&self) -> Vec<&'static str> {
        let mut fields = Vec::new();
        for action in self.actions.iter().filter(|action| action.need_token) {
            let field = action.token_field();
            if !fields.contains(&field) {
                fields.push(field);
            }
        }
        fields
    }

    /// Whether its token may also be used to say no: then it is done, and nothing has changed.
    pub fn may_decline(&self) -> bool {
        self.task_type == TaskType::UpdateUserEmail
    }

    /// Refuses a task that is over.
    ///
    /// # Errors
    /// 400, saying how it ended.
    pub fn demand_open(&self) -> Result<()> {
        let ended = match (self.completed, self.cancelled) {
            (true, _) => "This task has already been completed.",
            (_, true) => "This task has been cancelled.",
            (false, false) => return Ok(()),
        };
        Err(Error::bad_parameters(ended))
    }

    /// Refuses a task that is over, or that nobody has approved.
    ///
    /// # Errors
    /// 400, saying what is in the way.
    pub fn demand_approved(&self) -> Result<()> {
        self.demand_open()?;
        match self.approved {
            true => Ok(()),
            false => Err(Error::bad_parameters("This task has not been approved.")),
        }
    }
}
