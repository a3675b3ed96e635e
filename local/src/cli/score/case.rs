//! A line of input.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use shared::deo::{Page, Product, Score, Tally, instant};

use super::expected::{self, Difference};
use super::surrogates;

/// How far a signal may be off.
const TOLERANCE: f64 = 1e-12;

/// The rows of a project, and the time to score them at.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Case {
    pub(super) name: String,
    #[serde(rename = "now", deserialize_with = "instant")]
    now_ms: i64,
    crawl_results: Vec<Page>,
    products: Vec<Product>,
    #[serde(default)]
    expected: Value,
}

impl Case {
    /// Reads a line without the white space around it, or says what is wrong with it.
    pub(super) fn read(line: &[u8]) -> Result<Self, String> {
        let line = std::str::from_utf8(line)
            .map_err(|error| format!("not UTF-8 from byte {} on", error.valid_up_to() + 1))?;
        let line = surrogates::replace_lone(line);
        // serde would take an array of a case's members for the case.
        if !line.starts_with('{') {
            return Err("not a JSON object".to_owned());
        }
        // The slower way is for the few lines with a fault: it names the place of the fault, and
        // of duplicate keys it takes the last, as JSON.parse does.
        serde_json::from_str(&line).or_else(|_| {
            let value: Value = serde_json::from_str(&line).map_err(|error| {
                // The parser saw this line only, so it is always its first.
                error.to_string().replace(" at line 1 column ", " at column ")
            })?;
            serde_path_to_error::deserialize(value).map_err(|error| error.to_string())
        })
    }

    pub(super) fn score(&self) -> Score {
        let mut tally = Tally::default();
        self.crawl_results.iter().for_each(|page| tally.add_page(&page.facts()));
        self.products.iter().for_each(|product| tally.add_product(&product.facts()));
        Score::of(tally.signals(self.now_ms))
    }

    /// Where `score` is not what the case expects.
    pub(super) fn differences(&self, score: &Score) -> Vec<Difference> {
        expected::differences(&self.expected, score, TOLERANCE)
    }
}

/// The name in a line that is no case, if it stands before the place where the line breaks off.
pub(super) fn name(line: &[u8]) -> Option<String> {
    let line = String::from_utf8_lossy(line);
    let line = surrogates::replace_lone(&line);
    let mut name = None;
    // The error is known already; what was read before it counts.
    let _ = serde_json::Deserializer::from_str(&line).deserialize_map(NameInto(&mut name));
    name
}

struct NameInto<'a>(&'a mut Option<String>);

impl<'de> Visitor<'de> for NameInto<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(key) = members.next_key::<String>()? {
            if key == "name" {
                *self.0 = Some(members.next_value()?);
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}
