//! Actions: what a task does, each in three steps.
//!
//! *Prepared* when the task is asked for or changed: it is looked whether it can be done. *Approved*:
//! it is done, or made ready for somebody who has to confirm it. *Submitted*: what the token's holder
//! brought is used. Each step looks again at what is there, since time has passed in between.

mod default_users;
mod edit_roles;
mod email;
mod network;
mod new_deployment;
mod new_project;
mod new_project_with_user;
mod new_user;
mod quota;
mod reset_password;
mod send_mail;

use crate::fields::Fields;
use crate::mails::Outbox;
use crate::mails::text::{self, Values};
use crate::people;
use crate::settings::Settings;
use crate::task_type::TaskType;
use crate::tasks::{Action, State, Task};
use crate::wire;
use serde_json::{Map, Value};
use windlass_core::db::Tx;
use windlass_core::{Result, Scope, Timestamp};

windlass_core::named_enum! {
    /// What can be a part of a task.
    #[derive(PartialOrd, Ord)]
    pub enum ActionKind {
        /// A project and the user who begins with it.
        NewProjectWithUser = "NewProjectWithUserAction",
        /// A project for somebody who has an account.
        NewProject = "NewProjectAction",
        /// Somebody in a project, with an account if they have none.
        NewUser = "NewUserAction",
        /// Another password.
        ResetUserPassword = "ResetUserPasswordAction",
        /// More or fewer roles in a project.
        EditUserRoles = "EditUserRolesAction",
        /// Another address.
        UpdateUserEmail = "UpdateUserEmailAction",
        /// A network in a project that is there.
        NewDefaultNetwork = "NewDefaultNetworkAction",
        /// A network in a project that the task makes.
        NewProjectDefaultNetwork = "NewProjectDefaultNetworkAction",
        /// The quota that a new project begins with.
        SetProjectQuota = "SetProjectQuotaAction",
        /// Another quota.
        UpdateProjectQuotas = "UpdateProjectQuotasAction",
        /// One more mail.
        SendAdditionalEmail = "SendAdditionalEmailAction",
        /// A deployment in a project that the task makes. The original has none.
        NewDeployment = "NewDeploymentAction",
        /// Users who are in every new project.
        AddDefaultUsersToProject = "AddDefaultUsersToProjectAction",
    }
}

/// What the holder of a token brings.
#[derive(Clone, Debug, Default)]
pub struct Submitted {
    /// The hash of the password that they chose.
    pub password_hash: Option<String>,
    /// What they said to what is to be confirmed.
    pub confirm: bool,
}

/// A step of a task under way.
pub struct Run<'r, T: Tx> {
    /// The transaction that the whole step is.
    pub tx: &'r T,
    /// In whose name things are done.
    pub scope: &'r Scope,
    /// The settings.
    pub settings: &'r Settings,
    /// The moment.
    pub now: Timestamp,
    /// The roles of an editor who is not who asked: they must not give more than they hold either.
    pub editor_roles: Option<Vec<String>>,
    /// The task. While its actions run they are not in it.
    pub task: Task,
    /// What was asked for of all actions together, while they run.
    pub asked: Values,
    /// What actions have made in this step, for those after them.
    pub made: Made,
    /// The mails that this step sends.
    pub outbox: Outbox,
}

/// What actions hand on.
#[derive(Clone, Debug, Default)]
pub struct Made {
    /// The project.
    pub project: Option<String>,
    /// The name of who begins with it.
    pub owner: Option<String>,
}

impl<T: Tx> Run<'_, T> {
    /// Adds a note to an action.
    pub(crate) fn note(&mut self, of: ActionKind, text: impl AsRef<str>) {
        let note = wire::note(text.as_ref(), self.now);
        self.task.action_notes.entry(of).or_default().push(note);
    }

    /// Notes what was found and says that it is in order.
    fn accept(&mut self, of: ActionKind, text: impl AsRef<str>) -> Result<bool> {
        self.note(of, text);
        Ok(true)
    }

    /// Notes what is in the way.
    fn refuse(&mut self, of: ActionKind, text: impl AsRef<str>) -> Result<bool> {
        self.note(of, text);
        Ok(false)
    }

    /// Whether whoever asked, and whoever changed the request, may give these roles. Who asked must be
    /// able to do it still: an invitation does not outlive the rights of who made it.
    async fn may_manage(&self, roles: &[String]) -> Result<bool> {
        let may = |held: &[String]| crate::roles::can_manage(held, roles);
        let (user, project) = (
            self.task.submitter("user_id"),
            self.task.submitter("project_id"),
        );
        let present = people::present_roles(self.tx, user, project).await?;
        Ok(may(&self.task.submitter_roles())
            && may(&present)
            && self.editor_roles.as_deref().is_none_or(may))
    }

    /// Prepares all actions.
    pub async fn prepare(&mut self) -> Result<()> {
        self.each(async |run, action| action.prepare(run).await)
            .await
    }

    /// Approves all actions.
    pub async fn approve(&mut self) -> Result<()> {
        self.each(async |run, action| action.approve(run).await)
            .await
    }

    /// Gives all actions what the token's holder brought.
    pub async fn submit(&mut self, submitted: &Submitted) -> Result<()> {
        self.each(async |run, action| action.submit(run, submitted).await)
            .await
    }

    async fn each(
        &mut self,
        step: impl AsyncFn(&mut Self, &mut Action) -> Result<()>,
    ) -> Result<()> {
        self.asked = text::asked(&self.task);
        let mut actions = std::mem::take(&mut self.task.actions);
        let mut outcome = Ok(());
        for action in &mut actions {
            outcome = step(self, action).await;
            if outcome.is_err() {
                break;
            }
        }
        self.task.actions = actions;
        outcome
    }
}

