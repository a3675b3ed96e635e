//! Tokens as the platform issues them.

use api::{Claims, sign};
use shared::clock::Clock;
use shared::config::Secret;

use crate::Failure;

/// Returns a token for an ordinary user, good for so many seconds from now.
pub(crate) fn issue(secret: &Secret, user: &str, seconds: u64) -> Result<String, Failure> {
    Ok(sign(secret, &claims(user, seconds))?)
}

/// Returns a token for an administrator, good for so many seconds from now.
pub(crate) fn issue_admin(secret: &Secret, user: &str, seconds: u64) -> Result<String, Failure> {
    Ok(sign(secret, &Claims { role: "ADMIN".to_owned(), ..claims(user, seconds) })?)
}

/// Returns what a token for an ordinary user says.
pub(crate) fn claims(user: &str, seconds: u64) -> Claims {
    let iat = Clock::System.now_ms() / 1_000;
    Claims {
        sub: user.to_owned(),
        email: format!("{user}@example.com"),
        role: "USER".to_owned(),
        iat,
        exp: iat.saturating_add_unsigned(seconds),
    }
}
