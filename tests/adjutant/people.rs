//! The people of Adjutant's stories, and what they are told by mail.

use windlass_tests::{Caller, Options, Recorder, Reply, Value, Windlass, json};

/// A Windlass whose mail is recorded, and people with tokens.
pub struct Office {
    pub windlass: Windlass,
    pub mails: Recorder,
    admin: String,
}

impl Office {
    pub fn open() -> Self {
        let mails = Recorder::start();
        let windlass = Options::default()
            .variable("mail_url", &format!("{}/send", mails.url()))
            .variable("mail_from", "Harbour <desk@example.com>")
            .variable("public_url", "https://harbour.example.com")
            .start();
        let admin = windlass.admin().own_token();
        Self {
            windlass,
            mails,
            admin,
        }
    }

    pub fn anybody(&self) -> Caller<'_> {
        self.windlass.passer_by()
    }

    pub fn admin(&self) -> Caller<'_> {
        self.anybody().with_bearer(&self.admin)
    }

    /// Somebody signs up.
    pub fn sign_up(&self, email: &str, project: &str) -> Reply<'_> {
        let body = json!({ "email": email, "project_name": project });
        self.anybody().post("/v1/openstack/sign-up", body)
    }

    /// The newest task, as the administrator sees it.
    pub fn task(&self) -> Value {
        self.admin().get("/v1/tasks").expect(200)["tasks"][0].clone()
    }

    /// The administrator approves a task.
    pub fn approve(&self, task: &Value) -> Reply<'_> {
        let body = json!({ "approved": true });
        self.admin().post(&path("/v1/tasks", &task["uuid"]), body)
    }

    /// The token in the last mail to an address.
    pub fn mailed_token(&self, to: &str) -> String {
        self.windlass.run_pending_work();
        let mails = self.mails.requests();
        let mail = mails.iter().rev().find(|mail| mail.json["to"] == to);
        let mail = &mail.unwrap_or_else(|| panic!("no mail to {to}")).json;
        let text = mail["text"].as_str().expect("a text");
        let link = "https://harbour.example.com/account/token/";
        let (_, rest) = text
            .split_once(link)
            .unwrap_or_else(|| panic!("no link in {text}"));
        rest.split_whitespace().next().expect("a token").to_owned()
    }

    /// Somebody with an account of their own, made from the beginning: signed up, approved, with a
    /// password. Answers the token by which they call.
    pub fn newcomer(&self, email: &str, project: &str) -> String {
        self.sign_up(email, project).expect(202);
        self.approve(&self.task()).expect(200);
        let token = self.mailed_token(email);
        let body = json!({ "password": "correct horse" });
        self.anybody()
            .post(&format!("/v1/tokens/{token}"), body)
            .expect(200);
        self.log_in(email, "correct horse")
    }

    /// A token of a user who logs in to Conductor's API.
    pub fn log_in(&self, name: &str, password: &str) -> String {
        self.windlass.user(name).with_password(password).own_token()
    }
}

/// A path with an id.
pub fn path(base: &str, id: &Value) -> String {
    format!("{base}/{}", id.as_str().expect("an id"))
}
