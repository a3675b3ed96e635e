//! Reads what scripts and commands answer, as text.

use std::collections::HashMap;

use batchmq_redis::Value;

use crate::error::Error;

/// Strings out of an array answer.
pub(crate) fn strings(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|item| Some(text(item.as_bytes()?))).collect()
}

/// An id out of whatever bytes a peer wrote: those that are not UTF-8 stand in it as `\xff`.
pub(crate) fn text(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        out.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    out
}

/// A field's text. Not as [`text`] has it: in JSON `\xff` would make all of it unreadable.
pub(crate) fn lossy(value: &Value) -> String {
    String::from_utf8_lossy(value.as_bytes().unwrap_or_default()).into_owned()
}

/// Fields out of an answer to HGETALL.
pub(crate) fn fields(answer: &Value) -> Result<HashMap<String, String>, Error> {
    let items = answer.as_array().ok_or(Error::Protocol("HGETALL"))?;
    Ok(items.chunks_exact(2).map(|pair| (lossy(&pair[0]), lossy(&pair[1]))).collect())
}

/// When a delayed job of this score falls due: milliseconds since the epoch. BullMQ gives each
/// millisecond 4096 places.
pub(crate) fn due_ms(score: &str) -> Option<i64> {
    const PLACES_PER_MS: f64 = 4_096.0;
    Some((score.parse::<f64>().ok()? / PLACES_PER_MS).floor() as i64)
}
