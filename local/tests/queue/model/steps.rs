//! What a sequence consists of, and how one is made of a seed.
//!
//! A step names jobs and claims by numbers that always mean one of those that there are, so that every
//! part of a sequence is a sequence, too.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};
use shared::config::Events;

/// How long a lock lives: milliseconds. The keys' real times to live are never reached in a test; what
/// ends by the model's clock is deleted by hand.
pub(crate) const LOCK_MS: i64 = 3_600_000;
/// The time of the rate limit.
pub(crate) const RATE_MS: i64 = 1_800_000;

/// The deduplication ids that jobs are given.
pub(crate) const DEDUPS: [u8; 3] = [0, 1, 2];

const STEPS: usize = 60;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sequence {
    /// Events, the queue's version and its setting for old producers.
    pub(crate) setting: u8,
    pub(crate) steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Step {
    Enqueue {
        jobs: Vec<Spec>,
        fate: Fate,
    },
    Claim {
        ask: Ask,
        fate: Fate,
    },
    Settle {
        claim: Pick,
        ends: Vec<End>,
        next: Option<Ask>,
        fate: Fate,
    },
    Renew {
        claim: Pick,
    },
    Advance(i64),
    Recover {
        fate: Fate,
    },
    Pause {
        fate: Fate,
    },
    Resume {
        fate: Fate,
    },
    Promote {
        job: Pick,
        fate: Fate,
    },
    PromoteAll {
        fate: Fate,
    },
    Retry {
        job: Pick,
        failed: bool,
        reset: bool,
        fate: Fate,
    },
    RetryAll {
        failed: bool,
        fate: Fate,
    },
    Remove {
        job: Pick,
        fate: Fate,
    },
    Clean {
        state: u8,
        grace: i64,
        limit: Option<u64>,
        fate: Fate,
    },
    Concurrency(Option<u32>),
    Rate(Option<u32>),
    /// A peer puts an active job back without regard to its lock.
    Snatch {
        job: Pick,
    },
}

/// What becomes of a call and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Fate {
    Plain,
    /// The answer is lost on the way, and the client asks again.
    Lost,
    /// An add is made twice under one idempotency key; a claimer dies with what it claimed.
    Other,
}

