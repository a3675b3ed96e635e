//! `deo queue prefixes`.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{At, Outcome, report};
use crate::queue::{Scan, escaped};

/// List the prefixes under which this Redis has a queue of this name
///
/// Two where one is expected are producers and a drain that do not meet. One billed command for each 1,000 keys.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print one line of JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    /// `REDIS_PREFIX`.
    configured: String,
    prefixes: BTreeSet<String>,
}

pub(super) async fn run(at: &At, args: Args) -> Outcome {
    let queue = at.queue()?;
    let end = format!(":{}:meta", queue.options().name);
    let found = Scan::new(queue.redis(), format!("*{}", escaped(&end))).texts(usize::MAX).await?;
    let prefixes = found.iter().filter_map(|key| key.strip_suffix(&end)).map(str::to_owned);
    let prefixes: BTreeSet<String> = prefixes.collect();
    let configured = queue.options().prefix.clone();
    let mut lines: Vec<String> = prefixes
        .iter()
        .map(|prefix| {
            let ours = if *prefix == configured { "  (REDIS_PREFIX)" } else { "" };
            format!("{prefix}{ours}")
        })
        .collect();
    if !prefixes.contains(&configured) {
        lines.push(format!("none under {configured}, which is REDIS_PREFIX"));
    }
    report(args.json, &Found { configured, prefixes }, lines.join("\n"))
}
