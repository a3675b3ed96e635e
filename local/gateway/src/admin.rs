//! `/_gateway/faults`: the faults of a running gateway, for whoever is on the same machine and has
//! the token.
//!
//! GET shows them, PUT `{"faults": "429=0.1", "seed": 7}` replaces them and counts requests from
//! zero again; without a seed the old one stays.

use std::net::IpAddr;

use hyper::{Method, StatusCode};
use serde::{Deserialize, Serialize};

use super::{
    auth::Access,
    faults::{Faults, Injector},
    refusal::Refusal,
};

/// The path, without its leading slash.
pub(super) const PATH: &str = "_gateway/faults";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    faults: String,
    seed: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Shown {
    faults: String,
    seed: u64,
    requests: u64,
}

/// Answers with the settings as JSON, after changing them if that was asked.
///
/// # Errors
/// When the caller is elsewhere or has only the read-only token; when the settings make no sense.
pub(super) fn answer(
    injector: &Injector,
    method: &Method,
    body: &[u8],
    access: Access,
    caller: IpAddr,
) -> Result<Vec<u8>, Refusal> {
    if !caller.to_canonical().is_loopback() {
        return Err(Refusal {
            status: StatusCode::FORBIDDEN,
            message: "ERR faults are set from the machine that the gateway runs on".into(),
        });
    }
    if access == Access::ReadOnly {
        return Err(Refusal::no_permission(PATH));
    }
    if method != Method::GET {
        let wanted: Wanted = serde_json::from_slice(body).map_err(|_| {
            Refusal::bad_request("ERR send {\"faults\": \"429=0.1,truncate=0.01\", \"seed\": 7}")
        })?;
        let faults: Faults =
            wanted.faults.parse().map_err(|error| Refusal::bad_request(format!("ERR {error}")))?;
        injector.set(faults, wanted.seed.unwrap_or(injector.settings().seed));
    }
    let settings = injector.settings();
    let shown = Shown {
        faults: settings.faults.to_string(),
        seed: settings.seed,
        requests: settings.requests,
    };
    serde_json::to_vec(&shown).map_err(|error| Refusal::bad_request(format!("ERR {error}")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    fn status(access: Access, caller: IpAddr) -> Option<StatusCode> {
        let injector = Injector::new(Faults::default(), 7);
        let answer = answer(&injector, &Method::GET, b"", access, caller);
        answer.err().map(|refusal| refusal.status)
    }

    #[test]
    fn answers_only_its_own_machine_and_the_full_token() {
        let here = IpAddr::from(Ipv4Addr::LOCALHOST);
        assert_eq!(status(Access::Full, here), None);
        assert_eq!(status(Access::Full, Ipv6Addr::LOCALHOST.into()), None);
        assert_eq!(status(Access::Full, Ipv4Addr::LOCALHOST.to_ipv6_mapped().into()), None);
        assert_eq!(status(Access::ReadOnly, here), Some(StatusCode::BAD_REQUEST));
        for elsewhere in ["10.0.0.1", "::ffff:10.0.0.1", "2001:db8::1"] {
            let elsewhere = elsewhere.parse().unwrap();
            assert_eq!(status(Access::Full, elsewhere), Some(StatusCode::FORBIDDEN));
        }
    }

    #[test]
    fn keeps_the_seed_unless_told_otherwise() {
        let injector = Injector::new(Faults::default(), 7);
        let here = IpAddr::from(Ipv4Addr::LOCALHOST);
        injector.next();
        let put = |body: &str| {
            let body = body.as_bytes();
            answer(&injector, &Method::PUT, body, Access::Full, here)
                .map(|json| String::from_utf8(json).unwrap())
        };
        let shown = put(r#"{"faults": "429=0.5"}"#).unwrap();
        assert_eq!(shown, r#"{"faults":"429=0.5","seed":7,"requests":0}"#);
        let shown = put(r#"{"faults": "", "seed": 8}"#).unwrap();
        assert_eq!(shown, r#"{"faults":"","seed":8,"requests":0}"#);
        for body in ["", "{}", r#"{"faults": "x=1"}"#, r#"{"faults": "", "speed": 8}"#] {
            assert!(put(body).is_err(), "{body}");
        }
    }
}
