//! Servers in containers, where a Docker engine runs.

use std::path::Path;
use std::process::Command;

use super::error::Error;
use super::tools;

/// The same file that a person may use by hand.
const COMPOSE: &str = include_str!("../../docker-compose.yml");

/// The compose file's name in a server's folder, gone when its containers are.
pub(super) const FILE: &str = "docker-compose.yml";

/// Brings one service up, stays, and takes it down when asked to end. `$1` is the service, the rest
/// the compose command.
const ATTENDED: &str = r#"
service=$1; shift
trap '"$@" down --volumes --timeout 1; rm docker-compose.yml; exit' TERM INT
"$@" up --detach --wait "$service" & wait $! || { "$@" down --volumes; exit 1; }
while :; do sleep 3600 & wait $!; done
"#;

/// Whether an engine answers: a client may be installed without one.
pub(super) fn engine_runs() -> bool {
    tools::run(Command::new("docker").arg("info")).is_ok()
}

/// A command that holds `service` of our compose file up, with `settings` as its environment.
///
/// # Errors
/// When neither `docker compose` nor `docker-compose` is installed, or the file cannot be written.
pub(super) fn attended(
    folder: &Path,
    service: &str,
    settings: &[(&str, String)],
) -> Result<Command, Error> {
    let file = folder.join(FILE);
    std::fs::write(&file, COMPOSE).map_err(Error::io("writing docker-compose.yml"))?;
    let plugin = tools::run(Command::new("docker").args(["compose", "version"])).is_ok();
    let compose: &[&str] = if plugin { &["docker", "compose"] } else { &["docker-compose"] };
    if !plugin && tools::on_path(compose).is_none() {
        return Err(Error::NoWay(
            "Docker's engine runs, but neither `docker compose` nor `docker-compose` is installed"
                .to_owned(),
        ));
    }
    let project: String = folder
        .file_name()
        .map(|name| name.to_string_lossy().to_lowercase())
        .unwrap_or_default()
        .replace('.', "");
    let mut command = Command::new("/bin/sh");
    command.args(["-c", ATTENDED, "sh", service]).args(compose);
    command.args(["--project-name", &project, "--file"]).arg(&file);
    command.envs(settings.iter().map(|(name, value)| (name, value)));
    Ok(command)
}
