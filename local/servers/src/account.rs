//! The account under which a server runs: Postgres refuses to run as root.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// An unprivileged account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    /// User id.
    pub(super) uid: u32,
    /// Group id.
    pub(super) gid: u32,
}

impl Account {
    /// `None` when we are not root and need no other account; else `postgres` or `nobody`.
    pub(super) fn for_postgres() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            return None;
        }
        let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
        // A machine without either gets the number that `nobody` has almost everywhere.
        let nobody = Self { uid: 65_534, gid: 65_534 };
        Some(Self::find(&accounts, &["postgres", "nobody"]).unwrap_or(nobody))
    }

    /// The first of `names` in the text of `/etc/passwd`.
    fn find(passwd: &str, names: &[&str]) -> Option<Self> {
        names.iter().find_map(|name| {
            passwd.lines().find_map(|line| {
                let mut fields = line.split(':');
                let (found, _password) = (fields.next()?, fields.next()?);
                let (uid, gid) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
                (found == *name && uid != 0).then_some(Self { uid, gid })
            })
        })
    }

    /// Makes `command` run under this account. Root's other groups are given up with it.
    pub(super) fn apply(&self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }
}

#[cfg(test)]
mod tests {
    use super::Account;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\n\
        nobody:x:65534:65533:nobody:/:/bin/false\n\
        postgres:x:101:104:PostgreSQL:/var/lib/postgresql:/bin/bash\n";

    #[test]
    fn the_order_of_names_decides() {
        let found = |names: &[&str]| Account::find(PASSWD, names).map(|a| (a.uid, a.gid));
        assert_eq!(found(&["postgres", "nobody"]), Some((101, 104)));
        assert_eq!(found(&["absent", "nobody"]), Some((65534, 65533)));
        assert_eq!(found(&["absent"]), None);
    }

    #[test]
    fn root_is_never_the_answer() {
        assert_eq!(Account::find(PASSWD, &["root"]), None);
    }
}