/// One of those that there are; `fit`: of those that the step is made for, where there are any.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pick {
    pub(crate) n: u16,
    pub(crate) fit: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ask {
    pub(crate) count: u32,
    pub(crate) wait: bool,
    pub(crate) prioritized: bool,
    pub(crate) delayed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum End {
    Skip,
    Complete,
    Fail,
    RetryAfter(u64),
    Unrecoverable,
    Release,
    Postpone,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spec {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<u8>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) priority: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) delay: i64,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) lifo: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) attempts: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) backoff: u64,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) keep_completed: Keep,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) keep_failed: Keep,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) dedup: Option<Dedup>,
    /// A duplicate is asked for by hand.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) promote: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Dedup {
    pub(crate) id: u8,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) ttl: i64,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) extend: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) replace: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) last: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) reschedule: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) enum Keep {
    #[default]
    All,
    None,
    /// The newest two.
    Two,
    /// For a minute.
    Minute,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Sequence {
    pub(crate) fn of(seed: u64) -> Self {
        let mut dice = Dice(StdRng::seed_from_u64(seed));
        let setting = dice.0.random_range(0..16);
        Self { setting, steps: (0..STEPS).map(|_| dice.step()).collect() }
    }

    pub(crate) fn events(&self) -> Events {
        match self.setting & 3 {
            0 | 1 => Events::Off,
            2 => Events::Final,
            _ => Events::All,
        }
    }

    pub(crate) fn is_version_five(&self) -> bool {
        self.setting & 4 != 0
    }

    pub(crate) fn opens_deduplication(&self) -> bool {
        self.setting & 8 != 0
    }
}

struct Dice(StdRng);

impl Dice {
    fn one_in(&mut self, n: u32) -> bool {
        self.0.random_range(0..n) == 0
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.0.random_range(0..choices.len())]
    }

    fn pick(&mut self) -> Pick {
        Pick { n: self.0.random(), fit: !self.one_in(6) }
    }

    /// Lost answers cost a new connection each, so there are few.
    fn fate(&mut self) -> Fate {
        match self.0.random_range(0..40) {
            0 => Fate::Lost,
            1 | 2 => Fate::Other,
            _ => Fate::Plain,
        }
    }

    fn step(&mut self) -> Step {
        let fate = self.fate();
        match self.0.random_range(0..100) {
            0..28 => Step::Enqueue { jobs: self.specs(), fate },
            28..46 => Step::Claim { ask: self.ask(), fate },
            46..68 => {
                let next = self.one_in(3).then(|| self.ask());
                Step::Settle { claim: self.pick(), ends: self.ends(), next, fate }
            }
            68..70 => Step::Renew { claim: self.pick() },
            70..78 => Step::Advance(self.of(&[
                1,
                1_000,
                31_000,
                61_000,
                RATE_MS + 1,
                LOCK_MS + 1,
                LOCK_MS + 1,
            ])),
            78..82 => Step::Recover { fate },
            82 => Step::Pause { fate },
            83..85 => Step::Resume { fate },
            85 => Step::Promote { job: self.pick(), fate },
            86 => Step::PromoteAll { fate },
            87..89 => {
                let (failed, reset) = (self.one_in(2), self.one_in(3));
                Step::Retry { job: self.pick(), failed, reset, fate }
            }
            89 => Step::RetryAll { failed: self.one_in(2), fate },
            90..92 => Step::Remove { job: self.pick(), fate },
            92..94 => Step::Clean {
                state: self.0.random_range(0..7),
                grace: self.of(&[0, 1_000, 100_000]),
                limit: self.of(&[None, Some(1), Some(2)]),
                fate,
            },
            94..96 => Step::Concurrency(self.of(&[None, None, Some(1), Some(3)])),
            96..98 => Step::Rate(self.of(&[None, None, Some(1), Some(4)])),
            _ => Step::Snatch { job: self.pick() },
        }
    }

    fn specs(&mut self) -> Vec<Spec> {
        let most = self.of(&[1, 1, 2, 3, 6]);
        (0..most).map(|_| self.spec()).collect()
    }

    fn spec(&mut self) -> Spec {
        let keeps = [Keep::All, Keep::All, Keep::None, Keep::Two, Keep::Minute];
        let mut spec = Spec {
            id: self.one_in(5).then(|| self.0.random_range(0..4)),
            priority: self.of(&[0, 0, 0, 1, 2, 2, 2_097_151]),
            delay: self.of(&[0, 0, 0, 0, 1_000, 1_001, 60_000]),
            lifo: self.one_in(6),
            attempts: self.of(&[0, 1, 2, 3]),
            backoff: self.of(&[0, 0, 1_000]),
            keep_completed: self.of(&keeps),
            keep_failed: self.of(&keeps),
            dedup: None,
            promote: self.one_in(5),
        };
        if self.one_in(2) {
            let last = self.one_in(3);
            spec.dedup = Some(Dedup {
                id: self.of(&DEDUPS),
                // They run in real time: none ends while a sequence runs, however slow the machine.
                ttl: self.of(&[0, 0, 1_000_000, 2_000_000]),
                // A key that is to keep the last has no time that could be extended. Asked for both, the
                // queue lets go a holder that has ended with the next call rather than the next job.
                extend: !last && self.one_in(4),
                replace: self.one_in(4),
                last,
                reschedule: spec.delay > 0 && self.one_in(3),
            });
        }
        spec
    }

    fn ask(&mut self) -> Ask {
        Ask {
            count: self.0.random_range(1..=8),
            wait: !self.one_in(8),
            prioritized: !self.one_in(8),
            delayed: !self.one_in(4),
        }
    }

    fn ends(&mut self) -> Vec<End> {
        let ends = [
            End::Skip,
            End::Complete,
            End::Complete,
            End::Complete,
            End::Fail,
            End::Fail,
            End::RetryAfter(0),
            End::RetryAfter(5_000),
            End::Unrecoverable,
            End::Release,
            End::Postpone,
        ];
        // Often the whole batch ends in one way.
        let different = self.of(&[1, 1, 2, 5]);
        (0..different).map(|_| self.of(&ends)).collect()
    }
}
