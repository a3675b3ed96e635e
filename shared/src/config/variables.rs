//! Declares every setting once: parsing, its errors, the summary at start and the table in
//! `docs/configuration.md` all come from here.

use super::kind::{Kind, Variable};

/// An hour, in milliseconds: longer than any Lambda function can run.
const HOUR_MS: u64 = 3_600_000;

/// A hundred years, in seconds.
const CENTURY_S: u64 = 3_155_760_000;

pub(super) const REST_URL: Variable = Variable::new(
    "UPSTASH_REDIS_REST_URL",
    Kind::Url(&["https", "http"]),
    "",
    "Upstash's REST endpoint. With its token it chooses REST. Where neither is set, `KV_REST_API_URL` and \
     `KV_REST_API_TOKEN`, as Vercel calls the two, take their place, unless `REDIS_URL` names a database.",
);
pub(super) const REST_TOKEN: Variable = Variable::secret(
    "UPSTASH_REDIS_REST_TOKEN",
    Kind::Token,
    "The REST endpoint's token: the standard one, since the read-only one may not run scripts.",
);
/// What Vercel calls [`REST_URL`].
pub(super) const KV_URL: Variable = Variable { name: "KV_REST_API_URL", ..REST_URL };
/// What Vercel calls [`REST_TOKEN`].
pub(super) const KV_TOKEN: Variable = Variable { name: "KV_REST_API_TOKEN", ..REST_TOKEN };
pub(super) const REDIS_URL: Variable = Variable::secret(
    "REDIS_URL",
    Kind::Url(&["rediss", "redis"]),
    "Redis over TCP, with user and password if it wants them.",
);
pub(super) const TRANSPORT: Variable = Variable::new(
    "REDIS_TRANSPORT",
    Kind::Word(&["rest", "tcp"]),
    "",
    "Which one to use when both are set; REST when it is not set.",
);
pub(super) const ALLOW_PLAINTEXT: Variable = Variable::new(
    "REDIS_ALLOW_PLAINTEXT",
    Kind::Flag,
    "false",
    "Whether `http://` and `redis://` may go to another machine; to this one they always may.",
);
pub(super) const REDIS_CA: Variable = Variable::new(
    "REDIS_CA",
    Kind::Authorities,
    "",
    "The private authorities that vouch for Redis, instead of Mozilla's: over REST as over TCP. The server's \
     own certificate may stand there, too.",
);
pub(super) const PREFIX: Variable = Variable::new(
    "REDIS_PREFIX",
    Kind::Prefix,
    "engineo",
    "BullMQ's key prefix. Every peer on the queue must have the same one.",
);
pub(super) const DATABASE_URL: Variable = Variable::secret(
    "DATABASE_URL",
    Kind::Url(&["postgresql", "postgres"]),
    "The platform's Postgres; options that only Prisma knows are fine.",
);
pub(super) const DATABASE_CA: Variable = Variable::new(
    "DATABASE_CA",
    Kind::Authorities,
    "",
    "The same for Postgres. `sslrootcert` in `DATABASE_URL`, a path, goes before it.",
);
pub(super) const JWT_SECRET: Variable = Variable::secret(
    "JWT_SECRET",
    Kind::Text,
    "The platform's secret for signing tokens. Only `api` needs it.",
);
pub(super) const PREVIOUS_JWT_SECRET: Variable = Variable::secret(
    "JWT_SECRET_PREVIOUS",
    Kind::Text,
    "A second secret whose tokens are taken, too: the one of before, while tokens live that were signed with \
     it, or the next one, before the platform signs with it.",
);
pub(super) const POSTS_PER_MINUTE: Variable = Variable::new(
    "API_POSTS_PER_MINUTE",
    Kind::Bound(1, 100_000),
    "all",
    "How many POST requests a user may make a minute of the clock, counted over all instances in Redis (1 \
     command a request, one more for a user's first in an instance); the next ones get 429 with \
     `Retry-After`. A bulk request counts as one. `all`: nothing is counted.",
);
pub(super) const CORS_ORIGINS: Variable = Variable::new(
    "CORS_ORIGINS",
    Kind::Origins,
    "",
    "The origins of the web application, whose pages may ask the API from a browser, show [the \
     console](console.md) in a frame and hand it a token. API Gateway has them from `CorsOrigins`, and entries with \
     `*` count there alone. `deo up` and `deo with-servers` take `http://localhost:3000` where it is not set.",
);
pub(super) const QUEUE_OPERATIONS: Variable = Variable::new(
    "API_QUEUE_OPERATIONS",
    Kind::Flag,
    "false",
    "Whether administrators may operate the queue over the API: `POST /queue/pause`, `/queue/resume`, \
     `/queue/retry`, `/queue/promote` and `/queue/limit`. Otherwise these routes answer 404. Its Redis user \
     needs more commands then: `deo permissions` prints them.",
);
pub(super) const PROCESSORS: Variable = Variable::new(
    "ENABLE_QUEUE_PROCESSORS",
    Kind::Flag,
    "true",
    "Whether the drain works; `false` makes every tick end at once, at no billed command.",
);
pub(super) const CRON: Variable =
    Variable::new("ENABLE_CRON", Kind::Flag, "true", "Whether the nightly recompute adds jobs.");
