//! Shows runs as a table in Markdown.

use super::run::Ran;

/// The heading of the table.
pub const HEADING: &str = "\
| faults | seed | jobs | strikes | invocations: failed, killed | asked again | commands a job | completed, failed | s | verdict |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |";

/// Returns the row of a run.
pub fn row(ran: &Ran) -> String {
    let faults = match ran.faults.as_slice() {
        [] => "none".to_owned(),
        [one] => format!("`{one}`"),
        several => format!("{} at once", several.len()),
    };
    let tally = &ran.drains;
    let state = |name: &str| ran.verdict.states.get(name).copied().unwrap_or(0);
    let completed = state("completed") + state("removed");
    // Those of drains and their ticks; a job that a worker of BullMQ did is none of theirs.
    let each = tally.commands as f64 / tally.claimed.max(1) as f64;
    let verdict = match ran.verdict.broken().as_slice() {
        [] => "holds".to_owned(),
        broken => {
            let names: Vec<String> = broken.iter().map(|one| format!("{one:?}")).collect();
            format!("**{} broken**", names.join(", "))
        }
    };
    format!(
        "| {faults} | {} | {} | {} | {}: {}, {} | {} | {each:.1} | {completed}, {} | {:.1} | {verdict} |",
        ran.seed,
        ran.accepted,
        ran.strikes.values().sum::<u64>(),
        tally.invocations,
        tally.failed,
        tally.killed,
        ran.asked_again,
        state("failed"),
        ran.duration_ms as f64 / 1_000.0,
    )
}
