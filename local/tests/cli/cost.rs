//! `deo cost`, with figures that were measured before and with figures that it measures.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Output};

use fixture::built;
use serde_json::Value;

fn cost(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_deo"));
    for variable in shared::config::VARIABLES {
        command.env_remove(variable.name);
    }
    command.arg("cost").args(arguments).output().unwrap()
}

fn told(arguments: &[&str]) -> String {
    let output = cost(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&told(&[arguments, &["--json"]].concat())).unwrap()
}

#[test]
fn each_line_shows_its_formula_and_the_prices_their_date() {
    let text = told(&["--projects", "7000", "--recomputes", "1100"]);
    for formula in ["30 days x 1,440 x 110", "30 days x 1,100 x 31", "their sum / 100,000 x $0.2"] {
        assert!(text.contains(formula), "{text}");
    }
    let told = json(&[]);
    for bill in told["bills"].as_array().unwrap() {
        for line in bill["lines"].as_array().unwrap() {
            assert!(!line["formula"].as_str().unwrap().is_empty(), "{line}");
        }
    }
    let date = told["prices"]["date"].as_str().unwrap();
    assert!(text.contains(&format!("Prices of {date}")) && text.contains("check them"), "{text}");
}

#[test]
fn a_slower_tick_costs_fewer_commands() {
    let commands = |every| json(&["--every", every])["bills"][0]["commands"].as_f64().unwrap();
    assert!(commands("5m") < commands("1m"));
}

#[test]
fn what_is_left_out_is_told_and_when_a_fixed_plan_makes_both_equal() {
    let little = told(&["--projects", "7000", "--recomputes", "1100"]);
    assert!(little.contains("Not in it: storage"), "{little}");
    assert!(little.contains("The plan to take at Upstash: the free one."), "{little}");
    assert!(little.contains("fixed plan of $10.00 (250 MB) is dearer"), "{little}");
    assert!(little.contains("is cheaper: no command is billed"), "a worker's polling: {little}");
    assert!(!little.contains("Redis costs the same"), "{little}");
    let much = told(&["--recomputes", "100000"]);
    assert!(much.contains("Redis costs the same: what counts then is jobs a second"), "{much}");
}

#[test]
fn the_slowest_tick_is_taken_that_is_soon_enough() {
    let every = |within| json(&["--within", within])["workload"]["everyS"].as_f64().unwrap();
    assert_eq!(["1m", "4m", "5m", "1h"].map(every), [60.0, 120.0, 300.0, 900.0]);
    let text = told(&["--within", "4m"]);
    assert!(text.contains("DrainEveryMinutes=2 is the slowest tick within that time"), "{text}");
    assert!(!told(&[]).contains("DrainEveryMinutes"));
    let errors = String::from_utf8(cost(&["--within", "30s"]).stderr).unwrap();
    assert!(errors.contains("DrainWake takes jobs at once"), "{errors}");
}

#[test]
fn a_price_table_of_ones_own_counts() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("prices.json");
    let dear = include_str!("../../src/cost/prices.json")
        .replace("\"us-east-1\": 0.0000133334", "\"mars-1\": 1.0");
    std::fs::write(&file, dear).unwrap();
    let told = json(&["--region", "mars-1", "--prices", file.to_str().unwrap()]);
    assert!(told["bills"][0]["dollars"].as_f64().unwrap() > 0.0);

    let elsewhere = cost(&["--region", "mars-1"]);
    assert!(!elsewhere.status.success());
    let errors = String::from_utf8(elsewhere.stderr).unwrap();
    assert!(errors.contains("no Lambda in mars-1, but in ap-northeast-1"), "{errors}");

    std::fs::write(&file, "{}").unwrap();
    let broken = cost(&["--prices", file.to_str().unwrap()]);
    assert!(String::from_utf8(broken.stderr).unwrap().contains("missing field"));
}

/// The functions as they are now, laid out as `cargo lambda build` does.
fn bootstraps(folder: &Path) {
    let programs = built::functions();
    for function in ["api", "drain", "cron"] {
        std::fs::create_dir(folder.join(function)).unwrap();
        symlink(programs.join(function), folder.join(function).join("bootstrap")).unwrap();
    }
}

#[test]
fn what_it_measures_is_what_the_functions_do() {
    let folder = tempfile::tempdir().unwrap();
    bootstraps(folder.path());
    let measure = ["--measure", "--sample", "200", "--bootstraps", folder.path().to_str().unwrap()];
    let told = json(&measure);
    let figures = &told["figures"];
    let commands = |what: &str| figures[what]["commands"].as_f64().unwrap();
    assert!((commands("idleTick") - 1.0).abs() < f64::EPSILON, "{figures}");
    assert!((figures["idleTick"]["roundTrips"].as_f64().unwrap() - 1.0).abs() < f64::EPSILON);
    assert!((3.0..7.0).contains(&commands("job")), "{figures}");
    assert!((5.0..40.0).contains(&commands("busyTick")), "{figures}");
    assert!((1.0..20.0).contains(&commands("asked")), "{figures}");
    assert!((1.0..7.0).contains(&commands("nightly")), "{figures}");
    for what in ["idleTick", "busyTick", "job", "asked", "nightly"] {
        for figure in ["ms", "sentBytes"] {
            assert!(figures[what][figure].as_f64().unwrap() > 0.0, "{what}: {figures}");
        }
    }
    for what in ["idleTick", "asked"] {
        assert!(figures[what]["logBytes"].as_f64().unwrap() > 100.0, "{what}: {figures}");
    }
    let peak = figures["peakBytes"].as_u64().unwrap();
    assert!((1_000_000..64_000_000).contains(&peak), "{peak}");
}

#[test]
fn functions_that_are_built_for_another_machine_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    for function in ["api", "drain", "cron"] {
        let program = folder.path().join(function).join("bootstrap");
        std::fs::create_dir(folder.path().join(function)).unwrap();
        std::fs::write(&program, b"\x7fELF of another machine").unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let output = cost(&["--measure", "--bootstraps", folder.path().to_str().unwrap()]);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("built for another kind of machine: `cargo lambda build"), "{errors}");
}

#[test]
fn functions_that_are_not_built_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let output = cost(&["--measure", "--bootstraps", folder.path().to_str().unwrap()]);
    assert!(!output.status.success());
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("drain/bootstrap is not there: `cargo lambda build"), "{errors}");
}
