//! RESP2, as little as a gateway needs: find where a reply ends, walk through it, never copy it.
//!
//! A reply stays the bytes that Redis sent ([`Frame`]). The raw format passes them through, the
//! JSON formats walk over them ([`Tokens`]). Nothing here recurses, so that a reply nested ten
//! thousand deep costs a counter and not a stack.

use bytes::Bytes;

/// The longest status, error, integer or length line.
const MAX_LINE: usize = 1 << 20;

/// Bytes that are not RESP2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer is not of the Redis protocol's second version")]
pub(super) struct Malformed;

/// One step of a walk through a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// `+OK`.
    Status(&'a [u8]),
    /// `-ERR ...`, without the dash.
    Error(&'a [u8]),
    /// `:42`.
    Int(i64),
    /// `$3 foo`.
    Bulk(&'a [u8]),
    /// `$-1` or `*-1`.
    Nil,
    /// `*2`; its elements follow.
    Array(usize),
}

/// One complete reply, exactly as Redis sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame(Bytes);

impl Frame {
    /// The status `OK`, as Redis says it.
    pub(super) fn ok() -> Self {
        Self(Bytes::from_static(b"+OK\r\n"))
    }

    /// A string.
    pub(super) fn bulk(value: &[u8]) -> Self {
        let mut bytes = format!("${}\r\n", value.len()).into_bytes();
        bytes.extend_from_slice(value);
        bytes.extend_from_slice(b"\r\n");
        Self(bytes.into())
    }

    /// The bytes.
    pub(super) fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// The walk through the reply, the outermost value first.
    pub(super) fn tokens(&self) -> Tokens<'_> {
        Tokens { rest: &self.0 }
    }

    /// The message, when the reply is an error.
    pub(super) fn error(&self) -> Option<&[u8]> {
        match self.tokens().next() {
            Some(Token::Error(message)) => Some(message),
            _ => None,
        }
    }

    /// The elements, when the reply is an array that is not null.
    pub(super) fn elements(&self) -> Option<Vec<Frame>> {
        let mut at = match self.tokens().next()? {
            Token::Array(_) => line_end(&self.0)?,
            _ => return None,
        };
        let mut elements = Vec::new();
        while at < self.0.len() {
            let end = at + Scanner::default().advance(&self.0[at..]).ok()??;
            elements.push(Frame(self.0.slice(at..end)));
            at = end;
        }
        Some(elements)
    }
}

/// A walk through one reply.
#[derive(Clone, Debug)]
pub(super) struct Tokens<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let (token, length) = head(self.rest).ok()??;
        self.rest = self.rest.get(length..)?;
        Some(token)
    }
}

/// Finds the end of a reply in bytes that arrive in pieces, without looking at any byte of a
/// value twice.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scanner {
    /// Where the next value begins.
    at: usize,
    /// How many values are still to come.
    missing: usize,
}

impl Default for Scanner {
    fn default() -> Self {
        Self { at: 0, missing: 1 }
    }
}

impl Scanner {
    /// The length of the reply at the start of `bytes`, or `None` when it is not all there yet.
    /// Call it again with the same bytes and more behind them.
    ///
    /// # Errors
    /// When the bytes cannot be the beginning of a RESP2 reply.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        while self.missing > 0 {
            let Some((token, length)) = head(&bytes[self.at..])? else { return Ok(None) };
            self.at += length;
            self.missing -= 1;
            if let Token::Array(elements) = token {
                self.missing = self.missing.checked_add(elements).ok_or(Malformed)?;
            }
        }
        Ok(Some(self.at))
    }

    /// Cuts the reply that `advance` has found to end at `length` off the front of `bytes`.
    pub(super) fn cut(bytes: &mut bytes::BytesMut, length: usize) -> Frame {
        Frame(bytes.split_to(length).freeze())
    }
}

