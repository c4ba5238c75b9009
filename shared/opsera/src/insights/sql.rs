//! The statements behind the numbers. Their first parameters are the account, the period as numbers, and
//! the period as texts.

use super::Question;
use crate::rows::time_sql;

windlass_core::named_enum! {
    /// A number, for the list of what is behind it.
    pub enum Metric {
        /// Deployments: how often.
        Deployments = "deployments",
        /// Deployments whose lead time is known.
        Changes = "changes",
        /// What failed.
        Failures = "failures",
        /// What was restored.
        Restores = "restores",
    }
}

/// What was delivered or failed, from runs and executions. `at` and `lead` are milliseconds.
const EVENTS: &str = "
     select 'pipeline' as source, p.id as subject, r.number as name, p.project_id as project,
         r.state = 'success' as is_good, r.ended_at - r.committed_at as lead, r.ended_at as at
     from pipelines p cross join pipeline_runs r on r.pipeline_key = p.key and r.ended_at is not null
         and r.ended_at >= ?2 and r.ended_at < ?3
     where p.tenant_name = ?1 and p.is_delivery = 1 and r.state in ('success', 'failed')
     union all
     select 'execution' as source, e.deployment_id as subject, e.id as name,
         (select min(l.value) from deployment_labels l
          where l.deployment_key = e.deployment_key and l.key = 'project') as project,
         e.status = 'terminated' as is_good, null as lead,
         cast(round(unixepoch(e.ended_at, 'subsec') * 1000) as integer) as at
     from executions e
     where e.tenant_name = ?1 and e.workflow_id in ('install', 'update') and e.ended_at is not null
         and e.ended_at >= ?4 and e.ended_at < ?5 and e.status in ('terminated', 'failed')
         and e.is_dry_run = 0 and not exists (select 1 from pipeline_steps s
             where s.external ->> 'execution' = +e.id and s.external ->> 'execution' is not null)";

/// What was restored, and how long it took: of pipelines that the status page does not follow by their
/// next success, of what it follows by its incidents.
const RESTORES: &str = "
     select 'pipeline' as source, p.id as subject, r.number as name, p.project_id as project,
         (select n.ended_at from pipeline_runs n indexed by pipeline_runs_successes
              where n.pipeline_key = p.key and n.state = 'success' and n.ended_at > r.ended_at order by n.ended_at limit 1) - r.ended_at as millis,
         r.ended_at as at
     from pipelines p cross join pipeline_runs r on r.pipeline_key = p.key and r.ended_at is not null
         and r.ended_at >= ?2 and r.ended_at < ?3
     where p.tenant_name = ?1 and p.is_delivery = 1 and r.state = 'failed'
         and not exists (select 1 from status_bindings b where b.kind = 'pipeline'
             and b.tenant_name = '' and b.target = p.id)
     union all
     select 'incident' as source, coalesce(p.id, b.target) as subject, i.id as name, coalesce(p.project_id,
             (select min(l.value) from deployments d join deployment_labels l
                  on l.deployment_key = d.key and l.key = 'project'
              where b.kind = 'deployment' and d.tenant_name = b.tenant_name and d.id = b.target)) as project,
         cast(round((unixepoch(i.ended_at, 'subsec') - unixepoch(i.started_at, 'subsec')) * 1000) as integer) as millis,
         cast(round(unixepoch(i.started_at, 'subsec') * 1000) as integer) as at
     from status_incidents i cross join status_incident_components c on c.incident_id = i.id
         cross join status_bindings b on b.component_id = c.component_id
         left join pipelines p on b.kind = 'pipeline' and p.id = b.target
     where i.started_at >= ?4 and i.started_at < ?5 and i.kind = 'incident' and i.ended_at is not null
         and coalesce(p.tenant_name, b.tenant_name) = ?1";

/// The group of a row `e`, and the conditions of what is looked at alone.
fn grouped(question: &Question, rows: &str) -> String {
    let column = |kind: &str| match kind {
        "project" => "e.project".to_owned(),
        level => format!("d.document ->> '{level}'"),
    };
    let group = question.by.map_or("null".to_owned(), column);
    let mut conditions = String::from("true");
    for ((kind, _), number) in question.only.iter().zip(6..) {
        conditions.push_str(&format!(" and {} = ?{number}", column(kind)));
    }
    // Without it nobody needs to know what a project belongs to.
    let needs_levels = group.starts_with('d') || conditions.contains("d.document");
    let levels = match needs_levels {
        true => "left join directory_projects d on d.tenant_name = ?1 and d.project_id = e.project",
        false => "",
    };
    format!("select e.*, {group} as grp from ({rows}) e {levels} where {conditions}")
}