impl ActionKind {
    /// What a type of tasks does in any case.
    pub const fn main(of: TaskType) -> Self {
        match of {
            TaskType::CreateProjectAndUser => Self::NewProjectWithUser,
            TaskType::InviteUserToProject => Self::NewUser,
            TaskType::ResetUserPassword => Self::ResetUserPassword,
            TaskType::EditUserRoles => Self::EditUserRoles,
            TaskType::UpdateUserEmail => Self::UpdateUserEmail,
            TaskType::UpdateQuota => Self::UpdateProjectQuotas,
        }
    }

    /// Reads the fields of this action from a request.
    ///
    /// # Errors
    /// What is wrong with which field.
    pub fn read(
        self,
        body: &Map<String, Value>,
        settings: &Settings,
    ) -> Result<Map<String, Value>, Vec<(String, String)>> {
        let mut fields = Fields::of(body);
        match self {
            Self::NewProjectWithUser => new_project_with_user::read(&mut fields, settings),
            Self::NewProject => new_project::read(&mut fields),
            Self::NewUser => new_user::read(&mut fields, settings),
            Self::ResetUserPassword => reset_password::read(&mut fields, settings),
            Self::EditUserRoles => edit_roles::read(&mut fields),
            Self::UpdateUserEmail => email::read(&mut fields),
            Self::NewDefaultNetwork => network::read(&mut fields),
            Self::NewProjectDefaultNetwork => network::read_of_new_project(&mut fields),
            Self::UpdateProjectQuotas => quota::read(&mut fields, settings),
            Self::AddDefaultUsersToProject => default_users::read(&mut fields),
            Self::SetProjectQuota | Self::SendAdditionalEmail | Self::NewDeployment => {}
        }
        fields.finish()
    }
}

impl Action {
    /// What its token has to come with.
    pub fn token_field(&self) -> &'static str {
        match (self.kind, self.state) {
            (ActionKind::UpdateUserEmail, _) | (ActionKind::NewUser, State::Existing) => "confirm",
            _ => "password",
        }
    }

    async fn prepare(&mut self, run: &mut Run<'_, impl Tx>) -> Result<()> {
        match self.kind {
            ActionKind::NewProjectWithUser => new_project_with_user::prepare(run, self).await,
            ActionKind::NewProject => new_project::prepare(run, self).await,
            ActionKind::NewUser => new_user::prepare(run, self).await,
            ActionKind::ResetUserPassword => reset_password::prepare(run, self).await,
            ActionKind::EditUserRoles => edit_roles::prepare(run, self).await,
            ActionKind::UpdateUserEmail => email::prepare(run, self).await,
            ActionKind::NewDefaultNetwork | ActionKind::NewProjectDefaultNetwork => {
                network::prepare(run, self).await
            }
            ActionKind::SetProjectQuota => {
                self.valid = true;
                Ok(())
            }
            ActionKind::UpdateProjectQuotas => quota::prepare(run, self).await,
            ActionKind::SendAdditionalEmail => send_mail::run(run, self, "prepare").await,
            ActionKind::NewDeployment => new_deployment::prepare(run, self).await,
            ActionKind::AddDefaultUsersToProject => default_users::prepare(run, self).await,
        }
    }

    async fn approve(&mut self, run: &mut Run<'_, impl Tx>) -> Result<()> {
        match self.kind {
            ActionKind::NewProjectWithUser => new_project_with_user::approve(run, self).await,
            ActionKind::NewProject => new_project::approve(run, self).await,
            ActionKind::NewUser => new_user::prepare(run, self).await,
            ActionKind::ResetUserPassword => reset_password::prepare(run, self).await,
            ActionKind::EditUserRoles => edit_roles::prepare(run, self).await,
            ActionKind::UpdateUserEmail => email::approve(run, self).await,
            ActionKind::NewDefaultNetwork | ActionKind::NewProjectDefaultNetwork => {
                network::approve(run, self).await
            }
            ActionKind::SetProjectQuota => quota::set_of_new_project(run, self).await,
            ActionKind::UpdateProjectQuotas => quota::approve(run, self).await,
            ActionKind::SendAdditionalEmail => send_mail::run(run, self, "approve").await,
            ActionKind::NewDeployment => new_deployment::approve(run, self).await,
            ActionKind::AddDefaultUsersToProject => default_users::approve(run, self).await,
        }
    }

    async fn submit(&mut self, run: &mut Run<'_, impl Tx>, submitted: &Submitted) -> Result<()> {
        match self.kind {
            ActionKind::NewProjectWithUser => {
                new_project_with_user::submit(run, self, submitted).await
            }
            ActionKind::NewUser => new_user::submit(run, self, submitted).await,
            ActionKind::ResetUserPassword => reset_password::submit(run, self, submitted).await,
            ActionKind::EditUserRoles => edit_roles::submit(run, self).await,
            ActionKind::UpdateUserEmail => email::submit(run, self, submitted).await,
            ActionKind::SendAdditionalEmail => send_mail::run(run, self, "submit").await,
            ActionKind::NewProject
            | ActionKind::NewDefaultNetwork
            | ActionKind::NewProjectDefaultNetwork
            | ActionKind::SetProjectQuota
            | ActionKind::UpdateProjectQuotas
            | ActionKind::NewDeployment
            | ActionKind::AddDefaultUsersToProject => Ok(()),
        }
    }
}
