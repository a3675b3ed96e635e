//! The platform's bearer tokens: JSON Web Tokens, HS256, the claims `sub`, `email`, `role`, `iat`
//! and `exp`.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, TokenData, Validation};
use serde::{Deserialize, Serialize};
use shared::config::Secret;
use shared::store::is_id;

use crate::hs256;

/// What a token says about its bearer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Claims {
    /// The user's id.
    pub sub: String,
    /// The user's e-mail address.
    pub email: String,
    /// `USER` or `ADMIN`, when the token was issued.
    pub role: String,
    /// Issued at, in seconds since the Unix epoch.
    pub iat: i64,
    /// Expires at, in seconds since the Unix epoch.
    pub exp: i64,
}

/// Signs a token as the platform does, for tests and local work.
///
/// # Errors
/// When the claims cannot be written as JSON.
pub fn sign(secret: &Secret, claims: &Claims) -> Result<String, jsonwebtoken::errors::Error> {
    hs256::install();
    let key = EncodingKey::from_secret(secret.expose().as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &key)
}

/// Checks tokens against one secret, or two while one takes the other's place.
pub(crate) struct Tokens {
    keys: Vec<DecodingKey>,
    validation: Validation,
}

/// The claims that decide. `email`, `role` and `iat` do not: the user's row is newer than they are.
#[derive(Deserialize)]
struct Deciding {
    sub: String,
    exp: f64,
    nbf: Option<f64>,
    #[serde(default, rename = "twoFactor")]
    two_factor: serde_json::Value,
}

impl Tokens {
    /// Takes what any of these has signed.
    pub(crate) fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        hs256::install();
        let mut validation = Validation::new(Algorithm::HS256);
        // Times are compared below, as the platform's library does: whole seconds, no leeway, and
        // a token is expired in the very second that it names.
        validation.validate_exp = false;
        validation.validate_aud = false;
        let key = |secret: &Secret| DecodingKey::from_secret(secret.expose().as_bytes());
        Self { keys: secrets.into_iter().map(key).collect(), validation }
    }

    /// The user's id, if `token` is complete, ours, and valid at `now_ms`. No reason is given for
    /// a refusal: there is nobody who may know it.
    pub(crate) fn subject(&self, token: &str, now_ms: i64) -> Option<String> {
        let read = |key| jsonwebtoken::decode::<Deciding>(token, key, &self.validation).ok();
        let TokenData { header, claims, .. } = self.keys.iter().find_map(read)?;
        // What it calls critical has to be understood (RFC 7515), and none of that is here.
        if header.crit.is_some() {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far below 2^53")]
        let now = now_ms.div_euclid(1000) as f64;
        let in_time = now < claims.exp && claims.nbf.is_none_or(|nbf| nbf <= now);
        // The first half of a two-factor login: only the platform's second step may take it.
        let complete =
            matches!(claims.two_factor, serde_json::Value::Null | serde_json::Value::Bool(false));
        (in_time && complete && is_id(&claims.sub)).then_some(claims.sub)
    }
}

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod tests;
