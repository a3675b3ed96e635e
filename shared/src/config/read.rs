//! Turns the environment into typed settings, or into one sentence about what is wrong.

use std::time::Duration;

use super::kind::{Kind, Variable};
use super::variables as v;
use super::{
    AwsConfig, BudgetConfig, Config, CronConfig, DrainConfig, DropsConfig, Endpoint, Env, Events,
    Finding, ForwardConfig, JobDefaults, Limiter, QUEUE_NAME, QueueOptions, REDIS_NAMES, Retention,
    Scope, Secret, ServedQueue, Severity, SnapshotRetention, WakeConfig, spelling,
};
use crate::http::Secrets;
use crate::redis::Names;

/// How much longer than a tick a lock must live, so that no tick at work loses its jobs.
const LOCK_MARGIN: Duration = Duration::from_secs(30);

/// The longest span.
const DAY_MINUTES: u64 = 24 * 60;

/// A setting that cannot be used: one sentence that names the variable and says what it takes,
/// without the value of a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub(super) Finding);

impl ConfigError {
    fn new(sentence: impl AsRef<str>) -> Self {
        Self(Finding::of_sentence(Severity::Error, sentence.as_ref()))
    }
}

impl From<ConfigError> for Finding {
    fn from(ConfigError(finding): ConfigError) -> Self {
        finding
    }
}

impl Config {
    /// Reads every setting. An empty variable counts as not set.
    ///
    /// # Errors
    /// The first variable, in the order of the documentation, that cannot be used.
    pub fn from_env(env: &dyn Env) -> Result<Self, ConfigError> {
        let read = Reader(env);
        let jobs = JobDefaults {
            attempts: read.whole(&v::ATTEMPTS)?,
            backoff: read.millis(&v::BACKOFF)?,
            backoff_jitter: read.part(&v::BACKOFF_JITTER)?,
            keep_completed: read.retention(&v::KEEP_COMPLETED, &v::KEEP_COMPLETED_SECONDS)?,
            keep_failed: read.retention(&v::KEEP_FAILED, &v::KEEP_FAILED_SECONDS)?,
        };
        let every = read.whole(&v::DRAIN_EVERY).map(Duration::from_secs)?;
        let budget = BudgetConfig {
            commands: read.bound(&v::BUDGET)?,
            share: read.part(&v::BUDGET_SHARE)?,
            every,
        };
        let queues = read.queues(&v::QUEUES)?;
        let forwarded = queues.iter().filter(|queue| queue.url.is_some());
        let forwarded = forwarded.map(|queue| queue.name.clone()).collect();
        let (redis, redis_names) = read.redis()?;
        let config = Self {
            redis,
            redis_names,
            redis_ca: read.text(&v::REDIS_CA)?,
            database_url: read.text(&v::DATABASE_URL)?.map(Secret::new),
            database_ca: read.text(&v::DATABASE_CA)?,
            jwt_secret: read.text(&v::JWT_SECRET)?.map(Secret::new),
            previous_jwt_secret: read.text(&v::PREVIOUS_JWT_SECRET)?.map(Secret::new),
            posts_per_minute: read.bound(&v::POSTS_PER_MINUTE)?,
            origins: read.origins(&v::CORS_ORIGINS)?,
            queue_operations: read.flag(&v::QUEUE_OPERATIONS)?,
            queue: QueueOptions {
                prefix: read.text(&v::PREFIX)?.unwrap_or_default(),
                name: QUEUE_NAME.to_owned(),
                events: read.word(&v::EVENTS, |word| match word {
                    "true" | "1" => Events::All,
                    "final" => Events::Final,
                    _ => Events::Off,
                })?,
                metrics_minutes: read.whole(&v::METRICS)?,
                limiter: Limiter {
                    max: read.bound(&v::LIMITER_MAX)?,
                    duration: read.millis(&v::LIMITER_DURATION)?,
                },
                lock: read.millis(&v::LOCK)?,
                open_deduplication: read.flag(&v::OPEN_DEDUPLICATION)?,
                default_job_options: jobs.options(),
            },
            jobs,
            drain: DrainConfig {
                enabled: read.flag(&v::PROCESSORS)?,
                timeout: read.millis(&v::DRAIN_TIMEOUT)?,
                margin: read.millis(&v::DRAIN_MARGIN)?,
                queues,
                batch_size: read.whole(&v::BATCH_SIZE)?,
                lanes: read.whole(&v::LANES)?,
                patience: read.span(&v::DRAIN_PATIENCE)?,
                every,
                budget: budget.budget(),
                snapshots: read.snapshots(&v::SNAPSHOTS)?,
            },
            wake: WakeConfig {
                url: read.text(&v::WAKE_URL)?.map(Secret::new),
                token: read.text(&v::WAKE_TOKEN)?.map(Secret::new),
                qstash: read.text(&v::QSTASH_TOKEN)?.map(Secret::new),
            },
            forward: ForwardConfig { secrets: read.signing(&v::HTTP_SECRET)?, queues: forwarded },
            drops: read.drops()?,
            cron: CronConfig {
                enabled: read.flag(&v::CRON)?,
                scope: read.word(&v::CRON_SCOPE, |word| match word {
                    "all" => Scope::All,
                    _ => Scope::Stale,
                })?,
                max_age_days: read.whole(&v::CRON_MAX_AGE)?,
                max_waiting: read.whole(&v::CRON_MAX_WAITING)?,
            },
            budget,
            schedulers: read.flag(&v::SCHEDULERS)?,
            all_metrics: read.word(&v::CLOUDWATCH_METRICS, |word| word == "all")?,
        };
        config.check()
    }

