//! Routing: from method and path to a handler.

use crate::context::Context;
use crate::db::Db;
use crate::error::{Error, Kind, Result};
use crate::limits;
use crate::response::Response;
use http::Method;
use std::pin::Pin;

/// A handler's answer under way.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Result<Response>> + 'a>>;

/// What answers a route.
pub type Handler<D> = for<'a> fn(&'a Context<D>) -> Answer<'a>;

/// One row of a component's route table.
pub struct Route<D: Db> {
    /// The method.
    pub method: Method,
    /// The pattern; parameters in braces.
    pub path: String,
    /// The pattern without its base, for the log.
    pub pattern: &'static str,
    /// What answers.
    pub handler: Handler<D>,
    /// The largest body it reads, in bytes.
    pub body_limit: usize,
    /// Whether the handler reads the body as it arrives, and limits it.
    pub is_streamed: bool,
}

impl<D: Db> Route<D> {
    /// A route that takes JSON bodies.
    pub fn new(method: Method, base: &str, pattern: &'static str, handler: Handler<D>) -> Self {
        let path = format!("{base}{pattern}");
        Self {
            method,
            path,
            pattern,
            handler,
            body_limit: limits::JSON_BODY,
            is_streamed: false,
        }
    }

    /// The same route for uploads, which the handler reads as they arrive.
    #[must_use]
    pub fn streamed(mut self) -> Self {
        self.is_streamed = true;
        self.body_limit = limits::UPLOAD_BODY;
        self
    }
}

/// Paths of the API that look like a thing of a resource and are another resource, which may not be
/// served yet. Until a route has such a path it is unknown, whatever the method: else somebody could
/// make a thing of this name, which nobody would reach any more once the resource is served.
const RESERVED: [&str; 1] = ["/api/v3.1/deployments/inter-deployment-dependencies"];

/// All routes of a component.
pub struct Router<D: Db> {
    tree: matchit::Router<Vec<Route<D>>>,
}

/// A route that was found, and what the path holds for its parameters.
pub struct Match<'r, D: Db> {
    /// The route.
    pub route: &'r Route<D>,
    /// Parameter names and decoded values.
    pub path: Vec<(String, String)>,
}

impl<D: Db> Router<D> {
    /// Builds the router of a route table.
    ///
    /// # Errors
    /// Internal, when two patterns contradict each other: a mistake in the table.
    pub fn new(routes: Vec<Route<D>>) -> Result<Self> {
        let mut by_path: Vec<(String, Vec<Route<D>>)> = Vec::new();
        for route in routes {
            match by_path.iter_mut().find(|(path, _)| *path == route.path) {
                Some((_, same)) => same.push(route),
                None => by_path.push((route.path.clone(), vec![route])),
            }
        }
        let mut tree = matchit::Router::new();
        for (path, routes) in by_path {
            tree.insert(&path, routes)
                .map_err(|error| Error::internal(format!("route {path}: {error}")))?;
        }
        Ok(Self { tree })
    }

    /// The route for a request.
    ///
    /// # Errors
    /// 404 for an unknown path, 405 naming the allowed methods for a known one.
    pub fn find(&self, method: &Method, path: &str) -> Result<Match<'_, D>> {
        // Clients that add a trailing slash mean the same resource.
        let trimmed = if path.len() > 1 {
            path.trim_end_matches('/')
        } else {
            path
        };
        let unknown = || Error::new(Kind::NotFound, format!("There is no `{path}` here"));
        let found = self.tree.at(trimmed).map_err(|_| unknown())?;
        if !found.params.is_empty() && is_reserved(trimmed) {
            return Err(unknown());
        }
        let wanted = if method == Method::HEAD {
            &Method::GET
        } else {
            method
        };
        let Some(route) = found.value.iter().find(|route| route.method == *wanted) else {
            let allowed: Vec<&str> = found
                .value
                .iter()
                .map(|route| route.method.as_str())
                .collect();
            return Err(Error::new(
                Kind::MethodNotAllowed,
                format!(
                    "The method {method} is not allowed here, only {}",
                    allowed.join(", ")
                ),
            )
            .allowing(&allowed));
        };
        let decode = |text: &str| {
            percent_encoding::percent_decode_str(text)
                .decode_utf8()
                .map(|text| text.into_owned())
        };
        let mut parameters = Vec::new();
        for (name, value) in found.params.iter() {
            let value = decode(value)
                .map_err(|_| Error::bad_parameters(format!("The path's `{name}` is not UTF-8")))?;
            parameters.push((name.to_owned(), value));
        }
        Ok(Match {
            route,
            path: parameters,
        })
    }
}

/// Whether a path, in whatever way its characters are written, belongs to another resource.
fn is_reserved(path: &str) -> bool {
    let path = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
    RESERVED.contains(&path.as_ref())
}

#[cfg(test)]
#[path = "router/tests.rs"]
mod tests;
