//! Projects, the table `directory_projects`: known by the id that their source gives them.

use super::fields::{check_email, demand, merged, refuse, texts};
use super::{Table, demand_writer};
use crate::access::Asker;
use crate::body::{demand_small, optional_name, optional_text};
use crate::rows::{Listed, Paging};
use serde_json::{Map, Value as Json};
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Result, limits};
use windlass_store::audit;

const TABLE: Table = Table {
    table: "directory_projects",
    kind: "project",
    what: "Project",
    key_column: "project_id",
};

const FIELDS: [&str; 8] = [
    "projectId",
    "projectName",
    "externalId",
    "organization",
    "business",
    "department",
    "group",
    "team",
];

/// The most repositories or services of a project.
const MOST_ASSETS: usize = 1000;

/// Reads a project.
///
/// # Errors
/// 400 naming what is missing or wrong, 413 for too much.
pub(super) fn read(object: &Map<String, Json>) -> Result<Map<String, Json>> {
    let mut object = object.clone();
    // Sources count their projects.
    if let Some(Json::Number(number)) = object.get("projectId") {
        let text = number.to_string();
        object.insert("projectId".into(), text.into());
    }
    let mut record = texts(&object, &FIELDS)?;
    demand(&record, &["projectId", "projectName"])?;
    if let Some(owner) = owner(object.get("projectOwner"))? {
        record.insert("projectOwner".into(), owner);
    }
    if let Some(assets) = assets(object.get("assets"))? {
        record.insert("assets".into(), assets);
    }
    demand_small("project", &record)?;
    Ok(record)
}

fn owner(given: Option<&Json>) -> Result<Option<Json>> {
    let fields = match given {
        None | Some(Json::Null) => return Ok(None),
        Some(Json::Object(fields)) => fields,
        Some(_) => return Err(refuse("projectOwner", "projectOwner must be an object")),
    };
    let owner = texts(fields, &["firstName", "lastName", "email"])?;
    if let Some(email) = owner.get("email").and_then(Json::as_str) {
        check_email("projectOwner.email", email)?;
    }
    Ok(Some(Json::Object(owner)).filter(|_| !fields.is_empty()))
}

/// Repositories and services, which clients give as an object or as a list of such objects.
fn assets(given: Option<&Json>) -> Result<Option<Json>> {
    let wrong = || {
        refuse(
            "assets",
            "assets must be an object of repositories and services",
        )
    };
    let parts: Vec<&Json> = match given {
        None | Some(Json::Null) => return Ok(None),
        Some(one @ Json::Object(_)) => vec![one],
        Some(Json::Array(parts)) => parts.iter().collect(),
        Some(_) => return Err(wrong()),
    };
    let (mut repositories, mut services) = (Vec::new(), Vec::new());
    for part in parts {
        let fields = part.as_object().ok_or_else(wrong)?;
        for item in items(fields, "repositories")? {
            repositories.push(repository(item)?);
        }
        for item in items(fields, "services")? {
            services.push(service(item)?);
        }
    }
    if repositories.len() > MOST_ASSETS || services.len() > MOST_ASSETS {
        return Err(refuse(
            "assets",
            "assets has more than 1000 repositories or services",
        ));
    }
    let mut assets = Map::new();
    for (name, items) in [("repositories", repositories), ("services", services)] {
        if !items.is_empty() {
            assets.insert(name.into(), Json::Array(items));
        }
    }
    Ok(Some(Json::Object(assets)))
}

fn items<'a>(fields: &'a Map<String, Json>, name: &str) -> Result<&'a [Json]> {
    match fields.get(name) {
        None | Some(Json::Null) => Ok(&[]),
        Some(Json::Array(items)) => Ok(items),
        Some(_) => Err(refuse("assets", &format!("assets.{name} must be a list"))),
    }
}

fn object<'a>(item: &'a Json, name: &str) -> Result<&'a Map<String, Json>> {
    let text = format!("assets.{name} must be a list of objects");
    item.as_object().ok_or_else(|| refuse("assets", &text))
}

fn repository(item: &Json) -> Result<Json> {
    let fields = object(item, "repositories")?;
    let mut kept = texts(fields, &["name", "platform"])?;
    if let Some(url) = optional_text(fields.get("url"), "url")? {
        if !is_repository_url(&url) {
            let text = "assets.repositories.url must be a URL of http, https, ssh or git";
            return Err(refuse("assets", text));
        }
        kept.insert("url".into(), url.into());
    }
    Ok(Json::Object(kept))
}

