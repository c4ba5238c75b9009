use super::*;
use crate::db::NativeDb;

const METHODS: [Method; 6] = [
    Method::GET,
    Method::HEAD,
    Method::PUT,
    Method::POST,
    Method::PATCH,
    Method::DELETE,
];

fn router(served: &[(Method, &'static str)]) -> Router<NativeDb> {
    let handler: Handler<NativeDb> = |ctx| Box::pin(async { ctx.ok(()) });
    let route = |(method, pattern): &(Method, &'static str)| {
        Route::new(method.clone(), "/api/v3.1", pattern, handler)
    };
    Router::new(served.iter().map(route).collect()).unwrap()
}

fn kind(router: &Router<NativeDb>, method: &Method, path: &str) -> Option<Kind> {
    router.find(method, path).err().map(|error| error.kind())
}

#[test]
fn a_path_of_another_resource_is_unknown_until_it_is_served() {
    let one = "/deployments/{deployment_id}";
    let below = "/deployments/{deployment_id}/outputs";
    let router = router(&[(Method::GET, one), (Method::PUT, one), (Method::GET, below)]);
    for path in [
        "/api/v3.1/deployments/inter-deployment-dependencies",
        "/api/v3.1/deployments/inter-deployment-dependencies/",
        "/api/v3.1/deployments/inter%2Ddeployment-dependencies",
        "/api/v3.1/deployments/inter%2ddeployment%2Ddependencies",
    ] {
        for method in METHODS {
            let kind = kind(&router, &method, path);
            assert_eq!(kind, Some(Kind::NotFound), "{method} {path}");
        }
    }
    for path in [
        "/api/v3.1/deployments/inter-deployment-dependencies-2",
        "/api/v3.1/deployments/Inter-deployment-dependencies",
        "/api/v3.1/deployments/inter-deployment",
        "/api/v3.1/deployments/north/outputs",
    ] {
        assert_eq!(kind(&router, &Method::GET, path), None, "{path}");
    }
}

#[test]
fn a_reserved_path_that_is_served_is_found() {
    let own = "/deployments/inter-deployment-dependencies";
    let router = router(&[
        (Method::GET, "/deployments/{deployment_id}"),
        (Method::PUT, own),
    ]);
    let path = format!("/api/v3.1{own}");
    let found = router.find(&Method::PUT, &path).unwrap();
    assert_eq!(found.route.pattern, own);
    let kind = kind(&router, &Method::GET, &path);
    assert_eq!(kind, Some(Kind::MethodNotAllowed), "no deployment either");
}

#[test]
fn what_is_below_a_thing_and_not_served_is_unknown() {
    let router = router(&[
        (Method::GET, "/executions"),
        (Method::GET, "/executions/{execution_id}"),
        (Method::GET, "/executions/{execution_id}/should-start"),
    ]);
    for path in [
        "/api/v3.1/executions/e1/start",
        "/api/v3.1/executions/e1/should-start/now",
        "/api/v3.1/execution",
    ] {
        let kind = kind(&router, &Method::GET, path);
        assert_eq!(kind, Some(Kind::NotFound), "{path}");
    }
}
