//! Looks at I6: whether what is stored is what BullMQ's own code can read.

use serde_json::Value;

use super::Invariant;
use super::places::Look;
use super::queue::{Hash, Place};
use super::verdict::Findings;

/// Places of a priority in `prioritized`.
const PLACES_PER_PRIORITY: f64 = 4_294_967_296.0;

impl Look<'_> {
    /// I6, as far as the form of what is stored goes. What a poisonous producer wrote is its own.
    pub(super) fn form(&self, findings: &mut Findings) {
        let mut looked_at = 0;
        for (id, place, hash) in self.queue.placed() {
            if self.rules.period.is_before(hash.number("timestamp")) {
                continue;
            }
            looked_at += 1;
            let wrong = ended(place, hash);
            let wrong = wrong.or_else(|| counted(hash));
            let wrong = wrong.or_else(|| ranked(place, hash));
            let by_producer = || added(hash).filter(|_| !self.accepted.is_poison(id));
            if let Some(what) = wrong.or_else(by_producer) {
                findings.job(Invariant::I6, id, what);
            }
        }
        findings.looked_at(Invariant::I6, looked_at);
    }
}

/// What a producer writes.
fn added(hash: &Hash) -> Option<String> {
    for field in ["name", "data", "opts", "timestamp"] {
        if hash.bytes(field).is_none() {
            return Some(format!("has no `{field}`"));
        }
    }
    if hash.json("data").is_none() {
        return Some("has data that is no JSON".to_owned());
    }
    if !hash.json("opts").is_some_and(|opts| opts.is_object()) {
        return Some("has options that are no JSON object".to_owned());
    }
    if hash.bytes("parent").is_some() && !hash.json("parent").is_some_and(|it| it.is_object()) {
        return Some("has a parent that is no JSON object".to_owned());
    }
    let mut numbers = ["timestamp", "delay", "priority"].into_iter();
    let wrong =
        numbers.find(|field| hash.bytes(field).is_some() && hash.number(field).is_none())?;
    Some(format!("has a `{wrong}` that is no whole number"))
}

/// What each start and each end of a job adds.
fn counted(hash: &Hash) -> Option<String> {
    let mut numbers = ["ats", "atm", "stc", "processedOn", "finishedOn"].into_iter();
    if let Some(field) =
        numbers.find(|field| hash.bytes(field).is_some() && hash.number(field).is_none())
    {
        return Some(format!("has a `{field}` that is no whole number"));
    }
    let is_text = |items: &Vec<Value>| items.iter().all(Value::is_string);
    let traces = |value: Value| value.as_array().is_some_and(is_text);
    if hash.bytes("stacktrace").is_some() && !hash.json("stacktrace").is_some_and(traces) {
        return Some("has a `stacktrace` that is no JSON array of texts".to_owned());
    }
    None
}

/// What a job's end writes.
fn ended(place: Place, hash: &Hash) -> Option<String> {
    if !matches!(place.state, "completed" | "failed") {
        return hash
            .bytes("finishedOn")
            .map(|_| format!("has ended, by its `finishedOn`, and is in {}", place.state));
    }
    if hash.number("finishedOn") != Some(place.score as i64) {
        return Some(format!("has another `finishedOn` than its place in {}", place.state));
    }
    let has_value = hash.json("returnvalue").is_some();
    (place.state == "completed" && !has_value)
        .then(|| "has a `returnvalue` that is no JSON".to_owned())
}

/// Where a job stands among others.
fn ranked(place: Place, hash: &Hash) -> Option<String> {
    let priority = hash.number("priority").unwrap_or(0);
    (place.state == "prioritized" && (place.score / PLACES_PER_PRIORITY).floor() != priority as f64)
        .then(|| format!("has the priority {priority}, and stands at that of another one"))
}
