//! A node that is a deployment of its own: made, installed, taken down and deleted with it.

use super::shared_resource::{depend, forget};
use super::{Described, Went, look_again, names_deployment};
use serde_json::{Map, Value, json};
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Kind, Result, Timestamp, Visibility, ids};
use windlass_deployment::environment::{self, Outcome, Prepared, Removal, Wanted};
use windlass_store::blueprints::{self, Blueprint, Found, State, Upload, UploadExecution};
use windlass_store::component_waits;
use windlass_store::deployments;
use windlass_store::inter_deployment_dependencies::COMPONENT;
use windlass_store::labels::{self, Label, OBJECT_PARENT};

/// For how long an upload is waited for, in seconds.
const UPLOAD_PATIENCE: i64 = 1800;

/// How many ids with a number at their end are tried.
const SUFFIXES: u32 = 1000;

/// Finds the blueprint of the other deployment, or has it uploaded from a URL.
pub(super) async fn upload_blueprint(
    tx: &impl Tx,
    described: &Described,
    now: Timestamp,
) -> Result<Went> {
    let config = described.given("/blueprint");
    let id = blueprint_id(described);
    let found = find_blueprint(tx, described, &id).await?;
    if described.is_external("blueprint") {
        return Ok(match found {
            Some(_) => Went::Done(names_blueprint(&id)),
            None => Went::Failed(format!(
                "Blueprint ID \"{id}\" does not exist, but it is marked as an external resource"
            )),
        });
    }
    // What an earlier try uploaded is there already.
    let is_ours = described.known("/blueprint/id").as_str() == Some(id.as_str());
    if found.is_some_and(|found| is_ours && found.state.is_usable()) {
        return Ok(Went::Done(names_blueprint(&id)));
    }
    let archive = config["blueprint_archive"].as_str().unwrap_or_default();
    if archive.is_empty() {
        return Ok(Went::Failed(
            "No blueprint_archive supplied, but external_resource is False".to_owned(),
        ));
    }
    if !archive.starts_with("http://") && !archive.starts_with("https://") {
        return Ok(Went::Failed(format!(
            "The blueprint_archive `{archive}` is no URL: only archives that a server has can be uploaded"
        )));
    }
    ids::check("blueprint_id", &id)?;
    let execution = upload(tx, described, &id, archive, now).await?;
    let until = now.plus_seconds(UPLOAD_PATIENCE);
    component_waits::insert(tx, &described.operation, &execution, until).await?;
    look_again(tx, &described.operation, until, now).await?;
    Ok(Went::Waits)
}

/// Queues the upload of an archive; answers its execution.
async fn upload(
    tx: &impl Tx,
    described: &Described,
    id: &str,
    archive: &str,
    now: Timestamp,
) -> Result<String> {
    let config = described.given("/blueprint");
    let main = config["main_file_name"]
        .as_str()
        .unwrap_or("blueprint.yaml");
    let given = config.get("labels").filter(|labels| !labels.is_null());
    let labels = given.map(labels::parse).transpose()?.unwrap_or_default();
    let parameters = json!({
        "blueprint_id": id, "app_file_name": main, "url": archive, "validate_only": false,
        "labels": labels,
    });
    let upload = Upload {
        id: id.to_owned(),
        visibility: described.source.visibility,
        main_file_name: Some(main.to_owned()),
        labels,
        found: Found::nothing(State::Pending),
        archive: None,
        execution: Some(UploadExecution {
            started_at: now,
            parameters,
        }),
        created_at: None,
        created_by: None,
        goes_on: true,
    };
    blueprints::insert(tx, &described.scope, &upload).await?;
    let uploaded = blueprints::find(tx, &described.scope, id).await?;
    let execution = blueprints::upload_execution(tx, &uploaded).await?;
    execution.ok_or_else(|| Error::internal("an upload has an execution"))
}

/// What follows from the end of an upload.
pub(super) async fn uploaded(db: &impl Db, described: &Described) -> Result<Went> {
    let id = blueprint_id(described);
    let found = find_blueprint(db, described, &id).await?;
    Ok(match found {
        Some(found) if found.state.is_usable() => Went::Done(names_blueprint(&id)),
        Some(found) => Went::Failed(format!(
            "Blueprint `{id}` could not be uploaded: {}",
            found.error.unwrap_or_else(|| found.state.name().to_owned())
        )),
        None => Went::Failed(format!("Blueprint `{id}` is gone")),
    })
}

fn blueprint_id(described: &Described) -> String {
    let id = described.given("/blueprint/id").as_str();
    let id = id.filter(|id| !id.is_empty());
    id.unwrap_or(&described.instance).to_owned()
}

fn names_blueprint(id: &str) -> Map<String, Value> {
    Map::from_iter([("blueprint".to_owned(), json!({ "id": id }))])
}

/// A blueprint that the one in whose name everything happens may use.
async fn find_blueprint(
    db: &impl Db,
    described: &Described,
    id: &str,
) -> Result<Option<Blueprint>> {
    let found = blueprints::find_optional(db, &described.scope, id).await?;
    let user = described.scope.username();
    Ok(found.filter(|found| found.visibility != Visibility::Private || found.created_by == user))
}

