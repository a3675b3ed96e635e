//! Explains why a score changed: what each component, each signal and each count of rows has to do with it.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::facts::FACTS;

/// The components of v1 in the model's order: each one's name, its weight in hundredths and its signals.
const COMPONENTS: [(&str, i64, [&str; 3]); 4] = [
    ("content", 30, ["contentCoverage", "contentDepth", "contentFreshness"]),
    ("entities", 25, ["entityCoverage", "entityAccuracy", "entityLinkage"]),
    ("technical", 25, ["crawlHealth", "coreWebVitals", "indexability"]),
    ("visibility", 20, ["serpPresence", "answerSurfacePresence", "brandNavigationalStrength"]),
];

/// The signals that count in v2 only, and so have no part in a score of v1.
const OTHERS: [&str; 5] = [
    "htmlStructuralQuality",
    "thinContentQuality",
    "entityHintCoverage",
    "entityStructureAccuracy",
    "entityLinkageDensity",
];

/// The name of what roundings have to do with a change.
pub const ROUNDING: &str = "rounding";

/// A snapshot, as far as it is compared.
#[derive(Clone, Copy, Debug)]
pub struct Compared<'a> {
    /// 0 to 100.
    pub overall: i32,
    /// The components in the model's order: content, entities, technical, visibility.
    pub components: [Option<i32>; 4],
    /// JSON: [`Metadata`](super::Metadata), or what somebody else stored.
    pub metadata: Option<&'a str>,
}

/// Why a score changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Comparison {
    /// The change of the overall score, in points.
    pub change: i32,
    /// What each component has to do with it, and the rounding: their tenths add up to 10 times the
    /// change.
    pub components: Vec<Change>,
    /// The same of each signal. `None` where one of the snapshots has not all of them.
    pub signals: Option<Vec<Change>>,
    /// The counts of rows that differ. `None` where one of the snapshots has none: those of earlier
    /// versions, and the platform's own.
    pub counts: Option<Vec<Change>>,
}

/// What one number was, what it became, and what that means.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// Its name, as it stands in a snapshot; [`ROUNDING`] for what is left over.
    pub key: &'static str,
    /// What it was: 0 to 100 for a component, 0 to 1 for a signal.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub from: Value,
    /// What it became.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub to: Value,
    /// Its part of the change, in tenths of a point of the overall score.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenths: Option<i64>,
    /// The change of a count in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

impl Comparison {
    /// Compares two snapshots of v1.
    pub fn of(from: Compared<'_>, to: Compared<'_>) -> Self {
        let change = to.overall.saturating_sub(from.overall);
        let components = COMPONENTS.iter().zip(from.components).zip(to.components);
        let components = components.map(|((&(key, weight, _), from), to)| {
            let points = from.zip(to).map_or(0.0, |(from, to)| f64::from(to) - f64::from(from));
            part(key, json!(from), json!(to), points * weight as f64 / 10.0)
        });
        let (from, to) = (read(from.metadata), read(to.metadata));
        Self {
            components: with_rounding(components.collect(), change),
            signals: signals(&from["signals"], &to["signals"])
                .map(|signals| with_rounding(signals, change)),
            counts: from["facts"].as_object().zip(to["facts"].as_object()).map(counts),
            change,
        }
    }
}

/// Metadata that is none, or cannot be read, is `null`.
fn read(metadata: Option<&str>) -> Value {
    metadata.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
}

/// Half away from zero, so that a rise and the same fall have the same parts.
fn part(key: &'static str, from: Value, to: Value, tenths: f64) -> Change {
    Change { key, from, to, tenths: Some(tenths.round() as i64), text: None }
}

/// What is left over comes last.
fn with_rounding(mut parts: Vec<Change>, change: i32) -> Vec<Change> {
    let told: i64 = parts.iter().filter_map(|part| part.tenths).sum();
    let tenths = Some(10 * i64::from(change) - told);
    parts.push(Change { key: ROUNDING, from: Value::Null, to: Value::Null, tenths, text: None });
    parts
}

fn signals(from: &Value, to: &Value) -> Option<Vec<Change>> {
    let counted =
        COMPONENTS.iter().flat_map(|&(_, weight, names)| names.map(|name| (name, weight)));
    counted
        .chain(OTHERS.map(|name| (name, 0)))
        .map(|(name, weight)| {
            let change = to[name].as_f64()? - from[name].as_f64()?;
            // A component is the mean of its three.
            let tenths = change * weight as f64 * 10.0 / 3.0;
            Some(part(name, from[name].clone(), to[name].clone(), tenths))
        })
        .collect()
}

