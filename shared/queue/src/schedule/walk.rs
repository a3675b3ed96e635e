//! Goes from one time of a pattern to the next, as cron-parser walks it.
//!
//! Where a zone's clocks change, what a pattern means is what the parsers' loops come to: they tell a
//! change by how far a step moves the hands, so that changes at midnight, by half an hour or by a day
//! come out in ways that no rule says. So both loops are kept here, step by step.

use super::cron::Cron;
use super::wall::{Unit, Wall};
use super::zone::Zone;

/// Steps after which both parsers give up.
const MOST_STEPS: u32 = 10_000;

/// The greatest time that JavaScript knows: milliseconds.
pub(crate) const MOST_MS: i64 = 8_640_000_000_000_000;

/// The first time after `after_ms`, as cron-parser 4.9.0 finds it.
pub(crate) fn five(cron: &Cron, after_ms: i64, zone: &Zone) -> Option<i64> {
    let wall = within(after_ms, zone)?;
    let every_hour = cron.hour.listed == 24;
    let mut walk = Five { every_hour, wall, landing: None, repeated: None };
    for _ in 1..MOST_STEPS {
        if !cron.on(&walk.wall) {
            walk.past(false);
            continue;
        }
        if !cron.month.has(walk.wall.month()) {
            walk.past(true);
            continue;
        }
        let hour = walk.wall.hour();
        if !cron.hour.has(hour) {
            if walk.landing != Some(hour) {
                walk.landing = None;
                walk.step(Unit::Hour);
                continue;
            }
            // Only the hour just before the one that the clocks went on with counts as skipped.
            if hour.checked_sub(1).is_none_or(|skipped| !cron.hour.has(skipped)) {
                walk.add(Unit::Hour);
                continue;
            }
        } else if walk.repeated == Some(hour) {
            walk.repeated = None;
            walk.step(Unit::Hour);
            continue;
        }
        if !cron.minute.has(walk.wall.minute()) {
            walk.step(Unit::Minute);
        } else if !cron.second.has(walk.wall.second()) || walk.wall.ms() == after_ms {
            walk.step(Unit::Second);
        } else {
            return Some(walk.wall.ms());
        }
    }
    None
}

/// cron-parser 4.9.0 under way.
struct Five<'a> {
    every_hour: bool,
    wall: Wall<'a>,
    /// The hour with which the clocks went on after one that they skipped.
    landing: Option<u32>,
    /// The hour that the clocks repeat.
    repeated: Option<u32>,
}

impl Five<'_> {
    fn add(&mut self, unit: Unit) {
        let before = self.wall.ms();
        self.wall.add(unit);
        self.wall.start(unit);
        let ms = self.wall.ms();
        if ms < before || (ms == before && matches!(unit, Unit::Hour)) {
            self.wall.add(Unit::Hour);
        }
    }

    fn step(&mut self, unit: Unit) {
        let before = self.wall.hour();
        self.add(unit);
        let hour = self.wall.hour();
        if self.every_hour {
            return;
        }
        if hour == before + 2 {
            self.landing = Some(hour);
        } else if hour == before && self.wall.minute() == 0 && self.wall.second() == 0 {
            self.repeated = Some(hour);
        }
    }

    /// To the next day or month, which may not exist.
    fn past(&mut self, month: bool) {
        let before = self.wall.ms();
        if month {
            self.wall.next_month()
        } else {
            self.wall.next_day()
        }
        if self.wall.ms() == before && self.wall.minute() == 0 && self.wall.second() == 0 {
            self.add(Unit::Hour);
        }
    }
}

