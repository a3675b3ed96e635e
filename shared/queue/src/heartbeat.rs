//! Records signs of life of those who work on the queue, for people to see that somebody does.
//!
//! Two keys of our own. `heartbeat` is a stream of the newest [`MOST_BEATS`] reports of runs that
//! had work. A stream, because one command appends to it and bounds it, whoever else does so at
//! the same time: a string would have to be read before, and what one process remembers, another
//! does not know. Its time to live is set when it is made and not renewed, which would take a
//! second command: once a week it begins anew. `idle` is a string that says when somebody last
//! looked and found nothing to do; it is one command, too, and pushes no report out of the stream.
//!
//! The queue stores a report's text and does not look into it.

use crate::error::Error;

use crate::queue::Queue;
use batchmq_redis::{Command, Value};

/// Reports that are kept.
pub const MOST_BEATS: usize = 30;

/// How long the stream lives: 7 days in seconds.
const STREAM_S: &str = "604800";

/// How long a sign without a report lives: a day in seconds.
const SIGN_S: &str = "86400";

/// A report of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Beat {
    /// When it was written: milliseconds since the epoch.
    pub at_ms: i64,
    /// What was given to [`Queue::beat`].
    pub report: String,
}

/// What is known of those who work on the queue.
///
/// ```no_run
/// # async fn example(queue: &batchmq::Queue) -> Result<(), batchmq::Error> {
/// queue.beat(r#"{"completed":3}"#).await?;
/// queue.beat_idle().await?;
/// let heartbeat = queue.heartbeat(batchmq::MOST_BEATS).await?;
/// println!("last seen at {:?}", heartbeat.last_ms);
/// // The month's commands, and a place to go on at.
/// println!("{} of them, {:?}", queue.spend(40).await?, queue.spent().await?);
/// queue.keep_bookmark("walk", Some("p7")).await?;
/// println!("{:?}", queue.bookmark("walk").await?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Heartbeat {
    /// When somebody last gave a sign of life: milliseconds since the epoch.
    pub last_ms: Option<i64>,
    /// The newest reports, the newest first.
    pub beats: Vec<Beat>,
}

impl Queue {
    /// Adds a report to those that are kept. One command; five where there is none yet, or none
    /// any more.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn beat(&self, report: &str) -> Result<(), Error> {
        let key = self.keys.own("heartbeat");
        let now = self.clock.now_ms().to_string();
        let append = |known: &[&str]| {
            let most = MOST_BEATS.to_string();
            let command = Command::new("XADD").arg(key.clone()).args(known.to_vec());
            let command = command.args(["MAXLEN", "=", &most, "*", "at", &now, "report"]);
            command.arg(report)
        };
        if self.redis.call(append(&["NOMKSTREAM"])).await? != Value::Nil {
            return Ok(());
        }
        // A transaction, so that there is never a stream without a time to live.
        let expire = Command::new("EXPIRE").arg(key.clone()).arg(STREAM_S);
        for answer in self.redis.transaction(vec![append(&[]), expire]).await? {
            answer?;
        }
        Ok(())
    }

    /// Notes that somebody looked and found nothing to do. One command.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn beat_idle(&self) -> Result<(), Error> {
        let now = self.clock.now_ms().to_string();
        let command = Command::new("SET").arg(self.keys.own("idle")).arg(now);
        self.redis.call(command.arg("EX").arg(SIGN_S).replay_safe()).await?;
        Ok(())
    }

    /// Reads the last sign of life and the newest `most` reports. Two commands, one round trip.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn heartbeat(&self, most: usize) -> Result<Heartbeat, Error> {
        let signs = Command::new("MGET").args(self.sign_keys()).replay_safe();
        let commands = vec![self.beats(most).replay_safe(), signs];
        let mut answers = self.redis.pipeline(commands).await?.into_iter();
        let mut next = |name| answers.next().ok_or(Error::Protocol(name));
        let (reports, signs) = (next("XREVRANGE")??, next("MGET")??);
        let mut heartbeat = read(&reports, most)?;
        let signs = signs.as_array().ok_or(Error::Protocol("MGET"))?;
        let signs = signs.iter().filter_map(|sign| sign.as_str()?.parse().ok());
        heartbeat.last_ms = heartbeat.last_ms.max(signs.max());
        Ok(heartbeat)
    }

    /// Asks for the newest `most` reports.
    pub(crate) fn beats(&self, most: usize) -> Command {
        let reports = Command::new("XREVRANGE").arg(self.keys.own("heartbeat"));
        // One at least: its time is a sign of life.
        reports.args(["+", "-", "COUNT", &most.max(1).to_string()])
    }

    /// What signs without a report stand in. The second one was written by earlier versions, and lived for
    /// a day.
    pub(crate) fn sign_keys(&self) -> [String; 2] {
        [self.keys.own("idle"), self.keys.former("heartbeat")]
    }
}

/// Reads the answer to [`Queue::beats`].
pub(crate) fn read(reports: &Value, most: usize) -> Result<Heartbeat, Error> {
    let entries = reports.as_array().ok_or(Error::Protocol("XREVRANGE"))?;
    let mut beats: Vec<Beat> = entries.iter().filter_map(beat).collect();
    let last_ms = beats.iter().map(|beat| beat.at_ms).max();
    beats.truncate(most);
    Ok(Heartbeat { last_ms, beats })
}

/// Reads `[id, [name, value, ...]]`; `None` for an entry that somebody else wrote.
fn beat(entry: &Value) -> Option<Beat> {
    let [_, Value::Array(pairs)] = entry.as_array()? else { return None };
    let field = |name: &str| {
        let pair = pairs.chunks_exact(2).find(|pair| pair[0].as_str() == Some(name))?;
        pair[1].as_str()
    };
    Some(Beat { at_ms: field("at")?.parse().ok()?, report: field("report")?.to_owned() })
}
