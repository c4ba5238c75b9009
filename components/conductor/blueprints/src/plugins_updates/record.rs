//! The record of an update of plugins that was made elsewhere, as it is restored.

use windlass_core::db::Db;
use windlass_core::{Body, Context, Error, Result, Scope, ids};
use windlass_store::blueprints;
use windlass_store::plugins_updates::{
    self, MemberState, NewMember, NewPluginsUpdate, PluginsUpdateState,
};
use windlass_store::resource::{New, Origin};

/// An update that was made elsewhere.
pub struct Record {
    id: String,
    origin: Origin,
    state: PluginsUpdateState,
    execution_id: Option<String>,
    temp_blueprint_id: Option<String>,
    forced: bool,
    all_tenants: bool,
    deployments: Vec<NewMember>,
}

impl Record {
    /// The record in a request; nothing when that asks for a new update.
    ///
    /// # Errors
    /// 400 for what is of the wrong type, and for a state in which an update has not ended; 403 for another
    /// creator or time without the permission for that.
    pub async fn of(db: &impl Db, scope: &Scope, body: &Body) -> Result<Option<Self>> {
        let text = |name: &str| Ok::<_, Error>(body.text(name)?.map(str::to_owned));
        let (id, state) = (text("update_id")?, text("state")?);
        let (execution_id, temp) = (text("execution_id")?, text("temp_blueprint_id")?);
        let deployments = deployments(scope, body)?;
        let origin = Origin::read(db, scope, body).await?;
        if id.is_none() && state.is_none() {
            return Ok(None);
        }
        let id = id.ok_or_else(|| Error::missing("update_id"))?;
        ids::check_characters("update_id", &id)?;
        let state = state.ok_or_else(|| Error::missing("state"))?;
        let ended = PluginsUpdateState::named(&state).filter(|state| state.has_ended());
        let state = ended.ok_or_else(|| {
            let states = PluginsUpdateState::ALL.into_iter();
            let ended = states.filter(|state| state.has_ended());
            let names: Vec<&str> = ended.map(PluginsUpdateState::name).collect();
            let names = names.join(", ");
            Error::bad_parameters(format!(
                "Invalid state `{state}`, it must be one of {names}"
            ))
        })?;
        Ok(Some(Self {
            id,
            origin,
            state,
            execution_id,
            temp_blueprint_id: temp,
            forced: body.boolean("force")?.unwrap_or(false),
            all_tenants: body.boolean("all_tenants")?.unwrap_or(false),
            deployments,
        }))
    }

    /// Stores the record. Answers its id.
    pub async fn insert(self, ctx: &Context<impl Db>, scope: &Scope) -> Result<String> {
        let blueprint = blueprints::find_own(&ctx.db, scope, ctx.path("blueprint_id")).await?;
        let new = New {
            id: self.id,
            visibility: blueprint.visibility,
            origin: self.origin,
        };
        let row = NewPluginsUpdate {
            blueprint: &blueprint,
            temp_blueprint_key: None,
            temp_blueprint_id: self.temp_blueprint_id.as_deref(),
            state: self.state,
            execution_id: self.execution_id.as_deref(),
            forced: self.forced,
            all_tenants: self.all_tenants,
        };
        ctx.db
            .transaction(async |tx| {
                let key = plugins_updates::insert(tx, scope, &new, &row).await?;
                let done = MemberState::Skipped;
                plugins_updates::insert_members(tx, key, &self.deployments, done).await
            })
            .await?;
        Ok(new.id)
    }
}

/// The deployments of a record: `affected_deployments`, or by tenant `deployments_per_tenant`.
fn deployments(scope: &Scope, body: &Body) -> Result<Vec<NewMember>> {
    let mut found = Vec::new();
    let mut add = |name: &str, tenant: &str, items: &[serde_json::Value]| {
        for item in items {
            let id = item.as_str();
            let id = id.ok_or_else(|| Error::wrong_type(name, "list of str", item))?;
            found.push(NewMember {
                deployment_key: None,
                tenant_name: tenant.to_owned(),
                deployment_id: id.to_owned(),
            });
        }
        Ok::<_, Error>(())
    };
    let name = "affected_deployments";
    if let Some(items) = body.list(name)? {
        add(name, scope.tenant(), items)?;
    }
    let name = "deployments_per_tenant";
    for (tenant, items) in body.object(name)?.into_iter().flatten() {
        let items = items.as_array();
        let items = items.ok_or_else(|| {
            let given = body.get(name).unwrap_or(&serde_json::Value::Null);
            Error::wrong_type(name, "dict of lists", given)
        })?;
        add(name, tenant, items)?;
    }
    Ok(found)
}
