//! Answers in the three formats: JSON, JSON with base64 strings, raw RESP2.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hyper::{HeaderMap, header::HeaderValue};

use super::{
    refusal::Refusal,
    resp::{Frame, Token},
    text,
};

/// How a client wants its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// `{"result": ...}`; bytes that are not UTF-8 become U+FFFD.
    Json,
    /// The same with every string but the status `OK` in base64.
    Base64,
    /// What Redis sent.
    Resp2,
}

impl Format {
    /// The format that `Upstash-Response-Format` and `Upstash-Encoding` ask for.
    ///
    /// # Errors
    /// A 400 for any other format, and for raw answers in base64.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        let header = |name| headers.get(name).map(HeaderValue::as_bytes);
        let base64 = match header("upstash-encoding") {
            None | Some(b"") => false,
            Some(value) if value.eq_ignore_ascii_case(b"base64") => true,
            Some(_) => {
                return Err(Refusal::bad_request("ERR Upstash-Encoding must be base64"));
            }
        };
        match header("upstash-response-format") {
            Some(value) if value.eq_ignore_ascii_case(b"resp2") && base64 => {
                Err(Refusal::bad_request(
                    "ERR Upstash-Encoding: base64 is not permitted with Upstash-Response-Format: \
                     resp2",
                ))
            }
            Some(value) if value.eq_ignore_ascii_case(b"resp2") => Ok(Self::Resp2),
            None | Some(b"") => Ok(if base64 { Self::Base64 } else { Self::Json }),
            Some(value) if value.eq_ignore_ascii_case(b"json") => {
                Ok(if base64 { Self::Base64 } else { Self::Json })
            }
            Some(_) => {
                Err(Refusal::bad_request("ERR Upstash-Response-Format must be json or resp2"))
            }
        }
    }

    /// The content type of an answer in this format.
    pub(super) fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Json | Self::Base64 => "application/json",
            Self::Resp2 => "application/octet-stream",
        })
    }
}

/// The outcome of one command: what Redis answered, or an error of our own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The reply of Redis; it may be an error.
    Reply(Frame),
    /// A refusal, or an error of Redis in Upstash's words.
    Error(String),
}

impl Outcome {
    /// Whether a single command with this outcome is answered with a 400.
    pub(super) fn is_error(&self) -> bool {
        match self {
            Self::Reply(frame) => frame.error().is_some(),
            Self::Error(_) => true,
        }
    }

    /// Appends `{"result": ...}`, `{"error": ...}` or the raw reply.
    pub(super) fn write(&self, out: &mut Vec<u8>, format: Format) {
        match (self, format) {
            (Self::Reply(frame), Format::Resp2) => out.extend_from_slice(frame.bytes()),
            (Self::Error(message), Format::Resp2) => {
                out.push(b'-');
                // A line break would end the reply early.
                out.extend(message.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n')));
                out.extend_from_slice(b"\r\n");
            }
            (Self::Error(message), _) => write_error(out, message),
            (Self::Reply(frame), _) => match frame.error() {
                Some(message) => write_error(out, &text::from_any_bytes(message)),
                None => {
                    out.extend_from_slice(b"{\"result\":");
                    write_value(out, frame, format == Format::Base64);
                    out.push(b'}');
                }
            },
        }
    }
}

/// The body of a pipeline's or transaction's answer.
pub(super) fn write_all(outcomes: &[Outcome], format: Format) -> Vec<u8> {
    let mut out = Vec::new();
    if format == Format::Resp2 {
        for outcome in outcomes {
            outcome.write(&mut out, format);
        }
        return out;
    }
    out.push(b'[');
    for (index, outcome) in outcomes.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        outcome.write(&mut out, format);
    }
    out.push(b']');
    out
}

/// Appends `{"error": ...}`.
pub(super) fn write_error(out: &mut Vec<u8>, message: &str) {
    out.extend_from_slice(b"{\"error\":");
    text::write_json(out, message);
    out.push(b'}');
}

