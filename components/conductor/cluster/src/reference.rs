//! `/openapi.json` and `/docs`: the description of the whole application, for programs and for people.
//!
//! Both are made while the component is built, and held compressed.

use flate2::read::GzDecoder;
use std::io::Read;
use windlass_core::db::Db;
use windlass_core::{Context, Error, Request, Response, Result};

static DOCUMENT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/openapi.json.gz"));
static PAGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/openapi.html.gz"));
/// The hash of the page's style, which its policy allows.
const STYLE_HASH: &str = include_str!(concat!(env!("OUT_DIR"), "/style_hash.txt"));

/// `GET /openapi.json`: OpenAPI 3.1.
pub async fn document(ctx: &Context<impl Db>) -> Result<Response> {
    let answer = encoded(&ctx.request, "application/json", DOCUMENT)?;
    // Tools in a browser may read it from anywhere: it says nothing that is not public.
    Ok(answer.header("access-control-allow-origin", "*"))
}

/// `GET /docs`: the same as a page.
pub async fn page(ctx: &Context<impl Db>) -> Result<Response> {
    let policy = format!(
        "default-src 'none'; style-src '{STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let answer = encoded(&ctx.request, "text/html; charset=utf-8", PAGE)?;
    Ok(answer.header("content-security-policy", policy))
}

/// What is held compressed, as the client takes it.
fn encoded(request: &Request, content_type: &'static str, content: &[u8]) -> Result<Response> {
    let taken = request.get_header("accept-encoding").unwrap_or_default();
    let takes_gzip = taken.split(',').any(|one| {
        let (name, weight) = one.split_once(';').unwrap_or((one, "q=1"));
        let is_refused = matches!(weight.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000");
        matches!(name.trim(), "gzip" | "*") && !is_refused
    });
    let answer = if takes_gzip {
        Response::bytes(200, content_type, content.to_vec()).header("content-encoding", "gzip")
    } else {
        let mut plain = Vec::new();
        GzDecoder::new(content)
            .read_to_end(&mut plain)
            .map_err(Error::internal)?;
        Response::bytes(200, content_type, plain)
    };
    Ok(answer
        .header("vary", "accept-encoding")
        .header("cache-control", "no-cache"))
}
