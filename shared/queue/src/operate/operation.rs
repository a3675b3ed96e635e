//! Holds what the operators' scripts have in common.

use serde::Serialize;

use crate::error::Error;
use crate::options::Events;
use crate::queue::Queue;
use crate::script::library::Lazy;
use crate::script::replay::nonce;
use batchmq_redis::Value;

#[derive(Serialize)]
struct Operation<'a, A> {
    /// Whether to tell them.
    events: bool,
    /// To those without a receipt, which tell a pause only once.
    again: bool,
    /// An operator's mistake in a name makes no new queue.
    touch: bool,
    #[serde(flatten)]
    args: &'a A,
}

impl Queue {
    /// Runs an operator's script on the queue's keys, once whatever answer is lost.
    ///
    /// `known` are the keys beside the fixed ones that are known beforehand. The scripts make these
    /// names themselves; but what KEYS tells, Upstash can read from its disk before it runs a script,
    /// and anything else only while the script holds up the whole database.
    pub(crate) async fn operate(
        &self,
        script: &'static Lazy,
        known: Vec<String>,
        args: impl Serialize,
    ) -> Result<Vec<Value>, Error> {
        let mut keys = self.keys.fixed(&nonce());
        keys.extend(known);
        let events = self.options.events == Events::All;
        let args = |again| Operation { events, again, touch: false, args: &args };
        self.run(script, &keys, args).await
    }
}

/// Reads `{code}` or `{code, ...}` inside an answer.
pub(crate) fn code(answer: &[Value]) -> Option<(i64, &[Value])> {
    let [Value::Array(items)] = answer else { return None };
    let (code, rest) = items.split_first()?;
    Some((code.as_int()?, rest))
}