/// The first time after `after_ms`, as cron-parser 5.10.3 finds it.
pub(crate) fn six(cron: &Cron, after_ms: i64, zone: &Zone) -> Option<i64> {
    let wall = within(after_ms, zone)?;
    let every_hour = cron.hour.listed == 24;
    let mut walk = Six { cron, every_hour, wall, gap: None, repeated: None, changes: None };
    if after_ms.rem_euclid(1_000) > 0 {
        walk.wall.start(Unit::Second);
        walk.step(Unit::Second);
    }
    for _ in 1..MOST_STEPS {
        let wall = &mut walk.wall;
        if !cron.month.has(wall.month()) {
            wall.next_month();
        } else if !cron.on(wall) {
            wall.next_day();
        } else if walk.hour()? {
            let wall = &mut walk.wall;
            if !cron.minute.has(wall.minute()) {
                match cron.minute.from(wall.minute() + 1) {
                    Some(minute) => wall.set_minute(minute),
                    None => {
                        walk.step(Unit::Hour);
                        walk.wall.set_minute(cron.minute.from(0)?);
                    }
                }
                walk.wall.set_second(cron.second.from(0)?);
            } else if !cron.second.has(wall.second()) {
                match cron.second.from(wall.second() + 1) {
                    Some(second) => wall.set_second(second),
                    None => {
                        walk.step(Unit::Minute);
                        walk.wall.set_second(cron.second.from(0)?);
                    }
                }
            } else if wall.ms() == after_ms {
                walk.step(Unit::Second);
            } else {
                return Some(wall.ms());
            }
        }
    }
    None
}

/// cron-parser 5.10.3 under way.
struct Six<'a> {
    cron: &'a Cron,
    every_hour: bool,
    wall: Wall<'a>,
    /// The first hour that the clocks skipped, and the one that they went on with.
    gap: Option<(u32, u32)>,
    /// The hour that the clocks repeat.
    repeated: Option<u32>,
    /// The day that was last looked at, and whether the clocks change on it.
    changes: Option<(i64, bool)>,
}

impl Six<'_> {
    fn step(&mut self, unit: Unit) {
        let (before, offset) = (self.wall.hour(), self.wall.offset());
        self.wall.add(unit);
        if !matches!(unit, Unit::Second) {
            self.wall.start(unit);
        }
        let hour = self.wall.hour();
        if self.every_hour {
            return;
        }
        let advance = (hour + 24 - before) % 24;
        if self.wall.offset() > offset && advance >= 2 {
            self.gap = Some(((before + 1) % 24, hour));
        } else if advance == 0 && self.wall.minute() == 0 && self.wall.second() == 0 {
            self.repeated = Some(hour);
        }
    }

    /// Whether the hour is one of the pattern's; if not, it is left behind.
    fn hour(&mut self) -> Option<bool> {
        let (cron, hour) = (self.cron, self.wall.hour());
        if let Some((first, landing)) = self.gap
            && landing == hour
        {
            let skipped = (hour + 24 - first) % 24;
            if (0..skipped).any(|n| cron.hour.has((first + n) % 24)) {
                return Some(true);
            }
        }
        if self.repeated == Some(hour) {
            self.repeated = None;
            self.step(Unit::Hour);
            return Some(false);
        }
        if cron.hour.has(hour) {
            return Some(true);
        }
        self.gap = None;
        let Some(next) = cron.hour.from(hour + 1) else {
            self.wall.next_day();
            return Some(false);
        };
        if self.changes() {
            for _ in hour..next {
                self.step(Unit::Hour);
                if self.wall.hour() >= next {
                    break;
                }
            }
        } else {
            self.wall.set_hour(next);
        }
        self.wall.set_minute(cron.minute.from(0)?);
        self.wall.set_second(cron.second.from(0)?);
        Some(false)
    }

    /// Whether the clocks change on this day.
    fn changes(&mut self) -> bool {
        let day = self.wall.day();
        if let Some((known, changes)) = self.changes
            && known == day
        {
            return changes;
        }
        let mut start = self.wall.clone();
        start.start_day();
        let mut end = self.wall.clone();
        end.next_day();
        let end = end.just_before();
        let changes = start.offset() != end.offset();
        self.changes = Some((day, changes));
        changes
    }
}

/// A moment that JavaScript knows.
fn within(ms: i64, zone: &Zone) -> Option<Wall<'_>> {
    (-MOST_MS..=MOST_MS).contains(&ms).then(|| Wall::new(ms, zone))
}
