//! How many rows the tables have, kept by triggers: what totals of lists are read from.
//!
//! `015_counts.sql` has the triggers; [`Counts::triggers`] makes their text. Whatever inserts, changes
//! or deletes a row moves the numbers in its transaction, cascades included. One way is blind:
//! `insert or replace` deletes a row without its triggers, so no counted table may be written with it.

use serde::Deserialize;
use windlass_core::db::{Db, Tx};
use windlass_core::list::{Counts, Version};
use windlass_core::{Result, params};

/// Agents.
pub static AGENTS: Counts = Counts::of_tenant("agents", "agents", &[]);
/// Blueprints; lists leave hidden ones out.
pub static BLUEPRINTS: Counts =
    Counts::of_tenant("blueprints", "blueprints", &["is_hidden"]).with_version(&BLUEPRINTS_VERSION);
/// What lists of blueprints are selected by, filters and searches included.
static BLUEPRINTS_VERSION: Version = Version {
    table: "blueprints",
    columns: &[
        "id",
        "tenant_name",
        "created_by",
        "visibility",
        "state",
        "is_hidden",
    ],
    more: &["blueprint_labels"],
};
/// Deployments, by the two statuses that dashboards ask for.
pub static DEPLOYMENTS: Counts = Counts::of_tenant(
    "deployments",
    "deployments",
    &["installation_status", "deployment_status"],
)
.with_version(&DEPLOYMENTS_VERSION);
/// What lists of deployments are selected by, filters and searches included.
static DEPLOYMENTS_VERSION: Version = Version {
    table: "deployments",
    columns: &[
        "id",
        "tenant_name",
        "created_by",
        "visibility",
        "blueprint_id",
        "display_name",
        "site_name",
        "installation_status",
        "deployment_status",
    ],
    more: &["deployment_labels"],
};
/// Deployments of each blueprint.
pub static DEPLOYMENTS_OF_BLUEPRINT: Counts =
    Counts::of_tenant("deployments_of_blueprint", "deployments", &["blueprint_id"]);
/// Nodes.
pub static NODES: Counts = Counts::of_tenant("nodes", "nodes", &[]);
/// Node instances, by state.
pub static NODE_INSTANCES: Counts =
    Counts::of_tenant("node_instances", "node_instances", &["state"]);
/// Executions, by status; lists leave those of system workflows out.
pub static EXECUTIONS: Counts = Counts::of_tenant(
    "executions",
    "executions",
    &["is_system_workflow", "status"],
);
/// Executions of each workflow.
pub static EXECUTIONS_OF_WORKFLOW: Counts = Counts::of_tenant(
    "executions_of_workflow",
    "executions",
    &["is_system_workflow", "workflow_id"],
);
/// Events and logs. Their triggers are the schema's own, since whom they belong to is their
/// execution's to say; in which list they are follows from that.
pub static EVENTS: Counts = Counts::of_tenant(
    "events",
    "(select x.tenant_name, x.visibility, x.created_by, e.is_log, e.list_key
      from events e join executions x on x.key = e.execution_key)",
    &["is_log", "list_key"],
);
/// Updates of deployments, by state.
pub static DEPLOYMENT_UPDATES: Counts =
    Counts::of_tenant("deployment_updates", "deployment_updates", &["state"]);
/// The audit trail.
pub static AUDIT_LOG: Counts = Counts::of_all("audit_log", "audit_log", &[]);
/// Metrics.
pub static METRICS: Counts = Counts::of_tenant("metrics", "metrics", &[]);
/// Plugins.
pub static PLUGINS: Counts = Counts::of_tenant("plugins", "plugins", &[]);
/// Updates of plugins, by state.
pub static PLUGINS_UPDATES: Counts =
    Counts::of_tenant("plugins_updates", "plugins_updates", &["state"]);
