//! The credentials of a user's `deo up`: drawn once, and kept in a file that this user alone may read, so that they are
//! the same each time. Were they the same for everybody, any page that a browser here shows could use them.

use std::env;
use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rand::distr::{Alphanumeric, SampleString as _};
use rustix::process::geteuid;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::terminal::note;

/// Characters of each: some 190 bits.
const LENGTH: usize = 32;

/// Secrets of letters and digits.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(Debug, PartialEq))]
#[serde(rename_all = "camelCase")]
pub(super) struct Credentials {
    pub(super) redis_password: String,
    pub(super) postgres_password: String,
    pub(super) rest_token: String,
    pub(super) jwt_secret: String,
}

impl Credentials {
    /// Those of this user; new ones where none are kept, or the file was not this user's alone.
    pub(super) fn of_user() -> Self {
        let kept = path().map(|path| Self::kept_at(&path)).transpose();
        kept.unwrap_or_else(|error| {
            note(format!("The credentials are others next time: they cannot be kept ({error})."));
            None
        })
        .unwrap_or_else(Self::random)
    }

    fn kept_at(path: &Path) -> io::Result<Self> {
        if let Some(kept) = Self::read(path) {
            return Ok(kept);
        }
        let Some(folder) = path.parent() else { return Ok(Self::random()) };
        if let Some(base) = folder.parent() {
            fs::create_dir_all(base)?;
        }
        match DirBuilder::new().mode(0o700).create(folder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let ours = Self::random();
        // Its mode is 0600 from the start.
        let mut file = NamedTempFile::new_in(folder)?;
        file.write_all(serde_json::to_string(&ours)?.as_bytes())?;
        match file.persist_noclobber(path) {
            Ok(_) => Ok(ours),
            // Another `deo up` was first, or what is there cannot be used.
            Err(error) if error.error.kind() == ErrorKind::AlreadyExists => {
                match Self::read(path) {
                    Some(kept) => Ok(kept),
                    None => error.file.persist(path).map(|_| ours).map_err(|error| error.error),
                }
            }
            Err(error) => Err(error.error),
        }
    }

    /// What is kept, unless somebody else may have read or written it.
    fn read(path: &Path) -> Option<Self> {
        let file = File::open(path).ok()?;
        let meta = file.metadata().ok()?;
        let is_private = meta.uid() == geteuid().as_raw() && meta.mode() & 0o077 == 0;
        let kept: Self = serde_json::from_reader(&file).ok().filter(|_| is_private)?;
        let is_whole = kept.all().into_iter().all(|secret| secret.len() == LENGTH);
        is_whole.then_some(kept)
    }

    fn random() -> Self {
        let secret = || Alphanumeric.sample_string(&mut rand::rng(), LENGTH);
        Self {
            redis_password: secret(),
            postgres_password: secret(),
            rest_token: secret(),
            jwt_secret: secret(),
        }
    }

    fn all(&self) -> [&str; 4] {
        [&self.redis_password, &self.postgres_password, &self.rest_token, &self.jwt_secret]
    }
}

/// Where they are kept: in the user's folder for what programs keep. `None` where there is none.
fn path() -> Option<PathBuf> {
    let folder = |name: &str| env::var_os(name).filter(|it| !it.is_empty()).map(PathBuf::from);
    let base = folder("XDG_STATE_HOME")
        .or_else(|| folder("HOME").map(|home| home.join(".local/state")))?;
    Some(base.join("deo").join("credentials.json"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn they_are_drawn_once_and_this_user_s_alone() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("state/deo/credentials.json");
        let first = Credentials::kept_at(&path).unwrap();
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        assert_eq!(Credentials::kept_at(&path).unwrap(), first);
        let mut all = first.all();
        all.sort_unstable();
        assert!(all.windows(2).all(|two| two[0] != two[1]));
        assert!(all.iter().all(|it| it.len() == LENGTH && it.chars().all(char::is_alphanumeric)));
        assert_eq!(
            fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1,
            "nothing else is left"
        );
    }

    #[test]
    fn what_others_may_have_read_or_is_cut_short_is_replaced() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("deo/credentials.json");
        let mut before = Credentials::kept_at(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        for spoil in [
            "",
            "{}",
            r#"{"redisPassword":"","postgresPassword":"","restToken":"","jwtSecret":""}"#,
        ] {
            let next = Credentials::kept_at(&path).unwrap();
            assert_ne!(next, before);
            assert_eq!(mode(&path), 0o600);
            assert_eq!(Credentials::kept_at(&path).unwrap(), next);
            fs::write(&path, spoil).unwrap();
            before = next;
        }
    }
}