    /// The rules between variables.
    fn check(self) -> Result<Self, ConfigError> {
        let (lock, timeout, margin) = (self.queue.lock, self.drain.timeout, self.drain.margin);
        if lock < timeout + LOCK_MARGIN {
            return Err(ConfigError::new(format!(
                "{} is {} and {} is {}: the lock must outlive the longest tick by {} ms, so raise \
                 the first or lower the second.",
                v::LOCK.name,
                lock.as_millis(),
                v::DRAIN_TIMEOUT.name,
                timeout.as_millis(),
                LOCK_MARGIN.as_millis(),
            )));
        }
        if margin >= timeout {
            return Err(ConfigError::new(format!(
                "{} is {} and {} is {}: a tick would never claim a job, so lower the first or \
                 raise the second.",
                v::DRAIN_MARGIN.name,
                margin.as_millis(),
                v::DRAIN_TIMEOUT.name,
                timeout.as_millis(),
            )));
        }
        if let Some(sentence) = self.drops.contradiction() {
            return Err(ConfigError::new(sentence));
        }
        if self.previous_jwt_secret.is_some() && self.jwt_secret.is_none() {
            return Err(ConfigError::new(format!(
                "{} is not set, though {} is: set it too.",
                v::JWT_SECRET.name,
                v::PREVIOUS_JWT_SECRET.name,
            )));
        }
        Ok(self)
    }
}

/// Reads one variable at a time.
struct Reader<'a>(&'a dyn Env);

