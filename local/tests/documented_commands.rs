//! The documentation's commands, run as they stand: every fenced `sh` block of `README.md` and `docs/`, a page after
//! the other, with servers in the environment in place of the reader's own. A block is left out only where the line
//! above it says why: `<!-- by hand: … -->`.
//!
//! It needs what the documentation tells to install, so it is not among the default tests:
//! `cargo test --workspace --test documented_commands`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

/// What a reader has by the time that they read on: settings (`deo with-servers` gives them) and the API's address. A
/// request that is refused is a command that failed.
const READER: &str = r#"
set -euo pipefail
API=$DEO_API_URL
curl() { command curl --silent --show-error --fail-with-body "$@"; echo; }
"#;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn pages() -> Vec<PathBuf> {
    let mut pages = vec![root().join("README.md")];
    let docs = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    pages.extend(docs.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    pages.sort();
    pages
}

/// A fenced block of commands.
struct Block {
    line: usize,
    commands: String,
    by_hand: bool,
}

fn blocks(page: &str) -> Vec<Block> {
    let lines: Vec<&str> = page.lines().collect();
    let mut blocks = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        if line.trim() != "```sh" {
            continue;
        }
        let inside = lines[at + 1..].iter().take_while(|line| line.trim() != "```");
        let commands: Vec<&str> = inside.map(|line| line.get(indent..).unwrap_or("")).collect();
        let above = at.checked_sub(1).map_or("", |above| lines[above].trim());
        let reason = above.strip_prefix("<!-- by hand: ").and_then(|it| it.strip_suffix(" -->"));
        let by_hand = reason.is_some_and(|reason| !reason.trim().is_empty());
        blocks.push(Block { line: at + 2, commands: commands.join("\n"), by_hand });
    }
    blocks
}

/// Runs a page's blocks in one shell, as its reader would.
fn run(page: &Path, blocks: &[Block]) {
    let name = page.strip_prefix(root()).unwrap().display().to_string();
    let mut script = READER.to_owned();
    for block in blocks.iter().filter(|block| !block.by_hand) {
        script += &format!("echo '---- {name}:{}'\n{}\n", block.line, block.commands);
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), script).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_deo"));
    // What cargo tells a test about its package would have the cargo in it build some of it once more.
    for (name, _) in env::vars() {
        if ["CARGO_MANIFEST_", "CARGO_PKG_"].iter().any(|prefix| name.starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    for variable in shared::config::VARIABLES {
        command.env_remove(variable.name);
    }
    let status = command
        .current_dir(root())
        .args(["with-servers", "--", "bash"])
        .arg(file.path())
        .stdin(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "{name}: the last command above failed ({status})");
}

#[test]
fn every_command_of_the_documentation_that_is_not_by_hand_works() {
    let (mut ran, mut by_hand) = (0, 0);
    for page in pages() {
        let blocks = blocks(&fs::read_to_string(&page).unwrap());
        by_hand += blocks.iter().filter(|block| block.by_hand).count();
        let to_run = blocks.iter().filter(|block| !block.by_hand).count();
        if to_run > 0 {
            run(&page, &blocks);
        }
        ran += to_run;
    }
    println!("{ran} blocks of commands were run, {by_hand} are by hand");
    assert!(ran > 0, "no block of commands was found");
}

#[test]
fn a_block_is_left_out_only_for_a_reason() {
    let page = "```sh\none\n```\n1. two\n\n   <!-- by hand: needs an account -->\n   ```sh\n   two\n\n     deeper\n   \
                ```\n<!-- by hand:  -->\n```sh\nthree\n```\n<!-- by hand: for a reason -->\n\n```sh\nfour\n```\n";
    let blocks: Vec<_> =
        blocks(page).into_iter().map(|block| (block.line, block.commands, block.by_hand)).collect();
    let expected = [
        (2, "one", false),
        (8, "two\n\n  deeper", true),
        (14, "three", false),
        (19, "four", false),
    ];
    assert_eq!(
        blocks,
        expected.map(|(line, commands, by_hand)| (line, commands.to_owned(), by_hand))
    );
}