/// Secrets.
pub static SECRETS: Counts = Counts::of_tenant("secrets", "secrets", &[]);
/// Execution schedules.
pub static EXECUTION_SCHEDULES: Counts =
    Counts::of_tenant("execution_schedules", "execution_schedules", &[]);
/// Sites.
pub static SITES: Counts = Counts::of_tenant("sites", "sites", &[]);
/// Dependencies between deployments.
pub static INTER_DEPLOYMENT_DEPENDENCIES: Counts = Counts::of_tenant(
    "inter_deployment_dependencies",
    "inter_deployment_dependencies",
    &[],
);
/// Groups of deployments.
pub static DEPLOYMENT_GROUPS: Counts =
    Counts::of_tenant("deployment_groups", "deployment_groups", &[]);
/// Groups of executions.
pub static EXECUTION_GROUPS: Counts =
    Counts::of_tenant("execution_groups", "execution_groups", &[]);
/// Modifications of deployments, by status.
pub static DEPLOYMENT_MODIFICATIONS: Counts = Counts::of_tenant(
    "deployment_modifications",
    "deployment_modifications",
    &["status"],
);
/// Tenants.
pub static TENANTS: Counts = Counts::of_all("tenants", "tenants", &[]);
/// Users.
pub static USERS: Counts = Counts::of_all("users", "users", &[]);
/// Groups of users.
pub static USER_GROUPS: Counts = Counts::of_all("user_groups", "user_groups", &[]);
/// Tokens of each user; lists leave implicit ones out.
pub static TOKENS: Counts = Counts::of_all("tokens", "tokens", &["is_implicit", "user_id"]);
/// Tokens of everybody: a sum over the numbers of all users would grow with these.
pub static ALL_TOKENS: Counts = Counts::of_all("all_tokens", "tokens", &["is_implicit"]);
/// Labels of blueprints. Their triggers are the schema's own, since they look at two tables.
pub static BLUEPRINT_LABELS: Counts = Counts::of_tenant(
    "blueprint_labels",
    "(select o.tenant_name, o.visibility, o.created_by, l.key, l.value
      from blueprint_labels l join blueprints o on o.key = l.blueprint_key)",
    &["key", "value"],
);
/// Labels of deployments, as those of blueprints.
pub static DEPLOYMENT_LABELS: Counts = Counts::of_tenant(
    "deployment_labels",
    "(select o.tenant_name, o.visibility, o.created_by, l.key, l.value
      from deployment_labels l join deployments o on o.key = l.deployment_key)",
    &["key", "value"],
);

/// Deployments that have a label of a key, whatever its values.
pub static DEPLOYMENT_LABEL_KEYS: Counts = Counts::of_tenant(
    "deployment_label_keys",
    "(select distinct l.deployment_key, o.tenant_name, o.visibility, o.created_by, l.key
      from deployment_labels l join deployments o on o.key = l.deployment_key)",
    &["key"],
);

/// Tasks of Adjutant, by type and by what became of them.
pub static ADJUTANT_TASKS: Counts = Counts::of_all(
    "adjutant_tasks",
    "adjutant_tasks",
    &["task_type", "standing"],
);
/// Notifications of Adjutant.
pub static ADJUTANT_NOTIFICATIONS: Counts = Counts::of_all(
    "adjutant_notifications",
    "adjutant_notifications",
    &["acknowledged", "error"],
);

/// Mails of Adjutant, by what became of them.
pub static ADJUTANT_MAILS: Counts =
    Counts::of_all("adjutant_mails", "adjutant_mails", &["state", "stage"]);