/// The value at the start of `bytes` (of an array only its length line) and how long it is, or
/// `None` when more bytes are needed.
fn head(bytes: &[u8]) -> Result<Option<(Token<'_>, usize)>, Malformed> {
    let Some(&kind) = bytes.first() else { return Ok(None) };
    if !matches!(kind, b'+' | b'-' | b':' | b'$' | b'*') {
        return Err(Malformed);
    }
    let Some(end) = line_end(bytes) else {
        return if bytes.len() > MAX_LINE { Err(Malformed) } else { Ok(None) };
    };
    let line = bytes[1..end].strip_suffix(b"\r\n").ok_or(Malformed)?;
    let token = match kind {
        b'+' => Token::Status(line),
        b'-' => Token::Error(line),
        b':' => Token::Int(integer(line)?),
        b'$' => {
            let Some(length) = length(line)? else { return Ok(Some((Token::Nil, end))) };
            let Some(value) = bytes.get(end..end + length + 2) else { return Ok(None) };
            let value = value.strip_suffix(b"\r\n").ok_or(Malformed)?;
            return Ok(Some((Token::Bulk(value), end + length + 2)));
        }
        _ => length(line)?.map_or(Token::Nil, Token::Array),
    };
    Ok(Some((token, end)))
}

/// Where the first line ends, its line break included.
fn line_end(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| *byte == b'\n').map(|at| at + 1)
}

fn integer(line: &[u8]) -> Result<i64, Malformed> {
    std::str::from_utf8(line).ok().and_then(|text| text.parse().ok()).ok_or(Malformed)
}

/// A length line: `None` for -1, the null value.
fn length(line: &[u8]) -> Result<Option<usize>, Malformed> {
    match integer(line)? {
        -1 => Ok(None),
        // No reply comes near this; it keeps sums of lengths far from an overflow.
        n => usize::try_from(n).ok().filter(|n| *n <= 1 << 40).map(Some).ok_or(Malformed),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use bytes::BytesMut;

    use super::*;

    fn frame(bytes: &[u8]) -> Frame {
        let length = Scanner::default().advance(bytes).unwrap().unwrap();
        Scanner::cut(&mut BytesMut::from(bytes), length)
    }

    #[test]
    fn finds_the_end_in_bytes_that_arrive_one_by_one() {
        let reply = b"*3\r\n$3\r\na\nb\r\n*2\r\n:-7\r\n*-1\r\n+OK\r\n";
        let mut scanner = Scanner::default();
        for length in 0..reply.len() {
            assert_eq!(scanner.advance(&reply[..length]), Ok(None), "{length} bytes");
        }
        assert_eq!(scanner.advance(reply), Ok(Some(reply.len())));
    }

    #[test]
    fn walks_through_a_reply() {
        let reply =
            frame(b"*4\r\n$2\r\n\xff\0\r\n:9007199254740993\r\n$-1\r\n-ERR no\r\n+next\r\n");
        let tokens: Vec<_> = reply.tokens().collect();
        assert_eq!(
            tokens,
            [
                Token::Array(4),
                Token::Bulk(b"\xff\0"),
                Token::Int(9_007_199_254_740_993),
                Token::Nil,
                Token::Error(b"ERR no"),
            ]
        );
    }

    #[test]
    fn splits_an_array_into_its_elements() {
        let elements = frame(b"*3\r\n*1\r\n:1\r\n$0\r\n\r\n-ERR x\r\n").elements().unwrap();
        let bytes: Vec<&[u8]> = elements.iter().map(|element| &element.bytes()[..]).collect();
        assert_eq!(bytes, [&b"*1\r\n:1\r\n"[..], b"$0\r\n\r\n", b"-ERR x\r\n"]);
        assert_eq!(frame(b"*0\r\n").elements().unwrap(), []);
        assert_eq!(frame(b"*-1\r\n").elements(), None);
        assert_eq!(frame(b":1\r\n").elements(), None);
    }

    #[test]
    fn refuses_what_is_not_resp2() {
        for bytes in [
            &b"HTTP/1.1 400\r\n"[..],
            b"%1\r\n",
            b":x\r\n",
            b"$-2\r\n",
            b"$1\r\nabc",
            b"+OK\n",
            b"*99999999999999999999\r\n",
        ] {
            assert_eq!(Scanner::default().advance(bytes), Err(Malformed), "{bytes:?}");
        }
        let endless = vec![b'+'; MAX_LINE + 1];
        assert_eq!(Scanner::default().advance(&endless), Err(Malformed));
    }

    #[test]
    fn a_deep_reply_needs_no_stack() {
        let deep = b"*1\r\n".repeat(200_000);
        assert_eq!(Scanner::default().advance(&deep), Ok(None));
    }
}
