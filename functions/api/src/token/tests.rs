//! What a token must say, and when it counts.
#![allow(clippy::unwrap_used)]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};

use super::*;

pub(super) const NOW_S: i64 = 1_800_000_000;

pub(super) fn token(header: &Value, claims: &Value, secret: &str) -> String {
    let body =
        format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()));
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
    let signature = ring::hmac::sign(&key, body.as_bytes());
    format!("{body}.{}", BASE64.encode(signature))
}

pub(super) fn subject(token: &str) -> Option<String> {
    Tokens::new([&Secret::new("s3cret")]).subject(token, NOW_S * 1000 + 999)
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
fn two_secrets_count_while_one_takes_the_others_place() {
    let (new, old) = (Secret::new("new"), Secret::new("old"));
    let claims = json!({"sub": "u1", "exp": NOW_S + 60});
    let by = |secret| token(&json!({"alg": "HS256"}), &claims, secret);
    let both = Tokens::new([&new, &old]);
    for (signed, counts) in [("new", true), ("old", true), ("other", false), ("", false)] {
        let subject = both.subject(&by(signed), NOW_S * 1000);
        assert_eq!(subject.is_some(), counts, "{signed}");
    }
    // The one of before is over as soon as it is taken away, and so is its user's token.
    assert_eq!(Tokens::new([&new]).subject(&by("old"), NOW_S * 1000), None);
    let over = token(&json!({"alg": "HS256"}), &json!({"sub": "u1", "exp": NOW_S}), "old");
    assert_eq!(both.subject(&over, NOW_S * 1000), None);
}