pub(super) const EVENTS: Variable = Variable::new(
    "ENABLE_QUEUE_EVENTS",
    Kind::Word(&["false", "true", "final", "0", "1"]),
    "false",
    "Which queue events are written: none, all of BullMQ's, or with `final` only completed, failed \
     and stalled, which is what `waitUntilFinished` needs.",
);
pub(super) const SCHEDULERS: Variable = Variable::new(
    "ENABLE_QUEUE_SCHEDULERS",
    Kind::Flag,
    "false",
    "Whether `deo queue schedule` may make, list and end job schedulers. Their jobs are drained, and \
     their next ones put in place, in either case.",
);
pub(super) const METRICS: Variable = Variable::new(
    "QUEUE_METRICS_MINUTES",
    Kind::Whole(0, 20_160),
    "0",
    "For how many minutes BullMQ's metrics (jobs completed and failed in each) are kept; `0` writes \
     none. They cost 2 commands a batch.",
);
pub(super) const QUEUES: Variable = Variable::new(
    "QUEUES",
    Kind::Queues,
    "deo_score_queue",
    "The queues that the drain serves, all under `REDIS_PREFIX`. Where several have jobs, each gets a \
     share of a tick's time by its weight (1 to 1000, else 1), and jobs without a priority, which somebody \
     waits for, go first. `deo_score_queue` is handled here; the jobs of any other are posted to its URL. \
     Name, weight and URL are each queue's own; every other setting holds for all.",
);
pub(super) const LANES: Variable = Variable::new(
    "DRAIN_LANES",
    Kind::Whole(1, 16),
    "4",
    "Batches of a queue that are under way at once, at most: while one is read and scored, the next is \
     claimed, and another is stored. Each of them uses a connection to Postgres of its own, as long as \
     the database allows that.",
);
pub(super) const BATCH_SIZE: Variable = Variable::new(
    "QUEUE_BATCH_SIZE",
    Kind::Whole(1, 1000),
    "100",
    "Jobs that the drain claims, scores and settles at a time, at most: fewer while they are slow or the \
     time is short.",
);
pub(super) const LIMITER_MAX: Variable = Variable::new(
    "QUEUE_LIMITER_MAX",
    Kind::Bound(1, 10_000_000),
    "all",
    "At most so many jobs start within `QUEUE_LIMITER_DURATION_MS`, as a BullMQ worker's `limiter.max`; \
     all peers count together, and a limit of the queue itself goes before. A tick waits until the \
     limit is over where that leaves it time for a batch, and else ends; `deo worker` waits for its next \
     one.",
);
pub(super) const LIMITER_DURATION: Variable = Variable::new(
    "QUEUE_LIMITER_DURATION_MS",
    Kind::Whole(1, HOUR_MS),
    "1000",
    "The time that `QUEUE_LIMITER_MAX` is about, in milliseconds.",
);
pub(super) const ATTEMPTS: Variable =
    Variable::new("QUEUE_ATTEMPTS", Kind::Whole(1, 100), "3", "Tries in all of a job that we add.");
