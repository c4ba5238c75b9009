//! `/domains`: there is one.

use crate::lists::{answer, answer_one};
use crate::refusals::{could_not_find, demand_login};
use serde_json::{Value, json};
use windlass_core::db::Db;
use windlass_core::{Context, Response, Result};
use windlass_identity::keystone::{DOMAIN_ID, DOMAIN_NAME, Part, is_domain};

fn domain() -> Value {
    json!({
        "id": DOMAIN_ID,
        "name": DOMAIN_NAME,
        "description": "All users and projects",
        "enabled": true,
        "tags": [],
        "options": {},
    })
}

fn domains(are_wanted: bool) -> Part {
    Part {
        items: are_wanted.then(domain).into_iter().collect(),
        has_more: false,
    }
}

/// `GET /domains`: the one domain, unless another name is asked for.
pub async fn list(ctx: &Context<impl Db>) -> Result<Response> {
    demand_login(ctx, "identity:list_domains")?;
    let is_wanted = ctx.request.query_value("name").is_none_or(is_domain);
    answer(ctx, "domains", domains(is_wanted)).await
}

/// `GET /domains/{domain_id}`. The id is not the name: clients ask for both, and look at what they get.
pub async fn get(ctx: &Context<impl Db>) -> Result<Response> {
    demand_login(ctx, "identity:get_domain")?;
    match ctx.path("domain_id") {
        DOMAIN_ID => answer_one(ctx, "domain", "domains", domain()).await,
        id => Err(could_not_find("domain", id)),
    }
}

/// `GET /auth/domains`: those that the caller's session could be about.
pub async fn list_own(ctx: &Context<impl Db>) -> Result<Response> {
    demand_login(ctx, "identity:get_auth_domains")?;
    answer(ctx, "domains", domains(ctx.caller()?.is_admin())).await
}
