//! Lone surrogates: JSON written by JavaScript may hold them, Rust's text may not.

use std::borrow::Cow;

/// `json` with every escape of a lone surrogate, such as `\ud83d` without its other half, as
/// `\ufffd`. To the score the two are the same: one UTF-16 unit that is not white space, no slash
/// and no letter.
pub(super) fn replace_lone(json: &str) -> Cow<'_, str> {
    let mut replaced = String::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(found) = json[at..].find('\\') {
        at += found;
        let lone = match escaped_unit(json, at) {
            Some(0xD800..=0xDBFF) => {
                let paired = matches!(escaped_unit(json, at + 6), Some(0xDC00..=0xDFFF));
                at += if paired { 12 } else { 6 };
                !paired
            }
            Some(unit) => {
                at += 6;
                (0xDC00..=0xDFFF).contains(&unit)
            }
            // An escape of one character, or none at all: for the parser to judge.
            None => {
                at += 1 + json[at + 1..].chars().next().map_or(0, char::len_utf8);
                false
            }
        };
        if lone {
            replaced.push_str(&json[copied..at - 6]);
            replaced.push_str("\\ufffd");
            copied = at;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(json);
    }
    replaced.push_str(&json[copied..]);
    Cow::Owned(replaced)
}

/// The unit of an escape `\uXXXX` at `at`.
fn escaped_unit(json: &str, at: usize) -> Option<u32> {
    let digits = json.get(at..at + 6)?.strip_prefix("\\u")?;
    let hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    hex.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_only_halves_without_the_other() {
        for (json, expected) in [
            (r#""plain""#, r#""plain""#),
            (r#""\ud83d\ude00""#, r#""\ud83d\ude00""#),
            (r#""\ud83d""#, r#""\ufffd""#),
            (r#""\uDE00\uD83D""#, r#""\ufffd\ufffd""#),
            (r#""\ud83d\ud83d\ude00é""#, r#""\ufffd\ud83d\ude00é""#),
            (r#""\ud83dx\u0041\ude00""#, r#""\ufffdx\u0041\ufffd""#),
            // The backslash is escaped, and what follows is text.
            (r#""\\ud83d""#, r#""\\ud83d""#),
            (r#""\\\ud83d""#, r#""\\\ufffd""#),
            // No escapes at all: the parser says so.
            (r#""\ud8""#, r#""\ud8""#),
            ("\\", "\\"),
            ("\\é", "\\é"),
            ("\\ué123", "\\ué123"),
        ] {
            assert_eq!(replace_lone(json), expected);
        }
    }
}
