//! Treats text as ECMAScript does: which characters are white space.
//!
//! Rust's `char::is_whitespace` differs in two of them: U+FEFF is white space in ECMAScript,
//! U+0085 is not.

/// ECMAScript's white space and line terminators: what its `trim` takes off and its `\s` matches.
pub const WHITE_SPACE: [char; 25] = [
    '\u{0009}', '\u{000A}', '\u{000B}', '\u{000C}', '\u{000D}', '\u{0020}', '\u{00A0}', '\u{1680}',
    '\u{2000}', '\u{2001}', '\u{2002}', '\u{2003}', '\u{2004}', '\u{2005}', '\u{2006}', '\u{2007}',
    '\u{2008}', '\u{2009}', '\u{200A}', '\u{2028}', '\u{2029}', '\u{202F}', '\u{205F}', '\u{3000}',
    '\u{FEFF}',
];

/// Whether ECMAScript counts `c` as white space.
pub fn is_white_space(c: char) -> bool {
    matches!(c,
        '\u{0009}'..='\u{000D}' | ' ' | '\u{00A0}' | '\u{1680}' | '\u{2000}'..='\u{200A}'
        | '\u{2028}' | '\u{2029}' | '\u{202F}' | '\u{205F}' | '\u{3000}' | '\u{FEFF}')
}

/// `text` without the white space at both ends.
pub fn trim(text: &str) -> &str {
    text.trim_matches(is_white_space)
}

/// The number of words: maximal runs of anything but white space. Text without spaces, such as
/// Chinese, is one word; HTML tags count like any other text.
pub fn count_words(text: &str) -> u64 {
    text.split(is_white_space).fold(0, |words, run| words + u64::from(!run.is_empty()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn white_space_is_exactly_the_table() {
        let found: Vec<char> = ('\0'..=char::MAX).filter(|&c| is_white_space(c)).collect();
        assert_eq!(found, WHITE_SPACE);
    }

    #[test]
    fn differs_from_rust_in_two_characters() {
        let differ: Vec<char> =
            ('\0'..=char::MAX).filter(|&c| is_white_space(c) != c.is_whitespace()).collect();
        assert_eq!(differ, ['\u{0085}', '\u{FEFF}']);
    }

    #[test]
    fn counts_runs() {
        for (text, words) in [
            ("", 0),
            (" \t\u{FEFF}\u{3000}", 0),
            ("one", 1),
            ("  two\r\nwords ", 2),
            ("bom\u{FEFF}parts", 2),
            ("nel\u{0085}joins", 1),
            ("zero\u{200B}width", 1),
            ("mongolian\u{180E}vowel", 1),
            ("file\u{001C}separator", 1),
            ("无垢材\u{3000}オーク", 2),
            ("<p>Oak&nbsp;chair</p>", 1),
        ] {
            assert_eq!(count_words(text), words, "{text:?}");
        }
    }

    #[test]
    fn trims_what_it_counts_as_white_space() {
        assert_eq!(trim("\u{FEFF} a b\u{2029}"), "a b");
        assert_eq!(trim("\u{0085}a\u{200B}"), "\u{0085}a\u{200B}");
    }

    proptest! {
        #[test]
        fn a_text_has_words_exactly_when_trimming_leaves_some(text in "[\\s\u{85}\u{200B}\u{FEFF}a]{0,8}") {
            prop_assert_eq!(count_words(&text) == 0, trim(&text).is_empty());
        }
    }
}
