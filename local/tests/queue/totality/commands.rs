//! A fault at every command.

use super::harness::{Bench, Dump, Lift, Obstacle, Scenario, Tally, probe};
use super::{Suite, every_scenario, report};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_job_is_lost_whichever_command_is_refused() {
    let tally = every_scenario(Suite::Commands, 0).await;
    report(format_args!("a fault at every command: {tally}"));
    assert!(tally.is_clean(), "a fault at every command: {tally}");
}

pub(crate) async fn attempt(bench: &mut Bench, scenario: &Scenario, tally: &mut Tally) {
    bench.keep(&scenario.lines).await;
    bench.restore().await;
    let before = Dump::of(&mut bench.work).await;
    // Without an obstacle all is well, or the state says nothing.
    let found = probe(bench, scenario, &before, Some(Obstacle::Trace), None, Lift::Disarm).await;
    tally.add(scenario, "no obstacle", found);
    for mode in [Obstacle::Once, Obstacle::Name, Obstacle::Key] {
        for n in 1.. {
            bench.restore().await;
            let obstacle = mode(n);
            let found = probe(bench, scenario, &before, Some(obstacle), None, Lift::Disarm).await;
            if found.met.is_none() {
                break;
            }
            tally.add(scenario, &format!("{obstacle:?}"), found);
        }
    }
}
