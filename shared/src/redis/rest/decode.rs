//! Answers from JSON.
//!
//! Straight into [`Value`], so that integers stay exact to 64 bits and no string is taken for
//! anything else. Any bytes may come in; none of them makes this panic.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::super::value::Value;

/// Why a body is no answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Malformed {
    /// Not JSON, or cut short.
    Json,
    /// JSON, but not of an answer's form, from this column on. Where and no more: what stands there
    /// may be a payload.
    Form(usize),
}

/// One command's answer: its value, or the text of its error.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Item(pub(super) Result<Value, String>);

/// `{"result": ...}` or `{"error": ...}`.
pub(super) fn single(body: &[u8]) -> Result<Item, Malformed> {
    parse(body)
}

/// An array of such.
pub(super) fn several(body: &[u8]) -> Result<Vec<Item>, Malformed> {
    parse(body)
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Malformed> {
    serde_json::from_slice(body).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => Malformed::Form(error.column()),
        _ => Malformed::Json,
    })
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ItemVisitor)
    }
}

struct ItemVisitor;

impl<'de> Visitor<'de> for ItemVisitor {
    type Value = Item;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `result` or `error`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Item, A::Error> {
        let mut item = None;
        while let Some(name) = map.next_key::<Field>()? {
            let found = match name {
                Field::Result => Ok(map.next_value::<Encoded>()?.0),
                Field::Error => Err(map.next_value::<String>()?),
                Field::Other => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            if item.replace(Item(found)).is_some() {
                return Err(A::Error::custom("more than one of `result` and `error`"));
            }
        }
        item.ok_or_else(|| A::Error::custom("neither `result` nor `error`"))
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Field {
    Result,
    Error,
    #[serde(other)]
    Other,
}

/// A value whose strings are in base64, save for the status `OK`, which comes plain (and cannot
/// be taken for base64: its length is no multiple of four).
struct Encoded(Value);

impl<'de> Deserialize<'de> for Encoded {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor).map(Self)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("null, a 64-bit integer, a string or an array")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Nil)
    }

    fn visit_i64<E>(self, n: i64) -> Result<Value, E> {
        Ok(Value::Int(n))
    }

    fn visit_u64<E: serde::de::Error>(self, n: u64) -> Result<Value, E> {
        i64::try_from(n).map(Value::Int).map_err(|_| E::custom("an integer of more than 64 bits"))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        if text == "OK" {
            return Ok(Value::Bytes(text.into()));
        }
        STANDARD
            .decode(text)
            .map(Value::Bytes)
            .map_err(|_| E::custom("a string that is not base64, although base64 was asked for"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Encoded(item)) = seq.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }
}
