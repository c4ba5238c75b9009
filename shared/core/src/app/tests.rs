use super::*;
use crate::db::NativeDb;
use crate::router::{Answer, Route};
use http::Method;

struct Nobody;

impl Identity for Nobody {
    async fn prepare(_: &impl Db) -> Result<()> {
        Ok(())
    }

    async fn authenticate(_: &impl Db, _: Family, _: &Request) -> Result<Identified> {
        Err(Error::unauthorized("Nobody is known here"))
    }
}

fn echo<D: Db>(ctx: &Context<D>) -> Answer<'_> {
    Box::pin(async {
        let object = ctx.json_object()?;
        ctx.ok(object)
    })
}

fn answer(request: Request) -> Response {
    let routes = [Method::GET, Method::POST].map(|method| Route::new(method, "", "/thing", echo));
    let router = Router::new(routes.into()).unwrap();
    let db = NativeDb::in_memory();
    let id = String::new();
    let answer = handle::<Nobody, _>(&router, db, Family::Conductor, request, id);
    pollster::block_on(answer)
}

#[test]
fn a_browser_that_finds_nothing_gets_a_page_and_a_program_json() {
    let browser = "text/html,application/xhtml+xml,*/*;q=0.8";
    for (method, accept, path, status, is_page) in [
        (Method::GET, browser, "/nowhere", 404, true),
        (Method::GET, "Text/HTML", "/nowhere", 404, true),
        (Method::GET, "*/*", "/nowhere", 404, false),
        (Method::GET, "", "/nowhere", 404, false),
        (Method::POST, browser, "/nowhere", 404, false),
        (Method::DELETE, browser, "/thing", 405, false),
        (Method::GET, browser, "/thing", 200, false),
    ] {
        let answer = answer(Request::new(method.clone(), path).header("accept", accept));
        let kind = answer
            .headers
            .iter()
            .find(|(name, _)| *name == "content-type");
        let is_html = kind.is_some_and(|(_, kind)| kind.starts_with("text/html"));
        let told = format!("{method} {path} {accept}");
        assert_eq!((answer.status, is_html), (status, is_page), "{told}");
        let text = String::from_utf8(answer.body).unwrap();
        assert_eq!(text.contains("href=\"/status\""), is_page, "{told}: {text}");
    }
    let head = Request::new(Method::HEAD, "/nowhere").header("accept", browser);
    assert!(answer(head).body.is_empty());
}

#[test]
fn a_coded_body_is_refused_by_the_name_of_its_coding() {
    let post = |coding: &str| {
        let mut request = Request::new(Method::POST, "/thing").header("content-encoding", coding);
        request.body = b"{}".to_vec();
        answer(request)
    };
    for coding in ["gzip", "br", "x-gzip", "identity, gzip"] {
        let refusal = post(coding);
        let text = String::from_utf8(refusal.body).unwrap();
        assert_eq!(refusal.status, 415, "{coding}: {text}");
        assert!(text.contains(&format!("`{coding}`")), "{coding}: {text}");
    }
    for coding in ["", "identity", "Identity "] {
        assert_eq!(post(coding).status, 200, "{coding}");
    }
    // A GET has no body, whatever its head says.
    let get = Request::new(Method::GET, "/thing").header("content-encoding", "gzip");
    assert_eq!(answer(get).status, 200);
}

#[test]
fn every_answer_keeps_browsers_and_caches_in_bounds() {
    let value = |answer: &Response, wanted: &str| {
        let named = answer.headers.iter().filter(|(name, _)| *name == wanted);
        named.map(|(_, value)| value.clone()).collect::<Vec<_>>()
    };
    let browser = "text/html";
    for (method, accept, path, status, cache) in [
        (Method::GET, "", "/thing", 200, "no-store"),
        (Method::HEAD, "", "/thing", 200, "no-store"),
        (Method::DELETE, "", "/thing", 405, "no-store"),
        (Method::GET, "", "/nowhere", 404, "no-store"),
        // What an answer says itself is left alone.
        (Method::GET, browser, "/nowhere", 404, "no-cache"),
    ] {
        let answer = answer(Request::new(method.clone(), path).header("accept", accept));
        let told = format!("{method} {path} {accept}");
        assert_eq!(answer.status, status, "{told}");
        assert_eq!(value(&answer, "cache-control"), [cache], "{told}");
        assert_eq!(
            value(&answer, "x-content-type-options"),
            ["nosniff"],
            "{told}"
        );
        let policy = "default-src 'none'; frame-ancestors 'none'";
        assert_eq!(
            value(&answer, "content-security-policy"),
            [policy],
            "{told}"
        );
    }
}

#[test]
fn a_page_of_another_site_changes_nothing_with_a_remembered_password() {
    let (basic, bearer) = ("Basic YWRtaW46eA==", "Bearer x");
    for (method, site, proof, status) in [
        (Method::POST, "cross-site", basic, 403),
        (Method::POST, "same-site", "basic YWRtaW46eA==", 403),
        (Method::POST, "same-origin", basic, 200),
        (Method::POST, "none", basic, 200),
        // Programs say nothing of sites, and a token is not sent by itself.
        (Method::POST, "", basic, 200),
        (Method::POST, "cross-site", bearer, 200),
        (Method::POST, "cross-site", "", 200),
        (Method::GET, "cross-site", basic, 200),
    ] {
        let mut request = Request::new(method.clone(), "/thing");
        for (name, value) in [("sec-fetch-site", site), ("authorization", proof)] {
            if !value.is_empty() {
                request = request.header(name, value);
            }
        }
        let told = format!("{method} from {site} with {proof}");
        assert_eq!(answer(request).status, status, "{told}");
    }
}
