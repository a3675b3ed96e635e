//! Signs in the scheme of Standard Webhooks: HMAC-SHA256 over an id, a timestamp and the body.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

/// What the id of each request to a receiver begins with.
pub const REQUEST_ID: &str = "batch_";

/// What the id of each callback begins with. A request to a receiver is therefore never taken for a callback,
/// although both are signed with the same secret.
pub const CALLBACK_ID: &str = "settle_";

/// How far a timestamp may be from now, in seconds: what is older may be a replay.
const TOLERANCE_S: i64 = 300;

/// What a secret begins with.
const PREFIX: &str = "whsec_";

/// Secrets at most: the one in use, and one that takes its place.
const MOST: usize = 2;

/// Bytes of a secret, as the scheme has it.
const LENGTH: std::ops::RangeInclusive<usize> = 24..=64;

/// The secrets of a queue's receivers. Never shown.
///
/// ```
/// use batchmq_http::{CALLBACK_ID, REQUEST_ID, Rejected, Secrets, SecretsError, Signature};
///
/// # fn main() -> Result<(), SecretsError> {
/// let secrets = Secrets::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?;
/// let (id, now_s) = (format!("{CALLBACK_ID}1"), 1_614_265_330);
/// let signatures = secrets.sign(&id, now_s, b"{}");
/// let timestamp = now_s.to_string();
/// let signature = Signature { id: &id, timestamp: &timestamp, signatures: &signatures };
/// assert_eq!(secrets.verify(signature, b"{}", now_s * 1_000), Ok(()));
/// assert_eq!(secrets.verify(signature, b"[]", now_s * 1_000), Err(Rejected::Signature));
/// // Not a request of ours that somebody sends back.
/// assert!(!id.starts_with(REQUEST_ID));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Secrets(Vec<hmac::Key>);

/// Secrets that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "takes one secret, or two while one takes the other's place, separated by white space or a comma; \
     each is `whsec_` and 24 to 64 random bytes in base64, as `echo whsec_$(openssl rand -base64 32)` prints one"
)]
#[non_exhaustive]
pub struct SecretsError;

/// The headers that sign a request, by their names in lower case.
#[derive(Clone, Copy, Debug)]
pub struct Signature<'a> {
    /// `webhook-id`.
    pub id: &'a str,
    /// `webhook-timestamp`: seconds since the epoch.
    pub timestamp: &'a str,
    /// `webhook-signature`: one or more of `v1,<base64>`, separated by spaces.
    pub signatures: &'a str,
}

/// Why a signature does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejected {
    /// The timestamp is no number, or not of the last or next five minutes.
    #[error("its timestamp is not within five minutes of now")]
    Time,
    /// None of the signatures is one of ours.
    #[error("it is not signed with a secret that is known here")]
    Signature,
}

impl Secrets {
    /// Reads one secret or two.
    ///
    /// # Errors
    /// [`SecretsError`] says what is expected, without the text.
    pub fn parse(text: &str) -> Result<Self, SecretsError> {
        let words = text.split(|c: char| c.is_whitespace() || c == ',').filter(|w| !w.is_empty());
        let keys: Vec<hmac::Key> = words.map(key).collect::<Result<_, _>>()?;
        if (1..=MOST).contains(&keys.len()) { Ok(Self(keys)) } else { Err(SecretsError) }
    }

    /// Returns the value of `webhook-signature` for a body: a signature with each secret.
    pub fn sign(&self, id: &str, timestamp_s: i64, body: &[u8]) -> String {
        let timestamp = timestamp_s.to_string();
        let signed = self.0.iter().map(|key| {
            let mut context = hmac::Context::with_key(key);
            update(&mut context, id, &timestamp, body);
            format!("v1,{}", STANDARD.encode(context.sign()))
        });
        signed.collect::<Vec<_>>().join(" ")
    }

