//! Makes `DATABASE_URL` fit for our client: where the database is and how to connect to it.
//!
//! The platform's ORM (Prisma) and libpq put options into the URL that `tokio-postgres` refuses.
//! What becomes of each is decided in [`Options`]:
//!
//! | option | what we do |
//! |---|---|
//! | `sslmode` | `disable`: plaintext. `allow`, `prefer` and none: plaintext towards this machine, TLS towards any other. `require`, `verify-ca`, `verify-full`: TLS. With TLS the certificate and the host name are always verified |
//! | `sslrootcert` | a PEM file with the authorities to trust instead of those of `DATABASE_CA`; `system` means Mozilla's |
//! | `schema` | the tables are taken from this schema, by qualified names |
//! | `connect_timeout` | seconds, at most 5 (also without it) |
//! | `channel_binding`, `options`, `application_name`, `host`, `port`, `dbname`, `user`, `password`, `hostaddr`, `keepalives*`, `tcp_user_timeout`, `target_session_attrs`, `load_balance_hosts` | as libpq |
//! | `sslnegotiation` | `direct`: TLS begins at once, which saves a new connection a round trip; a server before Postgres 17 closes such a connection |
//! | `pgbouncer`, `connection_limit`, `pool_timeout`, `statement_cache_size`, `sslaccept` and others that have no meaning for us | dropped |
//! | `sslcert`, `sslkey`, `sslidentity`, `sslpassword`, `sslcrl` and other options of TLS | refused: leaving one out would change what is trusted |

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use rustls::ClientConfig;
use tokio::time::timeout;
use tokio_postgres::config::{ChannelBinding, Host, SslMode, SslNegotiation};
use tokio_postgres::{CancelToken, Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::Error;
use super::cancel::cancel;
use crate::config::{Config as Settings, Secret};
use crate::redis::raw_in_password;
use crate::tls;

/// The longest that connecting may take, whatever the URL says.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long sent bytes may stay unacknowledged until the connection counts as dead.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(10);

/// Options that go to `tokio-postgres` as they are.
const PASSED_ON: [&str; 17] = [
    "application_name",
    "channel_binding",
    "dbname",
    "host",
    "hostaddr",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "load_balance_hosts",
    "options",
    "password",
    "port",
    "sslnegotiation",
    "target_session_attrs",
    "tcp_user_timeout",
    "user",
];

/// Where the database is and how to connect to it. Knows the password and never shows it.
#[derive(Clone)]
pub struct Database {
    config: Config,
    tls: Option<Arc<ClientConfig>>,
    schema: Option<String>,
    place: String,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Database {
    /// Reads a URL (`postgres://` or `postgresql://`). Opens nothing but the file that
    /// `sslrootcert` names.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`](super::ErrorKind) with what is wrong and how to mend it, without
    /// any part of the URL that could be a secret.
    pub fn parse(url: &Secret) -> Result<Self, Error> {
        Self::parse_trusting(url, None)
    }

    /// Reads `DATABASE_URL` and `DATABASE_CA`; `None` where no database is configured.
    ///
    /// # Errors
    /// As [`Database::parse_trusting`].
    pub fn configured(settings: &Settings) -> Result<Option<Self>, Error> {
        let read = |url| Self::parse_trusting(url, settings.database_ca.as_deref());
        settings.database_url.as_ref().map(read).transpose()
    }

    /// As [`Database::parse`], trusting these `authorities` instead of Mozilla's where the URL names none: PEM
    /// text, or the path of a file with it.
    ///
    /// # Errors
    /// As [`Database::parse`], and when the authorities cannot be read.
    pub fn parse_trusting(url: &Secret, authorities: Option<&str>) -> Result<Self, Error> {
        let (base, query) = split(url.expose().trim())?;
        let options = Options::parse(query)?;
        let mut config: Config = options.rebuild(base).parse().map_err(|_| unreadable())?;
        let hosts = config.get_hosts();
        if hosts.is_empty() && config.get_hostaddrs().is_empty() {
            return Err(Error::configuration("DATABASE_URL names no host"));
        }
        if hosts.iter().any(|host| matches!(host, Host::Tcp(name) if !is_host_name(name))) {
            return Err(unreadable());
        }
        let place = place(&config);
        let mode = options.tls.unwrap_or(if is_here(&config) { Mode::Plain } else { Mode::Tls });
        if mode == Mode::Plain && config.get_channel_binding() == ChannelBinding::Require {
            return Err(Error::configuration(
                "DATABASE_URL has channel_binding=require, which needs TLS: add sslmode=require",
            ));
        }
        config.ssl_mode(if mode == Mode::Tls { SslMode::Require } else { SslMode::Disable });
        config.connect_timeout(options.connect_timeout);
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(TCP_USER_TIMEOUT);
        }
        if config.get_application_name().is_none() {
            config.application_name("deo");
        }
        let tls = match (mode, &options.roots) {
            (Mode::Plain, _) => None,
            (Mode::Tls, Roots::Unsaid) => Some(match authorities {
                None => tls::client_config(),
                Some(authorities) => trusting("DATABASE_CA", authorities)?,
            }),
            (Mode::Tls, Roots::Mozilla) => Some(tls::client_config()),
            (Mode::Tls, Roots::File(file)) => {
                Some(trusting("DATABASE_URL: the file of sslrootcert:", file)?)
            }
        };
        let is_direct = config.get_ssl_negotiation() == SslNegotiation::Direct;
        let tls = tls.map(|tls| if is_direct { naming_the_protocol(&tls) } else { tls });
        Ok(Self { config, tls, schema: options.schema, place })
    }

    /// The schema that the URL names; `None` leaves it to the server's search path.
    pub fn schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    /// The same database, with its schema as the search path of every connection: for statements that
    /// do not qualify their tables. A pooler in transaction mode refuses that.
    #[must_use]
    pub fn in_its_schema(&self) -> Self {
        let mut it = self.clone();
        if let Some(schema) = &it.schema {
            let options = it.config.get_options().unwrap_or_default();
            let options = format!("{options} -c search_path=\"{schema}\"");
            it.config.options(options.trim_start());
        }
        it
    }

    /// Host and port, for messages.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Opens a connection of its own. It ends when the client is dropped.
    ///
    /// # Errors
    /// When it takes longer than 5 seconds, or the server cannot be reached or refuses.
    pub async fn connect(&self) -> Result<Client, Error> {
        let limit = self.config.get_connect_timeout().copied().unwrap_or(CONNECT_TIMEOUT);
        match timeout(limit, self.connect_now()).await {
            Ok(Ok(client)) => Ok(client),
            Ok(Err(error)) => Err(Error::connecting(&self.place, &error)),
            Err(_) => Err(Error::lost(format!(
                "Postgres at {} did not answer within {} s",
                self.place,
                limit.as_secs()
            ))),
        }
    }

    /// Asks the server, over a connection of its own, to cancel what runs on the connection of `token`.
    ///
    /// # Errors
    /// When it cannot be asked. Whether something was cancelled is told by the statement itself.
    pub async fn cancel(&self, token: &CancelToken) -> std::io::Result<()> {
        cancel(&self.config, self.tls.as_ref(), token).await
    }

    async fn connect_now(&self) -> Result<Client, tokio_postgres::Error> {
        // The connection's task ends with its client. What ends it earlier, the client reports with
        // its next statement.
        match &self.tls {
            Some(tls) => {
                let tls = MakeRustlsConnect::new(ClientConfig::clone(tls));
                let (client, connection) = self.config.connect(tls).await?;
                tokio::spawn(async { connection.await.ok() });
                Ok(client)
            }
            None => {
                let (client, connection) = self.config.connect(NoTls).await?;
                tokio::spawn(async { connection.await.ok() });
                Ok(client)
            }
        }
    }
}

/// Whether the connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Plain,
    Tls,
}

