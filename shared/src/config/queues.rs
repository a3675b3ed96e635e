//! `QUEUES`: which queues the drain serves, with what weight, and where their jobs are handled.

use std::fmt;

use super::{QUEUE_NAME, Secret};
use crate::redis::is_loopback;

/// A queue that the drain serves.
#[derive(Clone, Debug)]
pub struct ServedQueue {
    /// Its name.
    pub name: String,
    /// Its share of a tick's time, where several queues have jobs.
    pub weight: u32,
    /// Where its jobs are posted to; `None` where a handler of ours has its name.
    pub url: Option<Secret>,
}

/// The heaviest weight.
const MOST_WEIGHT: u32 = 1_000;

/// Returns the queues of `name[:weight][=URL],…`, or what is wrong with that.
pub(super) fn parse(text: &str) -> Result<Vec<ServedQueue>, String> {
    let mut queues: Vec<ServedQueue> = Vec::new();
    for entry in text.split(',') {
        let queue = one(entry.trim())?;
        if queues.iter().any(|other| other.name == queue.name) {
            return Err(format!("names `{}` twice", queue.name));
        }
        queues.push(queue);
    }
    Ok(queues)
}

fn one(entry: &str) -> Result<ServedQueue, String> {
    let (named, url) = match entry.split_once('=') {
        Some((named, url)) => (named, Some(url)),
        None => (entry, None),
    };
    let (name, weight) = named.split_once(':').unwrap_or((named, "1"));
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.is_empty() || !name.chars().all(fits) {
        return Err("has a queue without a name of letters, digits, `_`, `-` and `.`".to_owned());
    }
    let weight = weight.parse().ok().filter(|weight| (1..=MOST_WEIGHT).contains(weight));
    let weight = weight.ok_or_else(|| {
        format!("gives `{name}` a weight that is no whole number from 1 to {MOST_WEIGHT}")
    })?;
    match url {
        None if name != QUEUE_NAME => Err(format!(
            "names `{name}`, for which there is no handler here: add the URL that its jobs are posted \
             to (`{name}=https://…`)"
        )),
        Some(_) if name == QUEUE_NAME => {
            Err(format!("gives a URL to `{name}`, whose jobs are handled here: leave it out"))
        }
        Some(url) if !is_fit(url) => Err(format!(
            "gives `{name}` no `https://` URL (`http://` only to this machine; a comma in it is `%2C`)"
        )),
        url => Ok(ServedQueue { name: name.to_owned(), weight, url: url.map(Secret::new) }),
    }
}

fn is_fit(url: &str) -> bool {
    let Ok(parsed) = reqwest::Url::parse(url) else { return false };
    let is_here = parsed.host_str().is_some_and(is_loopback);
    // What a URL's parser would leave out was not meant.
    let is_plain = !url.chars().any(|c| c.is_whitespace() || c.is_control());
    is_plain && (parsed.scheme() == "https" || (parsed.scheme() == "http" && is_here))
}

/// As in the setting, which says no weight of 1, and of a URL only where it leads.
impl fmt::Display for ServedQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if self.weight != 1 {
            write!(f, ":{}", self.weight)?;
        }
        match &self.url {
            Some(url) => write!(f, "={}", super::summary::host(url.expose())),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn shown(text: &str) -> Vec<String> {
        parse(text).unwrap().iter().map(ServedQueue::to_string).collect()
    }

    #[test]
    fn queues_have_a_weight_and_a_url_where_they_need_one() {
        assert_eq!(shown("deo_score_queue"), ["deo_score_queue"]);
        assert_eq!(
            shown(
                "deo_score_queue:3, crawl_queue:2=https://u:p@a.example/secret?x=y,b=http://127.0.0.1:1/"
            ),
            ["deo_score_queue:3", "crawl_queue:2=https://a.example", "b=http://127.0.0.1:1"]
        );
    }

    #[test]
    fn what_cannot_be_served_is_named() {
        for (text, says) in [
            ("", "without a name"),
            ("a b=https://x.example", "without a name"),
            ("crawl_queue", "no handler here"),
            ("deo_score_queue:0", "weight"),
            ("deo_score_queue:x", "weight"),
            ("deo_score_queue:1001", "weight"),
            ("deo_score_queue,deo_score_queue:2", "twice"),
            ("deo_score_queue=https://x.example", "leave it out"),
            ("a=http://x.example/sesame", "`https://`"),
            ("a=ftp://sesame", "`https://`"),
            ("a=", "`https://`"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(says) && !error.contains("sesame"), "{text}: {error}");
        }
    }
}
