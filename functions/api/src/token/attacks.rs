//! Tokens by which somebody tries to be let in: none may count.
#![allow(clippy::unwrap_used)]

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD as BASE64};
use ring::hmac;
use serde_json::{Value, json};

use super::tests::{NOW_S, subject, token};

const SECRET: &str = "s3cret";

/// Parts as they are, signed with the right secret.
fn signed(header: &str, claims: &str) -> String {
    signed_by(hmac::HMAC_SHA256, SECRET.as_bytes(), header, claims)
}

fn signed_by(algorithm: hmac::Algorithm, key: &[u8], header: &str, claims: &str) -> String {
    let body = format!("{}.{}", BASE64.encode(header), BASE64.encode(claims));
    let signature = hmac::sign(&hmac::Key::new(algorithm, key), body.as_bytes());
    format!("{body}.{}", BASE64.encode(signature))
}

const HS256: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

fn good_claims() -> Value {
    json!({"sub": "u1", "exp": NOW_S + 60})
}

/// The last character of a signature of 32 bytes carries two bits that mean nothing.
fn with_stray_bits(token: &str) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (rest, last) = token.split_at(token.len() - 1);
    let next = ALPHABET.find(last).unwrap() + 1;
    format!("{rest}{}", &ALPHABET[next..=next])
}

