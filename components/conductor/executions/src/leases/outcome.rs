//! What workers say of what they have leased: how it ended.

use serde_json::Value;
use windlass_core::{Body, Error, Result, limits};
use windlass_engine::step::{CallError, Outcome};

/// The longest a plugin may put its next try off, in seconds: a year.
const LONGEST_PAUSE: f64 = 31_536_000.0;

/// What was sent of a result, the same whether it came alone or with others: who does not know whether it
/// arrived may tell it again in either way.
pub fn sent(body: &Body) -> String {
    let of_the_result = ["status", "result", "error"].map(|name| body.get(name));
    serde_json::json!(of_the_result).to_string()
}

/// What a result says. An `error` is wanted of everything but a success.
pub fn read(body: &Body) -> Result<Outcome> {
    let status = body.required_text("status")?;
    if let Some(result) = body.get("result") {
        limits::check_bytes("result", result)?;
    }
    if status == "succeeded" {
        return Ok(Outcome::Succeeded {
            result: match body.get("result") {
                // Events show it, and a NUL would end the text for many of their readers.
                Some(Value::String(text)) => text.replace('\0', "<NUL>").into(),
                other => other.cloned().unwrap_or_default(),
            },
            runtime_properties: Default::default(),
        });
    }
    let failed: fn(CallError) -> Outcome = match status {
        "failed" => Outcome::Failed,
        "rescheduled" => Outcome::Rescheduled,
        _ => {
            let text =
                format!("Invalid status: {status}, valid are succeeded, failed and rescheduled");
            return Err(Error::bad_parameters(text));
        }
    };
    if let Some(error) = body.get("error") {
        limits::check_bytes("error", error)?;
    }
    let error = body
        .object("error")?
        .ok_or_else(|| Error::missing("error"))?;
    Ok(failed(call_error(&Body::from(error.clone()))?))
}

fn call_error(error: &Body) -> Result<CallError> {
    let text = |name| -> Result<Option<String>> {
        Ok(error.text(name)?.map(|text| text.replace('\0', "<NUL>")))
    };
    let retry_after = match error.get("retry_after") {
        None => None,
        Some(value) => match value.as_f64() {
            Some(seconds) if (0.0..=LONGEST_PAUSE).contains(&seconds) => {
                Some(windlass_engine::workflows::milliseconds(seconds))
            }
            _ => return Err(Error::wrong_type("retry_after", "number of seconds", value)),
        },
    };
    Ok(CallError {
        kind: text("type")?.unwrap_or_else(|| "RecoverableError".into()),
        message: text("message")?.ok_or_else(|| Error::missing("message"))?,
        traceback: text("traceback")?,
        recoverable: error.boolean("recoverable")?.unwrap_or(true),
        retry_after,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_core::Kind;

    #[test]
    fn a_result_is_the_same_alone_and_with_others() {
        let told = |text: &str| {
            let value: Value = serde_json::from_str(text).unwrap();
            sent(&Body::from(value.as_object().unwrap().clone()))
        };
        let alone = told(r#"{"status": "succeeded", "result": [7]}"#);
        let with_others = told(r#"{"lease_id": "l", "result": [7], "status": "succeeded"}"#);
        assert_eq!(alone, with_others);
        assert_ne!(alone, told(r#"{"status": "succeeded", "result": [8]}"#));
        assert_ne!(alone, told(r#"{"status": "succeeded", "error": [7]}"#));
    }

    #[test]
    fn an_error_is_no_larger_than_one_value_may_be() {
        let told = |length: usize| {
            let error = serde_json::json!({ "message": "wet", "traceback": "x".repeat(length) });
            let body = serde_json::json!({ "status": "failed", "error": error });
            read(&Body::from(body.as_object().unwrap().clone())).map(drop)
        };
        assert!(told(1000).is_ok());
        let refusal = told(1 << 20).unwrap_err();
        assert_eq!(refusal.kind(), Kind::PayloadTooLarge);
        assert!(
            refusal.message().starts_with("error has "),
            "{}",
            refusal.message()
        );
    }
}
