//! Speaks to Redis by one client over two transports: Upstash's REST API and the Redis protocol.
//!
//! - [`Command`], [`Script`]: what is asked, and whether it may be asked twice;
//! - [`Redis`]: asks it, alone, in a pipeline or in a transaction;
//! - [`Value`], [`Error`]: what comes back, and what may be done next;
//! - [`Usage`]: what it cost.
//!
//! Inside, a request goes through one loop (`delivery`) whatever the transport: it decides, from
//! how a try failed and from what the commands declare, whether to send again, when, and for how
//! long. Nothing that is not replay-safe is ever executed twice. The transports (`rest`, `tcp`)
//! only try once and say how it went (`failure`).
//!
//! ```no_run
//! use batchmq_redis::{Endpoint, Secret};
//! use batchmq_redis::{Command, Error, Redis};
//!
//! # async fn example() -> Result<(), Error> {
//! let url = Secret::new("redis://127.0.0.1:6379");
//! let redis = Redis::new(&Endpoint::Tcp { url, allow_plaintext: false })?;
//! let soon = tokio::time::Instant::now() + std::time::Duration::from_secs(5);
//! let tick = redis.metered().until(soon);
//! let waiting = tick.call(Command::new("LLEN").arg("wait").replay_safe()).await?;
//! println!("{:?} for {} commands", waiting.as_int(), tick.usage().billed);
//! # Ok(())
//! # }
//! ```

mod backoff;
mod budget;
mod command;
mod condition;
mod delivery;
mod endpoint;
mod error;
mod failure;
mod meter;
mod plaintext;
mod replays;
mod request;
mod rest;
mod script;
mod secret;
mod tcp;
pub mod tls;
mod transport;
mod userinfo;
mod value;
mod waits;

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use tokio::time::Instant;

pub use backoff::FullJitter;
pub use budget::Limits;
pub use command::Command;
pub use condition::Condition;
pub use endpoint::{Endpoint, Names};
pub use error::{Error, ErrorKind, Retry};
pub use meter::Usage;
pub use plaintext::is_loopback;
pub use replays::Replays;
pub use rest::RestAnswers;
#[doc(hidden)]
pub use rest::decode_rest_answer;
pub use script::Script;
#[doc(hidden)]
pub use script::hex;
pub use secret::Secret;
pub use userinfo::raw_in_password;
pub use value::Value;

use self::budget::Budget;
use self::delivery::{Answers, Delivery};
use self::meter::Meter;
use self::request::{Form, Request};
use self::transport::Transport;

/// How long [`Redis::connect`] may wait.
const AHEAD: Duration = Duration::from_secs(1);

/// What a client does its own way.
///
/// ```no_run
/// use std::time::Duration;
///
/// use batchmq_redis::{Endpoint, Error, Limits, Options, Redis, RestAnswers, Secret};
///
/// # async fn example() -> Result<(), Error> {
/// let token = Secret::new("AX…");
/// let url = "https://eu1-fit-cat-1.upstash.io".to_owned();
/// let options = Options {
///     limits: Limits { answer: Duration::from_secs(3), ..Limits::default() },
///     rest_answers: RestAnswers::Resp2,
///     ..Options::default()
/// };
/// let endpoint = Endpoint::Rest { url, token, allow_plaintext: false };
/// let redis = Redis::with_options(&endpoint, options)?;
/// redis.connect().await;
/// assert_eq!(redis.transport(), "rest");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Time limits.
    pub limits: Limits,
    /// The form of the REST API's answers.
    pub rest_answers: RestAnswers,
    /// Over TCP, what the server's CLIENT LIST calls the connection; a server that refuses the name is
    /// used without.
    pub client_name: Option<String>,
    /// Whom to trust instead of Mozilla's authorities: certificates as PEM text, or the path of a file with
    /// such. A server's own certificate among them is trusted as it is, if it is for the host.
    pub authorities: Option<String>,
    /// What errors call the settings.
    pub names: Names,
}

impl Options {
    /// The TLS configuration that trusts whom they say.
    fn trust(&self) -> Result<Arc<ClientConfig>, Error> {
        let Some(authorities) = &self.authorities else { return Ok(tls::client_config()) };
        tls::client_config_trusting(authorities)
            .map_err(|wrong| Error::configuration(format!("{} {wrong}", self.names.authorities)))
    }
}