/// Who tries what, and the token.
fn attacks() -> Vec<(&'static str, String)> {
    let claims = good_claims().to_string();
    let good = signed(HS256, &claims);
    let parts: Vec<&str> = good.split('.').collect();
    let [head, body, signature] = parts[..] else { panic!("{good}") };
    let unsigned = format!("{head}.{body}");
    let headed = |header: Value| signed(&header.to_string(), &claims);
    let claimed = |claims: Value| signed(HS256, &claims.to_string());
    let raw = |claims: &str| signed(HS256, claims);
    let bare = |header: &str| format!("{}.{body}.", BASE64.encode(header));
    let public_key = "-----BEGIN PUBLIC KEY-----\nMFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAL\n-----END PUBLIC KEY-----\n";
    let jwk = json!({"kty": "oct", "k": BASE64.encode("mine"), "alg": "HS256"});
    let padded = |part: &str| STANDARD.encode(BASE64.decode(part).unwrap());
    vec![
        // No algorithm.
        ("alg none, unsigned", bare(r#"{"alg":"none"}"#)),
        (
            "alg none, without the last dot",
            format!("{}.{body}", BASE64.encode(r#"{"alg":"none"}"#)),
        ),
        ("alg none, signed all the same", headed(json!({"alg": "none"}))),
        ("alg None", bare(r#"{"alg":"None"}"#)),
        ("alg NONE", bare(r#"{"alg":"NONE"}"#)),
        ("alg nOnE", bare(r#"{"alg":"nOnE"}"#)),
        ("alg empty", headed(json!({"alg": ""}))),
        ("alg null", headed(json!({"alg": null}))),
        ("alg missing", headed(json!({"typ": "JWT"}))),
        ("alg a list", headed(json!({"alg": ["HS256"]}))),
        ("alg a number", headed(json!({"alg": 256}))),
        ("alg twice, none last", signed(r#"{"alg":"HS256","alg":"none"}"#, &claims)),
        ("alg twice, HS256 last", signed(r#"{"alg":"none","alg":"HS256"}"#, &claims)),
        // Another algorithm.
        ("alg hs256", headed(json!({"alg": "hs256"}))),
        ("alg HS384 in name", headed(json!({"alg": "HS384"}))),
        ("HS384", signed_by(hmac::HMAC_SHA384, SECRET.as_bytes(), r#"{"alg":"HS384"}"#, &claims)),
        ("HS512", signed_by(hmac::HMAC_SHA512, SECRET.as_bytes(), r#"{"alg":"HS512"}"#, &claims)),
        (
            "HS512 that calls itself HS256",
            signed_by(hmac::HMAC_SHA512, SECRET.as_bytes(), HS256, &claims),
        ),
        ("RS256 with our secret as its key", headed(json!({"alg": "RS256"}))),
        (
            "HS256 with a public key as its secret",
            signed_by(hmac::HMAC_SHA256, public_key.as_bytes(), HS256, &claims),
        ),
        (
            "ES256, the signature of zeros",
            format!("{}.{body}.{}", BASE64.encode(r#"{"alg":"ES256"}"#), BASE64.encode([0; 64])),
        ),
        ("EdDSA", headed(json!({"alg": "EdDSA"}))),
        // A key that the token brings, or leads to.
        (
            "kid of an empty file",
            signed_by(hmac::HMAC_SHA256, b"", r#"{"alg":"HS256","kid":"/dev/null"}"#, &claims),
        ),
        (
            "kid with a path",
            signed_by(
                hmac::HMAC_SHA256,
                b"\0",
                r#"{"alg":"HS256","kid":"../../../dev/zero"}"#,
                &claims,
            ),
        ),
        (
            "kid with SQL",
            signed_by(
                hmac::HMAC_SHA256,
                b"mine",
                r#"{"alg":"HS256","kid":"x' UNION SELECT 'mine"}"#,
                &claims,
            ),
        ),
        (
            "a key of its own",
            signed_by(
                hmac::HMAC_SHA256,
                b"mine",
                &json!({"alg": "HS256", "jwk": jwk}).to_string(),
                &claims,
            ),
        ),
        (
            "a URL of keys",
            signed_by(
                hmac::HMAC_SHA256,
                b"mine",
                r#"{"alg":"HS256","jku":"https://attacker.example/keys"}"#,
                &claims,
            ),
        ),
        (
            "a certificate's URL",
            signed_by(
                hmac::HMAC_SHA256,
                b"mine",
                r#"{"alg":"HS256","x5u":"https://attacker.example/x5u"}"#,
                &claims,
            ),
        ),
        ("something critical", headed(json!({"alg": "HS256", "crit": ["exp"], "exp": 1}))),
        (
            "a body that is not encoded",
            headed(json!({"alg": "HS256", "crit": ["b64"], "b64": false})),
        ),
        // The signature.
        ("no signature", format!("{unsigned}.")),
        ("no signature and no dot", unsigned.clone()),
        ("another secret", signed_by(hmac::HMAC_SHA256, b"other", HS256, &claims)),
        ("the empty secret", signed_by(hmac::HMAC_SHA256, b"", HS256, &claims)),
        ("half a signature", format!("{unsigned}.{}", &signature[..21])),
        (
            "a byte too many",
            format!(
                "{unsigned}.{}",
                BASE64.encode([BASE64.decode(signature).unwrap(), vec![0]].concat())
            ),
        ),
        ("stray bits", with_stray_bits(&good)),
        ("padding", format!("{good}=")),
        ("the other alphabet, padded", format!("{unsigned}.{}", padded(signature))),
        (
            "the signature of another's token",
            format!("{head}.{}.{signature}", BASE64.encode(claims.replace("u1", "u2"))),
        ),
        ("the signature twice", format!("{good}.{signature}")),
        // White space and what is no text.
        ("a space before", format!(" {good}")),
        ("a line end behind", format!("{good}\n")),
        ("a space inside", good.replacen('.', ". ", 1)),
        ("a NUL behind", format!("{good}\0")),
        ("faces", "\u{1F600}.\u{1F600}.\u{1F600}".to_owned()),
        ("claims that are not UTF-8", {
            let body =
                format!("{head}.{}", BASE64.encode(b"{\"sub\":\"u\xff\",\"exp\":9999999999}"));
            let signature =
                hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), body.as_bytes());
            format!("{body}.{}", BASE64.encode(signature))
        }),
        // The time.
        ("expired", claimed(json!({"sub": "u1", "exp": NOW_S - 1}))),
        ("expired in this second", claimed(json!({"sub": "u1", "exp": NOW_S}))),
        ("exp missing", claimed(json!({"sub": "u1"}))),
        ("exp null", claimed(json!({"sub": "u1", "exp": null}))),
        ("exp as text", claimed(json!({"sub": "u1", "exp": (NOW_S + 60).to_string()}))),
        ("exp true", claimed(json!({"sub": "u1", "exp": true}))),
        ("exp negative", claimed(json!({"sub": "u1", "exp": -1}))),
        ("exp beyond all seconds", raw(r#"{"sub":"u1","exp":1e300}"#)),
        ("exp beyond all numbers", raw(r#"{"sub":"u1","exp":1e999}"#)),
        ("exp twice", raw(&format!(r#"{{"sub":"u1","exp":1,"exp":{}}}"#, NOW_S + 60))),
        ("not yet", claimed(json!({"sub": "u1", "exp": NOW_S + 60, "nbf": NOW_S + 1}))),
        ("nbf as text", claimed(json!({"sub": "u1", "exp": NOW_S + 60, "nbf": "0"}))),
        (
            "nbf beyond all numbers",
            raw(&format!(r#"{{"sub":"u1","exp":{},"nbf":1e999}}"#, NOW_S + 60)),
        ),
        ("iat for exp", claimed(json!({"sub": "u1", "iat": NOW_S}))),
        // Whom it names.
        ("sub missing", claimed(json!({"exp": NOW_S + 60}))),
        ("sub null", claimed(json!({"sub": null, "exp": NOW_S + 60}))),
        ("sub empty", claimed(json!({"sub": "", "exp": NOW_S + 60}))),
        ("sub a number", claimed(json!({"sub": 7, "exp": NOW_S + 60}))),
        ("sub a list", claimed(json!({"sub": ["u1"], "exp": NOW_S + 60}))),
        ("sub an object", claimed(json!({"sub": {"$ne": null}, "exp": NOW_S + 60}))),
        ("sub with a NUL", claimed(json!({"sub": "u1\0", "exp": NOW_S + 60}))),
        ("sub too long", claimed(json!({"sub": "u".repeat(192), "exp": NOW_S + 60}))),
        ("sub twice", raw(&format!(r#"{{"sub":"u1","sub":"u2","exp":{}}}"#, NOW_S + 60))),
        ("half-way", claimed(json!({"sub": "u1", "exp": NOW_S + 60, "twoFactor": true}))),
        (
            "half-way, as text",
            claimed(json!({"sub": "u1", "exp": NOW_S + 60, "twoFactor": "false"})),
        ),
        (
            "half-way, twice",
            raw(&format!(
                r#"{{"sub":"u1","exp":{},"twoFactor":true,"twoFactor":false}}"#,
                NOW_S + 60
            )),
        ),
        // Its form.
        ("nothing", String::new()),
        ("dots", "..".to_owned()),
        ("many dots", ".".repeat(10_000)),
        ("no base64", "a.b.c".to_owned()),
        ("claims that are a list", raw(r#"["u1"]"#)),
        ("claims that are null", raw("null")),
        ("claims that are a token", raw(&format!("\"{good}\""))),
        ("claims cut off", raw(&claims[..claims.len() - 1])),
        ("a header that is a list", signed(r#"["HS256"]"#, &claims)),
        ("a header that is a text", signed("\"HS256\"", &claims)),
        ("no header", format!(".{body}.{signature}")),
        ("no claims", format!("{head}..{signature}")),
        (
            "encrypted",
            format!("{}.e30.e30.e30.e30", BASE64.encode(r#"{"alg":"dir","enc":"A128CBC-HS256"}"#)),
        ),
        (
            "as JSON",
            json!({"protected": head, "payload": body, "signature": signature}).to_string(),
        ),
        ("deep claims", raw(&format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)))),
        (
            "a megabyte of another's claims",
            token(
                &json!({"alg": "HS256"}),
                &json!({"sub": "u1", "exp": NOW_S + 60, "pad": "x".repeat(1 << 20)}),
                "other",
            ),
        ),
    ]
}

#[test]
fn no_attack_gets_through() {
    // What they are made of does.
    assert_eq!(subject(&signed(HS256, &good_claims().to_string())).as_deref(), Some("u1"));
    let attacks = attacks();
    assert!(attacks.len() >= 46, "{}", attacks.len());
    let let_in: Vec<&str> = attacks
        .iter()
        .filter(|(_, token)| subject(token).is_some())
        .map(|(name, _)| *name)
        .collect();
    assert!(let_in.is_empty(), "{let_in:?}");
}

/// What looks odd and is the platform's right: a server that refuses it would log people out.
#[test]
fn an_odd_token_that_is_signed_rightly_counts() {
    let claims = good_claims().to_string();
    for (name, token) in [
        ("a kid", signed(r#"{"alg":"HS256","kid":"../../etc/passwd"}"#, &claims)),
        ("no typ", signed(r#"{"alg":"HS256"}"#, &claims)),
        ("white space in JSON", signed(" { \"alg\" : \"HS256\" } ", &format!(" {claims} "))),
        (
            "issued tomorrow",
            signed(
                HS256,
                &json!({"sub": "u1", "exp": NOW_S + 60, "iat": NOW_S + 86_400}).to_string(),
            ),
        ),
        ("for ever", signed(HS256, &json!({"sub": "u1", "exp": 9_999_999_999_i64}).to_string())),
        (
            "a megabyte",
            signed(
                HS256,
                &json!({"sub": "u1", "exp": NOW_S + 60, "pad": "x".repeat(1 << 20)}).to_string(),
            ),
        ),
    ] {
        assert_eq!(subject(&token).as_deref(), Some("u1"), "{name}");
    }
}
