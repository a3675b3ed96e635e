//! Puts events on a bus of EventBridge, by one signed request and without AWS's SDK.

use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Response, Url};
use serde::{Deserialize, Serialize};

use super::client::{client, unanswered};
use super::event::{Event, TYPE};
use super::sigv4::{Credentials, Request};
use super::{Answer, DropsError};
use crate::config::AwsConfig;
use crate::store::ScoreDrop;

/// The events' source, by which rules find them.
const SOURCE: &str = "engineo.deo";

const JSON: &str = "application/x-amz-json-1.1";

/// The longest answer that is read, in bytes: one about ten entries is shorter.
const MOST_ANSWER_BYTES: usize = 64 * 1024;

/// The way to a bus.
#[derive(Debug)]
pub(super) struct Bus {
    client: Client,
    url: Url,
    /// Host and port as they are signed.
    host: String,
    region: String,
    name: String,
    credentials: Credentials,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Entry<'a> {
    source: &'static str,
    detail_type: &'static str,
    detail: String,
    event_bus_name: &'a str,
}

/// What EventBridge answers: an entry for each, in the same order.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Put {
    entries: Vec<Done>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Done {
    event_id: Option<String>,
    error_code: Option<String>,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(rename = "__type")]
    kind: String,
}

impl Bus {
    pub(super) fn new(name: &str, aws: &AwsConfig) -> Result<Self, DropsError> {
        let region = aws.region.clone().ok_or(DropsError::Elsewhere(
            "DROP_EVENTS_BUS is set, and AWS_REGION is not: Lambda sets it; elsewhere set it, too",
        ))?;
        let (Some(access_key), Some(secret_key)) = (aws.access_key.clone(), aws.secret_key.clone())
        else {
            return Err(DropsError::Elsewhere(
                "DROP_EVENTS_BUS is set, and AWS_ACCESS_KEY_ID or AWS_SECRET_ACCESS_KEY is not: Lambda sets \
                 them; elsewhere set them, too",
            ));
        };
        let credentials =
            Credentials { access_key, secret_key, session_token: aws.session_token.clone() };
        let url = aws.endpoint.clone().unwrap_or_else(|| {
            let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
            format!("https://events.{region}.amazonaws.com{suffix}/")
        });
        let wrong = "AWS_REGION or AWS_ENDPOINT_URL_EVENTBRIDGE cannot be used: the one is a name as \
                     eu-central-1, the other an https:// URL without a path (http:// only to this machine)";
        let url = Url::parse(&url).map_err(|_| DropsError::Wrong(wrong))?;
        let Some(host) = url.host_str().filter(|_| url.path() == "/" && url.query().is_none())
        else {
            return Err(DropsError::Wrong(wrong));
        };
        let host = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let client = client(&url, DropsError::Wrong(wrong))?;
        Ok(Self { client, url, host, region, name: name.to_owned(), credentials })
    }

    /// Sends all of them in one request.
    pub(super) async fn send(
        &self,
        drops: &[ScoreDrop],
        now_ms: i64,
        time: Duration,
    ) -> Vec<Answer> {
        let entry = |drop: &ScoreDrop| Entry {
            source: SOURCE,
            detail_type: TYPE,
            detail: Event::of(drop).json(),
            event_bus_name: &self.name,
        };
        let entries: Vec<Entry<'_>> = drops.iter().map(entry).collect();
        let body = serde_json::json!({ "Entries": entries }).to_string();
        let signed = [("content-type", JSON), ("x-amz-target", "AWSEvents.PutEvents")];
        let request = Request {
            host: &self.host,
            region: &self.region,
            service: "events",
            headers: &signed,
            body: body.as_bytes(),
        };
        let headers = request.sign(&self.credentials, now_ms);
        let mut request = self.client.post(self.url.clone()).timeout(time);
        request = request.header(CONTENT_TYPE, JSON).header(signed[1].0, signed[1].1);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let answered = match request.body(body).send().await {
            Ok(answer) => read(answer).await,
            Err(error) => Err(unanswered(&error)),
        };
        let all_failed =
            |why: String| drops.iter().map(|_| Answer::Failed(why.clone())).collect::<Vec<_>>();
        match answered {
            Ok(put) if put.entries.len() == drops.len() => put.entries.iter().map(judge).collect(),
            Ok(_) => all_failed("EventBridge did not answer for each event".to_owned()),
            Err(why) => all_failed(why),
        }
    }
}

fn judge(done: &Done) -> Answer {
    match (&done.event_id, &done.error_code) {
        (Some(_), None) => Answer::Delivered,
        (_, code) => Answer::Failed(name(code.as_deref().unwrap_or_default())),
    }
}

async fn read(mut answer: Response) -> Result<Put, String> {
    let status = answer.status();
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| unanswered(&error))? {
        body.extend_from_slice(&chunk);
        if body.len() > MOST_ANSWER_BYTES {
            return Err("EventBridge's answer is too long".to_owned());
        }
    }
    if status.is_success() {
        let unreadable = |_| "EventBridge's answer cannot be read".to_owned();
        return serde_json::from_slice(&body).map_err(unreadable);
    }
    let refusal = serde_json::from_slice::<Refusal>(&body).map(|refusal| refusal.kind);
    Err(format!("status {} {}", status.as_u16(), name(&refusal.unwrap_or_default())))
}

/// The name of an error, of which a log is to have no more than that.
fn name(text: &str) -> String {
    let name = text.rsplit('#').next().unwrap_or_default();
    name.chars().filter(char::is_ascii_alphanumeric).take(64).collect()
}
