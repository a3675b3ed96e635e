//! What things cost: `prices.json`, with its date and its sources.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The table that is built in.
const TABLE: &str = include_str!("prices.json");

/// A price list. All prices are US dollars, without taxes.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Prices {
    /// The day on which it was put together.
    pub date: String,
    /// Where to look whether it still holds.
    pub sources: Vec<String>,
    /// Redis.
    pub upstash: Upstash,
    /// The functions, on arm64.
    pub lambda: Lambda,
    /// Postgres.
    pub neon: Neon,
    /// Where a worker runs that always runs: Fargate's smallest task on arm64, in us-east-1.
    pub machine: Machine,
}

/// Redis.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Upstash {
    /// Commands after which the free plan stops for the month.
    pub free_commands: f64,
    /// Pay as you go, from the first command on.
    #[serde(rename = "per100000Commands")]
    pub per_100_000_commands: f64,
}

/// The functions.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lambda {
    /// Everywhere the same.
    pub per_million_requests: f64,
    /// Each month, for good.
    pub free_requests: f64,
    /// Each month, for good.
    pub free_gb_seconds: f64,
    /// By region.
    pub per_gb_second: BTreeMap<String, f64>,
}

/// Postgres.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Neon {
    /// A compute unit for an hour, on the plan Launch.
    pub per_cu_hour: f64,
    /// So long after the last query.
    pub sleeps_after_seconds: f64,
}

/// A machine that is always on.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Machine {
    /// Its processors.
    pub vcpu: f64,
    /// Its memory.
    pub gb: f64,
    /// Of a processor.
    pub per_vcpu_hour: f64,
    /// Of a gigabyte.
    pub per_gb_hour: f64,
}

impl Prices {
    /// The table that is built in.
    ///
    /// # Errors
    /// Never, as a test shows.
    pub fn built_in() -> Result<Self, serde_json::Error> {
        Self::parse(TABLE)
    }

    /// A table of one's own, in the same form.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(json: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(json)
    }

    /// A GB-second in this region.
    ///
    /// # Errors
    /// In words, when the table does not have the region.
    pub fn per_gb_second(&self, region: &str) -> Result<f64, String> {
        let known = &self.lambda.per_gb_second;
        known.get(region).copied().ok_or_else(|| {
            let regions: Vec<&str> = known.keys().map(String::as_str).collect();
            format!(
                "the price table knows no Lambda in {region}, but in {}; \
                 --prices takes a table with it",
                regions.join(", ")
            )
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_table_that_is_built_in_is_whole_and_dated() {
        let prices = Prices::built_in().unwrap();
        assert_eq!(prices.date.split('-').count(), 3, "{}", prices.date);
        assert!(prices.sources.iter().all(|source| source.starts_with("https://")));
        assert!(prices.per_gb_second("eu-central-1").unwrap() > 0.0);
        assert!(prices.per_gb_second("mars-1").unwrap_err().contains("eu-central-1"));
    }
}
