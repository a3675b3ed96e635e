//! Events of scores that fall: from how many points on, and where to.

use super::Env;
use super::variables as v;
use crate::http::Secrets;
use crate::redis::Secret;

/// Events of scores that fall.
#[derive(Clone, Debug, Default)]
pub struct DropsConfig {
    /// `DROP_EVENTS_POINTS`: from how many points on a fall is told; `None`: never.
    pub points: Option<u8>,
    /// `DROP_EVENTS_URL`: the receiver of a webhook.
    pub url: Option<Secret>,
    /// `DROP_EVENTS_SECRET`: what requests to it are signed with.
    pub secrets: Option<Secrets>,
    /// `DROP_EVENTS_BUS`: a bus of EventBridge.
    pub bus: Option<String>,
    /// What AWS says of itself, where there is a bus.
    pub aws: AwsConfig,
}

/// The variables that Lambda sets for every function, and that AWS's own programs read.
#[derive(Clone, Debug, Default)]
pub struct AwsConfig {
    /// `AWS_REGION`.
    pub region: Option<String>,
    /// `AWS_ACCESS_KEY_ID`.
    pub access_key: Option<String>,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret_key: Option<Secret>,
    /// `AWS_SESSION_TOKEN`.
    pub session_token: Option<Secret>,
    /// `AWS_ENDPOINT_URL_EVENTBRIDGE`: where EventBridge is, if not at its own address.
    pub endpoint: Option<String>,
}

impl AwsConfig {
    pub(super) fn of(env: &dyn Env) -> Self {
        let get = |name: &str| env.get(name).filter(|value| !value.is_empty());
        Self {
            region: get("AWS_REGION"),
            access_key: get("AWS_ACCESS_KEY_ID"),
            secret_key: get("AWS_SECRET_ACCESS_KEY").map(Secret::new),
            session_token: get("AWS_SESSION_TOKEN").map(Secret::new),
            endpoint: get("AWS_ENDPOINT_URL_EVENTBRIDGE"),
        }
    }
}

impl DropsConfig {
    /// What contradicts itself in it, as a sentence.
    pub(super) fn contradiction(&self) -> Option<String> {
        (self.url.is_some() && self.bus.is_some()).then(|| {
            let (url, bus) = (v::DROP_URL.name, v::DROP_BUS.name);
            format!("{url} and {bus} are both set: leave one of them out.")
        })
    }
}
