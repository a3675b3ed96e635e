//! `X-Billed-Commands`: how many commands Redis executed for a request, by its own counters. For
//! tests, and off unless asked for: it runs one request at a time and two INFO beside each.
//!
//! Commands inside scripts count, as do MULTI and EXEC. Commands that others send to the same
//! Redis meanwhile are counted with the request's own.

use tokio::sync::{Mutex, MutexGuard};

use super::{
    command::Command,
    pool::{Pool, UpstreamError},
    resp::{Frame, Token},
};

/// Counts one request at a time.
#[derive(Debug, Default)]
pub(super) struct Meter(Mutex<()>);

/// A request being counted.
#[derive(Debug)]
pub(super) struct Running<'a> {
    before: u64,
    _alone: MutexGuard<'a, ()>,
}

impl Meter {
    /// Begins a request, when no other is being counted any more.
    ///
    /// # Errors
    /// When Redis gives no answer.
    pub(super) async fn begin(&self, pool: &Pool) -> Result<Running<'_>, UpstreamError> {
        let alone = self.0.lock().await;
        Ok(Running { before: executed(pool).await?, _alone: alone })
    }
}

impl Running<'_> {
    /// How many commands have been executed since.
    ///
    /// # Errors
    /// When Redis gives no answer.
    pub(super) async fn end(self, pool: &Pool) -> Result<u64, UpstreamError> {
        // The INFO of the beginning is in the second count and was not in the first.
        Ok(executed(pool).await?.saturating_sub(self.before + 1))
    }
}

async fn executed(pool: &Pool) -> Result<u64, UpstreamError> {
    let mut wire = Vec::new();
    ["INFO", "commandstats"].iter().collect::<Command>().write_to(&mut wire);
    let replies = pool.run(&wire, 1, None).await?;
    Ok(match replies.first().map(Frame::tokens).and_then(|mut tokens| tokens.next()) {
        Some(Token::Bulk(info)) => sum(&String::from_utf8_lossy(info)),
        _ => 0,
    })
}

/// The calls in `cmdstat_get:calls=3,usec=...` lines.
fn sum(info: &str) -> u64 {
    info.lines()
        // The pool logs its new connections in; no request can.
        .filter(|line| {
            !["cmdstat_auth:", "cmdstat_select:"].iter().any(|own| line.starts_with(own))
        })
        .filter_map(|line| line.strip_prefix("cmdstat_")?.split_once(":calls="))
        .filter_map(|(_, rest)| rest.split(',').next()?.parse::<u64>().ok())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_the_calls() {
        let info = "# Commandstats\r\ncmdstat_get:calls=3,usec=5\r\ncmdstat_auth:calls=9,usec=1\r\n\
                    cmdstat_config|get:calls=2,usec=1\r\n";
        assert_eq!(sum(info), 5);
    }
}