/// Whom to trust.
#[derive(Debug)]
enum Roots {
    /// The URL leaves it open.
    Unsaid,
    Mozilla,
    File(String),
}

/// The part of the URL behind the question mark.
#[derive(Debug)]
struct Options {
    /// `None` when the URL leaves it open.
    tls: Option<Mode>,
    roots: Roots,
    schema: Option<String>,
    connect_timeout: Duration,
    /// `key=value`, as they stood in the URL.
    passed_on: Vec<String>,
}

impl Options {
    fn parse(query: &str) -> Result<Self, Error> {
        let mut options = Self {
            tls: None,
            roots: Roots::Unsaid,
            schema: None,
            connect_timeout: CONNECT_TIMEOUT,
            passed_on: Vec::new(),
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            options.set(key, value, pair)?;
        }
        Ok(options)
    }

    fn set(&mut self, key: &str, value: &str, pair: &str) -> Result<(), Error> {
        match key {
            "sslmode" => self.tls = ssl_mode(value)?,
            "sslrootcert" if value == "system" => self.roots = Roots::Mozilla,
            "sslrootcert" => self.roots = Roots::File(decoded(value)?),
            "schema" => self.schema = Some(schema(value)?),
            "connect_timeout" => {
                let asked = value.parse().map_err(|_| {
                    Error::configuration("DATABASE_URL: connect_timeout is a number of seconds")
                })?;
                if asked > 0 {
                    self.connect_timeout = CONNECT_TIMEOUT.min(Duration::from_secs(asked));
                }
            }
            // Certificates are always verified, whatever it says.
            "sslaccept" => {}
            key if PASSED_ON.contains(&key) => self.passed_on.push(pair.to_owned()),
            key if key.starts_with("ssl") => {
                return Err(Error::configuration(
                    "DATABASE_URL has an option of TLS that is not supported; of those that begin \
                     with ssl, use sslmode, sslrootcert (authorities to trust; or set DATABASE_CA) or \
                     sslnegotiation",
                ));
            }
            // The pooler's and the ORM's own settings.
            _ => {}
        }
        Ok(())
    }

