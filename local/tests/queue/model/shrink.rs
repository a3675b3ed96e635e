//! Makes a sequence that fails as short and plain as it can, so that a person sees why.

use super::steps::{Ask, Fate, Sequence, Spec, Step};

/// Runs at most; each is a whole sequence.
const BUDGET: usize = 1_500;

pub(crate) async fn shrink(sequence: Sequence, fails: impl AsyncFn(&Sequence) -> bool) -> Sequence {
    let mut best = sequence;
    let mut left = BUDGET;
    // Whole runs of steps, then ever shorter ones.
    let mut size = best.steps.len().div_ceil(2);
    while size >= 1 {
        let mut at = best.steps.len();
        while at > 0 {
            at = at.saturating_sub(size);
            let mut smaller = best.clone();
            smaller.steps.drain(at..(at + size).min(smaller.steps.len()));
            keep(&mut best, smaller, &mut left, &fails).await;
        }
        size = if size == 1 { 0 } else { size.div_ceil(2) };
    }
    let mut progress = true;
    while progress && left > 0 {
        progress = false;
        for at in (0..best.steps.len()).rev() {
            if at >= best.steps.len() {
                continue;
            }
            let mut without = best.clone();
            without.steps.remove(at);
            if keep(&mut best, without, &mut left, &fails).await {
                progress = true;
                continue;
            }
            for step in simpler(&best.steps[at]) {
                let mut smaller = best.clone();
                smaller.steps[at] = step;
                if keep(&mut best, smaller, &mut left, &fails).await {
                    progress = true;
                    break;
                }
            }
        }
        if best.setting != 0 {
            for bit in [1, 2, 4, 8] {
                let plainer = Sequence { setting: best.setting & !bit, ..best.clone() };
                if plainer.setting != best.setting {
                    progress |= keep(&mut best, plainer, &mut left, &fails).await;
                }
            }
        }
    }
    best
}

/// Takes `smaller` for `best` if it fails, too.
async fn keep(
    best: &mut Sequence,
    smaller: Sequence,
    left: &mut usize,
    fails: &impl AsyncFn(&Sequence) -> bool,
) -> bool {
    let Some(rest) = left.checked_sub(1) else { return false };
    *left = rest;
    let is_kept = fails(&smaller).await;
    if is_kept {
        *best = smaller;
    }
    is_kept
}

/// The same step with a part left out.
fn simpler(step: &Step) -> Vec<Step> {
    let mut out = Vec::new();
    let mut with = |change: &dyn Fn(&mut Step)| {
        let mut simpler = step.clone();
        change(&mut simpler);
        if simpler != *step {
            out.push(simpler);
        }
    };
    with(&|step| {
        if let Some(fate) = fate(step) {
            *fate = Fate::Plain;
        }
    });
    match step {
        Step::Enqueue { jobs, .. } => {
            for at in 0..jobs.len() {
                let mut with_jobs = |change: &dyn Fn(&mut Vec<Spec>)| {
                    with(&|step| {
                        if let Step::Enqueue { jobs, .. } = step {
                            change(jobs);
                        }
                    });
                };
                if jobs.len() > 1 {
                    with_jobs(&|jobs| {
                        jobs.remove(at);
                    });
                }
                for plain in plainer(jobs[at]) {
                    with_jobs(&|jobs| jobs[at] = plain);
                }
            }
        }
        Step::Settle { ends, .. } => {
            with(&|step| {
                if let Step::Settle { next, .. } = step {
                    *next = None;
                }
            });
            for at in 0..ends.len() {
                with(&|step| match step {
                    Step::Settle { ends, .. } if ends.len() > 1 => {
                        ends.remove(at);
                    }
                    _ => {}
                });
            }
        }
        Step::Claim { .. } => with(&|step| {
            if let Step::Claim { ask, .. } = step {
                *ask = Ask { count: 8, wait: true, prioritized: true, delayed: true };
            }
        }),
        _ => {}
    }
    out
}

fn fate(step: &mut Step) -> Option<&mut Fate> {
    match step {
        Step::Enqueue { fate, .. }
        | Step::Claim { fate, .. }
        | Step::Settle { fate, .. }
        | Step::Recover { fate }
        | Step::Pause { fate }
        | Step::Resume { fate }
        | Step::Promote { fate, .. }
        | Step::PromoteAll { fate }
        | Step::Retry { fate, .. }
        | Step::RetryAll { fate, .. }
        | Step::Remove { fate, .. }
        | Step::Clean { fate, .. } => Some(fate),
        _ => None,
    }
}

fn plainer(spec: Spec) -> Vec<Spec> {
    let none = Spec::default();
    let mut out = vec![
        Spec { id: None, ..spec },
        Spec { priority: 0, ..spec },
        Spec { delay: 0, dedup: spec.dedup.filter(|dedup| !dedup.reschedule), ..spec },
        Spec { lifo: false, ..spec },
        Spec { attempts: 0, ..spec },
        Spec { backoff: 0, ..spec },
        Spec { keep_completed: none.keep_completed, ..spec },
        Spec { keep_failed: none.keep_failed, ..spec },
        Spec { dedup: None, ..spec },
        Spec { promote: false, ..spec },
    ];
    if let Some(dedup) = spec.dedup {
        use super::steps::Dedup;
        for dedup in [
            Dedup { ttl: 0, ..dedup },
            Dedup { extend: false, ..dedup },
            Dedup { replace: false, ..dedup },
            Dedup { last: false, ..dedup },
            Dedup { reschedule: false, ..dedup },
        ] {
            out.push(Spec { dedup: Some(dedup), ..spec });
        }
    }
    out
}
