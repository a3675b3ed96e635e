//! Fills the pooler.

use std::sync::Arc;

use rand::rngs::StdRng;
use shared::config::Secret;
use shared::store::Database;

use super::{Fault, Striking, between};
use crate::chaos::world::{Setup, World};
use crate::servers::Pooler;

/// The fault `small-pool`.
pub(super) struct SmallPool;

impl Fault for SmallPool {
    fn name(&self) -> &'static str {
        "small-pool"
    }

    fn sentence(&self) -> &'static str {
        "A pooler with two connections stands before Postgres, and others hold both for a while."
    }

    fn is_missing(&self) -> Option<String> {
        (!Pooler::is_installed()).then(|| "there is no PgBouncer; install pgbouncer".to_owned())
    }

    fn prepare(&self, setup: &mut Setup) {
        setup.pool = Some(2);
    }

    fn strike(&self, world: Arc<World>, mut random: StdRng) -> Striking {
        Box::pin(async move {
            let url = Secret::new(world.database_url());
            let database = Database::parse(&url)?;
            let (one, other) = tokio::try_join!(database.connect(), database.connect())?;
            let hold = between(&mut random, 300, 2_500).as_secs_f64();
            let hold = format!("BEGIN; SELECT pg_sleep({hold}); COMMIT");
            // What breaks them is another fault.
            let _ = tokio::join!(one.batch_execute(&hold), other.batch_execute(&hold));
            Ok(())
        })
    }
}
