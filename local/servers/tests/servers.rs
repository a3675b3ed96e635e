//! The private servers: they start, they serve, and they leave nothing behind.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use redis::AsyncCommands as _;
use servers::{PostgresServer, RedisServer};
use tokio::net::TcpStream;
use tokio_postgres::NoTls;

async fn redis(server: &RedisServer) -> redis::aio::MultiplexedConnection {
    let client = redis::Client::open(server.url()).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

#[tokio::test]
async fn redis_serves_runs_lua_and_keeps_its_data_over_a_restart() {
    let mut server = RedisServer::start().await.unwrap();
    let mut connection = redis(&server).await;
    redis::cmd("EVAL")
        .arg("return redis.call('SET', KEYS[1], ARGV[1])")
        .arg((1, "k", b"\xff\x00"))
        .exec_async(&mut connection)
        .await
        .unwrap();
    server.restart().await.unwrap();
    assert!(redis::cmd("PING").exec_async(&mut connection).await.is_err(), "connections are cut");
    let value: Vec<u8> = redis(&server).await.get("k").await.unwrap();
    assert_eq!(value, b"\xff\x00");
}

#[tokio::test]
async fn a_killed_redis_is_gone_until_it_is_restarted() {
    let mut server = RedisServer::start().await.unwrap();
    server.kill();
    assert!(TcpStream::connect(("127.0.0.1", server.port())).await.is_err());
    server.restart().await.unwrap();
    let pong: String = redis::cmd("PING").query_async(&mut redis(&server).await).await.unwrap();
    assert_eq!(pong, "PONG");
}

#[tokio::test]
async fn postgres_gives_every_caller_a_database_of_its_own() {
    let mut server = PostgresServer::start().await.unwrap();
    let (one, other) = (server.create_database().await, server.create_database().await);
    let (one, other) = (one.unwrap(), other.unwrap());
    for url in [&one, &other] {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute("CREATE TABLE only_here (n int)").await.unwrap();
    }
    server.restart().await.unwrap();
    let (client, connection) = tokio_postgres::connect(&one, NoTls).await.unwrap();
    tokio::spawn(connection);
    let rows = client.query("SELECT n FROM only_here", &[]).await.unwrap();
    assert!(rows.is_empty(), "the table outlived the restart");
}
