//! Posts events to an HTTPS server, signed as requests of the HTTP handler are.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Url};

use super::client::{client, unanswered};
use super::event::Event;
use super::{Answer, DropsError};
use crate::http::Secrets;
use crate::redis::Secret;
use crate::store::ScoreDrop;

/// The way to the receiver.
#[derive(Debug)]
pub(super) struct Webhook {
    client: Client,
    /// Never shown: it may hold a token.
    url: Secret,
    secrets: Secrets,
}

impl Webhook {
    pub(super) fn new(url: Secret, secrets: Secrets) -> Result<Self, DropsError> {
        let parsed = Url::parse(url.expose())
            .map_err(|_| DropsError::Wrong("DROP_EVENTS_URL is not a URL: copy it again"))?;
        let client = client(
            &parsed,
            DropsError::Wrong(
                "DROP_EVENTS_URL must start with https://: over http:// events would be readable on their way",
            ),
        )?;
        Ok(Self { client, url, secrets })
    }

    /// Sends each in a request of its own, at the same time.
    pub(super) async fn send(
        &self,
        drops: &[ScoreDrop],
        now_ms: i64,
        time: Duration,
    ) -> Vec<Answer> {
        join_all(drops.iter().map(|drop| self.post(drop, now_ms, time))).await
    }

    async fn post(&self, drop: &ScoreDrop, now_ms: i64, time: Duration) -> Answer {
        let event = Event::of(drop);
        let (body, timestamp) = (event.json(), now_ms.div_euclid(1000));
        let request = self
            .client
            .post(self.url.expose())
            .timeout(time)
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", &event.id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", self.secrets.sign(&event.id, timestamp, body.as_bytes()));
        match request.body(body).send().await {
            Ok(answer) if answer.status().is_success() => Answer::Delivered,
            Ok(answer) if answer.status().as_u16() == 410 => Answer::Gone,
            Ok(answer) => Answer::Failed(format!("status {}", answer.status().as_u16())),
            Err(error) => Answer::Failed(unanswered(&error)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn events_go_over_tls_or_nowhere() {
        let webhook = |url: &str| {
            let secrets = Secrets::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
            Webhook::new(Secret::new(url), secrets)
        };
        for good in ["https://a.example/drops?t=sesame", "http://127.0.0.1:1/", "http://[::1]/"] {
            let shown = format!("{:?}", webhook(good).unwrap());
            assert!(!shown.contains("sesame") && !shown.contains("MfKQ"), "{shown}");
        }
        for bad in ["http://a.example/sesame", "https://", "ftp://localhost/sesame", "sesame"] {
            let sentence = webhook(bad).unwrap_err().to_string();
            assert!(
                sentence.starts_with("DROP_EVENTS_URL") && !sentence.contains("sesame"),
                "{sentence}"
            );
        }
    }
}
