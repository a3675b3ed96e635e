//! Examples at the end of each command's help, in one place: a command that has none fails a test.

use clap::Command;

/// What follows `deo` in the examples of each command, by its path.
const EXAMPLES: &[(&str, &[&str])] = &[
    ("bench", &["bench commands --ours", "bench rest"]),
    ("bench cold-start", &["bench cold-start --runs 20"]),
    ("bench commands", &["bench commands", "bench commands --ours --json"]),
    (
        "bench jobs",
        &[
            "bench jobs --workload shops",
            "bench jobs --workload noop --only ours-tcp --only ours-rest",
        ],
    ),
    ("bench latency", &["bench latency --ours --runs 50"]),
    ("bench rest", &["bench rest --rounds 3 --at-once 8"]),
    ("bench scripts", &["bench scripts --jobs 100000"]),
    ("chaos", &["chaos --list", "chaos --seed 7 --jobs 500 --shrink"]),
    (
        "completions",
        &["completions bash > ~/.local/share/bash-completion/completions/deo", "completions fish"],
    ),
    ("config", &["config", "--env-file local/.env config --json"]),
    (
        "cost",
        &[
            "cost --projects 3000 --recomputes 3000",
            "cost --within 5m",
            "cost --measure --json",
            "cost --reconcile week.log",
        ],
    ),
    ("demo", &["demo", "demo --projects 5 --json"]),
    ("doctor", &["doctor", "--env-file local/.env doctor --live"]),
    ("drain", &["drain --until-empty", "--env-file local/.env drain --json"]),
    (
        "enqueue",
        &["enqueue --project seed-1-p0000003", "enqueue --stale", "enqueue --all --delay 30m"],
    ),
    ("explain", &["explain seed-1-p0000003"]),
    ("history", &["history seed-1-p0000003 --from 2026-01-31"]),
    ("man", &["man | man -l -", "man --folder ~/.local/share/man/man1"]),
    ("migrate", &["migrate --check", "migrate --baseline", "migrate --prisma schema"]),
    ("openapi", &["openapi --output functions/api/openapi.json"]),
    ("permissions", &["permissions", "permissions --function drain"]),
    ("queue", &["queue watch", "queue jobs failed --reason timeout"]),
    ("queue clean", &["queue clean completed --older-than 7d"]),
    ("queue job", &["queue job 17", "queue job 17 --json"]),
    (
        "queue jobs",
        &["queue jobs wait --project seed-1-p0000003", "queue jobs failed --limit 100 --json"],
    ),
    (
        "queue limit",
        &["queue limit", "queue limit --concurrency 10 --rate 100/1m", "queue limit --rate none"],
    ),
    ("queue obliterate", &["queue obliterate --yes"]),
    ("queue pause", &["queue pause"]),
    ("queue prefixes", &["queue prefixes"]),
    ("queue promote", &["queue promote 17", "queue promote --all"]),
    ("queue remove", &["queue remove 17"]),
    ("queue resume", &["queue resume"]),
    ("queue retry", &["queue retry 17", "queue retry --all-failed --reason timeout"]),
    (
        "queue schedule",
        &["queue schedule list", "queue schedule upsert nightly --cron '0 3 * * *'"],
    ),
    ("queue schedule list", &["queue schedule list --json"]),
    ("queue schedule preview", &["queue schedule preview '0 3 * * MON-FRI' --tz Europe/Berlin"]),
    ("queue schedule remove", &["queue schedule remove nightly"]),
    (
        "queue schedule upsert",
        &[
            "queue schedule upsert nightly --cron '0 3 * * *' --tz Europe/Berlin",
            "queue schedule upsert hourly --every 1h --data '{\"projectId\":\"p1\"}'",
        ],
    ),
    ("queue stats", &["queue stats", "queue stats --deep", "queue stats --json"]),
    ("queue watch", &["queue watch --interval 1s", "queue watch --json --count 10"]),
    (
        "rest-gateway",
        &["rest-gateway --token local", "rest-gateway --token local --fault 429=0.05"],
    ),
    ("score", &["score < rows.jsonl"]),
    ("seed", &["seed", "seed --projects 1000 --pages 30"]),
    ("shadow", &["shadow --since 2026-01-31T12:00:00Z", "shadow --limit 1000 --json"]),
    (
        "simulate",
        &["simulate --jobs 100000 --within 6h", "simulate --jobs 100000 --drains 4 --json"],
    ),
    (
        "token",
        &["token --user seed-1-user", "token --user local-admin --role ADMIN --expires-in 1h"],
    ),
    ("up", &["up", "up --no-board --every 1s", "up --env"]),
    ("verify", &["verify --accepted accepted.jsonl --all-ended"]),
    (
        "with-servers",
        &["with-servers -- npm test", "with-servers -- sh -c 'curl $DEO_API_URL/health'"],
    ),
    ("worker", &["worker", "worker --every 10s --json"]),
];

/// Returns `command` with the examples of all commands below it.
pub(super) fn add(command: Command) -> Command {
    below(command, "")
}

fn below(command: Command, path: &str) -> Command {
    let names: Vec<String> =
        command.get_subcommands().map(|below| below.get_name().to_owned()).collect();
    names.into_iter().fold(command, |command, name| {
        let path = format!("{path} {name}").trim_start().to_owned();
        command.mut_subcommand(&name, |child| {
            let child = below(child, &path);
            let lines = EXAMPLES.iter().filter(|(of, _)| *of == path).flat_map(|(_, lines)| *lines);
            let lines: Vec<String> = lines.map(|line| format!("  deo {line}")).collect();
            if lines.is_empty() {
                child
            } else {
                child.after_help(format!("Examples:\n{}", lines.join("\n")))
            }
        })
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use clap::CommandFactory as _;

    use super::super::Cli;
    use super::*;

    /// The words of a line, as a shell makes them of it; what follows a `|`, `<` or `>` is the shell's.
    fn words(line: &str) -> Vec<String> {
        let line = line.split(['|', '<', '>']).next().unwrap();
        let script = format!("printf '%s\\n' {line}");
        let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    fn paths(command: &Command, path: &str, found: &mut Vec<String>) {
        for below in command.get_subcommands() {
            let path = format!("{path} {}", below.get_name()).trim_start().to_owned();
            paths(below, &path, found);
            found.push(path);
        }
    }

    #[test]
    fn every_command_s_help_ends_with_examples_that_are_right() {
        let mut commands = Vec::new();
        paths(&Cli::command(), "", &mut commands);
        for path in &commands {
            let mut command = add(Cli::command());
            let command = path
                .split(' ')
                .fold(&mut command, |command, name| command.find_subcommand_mut(name).unwrap());
            let help = command.render_help().to_string();
            assert!(help.contains("Examples:\n  deo "), "deo {path} has no example in its help");
        }
        for (path, lines) in EXAMPLES {
            assert!(commands.iter().any(|it| it == path), "there is no deo {path}");
            for line in *lines {
                let words = words(&format!("deo {line}"));
                let parsed = add(Cli::command()).try_get_matches_from(&words);
                let parsed = parsed.unwrap_or_else(|error| panic!("deo {line}: {error}"));
                let first = path.split(' ').next().unwrap();
                assert_eq!(parsed.subcommand_name(), Some(first), "deo {line} stands under {path}");
            }
        }
    }
}
