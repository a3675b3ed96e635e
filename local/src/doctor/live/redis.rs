//! What we take for granted of Redis, Upstash's or another.

use std::cell::Cell;

use shared::config::Config;
use shared::queue::Queue;
use shared::redis::{Command, Error, ErrorKind, Redis, Value};

use super::super::redis::queue_key;
use super::super::{Check, Verdict};
use super::rest;

/// How long what is written lives, in seconds, should its end not be reached.
const LIVES_S: &str = "60";

/// The sizes that are tried, in bytes; a request of Upstash's ends at 10 MB, and base64 adds a third.
const SIZES: [usize; 3] = [1_000_000, 3_000_000, 7_000_000];

const SIZE: &str = "live.size";

/// What works in a script that is not of Redis itself, by name. Each is used by a script of ours.
const DIALECT: &str = r"
    local function works(f) local ok, is = pcall(f) return ok and is end
    local failing = {}
    for _, try in ipairs({
        {'unpack of 1,000', function()
            local many = {}
            for i = 1, 1000 do many[i] = i end
            return select('#', unpack(many)) == 1000
        end},
        {'string.format', function() return string.format('%.0f', 1772366400000) == '1772366400000' end},
        {'string.match', function() return string.match('repeat:s:17', ':(%d+)$') == '17' end},
        {'math.floor', function() return math.floor(2.9) == 2 end},
        {'table.concat', function() return table.concat({'a', 'b'}, ':') == 'a:b' end},
        {'nil as false', function() return redis.call('GET', KEYS[2]) == false end},
        {'numbers of answers', function() return redis.call('EXISTS', KEYS[2]) == 0 end},
        {'hashes as lists', function() return #redis.call('HGETALL', KEYS[2]) == 0 end},
        {'redis.error_reply', function() return redis.error_reply('DEO x').err == 'DEO x' end},
        {'redis.pcall', function() return redis.pcall('HGET', KEYS[1], 'f').err ~= nil end},
    }) do
        if not works(try[2]) then failing[#failing + 1] = try[1] end
    end
    local ok, json = pcall(function() return cjson.encode(cjson.decode(ARGV[1])) end)
    if not ok or json ~= ARGV[1] then failing[#failing + 1] = 'cjson' end
    return failing";

/// As many commands inside a script as a full batch takes.
const MANY: &str = r"for _ = 1, 500 do redis.call('EXISTS', KEYS[1]) end return 500";

/// The keys, all of a random name beside the queue's own.
struct Bench<'a> {
    redis: &'a Redis,
    key: String,
    other: String,
    /// Commands inside scripts, which are billed as others are.
    inside: Cell<u64>,
}

/// 64 random bits.
pub(super) fn random() -> String {
    format!("{:016x}", rand::random::<u64>())
}

/// Tries everything, and returns how many billed commands that took beside those of `queue`'s own meter.
pub(in crate::doctor) async fn attempt(
    queue: &Queue,
    config: &Config,
    checks: &mut Vec<Check>,
) -> u64 {
    let key = queue_key(queue, &format!("batchmq:doctor:{}", random()));
    let other = format!("{key}:none");
    let bench = Bench { redis: queue.redis(), key, other, inside: Cell::new(0) };
    bench.write(checks).await;
    bench.scripts(checks).await;
    let is_sound = |check: &Check| check.name != "redis.conditions" || check.verdict == Verdict::Ok;
    checks.push(match checks.iter().all(is_sound) {
        true => bench.sizes().await,
        false => Check::warn(
            SIZE,
            "requests of megabytes are not tried: they could cost this Redis other keys",
            "mend what `redis.conditions` says first",
        ),
    });
    let (billing, mut billed) = meter(queue).await;
    checks.push(billing);
    if let Some(endpoint) = &config.redis {
        billed += rest::attempt(endpoint, config.redis_ca.as_deref(), checks).await;
    }
    checks.push(bench.clean().await);
    billed + bench.inside.get()
}

/// A check of what was answered: `expected`, or what came instead.
fn told<T>(
    name: &'static str,
    answer: Result<T, Error>,
    expected: impl FnOnce(&T) -> bool,
    well: &str,
    ill: &str,
) -> Check {
    match answer {
        Ok(answer) if expected(&answer) => Check::ok(name, well),
        Ok(_) => Check::fail(name, ill, "this server cannot take Upstash's place; tell us of it"),
        Err(error) => Check::fail(name, error.to_string(), "docs/permissions.md has the rights"),
    }
}

impl Bench<'_> {
    async fn call(&self, name: &'static str, args: &[&str]) -> Result<Value, Error> {
        self.redis.call(Command::new(name).args(args.iter().copied())).await
    }

    /// Runs a script that sends so many commands.
    async fn eval(&self, script: &str, argument: &str, sends: u64) -> Result<Value, Error> {
        let answer = self.call("EVAL", &[script, "2", &self.key, &self.other, argument]).await;
        self.inside.update(|inside| inside + if answer.is_ok() { sends } else { 0 });
        answer
    }

    async fn write(&self, checks: &mut Vec<Check>) {
        // One more than what a double holds.
        let set = self.call("SET", &[&self.key, "9007199254740993", "EX", LIVES_S]).await;
        let well = |value: &Value| value.as_str() == Some("OK");
        checks.push(told(
            "live.write",
            set,
            well,
            "keys are written",
            "SET answers something else",
        ));
        let next = self.call("INCR", &[&self.key]).await;
        checks.push(told(
            "live.integers",
            next,
            |value| value.as_int() == Some(9_007_199_254_740_994),
            "integers of 64 bits stay what they are",
            "integers of 64 bits are rounded",
        ));
        let thrice = self.call("EXISTS", &[&self.key, &self.other, &self.key, &self.key]).await;
        checks.push(told(
            "live.exists",
            thrice,
            |value| value.as_int() == Some(3),
            "EXISTS counts a key as often as it is named",
            "EXISTS counts a key once, so that an idle look cannot tell what it found",
        ));
        let steps = vec![
            Command::new("GET").arg(self.key.as_str()),
            Command::new("HGET").args([self.key.as_str(), "f"]),
            Command::new("EXISTS").arg(self.key.as_str()),
        ];
        let several = self.redis.pipeline(steps).await;
        checks.push(told(
            "live.pipeline",
            several,
            |answers| matches!(answers[..], [Ok(_), Err(_), Ok(_)]),
            "what fails in a pipeline stops nothing",
            "a pipeline's answers are not one for each command",
        ));
    }

    async fn scripts(&self, checks: &mut Vec<Check>) {
        let failing = self.eval(DIALECT, r#"{"a":[1,"é"]}"#, 4).await;
        let names = failing.as_ref().ok().and_then(Value::as_array).unwrap_or_default();
        let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
        let ill = format!("Lua lacks what our scripts use: {}", names.join(", "));
        let well = |value: &Value| value.as_array().is_some_and(<[Value]>::is_empty);
        checks.push(told("live.lua", failing, well, "Lua has all that our scripts use", &ill));

        let bytes = r"redis.call('SET', KEYS[1], string.char(0, 255, 128, 10), 'EX', ARGV[1])
            return redis.call('GET', KEYS[1])";
        checks.push(told(
            "live.bytes",
            self.eval(bytes, LIVES_S, 2).await,
            |value| value.as_bytes() == Some(&[0, 255, 128, 10]),
            "bytes that are no text come back as they are",
            "bytes that are no text do not come back as they are",
        ));

        let unknown =
            self.call("EVALSHA", &[&format!("{}{}00000000", random(), random()), "0"]).await;
        let is_noscript =
            |error: &Error| matches!(error.kind(), ErrorKind::Server(code) if code == "NOSCRIPT");
        checks.push(match unknown {
            Err(error) if is_noscript(&error) => {
                Check::ok("live.noscript", "a script that is not known is told as NOSCRIPT")
            }
            Err(error) => Check::fail(
                "live.noscript",
                format!("a script that is not known is not told as NOSCRIPT ({error})"),
                "scripts are sent by their digest first: this server cannot take Upstash's place",
            ),
            Ok(_) => Check::fail("live.noscript", "a script that nobody sent has an answer", ""),
        });

        let error = self.eval("return redis.error_reply('DEO was here')", "", 0).await;
        let is_ours =
            |error: &Error| matches!(error.kind(), ErrorKind::Server(code) if code == "DEO");
        checks.push(match error {
            Err(error) if is_ours(&error) => {
                Check::ok("live.errors", "a script's own errors come back with their code")
            }
            _ => Check::fail("live.errors", "a script's own errors lose their code", ""),
        });

        let many = self.eval(MANY, "", 500).await;
        checks.push(told(
            "live.script-commands",
            many,
            |value| value.as_int() == Some(500),
            "500 commands inside a script are let through at once",
            "a script with 500 commands has another answer",
        ));
    }

    /// How large a request and an answer may be.
    async fn sizes(&self) -> Check {
        let mut largest = 0;
        for size in SIZES {
            let text = "x".repeat(size);
            let went = async {
                self.call("SET", &[&self.key, &text, "EX", LIVES_S]).await?;
                self.call("GET", &[&self.key]).await
            };
            match went.await {
                Ok(value) if value.as_bytes().is_some_and(|it| it.len() == size) => largest = size,
                Ok(_) => {
                    let told = format!("an answer of {size} bytes does not come back whole");
                    return Check::fail(SIZE, told, "");
                }
                Err(error) => {
                    let told = format!("{largest} bytes pass, {size} do not ({error})");
                    let remedy =
                        "keep jobs' data small, and QUEUE_BATCH_SIZE so that a batch of them fits";
                    return match largest {
                        0 => Check::fail(SIZE, told, remedy),
                        _ => Check::warn(SIZE, told, remedy),
                    };
                }
            }
        }
        Check::ok(SIZE, format!("requests and answers of {largest} bytes pass"))
    }

    async fn clean(&self) -> Check {
        let gone = self.call("DEL", &[&self.key]).await;
        told("live.clean", gone, |_| true, "what was written is gone", "")
    }
}

/// What we count as billed, beside what the server counts as executed. Others may be at work: the least of three
/// looks counts. Returns what the looks took, too.
async fn meter(queue: &Queue) -> (Check, u64) {
    let metered = queue.over(queue.redis().metered());
    let check = billing(queue, &metered).await;
    (check, metered.redis().usage().billed)
}

async fn billing(queue: &Queue, metered: &Queue) -> Check {
    const NAME: &str = "live.billing";
    let mut least: Option<(u64, u64)> = None;
    for _ in 0..3 {
        let Some(before) = executed(queue.redis()).await else {
            let told = "the server does not tell how many commands it executed";
            return Check::warn(
                NAME,
                told,
                "compare `billedCommands` of a day's reports with its console",
            );
        };
        let so_far = metered.redis().usage().billed;
        let looked = async {
            metered.counts().await?;
            metered.limits().await?;
            metered.throughput(5).await
        };
        if let Err(error) = looked.await {
            return Check::fail(NAME, error.to_string(), "");
        }
        let ours = metered.redis().usage().billed - so_far;
        let Some(after) = executed(queue.redis()).await else { continue };
        // Either INFO is one of them.
        let theirs = after.saturating_sub(before + 1);
        if least.is_none_or(|(_, before)| theirs < before) {
            least = Some((ours, theirs));
        }
        if ours == theirs {
            break;
        }
    }
    match least {
        Some((ours, theirs)) if ours == theirs => {
            Check::ok(NAME, format!("{ours} commands are counted here and there"))
        }
        Some((ours, theirs)) => Check::warn(
            NAME,
            format!("{ours} commands are counted here, and {theirs} there"),
            "unless others use this database at the moment, the bill will not be what reports say",
        ),
        None => Check::warn(NAME, "the server does not tell how many commands it executed", ""),
    }
}

async fn executed(redis: &Redis) -> Option<u64> {
    let info = redis.call(Command::new("INFO").arg("stats").replay_safe()).await.ok()?;
    let line =
        info.as_str()?.lines().find_map(|it| it.strip_prefix("total_commands_processed:"))?;
    line.trim().parse().ok()
}
