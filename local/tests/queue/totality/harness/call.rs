//! The calls of the queue's that are tried.

use std::time::Duration;

use shared::queue::schedule::Scheduler;
use shared::queue::{
    Added, Claim, ClaimRequest, ClaimedJob, Code, Ended, Error, NewJob, Queue, Settlement, State,
};

use super::jobs::TOKEN;

/// One call, with what it takes.
#[derive(Clone)]
pub(crate) enum Call {
    Enqueue(Vec<NewJob>),
    Claim(ClaimRequest),
    Settle(Vec<(ClaimedJob, Settlement)>),
    SettleAndClaim(Vec<(ClaimedJob, Settlement)>, ClaimRequest),
    Recover,
    Renew(Vec<String>),
    Pause,
    Resume,
    Promote(&'static str),
    PromoteAll,
    Retry(&'static str, Ended, bool),
    RetryAll(Ended),
    RetryByReason(&'static str),
    Remove(&'static str),
    Clean(State),
    Schedule(Box<Scheduler>),
    Unschedule(&'static str),
    Reschedule,
}

/// What a call that succeeded told.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) added: Vec<Added>,
    pub(crate) claim: Option<Claim>,
    /// By id, how each settlement was taken.
    pub(crate) codes: Vec<(String, Code)>,
    /// Ids that were dropped, as no job stands behind them.
    pub(crate) missing: Vec<String>,
}

impl Call {
    pub(crate) fn verb(&self) -> &'static str {
        match self {
            Self::Enqueue(_) => "enqueue",
            Self::Claim(_) => "claim",
            Self::Settle(_) => "settle",
            Self::SettleAndClaim(..) => "settle and claim",
            Self::Recover => "recover",
            Self::Renew(_) => "renew",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Promote(_) => "promote",
            Self::PromoteAll => "promote all",
            Self::Retry(..) => "retry",
            Self::RetryAll(_) => "retry all",
            Self::RetryByReason(_) => "retry by reason",
            Self::Remove(_) => "remove",
            Self::Clean(_) => "clean",
            Self::Schedule(_) => "schedule",
            Self::Unschedule(_) => "unschedule",
            Self::Reschedule => "reschedule",
        }
    }

    /// Whether whoever is told of its failure makes it again. Work just goes on: locks end.
    pub(crate) fn is_repeated(&self) -> bool {
        !matches!(
            self,
            Self::Claim(_)
                | Self::Settle(_)
                | Self::SettleAndClaim(..)
                | Self::Recover
                | Self::Renew(_)
        )
    }

    /// The jobs that it is to end.
    pub(crate) fn settles(&self) -> &[(ClaimedJob, Settlement)] {
        match self {
            Self::Settle(jobs) | Self::SettleAndClaim(jobs, _) => jobs,
            _ => &[],
        }
    }

    pub(crate) async fn make(&self, queue: &Queue) -> Result<Told, Error> {
        let mut told = Told::default();
        match self {
            Self::Enqueue(jobs) => told.added = queue.enqueue(jobs).await?,
            Self::Claim(request) => told.claim = Some(queue.claim(*request).await?),
            Self::Settle(jobs) => {
                let settled = queue.settle(TOKEN, jobs).await?;
                told.codes = codes(jobs, settled.codes);
                told.missing = settled.missing;
            }
            Self::SettleAndClaim(jobs, request) => {
                let (settled, claim) = queue.settle_and_claim(TOKEN, jobs, *request).await?;
                told.codes = codes(jobs, settled.codes);
                told.missing = settled.missing;
                told.claim = Some(claim);
            }
            Self::Recover => told.missing = queue.recover().await?.missing,
            Self::Renew(ids) => drop(queue.renew(TOKEN, ids).await?),
            Self::Pause => queue.pause().await?,
            Self::Resume => queue.resume().await?,
            Self::Promote(id) => queue.promote(id).await?,
            Self::PromoteAll => drop(queue.promote_all().await?),
            Self::Retry(id, ended, reset) => queue.retry(id, *ended, *reset).await?,
            Self::RetryAll(ended) => drop(queue.retry_all(*ended).await?),
            Self::RetryByReason(text) => drop(queue.retry_by_reason(text).await?),
            Self::Remove(id) => drop(queue.remove(id).await?),
            Self::Clean(state) => drop(queue.clean(*state, Duration::ZERO, None).await?),
            Self::Schedule(scheduler) => drop(queue.schedule(scheduler).await?),
            Self::Unschedule(id) => drop(queue.unschedule(id).await?),
            Self::Reschedule => drop(queue.reschedule().await?),
        }
        if let Some(claim) = &told.claim {
            told.missing.extend(claim.missing.clone());
        }
        Ok(told)
    }
}

fn codes(jobs: &[(ClaimedJob, Settlement)], codes: Vec<Code>) -> Vec<(String, Code)> {
    jobs.iter().map(|(job, _)| job.id.clone()).zip(codes).collect()
}
