//! Reads what a receiver says of one job, in its answer or in a callback.

use std::borrow::Cow;
use std::time::Duration;

use batchmq::Settlement;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::options::LockTimes;

/// Characters of a reason that are kept. It stands in a job twice for each attempt.
const MOST_REASON_CHARS: usize = 2_000;

/// The longest return value, in bytes.
const MOST_RETURNVALUE_BYTES: usize = 1_000_000;

/// The longest that a job can be put off.
const LONGEST_DELAY: Duration = Duration::from_secs(30 * 86_400);

/// Which job an entry is about.
#[derive(Deserialize)]
pub(crate) struct Named<'a> {
    #[serde(borrow)]
    pub(crate) id: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    status: Status,
    #[serde(borrow)]
    returnvalue: Option<&'a RawValue>,
    reason: Option<String>,
    delay_ms: Option<f64>,
    lock_ms: Option<f64>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Completed,
    Failed,
    Retry,
    Unrecoverable,
    Postponed,
    #[serde(alias = "working")]
    Accepted,
}

/// Returns how a job is to end whose entry this is.
///
/// # Errors
/// What is wrong with the entry, without any of it.
pub(crate) fn settlement(entry: &RawValue, locks: &LockTimes) -> Result<Settlement, &'static str> {
    let entry: Entry<'_> = serde_json::from_str(entry.get()).map_err(|_| {
        "is malformed: its status must be completed, failed, retry, unrecoverable, postponed or accepted, a \
         reason a string, delayMs and lockMs numbers"
    })?;
    let reason = || match &entry.reason {
        Some(reason) if !reason.is_empty() => reason.chars().take(MOST_REASON_CHARS).collect(),
        _ => "The receiver gave no reason".to_owned(),
    };
    Ok(match entry.status {
        Status::Completed => {
            let value = entry.returnvalue.map_or("null", RawValue::get);
            if value.len() > MOST_RETURNVALUE_BYTES {
                return Err("has a returnvalue of more than 1 MB: keep it elsewhere");
            }
            Settlement::Complete(value.to_owned())
        }
        Status::Failed => Settlement::Failed(reason()),
        Status::Retry => match entry.delay_ms {
            None => Settlement::Failed(reason()),
            Some(ms) => Settlement::RetryAfter { reason: reason(), wait: delay(ms) },
        },
        Status::Unrecoverable => Settlement::Unrecoverable(reason()),
        Status::Postponed => Settlement::Postpone,
        Status::Accepted => Settlement::Keep { lock: locks.of(entry.lock_ms) },
    })
}

fn delay(ms: f64) -> Duration {
    Duration::try_from_secs_f64(ms.max(0.0) / 1000.0).unwrap_or(LONGEST_DELAY).min(LONGEST_DELAY)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn of(entry: &str) -> Result<Settlement, &'static str> {
        settlement(&serde_json::from_str::<Box<RawValue>>(entry).unwrap(), &LockTimes::default())
    }

    fn failed(reason: &str) -> Result<Settlement, &'static str> {
        Ok(Settlement::Failed(reason.to_owned()))
    }

    #[test]
    fn each_status_is_an_end() {
        let complete = |value: &str| Ok(Settlement::Complete(value.to_owned()));
        let none = "The receiver gave no reason";
        assert_eq!(of(r#"{"status":"completed"}"#), complete("null"));
        assert_eq!(of(r#"{"status":"completed","returnvalue":null}"#), complete("null"));
        let digits = r#"{"status":"completed","returnvalue":{ "n": 9007199254740993 }}"#;
        assert_eq!(of(digits), complete(r#"{ "n": 9007199254740993 }"#));
        assert_eq!(of(r#"{"status":"failed","reason":"no"}"#), failed("no"));
        assert_eq!(of(r#"{"status":"failed","reason":""}"#), failed(none));
        assert_eq!(of(r#"{"status":"retry"}"#), failed(none));
        let later =
            Settlement::RetryAfter { reason: "no".to_owned(), wait: Duration::from_secs(2) };
        assert_eq!(of(r#"{"status":"retry","reason":"no","delayMs":2000}"#), Ok(later));
        let end = Settlement::Unrecoverable("no".to_owned());
        assert_eq!(of(r#"{"status":"unrecoverable","reason":"no"}"#), Ok(end));
        assert_eq!(of(r#"{"status":"postponed"}"#), Ok(Settlement::Postpone));
        for (asked, seconds) in [("", 300), (r#","lockMs":90000"#, 90)] {
            let lock = Duration::from_secs(seconds);
            for status in ["accepted", "working"] {
                let entry = format!(r#"{{"status":"{status}"{asked}}}"#);
                assert_eq!(of(&entry), Ok(Settlement::Keep { lock }), "{entry}");
            }
        }
    }

    #[test]
    fn numbers_and_texts_are_bounded() {
        for (ms, wait) in
            [("-5", Duration::ZERO), ("1e300", LONGEST_DELAY), ("0.5", Duration::from_micros(500))]
        {
            let entry = format!(r#"{{"status":"retry","reason":"no","delayMs":{ms}}}"#);
            let end = Settlement::RetryAfter { reason: "no".to_owned(), wait };
            assert_eq!(of(&entry), Ok(end), "{ms}");
        }
        for (ms, seconds) in [("-5", 1), ("0", 1), ("1e300", 3_600), ("3600001", 3_600)] {
            let entry = format!(r#"{{"status":"accepted","lockMs":{ms}}}"#);
            let lock = Duration::from_secs(seconds);
            assert_eq!(of(&entry), Ok(Settlement::Keep { lock }), "{ms}");
        }
        let long = format!(r#"{{"status":"failed","reason":"{}"}}"#, "ä".repeat(3_000));
        assert_eq!(of(&long), failed(&"ä".repeat(2_000)));
        let value =
            format!(r#"{{"status":"completed","returnvalue":"{}"}}"#, "x".repeat(1_000_000));
        assert!(of(&value).unwrap_err().contains("1 MB"));
    }

    #[test]
    fn what_is_malformed_is_told_unshown() {
        for wrong in [
            "{}",
            "[]",
            "null",
            r#"{"status":"sesame"}"#,
            r#"{"status":null}"#,
            r#"{"status":"failed","reason":5}"#,
            r#"{"status":"retry","delayMs":"5"}"#,
            r#"{"status":"accepted","lockMs":true}"#,
        ] {
            let error = of(wrong).unwrap_err();
            assert!(error.contains("malformed") && !error.contains("sesame"), "{wrong}");
        }
    }
}
