//! Tells who is asking.

use axum::extract::{FromRef, FromRequestParts};
use axum::http::Method;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use tokio::time::Instant;

use crate::Api;
use crate::error::Error;

/// The bearer of a valid token, who has not sent too many POST requests. Whether the user still exists is known
/// only after the first look into the database, which reads what the request is about in the same statement.
pub(crate) struct Caller {
    /// The user's id.
    pub(crate) user_id: String,
    /// When the request began, as far as its time goes.
    pub(crate) since: Instant,
    api: Api,
}

impl<S: Send + Sync> FromRequestParts<S> for Caller
where
    Api: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let (api, since) = (Api::from_ref(state), Instant::now());
        let user_id = {
            let tokens = api.tokens()?;
            let mut given = parts.headers.get_all(AUTHORIZATION).iter();
            // Of two, it is open which one whoever stood in front of us has looked at.
            let only = given.next().filter(|_| given.next().is_none());
            let token = only.and_then(|value| bearer(value.to_str().ok()?));
            token.and_then(|token| tokens.subject(token, api.clock().now_ms()))
        };
        let user_id = user_id.ok_or(Error::Unauthorized)?;
        if parts.method == Method::POST {
            api.admit(&user_id).await?;
        }
        Ok(Self { user_id, since, api })
    }
}

impl Caller {
    /// The checked `input`. Where it was refused, a user who is known not to exist still gets the 401,
    /// which comes before all else.
    pub(crate) async fn check<T>(&self, input: Result<T, Error>) -> Result<T, Error> {
        match input {
            Ok(input) => Ok(input),
            Err(refusal) => match self.api.role(&self.user_id).await {
                // What is wrong with the input is wrong whoever asks.
                Err(Error::Unavailable(_)) if refusal.is_about_input() => Err(refusal),
                role => role.and(Err(refusal)),
            },
        }
    }
}

/// The token of an `Authorization` header; the scheme's name may be in any case.
fn bearer(value: &str) -> Option<&str> {
    let mut words = value.split_ascii_whitespace();
    match (words.next(), words.next(), words.next()) {
        (Some(scheme), Some(token), None) if scheme.eq_ignore_ascii_case("bearer") => Some(token),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::bearer;

    #[test]
    fn only_the_bearer_scheme_counts() {
        assert_eq!(bearer("Bearer a.b.c"), Some("a.b.c"));
        assert_eq!(bearer("bearer  a.b.c"), Some("a.b.c"));
        for other in ["", "Bearer", "Bearer ", "a.b.c", "Basic a.b.c", "Bearer a b", "Bearera.b.c"]
        {
            assert_eq!(bearer(other), None, "{other}");
        }
    }
}
