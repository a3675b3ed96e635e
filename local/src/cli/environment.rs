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

use super::running;
use crate::Failure;
use crate::settings::given;
use crate::terminal::note;

/// Has the id of the process that was started anew. Its children have another one, and read their own.
const DONE: &str = "DEO_ENVIRONMENT_OF";

/// The servers of a system. They come from one place: a queue's jobs are not to be done on another system's rows.
const SERVERS: [&str; 6] = [
    "REDIS_URL",
    "UPSTASH_REDIS_REST_URL",
    "UPSTASH_REDIS_REST_TOKEN",
    "KV_REST_API_URL",
    "KV_REST_API_TOKEN",
    "DATABASE_URL",
];

/// Adds to the environment what `file` says and, for a command that `works_on` a system, where none is chosen, what
/// a running `deo up` does. Does not return where there is anything to add: this program begins anew with it.
///
/// # Errors
/// When the file cannot be read or names other servers than the environment, or the program cannot be started anew.
pub(super) fn complete(file: Option<&Path>, works_on: bool) -> Result<(), Failure> {
    if env::var(DONE).is_ok_and(|pid| pid == process::id().to_string()) {
        return Ok(());
    }
    let mut added = match file {
        Some(file) => from_file(&ProcessEnv, read(file)?)?,
        None => BTreeMap::new(),
    };
    if works_on
        && !is_chosen(&added)
        && !is_chosen(&ProcessEnv)
        && let Some(running) = running::find()
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

/// Whether `env` has chosen a system, or a part of one: nothing of another one is added.
fn is_chosen(env: &impl Env) -> bool {
    SERVERS.into_iter().chain(["JWT_SECRET"]).any(|name| given(env, name).is_some())
}

/// What a file's `settings` add to `env`.
///
/// # Errors
/// When each of them names a server that the other one does not name, or names otherwise.
fn from_file(
    env: &impl Env,
    settings: BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Failure> {
    // A server that is named in one place alone, or otherwise there.
    let own = |here: &dyn Fn(&str) -> Option<String>, there: &dyn Fn(&str) -> Option<String>| {
        SERVERS.into_iter().find(|name| here(name).is_some() && here(name) != there(name))
    };
    let (ours, file_s) = (|name: &str| given(env, name), |name: &str| given(&settings, name));
    if let (Some(ours), Some(file_s)) = (own(&ours, &file_s), own(&file_s, &ours)) {
        return Err(format!(
            "the environment has {ours} and --env-file has {file_s} of its own, and servers of two systems are not mixed: \
             unset what the environment names, or take it out of the file"
        )
        .into());
    }
    Ok(unless_given(env, settings))
}

/// Those `settings` for which `env` has nothing: what is given stays. An empty one sets nothing.
fn unless_given(env: &impl Env, settings: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let adds = |name: &str, value: &str| !value.trim().is_empty() && given(env, name).is_none();
    settings.into_iter().filter(|(name, value)| adds(name, value)).collect()
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

    #[test]
    fn a_running_system_is_taken_where_none_is_named_and_never_in_part() {
        assert!(!is_chosen(&env(&[])));
        assert!(!is_chosen(&env(&[("REDIS_PREFIX", "mine"), ("DATABASE_URL", "")])));
        for name in SERVERS.into_iter().chain(["JWT_SECRET"]) {
            assert!(is_chosen(&env(&[(name, "x")])), "{name}");
        }
    }

    #[test]
    fn servers_of_a_file_and_of_the_environment_are_not_mixed() {
        let file = [("REDIS_URL", "redis://f"), ("DATABASE_URL", "postgres://f"), ("A", "f")];
        let added = |ours: &[(&str, &str)], file: &[(&str, &str)]| {
            from_file(&env(ours), env(file)).map_err(|error| error.to_string())
        };
        for (ours, file, named) in [
            (
                &[("DATABASE_URL", "postgres://canary")][..],
                &file[..],
                ["DATABASE_URL", "REDIS_URL"],
            ),
            (&[("DATABASE_URL", "postgres://canary")], &file[..1], ["DATABASE_URL", "REDIS_URL"]),
            (&[("REDIS_URL", "redis://canary")], &file, ["REDIS_URL", "REDIS_URL"]),
            (&[("KV_REST_API_TOKEN", "canary")], &file[1..], ["KV_REST_API_TOKEN", "DATABASE_URL"]),
            (
                &[("REDIS_URL", "redis://f"), ("UPSTASH_REDIS_REST_TOKEN", "canary")],
                &file,
                ["UPSTASH_REDIS_REST_TOKEN", "DATABASE_URL"],
            ),
        ] {
            let error = added(ours, file).unwrap_err();
            let [ours, file_s] = named;
            let told = format!("the environment has {ours} and --env-file has {file_s} of its own");
            assert!(error.starts_with(&told) && !error.contains("canary"), "{error}");
        }
        // All of one: an empty variable is none, and the same value is the same server.
        let empty = [("DATABASE_URL", " "), ("REDIS_URL", ""), ("JWT_SECRET", "s")];
        assert_eq!(added(&empty, &file).unwrap(), env(&file));
        assert_eq!(added(&file[..2], &file).unwrap(), env(&file[2..]));
        assert_eq!(added(&file[..1], &file).unwrap(), env(&file[1..]));
        let ours = [("REDIS_URL", "redis://e"), ("DATABASE_URL", "postgres://e")];
        let emptied = [("REDIS_URL", ""), ("DATABASE_URL", "postgres://e"), ("A", "f")];
        assert_eq!(added(&ours, &emptied).unwrap(), env(&file[2..]));
    }

    #[test]
    fn what_is_given_stays() {
        let given = env(&[("REDIS_PREFIX", "mine"), ("REDIS_URL", "")]);
        let settings = [("REDIS_PREFIX", "p"), ("REDIS_URL", "redis://h"), ("JWT_SECRET", "")];
        assert_eq!(unless_given(&given, env(&settings)), env(&settings[1..2]));
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
