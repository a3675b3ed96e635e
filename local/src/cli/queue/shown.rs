//! Text out of the queue, made fit for a terminal.

/// One line of at most `most` characters; what could steer the terminal, or turn around the order of what it
/// shows, is shown as what it is.
pub(in crate::cli) fn line(text: &str, most: usize) -> String {
    let mut out = String::new();
    for (at, c) in text.chars().enumerate() {
        if at == most {
            out.push('…');
            break;
        }
        match c {
            '\n' | '\t' => out.push(' '),
            c if c.is_control() || is_direction(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

/// Whether it is one of Unicode's marks for the direction of writing.
fn is_direction(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The longest text that is shown with its line breaks, in characters: nobody reads more of it, and a peer may
/// write megabytes.
const MOST_SHOWN: usize = 20_000;

/// As [`line`], with its line breaks, and at most [`MOST_SHOWN`] characters.
pub(super) fn lines(text: &str) -> String {
    let short = text.char_indices().nth(MOST_SHOWN).map_or(text, |(end, _)| &text[..end]);
    let mut out = short.lines().map(|text| line(text, usize::MAX)).collect::<Vec<_>>().join("\n");
    if short.len() < text.len() {
        out += "…\n(it is longer: --json shows all of it)";
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(line("a\u{1b}[2Jb\nc", 99), "a\\u{1b}[2Jb c");
        assert_eq!(line("\u{202e}gnp.exe", 99), "\\u{202e}gnp.exe");
        assert_eq!(line("abc", 2), "ab…");
        assert_eq!(lines("a\r\nb\u{7}"), "a\nb\\u{7}");
        assert_eq!(lines(&"é".repeat(MOST_SHOWN)).chars().count(), MOST_SHOWN);
        assert!(
            lines(&"é".repeat(MOST_SHOWN + 1))
                .ends_with("é…\n(it is longer: --json shows all of it)")
        );
    }
}
