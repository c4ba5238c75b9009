//! Deployments that are to be made for a group.

use crate::body_fields;
use windlass_core::{Body, Error, Result};
use windlass_deployment::groups::Spec;
use windlass_store::deployment_groups::MEMBERS;
use windlass_store::labels;

/// Reads `new_deployments`: a list of objects, each of which may be empty.
///
/// # Errors
/// 400 for what has another form, and for more than a group can have.
pub fn read(body: &Body) -> Result<Vec<Spec>> {
    let given = body.objects("new_deployments")?.unwrap_or_default();
    if i64::try_from(given.len()).unwrap_or(i64::MAX) > MEMBERS {
        let text = format!("new_deployments: a group can have at most {MEMBERS} deployments");
        return Err(Error::bad_parameters(text));
    }
    given
        .into_iter()
        .map(|one| spec(&Body::from(one)))
        .collect()
}

fn spec(body: &Body) -> Result<Spec> {
    let labels = body.get("labels").map(labels::parse).transpose()?;
    Ok(Spec {
        id: body.filled_text("id")?.map(str::to_owned),
        display_name: body_fields::display_name(body)?,
        inputs: body.object("inputs")?.cloned().unwrap_or_default(),
        labels: labels.unwrap_or_default(),
        site_name: body.id("site_name")?.map(str::to_owned),
        runtime_only_evaluation: body.boolean("runtime_only_evaluation")?.unwrap_or(false),
        skip_plugins_validation: body.boolean("skip_plugins_validation")?.unwrap_or(false),
    })
}
