//! Running commands: alone, as a pipeline, as a transaction.

use hyper::StatusCode;

use super::{
    auth::Access,
    command::Command,
    deviations::{Deviation, Deviations},
    failure::Failure,
    permissions::Permissions,
    pool::Pool,
    refusal::{self, Refusal},
    reply::Outcome,
    resp::Frame,
    scripts::{Scripts, Translation},
    turn::Turn,
};

/// What Redis itself accepts as the number of arguments of one command.
const MAX_ARGUMENTS: usize = 1 << 20;

/// Runs commands on the connections of a pool.
pub(super) struct Executor {
    pool: Pool,
    permissions: Permissions,
    scripts: Scripts,
    deviations: Deviations,
}

impl Executor {
    /// Runs commands on `pool`.
    pub(super) fn new(pool: Pool, deviations: Deviations) -> Self {
        let (permissions, scripts) = (Permissions::default(), Scripts::default());
        Self { pool, permissions, scripts, deviations }
    }

    /// The connections that commands run on.
    pub(super) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Runs one command.
    ///
    /// # Errors
    /// When Redis gives no answer.
    pub(super) async fn single(
        &self,
        command: Command,
        access: Access,
        turn: &mut Turn,
    ) -> Result<Outcome, Failure> {
        let outcomes = self.pipeline(vec![command], access, turn).await?;
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
        turn: &mut Turn,
    ) -> Result<Vec<Outcome>, Failure> {
        let mut steps = Vec::with_capacity(commands.len());
        for command in commands {
            steps.push(match self.plan(command, access).await {
                // This one's own error; the others run.
                Err(Failure::Refused(refusal)) if refusal.status == StatusCode::BAD_REQUEST => {
                    Step::Done(Outcome::Error(refusal.message))
                }
                step => step?,
            });
        }
        let mut wire = Vec::new();
        let sent = write(&steps, &mut wire);
        if sent == 0 {
            return outcomes(steps, Vec::new());
        }
        let outcomes = outcomes(steps, self.pool.run(&wire, sent, Some(turn)).await?)?;
        Ok(outcomes.into_iter().map(|it| self.deviations.of_outcome(it)).collect())
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
        turn: &mut Turn,
    ) -> Result<Vec<Outcome>, Failure> {
        let mut steps = Vec::with_capacity(commands.len());
        for command in commands {
            steps.push(self.plan(command, access).await?);
        }
        let mut wire = b"*1\r\n$5\r\nMULTI\r\n".to_vec();
        let sent = write(&steps, &mut wire);
        wire.extend_from_slice(b"*1\r\n$4\r\nEXEC\r\n");
        let replies = self.pool.run(&wire, sent + 2, Some(turn)).await?;
        let executed = replies.last().ok_or(Failure::Lost)?;
        if let Some(message) = executed.error() {
            let message = String::from_utf8_lossy(message).into_owned();
            return Err(Refusal::bad_request(message).into());
        }
        outcomes(steps, executed.elements().ok_or(Failure::Lost)?)
    }

    /// What is to be done for `command`.
    async fn plan(&self, command: Command, access: Access) -> Result<Step, Failure> {
        if command.is_empty() {
            return Err(Refusal::bad_request("ERR empty pipeline command").into());
        }
        if command.len() > MAX_ARGUMENTS {
            return Err(Refusal::bad_request(format!(
                "ERR Protocol error: invalid multibulk length, at most {MAX_ARGUMENTS} arguments"
            ))
            .into());
        }
        refusal::supported(&command)?;
        let command = self.deviations.of_command(command);
        let is_script = command.name().starts_with("EVAL");
        if is_script && self.deviations.has(Deviation::RefusesScripts) {
            return Err(Refusal::no_permission(&command.name()).into());
        }
        if access == Access::ReadOnly {
            self.permissions.check(&command, &self.pool).await?;
        }
        if refusal::is_introduction(&command) {
            return Ok(Step::Done(Outcome::Reply(Frame::ok())));
        }
        let Translation { command: translated, answer } = self.scripts.translate(&command);
        Ok(Step::Sent { command: translated.unwrap_or(command), answer })
    }
}

/// What is to be done for a command.
enum Step {
    /// Nothing: the outcome is known.
    Done(Outcome),
    /// Sent to Redis; `answer` takes the place of a reply that is no error.
    Sent { command: Command, answer: Option<Frame> },
}

/// Appends the commands that are to be sent, and counts them.
fn write(steps: &[Step], wire: &mut Vec<u8>) -> usize {
    let mut sent = 0;
    for step in steps {
        if let Step::Sent { command, .. } = step {
            command.write_to(wire);
            sent += 1;
        }
    }
    sent
}

/// The outcomes of all steps, from the replies to those that were sent.
fn outcomes(steps: Vec<Step>, replies: Vec<Frame>) -> Result<Vec<Outcome>, Failure> {
    let mut replies = replies.into_iter();
    let outcomes = steps.into_iter().map(|step| match step {
        Step::Done(outcome) => Ok(outcome),
        Step::Sent { command, answer } => {
            let reply = replies.next().ok_or(Failure::Lost)?;
            Ok(match reply.error() {
                Some(error) => match refusal::in_upstash_words(error, &command) {
                    Some(message) => Outcome::Error(message),
                    None => Outcome::Reply(reply),
                },
                None => Outcome::Reply(answer.unwrap_or(reply)),
            })
        }
    });
    outcomes.collect()
}
