//! Reads one field of a cron pattern as npm's cron-parser does.

use super::{Dialect, shown};

/// Which field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Second,
    Minute,
    Hour,
    Day,
    Month,
    Weekday,
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// Days of each month; February has its longest.
pub(crate) const DAYS: [u32; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day of month",
            Self::Month => "month",
            Self::Weekday => "day of week",
        }
    }

    fn bounds(self) -> (u32, u32) {
        match self {
            Self::Second | Self::Minute => (0, 59),
            Self::Hour => (0, 23),
            Self::Day => (1, 31),
            Self::Month => (1, 12),
            Self::Weekday => (0, 7),
        }
    }

    fn takes(self, c: char, dialect: Dialect) -> bool {
        let days = matches!(self, Self::Day | Self::Weekday);
        match c {
            ',' | '*' | '-' | '/' | '0'..='9' => true,
            '?' => days || dialect == Dialect::Six,
            'L' => days,
            _ => false,
        }
    }
}

/// The values that a field stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Field {
    /// Bit n: the value n, of which none is above 59.
    pub(crate) values: u64,
    /// Bit n: the last weekday n of the month (0 and 7 are Sunday); bit 0 of the day of the month:
    /// its last day.
    pub(crate) last: u16,
    /// How many values were listed, repeated ones as often as they were.
    pub(crate) listed: usize,
}

impl Field {
    pub(crate) fn has(&self, value: u32) -> bool {
        self.values & (1 << value) != 0
    }

    /// The first value from `value` on.
    pub(crate) fn from(&self, value: u32) -> Option<u32> {
        let rest = if value < 64 { self.values & (u64::MAX << value) } else { 0 };
        (rest != 0).then(|| rest.trailing_zeros())
    }

    /// Reads a field.
    pub(crate) fn parse(kind: Kind, text: &str, dialect: Dialect) -> Result<Self, String> {
        let wrong = |what: &str| format!("the {} {} {what}", kind.name(), shown(text));
        let plain = numbers_for_names(kind, text).ok_or_else(|| wrong("has an unknown name"))?;
        if plain.contains('H') {
            return Err(wrong("has an H, a time that each process would choose for itself"));
        }
        if plain.is_empty() || !plain.chars().all(|c| kind.takes(c, dialect)) {
            return Err(wrong("has a character that does not belong there"));
        }
        let (min, max) = kind.bounds();
        let every = format!("{min}-{max}");
        let plain = match dialect {
            Dialect::Five if plain.contains('*') => plain.replace('*', &every),
            Dialect::Five => plain.replace('?', &every),
            Dialect::Six => plain.replace(['*', '?'], &every),
        };
        let mut field = Self::default();
        for atom in plain.split(',') {
            field.add(kind, atom, dialect).ok_or_else(|| wrong("cannot be read"))?;
        }
        let different = field.values.count_ones() + field.last.count_ones();
        if dialect == Dialect::Six && field.listed != different as usize {
            return Err(wrong("names a value twice, which BullMQ 6 refuses"));
        }
        Ok(field)
    }

    /// Adds one element of a list: a value, a range, or either with a step.
    fn add(&mut self, kind: Kind, atom: &str, dialect: Dialect) -> Option<()> {
        let (_, max) = kind.bounds();
        let mut parts = atom.split('/');
        let (range, step) = (parts.next()?, parts.next());
        if parts.next().is_some() {
            return None;
        }
        let single = !range.contains('-');
        match step {
            Some(step) if single && range.contains('L') => {
                // Version 4.9.0 of the parser takes no notice of such a step.
                (dialect == Dialect::Five && !step.is_empty()).then(|| self.last(kind, range))?
            }
            Some(step) if single => self.range(kind, number(range)?, max, number(step)?, dialect),
            Some(step) => {
                let (from, to) = bounds(range, dialect)?;
                self.range(kind, from, to, number(step)?, dialect)
            }
            None if single && range.contains('L') => self.last(kind, range),
            None if single => {
                let value = number(range)?;
                self.within(kind, value, value)?;
                self.list(if kind == Kind::Weekday { value % 7 } else { value });
                Some(())
            }
            None => {
                let (from, to) = bounds(range, dialect)?;
                self.range(kind, from, to, 1, dialect)
            }
        }
    }

    fn list(&mut self, value: u32) {
        self.values |= 1 << value;
        self.listed += 1;
    }

    fn within(&self, kind: Kind, from: u32, to: u32) -> Option<()> {
        let (min, max) = kind.bounds();
        (min <= from && from <= to && to <= max).then_some(())
    }

    fn range(&mut self, kind: Kind, from: u32, to: u32, step: u32, dialect: Dialect) -> Option<()> {
        self.within(kind, from, to)?;
        if step == 0 {
            return None;
        }
        // Sunday is 0 as well as 7.
        let sunday = kind == Kind::Weekday
            && to.is_multiple_of(7)
            && (dialect == Dialect::Five || (to - from).is_multiple_of(step));
        if sunday {
            self.list(0);
        }
        let mut value = from;
        while value <= to {
            if !(sunday && value == 0) {
                self.list(value);
            }
            value = value.checked_add(step)?;
        }
        Some(())
    }

    /// `L`: the last day of the month; `5L`: its last Friday.
    fn last(&mut self, kind: Kind, text: &str) -> Option<()> {
        let digits = text.strip_suffix('L')?;
        if digits.len() > 2 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let bit = if kind == Kind::Weekday { digits.chars().next()?.to_digit(10)? } else { 0 };
        // A digit.
        self.last |= 1 << bit;
        self.listed += 1;
        Some(())
    }
}

/// A whole number of digits only.
fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u32::MAX))
}

/// The two ends of `1-5`; what follows a second dash is not looked at by either parser.
fn bounds(range: &str, dialect: Dialect) -> Option<(u32, u32)> {
    let mut ends = range.split('-');
    let (from, to) = (number(ends.next()?)?, ends.next()?);
    if to.is_empty() && dialect == Dialect::Five {
        return Some((from, 0));
    }
    Some((from, number(to)?))
}

/// Months and weekdays by their numbers.
fn numbers_for_names(kind: Kind, text: &str) -> Option<String> {
    let names: &[&str] = match kind {
        Kind::Month => &MONTHS,
        Kind::Weekday => &WEEKDAYS,
        _ => return Some(text.to_owned()),
    };
    let first = usize::from(kind == Kind::Month);
    let (mut out, mut rest) = (String::new(), text);
    while let Some(c) = rest.chars().next() {
        let name = rest.get(..3).filter(|name| name.bytes().all(|b| b.is_ascii_alphabetic()));
        if let Some(name) = name {
            let at = names.iter().position(|known| name.eq_ignore_ascii_case(known))?;
            out += &(at + first).to_string();
            rest = &rest[3..];
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    Some(out)
}
