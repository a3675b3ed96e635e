//! What a case expects, compared with what came out.

use std::fmt;

use serde_json::{Value, json};
use shared::deo::Score;

/// One place that is not as expected.
pub(in crate::cli) struct Difference {
    /// Where it stands, as in `v1.overall`.
    pub(in crate::cli) place: String,
    /// What is expected there.
    pub(in crate::cli) expected: Value,
    /// What stands there.
    pub(in crate::cli) found: Value,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, expected, found } = self;
        match found {
            Value::Number(found) => write!(f, "{place} is {found}, expected {expected}"),
            Value::Null => write!(f, "{place} is expected, but no part of a score"),
            _ => write!(f, "{place} is no number, expected {expected}"),
        }
    }
}

/// Compares each number that `expected` holds; null expects nothing. A signal may be off by `tolerance`; scores must
/// be equal.
pub(in crate::cli) fn differences(
    expected: &Value,
    score: &Score,
    tolerance: f64,
) -> Vec<Difference> {
    let mut differences = Vec::new();
    if !expected.is_null() {
        compare(String::new(), expected, &json!(score), tolerance, &mut differences);
    }
    differences
}

fn compare(
    place: String,
    expected: &Value,
    found: &Value,
    tolerance: f64,
    differences: &mut Vec<Difference>,
) {
    if let (Value::Object(members), Value::Object(_)) = (expected, found) {
        for (key, expected) in members {
            let dot = if place.is_empty() { "" } else { "." };
            let place = format!("{place}{dot}{key}");
            compare(place, expected, &found[key], tolerance, differences);
        }
        return;
    }
    let tolerance = if place.starts_with("signals.") { tolerance } else { 0.0 };
    let equal = match (expected.as_f64(), found.as_f64()) {
        (Some(expected), Some(found)) => (expected - found).abs() <= tolerance,
        _ => false,
    };
    if !equal {
        let place = if place.is_empty() { "the score".to_owned() } else { place };
        differences.push(Difference { place, expected: expected.clone(), found: found.clone() });
    }
}
