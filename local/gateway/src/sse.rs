//! Streams that do not end: `/monitor`, `/subscribe/{channel}` and `/psubscribe/{pattern}`, as
//! server-sent events.

use std::io;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::{
    command::Command,
    failure::Failure,
    link::Link,
    path_form,
    pool::{Pool, UpstreamError},
    refusal::Refusal,
    resp::{Frame, Token},
    text,
};

/// The command of a path that is answered with a stream, or `None` for any other path.
///
/// # Errors
/// A 400 when the path has a broken escape, or names no channel.
pub(super) fn command(path: &str) -> Result<Option<Command>, Refusal> {
    let name = path.split('/').next().unwrap_or_default().to_ascii_lowercase();
    let is_subscription = matches!(name.as_str(), "subscribe" | "psubscribe");
    if name != "monitor" && !is_subscription {
        return Ok(None);
    }
    let command: Command = path_form::segments(path)?.into_iter().collect();
    if is_subscription != (command.len() > 1) {
        let message = format!("ERR wrong number of arguments for '{name}' command");
        return Err(Refusal::bad_request(message));
    }
    Ok(Some(command))
}

/// Runs `command` on a connection of its own and gives its events, until the client goes, Redis
/// goes, or `stopping` turns true.
///
/// # Errors
/// When Redis cannot be reached or refuses the command.
pub(super) async fn events(
    command: &Command,
    pool: &Pool,
    mut stopping: watch::Receiver<bool>,
) -> Result<impl Stream<Item = io::Result<Bytes>> + Send + use<>, Failure> {
    let (mut link, permit) = pool.dedicated().await.map_err(UpstreamError::Open)?;
    let mut wire = Vec::new();
    command.write_to(&mut wire);
    link.send(&wire).await.map_err(UpstreamError::Lost)?;
    let first = link.next().await.map_err(UpstreamError::Lost)?;
    if let Some(message) = first.error() {
        return Err(Refusal::bad_request(text::from_any_bytes(message)).into());
    }
    let first = match first.tokens().next() {
        // MONITOR's own OK is quoted like the strings that follow it.
        Some(Token::Status(b"OK")) => event("\"OK\""),
        _ => event(&line(&first)),
    };
    let stopped = async move {
        let _ = stopping.wait_for(|stopping| *stopping).await;
    };
    let rest = stream::unfold((link, permit), next);
    Ok(Box::pin(stream::once(async { Ok(first) }).chain(rest).take_until(stopped)))
}

type Source = (Link, OwnedSemaphorePermit);

async fn next((mut link, permit): Source) -> Option<(io::Result<Bytes>, Source)> {
    match link.next().await {
        Ok(frame) => Some((Ok(event(&line(&frame))), (link, permit))),
        Err(error) => {
            tracing::debug!(%error, "a stream from Redis ended");
            None
        }
    }
}

/// A message's parts, separated by commas.
fn line(frame: &Frame) -> String {
    let parts = frame.tokens().filter_map(|token| match token {
        Token::Status(part) | Token::Error(part) | Token::Bulk(part) => {
            Some(text::from_any_bytes(part).into_owned())
        }
        Token::Int(number) => Some(number.to_string()),
        Token::Nil => Some(String::new()),
        Token::Array(_) => None,
    });
    parts.collect::<Vec<_>>().join(",")
}

/// An event; each line of a text with several needs its own `data:`.
fn event(text: &str) -> Bytes {
    let mut event = String::with_capacity(text.len() + 16);
    for line in text.split('\n') {
        event.push_str("data: ");
        event.push_str(line.trim_end_matches('\r'));
        event.push('\n');
    }
    event.push('\n');
    event.into()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn knows_its_paths() {
        let words = |path: &str| {
            let command = command(path).unwrap()?;
            Some(command.args().map(|word| String::from_utf8_lossy(word).into_owned()).collect())
        };
        assert_eq!(words("Monitor"), Some(vec!["Monitor".to_owned()]));
        assert_eq!(
            words("subscribe/a%2Fb/c"),
            Some(vec!["subscribe".into(), "a/b".into(), "c".into()])
        );
        assert_eq!(words("psubscribe/a*"), Some(vec!["psubscribe".into(), "a*".into()]));
        assert_eq!(words("publish/a/b"), None);
        assert_eq!(words(""), None);
        for path in ["subscribe", "subscribe/", "monitor/x"] {
            assert!(command(path).is_err(), "{path}");
        }
    }

    #[test]
    fn an_event_keeps_its_lines_apart() {
        assert_eq!(event("a\r\nb,c"), "data: a\ndata: b,c\n\n");
    }
}
