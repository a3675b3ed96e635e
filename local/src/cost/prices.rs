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
    /// Redis.
    pub upstash: Upstash,
    /// The functions, on arm64.
    pub lambda: Lambda,
    /// Before the HTTP API.
    pub api_gateway: ApiGateway,
    /// Metrics and alarms.
    pub cloud_watch: CloudWatch,
    /// Out of AWS, in most regions.
    pub transfer: Transfer,
    /// Where the secrets are.
    pub secrets_manager: SecretsManager,
    /// Postgres.
    pub neon: Neon,
    /// Where a worker runs that always runs: Fargate's smallest task on arm64, in us-east-1.
    pub machine: Machine,
}

/// Redis.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Upstash {
    /// Where to look whether it still holds.
    pub source: String,
    /// Commands after which the free plan stops for the month.
    pub free_commands: f64,
    /// Pay as you go, from the first command on.
    #[serde(rename = "per100000Commands")]
    pub per_100_000_commands: f64,
    /// Plans without a price a command, the cheapest first.
    pub fixed: Vec<Fixed>,
}

/// A plan of a fixed price.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fixed {
    /// How much it holds.
    pub megabytes: f64,
    /// A month: US dollars.
    pub dollars: f64,
    /// How many commands it takes a second.
    pub commands_a_second: f64,
}

/// The functions.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lambda {
    /// Where to look whether it still holds.
    pub source: String,
    /// Everywhere the same.
    pub per_million_requests: f64,
    /// Each month, for good.
    pub free_requests: f64,
    /// Each month, for good.
    pub free_gb_seconds: f64,
    /// By region.
    pub per_gb_second: BTreeMap<String, f64>,
}

/// Before the HTTP API, in us-east-1.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApiGateway {
    /// Where to look whether it still holds.
    pub source: String,
    /// Of an HTTP API.
    pub per_million_requests: f64,
}

/// Metrics and alarms.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CloudWatch {
    /// Where to look whether it still holds.
    pub source: String,
    /// Each month, for the whole account.
    pub free_metrics: f64,
    /// Each month, for the whole account.
    pub free_alarms: f64,
    /// One more, for a month.
    pub per_metric: f64,
    /// One more, for a month.
    pub per_alarm: f64,
    /// Gigabytes of logs, each month, for the whole account.
    pub free_log_gb: f64,
    /// A gigabyte of logs more that is taken in, in us-east-1.
    pub per_log_gb: f64,
}

/// What leaves AWS.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Transfer {
    /// Where to look whether it still holds.
    pub source: String,
    /// Gigabytes, each month, for the whole account.
    pub free_gb: f64,
    /// A gigabyte more.
    pub per_gb: f64,
}

/// Where the secrets are.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretsManager {
    /// Where to look whether it still holds.
    pub source: String,
    /// For a month.
    pub per_secret: f64,
}

/// Postgres.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Neon {
    /// Where to look whether it still holds.
    pub source: String,
    /// A compute unit for an hour, on the plan Launch.
    pub per_cu_hour: f64,
    /// So long after the last query.
    pub sleeps_after_seconds: f64,
}

/// A machine that is always on.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Machine {
    /// Where to look whether it still holds.
    pub source: String,
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

    /// Where each of them was found.
    pub fn sources(&self) -> [&str; 8] {
        [
            &self.upstash.source,
            &self.lambda.source,
            &self.api_gateway.source,
            &self.cloud_watch.source,
            &self.transfer.source,
            &self.secrets_manager.source,
            &self.neon.source,
            &self.machine.source,
        ]
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
        assert!(prices.sources().iter().all(|source| source.starts_with("https://")));
        assert!(prices.per_gb_second("eu-central-1").unwrap() > 0.0);
        assert!(prices.per_gb_second("mars-1").unwrap_err().contains("eu-central-1"));
    }
}
