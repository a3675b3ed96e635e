//! A client of the HTTP function, as the platform's web application is one.

use std::time::Duration;

use reqwest::{Method, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use shared::config::Secret;

use crate::Failure;
use crate::token::issue;

/// How long a client's token is good for: seconds.
const TOKEN_S: u64 = 3_600;

/// A signed-in user.
pub(super) struct Client {
    http: reqwest::Client,
    api: String,
    authorization: String,
}

/// What `POST /projects/{id}/deo-score/recompute` answers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recompute {
    project_id: String,
    enqueued: bool,
}

/// What `GET /projects/{id}/deo-score` answers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Score {
    pub(super) project_id: String,
    pub(super) latest_score: Option<Scores>,
    pub(super) latest_snapshot: Option<Snapshot>,
}

/// Overall and component scores.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Scores {
    pub(super) overall: f64,
    pub(super) content: f64,
    pub(super) entities: f64,
    pub(super) technical: f64,
    pub(super) visibility: f64,
}

/// The row that was written.
#[derive(Debug, Deserialize)]
pub(super) struct Snapshot {
    pub(super) id: String,
}

impl Client {
    pub(super) fn new(api: String, user_id: &str, secret: &Secret) -> Result<Self, Failure> {
        shared::tls::install_provider();
        let http = reqwest::Client::builder().timeout(Duration::from_secs(20)).build()?;
        let authorization = format!("Bearer {}", issue(secret, user_id, TOKEN_S)?);
        Ok(Self { http, api, authorization })
    }

    /// Asks for a recompute, and answers the job's id.
    pub(super) async fn recompute(&self, project: &str) -> Result<String, Failure> {
        let path = format!("/projects/{project}/deo-score/recompute");
        let answer = self.send(Method::POST, &path, 201).await?;
        let job = answer.headers().get("x-job-id").and_then(|id| id.to_str().ok());
        let job = job.ok_or_else(|| format!("POST {path}: no X-Job-Id"))?.to_owned();
        let body: Recompute = read(answer).await?;
        if body.project_id == project && body.enqueued {
            Ok(job)
        } else {
            Err(format!("POST {path}: answered {body:?}").into())
        }
    }

    pub(super) async fn score(&self, project: &str) -> Result<Score, Failure> {
        let path = format!("/projects/{project}/deo-score");
        read(self.send(Method::GET, &path, 200).await?).await
    }

    async fn send(&self, method: Method, path: &str, expected: u16) -> Result<Response, Failure> {
        let answer = self
            .http
            .request(method.clone(), format!("{}{path}", self.api))
            .header("authorization", &self.authorization)
            .send()
            .await?;
        let status = answer.status();
        if status == expected {
            return Ok(answer);
        }
        Err(format!("{method} {path}: {status}: {}", answer.text().await?).into())
    }
}

async fn read<T: DeserializeOwned>(answer: Response) -> Result<T, Failure> {
    Ok(serde_json::from_slice(&answer.bytes().await?)?)
}
