//! Cron patterns and the times that they mean, as npm's cron-parser has them: 4.9.0, which BullMQ 5
//! uses, or 5.10.3, which BullMQ 6 uses.
//!
//! A reader of our own, because two peers must come to the same millisecond, else one job becomes
//! two: of 5,000 generated patterns the crate croner 4 refused 1,387 that cron-parser 4.9.0 reads,
//! and gave other times for 125. `local/interop/bullmq/cron.test.mjs` holds this one against both.

use super::field::{DAYS, Field, Kind};
use super::wall::Wall;
use super::zone::Zone;
use super::{Dialect, shown, walk};
use crate::clock::{civil, days};

/// The longest pattern that BullMQ 6 reads.
const MOST_CHARACTERS: usize = 1_024;

/// Short names of patterns, and whether BullMQ 5 knows them.
const MACROS: [(&str, &str, bool); 10] = [
    ("@yearly", "0 0 0 1 1 *", true),
    ("@annually", "0 0 0 1 1 *", false),
    ("@monthly", "0 0 0 1 * *", true),
    ("@weekly", "0 0 0 * * 0", true),
    ("@daily", "0 0 0 * * *", true),
    ("@hourly", "0 0 * * * *", true),
    ("@minutely", "0 * * * * *", false),
    ("@secondly", "* * * * * *", false),
    ("@weekdays", "0 0 0 * * 1-5", false),
    ("@weekends", "0 0 0 * * 0,6", false),
];

/// A cron pattern: seconds (may be left out), minutes, hours, days of the month, months, weekdays.
#[derive(Clone, Debug)]
pub struct Cron {
    dialect: Dialect,
    pub(crate) second: Field,
    pub(crate) minute: Field,
    pub(crate) hour: Field,
    day: Field,
    pub(crate) month: Field,
    weekday: Field,
    /// `1#2`: only the second one of a month.
    nth: Option<u32>,
    /// The day of the month is `*`.
    any_day: bool,
    /// The weekday is `*`.
    any_weekday: bool,
}

impl Cron {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn parse(pattern: &str, dialect: Dialect) -> Result<Self, String> {
        if pattern.len() > MOST_CHARACTERS && dialect == Dialect::Six {
            return Err(format!("the pattern has more than {MOST_CHARACTERS} characters"));
        }
        let known = |(name, _, five): &&(&str, &str, bool)| {
            *name == pattern && (*five || dialect == Dialect::Six)
        };
        let pattern = MACROS.iter().find(known).map_or(pattern, |(_, meaning, _)| meaning);
        let mut atoms: Vec<&str> = pattern.split_whitespace().collect();
        if atoms.is_empty() || atoms.len() > 6 {
            return Err(format!(
                "the pattern {} has {} fields instead of five, or six with seconds first",
                shown(pattern),
                atoms.len()
            ));
        }
        let missing = 6 - atoms.len();
        atoms.splice(0..0, ["0", "*", "*", "*", "*", "*"].into_iter().take(missing));
        // Six of them from here on.
        let field = |kind, at: usize| Field::parse(kind, atoms[at], dialect);
        let (weekday, nth) = nth(atoms[5])?;
        let mut cron = Self {
            dialect,
            second: field(Kind::Second, 0)?,
            minute: field(Kind::Minute, 1)?,
            hour: field(Kind::Hour, 2)?,
            day: field(Kind::Day, 3)?,
            month: field(Kind::Month, 4)?,
            weekday: Field::parse(Kind::Weekday, weekday, dialect)?,
            nth,
            any_day: matches!(atoms[3], "*" | "?"),
            any_weekday: matches!(atoms[5], "*" | "?"),
        };
        if dialect == Dialect::Five {
            // The older parser looks at how many values there are, not at how they were written.
            cron.any_weekday = cron.weekday.listed == 8;
        }
        cron.fit_days(pattern)?;
        Ok(cron)
    }

    /// Drops days that the only month does not have. To have none left is a mistake, for BullMQ 6
    /// only where no other day is meant.
    fn fit_days(&mut self, pattern: &str) -> Result<(), String> {
        if self.month.listed != 1 {
            return Ok(());
        }
        // The one that is listed is from 1 to 12.
        let most = DAYS[self.month.values.trailing_zeros() as usize - 1];
        let other_days = self.dialect == Dialect::Six && (self.day.last != 0 || !self.any_weekday);
        if self.day.values != 0 && self.day.values.trailing_zeros() > most && !other_days {
            return Err(format!(
                "the pattern {} names a day that its month does not have",
                shown(pattern)
            ));
        }
        let beyond = self.day.values & (u64::MAX << (most + 1));
        // Each was listed at least once.
        self.day.listed -= beyond.count_ones() as usize;
        self.day.values &= !beyond;
        Ok(())
    }

