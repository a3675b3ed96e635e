//! `deo demo`: the README's first command.

use std::fs::File;
use std::process::Stdio;
use std::time::Duration;

use redis::AsyncCommands as _;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use servers::{PostgresServer, RedisServer};
use tokio::time::sleep;
use tokio_postgres::{Client, NoTls};

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

/// A client of the database at `url`.
async fn client_of(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// How many databases there are that demos made.
async fn demos(client: &Client) -> usize {
    let asked = "SELECT datname FROM pg_database WHERE datname LIKE 'deo_demo_%'";
    client.query(asked, &[]).await.unwrap().len()
}

#[tokio::test]
async fn a_stdout_that_takes_nothing_leaves_no_database_behind() {
    let postgres = PostgresServer::start().await.unwrap();
    let client = client_of(&postgres.url()).await;
    let folder = open_folder();
    let demo = || {
        let mut demo = deo(folder.path());
        demo.args(["demo", "--projects", "2"]).env("DATABASE_URL", postgres.url());
        demo
    };
    let mut unread = demo().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(unread.stdout.take());
    let output = unread.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(demos(&client).await, 0, "after a reader that went away");

    if let Ok(full) = File::options().write(true).open("/dev/full") {
        let output = demo().stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(demos(&client).await, 0, "after a full disk");
    }
}

#[tokio::test]
async fn a_signal_while_its_database_is_made_leaves_none_behind() {
    let postgres = PostgresServer::start().await.unwrap();
    let client = client_of(&postgres.url()).await;
    // Making a database waits up to 5 s until nobody uses the one that it is a copy of.
    let (server, _) =
        postgres.url().rsplit_once('/').map(|(a, b)| (a.to_owned(), b.len())).unwrap();
    let template = client_of(&format!("{server}/template1")).await;
    let making = "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'CREATE DATABASE deo_demo_%'
        AND state = 'active'";
    let is_made = async || !client.query(making, &[]).await.unwrap().is_empty();

    let folder = open_folder();
    let mut demo = deo(folder.path());
    demo.args(["demo", "--projects", "2"]).env("DATABASE_URL", postgres.url());
    let mut demo = demo.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while !is_made().await {
        assert!(demo.try_wait().unwrap().is_none(), "it ended before");
        sleep(Duration::from_millis(10)).await;
    }
    kill_process(Pid::from_child(&demo), Signal::INT).unwrap();
    sleep(Duration::from_millis(200)).await;
    drop(template);
    let ended = loop {
        // Sleeping, and not in `wait`: the connection to the template closes meanwhile.
        sleep(Duration::from_millis(10)).await;
        if let Some(ended) = demo.try_wait().unwrap() {
            break ended;
        }
    };
    assert_eq!(ended.code(), Some(130));
    while is_made().await {
        sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(demos(&client).await, 0);
}

#[tokio::test]
async fn keys_that_cannot_be_removed_are_told_and_the_database_goes_all_the_same() {
    let (redis, postgres) =
        (RedisServer::start().await.unwrap(), PostgresServer::start().await.unwrap());
    let place = redis.url().rsplit(['/', '@']).find(|part| part.contains(':')).unwrap().to_owned();
    let owner = redis::Client::open(redis.url()).unwrap();
    let mut owner = owner.get_multiplexed_async_connection().await.unwrap();
    let user = "ACL SETUSER blind on >x ~* &* +@all -scan";
    let user: Vec<&str> = user.split(' ').collect();
    let () = redis::cmd(user[0]).arg(&user[1..]).query_async(&mut owner).await.unwrap();
    let folder = open_folder();
    let output = deo(folder.path())
        .args(["demo", "--projects", "2", "--json"])
        .env("REDIS_URL", format!("redis://blind:x@{place}"))
        .env("DATABASE_URL", postgres.url())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("the keys deo-demo-") && told.contains("are left"), "{told}");
    assert_eq!(demos(&client_of(&postgres.url()).await).await, 0);
}
