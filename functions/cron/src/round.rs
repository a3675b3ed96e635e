//! Keeps a night's round over all projects, with the bookmark that carries it from one tick to the next.

use serde::{Deserialize, Serialize};
use shared::queue::{Error, Queue};

/// The name under which the queue keeps a round that is not over.
const BOOKMARK: &str = "cron-cursor";

/// A round that began longer ago belongs to another night. Longer than the ticks of one night are
/// apart, shorter than half a day, and so long that it does not matter whose clock is minutes off.
const NIGHT_MS: u64 = 10 * 60 * 60 * 1_000;

/// Jobs asked for after which the bookmark is written although the tick goes on: what the next tick
/// asks for again, should this one be killed. Deduplication absorbs that, for 3 commands a job.
const KEEP_AFTER: u64 = 500;

/// A round over all projects, in the order of their ids: from where it began to the last one, and
/// then from the first one to where it began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Round {
    /// When it began: milliseconds since the Unix epoch.
    began_ms: i64,
    /// Behind which project it began; `None`: with the first one.
    began_behind: Option<String>,
    /// The last project that was looked at; `None`: it goes on with the first one.
    place: Option<String>,
    /// It has passed the last project.
    turned: bool,
}

impl Round {
    /// A round that begins behind a project.
    fn behind(place: Option<String>, now_ms: i64) -> Self {
        Self { began_ms: now_ms, began_behind: place.clone(), place, turned: false }
    }

    /// The round that a bookmark tells of. One of another night is not resumed, since whatever lies
    /// behind it may be stale again. A new one begins where that one stopped: were it to begin with
    /// the first project, a queue that is full each night would never get to the last ones.
    fn resume(bookmark: Option<String>, now_ms: i64) -> Self {
        match bookmark.as_deref().map(serde_json::from_str::<Self>) {
            Some(Ok(round)) if round.began_ms.abs_diff(now_ms) < NIGHT_MS => round,
            Some(Ok(round)) => Self::behind(round.place, now_ms),
            // An earlier version kept the project alone, and nobody knows since when.
            Some(Err(_)) | None => Self::behind(bookmark, now_ms),
        }
    }

    /// Goes on to behind `next`, or, at an end of the projects, to the other one. Returns whether
    /// anything is left.
    fn advance(&mut self, next: Option<String>) -> bool {
        if next.is_none() {
            if self.turned || self.began_behind.is_none() {
                return false;
            }
            self.turned = true;
        }
        self.place = next;
        true
    }
}

/// A round under way.
#[derive(Debug)]
pub(crate) struct Walk {
    round: Round,
    /// Whether the queue has a bookmark.
    is_kept: bool,
    /// Whether the round went on since then.
    has_moved: bool,
    /// Jobs that were asked for since then.
    asked: u64,
}

impl Walk {
    /// Goes on with this night's round, or begins one. One command.
    pub(crate) async fn begin(queue: &Queue, now_ms: i64) -> Result<Self, Error> {
        let bookmark = queue.bookmark(BOOKMARK).await?;
        let is_kept = bookmark.is_some();
        let round = Round::resume(bookmark, now_ms);
        Ok(Self { round, is_kept, has_moved: false, asked: 0 })
    }

    /// Behind which project to go on, and up to which one.
    pub(crate) fn ahead(&self) -> (Option<&str>, Option<&str>) {
        let until = self.round.began_behind.as_deref().filter(|_| self.round.turned);
        (self.round.place.as_deref(), until)
    }

    /// Goes on behind a page that asked for so many jobs. Returns whether anything is left of the
    /// round. No command, but one every 500 jobs, and one to forget the bookmark of a round that
    /// is over.
    pub(crate) async fn advance(
        &mut self,
        queue: &Queue,
        next: Option<String>,
        asked: u64,
    ) -> Result<bool, Error> {
        if !self.round.advance(next) {
            self.has_moved = false;
            if self.is_kept {
                queue.keep_bookmark(BOOKMARK, None).await?;
            }
            return Ok(false);
        }
        self.has_moved = true;
        self.asked += asked;
        if self.asked >= KEEP_AFTER {
            self.keep(queue).await?;
        }
        Ok(true)
    }

    /// Keeps the place for the next tick: one command, if there is anything to keep.
    pub(crate) async fn keep(&mut self, queue: &Queue) -> Result<(), Error> {
        if self.has_moved {
            let round = serde_json::json!(self.round).to_string();
            queue.keep_bookmark(BOOKMARK, Some(&round)).await?;
            (self.is_kept, self.has_moved, self.asked) = (true, false, 0);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_772_000_000_000;
    const NIGHT: i64 = NIGHT_MS as i64;

    fn bookmark(round: &Round) -> Option<String> {
        Some(serde_json::json!(round).to_string())
    }

    #[test]
    fn a_round_that_begins_in_the_middle_ends_where_it_began() {
        let mut round = Round::behind(Some("m".to_owned()), NOW);
        assert!(round.advance(Some("t".to_owned())) && !round.turned);
        assert!(round.advance(None) && round.turned && round.place.is_none());
        assert!(round.advance(Some("f".to_owned())));
        assert!(!round.advance(None));
        let mut round = Round::behind(None, NOW);
        assert!(round.advance(Some("m".to_owned())));
        assert!(!round.advance(None));
    }

    #[test]
    fn only_a_round_of_the_same_night_is_resumed() {
        let mut round = Round::behind(Some("m".to_owned()), NOW);
        round.advance(None);
        round.advance(Some("f".to_owned()));
        for off in [0, -600_000, NIGHT - 1] {
            assert_eq!(Round::resume(bookmark(&round), NOW + off), round, "{off}");
        }
        for off in [NIGHT, -NIGHT, i64::MAX - NOW] {
            let begun = Round::behind(Some("f".to_owned()), NOW + off);
            assert_eq!(Round::resume(bookmark(&round), NOW + off), begun, "{off}");
        }
    }

    #[test]
    fn what_an_earlier_version_kept_is_where_a_round_begins() {
        for id in ["cmb1", "17", "true", "{}", r#"{"place":"p"}"#] {
            let begun = Round::behind(Some(id.to_owned()), NOW);
            assert_eq!(Round::resume(Some(id.to_owned()), NOW), begun);
        }
        assert_eq!(Round::resume(None, NOW), Round::behind(None, NOW));
    }
}
