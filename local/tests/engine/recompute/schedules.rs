//! Jobs of schedulers, drained: whatever becomes of one, the next one waits for its time.

use shared::queue::schedule::{Rule, Scheduler};
use shared::redis::Command;

use super::world::World;

const HOUR: u64 = 3_600_000;

impl World {
    /// An hourly job for a project, the first one at once; its id.
    async fn hourly(&self, project: &str) -> String {
        let scheduler = Scheduler {
            id: format!("hourly:{project}"),
            name: "deo_score_recompute".to_owned(),
            data: format!(r#"{{"projectId":"{project}"}}"#),
            rule: Rule::Every { every_ms: HOUR, offset_ms: 0 },
            ..Scheduler::default()
        };
        self.queue.schedule(&scheduler).await.unwrap().job_id
    }

    /// The one next job of every scheduler is delayed, and each has had one so far.
    async fn assert_next(&self, schedulers: u64) {
        let standing = self.queue.schedulers(0, 1_000).await.unwrap();
        assert_eq!(standing.len() as u64, schedulers);
        assert_eq!(self.counts().await.delayed, schedulers);
        for scheduler in standing {
            assert_eq!(scheduler.iterations, Some(2), "{}", scheduler.id);
            let next = format!("repeat:{}:{}", scheduler.id, scheduler.next.unwrap());
            let job = self.queue.job(&next).await.unwrap().unwrap();
            assert_eq!(job.state, Some(shared::queue::State::Delayed), "{next}");
        }
    }
}

#[tokio::test]
async fn a_drained_job_has_a_next_one() {
    let world = World::new().await;
    for project in world.numbered(120).await {
        world.hourly(&project).await;
    }
    assert_eq!(world.tick().await.completed, 120);
    world.assert_next(120).await;
    assert_eq!(world.snapshots().await.len(), 120);
}

#[tokio::test]
async fn a_job_that_fails_has_a_next_one() {
    let world = World::new().await;
    world.hourly("nobody's").await;
    let doomed = world.hourly("doomed").await;
    let redis = world.queue.redis();
    let key = format!("engineo:deo_score_queue:{doomed}");
    redis.call(Command::new("HSET").arg(key).arg("defa").arg("why")).await.unwrap();
    assert_eq!(world.tick().await.failed, 2);
    world.assert_next(2).await;
}

#[tokio::test]
async fn a_job_whose_owner_died_before_it_made_the_next_one_has_one_after_all() {
    let world = World::new().await;
    world.numbered(1).await;
    world.hourly("p0000").await;
    // A worker moves it, and dies.
    let base = "engineo:deo_score_queue:";
    let moved = Command::new("RPOPLPUSH").arg(format!("{base}wait")).arg(format!("{base}active"));
    world.call(moved).await;
    for _ in 0..2 {
        world.age().await;
        world.tick().await;
    }
    assert_eq!(world.counts().await.completed, 1);
    world.assert_next(1).await;
}

#[tokio::test]
async fn a_scheduler_that_is_gone_gets_no_next_job() {
    let world = World::new().await;
    world.numbered(1).await;
    world.hourly("p0000").await;
    assert!(world.queue.unschedule("hourly:p0000").await.unwrap());
    assert_eq!(world.tick().await.completed, 1);
    world.assert_next(0).await;
}

#[tokio::test]
async fn the_next_tick_puts_a_next_job_back_that_is_gone() {
    let world = World::new().await;
    world.numbered(1).await;
    let first = world.hourly("p0000").await;
    let base = "engineo:deo_score_queue:";
    let redis = world.queue.redis();
    // A consumer that knows of no schedulers takes it, and keeps nothing: there is no other job.
    redis.call(Command::new("DEL").arg(format!("{base}wait"))).await.unwrap();
    redis.call(Command::new("DEL").arg(format!("{base}{first}"))).await.unwrap();
    let report = world.tick().await;
    assert_eq!((report.claimed, report.rescheduled), (0, 1), "{report:?}");
    world.assert_next(1).await;
    let line: serde_json::Value =
        serde_json::from_str(&drain::metrics(&report, "engineo", 0, true)).unwrap();
    assert_eq!(line["Rescheduled"], 1);
    // With a living schedule a tick costs the peek, when its job is due, and the look.
    let before = world.executed().await;
    let report = world.tick().await;
    let spent = world.executed().await - before - 1;
    assert_eq!((report.rescheduled, report.billed_commands), (0, 2 + 4), "{report:?}");
    println!("an idle tick beside a schedule: {} commands", report.billed_commands);
    assert_eq!(spent, report.billed_commands);
    // Without any, as ever: one.
    assert!(world.queue.unschedule("hourly:p0000").await.unwrap());
    assert_eq!(world.tick().await.billed_commands, 1);
}

#[tokio::test]
async fn ticks_of_one_worker_look_after_schedules_every_half_minute() {
    let world = World::new().await;
    let worker = super::world::recompute(&super::world::config(&world.env));
    let tick = async || {
        worker.tick(tokio::time::Instant::now() + std::time::Duration::from_secs(50)).await
    };
    world.numbered(1).await;
    world.hourly("p0000").await;
    assert_eq!(tick().await.completed, 1);
    let again = tick().await;
    assert_eq!(again.billed_commands, 2, "{again:?}");
}
