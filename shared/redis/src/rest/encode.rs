//! Writes commands as a JSON body.

use bytes::Bytes;

use crate::command::Command;
use crate::error::ErrorKind;
use crate::failure::Failure;
use crate::request::{Form, Request};

/// The largest request that Upstash takes, in bytes.
pub(crate) const MAX_REQUEST_BYTES: usize = 10_000_000;

/// The request's body. Every argument goes as a string, which keeps integers exact.
pub(super) fn encode(request: &Request) -> Result<Bytes, Failure> {
    let commands = request.commands.iter().enumerate();
    let texts = commands.map(|(index, command)| texts(request, index, command));
    let texts = texts.collect::<Result<Vec<_>, _>>()?;
    let body = match (request.form, texts.as_slice()) {
        (Form::Single, [one]) => serde_json::to_vec(one),
        _ => serde_json::to_vec(&texts),
    };
    let body = body.map_err(|error| unsendable(format!("cannot be written as JSON: {error}")))?;
    if body.len() > MAX_REQUEST_BYTES {
        return Err(unsendable(format!(
            "the request has {} bytes, more than the {MAX_REQUEST_BYTES} that Upstash takes; \
             send less at once",
            body.len()
        )));
    }
    Ok(body.into())
}

/// A command's arguments as text.
fn texts<'a>(
    request: &Request,
    index: usize,
    command: &'a Command,
) -> Result<Vec<&'a str>, Failure> {
    let args = command.args.iter().enumerate();
    let texts = args.map(|(position, arg)| {
        std::str::from_utf8(arg).map_err(|_| {
            let place = match request.form {
                Form::Single => format!("argument {position}"),
                _ => format!("argument {position} of item {index} ({command})"),
            };
            unsendable(format!(
                "{place} is not valid UTF-8, and the REST API carries only text; use TCP \
                 or encode it"
            ))
        })
    });
    texts.collect()
}

/// How many bytes an argument takes in a body, with its quotes and its comma.
pub(crate) fn encoded_len(arg: &[u8]) -> usize {
    let escaped = arg.iter().map(|byte| match byte {
        b'"' | b'\\' | 0x08 | 0x09 | 0x0a | 0x0c | 0x0d => 2,
        0x00..0x20 => 6,
        _ => 1,
    });
    escaped.sum::<usize>() + 3
}

fn unsendable(reason: String) -> Failure {
    Failure::Unsent { kind: ErrorKind::Unsendable, reason }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn body(form: Form, commands: Vec<Command>) -> Result<String, String> {
        match encode(&Request { form, commands }) {
            Ok(body) => Ok(String::from_utf8_lossy(&body).into_owned()),
            Err(Failure::Unsent { kind: ErrorKind::Unsendable, reason }) => Err(reason),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_form_has_its_body() {
        let set = || Command::new("SET").arg("k").arg("a\"b\\\n\u{1}é");
        assert_eq!(body(Form::Single, vec![set()]).unwrap(), r#"["SET","k","a\"b\\\n\u0001é"]"#);
        assert_eq!(body(Form::Pipeline, vec![Command::new("PING")]).unwrap(), r#"[["PING"]]"#);
        let two = vec![Command::new("PING"), Command::new("GET").arg("k")];
        assert_eq!(body(Form::Transaction, two).unwrap(), r#"[["PING"],["GET","k"]]"#);
    }

    #[test]
    fn bytes_that_are_not_text_are_refused() {
        let command = Command::new("SET").arg("k").arg(vec![0x80, b's', b'e', b'c']);
        let reason = body(Form::Single, vec![command.clone()]).unwrap_err();
        assert!(reason.starts_with("argument 2 is not valid UTF-8"), "{reason}");
        let reason = body(Form::Pipeline, vec![Command::new("PING"), command]).unwrap_err();
        assert!(reason.starts_with("argument 2 of item 1 (SET on key \"k\")"), "{reason}");
    }

    #[test]
    fn a_request_that_is_too_long_is_refused() {
        let fits = Command::new("SET").arg("k").arg(vec![b'x'; MAX_REQUEST_BYTES - 14]);
        assert_eq!(body(Form::Single, vec![fits]).unwrap().len(), MAX_REQUEST_BYTES);
        let long = Command::new("SET").arg("k").arg(vec![b'x'; MAX_REQUEST_BYTES - 13]);
        let reason = body(Form::Single, vec![long]).unwrap_err();
        assert!(reason.contains("10000001 bytes"), "{reason}");
    }

    #[test]
    fn the_length_of_an_argument_is_foretold() {
        for arg in ["", "plain", "a\"b\\c/d", "\u{0}\u{8}\t\n\u{c}\r\u{1f} \u{7f}", "é€😀"] {
            let written = serde_json::to_string(arg).unwrap().len() + 1;
            assert_eq!(encoded_len(arg.as_bytes()), written, "{arg:?}");
        }
    }
}
