//! Keeps a producer's place in a long walk, beside the queue that it fills.

use crate::error::Error;

use crate::queue::Queue;
use batchmq_redis::Command;

/// How long a place is kept: 7 days in seconds, many times longer than a walk rests. After that it
/// begins anew.
const PLACE_S: &str = "604800";

impl Queue {
    /// What [`Queue::keep_bookmark`] kept under `name`. One command; once in a queue's life four
    /// more, which take over a place that an earlier version kept.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn bookmark(&self, name: &str) -> Result<Option<String>, Error> {
        let (key, former) = (self.keys.own(name), self.keys.former(name));
        let command = Command::new("MGET").arg(key.clone()).arg(former.clone()).replay_safe();
        let answer = self.redis.call(command).await?;
        let places = answer.as_array().ok_or(Error::Protocol("MGET"))?;
        let [place, old] = [0, 1].map(|i| places.get(i).and_then(|place| place.as_str()));
        let Some(old) = old else { return Ok(place.map(str::to_owned)) };
        let place = place.unwrap_or(old);
        // The former key has no time to live: nothing else would ever delete it.
        let keep = Command::new("SET").arg(key).arg(place).arg("EX").arg(PLACE_S);
        let forget = Command::new("DEL").arg(former);
        let moved = vec![keep.replay_safe(), forget.replay_safe()];
        for answer in self.redis.transaction(moved).await? {
            answer?;
        }
        Ok(Some(place.to_owned()))
    }

    /// Keeps `place` under `name` for 7 days, or forgets it. One command.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn keep_bookmark(&self, name: &str, place: Option<&str>) -> Result<(), Error> {
        let key = self.keys.own(name);
        let command = match place {
            Some(place) => Command::new("SET").arg(key).arg(place).arg("EX").arg(PLACE_S),
            None => Command::new("DEL").arg(key),
        };
        self.redis.call(command.replay_safe()).await?;
        Ok(())
    }
}