pub(super) const BACKOFF: Variable = Variable::new(
    "QUEUE_BACKOFF_MS",
    Kind::Whole(0, HOUR_MS),
    "5000",
    "Wait before the second try of a job that we add, in milliseconds; it doubles with each try.",
);
pub(super) const BACKOFF_JITTER: Variable = Variable::new(
    "QUEUE_BACKOFF_JITTER",
    Kind::Part,
    "1",
    "The part of that wait which is random, so that jobs that failed together are not tried again \
     together: `1` is anything up to it, `0` exactly it. It stands in each job, and Node workers keep it \
     as well.",
);
pub(super) const LOCK: Variable = Variable::new(
    "QUEUE_LOCK_MS",
    Kind::Whole(1000, HOUR_MS),
    "85000",
    "How long a claimed job is ours, in milliseconds from its tick's beginning: at least \
     `DRAIN_TIMEOUT_MS` and 30 seconds more, or a tick still at work could lose its jobs to the next \
     one. What is more than that timeout is what a lock outlives its tick's deadline by.",
);
pub(super) const OPEN_DEDUPLICATION: Variable = Variable::new(
    "QUEUE_OPEN_DEDUPLICATION",
    Kind::Flag,
    "false",
    "Whether a claim frees its jobs' deduplication ids. Producers with BullMQ before 5.72 drop what is \
     asked for while a job is active; with this it becomes a job of its own. Costs 1 command a job.",
);
pub(super) const KEEP_COMPLETED: Variable = Variable::new(
    "QUEUE_KEEP_COMPLETED",
    Kind::Bound(0, 10_000_000),
    "1000",
    "At most so many completed jobs stay in Redis.",
);
pub(super) const KEEP_COMPLETED_SECONDS: Variable = Variable::new(
    "QUEUE_KEEP_COMPLETED_SECONDS",
    Kind::Bound(1, CENTURY_S),
    "86400",
    "Completed jobs older than this go, in seconds.",
);
pub(super) const KEEP_FAILED: Variable = Variable::new(
    "QUEUE_KEEP_FAILED",
    Kind::Bound(0, 10_000_000),
    "5000",
    "At most so many failed jobs stay in Redis.",
);
pub(super) const KEEP_FAILED_SECONDS: Variable = Variable::new(
    "QUEUE_KEEP_FAILED_SECONDS",
    Kind::Bound(1, CENTURY_S),
    "1209600",
    "Failed jobs older than this go, in seconds.",
);
pub(super) const DRAIN_TIMEOUT: Variable = Variable::new(
    "DRAIN_TIMEOUT_MS",
    Kind::Whole(1000, 900_000),
    "55000",
    "The longest that a tick may run, in milliseconds, even if its function may run longer.",
);
pub(super) const DRAIN_MARGIN: Variable = Variable::new(
    "DRAIN_MARGIN_MS",
    Kind::Whole(0, 60_000),
    "3000",
    "How long before its deadline a tick stops claiming, in milliseconds; less than \
     `DRAIN_TIMEOUT_MS`.",
);
pub(super) const DRAIN_PATIENCE: Variable = Variable::new(
    "DRAIN_PATIENCE",
    Kind::Span,
    "0m",
    "How long jobs with a priority (those of the nightly recompute) gather, since nobody waits for them: the \
     first tick after each multiple of this time since the Unix epoch takes them, so that Postgres sleeps in \
     between. Jobs without a priority, a Node producer's too, are taken by the next tick. `0m`: none gather.",
);
pub(super) const DRAIN_EVERY: Variable = Variable::new(
    "DRAIN_EVERY_SECONDS",
    Kind::Whole(1, 3600),
    "60",
    "How often the drain's schedule ticks, in seconds; with `DRAIN_PATIENCE` a new process tells by it \
     whether it is the first one after a boundary.",
);
pub(super) const BUDGET: Variable = Variable::new(
    "COMMAND_BUDGET",
    Kind::Bound(1_000, 1_000_000_000_000),
    "all",
    "How many billed Redis commands the functions may take a month (UTC). Past `COMMAND_BUDGET_SHARE` of them \
     jobs with a priority gather for half an hour at least, the nightly recompute adds none, and a bulk \
     recompute is refused; what a person asks for goes on. What BullMQ's own processes take is not seen. \
     `all`: nothing is counted.",
);
pub(super) const BUDGET_SHARE: Variable = Variable::new(
    "COMMAND_BUDGET_SHARE",
    Kind::Part,
    "0.8",
    "The part of `COMMAND_BUDGET` from which on bulk has to wait.",
);
pub(super) const WAKE_URL: Variable = Variable::new(
    "DRAIN_WAKE_URL",
    Kind::Url(&["https", "http"]),
    "",
    "Where to ask for a drain as soon as jobs wait: the drain's function URL, or a QStash endpoint that \
     publishes to it. Not set, jobs wait for the next tick. `http://` only to this machine.",
);
pub(super) const WAKE_TOKEN: Variable = Variable::secret(
    "DRAIN_WAKE_TOKEN",
    Kind::Token,
    "What a request to wake the drain must carry as its bearer token: long and random, the same for \
     the drain and for those that wake it. Not set, the drain refuses all of them.",
);
pub(super) const QSTASH_TOKEN: Variable = Variable::secret(
    "QSTASH_TOKEN",
    Kind::Token,
    "QStash's token, where `DRAIN_WAKE_URL` is one of its endpoints; `DRAIN_WAKE_TOKEN` is then \
     forwarded to the drain.",
);
pub(super) const HTTP_SECRET: Variable = Variable::secret(
    "QUEUE_HTTP_SECRET",
    Kind::Signing,
    "What requests to servers that do a queue's jobs over HTTP are signed with, and their callbacks: see \
     [the HTTP handler](http-handler.md). Two while one takes the other's place. Not set, `api` takes no \
     callbacks.",
);
pub(super) const SNAPSHOTS: Variable = Variable::new(
    "SNAPSHOT_RETENTION",
    Kind::Snapshots,
    "all",
    "Which snapshots of a project stay in Postgres once it is scored anew: all, its newest N, or all of the \
     last DAYS days and before that one a week. Its newest always stays.",
);
pub(super) const DROP_POINTS: Variable = Variable::new(
    "DROP_EVENTS_POINTS",
    Kind::Whole(1, 100),
    "",
    "From how many points on it is told that a project's score fell, the same for `api`, the drain and \
     `cron`: see [drops](history.md#drops). It needs the table of `deo migrate` (`V7`). Not set, nothing is told.",
);
pub(super) const DROP_URL: Variable = Variable::new(
    "DROP_EVENTS_URL",
    Kind::Url(&["https", "http"]),
    "",
    "Where that is posted to, signed with `DROP_EVENTS_SECRET`. `http://` only to this machine.",
);
pub(super) const DROP_SECRET: Variable = Variable::secret(
    "DROP_EVENTS_SECRET",
    Kind::Signing,
    "What these requests are signed with. Two while one takes the other's place.",
);
pub(super) const DROP_BUS: Variable = Variable::new(
    "DROP_EVENTS_BUS",
    Kind::Text,
    "",
    "Instead of a URL: the name of a bus of EventBridge in the function's own region, such as `default`.",
);
pub(super) const CRON_SCOPE: Variable = Variable::new(
    "CRON_SCOPE",
    Kind::Word(&["stale", "all"]),
    "stale",
    "Which projects the nightly recompute takes: those never scored, scored too long ago, or with data \
     that their score may lack (stamped from 15 minutes before it on), or `all`.",
);
pub(super) const CRON_MAX_AGE: Variable = Variable::new(
    "CRON_MAX_AGE_DAYS",
    Kind::Whole(1, 3650),
    "7",
    "From how many days on a score is too old: freshness decays by itself.",
);
pub(super) const CRON_MAX_WAITING: Variable = Variable::new(
    "CRON_MAX_WAITING",
    Kind::Whole(1, 10_000_000),
    "100000",
    "At so many waiting jobs the nightly recompute stops, to go on at its next tick: a million \
     jobs take over 1 GB of Redis.",
);
pub(super) const CLOUDWATCH_METRICS: Variable = Variable::new(
    "CLOUDWATCH_METRICS",
    Kind::Word(&["basic", "all"]),
    "basic",
    "Which of a tick's figures CloudWatch keeps as metrics: `basic` ten, what it counts free of charge, or `all`. \
     The log has all of them in either case.",
);

