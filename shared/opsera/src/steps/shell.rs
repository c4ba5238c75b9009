//! A script on a worker: offered when the step's turn comes, looked after by what its worker says.
//!
//! The script is run as it was written. What varies reaches it in its environment alone, so nobody who starts a
//! run can make other commands of it. Its turns are made in the transaction that records them, because the
//! worker may say something at any moment.

use super::Outcome;
use super::call::Call;
use super::deeds::Deed;
use super::job::Job;
use serde_json::{Map, Value as Json, json};
use windlass_core::db::Tx;
use windlass_core::outbound::Outbound;
use windlass_core::{Error, Result, Timestamp};
use windlass_engine::shell_leases::{Came, Content};
use windlass_store::shell_steps::{self, Offer};

/// The most bytes of a script.
const SCRIPT: usize = 64 << 10;

/// The longest name of a queue.
const QUEUE: usize = 256;

/// The most variables, and the most bytes of all of them.
const VARIABLES: (usize, usize) = (100, 64 << 10);

/// The most ways in which a script may end.
const CODES: usize = 32;

/// Variables with such names are the worker's own.
const OURS: &str = "WINDLASS_";

/// Refuses a configuration that no step of a script can have.
///
/// # Errors
/// What is wrong with it.
pub fn check(configuration: &Map<String, Json>) -> Result<(), String> {
    let script = configuration.get("script").and_then(Json::as_str);
    let script = script.ok_or("script must be a text")?;
    if script.len() > SCRIPT {
        let bytes = script.len();
        return Err(format!(
            "script has {bytes} bytes, more than the allowed {SCRIPT}"
        ));
    }
    if script.contains('\0') {
        return Err("script has a NUL".into());
    }
    let queue = configuration.get("queue").and_then(Json::as_str);
    let is_name = |name: &str| name.len() <= QUEUE && !name.contains(|c: char| c.is_control());
    if !queue.is_some_and(is_name) {
        return Err(format!(
            "queue must be a name of at most {QUEUE} characters"
        ));
    }
    let variables = environment(configuration)?;
    if variables.len() > VARIABLES.0 {
        return Err(format!(
            "environment has more than {} variables",
            VARIABLES.0
        ));
    }
    for (name, value) in &variables {
        check_variable(name, value)?;
    }
    expected(configuration).map(drop)
}

fn environment(configuration: &Map<String, Json>) -> Result<Map<String, Json>, String> {
    match configuration.get("environment") {
        None | Some(Json::Null) => Ok(Map::new()),
        Some(Json::Object(variables)) => Ok(variables.clone()),
        Some(_) => Err("environment must be an object of variables".into()),
    }
}

fn check_variable(name: &str, value: &Json) -> Result<(), String> {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_name = !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(is_letter);
    if name.is_empty() || name.len() > QUEUE || !is_name {
        return Err(format!(
            "environment: a name has letters, digits and `_`, not `{name}`"
        ));
    }
    if name.to_ascii_uppercase().starts_with(OURS) {
        return Err(format!("environment: `{name}` is a name of the worker's"));
    }
    match value {
        Json::Array(_) | Json::Object(_) => Err(format!(
            "environment: `{name}` must be a text, a number or true or false"
        )),
        _ => Ok(()),
    }
}

/// How a script may end.
fn expected(configuration: &Map<String, Json>) -> Result<Vec<i64>, String> {
    let wrong = "expected_exit_codes must be a list of whole numbers from 0 to 255";
    let codes = match configuration.get("expected_exit_codes") {
        None | Some(Json::Null) => return Ok(vec![0]),
        Some(Json::Array(codes)) if !codes.is_empty() && codes.len() <= CODES => codes,
        Some(_) => return Err(wrong.into()),
    };
    let code = |code: &Json| code.as_i64().filter(|code| (0..=255).contains(code));
    let codes: Option<Vec<i64>> = codes.iter().map(code).collect();
    codes.ok_or_else(|| wrong.into())
}

