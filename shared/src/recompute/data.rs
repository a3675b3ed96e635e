//! Defines what a job holds and what it returns: how both are written, and how they are read.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::store::{MAX_ID_CHARS, ProjectId};

/// Why a recompute was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A person asked.
    #[default]
    Manual,
    /// The nightly recompute.
    Scheduled,
    /// New data came in.
    AfterImport,
}

/// A job's data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobData {
    /// The project to score.
    pub project_id: ProjectId,
    /// Who asked; `None` for the nightly recompute.
    pub triggered_by_user_id: Option<String>,
    /// Why.
    pub reason: Reason,
}

/// Data that names no project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedData {
    /// It is no JSON object with a `projectId` that is a string.
    #[error("Malformed job data: expected {{\"projectId\": \"...\"}}")]
    Form,
    /// Its `projectId` can be no project's id.
    #[error("Malformed job data: projectId must have 1 to {MAX_ID_CHARS} characters")]
    ProjectId,
}

impl JobData {
    /// Returns the data of a job that no user is named for.
    pub fn new(project_id: ProjectId, reason: Reason) -> Self {
        Self { project_id, triggered_by_user_id: None, reason }
    }

    /// Returns the JSON that stands in the queue.
    pub fn to_json(&self) -> String {
        serde_json::json!(self).to_string()
    }

    /// Reads what stands in the queue. Only the project counts: another producer may leave out the rest,
    /// or write it in a form of its own.
    ///
    /// # Errors
    /// [`MalformedData`], whose text is the reason why such a job fails.
    pub fn parse(json: &str) -> Result<Self, MalformedData> {
        // Unread, so that whatever it holds fails no job.
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Stored<'a> {
            project_id: String,
            #[serde(borrow)]
            triggered_by_user_id: Option<&'a RawValue>,
            #[serde(borrow)]
            reason: Option<&'a RawValue>,
        }
        fn read<'a, T: Deserialize<'a>>(value: Option<&'a RawValue>) -> Option<T> {
            value.and_then(|value| serde_json::from_str(value.get()).ok())
        }
        let stored: Stored<'_> = serde_json::from_str(json).map_err(|_| MalformedData::Form)?;
        Ok(Self {
            project_id: stored.project_id.try_into().map_err(|_| MalformedData::ProjectId)?,
            triggered_by_user_id: read(stored.triggered_by_user_id),
            reason: read(stored.reason).unwrap_or_default(),
        })
    }
}

/// A job's return value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobResult {
    /// The project that was scored.
    pub project_id: ProjectId,
    /// The row of `"DeoScoreSnapshot"`.
    pub snapshot_id: String,
}

impl JobResult {
    /// Returns the JSON that stands in the queue.
    pub fn to_json(&self) -> String {
        serde_json::json!(self).to_string()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn id(id: &str) -> ProjectId {
        ProjectId::parse(id).unwrap()
    }

    #[test]
    fn data_is_read_as_it_was_written() {
        for reason in [Reason::Manual, Reason::Scheduled, Reason::AfterImport] {
            for user in [None, Some("ada \"é\"".to_owned())] {
                let project_id = id("p\\1");
                let data = JobData { project_id, triggered_by_user_id: user, reason };
                assert_eq!(JobData::parse(&data.to_json()), Ok(data));
            }
        }
        let data = JobData::new(id("p1"), Reason::AfterImport).to_json();
        assert_eq!(data, r#"{"projectId":"p1","reason":"after_import","triggeredByUserId":null}"#);
    }

    #[test]
    fn of_another_producers_data_only_the_project_counts() {
        let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
        for rest in [
            String::new(),
            r#","reason":"nightly","triggeredByUserId":7"#.to_owned(),
            r#","reason":null,"pad":1e999"#.to_owned(),
            r#","reason":1e999,"triggeredByUserId":{}"#.to_owned(),
            format!(r#","reason":{deep}"#),
        ] {
            let data = JobData::parse(&format!(r#"{{"projectId":"p1"{rest}}}"#));
            assert_eq!(data, Ok(JobData::new(id("p1"), Reason::Manual)), "{rest}");
        }
    }

    #[test]
    fn data_without_a_project_says_what_it_lacks() {
        for bad in ["", "{", "null", "{}", "[]", "7", r#"{"projectId":7}"#, r#"{"projectId":null}"#]
        {
            let error = JobData::parse(bad).unwrap_err().to_string();
            assert_eq!(error, r#"Malformed job data: expected {"projectId": "..."}"#, "{bad}");
        }
        for bad in ["", r"a\u0000", &"x".repeat(192)] {
            let error = JobData::parse(&format!(r#"{{"projectId":"{bad}"}}"#)).unwrap_err();
            assert_eq!(
                error.to_string(),
                "Malformed job data: projectId must have 1 to 191 characters"
            );
        }
    }

    #[test]
    fn a_result_is_read_as_it_was_written() {
        let result = JobResult { project_id: id("p1"), snapshot_id: "s1".to_owned() };
        assert_eq!(result.to_json(), r#"{"projectId":"p1","snapshotId":"s1"}"#);
        assert_eq!(serde_json::from_str::<JobResult>(&result.to_json()).unwrap(), result);
    }
}
