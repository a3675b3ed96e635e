//! The documentation and the deployment's files say what the code says.
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use local::cost::{Figures, Prices, Workload, ours};
use local::permissions::{Function, postgres, redis};
use serde_json::Value;
use shared::config::{VARIABLES, markdown};
use shared::drops::DROPS_GIVEN_UP;
use shared::engine::{Remaining, Report};
use shared::logs::OURS;
use shared::recompute::MALFORMED_ROWS;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// Every Markdown file of the repository.
fn pages() -> Vec<PathBuf> {
    let skipped = [".git", ".aws-sam", ".venv", "node_modules", "target"];
    let (mut folders, mut pages) = (vec![root()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() && !skipped.contains(&name) {
                folders.push(path);
            } else if name.ends_with(".md") {
                pages.push(path);
            }
        }
    }
    pages
}

/// The text outside of code blocks and code spans.
fn prose(page: &str) -> String {
    let outside: Vec<&str> = page.split("```").step_by(2).collect();
    let text = outside.join("\n");
    let outside: Vec<&str> = text.split('`').step_by(2).collect();
    outside.join(" ")
}

/// The targets of Markdown links in `text`.
fn links(text: &str) -> Vec<&str> {
    text.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next()).collect()
}

/// The anchors that headings of `page` make.
fn anchors(page: &str) -> BTreeSet<String> {
    let anchor = |heading: &str| -> String {
        heading
            .trim_start_matches('#')
            .trim()
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect()
    };
    page.split("```")
        .step_by(2)
        .flat_map(str::lines)
        .filter(|l| l.starts_with('#'))
        .map(anchor)
        .collect()
}

