//! Expands a short way to write a long input.

/// Bytes of an expanded input at most. The fuzzer, which is to try many, gets them shorter; as deep and as long as
/// any rule of ours looks at they still are.
const MOST: usize = if cfg!(fuzzing) { 20_000 } else { 1_100_000 };

/// Repetitions of an input at most, so that no input is mostly work for this.
const MOST_REPETITIONS: usize = 4;

/// Returns `input` with each `@{100000 [}` in it as 100,000 times `[`, or as often as there is room for, as long as
/// there are few of them: what is deep or huge fits into a corpus of a few bytes, and the fuzzer can make
/// more of it.
pub(crate) fn expand(input: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(input.len());
    let (mut rest, mut left) = (input, MOST_REPETITIONS);
    while let Some(at) = rest.windows(2).position(|two| two == b"@{") {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        match repetition(rest).filter(|_| left > 0) {
            Some((times, what, after)) => {
                let room = (MOST.saturating_sub(out.len())) / what.len().max(1);
                out.extend_from_slice(&what.repeat(times.min(room)));
                (rest, left) = (after, left - 1);
            }
            None => {
                out.extend_from_slice(b"@{");
                rest = &rest[2..];
            }
        }
    }
    out.extend_from_slice(rest);
    out
}

/// What stands at the beginning of `text`: how often, what, and what is behind it.
fn repetition(text: &[u8]) -> Option<(usize, &[u8], &[u8])> {
    let end = text.iter().position(|byte| *byte == b'}')?;
    let (inside, after) = (text.get(2..end)?, &text[end + 1..]);
    let space = inside.iter().position(|byte| *byte == b' ')?;
    let times: usize = std::str::from_utf8(&inside[..space]).ok()?.parse().ok()?;
    Some((times, &inside[space + 1..], after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetitions_are_written_out_and_all_else_stays() {
        for (input, expected) in [
            ("", ""),
            ("a@{3 xy}b", "axyxyxyb"),
            ("@{2 [}@{2 ]}", "[[]]"),
            ("@{3 }", ""),
            ("@{x y}@{3}@{", "@{x y}@{3}@{"),
            ("@{99999999999999999999 x}", "@{99999999999999999999 x}"),
            ("@{18446744073709551615 }", ""),
        ] {
            assert_eq!(expand(input.as_bytes()), expected.as_bytes(), "{input}");
        }
        assert_eq!(expand(b"ab@{99999999999 xyz}c").len(), 2 + (MOST - 2) / 3 * 3 + 1);
    }
}