/// Everything that is counted.
pub static ALL: &[&Counts] = &[
    &AGENTS,
    &BLUEPRINTS,
    &DEPLOYMENTS,
    &DEPLOYMENTS_OF_BLUEPRINT,
    &NODES,
    &NODE_INSTANCES,
    &EXECUTIONS,
    &EXECUTIONS_OF_WORKFLOW,
    &EVENTS,
    &DEPLOYMENT_UPDATES,
    &AUDIT_LOG,
    &METRICS,
    &PLUGINS,
    &PLUGINS_UPDATES,
    &SECRETS,
    &EXECUTION_SCHEDULES,
    &SITES,
    &INTER_DEPLOYMENT_DEPENDENCIES,
    &DEPLOYMENT_GROUPS,
    &EXECUTION_GROUPS,
    &DEPLOYMENT_MODIFICATIONS,
    &TENANTS,
    &USERS,
    &USER_GROUPS,
    &TOKENS,
    &ALL_TOKENS,
    &BLUEPRINT_LABELS,
    &DEPLOYMENT_LABELS,
    &DEPLOYMENT_LABEL_KEYS,
    &ADJUTANT_TASKS,
    &ADJUTANT_NOTIFICATIONS,
    &ADJUTANT_MAILS,
];

/// A number that is not what counting answers.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Difference {
    /// Which counts, see [`Counts::name`].
    pub counts: String,
    /// What was counted: tenant, values, visibility and creator.
    pub of: [serde_json::Value; 5],
    /// What `row_counts` says.
    pub kept: i64,
    /// How many rows there are.
    pub counted: i64,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let of: Vec<String> = self.of.iter().map(ToString::to_string).collect();
        write!(
            f,
            "numbers of `{}`, {}: {} are kept, {} are there",
            self.counts,
            of.join(" "),
            self.kept,
            self.counted
        )
    }
}

/// Counts every table and answers where the kept numbers differ. Takes time in proportion to the
/// tables: for tests; operators have [`crate::inspection`].
pub async fn audit(db: &impl Db) -> Result<Vec<Difference>> {
    let mut all = Vec::new();
    for counts in ALL {
        all.extend(differences(db, counts, None).await?);
    }
    Ok(all)
}

/// Counts the rows of a table, of one tenant or all, and answers where the kept numbers differ.
pub async fn differences(
    db: &impl Db,
    counts: &Counts,
    tenant: Option<&str>,
) -> Result<Vec<Difference>> {
    let (kept, counted) = match tenant {
        Some(_) => ("tenant_name = ?2", "t.tenant_name = ?2"),
        None => ("?2 is null", "?2 is null"),
    };
    let sql = format!(
        "select json_object('counts', counts, 'of',
             json_array(tenant_name, first, second, visibility, created_by),
             'kept', sum(kept), 'counted', sum(counted)) from (
             select counts, tenant_name, first, second, visibility, created_by,
                 rows as kept, 0 as counted from row_counts where counts = ?1 and {kept}
             union all
             select counts, tenant_name, first, second, visibility, created_by, 0, rows from ({}))
         group by counts, tenant_name, first, second, visibility, created_by
         having sum(kept) <> sum(counted)",
        counts.truth(counted)
    );
    db.json_rows(&sql, params![counts.name, tenant]).await
}

/// Makes a kept number right. It is moved by what it is off, which is the same whatever rows came and
/// went since it was compared.
pub async fn mend(db: &impl Db, difference: &Difference) -> Result<()> {
    let of = serde_json::Value::from(difference.of.as_slice());
    let off = difference.counted - difference.kept;
    db.execute(
        "insert into row_counts select ?1, ?2 ->> 0, ?2 ->> 1, ?2 ->> 2, ?2 ->> 3, ?2 ->> 4, ?3
         where true on conflict do update set rows = rows + excluded.rows",
        params![&difference.counts, &of, off],
    )
    .await
}

/// Makes the numbers what counting answers, and lets nobody remember another one.
pub async fn rebuild(tx: &impl Tx) -> Result<()> {
    tx.execute("delete from row_counts", &[]).await?;
    for counts in ALL {
        let sql = format!("insert into row_counts {}", counts.truth("1"));
        tx.execute(&sql, &[]).await?;
    }
    tx.execute("update list_versions set version = random()", &[])
        .await
}

#[cfg(test)]
mod tests;