/// A client; clones share the connection and the meter.
///
/// ```no_run
/// use batchmq_redis::{Command, Error, Redis, Usage};
///
/// # async fn example(redis: &Redis) -> Result<(), Error> {
/// let metered = redis.metered();
/// let count = || Command::new("INCR").arg("visits");
/// for answer in metered.pipeline(vec![count(), count()]).await? {
///     println!("{:?}", answer?.as_int());
/// }
/// metered.transaction(vec![count(), Command::new("EXPIRE").arg("visits").arg("60")]).await?;
/// let Usage { billed, round_trips } = metered.usage();
/// println!("{billed} commands in {round_trips} round trips");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Redis {
    transport: Arc<Transport>,
    meter: Arc<Meter>,
    limits: Limits,
    names: Names,
    /// Set by [`Redis::until`]; without it each call has [`Limits::call`] for itself.
    budget: Option<Arc<Budget>>,
}

impl Redis {
    /// A client for `config`. Opens no connection: the first command does.
    ///
    /// # Errors
    /// A configuration error, when the URL or the token cannot be used.
    pub fn new(config: &Endpoint) -> Result<Self, Error> {
        Self::with_options(config, Options::default())
    }

    /// As [`Redis::new`], with other options.
    ///
    /// # Errors
    /// A configuration error, when the URL, the token or the authorities cannot be used.
    pub fn with_options(config: &Endpoint, options: Options) -> Result<Self, Error> {
        let limits = options.limits;
        // A server's refusals are about the URL that led to it.
        let names = match config {
            Endpoint::Rest { .. } => Names { redis_url: options.names.rest_url, ..options.names },
            Endpoint::Tcp { .. } => options.names,
        };
        let transport = match config {
            Endpoint::Rest { url, token, allow_plaintext } => {
                Transport::Rest(Box::new(rest::Rest::new(url, token, *allow_plaintext, options)?))
            }
            Endpoint::Tcp { url, allow_plaintext } => {
                Transport::Tcp(tcp::Tcp::new(url, *allow_plaintext, options)?)
            }
        };
        let transport = Arc::new(transport);
        Ok(Self { transport, meter: Arc::default(), limits, names, budget: None })
    }

    /// Opens the connection ahead of the first command, where that takes none: over REST. (Over TCP, signing
    /// in takes some.) A function that is starting often has more of the processor than later.
    ///
    /// Waits for a second at most. Failures are left to the first command.
    pub async fn connect(&self) {
        self.transport.connect(self.limits.connect.min(AHEAD)).await;
    }

