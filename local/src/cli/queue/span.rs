//! Spans of time as people write and read them: `90s`, `1h`, `3d 4h`.

use std::time::Duration;

/// The units, greatest first: name, milliseconds.
const UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads a whole number with its unit.
///
/// # Errors
/// A sentence about what is accepted.
pub(in crate::cli) fn parse(text: &str) -> Result<Duration, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let unit = UNITS.iter().find(|(name, _)| *name == unit.trim());
    match (number.parse::<u64>(), unit) {
        (Ok(number), Some((_, ms))) => number.checked_mul(*ms).map(Duration::from_millis),
        (Ok(0), None) => Some(Duration::ZERO),
        _ => None,
    }
    .ok_or_else(|| "write a whole number with ms, s, m, h or d, such as 90s, 30m, 1h or 7d".into())
}

/// Writes milliseconds with their two greatest units; what is negative counts as nothing.
pub(in crate::cli) fn shown(ms: i64) -> String {
    let mut rest = u64::try_from(ms).unwrap_or(0);
    let mut parts = Vec::new();
    for (name, unit) in UNITS {
        // Milliseconds matter only where nothing greater does.
        if rest >= unit && (parts.is_empty() || name != "ms") {
            parts.push(format!("{}{name}", rest / unit));
            rest %= unit;
        } else if !parts.is_empty() {
            break;
        }
        if parts.len() == 2 {
            break;
        }
    }
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_a_whole_number_with_its_unit() {
        for (text, ms) in [
            ("0", 0),
            ("5ms", 5),
            ("90s", 90_000),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("7 d", 604_800_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", "5", "h", "1.5h", "-1h", "1w", "999999999999999999999d", "999999999999d"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn two_units_are_enough() {
        let cases = [
            (-5, "0s"),
            (0, "0s"),
            (7, "7ms"),
            (1_007, "1s"),
            (61_000, "1m 1s"),
            (3_600_000, "1h"),
            (3_601_000, "1h"),
            (90_061_001, "1d 1h"),
        ];
        for (ms, text) in cases {
            assert_eq!(shown(ms), text, "{ms}");
        }
    }
}
