//! Completes the environment before a command runs: from `--env-file`, and from a running `deo up`.
//!
//! Every command reads its settings from the environment, and so does what it starts. What is added is therefore
//! given to this program started anew in its own place: a process cannot safely change its environment once it has
//! threads.

use std::collections::BTreeMap;
use std::env;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{self, Command};

use shared::config::{Env, ProcessEnv};

use super::running::{self, Running};
use crate::Failure;
use crate::settings::given;
use crate::terminal::note;

/// Has the id of the process that was started anew. Its children have another one, and read their own.
const DONE: &str = "DEO_ENVIRONMENT_OF";

/// Who has set one of these has chosen a system; another one's are not mixed in.
const CHOICE: [&str; 7] = [
    "REDIS_URL",
    "UPSTASH_REDIS_REST_URL",
    "UPSTASH_REDIS_REST_TOKEN",
    "KV_REST_API_URL",
    "KV_REST_API_TOKEN",
    "DATABASE_URL",
    "JWT_SECRET",
];

/// Adds to the environment what `file` says and, for a command that `works_on` a system, where none is chosen, what
/// a running `deo up` does. Does not return where there is anything to add: this program begins anew with it.
///
/// # Errors
/// When the file cannot be read, or the program cannot be started anew.
pub(super) fn complete(file: Option<&Path>, works_on: bool) -> Result<(), Failure> {
    if env::var(DONE).is_ok_and(|pid| pid == process::id().to_string()) {
        return Ok(());
    }
    let mut added = match file {
        Some(file) => unless_given(&ProcessEnv, read(file)?),
        None => BTreeMap::new(),
    };
    if works_on
        && !CHOICE.iter().any(|name| added.contains_key(*name))
        && let Some(running) = chosen(&ProcessEnv, running::find)
    {
        note(format!(
            "Using the deo up that runs here (process {}); set REDIS_URL and DATABASE_URL to use another system.",
            running.pid
        ));
        added.extend(unless_given(&ProcessEnv, running.settings));
    }
    if added.is_empty() {
        return Ok(());
    }
    let mut arguments = env::args_os();
    let mut anew = Command::new(env::current_exe()?);
    if let Some(name) = arguments.next() {
        anew.arg0(name);
    }
    anew.args(arguments).envs(added).env(DONE, process::id().to_string());
    Err(format!("starting anew with the settings: {}", anew.exec()).into())
}

/// What `find` finds, unless `env` names a system, or a part of one.
fn chosen(env: &impl Env, find: impl FnOnce() -> Option<Running>) -> Option<Running> {
    let is_chosen = CHOICE.iter().any(|name| given(env, name).is_some());
    if is_chosen { None } else { find() }
}

/// Those `settings` for which `env` has nothing: what is given stays.
fn unless_given(env: &impl Env, settings: BTreeMap<String, String>) -> BTreeMap<String, String> {
    settings.into_iter().filter(|(name, _)| given(env, name).is_none()).collect()
}

/// The lines of a file in the form of `local/.env.example`.
fn read(file: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let place = file.display();
    let wrong = |error: dotenvy::Error| match error {
        dotenvy::Error::Io(error) => format!("--env-file {place}: {error}"),
        // The error has the line in it, which may hold a secret.
        _ => format!(
            "--env-file {place}: a line is not of the form NAME=value; put single quotes around the value"
        ),
    };
    let lines = dotenvy::from_path_iter(file).map_err(|error| match error {
        dotenvy::Error::Io(error) if error.kind() == io::ErrorKind::NotFound => {
            format!("--env-file {place}: there is no such file; local/.env.example is one to copy")
        }
        error => wrong(error),
    })?;
    Ok(lines.collect::<Result<_, _>>().map_err(wrong)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn running() -> Option<Running> {
        let settings = env(&[("REDIS_URL", "redis://127.0.0.1:1"), ("REDIS_PREFIX", "p")]);
        Some(Running { pid: 1, settings, extras: BTreeMap::new() })
    }

    #[test]
    fn a_running_system_is_taken_where_none_is_named_and_never_in_part() {
        assert!(chosen(&env(&[]), running).is_some());
        assert!(chosen(&env(&[("REDIS_PREFIX", "mine"), ("DATABASE_URL", "")]), running).is_some());
        for name in CHOICE {
            assert!(chosen(&env(&[(name, "x")]), running).is_none(), "{name}");
        }
    }

    #[test]
    fn what_is_given_stays() {
        let given = env(&[("REDIS_PREFIX", "mine"), ("REDIS_URL", "")]);
        let added = unless_given(&given, running().unwrap().settings);
        assert_eq!(added, env(&[("REDIS_URL", "redis://127.0.0.1:1")]));
    }

    #[test]
    fn a_file_is_read_as_a_shell_would_and_its_errors_show_none_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("env");
        std::fs::write(&file, "# a\nexport A='b c'\n\nB=\"d\"\nC=postgres://u:p@h/d?x=1\n")
            .unwrap();
        let expected = env(&[("A", "b c"), ("B", "d"), ("C", "postgres://u:p@h/d?x=1")]);
        assert_eq!(read(&file).unwrap(), expected);
        std::fs::write(&file, "SECRET=canary with space\n").unwrap();
        let error = read(&file).unwrap_err().to_string();
        assert!(error.contains("NAME=value") && !error.contains("canary"), "{error}");
        let error = read(&folder.path().join("none")).unwrap_err().to_string();
        assert!(error.contains("there is no such file"), "{error}");
    }
}
