//! What steps do here: executions on deployments, maintenances on the status page, tasks of Adjutant.
//!
//! Each needs what the same request of the user would need, who is looked up when its turn comes: a run
//! may not do more than whoever began it.

use super::call::{Answered, Call};
use super::job::Job;
use super::{Outcome, shell};
use serde_json::{Map, Value as Json, json};
use windlass_adjutant::lifecycle::{self, By};
use windlass_adjutant::tokens::Fresh;
use windlass_adjutant::{Settings, Submission, TaskType};
use windlass_core::caller::Reach;
use windlass_core::db::{Db, Tx};
use windlass_core::outbound::Outbound;
use windlass_core::{Error, Kind, Permission, Result, Scope, Timestamp};
use windlass_engine::{StartRequest, start};
use windlass_identity::project_roles;
use windlass_status::events::{self, EventKind, NewEvent, Opened};
use windlass_status::lifecycle::{Patch, check_contact, check_description, check_new, check_title};
use windlass_store::executions::{self, Status};
use windlass_store::maintenance;

/// Something to be done in the transaction that records it.
#[derive(Clone, Debug)]
pub enum Deed {
    /// An execution is started.
    Execution(Box<(String, String, StartRequest)>),
    /// A maintenance begins.
    Open(Box<Maintenance>),
    /// A maintenance is over.
    Close(Box<(String, i64, String)>),
    /// A script is offered to workers: its queue, and what it is, sealed.
    Offer(Box<(String, String)>),
    /// What came of an offer is looked at.
    Look,
}

impl PartialEq for Deed {
    fn eq(&self, _: &Self) -> bool {
        false
    }
}

/// A maintenance as a step asks for it.
#[derive(Clone, Debug)]
pub struct Maintenance {
    by: String,
    title: String,
    description: String,
    contact: String,
    components: Vec<i64>,
    seconds: i64,
}

/// Does it. What is refused is the step's failure, and then nothing was done.
pub async fn perform(tx: &impl Tx, deed: &Deed, job: &Job, now: Timestamp) -> Result<Outcome> {
    match deed {
        Deed::Offer(offer) => shell::hand_out(tx, job, (&offer.0, &offer.1), now).await,
        Deed::Look => shell::look(tx, job, now).await,
        Deed::Execution(deed) => {
            let (by, account, request) = deed.as_ref();
            let scope = scope(tx, by, account, Permission::ExecutionStart).await?;
            if maintenance::is_under_way(tx).await? {
                let text = "The application is being maintained: no execution begins";
                return Err(Error::new(Kind::MaintenanceModeActive, text));
            }
            let execution = start(tx, &scope, request.clone(), now).await?;
            Ok(Outcome::Pending {
                external: json!({ "execution": execution.id }),
                at: now.plus_millis(500),
            })
        }
        Deed::Open(maintenance) => open(tx, maintenance, now).await,
        Deed::Close(deed) => {
            let (by, event, message) = deed.as_ref();
            close(tx, by, *event, message, now).await
        }
    }
}

/// What somebody may do in a tenant now, if they hold a permission there.
async fn scope(db: &impl Db, by: &str, tenant: &str, permission: Permission) -> Result<Scope> {
    let caller = windlass_identity::user_later(db, by).await?;
    let caller = caller.ok_or_else(|| Error::forbidden(format!("There is no user `{by}`")))?;
    if !caller.holds_in(tenant, permission) {
        return Err(caller.refusal(permission, Some(tenant)));
    }
    let reach = Reach::Tenant(tenant.to_owned());
    Ok(Scope::of(std::rc::Rc::new(caller), reach, String::new()))
}

