//! Lets things go wrong in a run. Each fault is a value that says its name, tells in a sentence what it
//! does, and strikes: does it, and undoes it. What decides how hard comes from the run's seed.

mod bullmq;
mod clocks;
mod duplicated_ticks;
mod foreign_version;
mod freeze;
mod kill;
mod pause;
mod poison;
mod postgres_cancel;
mod postgres_connections;
mod postgres_lost_answers;
mod postgres_read_only;
mod postgres_restart;
mod postgres_silence;
mod postgres_timeout;
mod redis_acl;
mod redis_cuts;
mod redis_failover;
mod redis_lost_answers;
mod redis_memory;
mod redis_restart;
mod redis_slow;
mod rest;
mod retention;
mod row_locks;
mod sabotage;
mod script_flush;
mod small_pool;
mod table_lock;
mod wrong_keys;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::StdRng;

use super::peers::Peer;
use super::world::{Setup, World};
use crate::Failure;

/// A strike under way.
pub(super) type Striking = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;

/// Something that goes wrong.
pub trait Fault: Send + Sync {
    /// Its name on the command line.
    fn name(&self) -> &'static str;

    /// What it does, in one sentence.
    fn sentence(&self) -> &'static str;

    /// Why it cannot strike on this machine; `None` where it can.
    fn is_missing(&self) -> Option<String> {
        None
    }

    /// What it wants of the run before that begins.
    #[allow(private_interfaces, reason = "faults are made here alone")]
    fn prepare(&self, _setup: &mut Setup) {}

    /// Does it once and undoes it.
    #[allow(private_interfaces, reason = "faults are made here alone")]
    fn strike(&self, _world: Arc<World>, _random: StdRng) -> Striking {
        // Those that are there all the time have nothing to do.
        Box::pin(async { Ok(()) })
    }
}

/// Every fault, but the one that breaks an invariant itself.
pub(super) static ALL: [&dyn Fault; 34] = [
    &rest::ERRORS,
    &rest::ANSWERS,
    &rest::SLOW,
    &redis_lost_answers::RedisLostAnswers,
    &redis_cuts::RedisCuts,
    &redis_slow::RedisSlow,
    &redis_restart::RedisRestart,
    &redis_failover::RedisFailover,
    &script_flush::ScriptFlush,
    &redis_memory::RedisMemory,
    &redis_acl::RedisAcl,
    &wrong_keys::WrongKeys,
    &foreign_version::ForeignVersion,
    &pause::Pause,
    &retention::Retention,
    &postgres_lost_answers::PostgresLostAnswers,
    &postgres_silence::PostgresSilence,
    &postgres_restart::PostgresRestart,
    &postgres_connections::PostgresConnections,
    &small_pool::SmallPool,
    &postgres_timeout::PostgresTimeout,
    &postgres_cancel::PostgresCancel,
    &postgres_read_only::PostgresReadOnly,
    &row_locks::RowLocks,
    &table_lock::TableLock,
    &kill::Kill,
    &freeze::Freeze,
    &duplicated_ticks::DuplicatedTicks,
    &clocks::Clocks,
    &poison::Poison,
    &bullmq::Bullmq(Peer::Platform),
    &bullmq::Bullmq(Peer::Five),
    &bullmq::Bullmq(Peer::Six),
    &bullmq::Bullmq(Peer::Python),
];

/// The one that breaks an invariant itself.
static SABOTAGE: sabotage::Sabotage = sabotage::Sabotage;

/// Returns the fault of this name.
pub(super) fn named(name: &str) -> Option<&'static dyn Fault> {
    let all = ALL.into_iter().chain([&SABOTAGE as &dyn Fault]);
    all.into_iter().find(|fault| fault.name() == name)
}

/// A time between these milliseconds.
fn between(random: &mut StdRng, least_ms: u64, most_ms: u64) -> Duration {
    Duration::from_millis(random.random_range(least_ms..=most_ms))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_fault_has_a_name_of_its_own_and_a_sentence() {
        let names: HashSet<&str> = ALL.iter().map(|fault| fault.name()).collect();
        assert_eq!(names.len(), ALL.len());
        for fault in ALL {
            let (name, sentence) = (fault.name(), fault.sentence());
            assert!(sentence.ends_with('.') && !sentence.contains('\n'), "{name}: {sentence}");
            assert_eq!(named(name).map(Fault::name), Some(name));
        }
        assert!(!names.contains("sabotage") && named("sabotage").is_some());
    }
}
