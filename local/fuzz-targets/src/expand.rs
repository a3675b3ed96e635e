//! Expands a short way to write a long input.

/// Bytes of an expanded input at most.
const MOST: usize = 1_100_000;

/// Repetitions of an input at most, so that no input is mostly work for this.
const MOST_REPETITIONS: usize = 4;

/// Returns `input` with each `@{100000 [}` in it as 100,000 times `[`, as long as there are few of them and
/// all stays small enough: what is deep or huge fits into a corpus of a few bytes, and the fuzzer can make
/// more of it.
pub(crate) fn expand(input: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(input.len());
    let (mut rest, mut left) = (input, MOST_REPETITIONS);
    while let Some(at) = rest.windows(2).position(|two| two == b"@{") {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        match repetition(rest).filter(|(length, _, _)| left > 0 && out.len() + length <= MOST) {
            Some((_, expanded, after)) => {
                out.extend_from_slice(&expanded);
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

/// What stands at the beginning of `text`: how long it is, what it comes to, and what is behind it.
fn repetition(text: &[u8]) -> Option<(usize, Vec<u8>, &[u8])> {
    let end = text.iter().position(|byte| *byte == b'}')?;
    let (inside, after) = (text.get(2..end)?, &text[end + 1..]);
    let space = inside.iter().position(|byte| *byte == b' ')?;
    let times: usize = std::str::from_utf8(&inside[..space]).ok()?.parse().ok()?;
    let what = &inside[space + 1..];
    let length = times.checked_mul(what.len()).filter(|length| *length <= MOST)?;
    Some((length, what.repeat(times), after))
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
            ("@{99999999999 x}", "@{99999999999 x}"),
        ] {
            assert_eq!(expand(input.as_bytes()), expected.as_bytes(), "{input}");
        }
        assert_eq!(expand(b"@{1100000 x}@{1 y}").len(), MOST + "@{1 y}".len());
    }
}
