//! Reads an HTTP request from an input: its first line is the method and the target, lines with headers follow, and
//! behind an empty line the body.

/// A request.
pub(crate) struct Request<'a> {
    pub(crate) method: &'a [u8],
    /// Path and query.
    pub(crate) target: &'a [u8],
    /// Names and values.
    pub(crate) headers: Vec<(&'a [u8], &'a [u8])>,
    pub(crate) body: &'a [u8],
}

impl<'a> Request<'a> {
    /// Reads one, whatever the input is.
    pub(crate) fn read(input: &'a [u8]) -> Self {
        let (first, mut rest) = line(input);
        let (method, target) = cut(first, b' ').unwrap_or((first, b"/"));
        let mut headers = Vec::new();
        while !rest.is_empty() {
            let (header, after) = line(rest);
            rest = after;
            match cut(header, b':') {
                Some((name, value)) => headers.push((name, value.trim_ascii())),
                None => break,
            }
        }
        Self { method, target, headers, body: rest }
    }

    /// The value of the first header of this name, which is in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&'a [u8]> {
        let is_it = |header: &[u8]| header.eq_ignore_ascii_case(name.as_bytes());
        self.headers.iter().find(|(header, _)| is_it(header)).map(|(_, value)| *value)
    }
}

/// The first line, and what is behind it.
fn line(text: &[u8]) -> (&[u8], &[u8]) {
    cut(text, b'\n').unwrap_or((text, b""))
}

fn cut(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let place = text.iter().position(|byte| *byte == at)?;
    Some((&text[..place], &text[place + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_whatever_the_input_is() {
        let request = Request::read(b"POST /a b?c\nX-One: 1:2\nx-two:\n\n{}\n");
        assert_eq!((request.method, request.target), (&b"POST"[..], &b"/a b?c"[..]));
        assert_eq!(request.header("x-one"), Some(&b"1:2"[..]));
        assert_eq!(request.header("x-two"), Some(&b""[..]));
        assert_eq!(request.body, b"{}\n");
        for input in [&b""[..], b"\n", b"GET", b"GET /\n\n", b"\xff\0 \xff"] {
            let request = Request::read(input);
            assert!(request.headers.is_empty() && request.body.is_empty());
        }
    }
}
