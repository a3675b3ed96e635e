//! Reads and writes instants as ECMAScript does: `2026-01-31T12:00:00.000Z`.
//!
//! Years beyond four digits carry a sign and have six, as in `+010000-01-01T00:00:00.000Z`. The
//! calendar is the proleptic Gregorian one, without leap seconds. It is little enough to do without a
//! crate for dates in every function.

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// ECMAScript's first and last instant lie this far from the epoch.
const RANGE_MS: i64 = 100_000_000 * DAY_MS;

/// `ms` (milliseconds since the Unix epoch) in UTC with milliseconds.
pub fn to_iso8601(ms: i64) -> String {
    let (year, month, day) = civil(ms.div_euclid(DAY_MS));
    let year = match year {
        0..=9_999 => format!("{year:04}"),
        _ => format!("{year:+07}"),
    };
    let ms = ms.rem_euclid(DAY_MS);
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
    format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", ms % 1_000)
}

/// Milliseconds since the Unix epoch of `text`; `None` when it is no date of ECMAScript's format.
///
/// A date alone is its midnight. Seconds and their fraction may be left out; of the fraction only
/// milliseconds count. The time may end in `Z` or an offset such as `+01:00`; without either it is
/// UTC too, since that is what the platform's columns hold.
pub fn from_iso8601(text: &str) -> Option<i64> {
    let mut rest = text.as_bytes();
    let days = date(&mut rest)?;
    let mut ms = days * DAY_MS;
    if !rest.is_empty() {
        literal(&mut rest, b'T')?;
        ms += time(&mut rest)?;
        ms -= offset(&mut rest)?;
    }
    (rest.is_empty() && (-RANGE_MS..=RANGE_MS).contains(&ms)).then_some(ms)
}

/// Days since the epoch.
fn date(rest: &mut &[u8]) -> Option<i64> {
    let year = match rest.first()? {
        b'+' => {
            literal(rest, b'+')?;
            number(rest, 6)?
        }
        b'-' => {
            literal(rest, b'-')?;
            // There is one year 0, and it has no sign.
            -Some(number(rest, 6)?).filter(|&year| year != 0)?
        }
        _ => number(rest, 4)?,
    };
    literal(rest, b'-')?;
    let month = number(rest, 2)?;
    literal(rest, b'-')?;
    let day = number(rest, 2)?;
    let days = days(year, month, day);
    // The calendar's own answer: 30 February would come back as a day of March.
    (civil(days) == (year, month, day)).then_some(days)
}

/// Milliseconds since midnight.
fn time(rest: &mut &[u8]) -> Option<i64> {
    let hour = number(rest, 2)?;
    literal(rest, b':')?;
    let minute = number(rest, 2)?;
    let mut second = 0;
    let mut ms = 0;
    if literal(rest, b':').is_some() {
        second = number(rest, 2)?;
        if literal(rest, b'.').is_some() {
            ms = fraction(rest)?;
        }
    }
    let in_day = hour * 3_600_000 + minute * 60_000 + second * 1_000 + ms;
    // 24:00 is the end of the day.
    (minute < 60 && second < 60 && in_day <= DAY_MS).then_some(in_day)
}

/// Milliseconds, from one digit or more.
fn fraction(rest: &mut &[u8]) -> Option<i64> {
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (fraction, after) = rest.split_at(digits);
    *rest = after;
    let ms = |scale: i64, &digit: &u8| scale * 10 + i64::from(digit - b'0');
    let padded = fraction.iter().chain(b"00").take(3).fold(0, ms);
    (digits > 0).then_some(padded)
}

/// Milliseconds ahead of UTC.
fn offset(rest: &mut &[u8]) -> Option<i64> {
    let sign = match rest.first() {
        None => return Some(0),
        Some(b'Z') => {
            literal(rest, b'Z')?;
            return Some(0);
        }
        Some(b'+') => 1,
        Some(b'-') => -1,
        Some(_) => return None,
    };
    *rest = &rest[1..];
    let hours = number(rest, 2)?;
    literal(rest, b':')?;
    let minutes = number(rest, 2)?;
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3_600_000 + minutes * 60_000))
}

