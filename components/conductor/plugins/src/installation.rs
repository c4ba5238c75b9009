//! Installing a plugin before it is needed: who is asked to, and how far they are.

use windlass_core::caller::Reach;
use windlass_core::db::Db;
use windlass_core::{Body, Context, Error, Kind, Permission, Response, Result, Scope};
use windlass_store::plugins::installation::{self, Place, State};
use windlass_store::plugins::{PLUGINS, Plugin};
use windlass_store::{managers, resource};

/// `POST /plugins/{plugin_id}` with the action `install`: asks managers and agents to install it. They
/// report how far they are to [`set_state`].
pub async fn install(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::PluginUpload)?;
    let id = ctx.path("plugin_id");
    let body = Body::of(ctx)?;
    let action = body.required_text("action")?;
    if action != "install" {
        let text = format!("unknown action: {action}");
        return Err(Error::new(Kind::UnknownAction, text));
    }
    let (on_managers, on_agents) = (names(&body, "managers")?, names(&body, "agents")?);
    ctx.include(&PLUGINS)?;
    let places = on_managers.iter().copied().map(Place::Manager);
    let places: Vec<Place<'_>> = places
        .chain(on_agents.iter().copied().map(Place::Agent))
        .collect();
    ctx.db
        .transaction(async |tx| {
            let plugin: Plugin = resource::find_own(tx, &scope, id).await?;
            for name in &on_managers {
                managers::find(tx, &scope, name).await?;
            }
            // Workers are no agents of hosts: none is known by a name.
            if let Some(name) = on_agents.first() {
                return Err(Error::not_found("Agent", name));
            }
            installation::request(tx, &scope, &plugin, &places).await
        })
        .await?;
    ctx.show(&PLUGINS, &scope, id, 200).await
}

/// `PUT /plugins/{plugin_id}`: how far a manager or an agent is. The token of a running execution may
/// say so, too.
pub async fn set_state(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = allow_or_execution(ctx)?;
    let id = ctx.path("plugin_id");
    let body = Body::of(ctx)?;
    let state = body.required_text("state")?;
    let state = State::named(state).ok_or_else(|| {
        let known: Vec<&str> = State::ALL.iter().map(|state| state.name()).collect();
        let known = known.join(", ");
        Error::bad_parameters(format!(
            "Invalid state: `{state}`. Valid states are: {known}"
        ))
    })?;
    let place = match (body.filled_text("manager")?, body.filled_text("agent")?) {
        (Some(manager), None) => Place::Manager(manager),
        (None, Some(agent)) => Place::Agent(agent),
        _ => return Err(Error::conflict("Expected agent or manager, but not both")),
    };
    let error = body.text("error")?;
    ctx.include(&PLUGINS)?;
    ctx.db
        .transaction(async |tx| {
            let plugin: Plugin = resource::find_own(tx, &scope, id).await?;
            if let Place::Manager(name) = place {
                managers::find(tx, &scope, name).await?;
            }
            installation::report(tx, &scope, &plugin, place, state, error).await
        })
        .await?;
    ctx.show(&PLUGINS, &scope, id, 200).await
}

/// The names in a list; none when it is absent.
fn names<'b>(body: &'b Body, list: &str) -> Result<Vec<&'b str>> {
    let items = body.list(list)?.map(Vec::as_slice).unwrap_or_default();
    let name = |item: &'b serde_json::Value| {
        item.as_str()
            .ok_or_else(|| Error::wrong_type(list, "list of str", item))
    };
    items.iter().map(name).collect()
}

fn allow_or_execution<D: Db>(ctx: &Context<D>) -> Result<Scope> {
    match ctx.identity_names() {
        Some((caller, Some(tenant))) if caller.execution_id.is_some() => {
            let reach = Reach::Tenant(tenant.to_owned());
            let origin = ctx.origin.clone();
            Ok(Scope::of(ctx.caller()?.clone(), reach, origin))
        }
        _ => ctx.allow(Permission::PluginUpload),
    }
}
