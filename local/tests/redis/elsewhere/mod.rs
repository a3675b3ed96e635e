//! Servers that are not the one to ask, or not any more: after a failover, while they start, in a cluster.

mod cluster;
mod failover;

mod pair;
mod scripted;
mod waits;

use servers::RedisServer;
use shared::config::{Endpoint, Secret};
use shared::redis::Redis;

/// A client of the server on this port.
fn client(port: u16) -> Redis {
    let url = Secret::new(format!("redis://127.0.0.1:{port}"));
    Redis::new(&Endpoint::Tcp { url, allow_plaintext: false }).unwrap()
}

/// What the server answers to a command, past the client under test.
async fn control<T: redis::FromRedisValue>(server: &RedisServer, words: &[&str]) -> T {
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    redis::cmd(words[0]).arg(&words[1..]).query_async(&mut connection).await.unwrap()
}

/// Waits until INFO says so, of the section.
async fn until_info(server: &RedisServer, section: &[&str], line: &str) {
    for _ in 0..1_000 {
        let words: Vec<&str> = section.to_vec();
        let info: String = control(server, &words).await;
        if info.lines().any(|it| it.trim() == line) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("{line} never came");
}