    fn rebuild(&self, base: &str) -> String {
        match self.passed_on.is_empty() {
            true => base.to_owned(),
            false => format!("{base}?{}", self.passed_on.join("&")),
        }
    }
}

/// The URL up to the question mark, and what stands behind it. An unencoded `@` in the password
/// would make the rest of the password a host name, and host names are shown in messages.
fn split(url: &str) -> Result<(&str, &str), Error> {
    if !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
        return Err(Error::configuration(
            "DATABASE_URL must begin with postgres:// or postgresql://",
        ));
    }
    if let Some(raw) = raw_in_password(url) {
        return Err(Error::configuration(format!("DATABASE_URL {raw}")));
    }
    Ok(url.split_once('?').unwrap_or((url, "")))
}

fn unreadable() -> Error {
    Error::configuration(
        "DATABASE_URL cannot be read: it is postgres://USER:PASSWORD@HOST:PORT/DATABASE, and \
         special characters in the password are percent-encoded (@ is %40, ? is %3F)",
    )
}

fn decoded(value: &str) -> Result<String, Error> {
    percent_decode_str(value).decode_utf8().map(String::from).map_err(|_| unreadable())
}

fn ssl_mode(value: &str) -> Result<Option<Mode>, Error> {
    match value {
        "disable" => Ok(Some(Mode::Plain)),
        "allow" | "prefer" => Ok(None),
        "require" | "verify-ca" | "verify-full" => Ok(Some(Mode::Tls)),
        _ => Err(Error::configuration(
            "DATABASE_URL has an sslmode that there is not: it takes disable, allow, prefer, require, verify-ca or \
             verify-full",
        )),
    }
}

/// The name stands in our statements: only what needs no escaping is taken.
fn schema(value: &str) -> Result<String, Error> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '$');
    if value.is_empty() || value.len() > 63 || !value.chars().all(fits) {
        return Err(Error::configuration(
            "DATABASE_URL: schema is a name of 1 to 63 letters, digits, _, - or $",
        ));
    }
    Ok(value.to_owned())
}

fn is_host_name(name: &str) -> bool {
    !name.is_empty()
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%'))
}

/// Whether every host is this machine: a socket or a loopback address.
fn is_here(config: &Config) -> bool {
    let is_loopback = |name: &str| {
        name.eq_ignore_ascii_case("localhost")
            || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    };
    let hosts = config.get_hosts().iter().all(|host| match host {
        Host::Tcp(name) => is_loopback(name),
        Host::Unix(_) => true,
    });
    hosts && config.get_hostaddrs().iter().all(IpAddr::is_loopback)
}

fn place(config: &Config) -> String {
    let port = config.get_ports().first().copied().unwrap_or(5432);
    match (config.get_hosts().first(), config.get_hostaddrs().first()) {
        (Some(Host::Tcp(name)), _) => format!("{name}:{port}"),
        (Some(Host::Unix(folder)), _) => format!("{}:{port}", folder.display()),
        (None, Some(address)) => format!("{address}:{port}"),
        (None, None) => format!("port {port}"),
    }
}

/// TLS that trusts these authorities instead of Mozilla's; `name` is what they are called.
fn trusting(name: &str, authorities: &str) -> Result<Arc<ClientConfig>, Error> {
    tls::client_config_trusting(authorities)
        .map_err(|reason| Error::configuration(format!("{name} {reason}")))
}

/// Without it, a server refuses TLS that begins at once (`sslnegotiation=direct`).
fn naming_the_protocol(tls: &ClientConfig) -> Arc<ClientConfig> {
    let mut tls = tls.clone();
    tls.alpn_protocols = vec![b"postgresql".to_vec()];
    Arc::new(tls)
}

#[cfg(test)]
mod tests;
