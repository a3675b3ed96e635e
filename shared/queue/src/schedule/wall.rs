//! Moves a moment on a zone's clock as luxon does: cron-parser counts with that.

use super::zone::Zone;
use crate::clock::{civil, days};

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A step of the hands.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unit {
    Second,
    Minute,
    Hour,
}

impl Unit {
    fn ms(self) -> i64 {
        match self {
            Self::Second => SECOND,
            Self::Minute => MINUTE,
            Self::Hour => HOUR,
        }
    }
}

/// A moment, and what the clocks of a zone show then.
#[derive(Clone, Debug)]
pub(crate) struct Wall<'a> {
    zone: &'a Zone,
    /// Milliseconds since the epoch.
    at: i64,
    /// How far the zone's clocks are ahead of UTC then: milliseconds.
    offset: i64,
}

impl<'a> Wall<'a> {
    pub(crate) fn new(at: i64, zone: &'a Zone) -> Self {
        Self { zone, at, offset: zone.offset_ms(at) }
    }

    /// Milliseconds since the epoch.
    pub(crate) fn ms(&self) -> i64 {
        self.at
    }

    /// How far the zone's clocks are ahead of UTC: milliseconds.
    pub(crate) fn offset(&self) -> i64 {
        self.offset
    }

    fn local(&self) -> i64 {
        self.at + self.offset
    }

    /// The day since the epoch.
    pub(crate) fn day(&self) -> i64 {
        self.local().div_euclid(DAY)
    }

    pub(crate) fn month(&self) -> u32 {
        // From 1 to 12.
        civil(self.day()).1 as u32
    }

    pub(crate) fn hour(&self) -> u32 {
        (self.local().rem_euclid(DAY) / HOUR) as u32
    }

    pub(crate) fn minute(&self) -> u32 {
        (self.local().rem_euclid(HOUR) / MINUTE) as u32
    }

    pub(crate) fn second(&self) -> u32 {
        (self.local().rem_euclid(MINUTE) / SECOND) as u32
    }

    /// On by a time that passes, whatever the clocks do.
    pub(crate) fn add(&mut self, unit: Unit) {
        self.go(self.at + unit.ms());
    }

    /// To the beginning of the hour, minute or second.
    pub(crate) fn start(&mut self, unit: Unit) {
        self.show(self.local().div_euclid(unit.ms()) * unit.ms());
    }

    /// To the beginning of the next day.
    pub(crate) fn next_day(&mut self) {
        *self = self.days_on(1);
    }

    /// The beginning of the day so many days later.
    pub(crate) fn days_on(&self, days: i64) -> Self {
        let mut later = self.clone();
        later.show(self.local() + days * DAY);
        later.start_day();
        later
    }

    /// To the beginning of the day.
    pub(crate) fn start_day(&mut self) {
        self.show(self.day() * DAY);
    }

    /// To the beginning of the next month.
    pub(crate) fn next_month(&mut self) {
        let (year, month, day) = civil(self.day());
        let (year, month) = (year + month / 12, month % 12 + 1);
        let length = days(year + month / 12, month % 12 + 1, 1) - days(year, month, 1);
        let time = self.local().rem_euclid(DAY);
        self.show(days(year, month, day.min(length)) * DAY + time);
        let (year, month, _) = civil(self.day());
        self.show(days(year, month, 1) * DAY);
    }

    /// The millisecond before.
    pub(crate) fn just_before(&self) -> Self {
        Self::new(self.at - 1, self.zone)
    }

    pub(crate) fn set_hour(&mut self, hour: u32) {
        self.show(self.local() + (i64::from(hour) - i64::from(self.hour())) * HOUR);
    }

    pub(crate) fn set_minute(&mut self, minute: u32) {
        self.show(self.local() + (i64::from(minute) - i64::from(self.minute())) * MINUTE);
    }

    pub(crate) fn set_second(&mut self, second: u32) {
        self.show(self.local() + (i64::from(second) - i64::from(self.second())) * SECOND);
    }

    fn go(&mut self, at: i64) {
        self.at = at;
        self.offset = self.zone.offset_ms(at);
    }

    /// To the moment at which the clocks show `local`. Of two it is the one on this side of the
    /// change; a time that the clocks skip happens as much later as they were put forward.
    fn show(&mut self, local: i64) {
        let guess = local - self.offset;
        let there = self.zone.offset_ms(guess);
        if there == self.offset {
            self.at = guess;
            return;
        }
        let beyond = self.zone.offset_ms(local - there);
        self.go(local - there.min(beyond));
    }
}
