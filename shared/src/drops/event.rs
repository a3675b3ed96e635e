//! Writes the event of a score that fell.

use serde::Serialize;

use crate::store::ScoreDrop;

/// The type of the event, in a webhook's body and as EventBridge's detail type.
pub(super) const TYPE: &str = "deo.score.dropped";

/// What an event's id begins with: never what a request to a queue's receiver or a callback begins with, since
/// they may be signed with the same secret.
const ID: &str = "drop_";

/// An event as it is sent.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Event<'a> {
    /// The same each time that it is sent.
    pub(super) id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    project_id: &'a str,
    from: i32,
    to: i32,
    drop: i32,
    read_at: &'a str,
    snapshot_id: &'a str,
}

impl<'a> Event<'a> {
    pub(super) fn of(drop: &'a ScoreDrop) -> Self {
        Self {
            id: format!("{ID}{}", drop.snapshot_id),
            kind: TYPE,
            project_id: &drop.project_id,
            from: drop.from,
            to: drop.to,
            drop: drop.from - drop.to,
            read_at: &drop.read_at,
            snapshot_id: &drop.snapshot_id,
        }
    }

    pub(super) fn json(&self) -> String {
        serde_json::json!(self).to_string()
    }
}
