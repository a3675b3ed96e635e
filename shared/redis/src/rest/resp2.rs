//! Reads answers as the Redis protocol has them, one reply after the other.
//!
//! Any bytes may come in; none of them makes this panic, and none makes it take more memory than
//! they are long.

use super::Malformed;
use crate::request::Form;
use crate::value::{Items, Value};

/// How deep arrays may be nested: as over TCP, where the `redis` crate draws this line.
const MAX_DEPTH: usize = 100;

/// The answers to a request.
pub(super) fn decode(form: Form, body: &[u8]) -> Result<Items, Malformed> {
    let mut replies = Replies { body, at: 0 };
    let mut items = Vec::new();
    while replies.at < body.len() {
        items.push(replies.reply(0)?);
    }
    match (form, items.len()) {
        (_, 0) => Err(Malformed::Cut),
        (Form::Single, 2..) => Err(Malformed::At(0)),
        _ => Ok(items),
    }
}

/// The text of an error that stands for a whole request.
pub(super) fn refusal(body: &[u8]) -> Option<String> {
    match decode(Form::Single, body).ok()?.pop() {
        Some(Err(line)) => Some(line),
        _ => None,
    }
}

struct Replies<'a> {
    body: &'a [u8],
    /// Never past the end: it only moves over bytes that were found.
    at: usize,
}

impl<'a> Replies<'a> {
    /// The next reply: its value, or the text of its error.
    fn reply(&mut self, depth: usize) -> Result<Result<Value, String>, Malformed> {
        let start = self.at;
        let malformed = Err(Malformed::At(start));
        let Some((kind, line)) = self.line()?.split_first() else { return malformed };
        match kind {
            b'+' => Ok(Ok(Value::Bytes(line.to_vec()))),
            b'-' => Ok(Err(String::from_utf8_lossy(line).into_owned())),
            b':' => Ok(Ok(Value::Int(number(line).ok_or(Malformed::At(start))?))),
            b'$' => match number(line) {
                Some(-1) => Ok(Ok(Value::Nil)),
                Some(length) => match usize::try_from(length) {
                    Ok(length) => Ok(Ok(Value::Bytes(self.bulk(length)?.to_vec()))),
                    Err(_) => malformed,
                },
                None => malformed,
            },
            b'*' => match number(line) {
                Some(-1) => Ok(Ok(Value::Nil)),
                Some(length) if length >= 0 && depth < MAX_DEPTH => self.array(length, depth),
                _ => malformed,
            },
            _ => malformed,
        }
    }

    /// An error inside an array has no place in a value: it is the whole array's.
    fn array(&mut self, length: i64, depth: usize) -> Result<Result<Value, String>, Malformed> {
        // Not allocated at once: the length may be a lie.
        let mut values = Vec::new();
        let mut error = None;
        for _ in 0..length {
            match self.reply(depth + 1)? {
                Ok(value) => values.push(value),
                Err(line) => error = error.or(Some(line)),
            }
        }
        Ok(error.map_or(Ok(Value::Array(values)), Err))
    }

    /// The text up to the next line end.
    fn line(&mut self) -> Result<&'a [u8], Malformed> {
        let rest = &self.body[self.at..];
        let length = rest.iter().position(|byte| *byte == b'\r').ok_or(Malformed::Cut)?;
        self.at += length;
        self.line_end()?;
        Ok(&rest[..length])
    }

    /// `length` bytes and a line end.
    fn bulk(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let bytes = self.body[self.at..].get(..length).ok_or(Malformed::Cut)?;
        self.at += length;
        self.line_end()?;
        Ok(bytes)
    }

    fn line_end(&mut self) -> Result<(), Malformed> {
        match self.body[self.at..].get(..2) {
            Some(b"\r\n") => {
                self.at += 2;
                Ok(())
            }
            Some(_) => Err(Malformed::At(self.at)),
            None => Err(Malformed::Cut),
        }
    }
}

fn number(line: &[u8]) -> Option<i64> {
    std::str::from_utf8(line).ok()?.parse().ok()
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
        for (body, item) in [
            (&b"+OK\r\n"[..], Ok(bytes(b"OK"))),
            (b"$-1\r\n", Ok(Value::Nil)),
            (b"*-1\r\n", Ok(Value::Nil)),
            (b":9223372036854775807\r\n", Ok(Value::Int(i64::MAX))),
            (b":-9223372036854775808\r\n", Ok(Value::Int(i64::MIN))),
            (b"$0\r\n\r\n", Ok(bytes(b""))),
            (b"$5\r\n\r\n\x00\xff\r\r\n", Ok(bytes(b"\r\n\x00\xff\r"))),
            (b"*0\r\n", Ok(Value::Array(vec![]))),
            (
                b"*2\r\n*1\r\n:1\r\n$1\r\nx\r\n",
                Ok(Value::Array(vec![Value::Array(vec![Value::Int(1)]), bytes(b"x")])),
            ),
            (b"-ERR no\r\n", Err("ERR no".to_owned())),
            (b"*2\r\n-ERR inside\r\n:1\r\n", Err("ERR inside".to_owned())),
        ] {
            assert_eq!(decode(Form::Single, body), Ok(vec![item]));
        }
        let several = b":1\r\n-ERR no\r\n$-1\r\n";
        let items = vec![Ok(Value::Int(1)), Err("ERR no".to_owned()), Ok(Value::Nil)];
        assert_eq!(decode(Form::Pipeline, several), Ok(items));
        assert_eq!(refusal(b"-ERR no\r\n").as_deref(), Some("ERR no"));
        assert_eq!(refusal(b"<html>"), None);
    }

    #[test]
    fn anything_else_is_malformed() {
        for body in [
            &b""[..],
            b":1",
            b":1\r",
            b"$3\r\nab",
            b"$3\r\nabc\r",
            b"*2\r\n:1\r\n",
            b"*9999999999\r\n",
        ] {
            assert_eq!(decode(Form::Single, body), Err(Malformed::Cut), "{body:?}");
        }
        for body in [
            &b"\r\n"[..],
            b"{}\r\n",
            b":\r\n",
            b":1.5\r\n",
            b":9223372036854775808\r\n",
            b"$-2\r\n",
            b"*-2\r\n",
            b"$x\r\n",
            b"$1\r\nabc\r\n",
            b":1\rx\n",
            b"%1\r\n",
            b":1\r\n:2\r\n",
        ] {
            let decoded = decode(Form::Single, body);
            assert!(matches!(decoded, Err(Malformed::At(_))), "{body:?}: {decoded:?}");
        }
    }

    #[test]
    fn deep_nesting_does_not_overflow_the_stack() {
        let body = "*1\r\n".repeat(100_000);
        assert!(decode(Form::Single, body.as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            decode(Form::Pipeline, &body).ok();
        }

        #[test]
        fn nothing_that_looks_like_an_answer_makes_it_panic(
            body in r"(([*$:+-]-?[0-9]{0,20}|[a-z]{0,4})\r?\n?){0,12}"
        ) {
            decode(Form::Pipeline, body.as_bytes()).ok();
        }

        #[test]
        fn any_string_comes_back(text in proptest::collection::vec(any::<u8>(), 0..100), n: i64) {
            let mut body = format!("*2\r\n:{n}\r\n${}\r\n", text.len()).into_bytes();
            body.extend_from_slice(&text);
            body.extend_from_slice(b"\r\n");
            let value = Value::Array(vec![Value::Int(n), Value::Bytes(text)]);
            prop_assert_eq!(decode(Form::Single, &body), Ok(vec![Ok(value)]));
        }
    }
}
