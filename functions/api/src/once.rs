//! Idempotency keys: what was first asked under one, and what was decided of it then.
//!
//! A key holds for a user, a route and what stands in its path. The first request with it is remembered for
//! 24 hours, beside the queue: a digest of all that its body says, and whom it had to turn away. A later one
//! must say the same, and once it is let in, gets what the first one got, whatever may have changed since.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::queue::Queue;

use crate::Api;
use crate::error::Error;

/// What is remembered.
#[derive(Deserialize, Serialize)]
struct First<T> {
    asked: String,
    decided: T,
}

/// Holds a request to what was first asked in its `scope`, the key included. Returns what was `decided` then,
/// which is what is decided now unless the request came before, and the key for the queue's own receipts.
///
/// # Errors
/// A 422 where something else was asked; a 503 when nothing can be remembered. Nothing else is touched.
pub(crate) async fn once<T: DeserializeOwned + Serialize>(
    api: &Api,
    queue: &Queue,
    scope: &Value,
    asked: &Value,
    decided: T,
) -> Result<(String, T), Error> {
    let first = First { asked: digested(asked), decided };
    let text = json!(first).to_string();
    let kept = queue.first_asked(&digested(scope), &text).await;
    let kept = api.last_write().written_beside("an idempotency key was not kept", kept)?;
    // What somebody else has put there is nothing that we asked.
    let kept: First<T> = serde_json::from_str(&kept).map_err(|_| Error::KeyReused)?;
    if kept.asked != first.asked {
        return Err(Error::KeyReused);
    }
    Ok((digested(&json!([scope, first.asked])), kept.decided))
}

fn digested(value: &Value) -> String {
    let text = value.to_string();
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, text.as_bytes()))
}
