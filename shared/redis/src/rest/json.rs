//! Reads answers in JSON, their strings in base64.
//!
//! Straight into [`Value`], so that integers stay exact to 64 bits and no string is taken for
//! anything else. Any bytes may come in; none of them makes this panic.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::Malformed;
use crate::request::Form;
use crate::value::{Items, Value};

/// The answers to a request.
pub(super) fn decode(form: Form, body: &[u8]) -> Result<Items, Malformed> {
    match form {
        Form::Single => parse::<Item>(body).map(|Item(item)| vec![item]),
        Form::Pipeline | Form::Transaction => {
            parse::<Vec<Item>>(body).map(|items| items.into_iter().map(|Item(item)| item).collect())
        }
    }
}

/// The text of an error that stands for a whole request.
pub(super) fn refusal(body: &[u8]) -> Option<String> {
    parse::<Item>(body).ok().and_then(|Item(item)| item.err())
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Malformed> {
    serde_json::from_slice(body).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => Malformed::At(error.column()),
        _ => Malformed::Cut,
    })
}

/// One command's answer, `{"result": ...}` or `{"error": ...}`: its value, or the error's text.
struct Item(Result<Value, String>);

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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(text: &[u8]) -> Value {
        Value::Bytes(text.to_vec())
    }

    #[test]
    fn every_kind_of_answer() {
        for (body, value) in [
            (r#"{"result":null}"#, Value::Nil),
            (r#"{"result":0}"#, Value::Int(0)),
            (r#"{"result":9007199254740993}"#, Value::Int(9_007_199_254_740_993)),
            (r#"{"result":9223372036854775807}"#, Value::Int(i64::MAX)),
            (r#"{"result":-9223372036854775808}"#, Value::Int(i64::MIN)),
            (r#"{"result":"OK"}"#, bytes(b"OK")),
            (r#"{"result":"T0s="}"#, bytes(b"OK")),
            (r#"{"result":""}"#, bytes(b"")),
            (r#"{"result":"AID/"}"#, bytes(&[0, 128, 255])),
            (r#"{"result":"MTIz"}"#, bytes(b"123")),
            (r#" { "other" : [{}], "result" : "eyJhIjoxfQ==" } "#, bytes(br#"{"a":1}"#)),
            (r#"{"result":[]}"#, Value::Array(vec![])),
            (
                r#"{"result":[1,["eA==",[null]]]}"#,
                Value::Array(vec![
                    Value::Int(1),
                    Value::Array(vec![bytes(b"x"), Value::Array(vec![Value::Nil])]),
                ]),
            ),
        ] {
            assert_eq!(decode(Form::Single, body.as_bytes()), Ok(vec![Ok(value)]), "{body}");
        }
    }

    #[test]
    fn errors_are_plain_and_keep_their_place() {
        let body = br#"[{"result":1},{"error":"ERR \u00e9"},{"result":null}]"#;
        let items = vec![Ok(Value::Int(1)), Err("ERR é".to_owned()), Ok(Value::Nil)];
        assert_eq!(decode(Form::Pipeline, body), Ok(items));
        assert_eq!(refusal(br#"{"error":"ERR no"}"#).as_deref(), Some("ERR no"));
        assert_eq!(refusal(br#"{"result":1}"#), None);
        assert_eq!(refusal(b"<html>"), None);
    }

    #[test]
    fn anything_else_is_malformed() {
        for body in ["", "{", "<html>", r#"{"result":"T0s="#, "\u{0}", r#"{"result":1}x"#] {
            assert_eq!(decode(Form::Single, body.as_bytes()), Err(Malformed::Cut), "{body}");
        }
        for body in [
            "{}",
            "[]",
            "1",
            r#"{"result":1.5}"#,
            r#"{"result":1e3}"#,
            r#"{"result":9223372036854775808}"#,
            r#"{"result":-9223372036854775809}"#,
            r#"{"result":true}"#,
            r#"{"result":{}}"#,
            r#"{"result":"not base64"}"#,
            r#"{"result":"T0s"}"#,
            r#"{"result":1,"error":"x"}"#,
            r#"{"result":1,"result":2}"#,
            r#"{"error":1}"#,
            r#"{"error":null}"#,
        ] {
            let decoded = decode(Form::Single, body.as_bytes());
            assert!(matches!(decoded, Err(Malformed::At(_))), "{body}: {decoded:?}");
        }
    }

    #[test]
    fn deep_nesting_does_not_overflow_the_stack() {
        let body = format!(r#"{{"result":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert!(decode(Form::Single, body.as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            for form in [Form::Single, Form::Pipeline] {
                decode(form, &body).ok();
            }
        }

        #[test]
        fn nothing_that_looks_like_an_answer_makes_it_panic(
            body in r#"(\[?\{"(result|error)":(\[|"[A-Za-z0-9+/=]{0,9}"|null|-?[0-9.e]{1,25}|OK|,|\]|\}){0,9}){0,4}"#
        ) {
            for form in [Form::Single, Form::Pipeline] {
                decode(form, body.as_bytes()).ok();
            }
        }

        #[test]
        fn any_string_comes_back(text in proptest::collection::vec(any::<u8>(), 0..100), n: i64) {
            let body = format!(r#"{{"result":["{}",{n}]}}"#, STANDARD.encode(&text));
            let value = Value::Array(vec![Value::Bytes(text), Value::Int(n)]);
            prop_assert_eq!(decode(Form::Single, body.as_bytes()), Ok(vec![Ok(value)]));
        }
    }
}