/// Takes `byte` off `rest`.
fn literal(rest: &mut &[u8], byte: u8) -> Option<()> {
    *rest = rest.strip_prefix(&[byte])?;
    Some(())
}

/// Takes a number of exactly `digits` digits off `rest`.
fn number(rest: &mut &[u8], digits: usize) -> Option<i64> {
    let (number, after) = rest.split_at_checked(digits)?;
    *rest = after;
    number.iter().try_fold(0, |value, byte| {
        byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0'))
    })
}

/// Days since the epoch of a date. Years are counted from March, so that a leap day ends one, and
/// in eras of 400, after which the calendar repeats.
pub(crate) fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The date (year, month, day) of a day since the epoch: the inverse of [`days`].
pub(crate) fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn writes_and_reads_what_ecmascript_writes() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_769_860_800_123, "2026-01-31T12:00:00.123Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
            (253_402_300_800_000, "+010000-01-01T00:00:00.000Z"),
            (-62_167_219_200_000, "0000-01-01T00:00:00.000Z"),
            (-62_167_219_200_001, "-000001-12-31T23:59:59.999Z"),
            (8_640_000_000_000_000, "+275760-09-13T00:00:00.000Z"),
            (-8_640_000_000_000_000, "-271821-04-20T00:00:00.000Z"),
        ] {
            assert_eq!(to_iso8601(ms), text);
            assert_eq!(from_iso8601(text), Some(ms), "{text}");
        }
    }

    #[test]
    fn reads_the_other_forms_of_the_format() {
        for (text, same) in [
            ("2026-01-31", "2026-01-31T00:00:00.000Z"),
            ("2026-01-31T12:34", "2026-01-31T12:34:00.000Z"),
            ("2026-01-31T12:34:56", "2026-01-31T12:34:56.000Z"),
            ("2026-01-31T12:34:56Z", "2026-01-31T12:34:56.000Z"),
            ("2026-01-31T12:34:56.7Z", "2026-01-31T12:34:56.700Z"),
            ("2026-01-31T12:34:56.789999Z", "2026-01-31T12:34:56.789Z"),
            ("2026-01-31T24:00:00Z", "2026-02-01T00:00:00.000Z"),
            ("2026-01-31T12:34:56.789+05:30", "2026-01-31T07:04:56.789Z"),
            ("2026-01-31T23:34-01:00", "2026-02-01T00:34:00.000Z"),
        ] {
            assert_eq!(from_iso8601(text).map(to_iso8601).as_deref(), Some(same), "{text}");
        }
    }

    #[test]
    fn reads_nothing_else() {
        for text in [
            "",
            "yesterday",
            "1769860800000",
            "2026-1-31",
            "2026-00-01",
            "2026-13-01",
            "2026-01-00",
            "2026-02-29",
            "2026-01-31T",
            "2026-01-31 12:00:00Z",
            "2026-01-31T12",
            "2026-01-31T12:60Z",
            "2026-01-31T12:00:60Z",
            "2026-01-31T24:00:00.001Z",
            "2026-01-31T25:00Z",
            "2026-01-31T12:00:00.Z",
            "2026-01-31T12:00:00,5Z",
            "2026-01-31T12:00:00+0100",
            "2026-01-31T12:00:00+24:00",
            "2026-01-31T12:00:00+01:60",
            "2026-01-31T12:00:00Zé",
            " 2026-01-31T12:00:00Z",
            "-000000-01-01T00:00:00Z",
            "+12026-01-31",
            "+275760-09-13T00:00:00.001Z",
            "２０２６-01-31",
        ] {
            assert_eq!(from_iso8601(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn every_instant_comes_back(ms in -RANGE_MS..=RANGE_MS) {
            prop_assert_eq!(from_iso8601(&to_iso8601(ms)), Some(ms));
        }

        #[test]
        fn takes_any_text_and_any_number(text in "\\PC*|[-+0-9TZ:.]{0,24}", ms: i64) {
            let _ = from_iso8601(&text);
            let _ = to_iso8601(ms);
        }
    }
}
