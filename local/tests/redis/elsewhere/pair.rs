//! A primary and its replica behind one address.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use local::relay::Relay;
use servers::RedisServer;
use shared::redis::Redis;
use tokio::time::sleep;

use super::{client, control, until_info};

/// Two servers, of which the address leads to one.
pub struct Pair {
    pub old: RedisServer,
    pub new: RedisServer,
    relay: Relay,
}

impl Pair {
    /// The second one follows the first, to which the address leads.
    pub async fn start() -> Self {
        // Else a replica that comes alone waits five seconds for others.
        let options = ["--repl-diskless-sync-delay", "0"];
        let start = || RedisServer::start_with(&options);
        let (old, new) = tokio::join!(start(), start());
        let (old, new) = (old.unwrap(), new.unwrap());
        let relay = Relay::to(address(&old)).await.unwrap();
        follow(&new, &old).await;
        until_info(&new, &["INFO", "replication"], "master_link_status:up").await;
        Self { old, new, relay }
    }

    /// A client of the address.
    pub fn client(&self) -> Redis {
        client(self.port())
    }

    pub fn port(&self) -> u16 {
        self.relay.address().port()
    }

    /// Until the replica has all that was written.
    pub async fn until_the_same(&self) {
        let written = offset(&self.old, "master_repl_offset:").await;
        for _ in 0..1_000 {
            if offset(&self.new, "slave_repl_offset:").await >= written {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("the replica stays behind");
    }

    /// Promotes the replica, and makes the primary one of it.
    pub async fn swap_roles(&self) {
        self.until_the_same().await;
        let _: String = control(&self.new, &["REPLICAOF", "NO", "ONE"]).await;
        follow(&self.old, &self.new).await;
    }

    /// Lets the address lead to the new primary.
    pub fn lead_over(&self) {
        self.relay.lead_to(address(&self.new));
    }

    /// Both.
    pub async fn fail_over(&self) {
        self.lead_over();
        self.swap_roles().await;
    }
}

/// How far the stream of writes has come, by this field.
async fn offset(server: &RedisServer, field: &str) -> u64 {
    let info: String = control(server, &["INFO", "replication"]).await;
    let offset = info.lines().find_map(|line| line.strip_prefix(field));
    offset.unwrap().trim().parse().unwrap()
}

fn address(server: &RedisServer) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, server.port()).into()
}

async fn follow(replica: &RedisServer, primary: &RedisServer) {
    let port = primary.port().to_string();
    let _: String = control(replica, &["REPLICAOF", "127.0.0.1", &port]).await;
}
