//! Converts `timestamp(3)` without time zone, which holds UTC, to milliseconds since the Unix epoch.
//!
//! Whatever the column holds can be read: `infinity` and dates beyond ECMAScript's are `None`.

use std::error::Error;

use bytes::{BufMut, BytesMut};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

/// 2000-01-01, from which Postgres counts microseconds, in milliseconds since the Unix epoch.
const POSTGRES_EPOCH_MS: i64 = 946_684_800_000;

/// The farthest dates that the platform's `Date` can hold, in milliseconds from the Unix epoch.
const FARTHEST_MS: i64 = 8_640_000_000_000_000;

/// The earliest date that the platform's `Date` can hold.
pub(super) const EARLIEST_MS: i64 = -FARTHEST_MS;

/// A `timestamp` as Postgres sends it: microseconds since 2000.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Timestamp(i64);

impl Timestamp {
    /// `None` when Postgres has no such date.
    pub(super) fn from_ms(ms: i64) -> Option<Self> {
        let micros = ms.checked_sub(POSTGRES_EPOCH_MS)?.checked_mul(1_000)?;
        // The outermost values mean infinity.
        (i64::MIN < micros && micros < i64::MAX).then_some(Self(micros))
    }

    /// Milliseconds since the Unix epoch; `None` for `infinity` and for dates that the platform's
    /// `Date` cannot hold.
    pub(super) fn ms(self) -> Option<i64> {
        if self.0 == i64::MIN || self.0 == i64::MAX {
            return None;
        }
        let ms = self.0.div_euclid(1_000) + POSTGRES_EPOCH_MS;
        (EARLIEST_MS..=FARTHEST_MS).contains(&ms).then_some(ms)
    }
}

impl<'a> FromSql<'a> for Timestamp {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(i64::from_be_bytes(raw.try_into()?)))
    }

    accepts!(TIMESTAMP);
}

impl ToSql for Timestamp {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.put_i64(self.0);
        Ok(IsNull::No)
    }

    accepts!(TIMESTAMP);
    to_sql_checked!();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_milliseconds() {
        for ms in [0, -1, 1_769_860_800_123, POSTGRES_EPOCH_MS, -62_135_596_800_000] {
            assert_eq!(Timestamp::from_ms(ms).unwrap().ms(), Some(ms));
        }
    }

    #[test]
    fn microseconds_round_down_on_both_sides_of_2000() {
        assert_eq!(Timestamp(1_999).ms(), Some(POSTGRES_EPOCH_MS + 1));
        assert_eq!(Timestamp(-1).ms(), Some(POSTGRES_EPOCH_MS - 1));
    }

    #[test]
    fn what_no_date_can_hold_is_none() {
        assert_eq!(Timestamp(i64::MAX).ms(), None);
        assert_eq!(Timestamp(i64::MIN).ms(), None);
        assert_eq!(Timestamp(i64::MAX - 1).ms(), None);
        assert_eq!(Timestamp::from_ms(i64::MAX), None);
        assert_eq!(Timestamp::from_ms(i64::MIN), None);
        assert_eq!(Timestamp::from_ms(FARTHEST_MS).unwrap().ms(), Some(FARTHEST_MS));
    }
}