#[test]
fn no_link_is_dead() {
    let pages = pages();
    assert!(pages.iter().any(|page| page.ends_with("README.md")), "the pages were not found");
    let mut dead = Vec::new();
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        for link in links(&prose(&text)) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target =
                if path.is_empty() { page.clone() } else { page.parent().unwrap().join(path) };
            let alive = target.exists()
                && (anchor.is_empty()
                    || anchors(&fs::read_to_string(&target).unwrap()).contains(anchor));
            if !alive {
                dead.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(dead.is_empty(), "{dead:#?}");
}

#[test]
fn the_table_of_settings_is_the_code_s() {
    assert!(
        read("docs/configuration.md").contains(&markdown()),
        "docs/configuration.md is behind: put the output of `cargo run -p local -- config --markdown` in it"
    );
}

/// Names in capitals with underscores, such as `REDIS_URL`, that stand before a colon.
fn environment_of(template: &str) -> Vec<&str> {
    template
        .lines()
        .filter_map(|line| line.trim().split_once(':'))
        .map(|(name, _)| name)
        .filter(|name| {
            name.contains('_') && name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
        })
        .collect()
}

#[test]
fn the_template_sets_only_variables_that_are_read() {
    let template = read("template.yaml");
    let names = environment_of(&template);
    assert!(names.contains(&"REDIS_PREFIX"), "{names:?}");
    // OpenTelemetry's own variables are read by its exporter.
    for name in names.into_iter().filter(|name| !name.starts_with("OTEL_EXPORTER_OTLP_")) {
        assert!(VARIABLES.iter().any(|variable| variable.name == name), "{name} is not read");
    }
}

#[test]
fn no_secret_stands_in_the_template() {
    let template = read("template.yaml");
    let lines: Vec<&str> = template.lines().collect();
    for variable in VARIABLES.iter().filter(|variable| variable.secret) {
        let at = lines
            .iter()
            .position(|line| line.trim().starts_with(&format!("{}:", variable.name)))
            .expect(variable.name);
        let value = lines[at..at + 4].join("\n");
        assert!(value.contains("{{resolve:secretsmanager:"), "{}", variable.name);
    }
}

/// The names of CloudWatch metrics that the drain writes, the basic ones or all.
fn metrics(all: bool) -> BTreeSet<String> {
    let mut report = Report::default();
    (report.remaining, report.oldest_gathered_ms) = (Some(Remaining::NONE), Some(0));
    let line: Value = serde_json::from_str(&drain::metrics(&report, "engineo", 0, all)).unwrap();
    let metrics = line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap();
    metrics.iter().map(|metric| metric["Name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_list_of_log_fields_is_the_drain_s_line() {
    let mut report = Report::default();
    (report.remaining, report.oldest_gathered_ms) = (Some(Remaining::NONE), Some(0));
    (report.lost, report.missing, report.unscheduled, report.batches) = (1, 1, 1, 1);
    report.counters.add(MALFORMED_ROWS, 1);
    report.counters.add(DROPS_GIVEN_UP, 1);
    report.queues = [("crawl".to_owned(), Report::default())].into();
    let line: Value = serde_json::from_str(&drain::metrics(&report, "engineo", 0, true)).unwrap();
    let written = line.as_object().unwrap().keys().filter(|key| *key != "_aws");
    let written: BTreeSet<&str> = written.map(String::as_str).collect();

    let page = read("docs/troubleshooting.md");
    let (_, section) = page.split_once("## Log fields").unwrap();
    let (_, table) = section.split_once("| --- | --- |\n").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let listed: BTreeSet<&str> = table.split('`').skip(1).step_by(2).collect();
    assert_eq!(listed, written);
    let bold: BTreeSet<&str> =
        table.split("**`").skip(1).filter_map(|it| it.split('`').next()).collect();
    assert_eq!(bold, drain::BASIC.into());
}

#[test]
fn alarms_watch_metrics_that_the_drain_writes() {
    let template = read("template.yaml");
    let named = |text: &str| -> Option<String> {
        let (_, rest) = text.split_once("MetricName: ")?;
        Some(rest.chars().take_while(char::is_ascii_alphabetic).collect())
    };
    let watched: Vec<String> =
        template.split("Namespace: EngineO/DEO").skip(1).filter_map(named).collect();
    assert_eq!(watched.len(), 7, "{watched:?}");
    let basic = metrics(false);
    for name in watched {
        assert!(metrics(true).contains(&name), "the drain writes no {name}");
        // Those that watch another metric are made only where all are kept.
        let (alarms, _) = template.split_once(&format!("MetricName: {name}")).unwrap();
        let (_, alarm) = alarms.rsplit_once("Type: AWS::CloudWatch::Alarm").unwrap();
        let is_of_all = ["AllAlarms", "GatheringAlarms"].iter().any(|it| alarm.contains(it));
        assert!(basic.contains(&name) || is_of_all, "{name} is kept only with all metrics");
    }
}

#[test]
fn the_dashboard_shows_metrics_that_the_drain_writes() {
    let template = read("template.yaml");
    let (_, body) = template.split_once("DashboardBody: !Sub |\n").unwrap();
    let (body, _) = body.split_once("\n\n").unwrap();
    let dashboard: Value = serde_json::from_str(body).unwrap();
    let widgets = dashboard["widgets"].as_array().unwrap();
    let shown: Vec<&str> = widgets
        .iter()
        .flat_map(|widget| widget["properties"]["metrics"].as_array().unwrap())
        .filter(|metric| metric[0] == "EngineO/DEO")
        .map(|metric| metric[1].as_str().unwrap())
        .collect();
    assert!(shown.contains(&"Completed"), "{shown:?}");
    for name in shown {
        assert!(metrics(false).contains(name), "the drain does not always keep {name}");
    }
}

#[test]
fn every_stage_overrides_parameters_that_exist() {
    let template = read("template.yaml");
    let samconfig = read("samconfig.toml");
    let overrides: Vec<&str> = samconfig
        .lines()
        .filter_map(|line| line.trim().strip_prefix('"')?.split_once('='))
        .map(|(name, _)| name)
        .collect();
    assert!(overrides.contains(&"Stage"), "{overrides:?}");
    for name in overrides {
        assert!(template.contains(&format!("\n  {name}:\n    Type: ")), "{name} is no parameter");
    }
}

#[test]
fn each_function_s_timeout_is_the_same_for_sam_and_cargo_lambda() {
    let template = read("template.yaml");
    for function in ["api", "drain", "cron"] {
        let manifest = read(&format!("functions/{function}/Cargo.toml"));
        let timeout = manifest.lines().find_map(|line| line.strip_prefix("timeout = ")).unwrap();
        let (_, resource) =
            template.split_once(&format!("CodeUri: functions/{function}\n")).unwrap();
        let sam = resource.lines().find_map(|line| line.trim().strip_prefix("Timeout: ")).unwrap();
        assert_eq!(sam, timeout, "{function}");
    }
}

/// The lines of `[profile.release]`.
fn release_profile(manifest: &str) -> BTreeSet<String> {
    let manifest = read(manifest);
    let (_, profile) = manifest.split_once("[profile.release]\n").unwrap();
    profile.lines().take_while(|line| line.contains(" = ")).map(str::to_owned).collect()
}

#[test]
fn one_job_s_panic_does_not_end_its_batch_and_hello_world_is_built_alike() {
    let ours = release_profile("Cargo.toml");
    // Where the profile says nothing, cargo-lambda builds with `panic = "abort"`.
    assert!(ours.contains("panic = \"unwind\""), "{ours:?}");
    assert_eq!(release_profile("local/cold-start/hello/Cargo.toml"), ours);
}

#[test]
fn every_command_that_is_named_exists() {
    let pages: Vec<String> = pages().iter().map(|page| fs::read_to_string(page).unwrap()).collect();
    let mut commands = BTreeSet::new();
    for text in &pages {
        for start in ["cargo run -p local -- ", "cargo run -q -p local -- ", "`deo ", "\ndeo "] {
            for rest in text.split(start).skip(1) {
                // `queue` has commands of its own.
                let length = if rest.starts_with("queue ") { 2 } else { 1 };
                let words = rest.split([' ', '`', '\n', '*']).take(length);
                let is_word = |word: &&str| {
                    !word.starts_with('-')
                        && word.starts_with(|c: char| c.is_ascii_lowercase())
                        && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
                };
                commands.insert(words.take_while(is_word).collect::<Vec<_>>());
            }
        }
    }
    assert!(commands.contains(["demo"].as_slice()), "{commands:?}");
    for command in commands {
        let mut help = Command::new(env!("CARGO_BIN_EXE_deo"));
        let known = help.arg("help").args(&command).output().unwrap().status.success();
        assert!(known, "deo {command:?} is documented and does not exist");
    }
}

/// A crate that is not among those whose every word may be told would log warnings alone.
#[test]
fn every_crate_of_ours_may_log() {
    let manifest = read("Cargo.toml");
    let (_, members) = manifest.split_once("members = [").unwrap();
    let (members, _) = members.split_once(']').unwrap();
    let mut crates = BTreeSet::from(["deo".to_owned(), "deo_worker".to_owned()]);
    for member in members.split('"').skip(1).step_by(2) {
        let manifest = read(&format!("{member}/Cargo.toml"));
        let name = manifest.lines().find_map(|line| line.strip_prefix("name = ")).unwrap();
        crates.insert(name.trim_matches('"').replace('-', "_"));
    }
    assert_eq!(crates, OURS.map(str::to_owned).into());
}

#[test]
fn the_permissions_are_the_code_s() {
    let page = read("docs/permissions.md");
    assert!(page.contains(&redis::operator_line()), "{}", redis::operator_line());
    for function in Function::ALL {
        let line = redis::line(function, "engineo", ["deo_score_queue"]);
        for text in [line, postgres::statements(function)] {
            assert!(
                page.contains(&text),
                "docs/permissions.md is behind: put the output of `cargo run -p local -- permissions` in it: {text}"
            );
        }
    }
}

#[test]
fn the_api_serves_the_description_that_its_code_has() {
    assert!(
        read("functions/api/openapi.json") == api::openapi(),
        "functions/api/openapi.json is behind: run `cargo run -p local -- openapi --output functions/api/openapi.json`"
    );
}

#[test]
fn an_idle_month_costs_the_commands_that_the_pages_say() {
    let (figures, prices) = (Figures::measured(), Prices::built_in().unwrap());
    let commands = ours(&Workload::IDLE, &figures, &prices, "eu-central-1").unwrap().commands;
    let told = format!("{commands:.0}");
    let told = format!("{},{}", &told[..told.len() - 3], &told[told.len() - 3..]);
    for page in ["docs/deploy.md", "docs/figures.md"] {
        assert!(read(page).contains(&format!("{told} ")), "{page} does not say {told}");
    }
    let a_minute = commands / 30.0 / 1_440.0;
    assert!(read("README.md").contains(&format!("; {a_minute:.1} a minute |")), "{a_minute}");
}
