//! Keeps a month's budget of billed commands, and what this process knows of how much of it is spent.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use batchmq::Queue;
use tracing::warn;

use crate::patience::Patience;

/// For how long jobs with a priority gather at least, once bulk has to wait.
const THRIFTY: Duration = Duration::from_mins(30);

/// How many billed commands a month may take. Past a share of it what nobody waits for is slowed down:
/// jobs with a priority gather, and whoever adds jobs in bulk should not.
///
/// Counted is what those spend who call [`Queue::spend`]: what BullMQ's own processes spend is not seen.
///
/// ```
/// use std::time::Duration;
///
/// use batchmq_engine::Budget;
///
/// let budget = Budget { commands: 1_000, share: 0.8, every: Duration::from_secs(60) };
/// assert!(!budget.is_tight(700) && budget.is_tight(900));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// Billed commands a month.
    pub commands: u64,
    /// The part of them, from 0 to 1, from which on to be thrifty.
    pub share: f64,
    /// How often ticks come, as in [`Patience`].
    pub every: Duration,
}

impl Budget {
    /// Returns whether so much is spent that bulk has to wait.
    #[expect(
        clippy::cast_precision_loss,
        reason = "what is lost is less than a command in a billion"
    )]
    pub fn is_tight(self, spent: u64) -> bool {
        spent as f64 >= self.commands as f64 * self.share
    }

    /// The patience of a tick once the budget is tight: windows of at least half an hour.
    pub(crate) fn patience(self, patience: Option<Patience>) -> Patience {
        let patience = patience.unwrap_or(Patience { window: THRIFTY, every: self.every });
        Patience { window: patience.window.max(THRIFTY), ..patience }
    }
}

/// What a process has spent since it last said so, and what it heard of the month then.
///
/// ```no_run
/// use batchmq::Queue;
/// use batchmq_engine::{Budget, Purse};
///
/// # async fn example(queue: &Queue, budget: Budget, purse: &Purse) {
/// if purse.is_tight(queue, budget).await {
///     println!("bulk waits");
/// }
/// let used = queue.redis().usage().billed;
/// // Written down once it is worth a command.
/// purse.pay(queue, used, purse.unpaid() + used >= 50).await;
/// # }
/// ```
#[derive(Debug)]
pub struct Purse {
    unpaid: AtomicU64,
    /// [`UNKNOWN`] before the first answer.
    spent: AtomicU64,
}

const UNKNOWN: u64 = u64::MAX;

impl Default for Purse {
    fn default() -> Self {
        Self { unpaid: AtomicU64::new(0), spent: AtomicU64::new(UNKNOWN) }
    }
}

impl Purse {
    /// Returns whether so much of `budget` is spent that bulk has to wait, as far as is known. A process
    /// asks once, which takes a command; later it knows by what it adds.
    pub async fn is_tight(&self, queue: &Queue, budget: Budget) -> bool {
        let mut spent = self.spent.load(Ordering::Relaxed);
        if spent == UNKNOWN {
            spent = match queue.spent().await {
                Ok(spent) => spent.unwrap_or(0),
                Err(error) => {
                    warn!(%error, "the commands of this month cannot be read");
                    return false;
                }
            };
            self.spent.store(spent, Ordering::Relaxed);
        }
        budget.is_tight(spent)
    }

    /// Returns how many commands were noted and not yet added.
    pub fn unpaid(&self) -> u64 {
        self.unpaid.load(Ordering::Relaxed)
    }

    /// Notes that `used` commands were used, and adds all that were noted to the month's count if that is
    /// `due`; otherwise a later call does. A process that ends before that leaves them uncounted.
    pub async fn pay(&self, queue: &Queue, used: u64, due: bool) {
        if !due {
            self.unpaid.fetch_add(used, Ordering::Relaxed);
            return;
        }
        // Taken before it is sent, so that no other call pays it, too.
        let unpaid = self.unpaid.swap(0, Ordering::Relaxed).saturating_add(used);
        match queue.spend(unpaid).await {
            Ok(spent) => self.spent.store(spent, Ordering::Relaxed),
            Err(error) => {
                self.unpaid.fetch_add(unpaid, Ordering::Relaxed);
                warn!(%error, "what was spent is counted later");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_tight_from_its_share_on() {
        let budget = Budget { commands: 1_000, share: 0.8, every: Duration::from_secs(60) };
        assert!(!budget.is_tight(0) && !budget.is_tight(799));
        assert!(budget.is_tight(800) && budget.is_tight(u64::MAX));
        assert!(Budget { share: 0.0, ..budget }.is_tight(0));
        assert!(!Budget { share: 1.0, ..budget }.is_tight(999));
    }

    #[test]
    fn a_tight_budget_makes_patience_longer_and_never_shorter() {
        let every = Duration::from_secs(60);
        let budget = Budget { commands: 1, share: 1.0, every };
        for (minutes, wanted) in [(None, 30), (Some(5), 30), (Some(60), 60)] {
            let patience =
                minutes.map(|minutes| Patience { window: Duration::from_mins(minutes), every });
            let wanted = Patience { window: Duration::from_mins(wanted), every };
            assert_eq!(budget.patience(patience), wanted);
        }
    }
}
