//! Takes the events of drops that the drains send, and refuses every third request.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_postgres::Client;

use crate::Failure;
use crate::verify::Evidence;

/// What the events are signed with.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Lets every project fall once at least, and notes each fall that the functions make, which is what each event is
/// held to. Peers of BullMQ store scores too, and tell nobody.
pub(super) const WITNESS: &str = r#"
    UPDATE "Project" SET "currentDeoScore" = 100,
        "currentDeoScoreComputedAt" = now() AT TIME ZONE 'UTC' - interval '1 day';
    CREATE TABLE deo.fall (project TEXT, from_score INTEGER, to_score INTEGER, read_at TIMESTAMP(3));
    CREATE FUNCTION deo.note_fall() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
        IF current_setting('application_name') = 'deo' AND OLD."currentDeoScore" > NEW."currentDeoScore" THEN
            INSERT INTO deo.fall VALUES (
                NEW.id, OLD."currentDeoScore", NEW."currentDeoScore", NEW."currentDeoScoreComputedAt");
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER note_fall AFTER UPDATE ON "Project" FOR EACH ROW EXECUTE FUNCTION deo.note_fall();"#;

/// What the witness has noted.
pub(super) async fn falls(owner: &Client) -> Result<Vec<Evidence>, Failure> {
    let asked = "SELECT project, from_score, to_score, (extract(epoch FROM read_at) * 1000)::bigint FROM deo.fall";
    let rows = owner.query(asked, &[]).await?;
    let fall = |row: &tokio_postgres::Row| {
        Ok(Evidence::Fall {
            project: row.try_get(0)?,
            from: row.try_get(1)?,
            to: row.try_get(2)?,
            read_at_ms: row.try_get(3)?,
        })
    };
    rows.iter().map(fall).collect()
}

/// A running receiver. Dropped, it takes no more.
#[derive(Debug)]
pub(super) struct Receiver {
    port: u16,
    taken: Arc<Mutex<Vec<Evidence>>>,
    serving: JoinHandle<()>,
}

impl Receiver {
    pub(super) async fn start() -> Result<Self, Failure> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let taken: Arc<Mutex<Vec<Evidence>>> = Arc::default();
        let (notes, count) = (Arc::clone(&taken), Arc::new(AtomicU64::new(1)));
        let take = async move |headers: HeaderMap, body: Bytes| {
            if count.fetch_add(1, Ordering::Relaxed).is_multiple_of(3) {
                return StatusCode::SERVICE_UNAVAILABLE;
            }
            let body: Value = serde_json::from_slice(&body).unwrap_or_default();
            let id = headers.get("webhook-id").and_then(|id| id.to_str().ok());
            let event = Evidence::Event {
                id: id.unwrap_or_default().to_owned(),
                project: body["projectId"].as_str().unwrap_or_default().to_owned(),
            };
            notes.lock().unwrap_or_else(PoisonError::into_inner).push(event);
            StatusCode::NO_CONTENT
        };
        let serving = tokio::spawn(async move {
            // It ends with the run.
            drop(axum::serve(listener, Router::new().route("/", post(take))).await);
        });
        Ok(Self { port, taken, serving })
    }

    /// The settings of whoever sends events there.
    pub(super) fn settings(&self) -> [(&'static str, String); 3] {
        [
            ("DROP_EVENTS_POINTS", "1".to_owned()),
            ("DROP_EVENTS_URL", format!("http://127.0.0.1:{}/", self.port)),
            ("DROP_EVENTS_SECRET", SECRET.to_owned()),
        ]
    }

    /// What it took.
    pub(super) fn taken(&self) -> Vec<Evidence> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
