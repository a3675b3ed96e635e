//! Where Redis is: `redis://[[user]:password@]host[:port][/database]`, or `rediss://` for TLS.

use shared::config::Secret;

/// The parts of a Redis URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// A name or an address; an IPv6 address without its brackets.
    pub(super) host: String,
    /// 6379 unless the URL says otherwise.
    pub(super) port: u16,
    /// Whether to speak TLS.
    pub(super) tls: bool,
    /// For AUTH; `None` is the default user.
    pub(super) user: Option<String>,
    /// For AUTH; without it none is sent.
    pub(super) password: Option<Secret>,
    /// For SELECT; 0 needs none.
    pub(super) database: u32,
}

/// A Redis URL that cannot be used; the URL itself, which may hold a password, is not shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the Redis URL {0}; it should look like redis://:password@host:6379/0")]
pub struct TargetError(&'static str);

impl Target {
    /// Takes a URL apart.
    ///
    /// # Errors
    /// A sentence that says which part is wrong.
    pub(super) fn parse(url: &str) -> Result<Self, TargetError> {
        let (scheme, rest) = url.trim().split_once("://").ok_or(TargetError("has no scheme"))?;
        let tls = match scheme {
            "redis" => false,
            "rediss" => true,
            _ => return Err(TargetError("must begin with redis:// or rediss://")),
        };
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, place) = match authority.rsplit_once('@') {
            Some((login, place)) => (Some(login), place),
            None => (None, authority),
        };
        let (host, port) = split_port(place)?;
        let (user, password) = match login.map(|login| login.split_once(':').unwrap_or((login, "")))
        {
            None => (None, None),
            Some((user, password)) => (Some(decode(user)?), Some(decode(password)?)),
        };
        Ok(Self {
            host: host.to_owned(),
            port,
            tls,
            user: user.filter(|user| !user.is_empty()),
            password: password.filter(|password| !password.is_empty()).map(Secret::new),
            database: match database {
                "" => 0,
                number => {
                    number.parse().map_err(|_| TargetError("has a database that is no number"))?
                }
            },
        })
    }
}

fn split_port(place: &str) -> Result<(&str, u16), TargetError> {
    let (host, port) = match place.strip_prefix('[').and_then(|place| place.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':')),
        None => match place.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        },
    };
    if host.is_empty() {
        return Err(TargetError("has no host"));
    }
    match port {
        None => Ok((host, 6379)),
        Some(port) => {
            Ok((host, port.parse().map_err(|_| TargetError("has a port that is no port"))?))
        }
    }
}

fn decode(text: &str) -> Result<String, TargetError> {
    super::path_form::decode(text, false)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or(TargetError("has a user or password with a broken escape"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_url_apart() {
        let target = Target::parse("rediss://me:p%40ss@[::1]:7000/3").unwrap();
        assert_eq!(
            (target.host.as_str(), target.port, target.tls, target.database),
            ("::1", 7000, true, 3)
        );
        assert_eq!(target.user.as_deref(), Some("me"));
        assert_eq!(target.password.unwrap().expose(), "p@ss");
        let target = Target::parse("redis://:secret@localhost").unwrap();
        assert_eq!((target.port, target.user), (6379, None));
        assert_eq!(target.password.unwrap().expose(), "secret");
        let target = Target::parse("redis://127.0.0.1:1").unwrap();
        assert_eq!((target.port, target.password, target.database), (1, None, 0));
    }

    #[test]
    fn says_what_is_wrong_without_the_url() {
        for url in [
            "canary",
            "http://canary",
            "redis://:canary@",
            "redis://canary:x",
            "redis://canary/x",
            "redis://:%zzcanary@h",
        ] {
            let error = Target::parse(url).unwrap_err().to_string();
            assert!(!error.contains("canary"), "{error}");
        }
    }
}