/// Whether a text can be where a repository is: a URL, or `git@host:path`.
fn is_repository_url(text: &str) -> bool {
    let is_plain = |text: &str| !text.is_empty() && !text.contains(char::is_whitespace);
    if let Some((scheme, rest)) = text.split_once("://") {
        return ["http", "https", "ssh", "git"].contains(&scheme)
            && is_plain(rest)
            && !rest.starts_with('/');
    }
    let parts = text.split_once(':');
    parts.is_some_and(|(host, path)| {
        let host = host.split_once('@').map_or(host, |(_, host)| host);
        is_plain(path) && is_plain(host) && host.contains('.')
    })
}

fn service(item: &Json) -> Result<Json> {
    let fields = object(item, "services")?;
    let mut kept = texts(fields, &["name", "identifier", "externalId"])?;
    match fields.get("dependencies") {
        None | Some(Json::Null) => {}
        Some(value @ Json::Object(_)) => {
            limits::check_depth("assets.services.dependencies", value)?;
            kept.insert("dependencies".into(), value.clone());
        }
        Some(_) => {
            let text = "assets.services.dependencies must be an object";
            return Err(refuse("assets", text));
        }
    }
    Ok(Json::Object(kept))
}

/// The id that the source gives it.
pub(super) fn key_of(record: &Map<String, Json>) -> String {
    let id = record.get("projectId").and_then(Json::as_str);
    id.unwrap_or_default().to_owned()
}

fn duplicate() -> Error {
    Error::conflict("Duplicate projectId").field("projectId", "Duplicate projectId")
}

/// The projects of the account, in the order in which they came; with `under` those of a node.
///
/// # Errors
/// Of the database.
pub async fn list(
    db: &impl Db,
    asker: &Asker,
    under: Option<&str>,
    paging: Paging,
) -> Result<Listed> {
    TABLE.list(db, asker, under, paging).await
}

/// One of them, as JSON text.
///
/// # Errors
/// 404.
pub async fn show(db: &impl Db, asker: &Asker, id: &str) -> Result<String> {
    TABLE.show(db, asker, id).await
}

/// Stores a project. Answers the record.
///
/// # Errors
/// 403, 400, 413; 409 for an id that is there.
pub async fn insert(tx: &impl Tx, asker: &Asker, object: &Map<String, Json>) -> Result<String> {
    demand_writer(asker)?;
    let record = read(object)?;
    let key = key_of(&record);
    if TABLE.is_taken(tx, asker, &key).await? {
        return Err(duplicate());
    }
    insert_all(tx, asker, std::slice::from_ref(&record)).await?;
    TABLE.show(tx, asker, &key).await
}

/// Which of these ids are there.
pub(super) async fn taken(db: &impl Db, asker: &Asker, keys: &[String]) -> Result<Vec<String>> {
    TABLE.taken(db, asker, keys).await
}

/// Stores projects whose ids are not there.
pub(super) async fn insert_all(
    tx: &impl Tx,
    asker: &Asker,
    records: &[Map<String, Json>],
) -> Result<()> {
    let named = |record| (key_of(record), record);
    let items: Vec<_> = records.iter().map(named).collect();
    TABLE.insert_all(tx, asker, &items).await?;
    let ids: Vec<&str> = items.iter().map(|(id, _)| id.as_str()).collect();
    audit::insert_each(tx, &asker.scope, "project_create", "Project", &ids).await
}

/// Changes a project: what is given, a null takes a value away. Answers the record.
///
/// # Errors
/// 403, 404, 400, 413; 409 for the id of another.
pub async fn update(
    tx: &impl Tx,
    asker: &Asker,
    id: &str,
    changes: &Map<String, Json>,
) -> Result<String> {
    demand_writer(asker)?;
    let key = TABLE.key(tx, asker, id).await?;
    let before = TABLE.document(tx, key).await?;
    let record = read(&merged(before, changes))?;
    let next = key_of(&record);
    if next != id && TABLE.is_taken(tx, asker, &next).await? {
        return Err(duplicate());
    }
    TABLE.save(tx, asker, key, (&next, &record)).await?;
    audit::insert(tx, &asker.scope, "project_update", "Project", &next).await?;
    TABLE.show(tx, asker, &next).await
}

/// Removes a project.
///
/// # Errors
/// 403, 404.
pub async fn delete(tx: &impl Tx, asker: &Asker, id: &str) -> Result<()> {
    demand_writer(asker)?;
    let key = TABLE.key(tx, asker, id).await?;
    TABLE.delete(tx, key).await?;
    audit::insert(tx, &asker.scope, "project_delete", "Project", id).await
}

/// Reads the id of a project that a path or a query names.
///
/// # Errors
/// 400 for what can be none.
pub fn check_id(id: &str) -> Result<()> {
    optional_name(Some(&id.into()), "projectId").map(drop)
}
