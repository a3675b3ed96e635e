//! A length of time, as a person writes it.

use std::time::Duration;

/// Reads a whole number with `s`, `m`, `h` or `d` behind it; a bare number counts seconds.
///
/// # Errors
/// When it is anything else, or zero.
pub fn time(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => 0,
    };
    let seconds = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    match seconds {
        Some(seconds) if seconds > 0 && seconds < i64::MAX as u64 => {
            Ok(Duration::from_secs(seconds))
        }
        _ => Err("a time above zero, like 90s, 15m, 12h or 7d".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::time;

    #[test]
    fn times_have_units() {
        let seconds = |text| time(text).map(|time| time.as_secs()).ok();
        assert_eq!(seconds("90"), Some(90));
        assert_eq!(seconds("90s"), Some(90));
        assert_eq!(seconds("15m"), Some(900));
        assert_eq!(seconds("12h"), Some(43_200));
        assert_eq!(seconds("7d"), Some(604_800));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "0",
            "0h",
            "h",
            "-1s",
            "1.5h",
            "1 h",
            "1w",
            "99999999999999999999",
            "9223372036854775807d",
        ] {
            assert!(time(text).is_err(), "{text}");
        }
    }
}