fn counts((from, to): (&Map<String, Value>, &Map<String, Value>)) -> Vec<Change> {
    let change = |&(key, noun, which): &(&'static str, &str, &str)| {
        let (before, after) = (from.get(key)?.as_i64()?, to.get(key)?.as_i64()?);
        let by = after.checked_sub(before).filter(|&by| by != 0)?;
        let word = if by > 0 { "more" } else { "fewer" };
        let plural = if by.abs() == 1 { "" } else { "s" };
        let text = format!("{} {word} {noun}{plural}{which}", by.unsigned_abs());
        let (from, to) = (json!(before), json!(after));
        Some(Change { key, from, to, tenths: None, text: Some(text) })
    };
    FACTS.iter().filter_map(change).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::deo::{PageFacts, ProductFacts, Score, Tally};

    fn compared<'a>(score: &Score, metadata: &'a str) -> Compared<'a> {
        let v1 = score.v1;
        let components = [v1.content, v1.entities, v1.technical, v1.visibility];
        Compared {
            overall: v1.overall.into(),
            components: components.map(|score| Some(score.into())),
            metadata: Some(metadata),
        }
    }

    fn sum(parts: &[Change]) -> i64 {
        parts.iter().filter_map(|part| part.tenths).sum()
    }

    /// A shop in which `n` decides what is wrong.
    fn tally(n: u64) -> Tally {
        let mut tally = Tally::default();
        for at in 0..40 {
            let mixed = (at * 2_654_435_761 + n * 40_503) % 1_009;
            let nth = |n| mixed.is_multiple_of(n);
            tally.add_page(&PageFacts {
                status_code: if nth(7) { 404 } else { 200 },
                has_title: !nth(5),
                has_meta_description: !nth(3),
                has_h1: !nth(11),
                word_count: Some(mixed as i64),
                navigational: nth(13),
                ..PageFacts::default()
            });
            tally.add_product(&ProductFacts {
                has_title: true,
                has_description: !nth(4),
                words: mixed % 200,
                ..ProductFacts::default()
            });
        }
        tally
    }

    #[test]
    fn tenths_add_up_to_the_change_whatever_is_compared() {
        let scored: Vec<(Score, String)> = (0..25)
            .map(|n| {
                let score = Score::of(tally(n).signals(0));
                (score, json!(score.metadata()).to_string())
            })
            .collect();
        let (mut changes, mut most) = (0, 0);
        for (from, from_metadata) in &scored {
            for (to, to_metadata) in &scored {
                let found =
                    Comparison::of(compared(from, from_metadata), compared(to, to_metadata));
                let (components, signals) = (found.components, found.signals.unwrap());
                assert_eq!((components.len(), signals.len()), (5, 18));
                for parts in [&components, &signals] {
                    assert_eq!(sum(parts), 10 * i64::from(found.change));
                    let rounding = parts.last().unwrap();
                    assert_eq!(rounding.key, ROUNDING);
                    most = most.max(rounding.tenths.unwrap().abs());
                }
                changes += i64::from(found.change != 0);
            }
        }
        assert!(changes > 400, "{changes} changes");
        // Two overalls and eight components are rounded by half a point each, at most.
        assert!((1..=21).contains(&most), "the largest rounding is {most} tenths");
    }

    #[test]
    fn a_component_s_part_is_its_change_by_its_weight() {
        let side = |overall, components: [i32; 4]| Compared {
            overall,
            components: components.map(Some),
            metadata: None,
        };
        let found = Comparison::of(side(50, [60, 40, 50, 50]), side(46, [47, 41, 50, 48]));
        let parts: Vec<_> = found.components.iter().map(|it| (it.key, it.tenths)).collect();
        let expected = [
            ("content", Some(-39)),
            ("entities", Some(3)),
            ("technical", Some(0)),
            ("visibility", Some(-4)),
            (ROUNDING, Some(0)),
        ];
        assert_eq!((found.change, parts), (-4, expected.to_vec()));
        assert_eq!((found.signals, found.counts), (None, None));
        let none = Compared { components: [None; 4], ..side(50, [0; 4]) };
        let found = Comparison::of(none, side(46, [47, 41, 50, 48]));
        assert_eq!(found.components.last().unwrap().tenths, Some(-40), "nothing else is known");
    }

    #[test]
    fn counts_are_told_in_words_where_both_have_them() {
        fn side(metadata: &str) -> Compared<'_> {
            Compared { overall: 0, components: [None; 4], metadata: Some(metadata) }
        }
        let counts = |from: &str, to: &str| {
            let counts = Comparison::of(side(from), side(to)).counts?;
            Some(counts.into_iter().filter_map(|count| count.text).collect::<Vec<_>>())
        };
        let from = r#"{"facts": {"pages": 30, "products": 5, "pagesUnder150Words": 3, "else": 1}}"#;
        let to = r#"{"facts": {"pages": 29, "products": 5, "pagesUnder150Words": 15, "else": 2}}"#;
        let told = ["1 fewer page", "12 more pages with fewer than 150 words"];
        assert_eq!(counts(from, to).unwrap(), told);
        assert_eq!(counts(from, from).unwrap(), [""; 0]);
        for other in ["", "{", "null", "[]", "7", r#"{"facts": null}"#, r#"{"signals": {}}"#] {
            assert_eq!(counts(from, other), None, "{other}");
            assert_eq!(counts(other, from), None, "{other}");
        }
        let odd = r#"{"facts": {"pages": "30", "products": 1e300, "pagesUnder150Words": -9}}"#;
        assert_eq!(counts(from, odd).unwrap(), ["12 fewer pages with fewer than 150 words"]);
    }

    #[test]
    fn every_count_of_a_snapshot_has_its_words() {
        let facts = json!(tally(1).facts(0));
        let names: Vec<&String> = facts.as_object().unwrap().keys().collect();
        let mut told: Vec<&str> = FACTS.iter().map(|fact| fact.0).collect();
        told.sort_unstable();
        assert_eq!(names, told);
    }
}
