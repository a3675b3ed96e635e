//! `deo demo`: the README's first command.

use redis::AsyncCommands as _;
use serde_json::Value;
use servers::{PostgresServer, RedisServer};
use tokio_postgres::NoTls;

use crate::process::{deo, is_empty, json, open_folder};

/// What the demo's JSON must say of `projects` projects.
fn check(rounds: &Value, projects: usize) {
    let transports: Vec<&Value> =
        rounds.as_array().unwrap().iter().map(|round| &round["transport"]).collect();
    assert_eq!(transports, ["rest", "tcp"]);
    for round in rounds.as_array().unwrap() {
        assert_eq!(round["report"]["completed"], projects);
        assert!(round["report"]["billedCommands"].as_u64().unwrap() > 0);
        assert_eq!(round["projects"].as_array().unwrap().len(), projects);
        for project in round["projects"].as_array().unwrap() {
            for score in ["overall", "content", "entities", "technical", "visibility"] {
                let score = project[score].as_f64().unwrap();
                assert!((0.0..=100.0).contains(&score), "{project}");
            }
        }
    }
}

#[test]
fn it_scores_projects_over_both_transports_and_leaves_nothing_behind() {
    let folder = open_folder();
    let output = deo(folder.path()).args(["demo", "--projects", "7", "--json"]).output().unwrap();
    check(&json(&output), 7);
    assert!(is_empty(folder.path()));
}

#[test]
fn its_tables_are_for_people() {
    let folder = open_folder();
    let output = deo(folder.path()).args(["demo", "--projects", "3"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    for part in
        ["Over REST", "Over TCP", "overall", "visibility", "billed commands: ", "nothing is left"]
    {
        assert!(text.contains(part), "{part} is missing in:\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "no colours where no terminal is");
    assert!(output.stderr.is_empty(), "no progress bars where no terminal is");
}

#[tokio::test]
async fn on_given_servers_it_removes_its_keys_and_its_database() {
    let (redis, postgres) =
        (RedisServer::start().await.unwrap(), PostgresServer::start().await.unwrap());
    let client = redis::Client::open(redis.url()).unwrap();
    let mut keys = client.get_multiplexed_async_connection().await.unwrap();
    let _: () = keys.set("theirs", "1").await.unwrap();

    let folder = open_folder();
    let output = deo(folder.path())
        .args(["demo", "--projects", "3", "--json"])
        .env("REDIS_URL", redis.url())
        .env("DATABASE_URL", postgres.url())
        .output()
        .unwrap();
    check(&json(&output), 3);
    let left: Vec<String> = keys.keys("*").await.unwrap();
    assert_eq!(left, ["theirs"]);
    let (client, connection) = tokio_postgres::connect(&postgres.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    let rows = client.query("SELECT datname FROM pg_database", &[]).await.unwrap();
    assert_eq!(rows.len(), 3, "postgres and the two templates");
    let tables = "SELECT 1 FROM pg_tables WHERE schemaname = 'public'";
    assert!(client.query(tables, &[]).await.unwrap().is_empty());
}