/// The runs of a pipeline within the period that ended so.
macro_rules! ended {
    ($state:literal) => {
        concat!(
            "from pipeline_runs r where r.pipeline_key = p.key and r.ended_at is not null
                 and r.ended_at >= ?2 and r.ended_at < ?3 and r.state = '",
            $state,
            "'"
        )
    };
}

/// The numbers of each pipeline that delivers, and its times, in seconds with commas between them. A value
/// must not be too large: of very many runs of one pipeline as many are left out as it takes.
pub(super) const PIPELINES: &str = concat!(
    "with p as materialized (select p.key, p.project_id, (select count(*) ",
    ended!("success"),
    ") as good, (select count(*) ",
    ended!("failed"),
    ") as bad, exists (select 1 from status_bindings b where b.kind = 'pipeline' and b.tenant_name = ''
             and b.target = p.id) as is_followed
         from pipelines p where p.tenant_name = ?1 and p.is_delivery = 1)
     select json_object('project', project_id, 'good', good, 'bad', bad,
         'leads', (select group_concat((r.ended_at - r.committed_at) / 1000) ",
    ended!("success"),
    "        and r.committed_at <= r.ended_at and r.number % (1 + good / 60000) = 0),
         'restores', case when is_followed then null else (
             select group_concat(((select n.ended_at from pipeline_runs n indexed by pipeline_runs_successes
                 where n.pipeline_key = p.key and n.state = 'success' and n.ended_at > r.ended_at
                 order by n.ended_at limit 1) - r.ended_at) / 1000) ",
    ended!("failed"),
    "        and r.number % (1 + bad / 60000) = 0) end)
     from p where good > 0 or bad > 0",
);

/// The numbers of executions, by what they belong to.
pub(super) fn executions() -> String {
    format!(
        "select json_object('project', project, 'good', sum(is_good), 'bad', sum(not is_good))
         from ({}) group by project",
        of_executions()
    )
}

fn of_executions() -> &'static str {
    EVENTS
        .split_once("union all")
        .map_or(EVENTS, |(_, second)| second)
}

/// How long incidents took, by what they belong to.
pub(super) fn incidents() -> String {
    let second = RESTORES
        .split_once("union all")
        .map_or(RESTORES, |(_, second)| second);
    format!(
        "select json_object('project', project, 'good', 0, 'bad', 0, 'restores', group_concat(millis / 1000))
         from (select * from ({second} limit 50000)) group by project"
    )
}

/// The levels that projects of the account name: `?2` is a JSON list of their ids.
pub(super) const LEVELS: &str = "select json_object('project', d.project_id, 'levels', json(d.document))
     from json_each(?2) k join directory_projects d on d.tenant_name = ?1 and d.project_id = k.value";

/// What is behind a number; the parameters after `known` ones are how many, and how many before.
pub(super) fn list(question: &Question, metric: Metric, known: usize) -> String {
    let (rows, condition, number) = match metric {
        Metric::Deployments => (EVENTS, "is_good", "lead"),
        Metric::Changes => (EVENTS, "is_good and lead >= 0", "lead"),
        Metric::Failures => (EVENTS, "not is_good", "lead"),
        Metric::Restores => (RESTORES, "millis >= 0", "millis"),
    };
    let name = if metric == Metric::Restores {
        "restoreSeconds"
    } else {
        "leadSeconds"
    };
    format!(
        "select json_object('source', source, 'subject', subject, 'name', name, 'project', project,
             'group', grp, 'at', {}, '{name}', {number} / 1000.0)
         from ({}) where {condition} order by at desc limit ?{} offset ?{}",
        time_sql("at"),
        grouped(question, rows),
        known + 1,
        known + 2
    )
}

/// What happened on each day, counted from the first.
pub(super) fn days(question: &Question) -> String {
    format!(
        "select json_object('day', (at - ?2) / 86400000, 'good', sum(is_good), 'bad', sum(not is_good))
         from ({}) group by (at - ?2) / 86400000 order by 1",
        grouped(question, EVENTS)
    )
}
