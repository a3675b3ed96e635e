//! The file by which commands in other terminals find a running `deo up`.
//!
//! It is there for one user of one machine, and readable by that user alone. The running `deo up` holds a lock on
//! it, which ends with the process however that ends: a file without one is stale, and not heeded.

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use rustix::process::geteuid;
use serde::{Deserialize, Serialize};

/// How often a lock is tried: who looks whether a file is stale holds it for a moment.
const TRIES: u32 = 5;

/// What a running `deo up` tells.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Running {
    pub(super) pid: u32,
    /// What a command needs in its environment.
    pub(super) settings: BTreeMap<String, String>,
    /// What a person may want there besides: the API's address, a project, tokens.
    pub(super) extras: BTreeMap<String, String>,
}

/// The file while its `deo up` runs. Dropped, it is gone.
#[derive(Debug)]
pub(super) struct Held {
    path: PathBuf,
    _locked: File,
}

/// How it went to tell others.
#[derive(Debug)]
pub(super) enum Told {
    /// They find this one.
    Here { _held: Held },
    /// They find another one, which was here before.
    Another,
    /// There is no place to tell it.
    Nowhere,
}

/// Where the file is: in the user's folder for what runs, or else for what is kept. `None` where there is neither.
fn path() -> Option<PathBuf> {
    let folder = |name: &str| env::var_os(name).filter(|it| !it.is_empty()).map(PathBuf::from);
    let base = folder("XDG_RUNTIME_DIR")
        .or_else(|| folder("XDG_STATE_HOME"))
        .or_else(|| folder("HOME").map(|home| home.join(".local/state")))?;
    Some(base.join("deo").join("up.json"))
}

/// Tells others of `running` for as long as what comes back lives.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn tell(running: &Running) -> io::Result<Told> {
    let Some(path) = path() else { return Ok(Told::Nowhere) };
    let (Some(folder), Some(base)) = (path.parent(), path.ancestors().nth(2)) else {
        return Ok(Told::Nowhere);
    };
    // The folder for what runs is made by the system, or not at all.
    let is_made = env::var_os("XDG_RUNTIME_DIR").is_none_or(|it| it.is_empty());
    if is_made {
        fs::create_dir_all(base)?;
    } else if !base.is_dir() {
        return Ok(Told::Nowhere);
    }
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    for _ in 0..TRIES {
        let mut open = OpenOptions::new();
        let mut file = open.create(true).truncate(false).write(true).mode(0o600).open(&path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                sleep(Duration::from_millis(20));
                continue;
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // Its last owner may have removed it meanwhile.
        let is_there = fs::metadata(&path)
            .and_then(|there| Ok(there.ino() == file.metadata()?.ino()))
            .unwrap_or(false);
        if !is_there {
            continue;
        }
        file.set_permissions(Permissions::from_mode(0o600))?;
        file.set_len(0)?;
        file.write_all(serde_json::to_string(running)?.as_bytes())?;
        return Ok(Told::Here { _held: Held { path, _locked: file } });
    }
    Ok(Told::Another)
}

/// The `deo up` that runs; `None` where none does, or its file is not this user's alone.
pub(super) fn find() -> Option<Running> {
    let path = path()?;
    let file = File::open(&path).ok()?;
    let meta = file.metadata().ok()?;
    let is_private = meta.uid() == geteuid().as_raw() && meta.mode() & 0o077 == 0;
    // Whoever gets the lock sees that nobody has it.
    let is_held = matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
    if !is_private || !is_held {
        return None;
    }
    serde_json::from_reader(&file).ok()
}

impl Running {
    /// Lines for a shell: `export NAME='value'`.
    pub(super) fn exports(&self) -> impl Iterator<Item = String> {
        self.settings.iter().chain(&self.extras).map(|(name, value)| export(name, value))
    }
}

/// `export NAME='value'`, whatever the value holds.
pub(super) fn export(name: &str, value: &str) -> String {
    format!("export {name}='{}'", value.replace('\'', "'\\''"))
}

impl Drop for Held {
    fn drop(&mut self) {
        // An error means that somebody has removed it.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::export;

    #[test]
    fn a_value_is_one_word_for_a_shell() {
        assert_eq!(export("A", "b c"), "export A='b c'");
        assert_eq!(export("A", "it's"), "export A='it'\\''s'");
    }
}
