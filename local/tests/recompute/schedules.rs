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
            assert_eq!(job.state, shared::queue::JobState::Delayed, "{next}");
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
    world.queue.redis().call(moved).await.unwrap();
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
