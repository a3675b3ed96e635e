//! Text out of the queue, made fit for a terminal.

/// One line of at most `most` characters; control characters, which could steer the terminal, are
/// shown as what they are.
pub(in crate::cli) fn line(text: &str, most: usize) -> String {
    let mut out = String::new();
    for (at, c) in text.chars().enumerate() {
        if at == most {
            out.push('…');
            break;
        }
        match c {
            '\n' | '\t' => out.push(' '),
            c if c.is_control() => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out
}

/// As [`line`], with its line breaks and at any length.
pub(super) fn lines(text: &str) -> String {
    text.lines().map(|text| line(text, usize::MAX)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(line("a\u{1b}[2Jb\nc", 99), "a\\u{1b}[2Jb c");
        assert_eq!(line("abc", 2), "ab…");
        assert_eq!(lines("a\r\nb\u{7}"), "a\nb\\u{7}");
    }
}
