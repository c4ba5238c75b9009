//! `/license`: clients of the premium edition ask for one before they upload, and operators' scripts
//! send theirs.
//!
//! None is needed here, so nothing is refused for want of one, and an expired one changes nothing. What
//! was sent is kept and shown. Whether its signature is right only the issuer of the original can tell.

mod file;

use serde_json::{Value, json};
use windlass_core::db::Db;
use windlass_core::list::{Page, Paging};
use windlass_core::{Body, Context, Error, Permission, Response, Result, Timestamp, limits};
use windlass_store::license::{self, License};

/// `GET /license`: the license that was uploaded, as a list of one, or of none.
pub async fn list(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_anywhere(Permission::LicenseList)?;
    let paging = Paging::parse(&ctx.request, limits::PAGE_SIZE)?;
    let license = license::find(&ctx.db, &scope).await?;
    let total = license.iter().len();
    let first_page = paging.offset == 0 && paging.size > 0;
    let items: Vec<Value> = license.iter().filter(|_| first_page).map(shown).collect();
    Ok(Page::of(items, total).respond_unfiltered(paging))
}

/// `PUT /license`: keeps the license of a file in place of the one before. The body is the file, whatever
/// its content type says.
pub async fn upload(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_everywhere(Permission::LicenseUpload)?;
    let license = file::read(&ctx.request.body)?;
    ctx.db
        .transaction(async |tx| license::replace(tx, &scope, &license).await)
        .await?;
    ctx.ok(shown(&license))
}

/// `POST /license`: the license of the community edition, for the customer id that `/contacts` answered.
/// One that was uploaded stays.
///
/// # Errors
/// 409 when there is one.
pub async fn register(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_everywhere(Permission::LicenseUpload)?;
    let body = Body::of(ctx)?;
    let license = License {
        customer_id: body.required_text("customer_id")?.to_owned(),
        expiration_date: None,
        license_edition: "Community".to_owned(),
        trial: false,
        cloudify_version: None,
        capabilities: None,
    };
    ctx.db
        .transaction(async |tx| match license::find(tx, &scope).await? {
            Some(_) => Err(Error::conflict("There is a license already")),
            None => license::replace(tx, &scope, &license).await,
        })
        .await?;
    ctx.ok(shown(&license))
}

/// `DELETE /license`: takes the license away, if there is one.
pub async fn delete(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_everywhere(Permission::LicenseRemove)?;
    ctx.db
        .transaction(async |tx| license::remove(tx, &scope).await)
        .await?;
    Ok(Response::empty(204))
}

/// `GET /license-check`: whether work may go on, for whoever has logged in.
pub async fn check(ctx: &Context<impl Db>) -> Result<Response> {
    ctx.allow_everybody()?;
    Ok(Response::json_text(200, "\"OK\""))
}

fn shown(license: &License) -> Value {
    let mut shown = json!(license);
    if let Value::Object(fields) = &mut shown {
        let expired = license.has_expired(Timestamp::now());
        fields.insert("expired".into(), expired.into());
    }
    shown
}
