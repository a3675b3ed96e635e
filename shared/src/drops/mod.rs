//! Sends what [`Store::announcing_drops`] writes down: that a score fell, as a signed webhook or an event of
//! EventBridge.
//!
//! Never in the way of jobs: it is asked to once they are settled, takes what is left of a tick and not much
//! of that, and whatever fails is only logged. An event is sent at least once, under an id that is always the
//! same, for a day and once more after it. How long until it is sent again is in the database, which also sees to it that no
//! two processes send the same one at a time.

mod bus;
mod client;
mod event;
mod sigv4;
mod webhook;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};
use tracing::{error, info, warn};

use crate::clock::Clock;
use crate::config::DropsConfig;
use crate::store::{DropEnd, Error, ScoreDrop, Store};
use bus::Bus;
use webhook::Webhook;

/// Events that are claimed, and under way, at a time: as many as EventBridge takes in one request.
const AT_ONCE: u32 = 10;

/// The longest that sending takes, however much time a tick has left.
const LONGEST: Duration = Duration::from_secs(10);

/// The longest that one request takes.
const REQUEST: Duration = Duration::from_secs(5);

/// With less time than this nothing is begun.
const LEAST: Duration = Duration::from_secs(2);

/// With less time than this for a request nothing is sent.
const LEAST_REQUEST: Duration = Duration::from_millis(500);

/// The time for noting what was sent.
const NOTING: Duration = Duration::from_secs(1);

/// Settings with which no event can be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DropsError {
    /// What is set is wrong, or lacks something beside it.
    #[error("{0}")]
    Wrong(&'static str),
    /// What is missing may be set elsewhere: by Lambda, or for the functions that send.
    #[error("{0}")]
    Elsewhere(&'static str),
}

/// Sends events of drops.
#[derive(Debug)]
pub struct Delivery {
    store: Store,
    target: Target,
    clock: Clock,
}

#[derive(Debug)]
enum Target {
    Webhook(Webhook),
    Bus(Bus),
}

/// What became of sending an event.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Delivered,
    /// Nobody will ever want it.
    Gone,
    /// Not taken now, for this reason.
    Failed(String),
}

/// How many events were sent, in a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// Delivered.
    #[serde(rename = "dropsDelivered", skip_serializing_if = "is_zero", default)]
    pub delivered: u64,
    /// Not taken, to be sent again.
    #[serde(rename = "dropsFailed", skip_serializing_if = "is_zero", default)]
    pub failed: u64,
    /// Sent no more: nobody took them within a day, or the receiver said that it never will.
    #[serde(rename = "dropsGivenUp", skip_serializing_if = "is_zero", default)]
    pub given_up: u64,
}

/// The count of events that were given up, in a drain's report.
pub const DROPS_GIVEN_UP: &str = "dropsGivenUp";

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Sent {
    /// Whether anything was sent, taken or not.
    pub fn is_any(&self) -> bool {
        self.delivered + self.failed + self.given_up > 0
    }

    /// Returns the counts that are not zero, by their names in a report.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
        let all = [
            ("dropsDelivered", self.delivered),
            ("dropsFailed", self.failed),
            (DROPS_GIVEN_UP, self.given_up),
        ];
        all.into_iter().filter(|(_, count)| *count > 0)
    }
}

impl Target {
    fn of(config: &DropsConfig) -> Result<Self, DropsError> {
        match (&config.url, &config.bus) {
            (Some(url), _) => {
                let secrets = config.secrets.clone().ok_or(DropsError::Wrong(
                    "DROP_EVENTS_SECRET is not set, though DROP_EVENTS_URL is: set it, too, since what is \
                     posted there is signed with it",
                ))?;
                Webhook::new(url.clone(), secrets).map(Self::Webhook)
            }
            (None, Some(bus)) => Bus::new(bus, &config.aws).map(Self::Bus),
            (None, None) => Err(DropsError::Elsewhere(
                "DROP_EVENTS_POINTS is set: set DROP_EVENTS_URL or DROP_EVENTS_BUS, too, where events go to, for `drain` and `cron`",
            )),
        }
    }
}

