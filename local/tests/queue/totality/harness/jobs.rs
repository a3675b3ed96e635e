//! Jobs in every state, as BullMQ leaves them: raw commands, so that no script of ours is needed to make
//! the states that its siblings are tried on.

use shared::queue::{ClaimedJob, StoredOptions};

use super::NOW;

/// The token of those who work on what is active.
pub(crate) const TOKEN: &str = "token";

/// A job of the queue `t:q:`, or of another.
#[derive(Clone)]
pub(crate) struct Job {
    base: &'static str,
    pub(crate) id: String,
    opts: String,
    fields: Vec<(&'static str, String)>,
    place: Vec<String>,
    more: Vec<Vec<String>>,
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

impl Job {
    pub(crate) fn new(id: &str) -> Self {
        Self {
            base: "t:q:",
            id: id.to_owned(),
            opts: r#"{"attempts":0}"#.to_owned(),
            fields: Vec::new(),
            place: Vec::new(),
            more: Vec::new(),
        }
    }

    /// In the other queue.
    pub(crate) fn elsewhere(mut self) -> Self {
        self.base = "t:other:";
        self
    }

    pub(crate) fn opts(mut self, json: &str) -> Self {
        self.opts = json.to_owned();
        self
    }

    pub(crate) fn field(mut self, name: &'static str, value: &str) -> Self {
        self.fields.push((name, value.to_owned()));
        self
    }

    /// One command more: `@` is the queue's prefix, `%` the other's.
    pub(crate) fn and(mut self, line: &str) -> Self {
        let line = line.replace('@', "t:q:").replace('%', "t:other:");
        self.more.push(words(&line));
        self
    }

    fn at(mut self, line: String) -> Self {
        self.place = words(&line);
        self
    }

    pub(crate) fn waiting(self) -> Self {
        let line = format!("LPUSH {}wait {}", self.base, self.id);
        self.at(line)
    }

    pub(crate) fn paused(self) -> Self {
        let line = format!("LPUSH {}paused {}", self.base, self.id);
        self.at(line)
    }

    pub(crate) fn prioritized(self, priority: u32) -> Self {
        let score = f64::from(priority) * 4_294_967_296.0 + 1.0;
        let line = format!("ZADD {}prioritized {score} {}", self.base, self.id);
        self.field("priority", &priority.to_string()).at(line)
    }

    /// Due so many milliseconds from now.
    pub(crate) fn delayed(self, by: i64) -> Self {
        let line = format!("ZADD {}delayed {} {}", self.base, (NOW + by) * 4096, self.id);
        self.field("delay", &by.to_string()).at(line)
    }

    /// Somebody works on it.
    pub(crate) fn active(self) -> Self {
        let lock = format!("SET {}{}:lock {TOKEN} PX 120000", self.base, self.id);
        self.abandoned().and(&lock)
    }

    /// Whoever worked on it died.
    pub(crate) fn abandoned(self) -> Self {
        let line = format!("LPUSH {}active {}", self.base, self.id);
        self.field("ats", "1").field("processedOn", "1799999999000").at(line)
    }

    /// The last look found it active, too.
    pub(crate) fn suspected(self) -> Self {
        let line = format!("SADD {}stalled {}", self.base, self.id);
        self.and(&line)
    }

    /// It ended so many seconds ago.
    pub(crate) fn completed(self, ago_s: i64) -> Self {
        let at = NOW - 1000 * ago_s;
        let line = format!("ZADD {}completed {at} {}", self.base, self.id);
        self.field("returnvalue", "null").field("finishedOn", &at.to_string()).at(line)
    }

    /// It ended so many seconds ago.
    pub(crate) fn failed(self, ago_s: i64) -> Self {
        let at = NOW - 1000 * ago_s;
        let line = format!("ZADD {}failed {at} {}", self.base, self.id);
        self.field("failedReason", "no").field("finishedOn", &at.to_string()).at(line)
    }

    pub(crate) fn waiting_for_children(self) -> Self {
        let line = format!("ZADD {}waiting-children {NOW} {}", self.base, self.id);
        self.at(line)
    }

    /// It holds a deduplication key.
    pub(crate) fn holding(self, deid: &str) -> Self {
        let line = format!("SET {}de:{deid} {}", self.base, self.id);
        self.field("deid", deid).and(&line)
    }

    /// A duplicate that asks for another run when this has ended, as Node producers leave it.
    pub(crate) fn followed(self, deid: &str) -> Self {
        let line = format!("HSET {}dn:{deid} name next data {{}} opts {{}}", self.base);
        self.holding(deid).and(&line)
    }

    /// A child of a job, which waits for it, with a flag for what its failure means.
    pub(crate) fn child_of(self, parent: &Job, flag: &str) -> Self {
        let key = format!("{}{}", parent.base, parent.id);
        let queue = parent.base.trim_end_matches(':');
        let flag = if flag.is_empty() { String::new() } else { format!(r#","{flag}":true"#) };
        let json = format!(r#"{{"id":"{}","queueKey":"{queue}"{flag}}}"#, parent.id);
        let line = format!("SADD {key}:dependencies {}{}", self.base, self.id);
        self.field("parentKey", &key).field("parent", &json).and(&line)
    }

    /// The commands that make it.
    pub(crate) fn lines(&self) -> Vec<Vec<String>> {
        let mut hash = words(&format!("HSET {}{}", self.base, self.id));
        let timestamp = (NOW - 60_000).to_string();
        let usual =
            [("name", "n"), ("data", "{}"), ("opts", &self.opts), ("timestamp", &timestamp)];
        let usual = usual.into_iter().chain([("delay", "0"), ("priority", "0")]);
        let own = self.fields.iter().map(|(name, value)| (*name, value.as_str()));
        for (name, value) in usual.chain(own) {
            hash.extend([name.to_owned(), value.to_owned()]);
        }
        let mut lines = vec![hash];
        lines.extend((!self.place.is_empty()).then(|| self.place.clone()));
        lines.extend(self.more.clone());
        lines
    }

    /// As its claim gave it.
    pub(crate) fn claimed(&self) -> ClaimedJob {
        let field = |name: &str| {
            let found = self.fields.iter().find(|(field, _)| *field == name);
            found.map(|(_, value)| value.clone())
        };
        let count = |name: &str| field(name).and_then(|text| text.parse().ok()).unwrap_or(0);
        ClaimedJob {
            id: self.id.clone(),
            name: "n".to_owned(),
            data: "{}".to_owned(),
            opts: StoredOptions::parse(&self.opts),
            timestamp_ms: NOW - 60_000,
            priority: count("priority"),
            attempts_made: count("atm"),
            attempts_counted: count("atm"),
            deduplication_id: field("deid"),
            parent_key: field("parentKey"),
            scheduler_id: field("rjk"),
            stored_opts: field("rjk").map(|_| self.opts.clone()),
            ..ClaimedJob::default()
        }
    }
}
