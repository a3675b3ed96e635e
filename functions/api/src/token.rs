//! The platform's bearer tokens: JSON Web Tokens, HS256, the claims `sub`, `email`, `role`, `iat`
//! and `exp`.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
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

/// Checks tokens against one secret.
pub(crate) struct Tokens {
    key: DecodingKey,
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
    pub(crate) fn new(secret: &Secret) -> Self {
        hs256::install();
        let mut validation = Validation::new(Algorithm::HS256);
        // Times are compared below, as the platform's library does: whole seconds, no leeway, and
        // a token is expired in the very second that it names.
        validation.validate_exp = false;
        validation.validate_aud = false;
        Self { key: DecodingKey::from_secret(secret.expose().as_bytes()), validation }
    }

    /// The user's id, if `token` is complete, ours, and valid at `now_ms`. No reason is given for
    /// a refusal: there is nobody who may know it.
    pub(crate) fn subject(&self, token: &str, now_ms: i64) -> Option<String> {
        let claims =
            jsonwebtoken::decode::<Deciding>(token, &self.key, &self.validation).ok()?.claims;
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
mod tests {
    #![allow(clippy::unwrap_used)]

    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
    use serde_json::{Value, json};

    use super::*;

    const NOW_S: i64 = 1_800_000_000;

    fn token(header: &Value, claims: &Value, secret: &str) -> String {
        let body =
            format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()));
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
        let signature = ring::hmac::sign(&key, body.as_bytes());
        format!("{body}.{}", BASE64.encode(signature))
    }

    fn subject(token: &str) -> Option<String> {
        Tokens::new(&Secret::new("s3cret")).subject(token, NOW_S * 1000 + 999)
    }

    fn with(claims: &Value) -> Option<String> {
        subject(&token(&json!({"alg": "HS256", "typ": "JWT"}), claims, "s3cret"))
    }

    #[test]
    fn a_signed_token_names_its_user() {
        let claims = Claims {
            sub: "u1".into(),
            email: "a@b.c".into(),
            role: "USER".into(),
            iat: NOW_S,
            exp: NOW_S + 60,
        };
        let token = sign(&Secret::new("s3cret"), &claims).unwrap();
        assert_eq!(subject(&token).as_deref(), Some("u1"));
    }

    /// A known answer: RFC 7515, appendix A.1, whose token expired in 2011.
    #[test]
    fn the_signature_is_that_of_the_standard() {
        let key = BASE64
            .decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
            .unwrap();
        hs256::install();
        let valid = jsonwebtoken::crypto::verify(
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
            b"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
            &DecodingKey::from_secret(&key),
            Algorithm::HS256,
        );
        assert!(valid.unwrap());
    }

    #[test]
    fn time_is_compared_in_whole_seconds_without_leeway() {
        let at = |claims: Value| with(&claims).is_some();
        assert!(at(json!({"sub": "u1", "exp": NOW_S + 1})));
        assert!(!at(json!({"sub": "u1", "exp": NOW_S})), "expired in the second it names");
        assert!(at(json!({"sub": "u1", "exp": NOW_S as f64 + 0.5})));
        assert!(at(json!({"sub": "u1", "exp": NOW_S + 1, "nbf": NOW_S})));
        assert!(!at(json!({"sub": "u1", "exp": NOW_S + 9, "nbf": NOW_S + 1})));
    }

    #[test]
    fn incomplete_claims_are_refused() {
        for claims in [
            json!({"exp": NOW_S + 60}),
            json!({"sub": "u1"}),
            json!({"sub": "u1", "exp": (NOW_S + 60).to_string()}),
            json!({"sub": 7, "exp": NOW_S + 60}),
            json!({"sub": "", "exp": NOW_S + 60}),
            json!({"sub": "u\u{0}", "exp": NOW_S + 60}),
            json!({"sub": "u".repeat(192), "exp": NOW_S + 60}),
            json!({"sub": "u1", "exp": NOW_S + 60, "twoFactor": true}),
            json!({"sub": "u1", "exp": NOW_S + 60, "twoFactor": "true"}),
            json!(["u1"]),
            json!(null),
        ] {
            assert_eq!(with(&claims), None, "{claims}");
        }
        assert!(with(&json!({"sub": "u1", "exp": NOW_S + 60, "twoFactor": false})).is_some());
        assert!(with(&json!({"sub": "u1", "exp": NOW_S + 60, "aud": "web"})).is_some());
    }

    #[test]
    fn the_algorithm_is_pinned() {
        let claims = json!({"sub": "u1", "exp": NOW_S + 60});
        for header in [
            json!({"alg": "none"}),
            json!({"alg": "NONE"}),
            json!({"alg": "hs256"}),
            json!({"alg": "HS384"}),
            json!({"alg": "HS512"}),
            json!({"alg": "RS256"}),
            json!({"typ": "JWT"}),
            json!("HS256"),
        ] {
            assert_eq!(subject(&token(&header, &claims, "s3cret")), None, "{header}");
        }
    }

    #[test]
    fn forged_and_malformed_tokens_are_refused() {
        let header = json!({"alg": "HS256"});
        let claims = json!({"sub": "u1", "exp": NOW_S + 60});
        let good = token(&header, &claims, "s3cret");
        assert!(subject(&good).is_some());
        assert_eq!(subject(&token(&header, &claims, "other")), None);
        let (unsigned, signature) = good.rsplit_once('.').unwrap();
        let swapped = BASE64.encode(json!({"sub": "u2", "exp": NOW_S + 60}).to_string());
        let (head, _) = unsigned.split_once('.').unwrap();
        for token in [
            String::new(),
            "..".to_owned(),
            "a.b.c".to_owned(),
            unsigned.to_owned(),
            format!("{unsigned}."),
            format!("{head}.{swapped}.{signature}"),
            format!("{good}="),
            format!("{good}.{signature}"),
            format!("{head}..{signature}"),
            "\u{1F600}.\u{1F600}.\u{1F600}".to_owned(),
        ] {
            assert_eq!(subject(&token), None, "{token}");
        }
    }
}