/// Says what keeps events from being sent as `config` asks for.
///
/// # Errors
/// What is missing or wrong, without any secret.
pub fn check(config: &DropsConfig) -> Result<(), DropsError> {
    match config.points {
        Some(_) => Target::of(config).map(drop),
        None => Ok(()),
    }
}

impl Delivery {
    /// Returns the delivery that `config` asks for, if it does. Opens no connection.
    ///
    /// # Errors
    /// What is missing or wrong, without any secret.
    pub fn new(
        config: &DropsConfig,
        store: Store,
        clock: Clock,
    ) -> Result<Option<Self>, DropsError> {
        if config.points.is_none() {
            return Ok(None);
        }
        let target = Target::of(config)?;
        Ok(Some(Self { store, target, clock }))
    }

    /// Sends what is due, until `until` and for 10 s at most. What goes wrong is logged, and sent again another
    /// time.
    pub async fn deliver(&self, until: Instant) -> Sent {
        let until = until.min(Instant::now() + LONGEST);
        let mut sent = Sent::default();
        while Instant::now() + LEAST <= until {
            match timeout_at(until, self.some(until, &mut sent)).await {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => break,
                Ok(Err(error)) => {
                    error!(%error, "drops cannot be looked up, or noted as sent");
                    break;
                }
                Err(_) => {
                    warn!("there was no time left for sending drops");
                    break;
                }
            }
        }
        if sent.delivered > 0 {
            info!(events = sent.delivered, "drops were delivered");
        }
        sent
    }

    /// Sends some. Returns whether there may be more, which would be taken.
    async fn some(&self, until: Instant, sent: &mut Sent) -> Result<bool, Error> {
        let left = |end: Instant| end.saturating_duration_since(Instant::now());
        let due = self.store.claim_drops(AT_ONCE, left(until)).await?;
        if due.given_up > 0 {
            sent.given_up += due.given_up;
            warn!(events = due.given_up, "drops were given up: nobody took them within a day");
        }
        if due.claimed.is_empty() {
            return Ok(false);
        }
        let time = left(until.checked_sub(NOTING).unwrap_or(until)).min(REQUEST);
        if time < LEAST_REQUEST {
            // Claiming took long. A receiver may take what it has no time left to answer, and get it again.
            let all: Vec<&str> = due.claimed.iter().map(|it| &*it.snapshot_id).collect();
            self.store.return_drops(&all, left(until)).await?;
            return Ok(false);
        }
        let answers = self.send(&due.claimed, time).await;
        let mut ends = Vec::new();
        let mut reason = None;
        for (drop, answer) in due.claimed.iter().zip(answers) {
            match answer {
                Answer::Delivered => ends.push((&*drop.snapshot_id, DropEnd::Delivered)),
                Answer::Gone => ends.push((&*drop.snapshot_id, DropEnd::GivenUp)),
                Answer::Failed(why) => reason = Some(why),
            }
        }
        let delivered = ends.iter().filter(|end| end.1 == DropEnd::Delivered).count();
        let failed = due.claimed.len() - ends.len();
        if let Some(reason) = reason {
            warn!(events = failed, reason, "drops were not taken, and are sent again later");
        }
        let gone = ends.len() - delivered;
        if gone > 0 {
            warn!(events = gone, "drops were given up: their receiver answers with status 410");
        }
        sent.delivered += delivered as u64;
        sent.failed += failed as u64;
        sent.given_up += gone as u64;
        if !ends.is_empty() {
            self.store.end_drops(&ends, left(until)).await?;
        }
        // A receiver that takes nothing is left alone until the next tick.
        Ok(delivered > 0 && due.claimed.len() == AT_ONCE as usize)
    }

    async fn send(&self, drops: &[ScoreDrop], time: Duration) -> Vec<Answer> {
        let now_ms = self.clock.now_ms();
        match &self.target {
            Target::Webhook(webhook) => webhook.send(drops, now_ms, time).await,
            Target::Bus(bus) => bus.send(drops, now_ms, time).await,
        }
    }
}
