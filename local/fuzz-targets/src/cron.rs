//! Takes any text for a cron pattern and a zone: what is taken gives times that come after one another and lie on
//! the pattern's grid, and is the same pattern however it is spelled.
//!
//! The first line is the pattern, the second the zone, the third the time to start from (milliseconds).

use shared::queue::schedule::{Cron, Dialect, Window, Zone, next_iteration};

use crate::expand::expand;

/// The greatest time that JavaScript knows: milliseconds.
const MOST_MS: i64 = 8_640_000_000_000_000;

/// How long an error may be, whatever it is about: bytes.
const MOST_BYTES: usize = 2_000;

/// Reads `input` as both dialects do.
pub fn cron(input: &[u8]) {
    let input = expand(input);
    let text = String::from_utf8_lossy(&input);
    let mut lines = text.splitn(3, '\n');
    let pattern = lines.next().unwrap_or_default();
    let named = lines.next().unwrap_or_default();
    let start = lines.next().and_then(|ms| ms.trim().parse().ok()).unwrap_or(1_800_000_000_000);
    let utc = Zone::named(Some("UTC")).expect("UTC is a zone");
    let zone = Zone::named(Some(named).filter(|name| !name.is_empty()));
    if let Err(wrong) = &zone {
        assert!(wrong.contains("Europe/Berlin"), "no remedy: {wrong}");
        assert!(wrong.len() < MOST_BYTES, "{} bytes", wrong.len());
    }
    for dialect in [Dialect::Five, Dialect::Six] {
        let cron = match Cron::parse(pattern, dialect) {
            Ok(cron) => cron,
            Err(wrong) => {
                let named = ["pattern", "second", "minute", "hour", "day", "month"];
                assert!(wrong.len() < MOST_BYTES, "{} bytes", wrong.len());
                assert!(named.iter().any(|name| wrong.contains(name)), "names nothing: {wrong}");
                continue;
            }
        };
        same_pattern(&cron, pattern, dialect);
        follow(&cron, &utc, start, true);
        if let Ok(zone) = &zone {
            follow(&cron, zone, start, false);
        }
    }
}

/// A pattern read from another spelling of it is the same.
fn same_pattern(cron: &Cron, pattern: &str, dialect: Dialect) {
    let mut atoms: Vec<&str> = pattern.split_whitespace().collect();
    if pattern.starts_with('@') {
        return;
    }
    while atoms.len() < 6 {
        atoms.insert(if atoms.len() == 5 { 0 } else { 1 }, "*");
        if atoms.len() == 6 {
            atoms[0] = "0";
        }
    }
    let spelled = atoms.join("\t ");
    // The older names of months and days may stand for characters that a field refuses.
    if spelled.len() > 1_024 {
        return;
    }
    if pattern.split_whitespace().count() >= 5 {
        let again = Cron::parse(&spelled, dialect).expect("the same pattern");
        assert_eq!(format!("{again:?}"), format!("{cron:?}"), "{spelled:?}");
    }
}

/// Walks a few times of a pattern.
fn follow(cron: &Cron, zone: &Zone, start: i64, is_utc: bool) {
    let mut at = start;
    for _ in 0..3 {
        let Some(next) = cron.next(at, zone) else { return };
        assert!(next > at, "{next} is not after {at}");
        assert!(next <= MOST_MS, "{next} is beyond all time");
        let window = |end_ms| Window { previous_ms: 0, start_ms: None, end_ms };
        assert_eq!(
            next_iteration(cron, zone, at.max(0), window(Some(next - 1))).filter(|_| at >= 0),
            None
        );
        if is_utc {
            assert_eq!(next.rem_euclid(1_000), 0, "{next} is no whole second");
            // Nothing of the pattern lies between the two.
            let between = at + (next - at) / 2;
            assert_eq!(cron.next(between, zone), Some(next), "from {between}");
            assert_eq!(cron.next(next - 1, zone), Some(next), "from {next} - 1");
            if at >= 0 {
                assert_eq!(next_iteration(cron, zone, at, window(Some(next))), Some(next));
            }
        }
        at = next;
    }
}
