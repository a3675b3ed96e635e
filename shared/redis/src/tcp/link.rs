//! Keeps one open connection.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ErrorKind as RedisErrorKind};
use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use super::address::Address;
use super::convert;
use crate::Options;
use crate::condition::kind_of;
use crate::endpoint::Names;
use crate::error::{Error, ErrorKind};
use crate::failure::Failure;

/// How connections are encrypted, where they are, and what the settings for that are called.
#[derive(Debug)]
pub(super) struct Tls {
    config: Arc<ClientConfig>,
    pub(super) names: Names,
}

impl Tls {
    /// Trusts whom `options` say.
    pub(super) fn new(options: &Options) -> Result<Self, Error> {
        Ok(Self { config: options.trust()?, names: options.names })
    }
}

/// A connection and the task that drives it; dropping the last handle closes it.
#[derive(Debug)]
pub(super) struct Link {
    connection: MultiplexedConnection,
    driver: JoinHandle<()>,
    /// How often the server had turned out not to be the one to ask, before this was opened.
    pub(super) moves: u64,
    /// By the wall clock, which goes on while a function is frozen.
    last_used: Mutex<SystemTime>,
    /// Whether an answer came over it.
    has_answered: AtomicBool,
}

impl Link {
    /// Connects, encrypts and authenticates, as the address asks, and gives the connection its name.
    pub(super) async fn open(
        address: &Address,
        tls: &Tls,
        name: Option<&str>,
        moves: u64,
    ) -> Result<Self, Failure> {
        let unreachable = |what: &str, error: &std::io::Error| {
            Failure::unreachable(format!("cannot {what} {}: {error}", address.host()))
        };
        let stream =
            TcpStream::connect((address.host(), address.port())).await.map_err(|error| {
                Failure::absent(&address.place(), &format!(": {error}"), tls.names.redis_url)
            })?;
        stream.set_nodelay(true).map_err(|error| unreachable("set up the socket to", &error))?;
        let link = match address.server_name() {
            None => Self::over(address, stream, moves).await?,
            Some(name) => {
                let connector = TlsConnector::from(tls.config.clone());
                let stream = connector.connect(name, stream).await.map_err(|error| {
                    let (host, names) = (address.host(), &tls.names);
                    match crate::tls::distrust(&error) {
                        Some(distrust) => {
                            Failure::untrusted(host, &distrust, names.redis_url, names)
                        }
                        None => unreachable("open TLS to", &error),
                    }
                })?;
                Self::over(address, stream, moves).await?
            }
        };
        if let Some(name) = name {
            link.introduce(name, address.host()).await?;
        }
        Ok(link)
    }

    /// Asks for `name` in the server's list of its clients. A server may refuse that, or its name.
    async fn introduce(&self, name: &str, host: &str) -> Result<(), Failure> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("CLIENT").arg("SETNAME").arg(name);
        let replies = self.connection().send_packed_commands(&pipeline, 0, 1).await;
        // Refusals are replies.
        replies.map(drop).map_err(|error| {
            let reason = convert::io_reason(&error);
            Failure::unreachable(format!("cannot introduce oneself to {host}: {reason}"))
        })
    }

    async fn over<S>(address: &Address, stream: S, moves: u64) -> Result<Self, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        // The time limits are ours, one layer up.
        let config =
            AsyncConnectionConfig::new().set_response_timeout(None).set_connection_timeout(None);
        let opened =
            MultiplexedConnection::new_with_config(address.settings(), stream, config).await;
        let (connection, driver) = opened.map_err(|error| refused(address, &error))?;
        let last_used = Mutex::new(wall());
        let driver = tokio::spawn(driver);
        Ok(Self { connection, driver, moves, last_used, has_answered: AtomicBool::default() })
    }

    /// A handle to send with.
    pub(super) fn connection(&self) -> MultiplexedConnection {
        self.connection.clone()
    }

    /// Whether it is open and was used within `idle`.
    pub(super) fn is_usable(&self, idle: Duration) -> bool {
        let last_used = *self.last_used.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back tells nothing about the age: such a link is replaced, too.
        let fresh = last_used.elapsed().is_ok_and(|age| age <= idle);
        fresh && !self.driver.is_finished()
    }

    /// What to say of its end.
    pub(super) fn hint(&self, address: &Address) -> &'static str {
        if self.has_answered.load(Ordering::Relaxed) { "" } else { tls_hint(address) }
    }

    /// Notes that an answer came.
    pub(super) fn used(&self) {
        self.has_answered.store(true, Ordering::Relaxed);
        *self.last_used.lock().unwrap_or_else(PoisonError::into_inner) = wall();
    }
}

/// What may be behind a plain connection that ended before anything was answered.
fn tls_hint(address: &Address) -> &'static str {
    match address.server_name() {
        None => " (does it want TLS, and so rediss://?)",
        Some(_) => "",
    }
}

/// The clock that goes on while an environment is frozen.
#[allow(clippy::disallowed_methods, reason = "a frozen environment is to be noticed")]
fn wall() -> SystemTime {
    SystemTime::now()
}

impl Drop for Link {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Why AUTH or SELECT failed. No command was sent yet.
fn refused(address: &Address, error: &redis::RedisError) -> Failure {
    let host = address.host();
    if error.kind() == RedisErrorKind::AuthenticationFailed {
        let reason = format!("{host} refused the user or password in the Redis URL");
        return Failure::Unsent { kind: ErrorKind::Authorization, reason };
    }
    if error.is_io_error() || error.kind() == RedisErrorKind::Parse {
        let reason = convert::io_reason(error);
        let hint = tls_hint(address);
        return Failure::unreachable(format!("cannot connect to {host}: {reason}{hint}"));
    }
    let said = error.detail().unwrap_or("no reason given");
    let kind = match kind_of(said) {
        ErrorKind::Server(_) => ErrorKind::Configuration,
        kind => kind,
    };
    let reason = format!("{host} refused the database number in the Redis URL: {said}");
    Failure::Unsent { kind, reason }
}
