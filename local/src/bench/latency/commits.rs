//! The moments at which scores are committed, told by Postgres itself over a connection that is not far
//! away.

use std::future::poll_fn;
use std::time::Instant;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;
use tokio_postgres::{AsyncMessage, NoTls};

use super::LONGEST;
use crate::Failure;

/// A notification is delivered when what sent it is committed. It stands on the project, which both sides
/// update last: ours in the statement that stores the snapshot, BullMQ's in the one after it.
const TELL: &str = r#"
    CREATE FUNCTION tell_score() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM pg_notify('scores', NEW.id); RETURN NULL; END $$;
    CREATE TRIGGER tell_score AFTER UPDATE OF "currentDeoScoreComputedAt" ON "Project"
        FOR EACH ROW EXECUTE FUNCTION tell_score();
    LISTEN scores"#;

/// Scores as they are committed.
pub(super) struct Commits(UnboundedReceiver<(Instant, String)>);

impl Commits {
    /// Begins to listen in the database of `url`.
    pub(super) async fn listen(url: &str) -> Result<Self, Failure> {
        let (client, mut connection) = tokio_postgres::connect(url, NoTls).await?;
        let (tell, told) = unbounded_channel();
        tokio::spawn(async move {
            while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await
            {
                if let AsyncMessage::Notification(of) = message
                    && tell.send((Instant::now(), of.payload().to_owned())).is_err()
                {
                    return;
                }
            }
        });
        client.batch_execute(TELL).await?;
        // The connection ends with its client.
        tokio::spawn(async move {
            let _client = client;
            std::future::pending::<()>().await;
        });
        Ok(Self(told))
    }

    /// Waits until the next score is committed, which must be that of `project`.
    pub(super) async fn next(&mut self, project: &str) -> Result<Instant, Failure> {
        let told = timeout(LONGEST, self.0.recv()).await;
        let told = told.map_err(|_| format!("no score of {project} in {} s", LONGEST.as_secs()))?;
        match told.ok_or("Postgres has closed the connection")? {
            (at, id) if id == project => Ok(at),
            (_, id) => Err(format!("a score of {id} instead of {project}").into()),
        }
    }
}
