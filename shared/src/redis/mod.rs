//! One client, two transports: Upstash's REST API and the Redis protocol.

mod command;
mod error;
mod script;
mod value;

pub use command::Command;
pub use error::{Error, ErrorKind, Retry};
pub use script::Script;
pub use value::Value;

use crate::config::RedisConfig;

/// What a handle has used so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Commands that Upstash bills: each command, those inside scripts included.
    pub billed: u64,
    /// Requests sent to the server (a pipeline or a script is one).
    pub round_trips: u64,
}

/// A client; clones share the connection and the meter.
#[derive(Clone, Debug)]
pub struct Redis {}

impl Redis {
    /// A client for `config`. Opens no connection: the first command does.
    ///
    /// # Errors
    /// A configuration error, when the URL or the token cannot be used.
    pub fn new(_config: &RedisConfig) -> Result<Self, Error> {
        todo!()
    }

    /// The same connection with a meter of its own, starting at zero.
    pub fn metered(&self) -> Self {
        todo!()
    }

    /// The same connection and meter; no call or replay through it goes past `deadline`.
    pub fn until(&self, _deadline: tokio::time::Instant) -> Self {
        todo!()
    }

    /// What this handle's meter has counted.
    pub fn usage(&self) -> Usage {
        todo!()
    }

    /// `rest` or `tcp`.
    pub fn transport(&self) -> &'static str {
        todo!()
    }

    /// Runs one command.
    pub async fn call(&self, _command: Command) -> Result<Value, Error> {
        todo!()
    }

    /// Runs commands in one round trip, not atomically; an item's own error does not stop the rest.
    pub async fn pipeline(
        &self,
        _commands: Vec<Command>,
    ) -> Result<Vec<Result<Value, Error>>, Error> {
        todo!()
    }

    /// Runs commands as one MULTI/EXEC in one round trip.
    pub async fn transaction(
        &self,
        _commands: Vec<Command>,
    ) -> Result<Vec<Result<Value, Error>>, Error> {
        todo!()
    }

    /// Runs one of our scripts: EVALSHA, then EVAL on NOSCRIPT. A script answers an array whose
    /// first element is how many commands it executed; that goes to the meter and the rest comes back.
    pub async fn run(
        &self,
        _script: &Script,
        _keys: &[String],
        _args: Vec<Vec<u8>>,
    ) -> Result<Vec<Value>, Error> {
        todo!()
    }
}
