//! Commands from a JSON body: one array for `/`, an array of arrays for `/pipeline` and
//! `/multi-exec`.
//!
//! A number is passed on exactly as it was written, so that a 64-bit integer and `1e5` reach
//! Redis unchanged. A boolean becomes `true` or `false`: the official TypeScript SDK sends them.
//! Bytes that are not UTF-8, and lone surrogates, become U+FFFD as in Upstash's own decoder.

use std::{borrow::Cow, fmt};

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error as _, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{command::Command, refusal::Refusal, text};

/// One command.
///
/// # Errors
/// A 400 when the body is not a JSON array of strings and numbers, or is empty.
pub(super) fn command(body: &[u8]) -> Result<Command, Refusal> {
    let command = parse(body, OneCommand)?;
    if command.is_empty() { Err(Refusal::bad_request("ERR empty command")) } else { Ok(command) }
}

/// Several commands; one of them may be empty, which is that item's own error.
///
/// # Errors
/// A 400 when the body is not a JSON array of such arrays, or has none.
pub(super) fn commands(body: &[u8]) -> Result<Vec<Command>, Refusal> {
    let commands = parse(body, ManyCommands)?;
    if commands.is_empty() {
        Err(Refusal::bad_request("ERR empty pipeline request"))
    } else {
        Ok(commands)
    }
}

fn parse<T>(
    body: &[u8],
    form: impl for<'de> DeserializeSeed<'de, Value = T>,
) -> Result<T, Refusal> {
    let body = text::from_any_bytes(body);
    let mut json = serde_json::Deserializer::from_str(&body);
    form.deserialize(&mut json).and_then(|value| json.end().map(|()| value)).map_err(|error| {
        // serde_json's messages of other categories quote the body.
        let message = error.to_string();
        Refusal::bad_request(match message.split(ARGUMENT).nth(1) {
            Some(of_argument) => {
                let end = of_argument.find(" at line ").unwrap_or(of_argument.len());
                of_argument[..end].to_owned()
            }
            None if body.trim().is_empty() => {
                "ERR failed to parse the request: the body is empty".to_owned()
            }
            None => format!(
                "ERR failed to parse the request: expected a JSON array, see line {} column {}",
                error.line(),
                error.column()
            ),
        })
    })
}

/// The most commands of one request: ten megabytes hold millions of empty ones, and each costs many
/// times its own length.
const MAX_COMMANDS: usize = 1 << 17;

/// Marks a message of ours in an error of serde_json.
const ARGUMENT: &str = "\u{1}argument:";

struct OneCommand;

impl<'de> DeserializeSeed<'de> for OneCommand {
    type Value = Command;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Command, D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for OneCommand {
    type Value = Command;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of strings and numbers")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Command, A::Error> {
        let mut command = Command::default();
        while let Some(raw) = items.next_element::<&'de RawValue>()? {
            match argument(raw.get()) {
                Ok(argument) => command.push(argument.as_bytes()),
                Err(message) => return Err(A::Error::custom(format_args!("{ARGUMENT}{message}"))),
            }
        }
        Ok(command)
    }
}

struct ManyCommands;

impl<'de> DeserializeSeed<'de> for ManyCommands {
    type Value = Vec<Command>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Vec<Command>, D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for ManyCommands {
    type Value = Vec<Command>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of commands")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<Command>, A::Error> {
        let mut commands = Vec::new();
        while let Some(command) = items.next_element_seed(OneCommand)? {
            if commands.len() == MAX_COMMANDS {
                let message = format_args!(
                    "{ARGUMENT}ERR more than {MAX_COMMANDS} commands in one request, split it"
                );
                return Err(A::Error::custom(message));
            }
            commands.push(command);
        }
        Ok(commands)
    }
}

/// The argument that a JSON value stands for.
fn argument(json: &str) -> Result<Cow<'_, str>, &'static str> {
    match json.as_bytes().first() {
        Some(b'"') => Ok(text::unescape(json.get(1..json.len() - 1).unwrap_or_default())),
        Some(b'n') => Err("ERR null args are not supported"),
        Some(b'{') => Err("ERR unsupported arg type: \"{\": json.Delim"),
        Some(b'[') => Err("ERR unsupported arg type: \"[\": json.Delim"),
        _ => Ok(Cow::Borrowed(json)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn args(body: &[u8]) -> Vec<String> {
        let command = command(body).unwrap();
        command.args().map(|argument| String::from_utf8(argument.to_vec()).unwrap()).collect()
    }

    #[test]
    fn numbers_keep_their_text() {
        let body = br#" [ "SET" , "k", 9007199254740993, -0, 1e5, 1.50, 18446744073709551616 ] "#;
        assert_eq!(
            args(body),
            ["SET", "k", "9007199254740993", "-0", "1e5", "1.50", "18446744073709551616"]
        );
    }

    #[test]
    fn strings_are_unescaped() {
        assert_eq!(
            args(br#"["ECHO","\"\\\/\b\f\n\r\t","\u00e9\ud83d\ude00",true,false]"#),
            ["ECHO", "\"\\/\u{8}\u{c}\n\r\t", "é😀", "true", "false"]
        );
    }

    #[test]
    fn what_is_no_text_is_replaced() {
        assert_eq!(args(b"[\"ECHO\",\"a\xffb\xe2\x82\"]"), ["ECHO", "a\u{fffd}b\u{fffd}\u{fffd}"]);
        assert_eq!(
            args(br#"["\ud800x","\udc00","\ud800\ud800\udc00"]"#),
            ["\u{fffd}x", "\u{fffd}", "\u{fffd}\u{10000}"]
        );
    }

    #[test]
    fn refuses_what_is_no_argument() {
        for (body, message) in [
            (&br#"["GET",null]"#[..], "ERR null args are not supported"),
            (br#"["GET",{"a":1}]"#, "ERR unsupported arg type: \"{\": json.Delim"),
            (br#"[["GET","k"]]"#, "ERR unsupported arg type: \"[\": json.Delim"),
            (b"[]", "ERR empty command"),
            (b"  ", "ERR failed to parse the request: the body is empty"),
            (
                b"{\"secret\":1}",
                "ERR failed to parse the request: expected a JSON array, see line 1 column 0",
            ),
            (
                br#"["GET","k"] x"#,
                "ERR failed to parse the request: expected a JSON array, see line 1 column 13",
            ),
        ] {
            assert_eq!(command(body).unwrap_err().message, message);
        }
    }

    #[test]
    fn several_commands() {
        let all = commands(br#"[["SET","k",1],[],["GET","k"]]"#).unwrap();
        assert_eq!(all.iter().map(Command::len).collect::<Vec<_>>(), [3, 0, 2]);
        assert_eq!(commands(b"[]").unwrap_err().message, "ERR empty pipeline request");
        assert!(commands(br#"["GET","k"]"#).is_err());
        let most = format!("[{}[]]", "[],".repeat(MAX_COMMANDS - 1));
        assert_eq!(commands(most.as_bytes()).unwrap().len(), MAX_COMMANDS);
        let too_many = most.replacen("[]", "[],[]", 1);
        assert!(commands(too_many.as_bytes()).unwrap_err().message.contains("split it"));
        assert!(commands(br#"[["GET",null]]"#).unwrap_err().message.contains("null args"));
    }
}