/// The first turn: what the script finds is filled in, and sealed.
pub async fn offer<O: Outbound>(call: &Call<'_, O>) -> Result<Outcome> {
    let step = &call.job.step;
    let text = |name: &str| {
        let text = step.configuration.get(name).and_then(Json::as_str);
        text.unwrap_or_default().to_owned()
    };
    let environment = match environment(call.configuration).and_then(filled) {
        Ok(environment) => environment,
        Err(why) => return Ok(Outcome::hopeless(why)),
    };
    let content = Content {
        script: text("script"),
        environment,
        expected_exit_codes: expected(&step.configuration).unwrap_or_else(|_| vec![0]),
        secrets: hidden(call.secrets),
    };
    let deed = Deed::Offer(Box::new((text("queue"), content.seal().await?)));
    Ok(Outcome::Deed(deed))
}

/// Variables as texts.
fn filled(variables: Map<String, Json>) -> Result<Map<String, Json>, String> {
    let mut filled = Map::new();
    let mut bytes = 0;
    for (name, value) in variables {
        let text = match value {
            Json::Null => continue,
            Json::String(text) => text,
            other => other.to_string(),
        };
        if text.contains('\0') {
            return Err(format!("environment: `{name}` has a NUL"));
        }
        bytes += name.len() + text.len();
        filled.insert(name, text.into());
    }
    let most = VARIABLES.1;
    if bytes > most {
        return Err(format!(
            "environment has {bytes} bytes, more than the allowed {most}"
        ));
    }
    Ok(filled)
}

/// What is hidden: the secrets, and each line of those that have several, as short as a worker hides any. Shells
/// and tools print by lines.
fn hidden(secrets: &[String]) -> Vec<String> {
    let mut hidden = secrets.to_vec();
    for secret in secrets {
        let lines = secret.lines().map(str::trim);
        hidden.extend(lines.filter(|line| line.len() >= 4).map(str::to_owned));
    }
    hidden.sort();
    hidden.dedup();
    hidden
}

/// Offers the script, in the transaction that records it.
pub async fn hand_out(
    tx: &impl Tx,
    job: &Job,
    (queue, content): (&str, &str),
    now: Timestamp,
) -> Result<Outcome> {
    let offer = Offer {
        step_id: &job.id,
        tenant: &job.account,
        queue,
        timeout_seconds: job.step.timeout_seconds,
        content,
    };
    shell_steps::offer(tx, &offer).await?;
    Ok(waiting(job.deadline, now))
}

/// To be looked at again when something came of it, at the latest when its time is over.
fn waiting(deadline: Option<i64>, now: Timestamp) -> Outcome {
    let at = deadline.map_or(now.plus_seconds(86_400), Timestamp::from_millis);
    Outcome::Pending {
        external: json!({ "offered": true }),
        at,
    }
}

/// How an offer stands, in the transaction that records it.
pub async fn look(tx: &impl Tx, job: &Job, now: Timestamp) -> Result<Outcome> {
    let Some(standing) = shell_steps::standing(tx, &job.id).await? else {
        return Ok(Outcome::hopeless("What it runs is gone"));
    };
    if let Some(result) = standing.result {
        return Ok(outcome(
            serde_json::from_value(result).map_err(Error::internal)?,
        ));
    }
    if standing.deadline.is_none_or(|at| now.millis() < at) {
        return Ok(waiting(standing.deadline, now));
    }
    Ok(Outcome::hopeless(match standing.is_leased {
        true => job.too_late(),
        false => {
            let queue = job.step.configuration.get("queue").and_then(Json::as_str);
            let queue = queue.unwrap_or_default();
            let seconds = job.step.timeout_seconds.unwrap_or_default();
            format!("no worker of the queue `{queue}` took it within {seconds} seconds")
        }
    }))
}

fn outcome(came: Came) -> Outcome {
    match came {
        Came::Succeeded { outputs } => {
            let code = outputs.get("exit_code").and_then(Json::as_i64);
            let message = match code {
                Some(code) => format!("the script ended with {code}"),
                None => "the script ended".into(),
            };
            Outcome::Succeeded { outputs, message }
        }
        Came::Failed { why, may_retry } => Outcome::Failed { why, may_retry },
    }
}
