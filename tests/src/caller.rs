//! Who calls, and what they are answered.

use crate::archive::Archive;
use crate::http::{Answer, Outgoing};
use crate::people;
use crate::windlass::Windlass;
use base64::Engine as _;
use serde_json::Value;

/// The base of Conductor's API.
const BASE: &str = "/api/v3.1";

/// Somebody who calls a Windlass: a value, cheap to copy.
#[derive(Clone, Copy)]
pub struct Caller<'a> {
    windlass: &'a Windlass,
    login: Option<(&'a str, &'a str)>,
    token: Option<&'a str>,
    bearer: Option<&'a str>,
    tenant: Option<&'a str>,
    base: &'a str,
}

impl<'a> Caller<'a> {
    pub(crate) fn new(
        windlass: &'a Windlass,
        login: Option<(&'a str, &'a str)>,
        tenant: Option<&'a str>,
    ) -> Self {
        Self {
            windlass,
            login,
            token: None,
            bearer: None,
            tenant,
            base: BASE,
        }
    }

    /// The same caller with the tenant role `user` in this tenant; both are made if needed.
    #[must_use]
    pub fn in_tenant(self, tenant: &'a str) -> Self {
        self.with_role_in("user", tenant)
    }

    /// The same caller with this role in this tenant; both are made if needed.
    #[must_use]
    pub fn with_role_in(self, role: &str, tenant: &'a str) -> Self {
        if let Some((name, _)) = self.login {
            people::ensure(self.windlass, name, role, tenant);
        }
        self.naming_tenant(tenant)
    }

    /// The same caller with this role in the system, in no tenant by it.
    #[must_use]
    pub fn with_system_role(self, role: &str) -> Self {
        if let Some((name, _)) = self.login {
            people::ensure_in_system(self.windlass, name, role);
        }
        self
    }

    /// The same caller who names this tenant, member or not, whether it exists or not.
    #[must_use]
    pub fn naming_tenant(self, tenant: &'a str) -> Self {
        Self {
            tenant: Some(tenant),
            ..self
        }
    }

    /// The same caller without a tenant.
    #[must_use]
    pub fn without_tenant(self) -> Self {
        Self {
            tenant: None,
            ..self
        }
    }

    /// The same caller with another password.
    #[must_use]
    pub fn with_password(self, password: &'a str) -> Self {
        Self {
            login: self.login.map(|(name, _)| (name, password)),
            ..self
        }
    }

    /// The same caller, who shows a token instead of a password.
    #[must_use]
    pub fn with_token(self, token: &'a str) -> Self {
        Self {
            login: None,
            token: Some(token),
            ..self
        }
    }

    /// The same caller, who shows a token as the other families' clients do.
    #[must_use]
    pub fn with_bearer(self, token: &'a str) -> Self {
        Self {
            login: None,
            token: None,
            bearer: Some(token),
            ..self
        }
    }

    /// The same caller, whose paths are taken as they are: those of the other families.
    #[must_use]
    pub fn at_root(self) -> Self {
        Self { base: "", ..self }
    }