    /// The first time after `after_ms` (milliseconds since the epoch), in `zone`. `None` when there
    /// is none, or when cron-parser would give up looking for it.
    ///
    /// A time that a zone's clocks skip in spring happens as much later as they were put forward;
    /// one that they repeat in autumn happens the first time only. A pattern for every hour follows
    /// the clock instead. That holds for changes by an hour, by night; of others see [`super::walk`].
    pub fn next(&self, after_ms: i64, zone: &Zone) -> Option<i64> {
        let next = match self.dialect {
            Dialect::Five => walk::five(self, after_ms, zone),
            Dialect::Six => walk::six(self, after_ms, zone),
        };
        // What JavaScript knows no time for, no peer would wait for.
        next.filter(|ms| *ms <= walk::MOST_MS)
    }

    /// Whether the days of month and week take this day.
    pub(crate) fn on(&self, wall: &Wall) -> bool {
        let day = wall.day();
        // Months are from 1 to 12.
        let (year, month, date) = civil(day);
        let (Ok(date), Ok(weekday)) = (u32::try_from(date), u32::try_from((day + 4).rem_euclid(7)))
        else {
            return false;
        };
        let length = (days(year + month / 12, month % 12 + 1, 1) - days(year, month, 1)) as u32;
        // Whether another month begins within so many days. The older parser asks the zone, of which
        // some left out the last day of a month.
        let ends_within = |days: u32| match self.dialect {
            Dialect::Five => i64::from(wall.days_on(days.into()).month()) != month,
            Dialect::Six => date + days > length,
        };
        let by_day = self.day.has(date) || (self.day.last != 0 && ends_within(1));
        let last = [weekday, weekday + 7].map(|weekday| self.weekday.last >> weekday & 1);
        let last = last != [0, 0] && ends_within(7);
        let nth = self.nth.is_none_or(|nth| date.div_ceil(7) == nth);
        match self.dialect {
            Dialect::Five => {
                let by_weekday = self.weekday.has(weekday) || last;
                let any_day = self.day.listed >= DAYS[(month - 1) as usize] as usize;
                let restricted = any_day && !self.any_weekday;
                nth && (by_day || (by_weekday && !self.any_weekday)) && (by_weekday || !restricted)
            }
            Dialect::Six => {
                let by_weekday = (self.weekday.has(weekday) && nth) || last;
                match (self.any_day, self.any_weekday) {
                    (_, true) => by_day,
                    (true, false) => by_weekday,
                    (false, false) => by_day || by_weekday,
                }
            }
        }
    }
}

/// Cuts `1#2` into the weekday and which one of the month.
fn nth(text: &str) -> Result<(&str, Option<u32>), String> {
    let Some((weekday, nth)) = text.split_once('#') else { return Ok((text, None)) };
    let digits = nth.parse::<u32>().ok().filter(|nth| (1..=5).contains(nth));
    if digits.is_none() || weekday.contains([',', '-', '/']) {
        return Err(format!(
            "the day of week {} is not one weekday and, after #, 1 to 5",
            shown(text)
        ));
    }
    Ok((weekday, digits))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Counted in milliseconds, JavaScript's time ends 100,000,000 days after the epoch, at midnight.
    #[test]
    fn no_time_comes_after_the_last_one() {
        let utc = Zone::named(Some("UTC")).unwrap();
        for dialect in [Dialect::Five, Dialect::Six] {
            let next = |pattern, after| Cron::parse(pattern, dialect).unwrap().next(after, &utc);
            let midnight = walk::MOST_MS;
            assert_eq!(next("0 0 * * *", midnight - 1), Some(midnight), "{dialect:?}");
            for (pattern, after) in
                [("0 0 * * *", midnight), ("0 0 1 1 *", midnight - 1), ("* * * * *", midnight + 1)]
            {
                assert_eq!(next(pattern, after), None, "{dialect:?}: {pattern}");
            }
        }
    }
}