    /// A client of the same server for commands that would hold up others, as those that block: over TCP it has a
    /// connection of its own, called `client_name` in the server's list. When either finds that the server is not the one
    /// to ask any more, both look its name up anew. It has a meter of its own.
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// use batchmq_redis::{Command, Error, Limits, Redis};
    ///
    /// # async fn example(redis: &Redis) -> Result<(), Error> {
    /// let limits = Limits { answer: Duration::from_secs(40), ..Limits::default() };
    /// let waiting = redis.beside(limits, Some("waits".to_owned()));
    /// waiting.call(Command::new("BZPOPMIN").arg("tasks").arg("30")).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn beside(&self, limits: Limits, client_name: Option<String>) -> Self {
        let transport = match &*self.transport {
            Transport::Rest(_) => self.transport.clone(),
            Transport::Tcp(tcp) => Arc::new(Transport::Tcp(tcp.beside(client_name))),
        };
        Self { transport, meter: Arc::default(), limits, names: self.names, budget: None }
    }

    /// The same connection with a meter of its own, starting at zero.
    pub fn metered(&self) -> Self {
        Self { meter: Arc::default(), ..self.clone() }
    }

    /// The same connection and meter; no call or replay through it goes past `deadline`, and all
    /// its calls together spend at most a fifth of the time until then on waits and replays.
    pub fn until(&self, deadline: Instant) -> Self {
        Self { budget: Some(Arc::new(Budget::new(Instant::now(), deadline))), ..self.clone() }
    }

    /// Leave to send again, for a caller that knows how to ask what became of a lost request.
    pub fn replays(&self) -> Replays {
        Replays::new(self)
    }

    /// What this handle's meter has counted.
    pub fn usage(&self) -> Usage {
        self.meter.usage()
    }

    /// `rest` or `tcp`.
    pub fn transport(&self) -> &'static str {
        self.transport.name()
    }

    /// Whether requests come to the server in the order in which they are sent: over TCP, where one connection carries
    /// all of them.
    pub fn keeps_order(&self) -> bool {
        matches!(*self.transport, Transport::Tcp(_))
    }

    /// How many bytes `arg` takes in a REST request, its escapes included.
    pub fn request_bytes(arg: &[u8]) -> usize {
        rest::encoded_len(arg)
    }

    /// How many bytes ([`Redis::request_bytes`]) are left for the arguments of a call of `script`
    /// on `keys`; a longer request is refused before it is sent. `None` over TCP, where the server
    /// decides.
    pub fn room_for_args(&self, script: &Script, keys: &[String]) -> Option<usize> {
        match *self.transport {
            Transport::Tcp(_) => None,
            Transport::Rest(_) => {
                // Brackets, the command's name and the number of keys.
                let frame = 64;
                let keys: usize = keys.iter().map(|key| Self::request_bytes(key.as_bytes())).sum();
                let source = Self::request_bytes(script.source.as_bytes());
                Some(rest::MAX_REQUEST_BYTES.saturating_sub(frame + keys + source))
            }
        }
    }

    /// Runs one command.
    ///
    /// # Errors
    /// See [`ErrorKind`]; a command that Redis refuses comes back as [`ErrorKind::Server`].
    pub async fn call(&self, command: Command) -> Result<Value, Error> {
        self.call_request(&Request::single(command)).await
    }

    /// Runs commands in one round trip, not atomically; an item's own error does not stop the rest.
    ///
    /// # Errors
    /// See [`ErrorKind`]. The outer one concerns all items: none is known to have been executed.
    pub async fn pipeline(
        &self,
        commands: Vec<Command>,
    ) -> Result<Vec<Result<Value, Error>>, Error> {
        self.send_all(Form::Pipeline, commands).await
    }

    /// Runs commands as one MULTI/EXEC in one round trip.
    ///
    /// # Errors
    /// The outer one says that the transaction was discarded (`EXECABORT`), or may have been. An
    /// item's own error does not roll the others back.
    pub async fn transaction(
        &self,
        commands: Vec<Command>,
    ) -> Result<Vec<Result<Value, Error>>, Error> {
        self.send_all(Form::Transaction, commands).await
    }

    /// Runs one of our scripts: EVALSHA, then EVAL on NOSCRIPT. A script answers an array whose
    /// first element is how many commands it executed; that goes to the meter and the rest comes back.
    ///
    /// # Errors
    /// See [`ErrorKind`]. An error reply of the script is [`ErrorKind::Server`] with its code.
    pub async fn run(
        &self,
        script: &Script,
        keys: &[String],
        args: Vec<Vec<u8>>,
    ) -> Result<Vec<Value>, Error> {
        let mut request = Request::single(script.by_sha1(keys, args));
        let mut answer = self.call_request(&request).await;
        if matches!(&answer, Err(error) if *error.kind() == ErrorKind::Server("NOSCRIPT".into())) {
            // Nothing has run yet.
            request.commands =
                request.commands.into_iter().map(|command| script.with_source(command)).collect();
            answer = self.call_request(&request).await;
        }
        let malformed = || {
            let message =
                format!("{request}: a script must answer an array that starts with a count");
            Error::never(ErrorKind::Protocol, message)
        };
        let Value::Array(mut items) = answer? else { return Err(malformed()) };
        let count = items.first().and_then(Value::as_int).and_then(|n| u64::try_from(n).ok());
        self.meter.bill(count.ok_or_else(malformed)?);
        items.remove(0);
        Ok(items)
    }

    async fn call_request(&self, request: &Request) -> Result<Value, Error> {
        let mut answers = self.send(request).await?;
        answers.pop().unwrap_or_else(|| {
            Err(Error::never(ErrorKind::Protocol, format!("{request}: no answer came back")))
        })
    }

    async fn send_all(&self, form: Form, commands: Vec<Command>) -> Result<Answers, Error> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        self.send(&Request { form, commands }).await
    }

    async fn send(&self, request: &Request) -> Result<Answers, Error> {
        let (transport, meter, limits) = (&self.transport, &self.meter, self.limits);
        let names = &self.names;
        Delivery { transport, meter, limits, names, budget: self.budget() }.send(request).await
    }

    /// The budget of the handle, or a new one for a call of a handle without.
    fn budget(&self) -> Arc<Budget> {
        let for_one_call = || {
            let now = Instant::now();
            Arc::new(Budget::new(now, now + self.limits.call))
        };
        self.budget.clone().unwrap_or_else(for_one_call)
    }
}

// Its example is compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
