//! Starts a private PgBouncer in transaction mode, as in front of a Neon database.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::account::Account;
use super::error::Error;
use super::process::{self, Process, Stop};
use super::tools;

/// Where Debian has it, which is on no user's `PATH`.
const PROGRAM: &str = "/usr/sbin/pgbouncer";

/// How long it may take until it listens.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server that a pooler stands in front of.
#[derive(Clone, Debug)]
pub struct Pooled {
    /// The port on 127.0.0.1.
    pub port: u16,
    /// Whom all its clients are to the server.
    pub user: String,
    /// That user's password.
    pub password: String,
}

/// A private PgBouncer on a free port of the loopback, which lets anybody in. Dropping it stops it.
#[derive(Debug)]
pub struct Pooler {
    // Dropped in this order: the process ends before its folder goes.
    _process: Process,
    _folder: TempDir,
    port: u16,
}

impl Pooler {
    /// Whether PgBouncer is installed.
    pub fn is_installed() -> bool {
        tools::is_program(Path::new(PROGRAM))
    }

    /// Starts one in front of `server`, with `settings` of its configuration's section `pgbouncer` (one a
    /// line) over a pool of three connections.
    ///
    /// # Errors
    /// When it is not installed or does not start, with the end of its log.
    pub async fn start(server: &Pooled, settings: &str) -> Result<Self, Error> {
        let account = Account::for_postgres();
        let folder = process::folder("deo-pgbouncer-", account.as_ref())?;
        let port = process::free_port()?;
        let Pooled { port: server_port, user, password } = server;
        let file = folder.path().join("pgbouncer.ini");
        let text = format!(
            "[databases]\n* = host=127.0.0.1 port={server_port} user={user} password={password}\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = any\npool_mode = transaction\ndefault_pool_size = 3\n{settings}\n"
        );
        fs::write(&file, text).map_err(Error::io("writing pgbouncer.ini"))?;
        if let Some(account) = &account {
            std::os::unix::fs::chown(&file, Some(account.uid), Some(account.gid))
                .map_err(Error::io("giving pgbouncer.ini to an unprivileged account"))?;
        }
        let mut command = Command::new(PROGRAM);
        command.arg(&file);
        let mut process = Process::spawn(&command, folder.path(), account.as_ref(), Stop::Kill)?;
        let patience = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            let ended = matches!(process.ended(), Ok(Some(_)));
            if ended || Instant::now() > patience {
                let reason = if ended { "it ended" } else { "it does not listen" };
                let (program, log) = (PROGRAM.to_owned(), process::log_tail(folder.path()));
                return Err(Error::Start { program, reason: reason.to_owned(), log });
            }
            sleep(Duration::from_millis(5)).await;
        }
        Ok(Self { _process: process, _folder: folder, port })
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }
}