/// Appends a reply as a JSON value.
fn write_value(out: &mut Vec<u8>, frame: &Frame, base64: bool) {
    // How many elements each open array still misses.
    let mut open: Vec<usize> = Vec::new();
    for token in frame.tokens() {
        match token {
            Token::Nil => out.extend_from_slice(b"null"),
            Token::Int(number) => out.extend_from_slice(number.to_string().as_bytes()),
            Token::Status(b"OK") => out.extend_from_slice(b"\"OK\""),
            Token::Status(value) | Token::Bulk(value) if base64 => {
                out.push(b'"');
                out.extend_from_slice(STANDARD.encode(value).as_bytes());
                out.push(b'"');
            }
            // An error inside an array, which only a script can answer, is plain like any error.
            Token::Status(value) | Token::Bulk(value) | Token::Error(value) => {
                text::write_json(out, &text::from_any_bytes(value));
            }
            Token::Array(elements) => {
                out.push(b'[');
                if elements > 0 {
                    open.push(elements);
                    continue;
                }
                out.push(b']');
            }
        }
        while let Some(missing) = open.last_mut() {
            *missing -= 1;
            if *missing > 0 {
                out.push(b',');
                break;
            }
            open.pop();
            out.push(b']');
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use bytes::BytesMut;

    use super::*;
    use crate::resp::Scanner;

    fn write(reply: &[u8], format: Format) -> String {
        let length = Scanner::default().advance(reply).unwrap().unwrap();
        let outcome = Outcome::Reply(Scanner::cut(&mut BytesMut::from(reply), length));
        let mut out = Vec::new();
        outcome.write(&mut out, format);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn json_shows_every_kind_of_reply() {
        for (reply, json) in [
            (&b"+OK\r\n"[..], r#"{"result":"OK"}"#),
            (b"$-1\r\n", r#"{"result":null}"#),
            (b"*-1\r\n", r#"{"result":null}"#),
            (b":9007199254740993\r\n", r#"{"result":9007199254740993}"#),
            (b"$4\r\na\"\n\xff\r\n", "{\"result\":\"a\\\"\\n\u{fffd}\"}"),
            (b"$2\r\n\x00\x1f\r\n", r#"{"result":"\u0000\u001f"}"#),
            (b"*0\r\n", r#"{"result":[]}"#),
            (
                b"*4\r\n*2\r\n:1\r\n*0\r\n$-1\r\n*1\r\n*1\r\n+x\r\n-ERR y\r\n",
                r#"{"result":[[1,[]],null,[["x"]],"ERR y"]}"#,
            ),
            (b"-ERR no\r\n", r#"{"error":"ERR no"}"#),
        ] {
            assert_eq!(write(reply, Format::Json), json);
        }
    }

    #[test]
    fn base64_spares_the_status_ok_and_errors() {
        for (reply, json) in [
            (&b"+OK\r\n"[..], r#"{"result":"OK"}"#),
            (b"$2\r\nOK\r\n", r#"{"result":"T0s="}"#),
            (b"+PONG\r\n", r#"{"result":"UE9ORw=="}"#),
            (b"*3\r\n$1\r\n\xff\r\n:1\r\n$0\r\n\r\n", r#"{"result":["/w==",1,""]}"#),
            (b"-ERR no\r\n", r#"{"error":"ERR no"}"#),
        ] {
            assert_eq!(write(reply, Format::Base64), json);
        }
    }

    #[test]
    fn resp2_is_what_redis_sent() {
        for reply in ["*2\r\n$1\r\nx\r\n$-1\r\n", "-ERR no\r\n", "+OK\r\n"] {
            assert_eq!(write(reply.as_bytes(), Format::Resp2), reply);
        }
        let mut out = Vec::new();
        Outcome::Error("ERR a\r\nb".into()).write(&mut out, Format::Resp2);
        assert_eq!(out, b"-ERR ab\r\n");
    }
}
