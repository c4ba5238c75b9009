//! From a path to a component, with Spin's rules.
//!
//! `/a/b` is one path, `/a/...` everything below (and `/a` itself), `:name` one segment. Where several
//! match, the one that is more exact further to the left wins: text beats `:name`, which beats `...`.
//! A slash at the end of a path does not matter.

use anyhow::{Result, bail};
use http::{HeaderName, HeaderValue};
use std::collections::HashMap;

/// All public routes of the application.
#[derive(Default)]
pub struct Router {
    root: Node,
    routes: Vec<Route>,
}

/// One route.
pub struct Route {
    /// The component that answers.
    pub component: String,
    /// The route as spin.toml writes it.
    pub pattern: String,
    /// Headers that are the same for each request of this route.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// The route of a request, and what its wildcards took.
pub struct Match<'a> {
    /// The route.
    pub route: &'a Route,
    /// What `...` stands for, with a slash in front unless empty.
    pub path_info: String,
    /// What each `:name` stands for.
    pub captures: Vec<(&'a str, &'a str)>,
}

/// A segment of a pattern, for every route that begins alike.
#[derive(Default)]
struct Node {
    exact: HashMap<String, Node>,
    named: Option<Box<Node>>,
    /// The route that ends here, with the names of its `:name` segments.
    end: Option<(usize, Vec<String>)>,
    /// The route that goes on with `...` here.
    rest: Option<(usize, Vec<String>)>,
}

impl Route {
    /// A route of `component`; refuses what no request could mean.
    pub fn new(component: &str, pattern: &str) -> Result<Self> {
        if !pattern.starts_with('/') {
            bail!("route `{pattern}` of component `{component}`: a route starts with `/`");
        }
        let inner = pattern.strip_suffix("/...").unwrap_or(pattern);
        if inner.contains("...") || inner.contains('*') {
            bail!(
                "route `{pattern}` of component `{component}`: `...` may only stand at the end, after a `/`"
            );
        }
        if inner.split('/').any(|segment| segment == ":") {
            bail!("route `{pattern}` of component `{component}`: `:` needs a name");
        }
        let value = |text: &str| HeaderValue::from_str(text).map_err(anyhow::Error::from);
        Ok(Self {
            component: component.to_owned(),
            pattern: pattern.to_owned(),
            headers: vec![
                (
                    HeaderName::from_static("spin-matched-route"),
                    value(pattern)?,
                ),
                (HeaderName::from_static("spin-base-path"), value("/")?),
                (
                    HeaderName::from_static("spin-raw-component-route"),
                    value(pattern)?,
                ),
                (
                    HeaderName::from_static("spin-component-route"),
                    value(inner)?,
                ),
            ],
        })
    }
}

impl Router {
    /// Adds a route; refuses one that answers exactly the same paths as an earlier one.
    pub fn add(&mut self, route: Route) -> Result<()> {
        let (inner, wild) = match route.pattern.strip_suffix("/...") {
            Some(inner) => (inner, true),
            None => (route.pattern.as_str(), false),
        };
        let mut node = &mut self.root;
        let mut names = Vec::new();
        for segment in segments(inner) {
            node = match segment.strip_prefix(':') {
                Some(name) => {
                    names.push(name.to_owned());
                    node.named.get_or_insert_default()
                }
                None => node.exact.entry(segment.to_owned()).or_default(),
            };
        }
        let place = if wild { &mut node.rest } else { &mut node.end };
        if let Some((taken, _)) = place
            && let Some(taken) = self.routes.get(*taken)
        {
            bail!(
                "the routes `{}` (component `{}`) and `{}` (component `{}`) answer the same paths: remove one from spin.toml",
                taken.pattern,
                taken.component,
                route.pattern,
                route.component
            );
        }
        *place = Some((self.routes.len(), names));
        self.routes.push(route);
        Ok(())
    }

