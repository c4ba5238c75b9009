//! What tests stand on: a database as after its first use, with a project and people in it.

use crate::lifecycle::{self, Brought, By, Submission};
use crate::settings::Settings;
use crate::task_type::TaskType;
use crate::tasks::{self, Task};
use crate::tokens::Fresh;
use crate::{people, wire};
use serde_json::{Map, Value, json};
use std::rc::Rc;
use windlass_core::caller::{AuthMethod, Caller, Membership, Reach};
use windlass_core::db::{Db, NativeDb};
use windlass_core::permission::PermissionSet;
use windlass_core::{Result, Scope, Timestamp, params};
use windlass_identity::project_roles;
use windlass_store::{migrations, tenants, users};

/// A database, its settings and a moment.
pub(crate) struct World {
    pub db: NativeDb,
    pub settings: Settings,
    pub now: Timestamp,
}

/// Somebody who asks.
pub(crate) struct Asker {
    pub scope: Scope,
    pub identity: Value,
    pub roles: Vec<String>,
}

impl World {
    /// The project `harbour`, of which `ann@example.com` is a manager and `mod@example.com` a moderator.
    pub async fn new() -> Self {
        windlass_core::platform::set_variable("encryption_key", "a key that only tests have");
        let db = NativeDb::in_memory();
        migrations::apply(&db).await.unwrap();
        db.transaction(async |tx| {
            users::insert_first_administrator(tx, "-").await?;
            let scope = Scope::engine();
            tenants::insert(tx, &scope, "harbour").await?;
            tenants::insert(tx, &scope, "quay").await?;
            for (name, role) in [
                ("ann@example.com", "project_admin"),
                ("mod@example.com", "project_mod"),
            ] {
                let user = people::make_user(tx, &scope, name, name).await?;
                people::grant(tx, &scope, "harbour", &user, &[role.to_owned()]).await?;
            }
            Ok(())
        })
        .await
        .unwrap();
        let settings = Settings::load(&db).await.unwrap();
        let now = Timestamp::parse("now", "2026-05-06T07:08:09.123Z").unwrap();
        Self { db, settings, now }
    }

    /// Says what is different from the default settings.
    pub async fn set(&mut self, different: Value) {
        let sql = "update config set value = ?1 where name = 'adjutant_settings'";
        self.db.execute(sql, params![&different]).await.unwrap();
        self.settings = Settings::load(&self.db).await.unwrap();
    }

    /// The administrator, in no project.
    pub fn admin(&self) -> Asker {
        asker(0, "admin", "sys_admin", None)
    }

    /// A member of `harbour` with this role of tenants.
    pub async fn member(&self, name: &str, tenant_role: &str) -> Asker {
        let found = people::by_name(&self.db, &Scope::engine(), name)
            .await
            .unwrap();
        asker(
            found.unwrap().user.id,
            name,
            "default",
            Some(("harbour", tenant_role)),
        )
    }

    pub async fn ann(&self) -> Asker {
        self.member("ann@example.com", "manager").await
    }

    pub async fn moderator(&self) -> Asker {
        self.member("mod@example.com", "project_mod").await
    }

    /// Runs a step with what it takes.
    pub async fn by<T>(&self, scope: &Scope, step: impl AsyncFnOnce(&By<'_>) -> T) -> T {
        let fresh = Fresh::new().await.unwrap();
        let by = By {
            scope,
            settings: &self.settings,
            fresh: &fresh,
            now: self.now,
        };
        step(&by).await
    }

    /// Asks for something. Nobody in particular, when there is no asker.
    pub async fn ask(
        &self,
        of: TaskType,
        body: Value,
        asker: Option<&Asker>,
    ) -> Result<&'static str> {
        let body = object(body);
        let public = Scope::public();
        let project = asker.and_then(|asker| match asker.scope.reach() {
            Reach::Tenant(project) => Some(project.as_str()),
            _ => None,
        });
        let submission = Submission {
            task_type: of,
            body: &body,
            submitter: asker.map_or_else(|| json!({}), |asker| asker.identity.clone()),
            project,
            address: Some("192.0.2.1"),
        };
        let scope = asker.map_or(&public, |asker| &asker.scope);
        self.by(scope, async |by| {
            lifecycle::create(&self.db, by, &submission).await
        })
        .await
    }