    /// Reads.
    pub fn get(self, path: &str) -> Reply<'a> {
        self.request("GET", path, None, None)
    }

    /// Writes JSON with PUT.
    pub fn put(self, path: &str, json: Value) -> Reply<'a> {
        self.json("PUT", path, &json)
    }

    /// Writes JSON with POST.
    pub fn post(self, path: &str, json: Value) -> Reply<'a> {
        self.json("POST", path, &json)
    }

    /// Writes JSON with PATCH.
    pub fn patch(self, path: &str, json: Value) -> Reply<'a> {
        self.json("PATCH", path, &json)
    }

    /// Deletes.
    pub fn delete(self, path: &str) -> Reply<'a> {
        self.request("DELETE", path, None, None)
    }

    /// Sends bytes with a method and a content type, as a broken client would.
    pub fn raw(
        self,
        method: &str,
        path: &str,
        content_type: &str,
        body: impl Into<Vec<u8>>,
    ) -> Reply<'a> {
        self.request(method, path, Some(content_type), Some(body.into()))
    }

    /// A token of the caller's own, which the other families take, too.
    pub fn own_token(self) -> String {
        let token = self.post("/api/v3.1/tokens", serde_json::json!({}));
        let token = token.expect(200);
        token["value"].as_str().expect("a token").to_owned()
    }

    /// Starts a workflow; its execution.
    pub fn execute(self, deployment: &str, workflow: &str) -> Value {
        let body = serde_json::json!({ "deployment_id": deployment, "workflow_id": workflow });
        self.post("/executions", body).expect(201)
    }

    /// Uploads a blueprint made of files. Each name is the path within the blueprint's folder.
    pub fn upload(self, id: &str, main_file: &str, files: &[(&str, &str)]) -> Reply<'a> {
        let archive = Archive::blueprint(files).tar_gz();
        self.upload_archive(id, main_file, archive)
    }

    /// Uploads the bytes of an archive as the current Python client does: as multipart form.
    pub fn upload_archive(self, id: &str, main_file: &str, archive: Vec<u8>) -> Reply<'a> {
        let params = serde_json::json!({ "application_file_name": main_file });
        self.upload_form(id, &params, archive)
    }

    /// The same with any parameters.
    pub fn upload_form(self, id: &str, params: &Value, archive: Vec<u8>) -> Reply<'a> {
        let (content_type, body) = form(params.to_string().as_bytes(), Some(&archive));
        self.raw("PUT", &format!("/blueprints/{id}"), content_type, body)
    }

    /// Uploads a blueprint whose archive is elsewhere: a form of parameters alone.
    pub fn upload_params(self, id: &str, params: &Value) -> Reply<'a> {
        let (content_type, body) = form(params.to_string().as_bytes(), None);
        self.raw("PUT", &format!("/blueprints/{id}"), content_type, body)
    }

    fn json(self, method: &str, path: &str, json: &Value) -> Reply<'a> {
        self.raw(method, path, "application/json", json.to_string())
    }

    fn request(
        self,
        method: &str,
        path: &str,
        content_type: Option<&str>,
        body: Option<Vec<u8>>,
    ) -> Reply<'a> {
        let request = self.compose(method, path, content_type, body);
        let answer = self.windlass.send(&request);
        Reply {
            windlass: self.windlass,
            request: format!("{method} {path}"),
            answer,
        }
    }

    /// Sends a request as it is.
    pub fn send(self, request: &Outgoing) -> Answer {
        self.windlass.send(request)
    }

    /// What the caller is called; empty without a user name.
    pub fn name(self) -> &'a str {
        self.login.map_or("", |(name, _)| name)
    }

    /// The request as it would be sent.
    pub fn compose(
        self,
        method: &str,
        path: &str,
        content_type: Option<&str>,
        body: Option<Vec<u8>>,
    ) -> Outgoing {
        let mut headers = Vec::new();
        if let Some((name, password)) = self.login {
            let secret =
                base64::engine::general_purpose::STANDARD.encode(format!("{name}:{password}"));
            headers.push(("authorization".to_owned(), format!("Basic {secret}")));
        }
        if let Some(token) = self.token {
            headers.push(("authentication-token".to_owned(), token.to_owned()));
        }
        if let Some(token) = self.bearer {
            headers.push(("authorization".to_owned(), format!("Bearer {token}")));
        }
        if let Some(tenant) = self.tenant {
            headers.push(("tenant".to_owned(), tenant.to_owned()));
        }
        if let Some(content_type) = content_type {
            headers.push(("content-type".to_owned(), content_type.to_owned()));
        }
        // A path with its base is taken as it is.
        let path = if path.starts_with("/api/") {
            path.to_owned()
        } else {
            format!("{}{path}", self.base)
        };
        Outgoing {
            method: method.to_owned(),
            path,
            headers,
            body,
        }
    }
}

/// A form as the Python client sends it: its content type and its body.
pub(crate) fn form(params: &[u8], archive: Option<&[u8]>) -> (&'static str, Vec<u8>) {
    let part = b"--a-boundary-that-no-archive-holds\r\ncontent-disposition: form-data; name=";
    let mut body = [part, b"\"params\"\r\n\r\n".as_slice(), params, b"\r\n"].concat();
    if let Some(archive) = archive {
        let head =
            b"\"blueprint_archive\"; filename=\"filename\"\r\ncontent-type: text/plain\r\n\r\n";
        for bytes in [part, head.as_slice(), archive, b"\r\n"] {
            body.extend_from_slice(bytes);
        }
    }
    body.extend_from_slice(b"--a-boundary-that-no-archive-holds--\r\n");
    let content_type = "multipart/form-data; boundary=a-boundary-that-no-archive-holds";
    (content_type, body)
}

/// An answer, to be told what it is expected to be.
#[must_use = "every call of a story says the status it expects"]
pub struct Reply<'a> {
    windlass: &'a Windlass,
    request: String,
    answer: Answer,
}

impl Reply<'_> {
    /// The body as JSON, null when it is empty. Any other status fails the story.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        let answer = self.expect_answer(status);
        if answer.body.is_empty() {
            return Value::Null;
        }
        let text = String::from_utf8_lossy(&answer.body);
        serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("the answer is no JSON ({error}): {text}"))
    }

    /// The whole answer. Any other status fails the story.
    #[track_caller]
    pub fn expect_answer(self, status: u16) -> Answer {
        if self.answer.status != status {
            panic!(
                "{} answered {} instead of {status}: {}\n{}",
                self.request,
                self.answer.status,
                self.text(),
                self.windlass.tail()
            );
        }
        self.answer
    }

    /// A refusal with this status and code, in the whole shape that clients need; its message.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> String {
        let request = self.request.clone();
        let body = self.expect(status);
        assert_eq!(body["error_code"], code, "{request}: {body}");
        assert!(
            body.get("server_traceback").is_some_and(Value::is_null),
            "{request}: {body}"
        );
        body["message"]
            .as_str()
            .unwrap_or_else(|| panic!("{request}: no message in {body}"))
            .to_owned()
    }

    /// The status, where several are right.
    pub fn status(&self) -> u16 {
        self.answer.status
    }

    /// The beginning of the body as text, whatever the status.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.answer.body)
            .chars()
            .take(1000)
            .collect()
    }
}
