//! Removes one job.

use serde::Serialize;

use crate::error::Error;
use crate::operate::operation::code;
use crate::operate::refusal::Refusal;
use crate::queue::Queue;
use crate::script::library::REMOVE;

#[derive(Serialize)]
struct Call<'a> {
    id: &'a str,
}

impl Queue {
    /// Removes a job in whatever state it is, its children before it, and answers the state that
    /// it was in (BullMQ's key: `wait`, `delayed`, ...). A parent that waited for nothing else goes
    /// back to waiting. About 17 commands, 12 more for each child.
    ///
    /// # Errors
    /// [`Error::Refused`]: no such job, the name of another key, it or a child that it waits for is being processed, or it is
    /// the next job of a scheduler. [`Error::Redis`].
    pub async fn remove(&self, id: &str) -> Result<String, Error> {
        if !self.is_job_id(id).await? {
            return Err(Refusal::NotAJob { id: id.to_owned() }.into());
        }
        let mut known = self.keys.of_job(id);
        known.extend(["waiting-children", "repeat"].map(|name| self.keys.of(name)));
        let answer = self.operate(&REMOVE, known, Call { id }).await?;
        let (code, state) = code(&answer).ok_or(Error::Protocol(REMOVE.name))?;
        let id = id.to_owned();
        Err(match (code, state) {
            (1, [state]) => {
                return state.as_str().map(str::to_owned).ok_or(Error::Protocol(REMOVE.name));
            }
            (-1, _) => Refusal::Missing { id, command: "removeJob" }.into(),
            (0, _) => Refusal::Locked { id }.into(),
            (-8, _) => Refusal::OfScheduler { id }.into(),
            _ => Error::Protocol(REMOVE.name),
        })
    }
}