/// Makes the other deployment, or finds it. The instance depends on it from then on.
pub(super) async fn create(tx: &impl Tx, described: &Described) -> Result<Went> {
    let id = match described.given("/deployment/auto_inc_suffix").as_bool() {
        Some(true) if !described.is_external("deployment") => with_suffix(tx, described).await?,
        _ => written_id(described),
    };
    let found = described.find(tx, &id).await?;
    if described.is_external("deployment") {
        let Some(found) = found else {
            return Ok(Went::Failed(format!(
                "Deployment ID \"{id}\" does not exist, but it is marked as an external resource"
            )));
        };
        depend(tx, described, COMPONENT, found.owner).await?;
        return Ok(Went::Done(names_deployment(&id)));
    }
    if found.is_some() {
        return Ok(Went::Failed(format!(
            "Component's deployment ID \"{id}\" already exists, please verify the chosen name."
        )));
    }
    let wanted = match wanted(tx, described, &id).await? {
        Ok(wanted) => wanted,
        Err(reason) => return Ok(Went::Failed(reason)),
    };
    let prepared = Prepared::new(tx, &described.scope, wanted).await?;
    match environment::create(tx, &described.scope, &prepared).await? {
        Outcome::Created(owner) => {
            depend(tx, described, COMPONENT, owner).await?;
            Ok(Went::Done(names_deployment(&id)))
        }
        Outcome::Failed(_, reason) => {
            // Without an environment it is of no use, and the next try needs its name.
            let removal = Removal {
                force: true,
                recursive: false,
            };
            environment::remove(tx, &described.scope, &id, removal).await?;
            Ok(Went::Failed(format!(
                "Deployment `{id}` could not be created: {reason}"
            )))
        }
    }
}

/// The id that the node says, or the instance's.
fn written_id(described: &Described) -> String {
    let id = described.given("/deployment/id").as_str();
    let id = id.filter(|id| !id.is_empty());
    id.unwrap_or(&described.instance).to_owned()
}

/// The first free id with a number at its end.
async fn with_suffix(tx: &impl Tx, described: &Described) -> Result<String> {
    let base = written_id(described);
    let visibility = described.source.visibility;
    for number in 1..=SUFFIXES {
        let id = format!("{base}-{number}");
        if !deployments::is_taken(tx, &described.scope, &id, visibility).await? {
            return Ok(id);
        }
    }
    Err(Error::conflict(format!(
        "There are more than {SUFFIXES} deployments `{base}-1`, `{base}-2`, ..."
    )))
}

async fn wanted(tx: &impl Tx, described: &Described, id: &str) -> Result<Result<Wanted, String>> {
    ids::check_characters("deployment_id", id)?;
    let blueprint_id = match described.known("/blueprint/id").as_str() {
        Some(id) => id.to_owned(),
        None => blueprint_id(described),
    };
    let Some(blueprint) = find_blueprint(tx, described, &blueprint_id).await? else {
        return Ok(Err(format!("Blueprint `{blueprint_id}` does not exist")));
    };
    if !blueprint.state.is_usable() {
        let state = blueprint.state.name();
        return Ok(Err(format!(
            "Blueprint `{blueprint_id}` is `{state}`, not `uploaded`"
        )));
    }
    let config = described.given("/deployment");
    let given = config.get("labels").filter(|labels| !labels.is_null());
    let mut labels = given.map(labels::parse).transpose()?.unwrap_or_default();
    let parent = Label::new(OBJECT_PARENT, &described.source.id);
    if !labels.contains(&parent) {
        labels.push(parent);
    }
    Ok(Ok(Wanted {
        id: id.to_owned(),
        blueprint,
        inputs: config["inputs"].as_object().cloned().unwrap_or_default(),
        labels,
        visibility: described.source.visibility,
        display_name: None,
        site_name: None,
        skip_plugins_validation: false,
        runtime_only_evaluation: false,
        created_by: None,
        created_at: None,
    }))
}

/// Deletes the other deployment, unless it is somebody else's, and the blueprint that was uploaded for it.
pub(super) async fn delete(tx: &impl Tx, described: &Described) -> Result<Went> {
    let id = described.deployment_id();
    if !described.is_external("deployment")
        && described.known("/deployment/id").is_string()
        && let Some(other) = described.find(tx, &id).await?
        && other.owner.tenant_name == described.source.tenant_name
    {
        // Its own record of the dependency is no reason against it.
        let gone = environment::remove(tx, &described.scope, &id, Removal::default()).await;
        match gone {
            Err(error) if error.kind() != Kind::NotFound => return Err(error),
            _ => {}
        }
    }
    forget(tx, described, COMPONENT).await?;
    if !described.is_external("blueprint")
        && let Some(id) = described.known("/blueprint/id").as_str()
        && let Some(blueprint) = find_blueprint(tx, described, id).await?
        && blueprints::dependent_deployments(tx, &blueprint)
            .await?
            .is_empty()
    {
        blueprints::delete(tx, &described.scope, &blueprint).await?;
    }
    let forgotten = ["deployment", "blueprint", "capabilities"];
    let forgotten = forgotten.map(|name| (name.to_owned(), Value::Null));
    Ok(Went::Done(Map::from_iter(forgotten)))
}
