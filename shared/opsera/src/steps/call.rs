//! Calling tools: what all kinds have in common, and the plain webhook.

use super::job::Job;
use super::{Outcome, POLLS, Turn};
use crate::secrets;
use crate::tools::Tool;
use crate::tools::probe;
use serde_json::{Map, Value as Json};
use windlass_core::Timestamp;
use windlass_core::outbound::{Outbound, OutboundRequest, OutboundResponse};
use windlass_engine::http_plugin;
use windlass_engine::step::Outcome as Called;

/// The most bytes of an answer that are read as JSON.
const READ: usize = 4 << 20;

/// The most bytes of console output that one turn takes.
pub const CONSOLE_AT_ONCE: usize = 512 << 10;

/// A step's turn at its tool.
pub struct Call<'a, O> {
    /// The step.
    pub job: &'a Job,
    /// Its tool; an empty one when it has none.
    pub tool: &'a Tool,
    /// Its configuration, filled.
    pub configuration: &'a Map<String, Json>,
    /// What no log may show.
    pub secrets: &'a [String],
    /// The network.
    pub outbound: &'a O,
    /// Whether private addresses may be called.
    pub allow_private: bool,
    /// The moment.
    pub now: Timestamp,
}

/// What a tool answered, or why the step cannot go on.
pub type Answered<T> = Result<T, Outcome>;