    /// The routes, in the order of spin.toml.
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// Finds the route for a path (without query).
    pub fn find<'a>(&'a self, path: &'a str) -> Option<Match<'a>> {
        let parts: Vec<&str> = segments(path).collect();
        let mut captured = Vec::new();
        let (&(index, ref names), rest) = self.root.find(&parts, &mut captured)?;
        let path_info = match rest {
            None => String::new(),
            Some(rest) => {
                let mut info = String::new();
                for part in parts.iter().skip(parts.len() - rest) {
                    info.push('/');
                    info.push_str(part);
                }
                if path.ends_with('/') {
                    info.push('/');
                }
                info
            }
        };
        Some(Match {
            route: self.routes.get(index)?,
            path_info,
            captures: names.iter().map(String::as_str).zip(captured).collect(),
        })
    }
}

/// A route with its names, and for `...` how many segments that stands for.
type Found<'n> = (&'n (usize, Vec<String>), Option<usize>);

impl Node {
    fn find<'n, 'p>(&'n self, parts: &[&'p str], captured: &mut Vec<&'p str>) -> Option<Found<'n>> {
        let Some((first, others)) = parts.split_first() else {
            let here = self.end.as_ref().map(|end| (end, None));
            return here.or_else(|| self.rest.as_ref().map(|rest| (rest, Some(parts.len()))));
        };
        if let Some(node) = self.exact.get(*first)
            && let Some(found) = node.find(others, captured)
        {
            return Some(found);
        }
        if let Some(node) = &self.named {
            captured.push(first);
            if let Some(found) = node.find(others, captured) {
                return Some(found);
            }
            captured.pop();
        }
        self.rest.as_ref().map(|rest| (rest, Some(parts.len())))
    }
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.strip_prefix('/').unwrap_or(path).split_terminator('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router(patterns: &[&str]) -> Router {
        let mut router = Router::default();
        for pattern in patterns {
            router.add(Route::new(pattern, pattern).unwrap()).unwrap();
        }
        router
    }

    #[test]
    fn the_more_exact_route_wins() {
        let router = router(&[
            "/...",
            "/api/v3.1/...",
            "/api/v3.1/blueprints/...",
            "/api/v3.1/blueprints",
            "/v1/tasks/:id",
            "/v1/tasks/:id/notes/...",
        ]);
        for (path, route, path_info) in [
            ("/", "/...", "/"),
            ("/other", "/...", "/other"),
            ("/api/v3.1", "/api/v3.1/...", ""),
            ("/api/v3.1/", "/api/v3.1/...", "/"),
            ("/api/v3.1/sites/x", "/api/v3.1/...", "/sites/x"),
            ("/api/v3.1/blueprints", "/api/v3.1/blueprints", ""),
            ("/api/v3.1/blueprints/", "/api/v3.1/blueprints", ""),
            ("/api/v3.1/blueprints/b/", "/api/v3.1/blueprints/...", "/b/"),
            ("/api/v3.1/blueprintsx", "/api/v3.1/...", "/blueprintsx"),
            ("/v1/tasks/7", "/v1/tasks/:id", ""),
            ("/v1/tasks/7/notes/a/b", "/v1/tasks/:id/notes/...", "/a/b"),
            ("/v1/tasks/7/other", "/...", "/v1/tasks/7/other"),
        ] {
            let found = router.find(path).unwrap();
            assert_eq!(found.route.pattern, route, "{path}");
            assert_eq!(found.path_info, path_info, "{path}");
        }
    }

    #[test]
    fn names_are_captured() {
        let router = router(&["/v1/:kind/:id"]);
        let found = router.find("/v1/tasks/7").unwrap();
        assert_eq!(found.captures, [("kind", "tasks"), ("id", "7")]);
        assert!(router.find("/v1/tasks").is_none());
        assert!(router.find("/").is_none());
    }

    #[test]
    fn the_same_paths_twice_are_refused() {
        for (first, second) in [("/a", "/a"), ("/a/...", "/a/..."), ("/:x", "/:y")] {
            let mut router = router(&[first]);
            let error = router.add(Route::new("b", second).unwrap()).unwrap_err();
            assert!(error.to_string().contains("same paths"), "{error}");
        }
    }

    #[test]
    fn bad_routes_are_refused() {
        for pattern in ["a", "/a...", "/a/.../b", "/*", "/:/x"] {
            assert!(Route::new("c", pattern).is_err(), "{pattern}");
        }
    }
}
