//! Reads the `Retry-After` header.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long to wait: the header has seconds, or a date (RFC 9110, section 10.2.3).
pub(super) fn parse(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = UNIX_EPOCH + Duration::from_secs(date_seconds(text)?);
    Some(date.duration_since(now).unwrap_or_default())
}

/// Seconds since the Unix epoch of a date such as `Sun, 06 Nov 1994 08:49:37 GMT`.
fn date_seconds(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (_weekday, rest) = text.split_once(", ")?;
    let [day, month, year, time, "GMT"] = rest.split(' ').collect::<Vec<_>>()[..] else {
        return None;
    };
    let [hours, minutes, seconds] = time.split(':').collect::<Vec<_>>()[..] else {
        return None;
    };
    let month = MONTHS.iter().position(|name| *name == month)? as u64;
    let [day, year, hours, minutes, seconds] = [day, year, hours, minutes, seconds]
        .map(|number| number.parse::<u32>().ok().map(u64::from));
    let (day, year, hours, minutes, seconds) = (day?, year?, hours?, minutes?, seconds?);
    if !(1..=31).contains(&day) || !(1970..=9999).contains(&year) || hours > 23 || minutes > 59 {
        return None;
    }
    // Days before March 1st of the year, counting years from March: leap days come last.
    let (year, month) = if month < 2 { (year - 1, month + 10) } else { (year, month - 2) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1;
    // March 1st of the year 0 is 719,468 days before the epoch.
    let days = days.checked_sub(719_468)?;
    Some(days * 86_400 + hours * 3_600 + minutes * 60 + seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates() {
        // date -ud '1994-11-06 08:49:37' +%s
        let then = UNIX_EPOCH + Duration::from_secs(784_111_777);
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        let before = then - Duration::from_secs(5);
        assert_eq!(parse("7", before), Some(Duration::from_secs(7)));
        assert_eq!(parse(date, before), Some(Duration::from_secs(5)));
        assert_eq!(parse(date, then + Duration::from_secs(5)), Some(Duration::ZERO));
        // date -ud '2024-02-29 00:00:00' +%s
        assert_eq!(date_seconds("Thu, 29 Feb 2024 00:00:00 GMT"), Some(1_709_164_800));
        assert_eq!(date_seconds("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        for text in
            ["", "-1", "1.5", "soon", "Sun, 06 Nov 1994 08:49 GMT", "Sun, 99 Nov 1994 08:49:37 GMT"]
        {
            assert_eq!(parse(text, then), None, "{text}");
        }
    }
}
