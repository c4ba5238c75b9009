//! Another quota for a project. A smaller one, or the next larger one from time to time, needs nobody's
//! approval.

use super::{ActionKind, Run};
use crate::fields::{Fields, Text};
use crate::people;
use crate::quotas::{self, NEAR};
use crate::settings::Settings;
use crate::tasks::{self, Action};
use serde_json::{Value, json};
use windlass_core::db::Tx;
use windlass_core::{Result, python};

const KIND: ActionKind = ActionKind::UpdateProjectQuotas;

/// What an action keeps of a quota that it has set: the project.
const SET: &str = "quota_set";

/// A day, in seconds.
const DAY: i64 = 86_400;

pub(super) fn read(fields: &mut Fields<'_>, settings: &Settings) {
    fields.text("project_id", &Text::required(64));
    fields.text("size", &Text::required(64));
    let size = fields.taken("size").and_then(Value::as_str);
    if let Some(size) = size.filter(|size| !settings.quotas.sizes.contains_key(*size)) {
        let text = format!("Quota size: {size} is not valid");
        fields.refuse("size", text);
    }
    let regions: Vec<&str> = settings.regions.iter().map(String::as_str).collect();
    fields.choices("regions", &regions);
}

pub(super) async fn prepare(run: &mut Run<'_, impl Tx>, action: &mut Action) -> Result<()> {
    action.valid = look(run, action).await?;
    if action.valid {
        action.auto_approve = Some(needs_nobody(run, action).await?);
    }
    Ok(())
}

async fn look(run: &mut Run<'_, impl Tx>, action: &Action) -> Result<bool> {
    let project = action.text("project_id");
    if !people::has_project(run.tx, run.scope, project).await? {
        return run.refuse(KIND, format!("Project with id {project} does not exist."));
    }
    run.note(KIND, format!("Project with id {project} exists."));
    if project != run.task.submitter("project_id") {
        return run.refuse(KIND, "Project id does not match keystone user project.");
    }
    let quotas = &run.settings.quotas;
    let size = action.text("size");
    let Some(amounts) = quotas.sizes.get(size) else {
        return run.refuse(KIND, format!("Quota size: {size} does not exist"));
    };
    for region in action.list("regions") {
        if !run.settings.regions.contains(&region) {
            return run.refuse(KIND, format!("ERROR: Region: {region} does not exist."));
        }
        run.note(KIND, format!("Region: {region} exists."));
    }
    if quotas.services.is_empty() {
        let text = "Quota management is disabled for all specified regions";
        return run.refuse(KIND, text);
    }
    let usage = quotas::usage(run.tx, run.scope, quotas, project).await?;
    if !quotas::fits(&usage, amounts) {
        return run.refuse(KIND, "Current usage greater than new quota");
    }
    Ok(true)
}

/// Whether the change needs nobody's approval.
async fn needs_nobody(run: &mut Run<'_, impl Tx>, action: &Action) -> Result<bool> {
    let (settings, project) = (run.settings, action.text("project_id"));
    let quotas = &settings.quotas;
    let (wanted, regions) = (action.text("size"), action.list("regions"));
    let mut sizes = Vec::new();
    for region in &regions {
        let quota = quotas::of_project(run.tx, run.scope, quotas, project, region).await?;
        let size = quotas.name_of(&quota, NEAR).to_owned();
        run.note(
            KIND,
            format!("Project has size '{size}' in region: '{region}'"),
        );
        if !sizes.contains(&size) {
            sizes.push(size);
        }
    }
    let current = match sizes.as_slice() {
        [one] => one.as_str(),
        _ => quotas::CUSTOM,
    };
    let smaller = quotas.smaller(current);
    if smaller.contains(&wanted) {
        let shown = python::list(&smaller);
        let text = format!("Quota size '{wanted}' is in list of smaller quotas: {shown}");
        return run.accept(KIND, text);
    }
    let since = run
        .now
        .plus_seconds(-DAY.saturating_mul(quotas.days_between_autoapprove));
    if tasks::quota_was_changed(run.tx, project, &regions, since).await? {
        let text = "Quota has already been updated within the auto approve time limit.";
        return run.refuse(KIND, text);
    }
    let next: Vec<&str> = quotas.next(current).into_iter().collect();
    let shown = python::list(&next);
    if next.contains(&wanted) {
        let text = format!("Quota size '{wanted}' in preapproved list: {shown}");
        return run.accept(KIND, text);
    }
    run.refuse(
        KIND,
        format!("Quota size '{wanted}' not in preapproved list: {shown}"),
    )
}

pub(super) async fn approve(run: &mut Run<'_, impl Tx>, action: &mut Action) -> Result<()> {
    action.valid = look(run, action).await?;
    let settings = run.settings;
    let size = action.text("size").to_owned();
    let Some(amounts) = settings.quotas.sizes.get(&size).filter(|_| action.valid) else {
        return Ok(());
    };
    let project = action.text("project_id");
    for region in action.list("regions") {
        quotas::set(
            run.tx,
            run.scope,
            &settings.quotas,
            project,
            &region,
            amounts,
        )
        .await?;
        run.note(
            KIND,
            format!("Project quota for region {region} set to {size}"),
        );
    }
    Ok(())
}

/// Gives a new project the quota that the settings name for it.
pub(super) async fn set_of_new_project(
    run: &mut Run<'_, impl Tx>,
    action: &mut Action,
) -> Result<()> {
    let kind = ActionKind::SetProjectQuota;
    action.valid = true;
    let Some(project) = run.made.project.clone() else {
        return Ok(());
    };
    if action.made(SET).is_some() {
        // It may have another one by now.
        run.note(kind, "Project quota already set.");
        return Ok(());
    }
    action.cache.insert(SET.into(), json!(project));
    let settings = run.settings;
    let sizes = settings.of_action(run.task.task_type, kind, "region_sizes");
    for (region, size) in sizes.and_then(Value::as_object).into_iter().flatten() {
        let size = size.as_str().unwrap_or_default();
        let Some(amounts) = settings.quotas.sizes.get(size) else {
            let text = format!("Project quota not defined for size '{size}' in region {region}.");
            run.note(kind, text);
            continue;
        };
        quotas::set(
            run.tx,
            run.scope,
            &settings.quotas,
            &project,
            region,
            amounts,
        )
        .await?;
        run.note(
            kind,
            format!("Project quota for region {region} set to {size}"),
        );
    }
    Ok(())
}