/// Every variable, in the order of the documentation.
pub const VARIABLES: &[&Variable] = &[
    &REST_URL,
    &REST_TOKEN,
    &REDIS_URL,
    &TRANSPORT,
    &ALLOW_PLAINTEXT,
    &REDIS_CA,
    &PREFIX,
    &DATABASE_URL,
    &DATABASE_CA,
    &JWT_SECRET,
    &PREVIOUS_JWT_SECRET,
    &POSTS_PER_MINUTE,
    &CORS_ORIGINS,
    &QUEUE_OPERATIONS,
    &PROCESSORS,
    &CRON,
    &EVENTS,
    &SCHEDULERS,
    &METRICS,
    &QUEUES,
    &BATCH_SIZE,
    &LANES,
    &LIMITER_MAX,
    &LIMITER_DURATION,
    &ATTEMPTS,
    &BACKOFF,
    &BACKOFF_JITTER,
    &LOCK,
    &OPEN_DEDUPLICATION,
    &KEEP_COMPLETED,
    &KEEP_COMPLETED_SECONDS,
    &KEEP_FAILED,
    &KEEP_FAILED_SECONDS,
    &DRAIN_TIMEOUT,
    &DRAIN_MARGIN,
    &DRAIN_PATIENCE,
    &DRAIN_EVERY,
    &BUDGET,
    &BUDGET_SHARE,
    &WAKE_URL,
    &WAKE_TOKEN,
    &QSTASH_TOKEN,
    &HTTP_SECRET,
    &SNAPSHOTS,
    &DROP_POINTS,
    &DROP_URL,
    &DROP_SECRET,
    &DROP_BUS,
    &CRON_SCOPE,
    &CRON_MAX_AGE,
    &CRON_MAX_WAITING,
    &CLOUDWATCH_METRICS,
];

/// Names that other programs give to variables of ours, which are understood too.
pub(crate) const ALIASES: [&Variable; 2] = [&KV_URL, &KV_TOKEN];
