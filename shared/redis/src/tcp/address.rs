//! Checks the URL of a Redis server before the first connection.

use percent_encoding::percent_decode_str;
use redis::{ProtocolVersion, RedisConnectionInfo};
use reqwest::Url;
use rustls::pki_types::ServerName;

use super::url::redis_url;
use crate::endpoint::Names;
use crate::error::Error;
use crate::secret::Secret;

/// The port of a URL that names none.
const DEFAULT_PORT: u16 = 6379;

/// A server and how to introduce oneself. `Debug` shows no password.
#[derive(Debug)]
pub(super) struct Address {
    host: String,
    port: u16,
    /// Set for `rediss://`.
    server_name: Option<ServerName<'static>>,
    settings: RedisConnectionInfo,
}

impl Address {
    /// Parses `redis[s]://[[user]:password@]host[:port][/database]`, checked as the settings are.
    pub(super) fn parse(url: &Secret, allow_plaintext: bool, names: &Names) -> Result<Self, Error> {
        let fail = |wrong: String| Error::configuration(format!("{} {wrong}", names.redis_url));
        let url = redis_url(url.expose(), allow_plaintext, names).map_err(Error::configuration)?;
        let host = url.host_str().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let server_name = if url.scheme() == "rediss" {
            match ServerName::try_from(host.clone()) {
                Ok(name) => Some(name),
                Err(_) => {
                    return Err(fail(
                        "has a host that is neither a name nor an address".to_owned(),
                    ));
                }
            }
        } else {
            None
        };
        let port = url.port().unwrap_or(DEFAULT_PORT);
        Ok(Self { host, port, server_name, settings: settings(&url).map_err(fail)? })
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Host and port, for people.
    pub(super) fn place(&self) -> String {
        let Self { host, port, .. } = self;
        // The colons of an address end where its brackets do.
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// The name that the certificate must have; `None` without TLS.
    pub(super) fn server_name(&self) -> Option<ServerName<'static>> {
        self.server_name.clone()
    }

    pub(super) fn settings(&self) -> &RedisConnectionInfo {
        &self.settings
    }
}

/// User, password and database of a URL.
fn settings(url: &Url) -> Result<RedisConnectionInfo, String> {
    let mut settings = RedisConnectionInfo::default()
        .set_protocol(ProtocolVersion::RESP2)
        // Two commands a connection that nobody asked for.
        .set_skip_set_lib_name();
    if let Some(password) = url.password() {
        settings = settings.set_password(percent_decode(password, "password")?);
        if !url.username().is_empty() {
            settings = settings.set_username(percent_decode(url.username(), "user")?);
        }
    } else if !url.username().is_empty() {
        return Err(
            "has a user without a password; it looks like rediss://user:password@host".to_owned()
        );
    }
    match url.path().trim_matches('/') {
        "" => {}
        database => match database.parse::<u32>() {
            Ok(database) => settings = settings.set_db(database.into()),
            Err(_) => {
                return Err(
                    "has a database that is not a number: after the host comes /0".to_owned()
                );
            }
        },
    }
    Ok(settings)
}

fn percent_decode(text: &str, part: &str) -> Result<String, String> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(Into::into).map_err(|_| format!("has a {part} that is not valid UTF-8"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::ErrorKind;

    fn parse(url: &str) -> Result<Address, String> {
        Address::parse(&Secret::new(url), false, &Names::default()).map_err(|error| {
            assert_eq!(error.kind, ErrorKind::Configuration);
            error.to_string()
        })
    }

    #[test]
    fn each_mistake_has_its_sentence() {
        for (url, sentence) in [
            ("", "is empty"),
            ("rediss://:canary@h:1\n", "white space"),
            ("127.0.0.1:6379", "is not a URL"),
            ("https://eu1-x-1.upstash.io", "put it into the REST URL"),
            ("valkey://h", "must start with redis://"),
            ("redis:///0", "has no host"),
            ("rediss://:can#ary@h:1", "has a raw `#` in its password: write it as %23"),
            ("rediss://:can/ary@h:1/0", "has a raw `/` in its password: write it as %2F"),
            ("rediss://:can@ary@h:1", "has a raw `@` in its password: write it as %40"),
            ("rediss://:canary%@h:1", "has a raw `%` in its password: write it as %25"),
            ("rediss://:canary@h:1?protocol=resp3", "has options"),
            ("rediss://:canary@h:1#insecure", "has options"),
            ("redis://:canary@10.0.0.1:6379", "redis:// to another machine"),
            ("rediss://canary@h:1", "has a user without a password"),
            ("rediss://:canary%ff@h:1", "not valid UTF-8"),
            ("rediss://:canary@h:1/one", "a database that is not a number"),
        ] {
            let error = parse(url).unwrap_err();
            assert!(error.contains(sentence), "{error:?} has no {sentence:?}");
            assert!(!error.contains("canary"), "{error}");
        }
    }

    #[test]
    fn every_part_is_read() {
        let address = parse("rediss://app:p%40ss%25w%C3%A9@redis.example:7000/3").unwrap();
        assert_eq!((address.host(), address.port()), ("redis.example", 7000));
        assert!(address.server_name().is_some());
        let settings = address.settings();
        assert_eq!(settings.username(), Some("app"));
        assert_eq!(settings.password(), Some("p@ss%wé"));
        assert_eq!(settings.db(), 3);
        assert!(!format!("{address:?}").contains("p@ss"));

        let address = parse("redis://localhost").unwrap();
        assert_eq!((address.host(), address.port()), ("localhost", DEFAULT_PORT));
        assert_eq!(address.place(), "localhost:6379");
        assert!(address.server_name().is_none());
        assert!(address.settings().skip_set_lib_name());
        let address = parse("redis://:pw@[::1]:6380/").unwrap();
        assert_eq!((address.host(), address.port()), ("::1", 6380));
        assert_eq!(address.place(), "[::1]:6380");
        assert_eq!(address.settings().username(), None);
        assert!(Address::parse(&Secret::new("redis://10.0.0.1"), true, &Names::default()).is_ok());
    }
}
