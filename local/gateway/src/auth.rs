//! Who asks: the token of a request, and what it may do.

use hyper::{HeaderMap, header::AUTHORIZATION};
use shared::config::Secret;

use super::{path_form, refusal::Refusal};

/// The tokens that the gateway accepts.
#[derive(Clone, Debug)]
pub(super) struct Tokens {
    full: Secret,
    read_only: Option<Secret>,
}

/// What a token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Everything that the gateway supports.
    Full,
    /// Reads only.
    ReadOnly,
}

impl Tokens {
    /// One token for everything, and perhaps one for reads.
    pub(super) fn new(full: Secret, read_only: Option<Secret>) -> Self {
        Self { full, read_only }
    }

    /// What the request with these headers and this query may do.
    ///
    /// # Errors
    /// A 401 when the token is missing or not ours.
    pub(super) fn access(
        &self,
        headers: &HeaderMap,
        query: Option<&str>,
    ) -> Result<Access, Refusal> {
        let given = bearer(headers)
            .map(<[u8]>::to_vec)
            .or_else(|| path_form::parameter(query, b"_token"))
            .ok_or_else(Refusal::unauthorized)?;
        let is = |token: &Secret| same(token.expose().as_bytes(), &given);
        if is(&self.full) {
            Ok(Access::Full)
        } else if self.read_only.as_ref().is_some_and(is) {
            Ok(Access::ReadOnly)
        } else {
            Err(Refusal::unauthorized())
        }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}

/// Compares in a time that does not depend on where the difference is.
fn same(ours: &[u8], theirs: &[u8]) -> bool {
    !ours.is_empty()
        && ours.len() == theirs.len()
        && ours.iter().zip(theirs).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn access(authorization: Option<&'static str>, query: Option<&str>) -> Option<Access> {
        let tokens = Tokens::new(Secret::new("full"), Some(Secret::new("read")));
        let mut headers = HeaderMap::new();
        if let Some(value) = authorization {
            headers.insert(AUTHORIZATION, HeaderValue::from_static(value));
        }
        tokens.access(&headers, query).ok()
    }

    #[test]
    fn takes_the_header_or_the_query() {
        assert_eq!(access(Some("Bearer full"), None), Some(Access::Full));
        assert_eq!(access(Some("bearer read"), None), Some(Access::ReadOnly));
        assert_eq!(access(None, Some("EX=1&_token=full")), Some(Access::Full));
        assert_eq!(access(None, Some("_token=re%61d")), Some(Access::ReadOnly));
    }

    #[test]
    fn refuses_everything_else() {
        for authorization in
            ["full", "Basic full", "Bearer", "Bearer ", "Bearer fulL", "Bearer ful"]
        {
            assert_eq!(access(Some(authorization), None), None, "{authorization}");
        }
        assert_eq!(access(None, None), None);
        assert_eq!(access(None, Some("token=full")), None);
        assert_eq!(access(Some("Bearer wrong"), Some("_token=full")), None);
    }
}
