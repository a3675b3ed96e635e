//! Says which snapshots stay in Postgres.

use std::fmt;
use std::str::FromStr;

/// Which snapshots stay (`SNAPSHOT_RETENTION`). A project's newest one always does.
///
/// ```
/// use shared::config::SnapshotRetention;
///
/// assert_eq!("all".parse(), Ok(SnapshotRetention::All));
/// assert_eq!("newest:30".parse(), Ok(SnapshotRetention::Newest(30)));
/// assert_eq!("weekly-after:90".parse(), Ok(SnapshotRetention::WeeklyAfterDays(90)));
/// assert!("newest:0".parse::<SnapshotRetention>().is_err());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SnapshotRetention {
    /// All of them.
    #[default]
    All,
    /// The newest so many of each project, at least 1.
    Newest(u32),
    /// All of the last so many days, and before that the newest of every calendar week (UTC, from
    /// Monday) of each project.
    WeeklyAfterDays(u32),
}

/// A text that is no [`SnapshotRetention`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("use `all`, `newest:N` (at least 1) or `weekly-after:DAYS`")]
pub struct UnknownRetention;

impl FromStr for SnapshotRetention {
    type Err = UnknownRetention;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |text: &str| text.parse().map_err(|_| UnknownRetention);
        match text.split_once(':') {
            None if text == "all" => Ok(Self::All),
            Some(("newest", count)) => match number(count)? {
                0 => Err(UnknownRetention),
                count => Ok(Self::Newest(count)),
            },
            Some(("weekly-after", days)) => Ok(Self::WeeklyAfterDays(number(days)?)),
            _ => Err(UnknownRetention),
        }
    }
}

impl fmt::Display for SnapshotRetention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Newest(count) => write!(f, "newest:{count}"),
            Self::WeeklyAfterDays(days) => write!(f, "weekly-after:{days}"),
        }
    }
}
