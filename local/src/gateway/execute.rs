//! Running commands: alone, as a pipeline, as a transaction.

use hyper::StatusCode;

use super::{
    auth::Access,
    command::Command,
    permissions::Permissions,
    pool::{Pool, UpstreamError},
    refusal::{self, Refusal},
    reply::Outcome,
    resp::Frame,
};

/// What Redis itself accepts as the number of arguments of one command.
const MAX_ARGUMENTS: usize = 1 << 20;

/// Runs commands on the connections of a pool.
pub(super) struct Executor {
    pool: Pool,
    permissions: Permissions,
}

/// Why a request as a whole has no outcome.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nothing was executed.
    Refused(Refusal),
    /// The commands were sent and the answer was lost.
    Lost,
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Executor {
    /// Runs commands on `pool`.
    pub(super) fn new(pool: Pool) -> Self {
        Self { pool, permissions: Permissions::default() }
    }

    /// Runs one command.
    ///
    /// # Errors
    /// When Redis gives no answer.
    pub(super) async fn single(
        &self,
        command: Command,
        access: Access,
    ) -> Result<Outcome, Failure> {
        let outcomes = self.pipeline(vec![command], access).await?;
        // One command, one outcome.
        outcomes.into_iter().next().ok_or(Failure::Lost)
    }

    /// Runs commands one after the other on one connection, not atomically; what is refused or
    /// fails does not stop the rest.
    ///
    /// # Errors
    /// When Redis gives no answer.
    pub(super) async fn pipeline(
        &self,
        commands: Vec<Command>,
        access: Access,
    ) -> Result<Vec<Outcome>, Failure> {
        let mut wire = Vec::new();
        let mut steps = Vec::with_capacity(commands.len());
        for command in commands {
            let step = match self.check(&command, access).await {
                Ok(()) if is_set_info(&command) => Step::Done(Outcome::Reply(Frame::ok())),
                Ok(()) => {
                    command.write_to(&mut wire);
                    Step::Sent(command)
                }
                Err(Failure::Refused(refusal)) if refusal.status == StatusCode::BAD_REQUEST => {
                    Step::Done(Outcome::Error(refusal.message))
                }
                Err(failure) => return Err(failure),
            };
            steps.push(step);
        }
        let sent = steps.iter().filter(|step| matches!(step, Step::Sent(_))).count();
        let mut replies = self.run(&wire, sent).await?.into_iter();
        let outcomes = steps.into_iter().map(|step| match step {
            Step::Done(outcome) => Ok(outcome),
            Step::Sent(command) => {
                replies.next().map(|reply| translate(reply, &command)).ok_or(Failure::Lost)
            }
        });
        outcomes.collect()
    }

    /// Runs commands as one MULTI/EXEC on a connection that nobody else uses meanwhile.
    ///
    /// # Errors
    /// When a command is refused or Redis discards the transaction: nothing was executed. When
    /// Redis gives no answer.
    pub(super) async fn transaction(
        &self,
        commands: Vec<Command>,
        access: Access,
    ) -> Result<Vec<Outcome>, Failure> {
        let mut wire = b"*1\r\n$5\r\nMULTI\r\n".to_vec();
        for command in &commands {
            self.check(command, access).await?;
            command.write_to(&mut wire);
        }
        wire.extend_from_slice(b"*1\r\n$4\r\nEXEC\r\n");
        let replies = self.run(&wire, commands.len() + 2).await?;
        let executed = replies.last().ok_or(Failure::Lost)?;
        if let Some(message) = executed.error() {
            let message = String::from_utf8_lossy(message).into_owned();
            return Err(Refusal::bad_request(message).into());
        }
        let elements = executed.elements().ok_or(Failure::Lost)?;
        Ok(elements.into_iter().map(Outcome::Reply).collect())
    }

    async fn check(&self, command: &Command, access: Access) -> Result<(), Failure> {
        if command.is_empty() {
            return Err(Refusal::bad_request("ERR empty pipeline command").into());
        }
        if command.len() > MAX_ARGUMENTS {
            return Err(Refusal::bad_request(format!(
                "ERR Protocol error: invalid multibulk length, at most {MAX_ARGUMENTS} arguments"
            ))
            .into());
        }
        refusal::supported(command)?;
        match access {
            Access::Full => Ok(()),
            Access::ReadOnly => self.permissions.check(command, &self.pool).await,
        }
    }

    async fn run(&self, wire: &[u8], replies: usize) -> Result<Vec<Frame>, Failure> {
        if replies == 0 {
            return Ok(Vec::new());
        }
        Ok(self.pool.run(wire, replies).await?)
    }
}

impl From<UpstreamError> for Failure {
    fn from(error: UpstreamError) -> Self {
        match error {
            UpstreamError::Open(error) => {
                tracing::warn!(%error, "no connection to Redis");
                Self::Refused(Refusal::unreachable(&error))
            }
            UpstreamError::Lost(error) => {
                tracing::warn!(%error, "an answer of Redis was lost");
                Self::Lost
            }
        }
    }
}

/// A command of a pipeline.
enum Step {
    Sent(Command),
    Done(Outcome),
}

/// The official SDK introduces itself with CLIENT SETINFO. Connections are shared here, and Redis
/// before 7.2 does not know the command: it is answered and forgotten.
fn is_set_info(command: &Command) -> bool {
    command.name() == "CLIENT"
}

fn translate(reply: Frame, command: &Command) -> Outcome {
    match reply.error().and_then(|error| refusal::in_upstash_words(error, command)) {
        Some(message) => Outcome::Error(message),
        None => Outcome::Reply(reply),
    }
}
