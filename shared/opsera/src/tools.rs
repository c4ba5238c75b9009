//! The registry: the tools that pipelines call, the table `tools`.
//!
//! A tool is what clients say it is: beside its name and type every property is kept as it came. Its
//! credentials are not: they are sealed apart, and `***` stands in their place wherever it is shown.

pub mod credentials;
pub mod probe;

use crate::access::{self, Access, Asker, Standing};
use crate::body;
use crate::plan::StepKind;
use crate::rows::{Listed, Paging, user_id_sql};
use credentials::Credentials;
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Result, Timestamp, params};
use windlass_store::audit;

const TABLE: (&str, &str) = ("tools", "Tool");

/// Properties that are not the client's to say; they may be sent back and mean nothing.
const OURS: [&str; 8] = [
    "_id",
    "createdAt",
    "updatedAt",
    "__v",
    "owner",
    "owner_name",
    "account",
    "toolId",
];

/// A tool as clients see it.
fn item_sql() -> String {
    format!(
        "json_patch(t.document, json_object('_id', t.id, 'name', t.name,
             'tool_identifier', t.tool_identifier, 'active', json(iif(t.active, 'true', 'false')),
             'roles', json(t.roles), 'owner', {}, 'owner_name', t.created_by,
             'account', t.tenant_name, 'createdAt', t.created_at, 'updatedAt', t.updated_at,
             '__v', t.revision))",
        user_id_sql("t.created_by")
    )
}

/// The tools that the asker may look at, newest first.
///
/// # Errors
/// Of the database.
pub async fn list(db: &impl Db, asker: &Asker, paging: Paging) -> Result<Listed> {
    let keys = format!(
        "select t.key, octet_length(t.document) + 400 from tools t where {}
         order by t.key desc limit ?5 offset ?6",
        access::listed()
    );
    let values = asker.with(params![paging.limit, paging.offset]);
    Listed::read(db, &keys, &values, (&item_sql(), "tools")).await
}

/// One tool, as JSON text.
///
/// # Errors
/// 404 for none in the account, 403 for one that the asker may not see.
pub async fn show(db: &impl Db, asker: &Asker, id: &str) -> Result<String> {
    let found = access::find(db, asker, TABLE, id, Access::Read).await?;
    let sql = format!("select {} from tools t where t.key = ?1", item_sql());
    let row = db.first(&sql, params![found.key]).await?;
    let row = row.ok_or_else(|| body::not_found(TABLE.1, id))?;
    row.text(0).map(str::to_owned)
}

/// What a tool's columns hold of a client's object.
struct Columns {
    name: String,
    identifier: String,
    is_active: bool,
    document: Map<String, Json>,
}

impl Columns {
    /// Takes the columns out of an object.
    fn of(mut object: Map<String, Json>) -> Result<Self> {
        let name = body::name(object.get("name"), "name")?;
        let identifier = body::name(object.get("tool_identifier"), "tool_identifier")?;
        let is_active = body::flag(&object, "active")?.unwrap_or(true);
        for ours in ["name", "tool_identifier", "active", "roles"]
            .iter()
            .chain(&OURS)
        {
            object.shift_remove(*ours);
        }
        body::demand_small("tool", &object)?;
        let configuration = object.get("configuration");
        if configuration.is_some_and(|given| !given.is_object() && !given.is_null()) {
            let text = "configuration must be an object";
            return Err(Error::bad_parameters(text).field("configuration", text));
        }
        Ok(Self {
            name,
            identifier,
            is_active,
            document: object,
        })
    }
}