/// An execution: started at the first turn, waited for at the others.
pub async fn execution<O: Outbound>(db: &impl Db, call: &Call<'_, O>) -> Result<Outcome> {
    let Some(id) = call.job.external.get("execution").and_then(Json::as_str) else {
        return Ok(start_request(call).unwrap_or_else(|failure| failure));
    };
    let execution = executions::find_if_any(db, &Scope::engine(), id).await?;
    let Some(execution) = execution else {
        return Ok(Outcome::hopeless(format!("The execution {id} is gone")));
    };
    let outputs = json!({ "execution_id": id, "status": execution.status });
    Ok(match execution.status {
        Status::Terminated => Outcome::Succeeded {
            outputs: outputs.as_object().cloned().unwrap_or_default(),
            message: format!("execution {id} of {} terminated", execution.workflow_id),
        },
        status if status.has_ended() => {
            let why = execution.error.unwrap_or_default();
            Outcome::failed(format!("execution {id} ended as {}: {why}", status.name()))
        }
        _ => call.later(call.job.external.clone()),
    })
}

fn start_request<O: Outbound>(call: &Call<'_, O>) -> Answered<Outcome> {
    let flag = |name: &str| call.configuration.get(name) == Some(&Json::Bool(true));
    let request = StartRequest {
        deployment_id: call.required("deployment_id")?,
        workflow_id: call.required("workflow_id")?,
        parameters: call.object("parameters")?,
        allow_custom_parameters: flag("allow_custom_parameters"),
        force: flag("force"),
        queue: flag("queue"),
        ..StartRequest::default()
    };
    let (by, account) = (call.job.by.clone(), call.job.account.clone());
    Ok(Outcome::Deed(Deed::Execution(Box::new((
        by, account, request,
    )))))
}

/// A maintenance, which a step opens or closes.
pub fn maintenance<O: Outbound>(call: &Call<'_, O>) -> Outcome {
    let asked = match call.text("action").as_deref() {
        None | Some("open") => read_maintenance(call),
        Some("close") => read_close(call),
        Some(_) => Err(Outcome::hopeless("action must be open or close")),
    };
    asked.unwrap_or_else(|failure| failure)
}

fn read_maintenance<O: Outbound>(call: &Call<'_, O>) -> Answered<Outcome> {
    let given = call
        .configuration
        .get("components")
        .and_then(Json::as_array);
    let components: Option<Vec<i64>> =
        given.map(|items| items.iter().filter_map(Json::as_i64).collect());
    let components = components.filter(|numbers| !numbers.is_empty());
    let minutes = match call.configuration.get("minutes") {
        None | Some(Json::Null) => Some(60),
        Some(value) => value
            .as_i64()
            .filter(|minutes| (1..=10_080).contains(minutes)),
    };
    Ok(Outcome::Deed(Deed::Open(Box::new(Maintenance {
        by: call.job.by.clone(),
        title: call.required("title")?,
        description: call.required("description")?,
        contact: call.required("contact_email")?,
        components: components
            .ok_or_else(|| Outcome::hopeless("components must be a list of components' numbers"))?,
        seconds: 60
            * minutes.ok_or_else(|| {
                Outcome::hopeless("minutes must be a whole number from 1 to 10080")
            })?,
    }))))
}

fn read_close<O: Outbound>(call: &Call<'_, O>) -> Answered<Outcome> {
    let event = call.text("event_id").and_then(|text| text.parse().ok());
    let event =
        event.ok_or_else(|| Outcome::hopeless("event_id must be the number of an event"))?;
    let message = call
        .text("message")
        .unwrap_or_else(|| "The maintenance is over.".into());
    let by = call.job.by.clone();
    Ok(Outcome::Deed(Deed::Close(Box::new((by, event, message)))))
}

async fn open(tx: &impl Tx, asked: &Maintenance, now: Timestamp) -> Result<Outcome> {
    let tenant = windlass_status::TENANT;
    let scope = scope(tx, &asked.by, tenant, Permission::StatusEventManage).await?;
    let kind = EventKind::Maintenance;
    let end = now.plus_seconds(asked.seconds);
    check_title(&asked.title)?;
    check_description(kind, Some(&asked.description))?;
    check_contact(kind, Some(&asked.contact))?;
    let started_at = check_new(kind, 0, now, Some(end), now)?;
    let new = NewEvent {
        kind,
        title: asked.title.trim(),
        description: Some(&asked.description),
        impact: 0,
        started_at,
        ended_at: Some(end),
        contact_email: Some(&asked.contact),
        components: &asked.components,
    };
    let placed = match events::open(tx, &scope, &new, true, now).await? {
        Opened::Taken(placed) | Opened::UnderMaintenance(placed) => placed,
    };
    let event = placed.first().and_then(|placed| placed.incident_id);
    let event = event.ok_or_else(|| Error::bad_parameters("the maintenance is on no component"))?;
    Ok(Outcome::Succeeded {
        outputs: Map::from_iter([("event_id".to_owned(), event.into())]),
        message: format!("maintenance {event} has begun"),
    })
}