impl<O: Outbound> Call<'_, O> {
    /// A text of the configuration; numbers count as text.
    pub fn text(&self, name: &str) -> Option<String> {
        match self.configuration.get(name)? {
            Json::String(text) if text.trim().is_empty() => None,
            Json::String(text) => Some(text.trim().to_owned()),
            Json::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// A text that the configuration must have.
    pub fn required(&self, name: &str) -> Answered<String> {
        let text = self.text(name);
        text.ok_or_else(|| Outcome::hopeless(format!("{name} must be a text")))
    }

    /// An object of the configuration; empty where it has none.
    pub fn object(&self, name: &str) -> Answered<Map<String, Json>> {
        match self.configuration.get(name) {
            None | Some(Json::Null) => Ok(Map::new()),
            Some(Json::Object(fields)) => Ok(fields.clone()),
            Some(_) => Err(Outcome::hopeless(format!("{name} must be an object"))),
        }
    }

    /// Calls the tool. Answers of 5xx, and none, may be better at another try.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<&Json>,
    ) -> Answered<OutboundResponse> {
        let request = probe::request(self.tool, method, path, body, self.allow_private);
        let mut request = request.map_err(Outcome::hopeless)?;
        if method != "GET" {
            request
                .headers
                .push(("idempotency-key".into(), self.job.id.clone()));
        }
        self.send_as_is(request).await
    }

    /// Sends a request and reads the answer.
    pub async fn send_as_is(&self, request: OutboundRequest) -> Answered<OutboundResponse> {
        let what = request
            .url
            .split(['?', '#'])
            .next()
            .unwrap_or_default()
            .to_owned();
        let answer = self.outbound.send(request).await;
        let answer = answer.map_err(|why| Outcome::failed(format!("{what}: {why}")))?;
        Ok(answer)
    }

    /// Calls the tool and reads JSON.
    pub async fn ask(&self, method: &str, path: &str, body: Option<&Json>) -> Answered<Json> {
        let answer = self.send(method, path, body).await?;
        self.json(&answer, path)
    }

    /// The JSON of an answer.
    pub fn json(&self, answer: &OutboundResponse, path: &str) -> Answered<Json> {
        self.demand_good(answer, path)?;
        if answer.body.len() > READ {
            let why = format!("{} answered more than {READ} bytes of JSON", self.tool.name);
            return Err(Outcome::failed(why));
        }
        serde_json::from_slice(&answer.body).map_err(|error| {
            Outcome::failed(format!(
                "{} answered no JSON to {path}: {error}",
                self.tool.name
            ))
        })
    }

    /// Refuses an answer that is no success.
    pub fn demand_good(&self, answer: &OutboundResponse, path: &str) -> Answered<()> {
        if (200..300).contains(&answer.status) {
            return Ok(());
        }
        let why = probe::refusal(self.tool, path, answer);
        // What was wrong with the request stays wrong, but for what is only there for a while.
        Err(match answer.status {
            400..=499 if !matches!(answer.status, 404 | 408 | 409 | 425 | 429) => {
                Outcome::hopeless(why)
            }
            _ => Outcome::failed(why),
        })
    }

    /// Asks again later: the longer it takes, the more seldom.
    pub fn later(&self, mut external: Json) -> Outcome {
        let polls = external.get("polls").and_then(Json::as_u64).unwrap_or(0);
        if let Some(fields) = external.as_object_mut() {
            fields.insert("polls".into(), (polls + 1).into());
        }
        let (least, most) = POLLS;
        let wait = most.min(least << polls.min(8));
        Outcome::Pending {
            external,
            at: self.now.plus_millis(wait),
        }
    }

    /// The same turn without what no log may show.
    pub fn hidden(&self, turn: Turn) -> Turn {
        let hide = |text: &str| secrets::hide(text, self.secrets);
        let outcome = match turn.outcome {
            Outcome::Failed { why, may_retry } => Outcome::Failed {
                why: hide(&why),
                may_retry,
            },
            Outcome::Succeeded { outputs, message } => Outcome::Succeeded {
                outputs: self.hidden_outputs(outputs),
                message: hide(&message),
            },
            other => other,
        };
        Turn {
            outcome,
            console: hide(&turn.console),
        }
    }

    fn hidden_outputs(&self, outputs: Map<String, Json>) -> Map<String, Json> {
        let text = Json::Object(outputs.clone()).to_string();
        let hidden = secrets::hide(&text, self.secrets);
        if hidden == text {
            return outputs;
        }
        serde_json::from_str(&hidden).unwrap_or_default()
    }

    /// Calls a URL: the tool's, or the step's own.
    pub async fn webhook(&self) -> Turn {
        let inputs = match self.inputs() {
            Ok(inputs) => inputs,
            Err(outcome) => return outcome.into(),
        };
        let prepared = http_plugin::prepare(&self.job.id, &inputs, self.allow_private);
        let exchange = match prepared {
            Ok(exchange) => exchange,
            Err(error) => return Outcome::hopeless(error.message).into(),
        };
        let answer = self.outbound.send(exchange.request.clone()).await;
        let console = answer.as_ref().map_or(String::new(), |answer| {
            let body = answer.body.get(..CONSOLE_AT_ONCE).unwrap_or(&answer.body);
            String::from_utf8_lossy(body).replace('\0', "")
        });
        let outcome = match http_plugin::conclude(&exchange, answer) {
            Called::Succeeded {
                result,
                runtime_properties,
            } => Outcome::Succeeded {
                outputs: runtime_properties,
                message: format!("answered {result}"),
            },
            Called::Failed(error) if error.recoverable => Outcome::failed(error.message),
            Called::Failed(error) => Outcome::hopeless(error.message),
            Called::Rescheduled(_) => Outcome::hopeless("a webhook is not put off"),
        };
        Turn { outcome, console }
    }

    /// The inputs of the HTTP plugin, whose rules these are.
    fn inputs(&self) -> Answered<Map<String, Json>> {
        let mut inputs = Map::new();
        for (ours, theirs) in [
            ("method", "method"),
            ("body", "body"),
            ("expected_status", "expected_status"),
            ("timeout_seconds", "timeout_seconds"),
            ("outputs", "runtime_properties"),
        ] {
            if let Some(value) = self.configuration.get(ours) {
                inputs.insert(theirs.into(), value.clone());
            }
        }
        inputs.entry("method").or_insert_with(|| "POST".into());
        let own = self.text("url");
        let has_tool = self.job.step.tool_id.is_some();
        let url = match (own, has_tool) {
            // What logs in at a tool goes to that tool alone.
            (Some(_), true) => {
                return Err(Outcome::hopeless("a step with a tool has a path, no url"));
            }
            (Some(url), false) => url,
            (None, _) => {
                let path = self.text("path").unwrap_or_default();
                let url = self.tool.url().map_err(Outcome::hopeless)?;
                match path.is_empty() || path.starts_with('/') {
                    true => format!("{url}{path}"),
                    false => format!("{url}/{path}"),
                }
            }
        };
        inputs.insert("url".into(), url.into());
        let mut headers = Map::new();
        for (name, value) in probe::headers(self.tool).map_err(Outcome::hopeless)? {
            headers.insert(name, value.into());
        }
        headers.extend(self.object("headers")?);
        inputs.insert("headers".into(), Json::Object(headers));
        Ok(inputs)
    }
}

/// One part of a path.
pub fn part(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
        .to_string()
        .replace("%2D", "-")
        .replace("%2E", ".")
        .replace("%5F", "_")
        .replace("%7E", "~")
}

/// What stands at a name of the step's memory, as a number.
pub fn number(external: &Json, name: &str) -> Option<i64> {
    external.get(name).and_then(Json::as_i64)
}
