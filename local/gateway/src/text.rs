//! Text where there may be any bytes: what is not UTF-8 becomes U+FFFD, one for each byte, as
//! Upstash's own encoder and decoder have it.

use std::borrow::Cow;

/// `bytes` as text.
pub(super) fn from_any_bytes(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => {
            let mut text = String::with_capacity(bytes.len());
            for chunk in bytes.utf8_chunks() {
                text.push_str(chunk.valid());
                text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
            }
            Cow::Owned(text)
        }
    }
}

/// The inside of a JSON string without its escapes. The string has been checked to be JSON; lone
/// surrogates become U+FFFD.
pub(super) fn unescape(json: &str) -> Cow<'_, str> {
    if !json.contains('\\') {
        return Cow::Borrowed(json);
    }
    let mut text = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let mut escape = rest.chars();
        match escape.next() {
            Some('b') => text.push('\u{8}'),
            Some('f') => text.push('\u{c}'),
            Some('n') => text.push('\n'),
            Some('r') => text.push('\r'),
            Some('t') => text.push('\t'),
            Some('u') => {
                let first = unit(rest);
                let second = rest.get(5..).filter(|rest| rest.starts_with("\\u"));
                let pair = second.map(|second| [first, unit(&second[1..])]);
                match char::decode_utf16(pair.into_iter().flatten()).next() {
                    Some(Ok(character)) if character.len_utf16() == 2 => {
                        text.push(character);
                        rest = rest.get(11..).unwrap_or_default();
                    }
                    _ => {
                        let character = char::from_u32(first.into());
                        text.push(character.unwrap_or(char::REPLACEMENT_CHARACTER));
                        rest = rest.get(5..).unwrap_or_default();
                    }
                }
                continue;
            }
            Some(other) => text.push(other),
            None => {}
        }
        rest = escape.as_str();
    }
    text.push_str(rest);
    Cow::Owned(text)
}

/// The UTF-16 unit of `u1234...`.
fn unit(escape: &str) -> u16 {
    escape.get(1..5).and_then(|digits| u16::from_str_radix(digits, 16).ok()).unwrap_or(0xfffd)
}

/// Appends `text` as a JSON string.
pub(super) fn write_json(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0..=0x1f => b"",
            _ => continue,
        };
        out.extend_from_slice(&text.as_bytes()[from..at]);
        if escape.is_empty() {
            out.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
        } else {
            out.extend_from_slice(escape);
        }
        from = at + 1;
    }
    out.extend_from_slice(&text.as_bytes()[from..]);
    out.push(b'"');
}
