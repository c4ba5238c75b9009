//! `/components`: what events can be about.

use crate::fields;
use windlass_core::db::Db;
use windlass_core::{Body, Context, Error, Permission, Response, Result, Timestamp};
use windlass_status::TENANT;
use windlass_status::components::Attribute;
use windlass_status::components::list;
use windlass_status::direction::turns;

/// The attributes of a component that is made here: each of them, once.
const ATTRIBUTES: [&str; 3] = ["type", "region", "category"];

/// The most characters of a name, and of an attribute's value.
const LENGTHS: (usize, usize) = (200, 50);

/// `GET /components`: the catalogue.
pub async fn list(ctx: &Context<impl Db>) -> Result<Response> {
    let body = list::list_json(&ctx.db).await?;
    Ok(Response::json_text(200, body))
}

/// `GET /components/{component_id}`: one of it.
pub async fn get(ctx: &Context<impl Db>) -> Result<Response> {
    let id = fields::number(ctx.path("component_id")).ok_or_else(list::unknown)?;
    let body = list::find_json(&ctx.db, id).await?;
    Ok(Response::json_text(200, body))
}

/// `POST /components`: one more. Answers it.
pub async fn create(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_in(TENANT, Permission::StatusComponentCreate)?;
    let body = Body::of(ctx)?;
    let name = body.required_text("name")?.trim();
    if name.is_empty() || name.chars().count() > LENGTHS.0 || name.contains(is_refused) {
        return Err(Error::bad_parameters(format!(
            "component name must have 1 to {} characters, and none that controls",
            LENGTHS.0
        )));
    }
    let attributes = attributes(&body)?;
    let created = ctx
        .db
        .transaction(async |tx| list::insert(tx, &scope, name, &attributes, Timestamp::now()).await)
        .await?;
    Ok(Response::json_text(201, created))
}

/// What neither breaks the line nor turns the text around it.
fn is_refused(letter: char) -> bool {
    letter.is_control() || turns(letter)
}

/// The attributes, which some clients call `attrs`.
fn attributes(body: &Body) -> Result<Vec<Attribute>> {
    let refused = || Error::bad_parameters("component attribute has invalid format");
    let name = match body.get("attributes") {
        None if body.get("attrs").is_some() => "attrs",
        _ => "attributes",
    };
    let given = body
        .objects(name)?
        .ok_or_else(|| Error::missing("attributes"))?;
    let mut attributes: Vec<Attribute> = Vec::with_capacity(ATTRIBUTES.len());
    for fields in given {
        let fields = Body::from(fields);
        let (name, value) = (
            fields.required_text("name")?,
            fields.required_text("value")?,
        );
        let is_usable = ATTRIBUTES.contains(&name)
            && attributes.iter().all(|known| known.name != name)
            && (1..=LENGTHS.1).contains(&value.chars().count())
            && !value.contains(is_refused);
        if !is_usable {
            return Err(refused());
        }
        attributes.push(Attribute {
            name: name.to_owned(),
            value: value.to_owned(),
        });
    }
    if attributes.len() != ATTRIBUTES.len() {
        return Err(refused());
    }
    Ok(attributes)
}
