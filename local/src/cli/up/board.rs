//! bull-board beside the system, where Node is: installed once with locked versions, on the loopback only.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use shared::config::QueueOptions;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdin, Command};

use crate::cli::queue::shown;
use crate::servers::tools;
use crate::terminal::note;

/// The lines of its stderr.
type Errors = Lines<BufReader<ChildStderr>>;

/// Its port, where it is free and nobody asked for another.
pub(super) const PORT: u16 = 8788;

/// Everything that is installed, so that it goes with the program.
const FILES: [(&str, &str); 4] = [
    (".npmrc", include_str!("../../../board/.npmrc")),
    ("package.json", include_str!("../../../board/package.json")),
    ("package-lock.json", include_str!("../../../board/package-lock.json")),
    ("board.mjs", include_str!("../../../board/board.mjs")),
];

/// A running board. Dropped, it ends.
pub(super) struct Board {
    pub(super) url: String,
    pub(super) port: u16,
    child: Child,
    /// It ends when this does, even if nobody is left to end it.
    _held: Option<ChildStdin>,
}

impl Board {
    /// Installs bull-board where it is not there yet, and starts it.
    ///
    /// # Errors
    /// Why there is none, as the end of a sentence.
    pub(super) async fn start(
        redis_url: &str,
        queue: &QueueOptions,
        port: Option<u16>,
    ) -> Result<Self, String> {
        for program in ["node", "npm"] {
            if tools::on_path(&[program]).is_none() {
                return Err(format!("it needs Node 20 with npm, and there is no {program} here"));
            }
        }
        let installed = tokio::task::spawn_blocking(install).await;
        let folder = installed.map_err(|error| error.to_string())??;
        match port {
            Some(port) => Self::listen(&folder, redis_url, queue, port).await,
            None => match Self::listen(&folder, redis_url, queue, PORT).await {
                Err(_) => Self::listen(&folder, redis_url, queue, 0).await,
                started => started,
            },
        }
    }

    async fn listen(
        folder: &Path,
        redis_url: &str,
        queue: &QueueOptions,
        port: u16,
    ) -> Result<Self, String> {
        let mut child = Command::new("node")
            .arg(folder.join("board.mjs"))
            .env("REDIS_URL", redis_url)
            .env("REDIS_PREFIX", &queue.prefix)
            .env("BOARD_PORT", port.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A Ctrl-C in the terminal reaches its owner, who ends it in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("node cannot be started: {error}"))?;
        let held = child.stdin.take();
        let errors = child.stderr.take().map(|stderr| BufReader::new(stderr).lines());
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            let read = BufReader::new(stdout).read_line(&mut line).await;
            read.map_err(|error| format!("it cannot be heard: {error}"))?;
        }
        match line.trim().parse::<u16>() {
            Ok(port) => {
                tokio::spawn(tell(errors));
                let url = format!("http://127.0.0.1:{port}");
                Ok(Self { url, port, child, _held: held })
            }
            Err(_) => Err(format!("it ended: {}", cause(errors).await)),
        }
    }

    /// Ends it, and waits for its end.
    pub(super) async fn stop(mut self) {
        // An error means that it has ended.
        let _ = self.child.kill().await;
    }
}

/// Shows what the board complains of, each complaint once in a row: it repeats them with each new connection.
async fn tell(errors: Option<Errors>) {
    let Some(mut errors) = errors else { return };
    let mut last = None;
    while let Ok(Some(line)) = errors.next_line().await {
        if !line.trim().is_empty() && last.as_ref() != Some(&line) {
            note(shown::line(&line, 400));
            last = Some(line);
        }
    }
}

/// Why it ended, from what it said: the line with the error, or else the last one.
async fn cause(errors: Option<Errors>) -> String {
    let mut cause = None;
    if let Some(mut errors) = errors {
        while let Ok(Some(line)) = errors.next_line().await {
            let is_error = line.contains("Error: ");
            if !line.trim().is_empty() {
                cause = Some(shown::line(line.trim(), 400));
            }
            if is_error {
                break;
            }
        }
    }
    cause.unwrap_or_else(|| "is Node older than 20?".to_owned())
}

/// The folder where it is installed. Another set of files is another folder.
fn install() -> Result<PathBuf, String> {
    let mut hasher = DefaultHasher::new();
    FILES.hash(&mut hasher);
    let name = format!("board-{:016x}", hasher.finish());
    let installed = tools::npm_ci(&name, &FILES);
    installed.map_err(|error| format!("it cannot be installed: {error}"))
}
