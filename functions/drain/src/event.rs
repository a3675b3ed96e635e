//! Tells who asked for a tick: a schedule, or an HTTP request to the function's URL, which anybody may send.

use serde_json::{Value, json};
use shared::config::WakeConfig;
use shared::engine::Report;
use shared::wake::may_wake;

/// What an event asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A tick. It comes from EventBridge, or from somebody whom IAM lets invoke the function.
    Tick,
    /// A tick, by an HTTP request with the right token.
    Wake,
    /// An HTTP request without it.
    Refused,
}

impl Asked {
    /// Reads an event. What has a request's context is a request, whatever else it says.
    pub fn of(event: &Value, config: &WakeConfig) -> Self {
        if event.get("requestContext").is_none() {
            return Self::Tick;
        }
        let authorization = event["headers"].as_object().and_then(|headers| {
            let header =
                headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
            header.and_then(|(_, value)| value.as_str())
        });
        if may_wake(config, authorization) { Self::Wake } else { Self::Refused }
    }
}

/// What a request without the token gets.
pub fn refusal() -> Value {
    http(401, &json!({ "message": "Unauthorized" }))
}

/// What a request gets for its tick.
pub fn answer(report: &Report) -> Value {
    http(200, &json!(report))
}

fn http(status: u16, body: &Value) -> Value {
    json!({
        "statusCode": status,
        "headers": { "content-type": "application/json", "cache-control": "no-store" },
        "body": body.to_string(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use shared::config::Secret;

    use super::*;

    /// As Lambda's documentation shows them.
    const URL: &str = include_str!("../../../local/events/function-url.json");
    const SCHEDULE: &str = include_str!("../../../local/events/schedule.json");
    const RULE: &str = include_str!("../../../local/events/rule.json");

    fn of(event: &str, token: Option<&str>) -> Asked {
        let token = token.map(Secret::new);
        let event = serde_json::from_str(event).unwrap();
        Asked::of(&event, &WakeConfig { token, ..WakeConfig::default() })
    }

    #[test]
    fn a_schedule_needs_no_token() {
        assert_eq!(of(SCHEDULE, None), Asked::Tick);
        assert_eq!(of(RULE, Some("t")), Asked::Tick);
        assert_eq!(of("{}", None), Asked::Tick);
        assert_eq!(of("null", None), Asked::Tick);
    }

    #[test]
    fn a_request_needs_the_token() {
        let with = URL.replace("TOKEN", "sesame");
        assert_eq!(of(&with, Some("sesame")), Asked::Wake);
        assert_eq!(
            of(&with.replace("\"authorization\"", "\"Authorization\""), Some("sesame")),
            Asked::Wake
        );
        assert_eq!(of(&with, Some("other")), Asked::Refused);
        assert_eq!(of(&with, None), Asked::Refused);
        assert_eq!(
            of(&URL.replace("\"authorization\"", "\"x-authorization\""), Some("TOKEN")),
            Asked::Refused
        );
        assert_eq!(of(r#"{"requestContext": null}"#, None), Asked::Refused);
        assert_eq!(of(r#"{"requestContext": {}, "headers": []}"#, Some("t")), Asked::Refused);
    }

    #[test]
    fn an_answer_is_what_a_function_url_takes() {
        assert_eq!(refusal()["statusCode"], 401);
        let mut report = Report::default();
        report.completed = 3;
        let told = answer(&report);
        assert_eq!((&told["statusCode"], told["body"].is_string()), (&json!(200), true));
        let body: Value = serde_json::from_str(told["body"].as_str().unwrap()).unwrap();
        assert_eq!(body["completed"], 3);
    }
}
