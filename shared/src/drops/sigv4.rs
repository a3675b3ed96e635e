//! Signs a request as AWS wants it: Signature Version 4, for a POST to `/` without a query.

use ring::{digest, hmac};

use crate::clock::to_iso8601;
use crate::redis::{Secret, hex};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Whose request it is.
#[derive(Clone, Debug)]
pub(super) struct Credentials {
    pub(super) access_key: String,
    pub(super) secret_key: Secret,
    pub(super) session_token: Option<Secret>,
}

/// A request to be signed.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) host: &'a str,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
    /// Further headers that are signed: names in lower case, values without white space around them.
    pub(super) headers: &'a [(&'static str, &'a str)],
    pub(super) body: &'a [u8],
}

impl Request<'_> {
    /// The headers that sign it at `now_ms`, milliseconds since the Unix epoch: they count for five minutes.
    pub(super) fn sign(
        &self,
        credentials: &Credentials,
        now_ms: i64,
    ) -> Vec<(&'static str, String)> {
        let time = basic(now_ms);
        let day = time.get(..8).unwrap_or_default();
        let token = credentials.session_token.as_ref().map(Secret::expose);
        let mut headers = vec![("host", self.host), ("x-amz-date", time.as_str())];
        headers.extend(token.map(|token| ("x-amz-security-token", token)));
        headers.extend(self.headers);
        headers.sort_unstable();
        let names: Vec<&str> = headers.iter().map(|header| header.0).collect();
        let names = names.join(";");
        let lines: String =
            headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let request = format!("POST\n/\n\n{lines}\n{names}\n{}", sha256(self.body));
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let to_sign = format!("{ALGORITHM}\n{time}\n{scope}\n{}", sha256(request.as_bytes()));
        let mut key = mac(format!("AWS4{}", credentials.secret_key.expose()).as_bytes(), day);
        for part in [self.region, self.service, "aws4_request"] {
            key = mac(key.as_ref(), part);
        }
        let signature = hex(mac(key.as_ref(), &to_sign).as_ref());
        let authorization = format!(
            "{ALGORITHM} Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
            credentials.access_key
        );
        let token = token.map(|token| ("x-amz-security-token", token.to_owned()));
        [("authorization", authorization), ("x-amz-date", time)].into_iter().chain(token).collect()
    }
}

/// `20150830T123600Z`.
fn basic(now_ms: i64) -> String {
    let seconds = to_iso8601(now_ms.div_euclid(1000) * 1000);
    seconds.replace(['-', ':'], "").replace(".000", "")
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn mac(key: &[u8], text: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2015-08-30T12:36:00.999Z: of the time only the seconds count.
    const AT: i64 = 1_440_938_160_999;

    fn signature(request: &Request<'_>, token: Option<&str>) -> (String, String) {
        let credentials = Credentials {
            access_key: "AKIDEXAMPLE".to_owned(),
            secret_key: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session_token: token.map(Secret::new),
        };
        let headers = request.sign(&credentials, AT);
        assert_eq!(headers[1], ("x-amz-date", "20150830T123600Z".to_owned()));
        assert_eq!(headers.get(2).map(|it| it.1.as_str()), token);
        let mut parts = headers[0].1.splitn(2, ", Signature=").map(str::to_owned);
        (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
    }

    /// Those POST requests of AWS's own test suite that go to `/` without a query.
    #[test]
    fn signs_what_aws_s_test_suite_signs() {
        let plain = Request {
            host: "example.amazonaws.com",
            region: "us-east-1",
            service: "service",
            headers: &[],
            body: b"",
        };
        let (head, vanilla) = signature(&plain, None);
        assert_eq!(
            head,
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=host;x-amz-date"
        );
        assert_eq!(vanilla, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let form = Request { headers: &form, body: b"Param1=value1", ..plain };
        assert_eq!(
            signature(&form, None).1,
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"
        );
    }

    /// What AWS's own library for Python (botocore) makes of the same request.
    #[test]
    fn signs_a_request_to_eventbridge_as_botocore_does() {
        let signed = [
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", "AWSEvents.PutEvents"),
        ];
        let request = Request {
            host: "events.eu-central-1.amazonaws.com",
            region: "eu-central-1",
            service: "events",
            headers: &signed,
            body: br#"{"Entries":[]}"#,
        };
        let (head, signature) = signature(&request, Some("a session"));
        assert!(head.ends_with("=content-type;host;x-amz-date;x-amz-security-token;x-amz-target"));
        assert_eq!(signature, "803ef8d6179c48900f3609b2e9df2660d3f8b145cff3d2a8e616bd572b7f98f8");
    }
}
