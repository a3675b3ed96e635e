//! `docs/reliability.md` names the faults that there are, the invariants that are looked at, and tests that exist and
//! run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use local::verify::Invariant;

fn page() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    fs::read_to_string(root.join("docs/reliability.md")).unwrap()
}

#[test]
fn the_table_of_faults_is_what_chaos_lists() {
    let list = Command::new(env!("CARGO_BIN_EXE_deo")).args(["chaos", "--list"]).output().unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    assert!(list.lines().count() > 30, "{list}");
    assert!(
        page().contains(&list),
        "docs/reliability.md is behind: put the output of `deo chaos --list` in it"
    );
}

/// The row of each invariant: what it promises, and the tests that are named for it.
fn rows(page: &str) -> Vec<(String, Vec<String>)> {
    let row = |invariant: Invariant| {
        let start = format!("| {invariant:?} | ");
        let row = page.lines().find_map(|line| line.strip_prefix(&start));
        let (promise, tests) =
            row.unwrap_or_else(|| panic!("no row of {start}")).split_once(" | ").unwrap();
        let tests = tests.trim_end_matches(" |").split(", ");
        (promise.to_owned(), tests.map(|test| test.trim_matches('`').to_owned()).collect())
    };
    Invariant::ALL.into_iter().map(row).collect()
}

#[test]
fn each_invariant_stands_there_as_it_is_looked_at() {
    let rows = rows(&page());
    for ((promise, _), invariant) in rows.iter().zip(Invariant::ALL) {
        assert_eq!(promise, invariant.promise(), "{invariant:?}");
    }
}

/// Why a test named `binary::module::…::name` does not run; `None` where it does.
fn missing(test: &str) -> Option<String> {
    let parts: Vec<&str> = test.split("::").collect();
    let [binary, modules @ .., name] = parts.as_slice() else {
        return Some(format!("{test} is no binary and a test in it"));
    };
    let mut place = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(binary);
    let mut file = place.join("main.rs");
    for module in modules {
        let text = fs::read_to_string(&file).unwrap_or_default();
        if !text.lines().any(|line| line.trim() == format!("mod {module};")) {
            return Some(format!("{} has no module {module}", file.display()));
        }
        place.push(module);
        file = file_of(&place);
    }
    let Ok(text) = fs::read_to_string(&file) else {
        return Some(format!("{} is not there", file.display()));
    };
    runs(&text, name).err()
}

fn file_of(place: &Path) -> PathBuf {
    let file = place.with_extension("rs");
    if file.exists() { file } else { place.join("mod.rs") }
}

/// Whether `text` has a test of this name that is not left out.
fn runs(text: &str, name: &str) -> Result<(), String> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let ends = [format!("fn {name}() {{"), format!("async fn {name}() {{")];
    let at = lines.iter().position(|line| ends.iter().any(|end| line == end));
    let at = at.ok_or_else(|| format!("there is no test {name}"))?;
    let attributes = lines[..at].iter().rev().take_while(|line| line.starts_with("#["));
    let attributes: Vec<&&str> = attributes.collect();
    if !attributes.iter().any(|it| it.starts_with("#[test]") || it.starts_with("#[tokio::test")) {
        return Err(format!("{name} is no test"));
    }
    match attributes.iter().any(|it| it.contains("ignore") || it.contains("cfg")) {
        true => Err(format!("{name} is left out")),
        false => Ok(()),
    }
}

#[test]
fn every_test_that_is_named_for_an_invariant_exists_and_runs() {
    let manifest = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap();
    for (_, tests) in rows(&page()) {
        assert!(tests.len() >= 4, "{tests:?}");
        for test in tests {
            assert_eq!(missing(&test), None, "{test}");
            let binary = test.split("::").next().unwrap();
            let is_left_out = manifest.contains(&format!("name = \"{binary}\"\ntest = false"));
            assert!(!is_left_out, "{binary} is not among the default tests");
        }
    }
}

#[test]
fn a_test_that_is_gone_or_left_out_is_seen() {
    for (text, expected) in [
        ("#[test]\nfn a() {\n", None),
        ("#[tokio::test(flavor = \"multi_thread\")]\nasync fn a() {\n", None),
        ("#[test]\n#[ignore]\nfn a() {\n", Some("a is left out")),
        ("fn a() {\n", Some("a is no test")),
        ("#[test]\nfn ab() {\n", Some("there is no test a")),
    ] {
        assert_eq!(runs(text, "a").err().as_deref(), expected, "{text}");
    }
    for gone in ["queue::no_such_module::a", "queue::adding::no_such_test", "cli::main::a"] {
        assert!(missing(gone).is_some(), "{gone}");
    }
}