async fn close(
    tx: &impl Tx,
    by: &str,
    event: i64,
    message: &str,
    now: Timestamp,
) -> Result<Outcome> {
    let tenant = windlass_status::TENANT;
    let scope = scope(tx, by, tenant, Permission::StatusEventManage).await?;
    // Its beginning may be due at this moment.
    events::advance(tx, event, now).await?;
    let found = events::find(tx, &scope, event).await?;
    // It ends after it began, and after whatever was told of it.
    let last = found
        .standing
        .last_update
        .max(Some(found.standing.started_at));
    let at = last.map_or(now, |last| now.max(last.plus_millis(1)));
    let patch = Patch {
        message,
        status: "completed",
        update_date: Some(at),
        ..Patch::default()
    };
    events::change(tx, &scope, &found, &patch, Some(found.version), true, at).await?;
    Ok(Outcome::Succeeded {
        outputs: Map::from_iter([("event_id".to_owned(), event.into())]),
        message: format!("maintenance {event} is over"),
    })
}

/// A task of Adjutant, in the name of whoever runs the pipeline. It is asked for in transactions of its
/// own: asked for again after a crash, it is there already.
pub async fn task<D: Db, O: Outbound>(db: &D, call: &Call<'_, O>) -> Result<Outcome> {
    let of = call
        .text("task_type")
        .and_then(|text| TaskType::named(&text));
    let of = of.filter(|of| {
        matches!(
            of,
            TaskType::InviteUserToProject | TaskType::EditUserRoles | TaskType::UpdateQuota
        )
    });
    let Some(of) = of else {
        let text = "task_type must be invite_user_to_project, edit_user_roles or update_quota";
        return Ok(Outcome::hopeless(text));
    };
    let mut body = match call.object("data") {
        Ok(body) => body,
        Err(failure) => return Ok(failure),
    };
    let Some(caller) = call.job.caller(db).await? else {
        return Ok(Outcome::hopeless(format!(
            "There is no user `{}`",
            call.job.by
        )));
    };
    let account = call.job.account.as_str();
    let moderators = [
        project_roles::PROJECT_ADMIN,
        project_roles::PROJECT_MOD,
        project_roles::ADMIN,
    ];
    if let Err(refusal) = project_roles::demand(&caller, Some(account), &moderators) {
        return Ok(Outcome::hopeless(refusal.message()));
    }
    // It is about this account, whatever the step says.
    body.insert("project_id".into(), account.into());
    body.entry("domain_id")
        .or_insert_with(|| windlass_adjutant::people::DOMAIN.0.into());
    let (settings, fresh) = (Settings::load(db).await?, Fresh::new().await?);
    let scope = call.job.scope(&caller);
    let by = By {
        scope: &scope,
        settings: &settings,
        fresh: &fresh,
        now: call.now,
    };
    let submission = Submission {
        task_type: of,
        body: &body,
        submitter: project_roles::identity(&caller, account),
        project: Some(account),
        address: None,
    };
    let came_to = lifecycle::create(db, &by, &submission).await;
    Ok(match came_to {
        Ok(text) => Outcome::Succeeded {
            outputs: Map::new(),
            message: text.to_owned(),
        },
        Err(error) if error.kind() == Kind::Conflict => Outcome::Succeeded {
            outputs: Map::new(),
            message: "it was asked for already".into(),
        },
        Err(error) if matches!(error.kind(), Kind::Internal | Kind::Unavailable) => {
            Outcome::failed("the task failed, administrators were told")
        }
        Err(error) => {
            let fields = error
                .fields()
                .iter()
                .map(|field| format!(" {}: {}", field.field, field.message));
            Outcome::hopeless(format!("{}{}", error.message(), fields.collect::<String>()))
        }
    })
}
