//! Names what a look may ask for, and chooses among it within the price.

use std::cmp::Reverse;

use super::Overview;

/// How long the reports of those who work stand, in milliseconds: a tick a minute leaves one.
const BEATS_MS: i64 = 30_000;

/// How long a last report is the newest sign of life, in milliseconds: who finds no work gives one every 10
/// minutes.
const SIGN_MS: i64 = 600_000;

/// How long stands what changes slowly or matters least, in milliseconds.
const SLOW_MS: i64 = 60_000;

/// The most that one [`Ask`] costs, in commands.
const DEAREST: u64 = 2;

/// What a look may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// How many jobs have started within the rate limit's time, how long that still runs, and the signs of life.
    Limit,
    Paused,
    /// When the lock of the job ends that has been active longest.
    Lock,
    Beats,
    Prioritized,
    Delayed,
    WaitingChildren,
    Completed,
    /// Since when the next jobs of the list wait.
    Head,
    /// Since when the first prioritized job waits.
    First,
    Schedules,
    /// BullMQ's metrics of what completed (0) or of what failed (1).
    Metrics(usize),
    /// What of late completed (0) or failed (1) and is kept.
    Kept(usize),
    Signs,
}

impl Ask {
    /// Commands, with the one that the answer may lead to: [`DEAREST`] at most.
    fn price(self) -> u64 {
        match self {
            Self::Limit
            | Self::Lock
            | Self::Head
            | Self::First
            | Self::Metrics(_)
            | Self::Kept(_) => DEAREST,
            _ => 1,
        }
    }

    /// How long the answer stands, in milliseconds.
    fn stands_ms(self) -> i64 {
        match self {
            Self::Beats | Self::Signs => BEATS_MS,
            Self::Completed | Self::Schedules | Self::Metrics(_) | Self::Kept(_) => SLOW_MS,
            _ => 0,
        }
    }

    /// When it was last read, in milliseconds since the epoch.
    fn read_ms(self, look: &Overview) -> Option<i64> {
        let counts = &look.counts;
        match self {
            Self::Limit | Self::Paused => None,
            Self::Lock => look.lock_read_ms,
            Self::Beats => look.heartbeat.as_ref().map(|read| read.at_ms),
            Self::Prioritized => counts.prioritized.map(|read| read.at_ms),
            Self::Delayed => counts.delayed.map(|read| read.at_ms),
            Self::WaitingChildren => counts.waiting_children.map(|read| read.at_ms),
            Self::Completed => counts.completed.map(|read| read.at_ms),
            Self::Head => look.head.map(|read| read.at_ms),
            Self::First => look.first.map(|read| read.at_ms),
            Self::Schedules => look.schedules.as_ref().map(|read| read.at_ms),
            Self::Metrics(end) => look.metrics[end].as_ref().map(|read| read.at_ms),
            Self::Kept(end) => look.kept[end].map(|read| read.at_ms),
            Self::Signs => look.signs_read_ms,
        }
    }

    /// For how long its answer has stood longer than it should, in milliseconds; negative while it stands.
    fn overdue_ms(self, look: &Overview) -> i64 {
        let read = self.read_ms(look);
        read.map_or(i64::MAX, |at| (look.at_ms - at).saturating_sub(self.stands_ms()))
    }
}

/// Whether nobody has given a sign of life for so long that one without a report may be newer.
pub(super) fn is_quiet(look: &Overview) -> bool {
    let last = look.heartbeat.as_ref().and_then(|beats| beats.value.last_ms);
    last.is_none_or(|at| look.at_ms - at > SIGN_MS)
}

/// Chooses what is asked for with `left` commands: what is `pressing` in its order, as long as the dearest of the
/// rest stays affordable, and then what is most overdue. So everything has its turn, however much there is.
pub(super) fn chosen(look: &Overview, mut left: u64, pressing: &[Ask], rest: &[Ask]) -> Vec<Ask> {
    let mut chosen = Vec::new();
    let mut due = Vec::new();
    for ask in pressing {
        if ask.price() + DEAREST <= left {
            left -= ask.price();
            chosen.push(*ask);
        } else {
            due.push(*ask);
        }
    }
    due.extend(rest.iter().filter(|ask| ask.overdue_ms(look) >= 0));
    due.sort_by_key(|ask| Reverse(ask.overdue_ms(look)));
    for ask in due {
        if ask.price() <= left {
            left -= ask.price();
            chosen.push(ask);
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::overview::Figure;

    #[test]
    fn what_is_pressing_leaves_room_for_the_dearest_of_the_rest() {
        let look = Overview::default();
        let pressing = [Ask::Limit, Ask::Paused, Ask::Lock];
        let rest = [Ask::Beats, Ask::Head, Ask::Schedules];
        assert_eq!(
            chosen(&look, 5, &pressing, &rest),
            [Ask::Limit, Ask::Paused, Ask::Lock],
            "the lock has never been looked at, and comes first of the rest"
        );
        let look = Overview { lock_read_ms: Some(0), ..look };
        assert_eq!(
            chosen(&look, 5, &pressing, &rest),
            [Ask::Limit, Ask::Paused, Ask::Beats, Ask::Schedules]
        );
    }

    #[test]
    fn what_is_most_overdue_comes_first_and_what_stands_is_not_asked_again() {
        let read = |at_ms| Some(Figure { at_ms, value: 0 });
        let mut look = Overview { at_ms: 100_000, ..Overview::default() };
        look.counts.prioritized = read(90_000);
        look.counts.delayed = read(70_000);
        // 60 s stand.
        look.counts.completed = read(20_000);
        look.schedules = Some(Figure { at_ms: 41_000, value: Vec::new() });
        let rest = [Ask::Prioritized, Ask::Delayed, Ask::Completed, Ask::Schedules, Ask::Head];
        assert_eq!(
            chosen(&look, 9, &[], &rest),
            [Ask::Head, Ask::Delayed, Ask::Completed, Ask::Prioritized]
        );
    }
}
