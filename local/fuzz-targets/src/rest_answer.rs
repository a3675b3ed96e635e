//! Takes any bytes for an answer of the REST API: no panic, no memory out of proportion, and whatever is
//! taken for an answer comes back the same when it is written down again in either form.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use shared::redis::{RestAnswers, Value, decode_rest_answer};

type Item = Result<Value, String>;

/// Decodes `body` in every form.
pub fn rest_answer(body: &[u8]) {
    for answers in [RestAnswers::Json, RestAnswers::Resp2] {
        for several in [false, true] {
            let Some(items) = decode_rest_answer(body, answers, several) else { continue };
            // The two forms draw the line a little apart.
            if items.iter().flatten().any(|value| depth(value) > 100) {
                continue;
            }
            let json = serde_json::Value::Array(items.iter().map(as_json).collect()).to_string();
            let again = decode_rest_answer(json.as_bytes(), RestAnswers::Json, true);
            assert_eq!(again.as_deref(), Some(&items[..]), "as JSON");
            // A line of the Redis protocol cannot hold a line end, and nothing is no answer.
            let plain = |item: &Item| !matches!(item, Err(text) if text.contains(['\r', '\n']));
            if items.is_empty() || !items.iter().all(plain) {
                continue;
            }
            let mut resp2 = Vec::new();
            for item in &items {
                write_item(&mut resp2, item);
            }
            let again = decode_rest_answer(&resp2, RestAnswers::Resp2, true);
            assert_eq!(again.as_deref(), Some(&items[..]), "as RESP2");
        }
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn as_json(item: &Item) -> serde_json::Value {
    match item {
        Ok(value) => json!({ "result": value_as_json(value) }),
        Err(text) => json!({ "error": text }),
    }
}

fn value_as_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Nil => serde_json::Value::Null,
        Value::Int(n) => json!(n),
        Value::Bytes(bytes) => json!(STANDARD.encode(bytes)),
        Value::Array(values) => values.iter().map(value_as_json).collect(),
    }
}

fn write_item(out: &mut Vec<u8>, item: &Item) {
    match item {
        Ok(value) => write_value(out, value),
        Err(text) => out.extend_from_slice(format!("-{text}\r\n").as_bytes()),
    }
}

fn write_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Nil => out.extend_from_slice(b"$-1\r\n"),
        Value::Int(n) => out.extend_from_slice(format!(":{n}\r\n").as_bytes()),
        Value::Bytes(bytes) => {
            out.extend_from_slice(format!("${}\r\n", bytes.len()).as_bytes());
            out.extend_from_slice(bytes);
            out.extend_from_slice(b"\r\n");
        }
        Value::Array(values) => {
            out.extend_from_slice(format!("*{}\r\n", values.len()).as_bytes());
            values.iter().for_each(|value| write_value(out, value));
        }
    }
}
