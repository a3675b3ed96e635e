//! The `upstash-sync-token` of read-your-writes.

use std::sync::atomic::{AtomicU64, Ordering};

use hyper::header::HeaderValue;

/// Hands out tokens that only grow. With one Redis behind the gateway every read sees every
/// write, so that a token has nothing to wait for; a client can still be checked to send the
/// newest one back.
#[derive(Debug, Default)]
pub(super) struct SyncTokens(AtomicU64);

/// No token of a client lifts ours beyond this, so that it never runs out of numbers.
const HIGHEST: u64 = 1 << 53;

impl SyncTokens {
    /// The token for an answer: newer than all before it and than the request's own.
    pub(super) fn next(&self, request: Option<&HeaderValue>) -> HeaderValue {
        let theirs = request
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .filter(|token| *token < HIGHEST)
            .unwrap_or(0);
        let step = |ours: u64| Some(ours.max(theirs) + 1);
        let (Ok(before) | Err(before)) =
            self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step);
        let token = before.max(theirs) + 1;
        HeaderValue::from(token)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn tokens_grow_past_ours_and_theirs() {
        let tokens = SyncTokens::default();
        let next = |request: Option<&'static str>| -> u64 {
            let request = request.map(HeaderValue::from_static);
            tokens.next(request.as_ref()).to_str().unwrap().parse().unwrap()
        };
        assert_eq!(next(None), 1);
        assert_eq!(next(Some("1")), 2);
        assert_eq!(next(Some("900")), 901);
        assert_eq!(next(Some("5")), 902);
        assert_eq!(next(Some("not a number")), 903);
        assert_eq!(next(Some("18446744073709551615")), 904);
    }
}