    /// Somebody signs up for the project `pier` as `bob@example.com`.
    pub async fn sign_up(&self) -> Result<&'static str> {
        let body = json!({
            "email": "bob@example.com", "project_name": "pier", "region": "RegionOne",
            "domain_id": "default", "parent_id": null,
        });
        self.ask(TaskType::CreateProjectAndUser, body, None).await
    }

    /// The newest task.
    pub async fn task(&self) -> Task {
        let sql = "select max(key) from adjutant_tasks";
        let row = self.db.first(sql, &[]).await.unwrap().unwrap();
        tasks::of_key(&self.db, row.integer(0).unwrap())
            .await
            .unwrap()
            .unwrap()
    }

    /// The administrator approves the newest task.
    pub async fn approve(&self) -> Result<&'static str> {
        let (admin, task) = (self.admin(), self.task().await);
        self.by(&admin.scope, async |by| {
            lifecycle::approve(&self.db, by, &task.uuid, &admin.identity).await
        })
        .await
    }

    /// The token of the newest task.
    pub async fn token(&self) -> Option<String> {
        let task = self.task().await;
        let sql = "select key from adjutant_tokens where task_key = ?1";
        let row = self.db.first(sql, params![task.key]).await.unwrap()?;
        let open = crate::tokens::open(&self.db, row.integer(0).unwrap()).await;
        open.unwrap().map(|open| open.value)
    }

    /// Somebody finishes a task with its token.
    pub async fn submit(&self, token: &str, body: Value) -> Result<&'static str> {
        let held = crate::tokens::find(&self.db, token, self.now).await?;
        let task = lifecycle::confirmable(&self.db, &held).await?;
        let submitted = Brought::read(&task, &object(body))?.hashed()?;
        let scope = lifecycle::holder_scope(&task);
        self.by(&scope, async |by| {
            lifecycle::submit(&self.db, by, &held, &submitted).await
        })
        .await
    }

    /// The notes of the newest task's actions, without their times.
    pub async fn notes(&self) -> Vec<String> {
        let time = wire::note("", self.now);
        let notes = self.task().await.action_notes.into_values().flatten();
        notes.map(|note| note.replace(&time, "")).collect()
    }

    /// One number.
    pub async fn number(&self, sql: &str) -> i64 {
        let row = self.db.first(sql, &[]).await.unwrap().unwrap();
        row.integer(0).unwrap()
    }

    /// One text.
    pub async fn text(&self, sql: &str) -> String {
        let row = self.db.first(sql, &[]).await.unwrap().unwrap();
        row.text(0).unwrap().to_owned()
    }
}

fn asker(id: i64, name: &str, role: &str, membership: Option<(&str, &str)>) -> Asker {
    let tenants = membership.map(|(tenant, role)| {
        let member = Membership {
            roles: vec![role.to_owned()],
            permissions: PermissionSet::default(),
        };
        (tenant.to_owned(), member)
    });
    let caller = Rc::new(Caller {
        user_id: id,
        username: name.to_owned(),
        role: role.to_owned(),
        method: AuthMethod::Basic,
        system: PermissionSet::default(),
        tenants: tenants.into_iter().collect(),
        execution_id: None,
    });
    let project = membership.map(|(tenant, _)| tenant);
    let reach = project.map_or(Reach::Everywhere, |project| {
        Reach::Tenant(project.to_owned())
    });
    let roles = project_roles::of(&caller, project);
    Asker {
        identity: project_roles::identity(&caller, project.unwrap_or_default()),
        roles: roles.into_iter().map(str::to_owned).collect(),
        scope: Scope::of(caller, reach, String::new()),
    }
}

pub(crate) fn object(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

/// An invitation to `harbour`.
pub(crate) fn invitation(email: &str, roles: Value) -> Value {
    json!({ "email": email, "roles": roles, "project_id": "harbour", "domain_id": "default" })
}
