//! Pauses and resumes the whole queue, for every peer.

use serde::Serialize;

use crate::error::Error;
use crate::queue::Queue;
use crate::script::library::{Lazy, PAUSE, RESUME};
use batchmq_redis::{Command, Value};

#[derive(Serialize)]
struct Call {
    first: bool,
}

impl Queue {
    /// Pauses the queue: no peer claims from it any more; what is active goes on. Pausing a paused
    /// queue changes nothing. About five commands.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn pause(&self) -> Result<(), Error> {
        self.switch(&PAUSE).await
    }

    /// Resumes the queue, whichever BullMQ paused it, and wakes a sleeping worker. About seven
    /// commands, and as many for every 5,000 jobs that BullMQ 5 had put aside beside waiting ones.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn resume(&self) -> Result<(), Error> {
        self.switch(&RESUME).await
    }

    /// Whether it is paused. One command.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn is_paused(&self) -> Result<bool, Error> {
        let command = Command::new("HEXISTS").arg(self.keys.of("meta")).arg("paused").replay_safe();
        Ok(self.redis.call(command).await? == Value::Int(1))
    }

    /// Runs a script that moves jobs from list to list, until it has none left to move.
    async fn switch(&self, script: &'static Lazy) -> Result<(), Error> {
        let mut first = true;
        loop {
            match self.operate(script, Vec::new(), Call { first }).await?.as_slice() {
                [Value::Int(0)] => return Ok(()),
                [Value::Int(_)] => first = false,
                _ => return Err(Error::Protocol(script.name)),
            }
        }
    }
}
