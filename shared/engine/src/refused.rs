//! Jobs that worked and must not complete, because a child of theirs failed or is open still.

use tracing::warn;

use batchmq::{ClaimedJob, Error, Queue, Settled, Settlement};

/// Settles jobs outside of a tick, as one does: whoever goes on with jobs that were kept. What cannot be
/// completed over its children fails, as with a BullMQ worker.
///
/// ```no_run
/// use batchmq::{Error, Queue, Settlement};
///
/// # async fn example(queue: &Queue, token: &str, id: String) -> Result<(), Error> {
/// let jobs = queue.held(token, &[id]).await?;
/// let end = |job| (job, Settlement::Complete("null".to_owned()));
/// let ends: Vec<_> = jobs.into_iter().map(end).collect();
/// batchmq_engine::settle(queue, token, &ends).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// As [`Queue::settle`].
pub async fn settle(
    queue: &Queue,
    token: &str,
    jobs: &[(ClaimedJob, Settlement)],
) -> Result<Settled, Error> {
    let mut settled = queue.settle(token, jobs).await?;
    end_refused(queue, token, jobs, &mut settled).await;
    Ok(settled)
}

/// Ends those of `jobs`, just `settled`, that were refused over their children: by a call of its own,
/// which no other batch makes. What cannot be ended now stalls, and is tried again.
pub(crate) async fn end_refused(
    queue: &Queue,
    token: &str,
    jobs: &[(ClaimedJob, Settlement)],
    settled: &mut Settled,
) {
    let (places, ends): (Vec<usize>, Vec<_>) = jobs
        .iter()
        .zip(&settled.codes)
        .enumerate()
        .filter_map(|(place, ((job, _), code))| {
            let instead = code.instead(&job.id)?;
            Some((place, (job.clone(), instead)))
        })
        .unzip();
    if ends.is_empty() {
        return;
    }
    match queue.settle(token, &ends).await {
        Ok(ended) => {
            for (place, code) in places.into_iter().zip(ended.codes) {
                settled.codes[place] = code;
            }
            settled.requeued += ended.requeued;
            settled.missing.extend(ended.missing);
        }
        Err(error) => warn!(%error, jobs = ends.len(), "parents cannot be failed"),
    }
}
