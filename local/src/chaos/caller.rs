//! Serves the HTTP API, and calls it.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::StatusCode;
use shared::config::{Config, Secret};

use crate::http_api::HttpApi;
use crate::token::issue;
use crate::{DEVELOPMENT_SECRET, Failure};

/// How long an answer may take: API Gateway gives up after 30 s.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a token is good for: seconds.
const TOKEN_S: u64 = 3_600;

/// The API in this process, and a user of it.
#[derive(Debug)]
pub(super) struct Caller {
    api: HttpApi,
    token: String,
    client: reqwest::Client,
}

/// Why nothing was added, as far as the caller can tell.
#[derive(Debug)]
pub(super) enum Refused {
    /// It may go better the next time.
    ForNow,
    /// It never will: the request is wrong.
    ForGood(String),
}

impl Caller {
    /// Starts the API with these settings, for the user of this id.
    pub(super) async fn start(
        settings: Vec<(String, String)>,
        user_id: &str,
    ) -> Result<Self, Failure> {
        let mut settings: BTreeMap<String, String> = settings.into_iter().collect();
        settings.insert("JWT_SECRET".to_owned(), DEVELOPMENT_SECRET.to_owned());
        let api = HttpApi::start(&Config::from_env(&settings)?).await?;
        let token = issue(&Secret::new(DEVELOPMENT_SECRET), user_id, TOKEN_S)?;
        let client = reqwest::Client::builder().timeout(PATIENCE).build()?;
        Ok(Self { api, token, client })
    }

    /// Asks for a recompute, and returns the id of its job.
    pub(super) async fn ask(
        &self,
        project: &str,
        reason: &str,
        key: &str,
    ) -> Result<String, Refused> {
        let url = format!("{}/projects/{project}/deo-score/recompute", self.api.url());
        let request = self
            .client
            .post(url)
            .bearer_auth(&self.token)
            .header("idempotency-key", key)
            .header("content-type", "application/json")
            .body(serde_json::json!({ "reason": reason }).to_string());
        let answer = request.send().await.map_err(|_| Refused::ForNow)?;
        let status = answer.status();
        let id =
            answer.headers().get("x-job-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
        match (status, id) {
            (StatusCode::CREATED, Some(id)) => Ok(id),
            (StatusCode::TOO_MANY_REQUESTS, _) => Err(Refused::ForNow),
            (status, _) if status.is_server_error() => Err(Refused::ForNow),
            (status, _) => {
                let body = answer.text().await.unwrap_or_default();
                Err(Refused::ForGood(format!("the API answered {status}: {body}")))
            }
        }
    }
}
