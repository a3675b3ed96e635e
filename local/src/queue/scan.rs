//! A walk over the keys of a Redis.

use shared::queue::Error;
use shared::redis::{Command, Redis, Value};

/// Keys that one command looks at.
const PAGE: &str = "1000";

/// A walk over all keys that match a pattern: one billed command for each 1,000 keys that there are. A key that is there
/// all the while is met at least once.
pub(crate) struct Scan<'a> {
    redis: &'a Redis,
    pattern: String,
    /// Where to go on; `None` at the end.
    cursor: Option<String>,
}

impl<'a> Scan<'a> {
    /// A walk over the keys that match `pattern`, in which names are [`escaped`].
    pub(crate) fn new(redis: &'a Redis, pattern: impl Into<String>) -> Self {
        Self { redis, pattern: pattern.into(), cursor: Some("0".to_owned()) }
    }

    /// The matching keys of the next 1,000, if not all have been looked at.
    ///
    /// # Errors
    /// When Redis cannot answer, or answers something else.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Value>>, Error> {
        let Some(cursor) = self.cursor.take() else { return Ok(None) };
        let page = Command::new("SCAN").args([&*cursor, "MATCH", &self.pattern, "COUNT", PAGE]);
        let Value::Array(answer) = self.redis.call(page.replay_safe()).await? else {
            return Err(Error::Protocol("SCAN"));
        };
        let Ok([next, Value::Array(keys)]) = <[Value; 2]>::try_from(answer) else {
            return Err(Error::Protocol("SCAN"));
        };
        let next = next.as_str().ok_or(Error::Protocol("SCAN"))?;
        self.cursor = (next != "0").then(|| next.to_owned());
        Ok(Some(keys))
    }

    /// The matching keys of the first so many pages, but for those that are no text.
    ///
    /// # Errors
    /// As [`Scan::next`].
    pub(crate) async fn texts(mut self, most_pages: usize) -> Result<Vec<String>, Error> {
        let mut texts = Vec::new();
        for _ in 0..most_pages {
            let Some(keys) = self.next().await? else { break };
            texts.extend(keys.iter().filter_map(Value::as_str).map(str::to_owned));
        }
        Ok(texts)
    }
}

/// The text as a pattern that matches nothing else.
pub(crate) fn escaped(text: &str) -> String {
    text.chars().flat_map(|c| "*?[]\\".contains(c).then_some('\\').into_iter().chain([c])).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::HashSet;

    use servers::RedisServer;
    use shared::config::Secret;
    use shared::redis::Endpoint;

    use super::*;

    #[tokio::test]
    async fn every_key_that_matches_is_met_and_names_are_taken_as_they_are_written() {
        let server = RedisServer::start().await.unwrap();
        let url = Secret::new(server.url());
        let redis = Redis::new(&Endpoint::Tcp { url, allow_plaintext: false }).unwrap();
        let names = (0..2_500).map(|n| format!("a*[b]?\\:{n}"));
        let names: HashSet<String> = names.collect();
        let pairs = names.iter().flat_map(|name| [name.as_str(), "1"]);
        redis.call(Command::new("MSET").args(pairs).args(["ab:1", "1"])).await.unwrap();
        let pattern = format!("{}:*", escaped("a*[b]?\\"));
        let found = Scan::new(&redis, &*pattern).texts(usize::MAX).await.unwrap();
        assert_eq!(found.into_iter().collect::<HashSet<_>>(), names);
        let some = Scan::new(&redis, pattern).texts(1).await.unwrap();
        assert!(!some.is_empty() && some.len() < 2_000, "{}", some.len());
    }
}