/// Registers a tool. Answers its id.
///
/// # Errors
/// 403 for who may not, 400 for what is missing or wrong, 413 for too much.
pub async fn insert(tx: &impl Tx, asker: &Asker, object: &Map<String, Json>) -> Result<String> {
    asker.demand(Standing::PowerUser)?;
    let rules = access::rules(object.get("roles"))?;
    let mut columns = Columns::of(object.clone())?;
    let credentials = Credentials::take(&mut columns.document, &Credentials::default());
    let (id, now) = (body::new_id(), Timestamp::now());
    tx.execute(
        "insert into tools (id, tenant_name, created_by, name, tool_identifier, active, roles,
             document, credentials, created_at, updated_at)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10)",
        params![
            id.as_str(),
            asker.account(),
            asker.scope.username(),
            columns.name,
            columns.identifier,
            columns.is_active,
            rules,
            &Json::Object(columns.document),
            credentials.seal().await?,
            now
        ],
    )
    .await?;
    audit::insert(tx, &asker.scope, "tool_create", "Tool", &id).await?;
    Ok(id)
}

#[derive(Deserialize)]
struct Stored {
    name: String,
    tool_identifier: String,
    active: bool,
    roles: Json,
    document: Map<String, Json>,
    credentials: Option<String>,
}

async fn stored(db: &impl Db, key: i64) -> Result<Stored> {
    let sql = "select json_object('name', name, 'tool_identifier', tool_identifier,
             'active', json(iif(active, 'true', 'false')), 'roles', json(roles),
             'document', json(document), 'credentials', credentials)
         from tools where key = ?1";
    let found = db.first_json(sql, params![key]).await?;
    found.ok_or_else(|| Error::internal("a tool that was found is gone"))
}

/// Replaces those root properties of a tool that an object has; `***` in it leaves a credential as it
/// is. An empty object changes nothing.
///
/// # Errors
/// 404, 403; 400 and 413 as for a new one. 400 too for `***` when the tool goes to another address or
/// becomes another kind: whoever may change a tool does not know its credentials by that.
pub async fn update(
    tx: &impl Tx,
    asker: &Asker,
    id: &str,
    changes: &Map<String, Json>,
) -> Result<()> {
    let found = access::find(tx, asker, TABLE, id, Access::Manage).await?;
    if changes.is_empty() {
        return Ok(());
    }
    let before = stored(tx, found.key).await?;
    let known = Credentials::open(before.credentials.as_deref()).await?;
    let addresses = credentials::addresses(&before.document);
    let mut object = before.document;
    object.insert("name".into(), before.name.into());
    let identifier = before.tool_identifier.as_str();
    object.insert("tool_identifier".into(), identifier.into());
    object.insert("active".into(), before.active.into());
    let mut rules = access::rules(Some(&before.roles))?;
    for (name, value) in changes {
        match name.as_str() {
            // Who may is for those to say who look after the account.
            "roles" if asker.standing >= Standing::PowerUser => rules = access::rules(Some(value))?,
            "roles" => {}
            name if OURS.contains(&name) => {}
            name => drop(object.insert(name.to_owned(), value.clone())),
        }
    }
    let mut columns = Columns::of(object)?;
    let goes_elsewhere =
        columns.identifier != identifier || credentials::addresses(&columns.document) != addresses;
    let given = Credentials::take(&mut columns.document.clone(), &Credentials::default());
    let credentials = Credentials::take(&mut columns.document, &known);
    if goes_elsewhere && credentials != given {
        let text = "The address or the type of the tool changes: give the credentials again";
        return Err(Error::bad_parameters(text).field("configuration", text));
    }
    tx.execute(
        "update tools set name = ?2, tool_identifier = ?3, active = ?4, roles = ?5, document = ?6,
             credentials = ?7, updated_at = ?8, revision = revision + 1 where key = ?1",
        params![
            found.key,
            columns.name,
            columns.identifier,
            columns.is_active,
            rules,
            &Json::Object(columns.document),
            credentials.seal().await?,
            Timestamp::now()
        ],
    )
    .await?;
    audit::insert(tx, &asker.scope, "tool_update", "Tool", id).await
}

