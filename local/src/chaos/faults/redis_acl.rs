//! Takes a command from the functions' user.

use std::sync::Arc;

use rand::RngExt as _;
use rand::rngs::StdRng;
use shared::redis::Command;
use tokio::time::sleep;

use super::{Fault, Striking, between};
use crate::chaos::world::{USER, World};

/// The fault `redis-acl`.
pub(super) struct RedisAcl;

/// What the scripts use.
const COMMANDS: [&str; 20] = [
    "evalsha", "hset", "hdel", "hgetall", "lpush", "rpush", "ltrim", "lrem", "zadd", "zrem", "set",
    "del", "unlink", "incr", "exists", "mget", "lrange", "sadd", "zpopmin", "hincrby",
];

impl Fault for RedisAcl {
    fn name(&self) -> &'static str {
        "redis-acl"
    }

    fn sentence(&self) -> &'static str {
        "The functions' user lacks a command for a while, in the midst of scripts as well."
    }

    fn strike(&self, world: Arc<World>, mut random: StdRng) -> Striking {
        Box::pin(async move {
            let command = COMMANDS[random.random_range(0..COMMANDS.len())];
            let refused = format!("-{command}");
            world.redis(Command::new("ACL").args(["SETUSER", USER, &refused])).await?;
            sleep(between(&mut random, 100, 1_000)).await;
            world.redis(Command::new("ACL").args(["SETUSER", USER, "+@all"])).await?;
            Ok(())
        })
    }
}
