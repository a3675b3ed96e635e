//! What a case expects, compared with what came out.

use std::fmt;

use serde_json::{Value, json};
use shared::deo::Score;

/// How far a signal may be off. Scores must be equal.
const TOLERANCE: f64 = 1e-12;

/// One place that is not as expected.
pub(super) struct Difference {
    /// Where it stands, as in `v1.overall`.
    place: String,
    expected: Value,
    found: Value,
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

/// Compares each number that `expected` holds; null expects nothing.
pub(super) fn differences(expected: &Value, score: &Score) -> Vec<Difference> {
    let mut differences = Vec::new();
    if !expected.is_null() {
        compare(String::new(), expected, &json!(score), &mut differences);
    }
    differences
}

fn compare(place: String, expected: &Value, found: &Value, differences: &mut Vec<Difference>) {
    if let (Value::Object(members), Value::Object(_)) = (expected, found) {
        for (key, expected) in members {
            let dot = if place.is_empty() { "" } else { "." };
            compare(format!("{place}{dot}{key}"), expected, &found[key], differences);
        }
        return;
    }
    let tolerance = if place.starts_with("signals.") { TOLERANCE } else { 0.0 };
    let equal = match (expected.as_f64(), found.as_f64()) {
        (Some(expected), Some(found)) => (expected - found).abs() <= tolerance,
        _ => false,
    };
    if !equal {
        let place = if place.is_empty() { "the score".to_owned() } else { place };
        differences.push(Difference { place, expected: expected.clone(), found: found.clone() });
    }
}
