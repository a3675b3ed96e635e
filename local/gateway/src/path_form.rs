//! A command from the path, the body and the query: `/set/foo?EX=100` with a body is
//! `SET foo <body> EX 100`.

use super::{command::Command, refusal::Refusal};

/// The command of `path` (without its leading slash). A body that is not empty becomes the
/// argument after the path, whatever bytes it has; the query's parameters follow, `_token` aside.
///
/// # Errors
/// A 400 when a percent sign is not followed by two hexadecimal digits.
pub(super) fn command(path: &str, query: Option<&str>, body: &[u8]) -> Result<Command, Refusal> {
    let mut command: Command = segments(path)?.into_iter().collect();
    if !body.is_empty() {
        command.push(body);
    }
    for parameter in parameters(query.unwrap_or_default()) {
        let (name, value) = parameter?;
        if name == b"_token" {
            continue;
        }
        command.push(&name);
        if let Some(value) = value {
            command.push(&value);
        }
    }
    Ok(command)
}

/// The decoded segments of a path. One slash at its end adds no empty argument.
///
/// # Errors
/// As [`command`].
pub(super) fn segments(path: &str) -> Result<Vec<Vec<u8>>, Refusal> {
    path.strip_suffix('/')
        .unwrap_or(path)
        .split('/')
        .map(|segment| decode(segment, false))
        .collect()
}

/// The value of the query's parameter `name`, if it is there and decodes; what the others hold
/// does not matter.
pub(super) fn parameter(query: Option<&str>, name: &[u8]) -> Option<Vec<u8>> {
    parameters(query?).flatten().find(|(found, _)| found == name).and_then(|(_, value)| value)
}

type Parameter = (Vec<u8>, Option<Vec<u8>>);

fn parameters(query: &str) -> impl Iterator<Item = Result<Parameter, Refusal>> {
    query.split('&').filter(|parameter| !parameter.is_empty()).map(|parameter| {
        Ok(match parameter.split_once('=') {
            Some((name, value)) => (decode(name, true)?, Some(decode(value, true)?)),
            None => (decode(parameter, true)?, None),
        })
    })
}

/// Percent-decoding; in a query a plus sign is a space.
///
/// # Errors
/// As [`command`].
pub(super) fn decode(text: &str, plus_is_space: bool) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                match (digit(rest.next()), digit(rest.next())) {
                    // Two hexadecimal digits are at most 255.
                    (Some(high), Some(low)) => (high * 16 + low) as u8,
                    _ => return Err(Refusal::bad_request("ERR invalid URL escape")),
                }
            }
            b'+' if plus_is_space => b' ',
            byte => byte,
        });
    }
    Ok(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn args(path: &str, query: Option<&str>, body: &[u8]) -> Vec<Vec<u8>> {
        command(path, query, body).unwrap().args().map(<[u8]>::to_vec).collect()
    }

    #[test]
    fn body_then_query() {
        assert_eq!(
            args("set/foo", Some("EX=100&_token=t&NX"), b"\xff\0"),
            [&b"set"[..], b"foo", b"\xff\0", b"EX", b"100", b"NX"]
        );
    }

    #[test]
    fn decodes_segments_after_splitting() {
        assert_eq!(args("set/a%2Fb/%ff%00+c/", None, b""), [&b"set"[..], b"a/b", b"\xff\0+c"]);
        assert_eq!(args("set/a//", None, b""), [&b"set"[..], b"a", b""]);
        assert_eq!(args("echo", Some("a+b="), b""), [&b"echo"[..], b"a b", b""]);
    }

    #[test]
    fn refuses_broken_escapes() {
        for path in ["get/%", "get/%4", "get/%zz"] {
            assert_eq!(command(path, None, b"").unwrap_err().message, "ERR invalid URL escape");
        }
    }

    #[test]
    fn finds_a_parameter() {
        assert_eq!(parameter(Some("EX=1&_token=a%20b"), b"_token"), Some(b"a b".to_vec()));
        assert_eq!(parameter(Some("EX=1"), b"_token"), None);
        assert_eq!(parameter(Some("EX=%zz&%=&_token=t&%4"), b"_token"), Some(b"t".to_vec()));
        assert_eq!(parameter(Some("_token=%zz"), b"_token"), None);
        assert_eq!(parameter(None, b"_token"), None);
    }
}
