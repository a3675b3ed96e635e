//! Retries failed jobs by their reason, a page at a time.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::error::Error;
use crate::operate::operation::code;
use crate::operate::refusal::Refusal;
use crate::operate::revive::PAGE;
use crate::queue::Queue;
use crate::script::library::RETRY_BY_REASON;

/// What stands for anything in a reason that is looked for.
pub(crate) const ANYTHING: char = '…';

/// Where a walk through the failed jobs goes on, written as `<until>-<cursor>`. It carries the moment up to which
/// jobs count that have failed, so that none is retried again that fails meanwhile, and the walk ends.
///
/// ```
/// use batchmq::RetryFrom;
///
/// let from: RetryFrom = "1700000000000-384".parse().unwrap();
/// assert_eq!(from.to_string(), "1700000000000-384");
/// assert!("384".parse::<RetryFrom>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryFrom {
    until_ms: i64,
    cursor: u64,
}

/// What is no place in a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("pass the next of the step before")]
#[non_exhaustive]
pub struct NotAPlace;

impl FromStr for RetryFrom {
    type Err = NotAPlace;

    fn from_str(text: &str) -> Result<Self, NotAPlace> {
        let (until, cursor) = text.split_once('-').ok_or(NotAPlace)?;
        // `parse` would take a sign.
        if [until, cursor].iter().any(|part| !part.bytes().all(|byte| byte.is_ascii_digit())) {
            return Err(NotAPlace);
        }
        let until_ms = until.parse().map_err(|_| NotAPlace)?;
        Ok(Self { until_ms, cursor: cursor.parse().map_err(|_| NotAPlace)? })
    }
}

impl fmt::Display for RetryFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.until_ms, self.cursor)
    }
}

/// What one step of a walk through the failed jobs did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step {
    /// Jobs that were retried.
    pub retried: u64,
    /// Where to go on; `None` where all were looked at.
    pub next: Option<RetryFrom>,
}

#[derive(Serialize)]
struct Scan<'a> {
    cursor: String,
    until: i64,
    count: usize,
    parts: &'a [&'a str],
}

impl Queue {
    /// Puts every job back to work that has failed until now for a reason that contains `text`, as it is written,
    /// but for `…`, which stands for anything, in pages of about 500; returns how many. One command a failed
    /// job, one to three more for each that is retried. Jobs may come and go meanwhile: none is retried twice.
    ///
    /// # Errors
    /// [`Error::Refused`] where the text has nothing to look for. [`Error::Redis`]: pages before the failing one
    /// are done.
    pub async fn retry_by_reason(&self, text: &str) -> Result<u64, Error> {
        let (mut retried, mut from) = (0, None);
        loop {
            let step = self.retry_step(text, from).await?;
            retried += step.retried;
            from = step.next;
            if from.is_none() {
                return Ok(retried);
            }
        }
    }

    /// As [`Queue::retry_by_reason`], one page of about 500: the first one, or the one that begins at `from`, the
    /// [`next`](Step::next) of the step before.
    ///
    /// # Errors
    /// As [`Queue::retry_by_reason`].
    pub async fn retry_step(&self, text: &str, from: Option<RetryFrom>) -> Result<Step, Error> {
        let parts: Vec<&str> = text.split(ANYTHING).filter(|part| !part.is_empty()).collect();
        if parts.iter().all(|part| part.trim().is_empty()) {
            return Err(Refusal::NoReason.into());
        }
        let from = from.unwrap_or_else(|| RetryFrom { until_ms: self.clock.now_ms(), cursor: 0 });
        let RetryFrom { until_ms, cursor } = from;
        // As text: a cursor may have more digits than a number of Lua's.
        let page = Scan { cursor: cursor.to_string(), until: until_ms, count: PAGE, parts: &parts };
        let answer = self.operate(&RETRY_BY_REASON, Vec::new(), page).await?;
        let read = || {
            let (retried, [next]) = code(&answer)? else { return None };
            let cursor = next.as_str()?.parse().ok()?;
            let next = (cursor != 0).then_some(RetryFrom { until_ms, cursor });
            Some(Step { retried: u64::try_from(retried).ok()?, next })
        };
        read().ok_or(Error::Protocol(RETRY_BY_REASON.name))
    }
}
