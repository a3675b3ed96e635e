//! What follows once the obstacle is gone: the queues are worked off until nothing moves any more.

use std::collections::{BTreeMap, BTreeSet};

use redis::aio::MultiplexedConnection;
use shared::clock::Clock;
use shared::queue::{Claim, ClaimRequest, Code, Queue, Settlement};

use super::dump::BASES;
use super::script;
use super::verdict::Kind;

/// Rounds in which a queue of a few jobs must be worked off.
const ROUNDS: usize = 16;

/// Longer than any job of the states is delayed once it goes on.
const DELAY_MS: i64 = 10_000;

/// How often each job's end was accepted, by its hash's key, and what went wrong on the way.
#[derive(Default)]
pub(crate) struct Ends {
    pub(crate) accepted: BTreeMap<String, u32>,
    pub(crate) wrong: Vec<(Kind, String)>,
}

impl Ends {
    pub(crate) fn take(&mut self, base: &str, codes: &[(String, Code)]) {
        for (id, code) in codes {
            if matches!(code, Code::Completed | Code::Failed) {
                *self.accepted.entry(format!("{base}{id}")).or_default() += 1;
            }
        }
    }

    /// Ends what was claimed.
    pub(crate) async fn settle(&mut self, queue: &Queue, base: &str, claim: &Claim) {
        let mut seen = BTreeSet::new();
        for job in &claim.jobs {
            if !seen.insert(&job.id) {
                self.wrong.push((Kind::Doubled, format!("{base}{}", job.id)));
            }
        }
        let mut jobs: Vec<_> = claim
            .jobs
            .iter()
            .map(|job| {
                let end = match &job.deferred_failure {
                    Some(reason) => Settlement::Unrecoverable(reason.clone()),
                    None => Settlement::Complete("null".to_owned()),
                };
                (job.clone(), end)
            })
            .collect();
        for _ in 0..2 {
            if jobs.is_empty() {
                return;
            }
            let Ok(settled) = queue.settle(&claim.token, &jobs).await else { return };
            let ids = jobs.iter().map(|(job, _)| job.id.clone());
            let codes: Vec<_> = ids.zip(settled.codes).collect();
            self.take(base, &codes);
            // As a worker does whose job may not complete.
            jobs = jobs
                .into_iter()
                .zip(codes)
                .filter_map(|((job, _), (id, code))| Some((job, code.instead(&id)?)))
                .collect();
        }
    }
}

/// Lets time pass; tells how many jobs of each queue wait, are delayed, and are active.
pub(crate) async fn elapse(work: &mut MultiplexedConnection) -> Vec<[u32; 3]> {
    script(include_str!("elapse.lua"), &BASES, work).await
}

/// Works both queues off, as time passes.
pub(crate) async fn drive(
    queues: [&Queue; 2],
    clock: &Clock,
    work: &mut MultiplexedConnection,
    ends: &mut Ends,
) {
    let mut late = false;
    for _ in 0..ROUNDS {
        let counts = elapse(work).await;
        let mut quiet = true;
        let delayed: u32 = counts.iter().map(|[_, delayed, _]| delayed).sum();
        for ((queue, base), [waiting, delayed, active]) in queues.iter().zip(BASES).zip(counts) {
            if active > 0 {
                quiet = false;
                if let Err(error) = queue.recover().await {
                    ends.wrong.push((Kind::Stuck, format!("recovery fails: {error}")));
                    return;
                }
            }
            if waiting + delayed > 0 {
                let claim = match queue.claim(ClaimRequest::everywhere(100)).await {
                    Ok(claim) => claim,
                    Err(error) => {
                        ends.wrong.push((Kind::Stuck, format!("the claim fails: {error}")));
                        return;
                    }
                };
                quiet &= claim.jobs.is_empty()
                    && claim.missing.is_empty()
                    && claim.unscheduled.is_empty()
                    && !claim.more;
                ends.settle(queue, base, &claim).await;
            }
        }
        if quiet && (late || delayed == 0) {
            return;
        }
        if quiet {
            late = true;
            clock.advance(DELAY_MS);
        }
    }
    ends.wrong.push((Kind::Stuck, "never quiet".to_owned()));
}
