//! `deo-worker` as a process: what the container runs. All that `deo worker` does is tested with that.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::process::Stdio;
use std::time::Duration;

use fixture::World;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Command;
use tokio::time::{sleep, timeout};

const LONG: Duration = Duration::from_secs(30);

/// The program, with none of the caller's settings.
fn worker() -> Command {
    let mut worker = Command::new(env!("CARGO_BIN_EXE_deo-worker"));
    worker.env_clear().stdin(Stdio::null()).kill_on_drop(true);
    worker
}

#[tokio::test]
async fn it_works_on_the_queue_until_it_is_asked_to_stop() {
    let world = World::builder().own_redis().database("").start().await;
    let projects = world.projects(["p".to_owned()]).await;
    world.enqueue(&projects).await;
    let mut process = worker().envs(&world.env).spawn().unwrap();
    let done = async {
        while world.counts().await.completed < 1 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LONG, done).await.expect("the job is done");
    assert_eq!(world.snapshots().await["p"], 1);
    let id = i32::try_from(process.id().unwrap()).unwrap();
    kill_process(Pid::from_raw(id).unwrap(), Signal::TERM).unwrap();
    let status = timeout(LONG, process.wait()).await.expect("it ends").unwrap();
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn it_says_what_is_missing_and_takes_no_other_command() {
    let output = worker().output().await.unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.starts_with("deo-worker: ") && errors.contains("REDIS_URL"), "{errors}");
    for other in ["worker", "queue", "rest-gateway", "seed"] {
        assert_eq!(worker().arg(other).output().await.unwrap().status.code(), Some(2), "{other}");
    }
}
