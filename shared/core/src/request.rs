//! A request as handlers see it: method, path, query, headers, body.

use crate::error::{Error, Kind, Result};
use crate::limits;
use crate::stream::BodyStream;
use http::Method;
use percent_encoding::percent_decode_str;

/// One HTTP request, its body read unless the route reads it itself.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path, still percent-encoded.
    pub path: String,
    /// The query's pairs in their order, decoded.
    pub query: Vec<(String, String)>,
    /// Header names (lower case) and values.
    pub headers: Vec<(String, String)>,
    /// The body; empty when there was none.
    pub body: Vec<u8>,
    /// The body of a route that is `streamed`.
    pub stream: BodyStream,
}

impl Request {
    /// A request without headers and body, for tests and internal calls.
    pub fn new(method: Method, path_and_query: &str) -> Self {
        let (path, query) = path_and_query
            .split_once('?')
            .unwrap_or((path_and_query, ""));
        Self {
            method,
            path: path.to_owned(),
            query: parse_query(query),
            headers: Vec::new(),
            body: Vec::new(),
            stream: BodyStream::default(),
        }
    }

    /// The same request with one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers
            .push((name.to_ascii_lowercase(), value.to_owned()));
        self
    }

    /// The first header of this name (lower case).
    pub fn get_header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// Where the client reached the application, as `https://host:port`: what the server in front of
    /// the component says. The client may have sent such a header itself, so the last one counts.
    pub fn origin(&self) -> Option<String> {
        let mut headers = self.headers.iter().rev();
        let (_, url) = headers.find(|(name, _)| name == "spin-full-url")?;
        let url = url.parse::<http::Uri>().ok()?;
        Some(format!("{}://{}", url.scheme()?, url.authority()?))
    }

    /// The first value of a query parameter.
    pub fn query_value(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// Every value of a query parameter, in order.
    pub fn query_values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.query
            .iter()
            .filter(move |(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// A query parameter that is true or false in any letter case: Python clients send `True`.
    ///
    /// # Errors
    /// 400 for anything else.
    pub fn query_bool(&self, name: &str) -> Result<Option<bool>> {
        self.query_value(name)
            .map(|text| parse_bool(name, text))
            .transpose()
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// 415 when the content type says it is something else, 400 when it is no JSON, 413 when it has too
    /// many values.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        self.demand_json()?;
        limits::check_values(&self.body)?;
        serde_json::from_slice(&self.body).map_err(|error| {
            if self.body.is_empty() {
                return Error::bad_parameters("The request must carry a JSON body");
            }
            Error::bad_parameters(format!(
                "The request body is not usable JSON: {}",
                without_values(&error)
            ))
        })
    }

    /// The body as JSON object; an absent body is an empty one.
    pub fn json_object(&self) -> Result<serde_json::Map<String, serde_json::Value>> {
        if self.body.is_empty() {
            return Ok(serde_json::Map::new());
        }
        match self.json()? {
            serde_json::Value::Object(object) => Ok(object),
            other => Err(Error::wrong_type("request body", "dict", &other)),
        }
    }

    fn demand_json(&self) -> Result<()> {
        let content_type = self
            .get_header("content-type")
            .unwrap_or("application/json");
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        if essence.eq_ignore_ascii_case("application/json") {
            return Ok(());
        }
        Err(Error::new(
            Kind::UnsupportedContentType,
            "Content type must be application/json",
        ))
    }
}

/// What is wrong with a body, without the value that was wrong: it could be a password, and
/// refusals go to the log.
fn without_values(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.split_once(", expected ") {
        Some((_, expected)) if error.is_data() => format!("expected {expected}"),
        _ => text,
    }
}

/// Reads a truth value as query strings and bodies of old clients carry it.
pub fn parse_bool(name: &str, text: &str) -> Result<bool> {
    if text.eq_ignore_ascii_case("true") {
        Ok(true)
    } else if text.eq_ignore_ascii_case("false") {
        Ok(false)
    } else {
        Err(Error::bad_parameters(format!(
            "{name} must be <true/false>, got {text}"
        )))
    }
}

/// Splits and decodes a query string; `+` is a space, broken escapes stay as they are.
pub fn parse_query(query: &str) -> Vec<(String, String)> {
    let decode = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
    };
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_decoded() {
        let request = Request::new(
            Method::GET,
            "/x?_sort=%2Bid&_include=a%2Cb&id=a&id=b+c&_all_tenants=True&%zz",
        );
        assert_eq!(request.query_value("_sort"), Some("+id"));
        assert_eq!(request.query_values("id").collect::<Vec<_>>(), ["a", "b c"]);
        assert_eq!(request.query_bool("_all_tenants").unwrap(), Some(true));
        let refusal = Request::new(Method::GET, "/x?force=1")
            .query_bool("force")
            .unwrap_err();
        assert_eq!(refusal.message(), "force must be <true/false>, got 1");
    }

    #[test]
    fn the_server_says_where_it_was_reached() {
        for (urls, want) in [
            (
                &["http://harbour.example:3000/v3?a=b"][..],
                Some("http://harbour.example:3000"),
            ),
            (&["https://[::1]/"], Some("https://[::1]")),
            (
                &["http://of.the.client/", "http://true.example/v3"],
                Some("http://true.example"),
            ),
            (&["/v3"], None),
            (&["http:///v3"], None),
            (&[], None),
        ] {
            let request = urls
                .iter()
                .fold(Request::new(Method::GET, "/v3"), |request, url| {
                    request.header("spin-full-url", url)
                });
            assert_eq!(request.origin().as_deref(), want, "{urls:?}");
        }
    }

    #[test]
    fn a_json_body_needs_a_json_content_type() {
        let mut request = Request::new(Method::POST, "/x").header("Content-Type", "text/plain");
        request.body = b"{}".to_vec();
        assert_eq!(
            request.json_object().unwrap_err().kind(),
            Kind::UnsupportedContentType
        );
        request.headers[0].1 = "application/json; charset=utf-8".into();
        assert!(request.json_object().unwrap().is_empty());
        request.body = b"{\"a\":".to_vec();
        assert!(
            request
                .json_object()
                .unwrap_err()
                .message()
                .contains("line 1 column 5")
        );
        request.body = b"[1]".to_vec();
        assert_eq!(
            request.json_object().unwrap_err().message(),
            "request body parameter is expected to be of type dict but is of type list"
        );
    }

    #[test]
    fn a_refused_body_is_not_repeated() {
        #[derive(Debug, serde::Deserialize)]
        struct Login {
            #[allow(dead_code, reason = "only read from JSON")]
            password: String,
        }
        for body in [
            r#"{"password": 8675309}"#,
            r#"{"password": ["8675309"]}"#,
            r#""8675309""#,
            r#"{"password": "8675309"#,
        ] {
            let mut request = Request::new(Method::POST, "/x");
            request.body = body.into();
            let refusal = request.json::<Login>().unwrap_err();
            assert!(!refusal.for_log().contains("8675309"), "{refusal:?}");
            assert_eq!(refusal.kind(), Kind::BadParameters, "{refusal:?}");
        }
    }
}