    /// Checks that a body is signed with one of the secrets, within five minutes of `now_ms`. Whether its
    /// id came before is for the caller to know.
    ///
    /// # Errors
    /// Why the signature does not count.
    pub fn verify(
        &self,
        signature: Signature<'_>,
        body: &[u8],
        now_ms: i64,
    ) -> Result<(), Rejected> {
        let at: i64 = signature.timestamp.parse().map_err(|_| Rejected::Time)?;
        if now_ms.div_euclid(1000).abs_diff(at) > TOLERANCE_S.unsigned_abs() {
            return Err(Rejected::Time);
        }
        let mut message =
            Vec::with_capacity(signature.id.len() + signature.timestamp.len() + 2 + body.len());
        for part in [signature.id.as_bytes(), b".", signature.timestamp.as_bytes(), b".", body] {
            message.extend_from_slice(part);
        }
        let given = signature.signatures.split(' ').filter_map(|one| one.strip_prefix("v1,"));
        // More of them than anybody sends would only cost time.
        let mut given = given.take(2 * MOST).filter_map(|text| STANDARD.decode(text).ok());
        let is_ours =
            given.any(|tag| self.0.iter().any(|key| hmac::verify(key, &message, &tag).is_ok()));
        if is_ours { Ok(()) } else { Err(Rejected::Signature) }
    }
}

fn update(context: &mut hmac::Context, id: &str, timestamp: &str, body: &[u8]) {
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        context.update(part);
    }
}

fn key(word: &str) -> Result<hmac::Key, SecretsError> {
    let encoded = word.strip_prefix(PREFIX).ok_or(SecretsError)?;
    let bytes = STANDARD.decode(encoded).map_err(|_| SecretsError)?;
    if !LENGTH.contains(&bytes.len()) {
        return Err(SecretsError);
    }
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const ONE: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const OTHER: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    const AT: i64 = 1_614_265_330;

    /// The example of the scheme's own documentation.
    #[test]
    fn signs_as_standard_webhooks_are_signed() {
        let signed = Secrets::parse(ONE).unwrap().sign(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            AT,
            b"{\"test\": 2432232314}",
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn what_is_signed_with_either_secret_counts() {
        let (one, other) = (Secrets::parse(ONE).unwrap(), Secrets::parse(OTHER).unwrap());
        let both = Secrets::parse(&format!("{ONE}, {OTHER}\n")).unwrap();
        let timestamp = AT.to_string();
        let check = |by: &Secrets, signatures: &str| {
            let signature = Signature { id: "settle_1", timestamp: &timestamp, signatures };
            by.verify(signature, b"{}", 1000 * AT)
        };
        let sign = |by: &Secrets| by.sign("settle_1", AT, b"{}");
        for by in [&one, &other, &both] {
            assert_eq!(check(&both, &sign(by)), Ok(()));
            assert_eq!(check(by, &sign(&both)), Ok(()));
        }
        assert_eq!(check(&one, &sign(&other)), Err(Rejected::Signature));
        for wrong in ["", "v1,", "v2,AAAA", "v1,%", &sign(&one)[3..]] {
            assert_eq!(check(&one, wrong), Err(Rejected::Signature), "{wrong}");
        }
    }

    #[test]
    fn a_signature_is_about_the_id_the_time_and_the_body() {
        let secrets = Secrets::parse(ONE).unwrap();
        let signatures = &*secrets.sign("settle_1", AT, b"{}");
        let check = |id: &str, timestamp: &str, body: &[u8], now_s: i64| {
            secrets.verify(Signature { id, timestamp, signatures }, body, 1000 * now_s)
        };
        let at = &*AT.to_string();
        assert_eq!(check("settle_1", at, b"{}", AT + 300), Ok(()));
        assert_eq!(check("settle_1", at, b"{}", AT - 300), Ok(()));
        assert_eq!(check("settle_1", at, b"{}", AT + 301), Err(Rejected::Time));
        assert_eq!(check("settle_1", at, b"{}", AT - 301), Err(Rejected::Time));
        assert_eq!(check("settle_1", "soon", b"{}", AT), Err(Rejected::Time));
        assert_eq!(check("settle_2", at, b"{}", AT), Err(Rejected::Signature));
        assert_eq!(check("settle_1", at, b"{ }", AT), Err(Rejected::Signature));
        assert_eq!(check("settle_1", &(AT + 1).to_string(), b"{}", AT), Err(Rejected::Signature));
    }

    #[test]
    fn a_secret_that_is_short_or_of_another_form_is_refused_unshown() {
        let short = format!("whsec_{}", STANDARD.encode([7; 23]));
        let long = format!("whsec_{}", STANDARD.encode([7; 65]));
        let three = [ONE, ONE, ONE].join(" ");
        for wrong in ["", " , ", "sesame", "whsec_", "whsec_%", &ONE[6..], &short, &long, &three] {
            let error = Secrets::parse(wrong).unwrap_err().to_string();
            assert!(error.contains("openssl rand") && !error.contains("sesame"), "{error}");
        }
        assert_eq!(format!("{:?}", Secrets::parse(ONE).unwrap()), "[redacted]");
    }
}
