//! The public pages: how everything is, what happened, how available it was.
//!
//! Everybody may read them. Each is made of a few statements, kept by the instance until something
//! changes or the minute is over (`page_cache`), and sent with an ETag: what a visitor waits for is
//! mostly one small read.

mod availability;
mod badge;
mod components;
mod history;
mod home;
mod incident;
mod page_cache;
mod response_times;
mod statuspage;
mod summary;

pub use availability::availability;
pub use badge::badge;
pub use history::history;
pub use home::status;
pub use incident::{incident, incidents};
pub use response_times::response_times;
pub use statuspage::{status_only as statuspage_status, summary as statuspage_summary};
pub use summary::summary;

use crate::view;
use maud::{Markup, html};
use windlass_core::db::Db;
use windlass_core::{Context, Response, Result};
use windlass_status::overview::Listed;

/// `GET /status/favicon.svg`: the icon in a browser's tab.
pub async fn favicon(_ctx: &Context<impl Db>) -> Result<Response> {
    let icon = include_str!("assets/favicon.svg");
    Ok(
        Response::bytes(200, "image/svg+xml", icon)
            .header("cache-control", "public, max-age=86400"),
    )
}

/// `GET /status/times.js`: what shows times in the visitor's zone.
pub async fn times(_ctx: &Context<impl Db>) -> Result<Response> {
    let script = include_str!("assets/times.js");
    let response = Response::bytes(200, "text/javascript; charset=utf-8", script);
    Ok(response
        .header("cache-control", "public, max-age=3600")
        .header("x-content-type-options", "nosniff"))
}

/// `GET /status/{page}`: what a visitor finds who mistyped an address.
pub async fn not_found(ctx: &Context<impl Db>) -> Result<Response> {
    view::brand::load().await;
    let text = format!("There is nothing at {}.", ctx.request.path);
    Ok(view::error_page(404, "Page not found", &text))
}

/// The region that a request asks for; nothing when it is for all of them.
fn region_of<D: Db>(ctx: &Context<D>) -> Option<&str> {
    let region = ctx.request.query_value("region");
    region.filter(|region| !region.is_empty())
}

/// The page for a region that no component is in.
fn no_region(region: &str) -> Response {
    let text = format!("No component is in a region called {region}.");
    view::error_page(404, "Region not found", &text)
}

/// The regions of components, in the order of the catalogue.
fn regions(components: &[Listed]) -> Vec<&str> {
    let mut regions: Vec<&str> = Vec::new();
    for region in components.iter().filter_map(|c| c.region.as_deref()) {
        if !regions.contains(&region) {
            regions.push(region);
        }
    }
    regions
}

/// Links to a page for each region. They are plain links: each view has an address of its own.
fn tabs(page: &str, regions: &[&str], selected: Option<&str>) -> Markup {
    let current = |is_current: bool| is_current.then_some("true");
    html! {
        @if regions.len() > 1 {
            nav.tabs aria-label="Regions" {
                a href=(page) aria-current=[current(selected.is_none())] { "All regions" }
                @for region in regions {
                    a href={ (page) "?region=" (view::in_query(region)) }
                        aria-current=[current(selected == Some(*region))] { bdi { (region) } }
                }
            }
        }
    }
}
