//! Faults on purpose: what goes wrong between a client and Upstash, with a probability each.
//!
//! What happens to the n-th request depends on the seed, on n and on the probabilities alone, so
//! that a run repeats whatever the threads do.

use std::{
    fmt,
    str::FromStr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// What can happen to a request. At most one of these does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fault {
    /// Answered with this status and no JSON, as proxies do; nothing is executed.
    Status {
        /// 400 to 599.
        code: u16,
        /// Whether the body is an HTML page, else a line of text.
        html: bool,
    },
    /// The connection is reset; nothing is executed.
    ResetBefore,
    /// Executed; the connection is reset instead of an answer.
    ResetAfter,
    /// Executed; the answer's body ends half-way.
    Truncate,
    /// Executed; the answer is held back for this long.
    Stall(Duration),
}

/// Faults and their probabilities: `latency=20ms:0.3,429=0.05,502html=0.05,reset-after=0.02`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    latency: Option<(Duration, f64)>,
    others: Vec<(Fault, f64)>,
}

/// Faults that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "fault {0:?} cannot be used: write latency=20ms:0.3, stall=30s:0.01, reset-before=0.02, \
     reset-after=0.02, truncate=0.01, a status as 429=0.05 or 502html=0.05; probabilities are 0 \
     to 1, and those without latency add up to at most 1"
)]
pub struct FaultsError(String);

impl FromStr for Faults {
    type Err = FaultsError;

    fn from_str(text: &str) -> Result<Self, FaultsError> {
        let mut faults = Self::default();
        for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            let error = || FaultsError(item.to_owned());
            let (name, value) = item.split_once('=').ok_or_else(error)?;
            let (duration, chance) = match value.split_once(':') {
                Some((duration, chance)) => {
                    (Some(parse_duration(duration).ok_or_else(error)?), chance)
                }
                None => (None, value),
            };
            let chance: f64 = chance.parse().map_err(|_| error())?;
            if !(0.0..=1.0).contains(&chance) {
                return Err(error());
            }
            match (name, duration) {
                ("latency", Some(duration)) => faults.latency = Some((duration, chance)),
                (name, duration) => {
                    let fault = parse_fault(name, duration).ok_or_else(error)?;
                    faults.others.push((fault, chance));
                }
            }
        }
        // A hair above 1 is the rounding of ten times 0.1.
        if faults.others.iter().map(|(_, chance)| chance).sum::<f64>() > 1.0 + 1e-9 {
            return Err(FaultsError(text.to_owned()));
        }
        Ok(faults)
    }
}

fn parse_fault(name: &str, duration: Option<Duration>) -> Option<Fault> {
    match (name, duration) {
        ("stall", Some(duration)) => Some(Fault::Stall(duration)),
        ("reset-before", None) => Some(Fault::ResetBefore),
        ("reset-after", None) => Some(Fault::ResetAfter),
        ("truncate", None) => Some(Fault::Truncate),
        (status, None) => {
            let (code, html) = match status.strip_suffix("html") {
                Some(code) => (code, true),
                None => (status, false),
            };
            let code = code.parse().ok().filter(|code| (400..600).contains(code))?;
            Some(Fault::Status { code, html })
        }
        _ => None,
    }
}

fn parse_duration(text: &str) -> Option<Duration> {
    match text.strip_suffix("ms") {
        Some(number) => number.parse().ok().map(Duration::from_millis),
        None => text.strip_suffix('s')?.parse().ok().map(Duration::from_secs),
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        if let Some((duration, chance)) = self.latency {
            write!(f, "latency={}ms:{chance}", duration.as_millis())?;
            separator = ",";
        }
        for (fault, chance) in &self.others {
            f.write_str(separator)?;
            separator = ",";
            match fault {
                Fault::Status { code, html: false } => write!(f, "{code}={chance}")?,
                Fault::Status { code, html: true } => write!(f, "{code}html={chance}")?,
                Fault::ResetBefore => write!(f, "reset-before={chance}")?,
                Fault::ResetAfter => write!(f, "reset-after={chance}")?,
                Fault::Truncate => write!(f, "truncate={chance}")?,
                Fault::Stall(duration) => write!(f, "stall={}ms:{chance}", duration.as_millis())?,
            }
        }
        Ok(())
    }
}

