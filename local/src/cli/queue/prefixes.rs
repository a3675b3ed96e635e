//! `deo queue prefixes`.

use std::collections::BTreeSet;

use serde::Serialize;
use shared::redis::{Command, Value};

use super::{Outcome, queue, report};

/// Keys that a SCAN looks at: one billed command each.
const PAGE: &str = "1000";

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

pub(super) async fn run(args: Args) -> Outcome {
    let queue = queue()?;
    let end = format!(":{}:meta", queue.options().name);
    let (mut prefixes, mut cursor) = (BTreeSet::new(), "0".to_owned());
    loop {
        let scan = Command::new("SCAN").arg(cursor.as_str()).arg("MATCH").arg(format!("*{end}"));
        let reply = queue.redis().call(scan.arg("COUNT").arg(PAGE)).await?;
        let Some([next, Value::Array(keys)]) = reply.as_array() else {
            return Err("Redis answered SCAN with something else".into());
        };
        let keys = keys.iter().filter_map(Value::as_str);
        prefixes.extend(keys.filter_map(|key| key.strip_suffix(&end)).map(str::to_owned));
        // Upstash's REST API gives the cursor as a text, as Redis does.
        match next.as_str() {
            None | Some("0") => break,
            Some(next) => next.clone_into(&mut cursor),
        }
    }
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