/// Takes a tool out of the registry.
///
/// # Errors
/// 404, 403; 409 while a pipeline calls it.
pub async fn delete(tx: &impl Tx, asker: &Asker, id: &str) -> Result<()> {
    let found = access::find(tx, asker, TABLE, id, Access::Manage).await?;
    let used = tx
        .first(
            "select p.name from pipelines p join pipeline_plans l on l.key = p.plan_key
             where p.tenant_name = ?1 and instr(l.plan, ?2) limit 1",
            params![asker.account(), id],
        )
        .await?;
    if let Some(pipeline) = used {
        let name = pipeline.text(0)?;
        return Err(Error::conflict(format!(
            "Tool {id} is used by the pipeline `{name}`"
        )));
    }
    let sql = "delete from tools where key = ?1";
    tx.execute(sql, params![found.key]).await?;
    audit::insert(tx, &asker.scope, "tool_delete", "Tool", id).await
}

/// A tool as a step calls it, its credentials in their places.
#[derive(Clone, Debug, Default)]
pub struct Tool {
    /// What it is called.
    pub name: String,
    /// What it is, if pipelines can call it.
    pub kind: Option<StepKind>,
    /// Whether it may be called.
    pub is_active: bool,
    /// Where it is and how one logs in.
    pub configuration: Map<String, Json>,
    /// The credentials alone, to be kept out of logs.
    pub secrets: Vec<String>,
}

impl Tool {
    /// A text of its configuration, by the first of these names that it has.
    pub fn text(&self, names: &[&str]) -> Option<&str> {
        let mut texts = names
            .iter()
            .filter_map(|name| self.configuration.get(*name)?.as_str());
        texts.find(|text| !text.is_empty())
    }

    /// Where it is, without a slash at the end.
    ///
    /// # Errors
    /// A text for people, when it does not say.
    pub fn url(&self) -> Result<&str, String> {
        let usual = match self.kind {
            Some(StepKind::Github) => Some("https://api.github.com"),
            Some(StepKind::Gitlab) => Some("https://gitlab.com"),
            _ => None,
        };
        let url = self.text(&["url", "toolURL", "baseUrl"]).or(usual);
        let url = url.ok_or_else(|| format!("The tool `{}` has no url", self.name))?;
        Ok(url.trim_end_matches('/'))
    }
}

/// A tool of an account with its credentials, for what the application does itself. Nothing when
/// there is none of this id.
///
/// # Errors
/// Internal, when its credentials cannot be opened.
pub async fn open(db: &impl Db, account: &str, id: &str) -> Result<Option<Tool>> {
    let sql = "select key from tools where id = ?1 and tenant_name = ?2";
    let Some(row) = db.first(sql, params![id, account]).await? else {
        return Ok(None);
    };
    let stored = stored(db, row.integer(0)?).await?;
    let credentials = Credentials::open(stored.credentials.as_deref()).await?;
    let mut document = stored.document;
    credentials.put_back(&mut document);
    let configuration = match document.shift_remove("configuration") {
        Some(Json::Object(configuration)) => configuration,
        _ => Map::new(),
    };
    Ok(Some(Tool {
        name: stored.name,
        kind: StepKind::named(&stored.tool_identifier),
        is_active: stored.active,
        configuration,
        secrets: credentials.texts(),
    }))
}

/// A tool that the asker may use, to be tested.
///
/// # Errors
/// 404, 403.
pub async fn open_for(db: &impl Db, asker: &Asker, id: &str) -> Result<Tool> {
    access::find(db, asker, TABLE, id, Access::Manage).await?;
    let tool = open(db, asker.account(), id).await?;
    tool.ok_or_else(|| body::not_found(TABLE.1, id))
}

/// Demands that the asker may use a tool that a pipeline is to call.
///
/// # Errors
/// 400 for one that is not there, 403 for one that is not theirs to use.
pub(crate) async fn demand_usable(db: &impl Db, asker: &Asker, id: &str) -> Result<()> {
    match access::find(db, asker, TABLE, id, Access::Use).await {
        Err(error) if error.kind() == windlass_core::Kind::NotFound => {
            let text = format!("toolConfigId: Tool not found ({id})");
            Err(Error::bad_parameters(text))
        }
        found => found.map(drop),
    }
}

#[cfg(test)]
#[path = "tools/tests.rs"]
mod tests;