/// What happens to one request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fate {
    /// How long the request waits before anything else.
    pub(super) latency: Option<Duration>,
    /// What goes wrong.
    pub(super) fault: Option<Fault>,
    /// Whether a 429 says `Retry-After`.
    pub(super) retry_after: bool,
}

/// Decides the fate of each request in turn.
#[derive(Debug)]
pub(super) struct Injector(Mutex<Settings>);

/// The injector's settings.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Settings {
    /// What may happen.
    pub(super) faults: Faults,
    /// Which of all possible runs this one is.
    pub(super) seed: u64,
    /// How many requests have been decided under these settings.
    pub(super) requests: u64,
}

impl Injector {
    /// An injector that has seen no request.
    pub(super) fn new(faults: Faults, seed: u64) -> Self {
        Self(Mutex::new(Settings { faults, seed, requests: 0 }))
    }

    /// The settings now.
    pub(super) fn settings(&self) -> Settings {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Other faults from here on; the count of requests begins again.
    pub(super) fn set(&self, faults: Faults, seed: u64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) =
            Settings { faults, seed, requests: 0 };
    }

    /// What happens to the next request.
    pub(super) fn next(&self) -> Fate {
        let mut settings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fate = settings.faults.fate(settings.seed, settings.requests);
        settings.requests += 1;
        fate
    }
}

impl Faults {
    /// What happens to the request with this number, counted from zero.
    pub(super) fn fate(&self, seed: u64, request: u64) -> Fate {
        let mut random = SplitMix(mix(seed) ^ request);
        let latency = random.fraction();
        let mut point = random.fraction();
        let retry_after = random.fraction() < 0.5;
        let fault = self.others.iter().find_map(|(fault, chance)| {
            let hit = point < *chance;
            point -= chance;
            hit.then_some(*fault)
        });
        let latency = self.latency.filter(|(_, chance)| latency < *chance);
        Fate { latency: latency.map(|(duration, _)| duration), fault, retry_after }
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014): its numbers stay the same whatever crates change.
struct SplitMix(u64);

impl SplitMix {
    /// A number from 0 to just under 1.
    fn fraction(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        // 53 bits are what a double holds.
        (mix(self.0) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const ALL: &str = "latency=20ms:0.3,429=0.05,500=0.05,502html=0.05,reset-before=0.02,\
                       reset-after=0.02,truncate=0.01,stall=30s:0.01";

    #[test]
    fn reads_what_it_writes() {
        let faults: Faults = ALL.parse().unwrap();
        assert_eq!(faults.to_string().parse(), Ok(faults.clone()));
        assert_eq!(faults.others.len(), 7);
        assert_eq!("".parse(), Ok(Faults::default()));
    }

    #[test]
    fn refuses_what_makes_no_sense() {
        for text in [
            "429",
            "429=2",
            "429=-0.1",
            "429=x",
            "200=0.1",
            "latency=0.1",
            "stall=5:0.1",
            "reset-after=1s:0.1",
            "500=0.6,503=0.6",
        ] {
            assert!(text.parse::<Faults>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_seed_repeats_and_another_differs() {
        let faults: Faults = ALL.parse().unwrap();
        let fates = |seed| (0..1000).map(|n| faults.fate(seed, n)).collect::<Vec<_>>();
        assert_eq!(fates(7), fates(7));
        assert_ne!(fates(7), fates(8));
    }

    #[test]
    fn each_fault_comes_as_often_as_asked() {
        let faults: Faults = ALL.parse().unwrap();
        let fates: Vec<_> = (0..100_000).map(|n| faults.fate(1, n)).collect();
        for (fault, chance) in &faults.others {
            let count = fates.iter().filter(|fate| fate.fault == Some(*fault)).count() as f64;
            assert!((count / 100_000.0 - chance).abs() < 0.003, "{fault:?}: {count}");
        }
        let late = fates.iter().filter(|fate| fate.latency.is_some()).count() as f64;
        assert!((late / 100_000.0 - 0.3).abs() < 0.01, "{late}");
    }
}
