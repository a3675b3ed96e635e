//! Users of Redis, each of whom lacks one command.

use std::collections::BTreeSet;
use std::path::Path;

use super::harness::{Bench, Dump, Lift, Scenario, Tally, probe, traced};
use super::{Suite, every_scenario, report};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_job_is_lost_whichever_command_a_user_lacks() {
    let tally = every_scenario(Suite::Users, 8).await;
    report(format_args!("users without one command: {tally}"));
    let unmet: Vec<_> = of_the_scripts().difference(&tally.commands).cloned().collect();
    report(format_args!("{} commands; never run: {unmet:?}", tally.commands.len()));
    assert!(tally.is_clean(), "users without one command: {tally}");
    assert!(unmet.is_empty() || std::env::var_os("TOTALITY").is_some(), "never run: {unmet:?}");
}

/// The commands that stand in the scripts, but for the one that only counts.
fn of_the_scripts() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut folders =
        vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/queue/src/script/lua")];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if path.ends_with("priorities.lua") {
                continue;
            }
            let text = std::fs::read_to_string(path).unwrap();
            let quoted = text.split("('").skip(1).filter_map(|rest| rest.split('\'').next());
            let is_command =
                |word: &&str| word.len() > 2 && word.bytes().all(|byte| byte.is_ascii_uppercase());
            names.extend(quoted.filter(is_command).map(str::to_lowercase));
        }
    }
    names
}

pub(crate) async fn attempt(bench: &mut Bench, scenario: &Scenario, tally: &mut Tally) {
    let commands = traced(bench, scenario).await;
    let names: BTreeSet<String> = commands.iter().map(|words| words[0].to_lowercase()).collect();
    for name in names {
        bench.restore().await;
        let before = Dump::of(&mut bench.work).await;
        let found = probe(bench, scenario, &before, None, Some(&name), Lift::Grant).await;
        tally.add(scenario, &format!("without {name}"), found);
        tally.commands.insert(name);
    }
}
