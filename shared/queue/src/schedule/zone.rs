//! Finds time zones by the names that BullMQ takes.

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

use super::shown;

/// A time zone.
#[derive(Clone, Debug)]
pub struct Zone(TimeZone);

impl Zone {
    /// The zone of this name: IANA's (`Europe/Berlin`), `UTC`, or `UTC+5:30`. `None` is this
    /// process's own zone, as it is in a BullMQ worker.
    ///
    /// # Errors
    /// When there is no such zone.
    pub fn named(name: Option<&str>) -> Result<Self, String> {
        let Some(name) = name else {
            return Ok(Self(TimeZone::try_system().unwrap_or(TimeZone::UTC)));
        };
        if let Some(zone) = fixed(name) {
            return Ok(Self(zone));
        }
        TimeZone::get(name).map(Self).map_err(|_| {
            format!("there is no time zone {}; write one as Europe/Berlin", shown(name))
        })
    }

    /// How far its clocks are ahead of UTC at `at` (both in milliseconds).
    pub(crate) fn offset_ms(&self, at: i64) -> i64 {
        let at = Timestamp::from_millisecond(at).unwrap_or(Timestamp::MAX);
        i64::from(self.0.to_offset(at).seconds()) * 1_000
    }
}

/// `UTC`, `GMT`, `UTC+2`, `UTC-05:30`.
fn fixed(name: &str) -> Option<TimeZone> {
    if name.eq_ignore_ascii_case("utc") || name.eq_ignore_ascii_case("gmt") {
        return Some(TimeZone::UTC);
    }
    let rest = name.get(..3).filter(|utc| utc.eq_ignore_ascii_case("utc")).map(|_| &name[3..])?;
    let sign = match rest.chars().next()? {
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    let (hours, minutes) = rest[1..].split_once(':').unwrap_or((&rest[1..], "0"));
    let (hours, minutes) = (hours.parse::<i32>().ok()?, minutes.parse::<i32>().ok()?);
    (hours < 24 && (0..60).contains(&minutes) && hours >= 0).then_some(())?;
    Some(TimeZone::fixed(Offset::from_seconds(sign * (hours * 3_600 + minutes * 60)).ok()?))
}