impl Reader<'_> {
    /// What was set, however it is written.
    fn raw(&self, variable: &Variable) -> Option<String> {
        self.0.get(variable.name).filter(|value| !value.is_empty())
    }

    /// The value that was set, if any. What copying brings along is refused.
    fn set(&self, variable: &Variable) -> Result<Option<String>, ConfigError> {
        let Some(value) = self.raw(variable) else { return Ok(None) };
        match spelling(variable, &value) {
            None => Ok(Some(value)),
            Some(finding) => Err(ConfigError(finding)),
        }
    }

    /// The value that was set, else the default, else an empty string.
    fn value(&self, variable: &Variable) -> Result<String, ConfigError> {
        Ok(self.set(variable)?.unwrap_or_else(|| variable.default.to_owned()))
    }

    fn whole<T: TryFrom<u64>>(&self, variable: &Variable) -> Result<T, ConfigError> {
        let value = self.value(variable)?;
        let (Kind::Whole(low, high) | Kind::Bound(low, high)) = variable.kind else {
            return Err(refused(variable, &value));
        };
        value
            .parse::<u64>()
            .ok()
            .filter(|number| (low..=high).contains(number))
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| refused(variable, &value))
    }

    fn millis(&self, variable: &Variable) -> Result<Duration, ConfigError> {
        self.whole(variable).map(Duration::from_millis)
    }

    fn part(&self, variable: &Variable) -> Result<f64, ConfigError> {
        let value = self.value(variable)?;
        value
            .parse::<f64>()
            .ok()
            .filter(|part| (0.0..=1.0).contains(part))
            .ok_or_else(|| refused(variable, &value))
    }

    /// Whole minutes or hours, up to a day.
    fn span(&self, variable: &Variable) -> Result<Duration, ConfigError> {
        let value = self.value(variable)?.to_ascii_lowercase();
        let minutes = match value.split_at_checked(value.len().saturating_sub(1)) {
            Some((number, "m")) => number.parse::<u64>().ok(),
            Some((number, "h")) => {
                number.parse::<u64>().ok().and_then(|hours| hours.checked_mul(60))
            }
            _ => None,
        };
        minutes
            .filter(|minutes| *minutes <= DAY_MINUTES)
            .map(Duration::from_mins)
            .ok_or_else(|| refused(variable, &value))
    }

    fn bound(&self, variable: &Variable) -> Result<Option<u64>, ConfigError> {
        if self.value(variable)?.eq_ignore_ascii_case("all") {
            return Ok(None);
        }
        self.whole(variable).map(Some)
    }

    fn retention(&self, count: &Variable, seconds: &Variable) -> Result<Retention, ConfigError> {
        Ok(Retention { count: self.bound(count)?, age_s: self.bound(seconds)? })
    }

    fn snapshots(&self, variable: &Variable) -> Result<SnapshotRetention, ConfigError> {
        let value = self.value(variable)?.to_ascii_lowercase();
        value.parse().map_err(|_| refused(variable, &value))
    }

    fn queues(&self, variable: &Variable) -> Result<Vec<ServedQueue>, ConfigError> {
        // A URL in it may be a secret: what is wrong is told without it.
        let wrong = |what| {
            let accepts = variable.accepts();
            ConfigError::new(format!("{} {what}; it takes {accepts}.", variable.name))
        };
        super::queues::parse(&self.value(variable)?).map_err(wrong)
    }

    fn origins(&self, variable: &Variable) -> Result<Vec<String>, ConfigError> {
        let wrong = |what| ConfigError::new(format!("{} {what}.", variable.name));
        super::origins::parse(&self.value(variable)?).map_err(wrong)
    }

    fn signing(&self, variable: &Variable) -> Result<Option<Secrets>, ConfigError> {
        let Some(text) = self.set(variable)? else { return Ok(None) };
        let wrong = |error| ConfigError::new(format!("{} {error}.", variable.name));
        Secrets::parse(&text).map(Some).map_err(wrong)
    }

    fn drops(&self) -> Result<DropsConfig, ConfigError> {
        let is_on = self.set(&v::DROP_POINTS)?.is_some();
        let bus = self.text(&v::DROP_BUS)?;
        Ok(DropsConfig {
            points: is_on.then(|| self.whole(&v::DROP_POINTS)).transpose()?,
            url: self.text(&v::DROP_URL)?.map(Secret::new),
            secrets: self.signing(&v::DROP_SECRET)?,
            // Nobody else needs it, and everybody has some of it.
            aws: bus.as_ref().map(|_| AwsConfig::of(self.0)).unwrap_or_default(),
            bus,
        })
    }

    fn flag(&self, variable: &Variable) -> Result<bool, ConfigError> {
        let value = self.value(variable)?;
        match value.to_ascii_lowercase().as_str() {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(refused(variable, &value)),
        }
    }

    /// The word that was set, else the default, as `meaning` reads it.
    fn word<T>(
        &self,
        variable: &Variable,
        meaning: impl FnOnce(&str) -> T,
    ) -> Result<T, ConfigError> {
        let value = self.value(variable)?.to_ascii_lowercase();
        match variable.kind {
            Kind::Word(words) if value.is_empty() || words.contains(&value.as_str()) => {
                Ok(meaning(&value))
            }
            _ => Err(refused(variable, &value)),
        }
    }

    /// A URL, token, prefix, text or certificates that were set, else the default.
    fn text(&self, variable: &Variable) -> Result<Option<String>, ConfigError> {
        let value = self.value(variable)?;
        if value.is_empty() {
            return Ok(None);
        }
        let good = match variable.kind {
            Kind::Url(schemes) => value.split_once("://").is_some_and(|(scheme, rest)| {
                schemes.contains(&scheme.to_ascii_lowercase().as_str()) && !rest.is_empty()
            }),
            Kind::Token => !value.contains(['"', '\'']),
            Kind::Prefix => !value.starts_with(':') && !value.ends_with(':'),
            _ => true,
        };
        if good { Ok(Some(value)) } else { Err(refused(variable, &value)) }
    }

    /// Which Redis, over which transport, and what its settings are called.
    fn redis(&self) -> Result<(Option<Endpoint>, Names), ConfigError> {
        let wanted = self.word(&v::TRANSPORT, str::to_owned)?;
        let allow_plaintext = self.flag(&v::ALLOW_PLAINTEXT)?;
        let is_any = |pair: [&Variable; 2]| pair.into_iter().any(|it| self.raw(it).is_some());
        let [ours, theirs] = [[&v::REST_URL, &v::REST_TOKEN], [&v::KV_URL, &v::KV_TOKEN]];
        // As a pair: the URL of one database and the token of another would be the worst.
        // Theirs choose no database where one is named already: they may be of another one.
        let tcp = self.raw(&v::REDIS_URL).is_some();
        let may_be_theirs = wanted == "rest" || !tcp;
        let pair = if !is_any(ours) && is_any(theirs) && may_be_theirs { theirs } else { ours };
        let rest = is_any(pair);
        if wanted == "rest" || (wanted.is_empty() && rest) {
            return self.rest(pair, allow_plaintext);
        }
        if wanted == "tcp" && !tcp {
            return Err(ConfigError::new(format!(
                "{} is not set, though {} is tcp: set it too.",
                v::REDIS_URL.name,
                v::TRANSPORT.name
            )));
        }
        let Some(url) = self.set(&v::REDIS_URL)? else { return Ok((None, REDIS_NAMES)) };
        checked(Endpoint::Tcp { url: Secret::new(url), allow_plaintext }, REDIS_NAMES)
    }

    fn rest(
        &self,
        [url, token]: [&Variable; 2],
        allow_plaintext: bool,
    ) -> Result<(Option<Endpoint>, Names), ConfigError> {
        let both = |it: &Variable, other: &Variable| {
            let why = match self.raw(other) {
                Some(_) => format!("{} is", other.name),
                None => format!("{} is rest", v::TRANSPORT.name),
            };
            let missing = || format!("{} is not set, though {why}: set it too.", it.name);
            self.set(it)?.ok_or_else(|| ConfigError::new(missing()))
        };
        let names = Names { rest_url: url.name, rest_token: token.name, ..REDIS_NAMES };
        let (url, token) = (both(url, token)?, both(token, url)?);
        let url = url.trim_end_matches('/').to_owned();
        checked(Endpoint::Rest { url, token: Secret::new(token), allow_plaintext }, names)
    }
}

fn checked(endpoint: Endpoint, names: Names) -> Result<(Option<Endpoint>, Names), ConfigError> {
    endpoint.check(&names).map_err(|wrong| ConfigError::new(format!("{wrong}.")))?;
    Ok((Some(endpoint), names))
}

/// A value of the wrong form; a secret's is not shown.
fn refused(variable: &Variable, value: &str) -> ConfigError {
    let accepts = variable.accepts();
    ConfigError::new(if variable.secret || matches!(variable.kind, Kind::Url(_)) {
        format!("{} cannot be used: it takes {accepts}.", variable.name)
    } else {
        format!("{} is {value:?}, but it takes {accepts}.", variable.name)
    })
}

#[cfg(test)]
mod tests;
