//! Shops out of a random generator: good ones, middling ones and neglected ones.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng, RngExt as _, SeedableRng as _};

use super::Plan;
use super::words::{ADJECTIVES, GAPS, MATERIALS, PROSE, THINGS, TOPICS};

const HOUR_MS: i64 = 60 * 60 * 1_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// A project with its rows.
pub(super) struct Shop {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) domain: String,
    pub(super) created_at_ms: i64,
    pub(super) pages: Vec<Page>,
    pub(super) products: Vec<Product>,
}

/// A row of `"CrawlResult"`.
pub(super) struct Page {
    pub(super) id: String,
    pub(super) url: String,
    pub(super) status: i32,
    pub(super) title: Option<String>,
    pub(super) meta_description: Option<String>,
    pub(super) h1: Option<String>,
    pub(super) word_count: Option<i32>,
    pub(super) load_time_ms: Option<i32>,
    pub(super) issues: serde_json::Value,
    pub(super) scanned_at_ms: i64,
}

/// A row of `"Product"`.
pub(super) struct Product {
    pub(super) id: String,
    pub(super) external_id: String,
    pub(super) title: String,
    pub(super) description: Option<String>,
    pub(super) seo_title: Option<String>,
    pub(super) seo_description: Option<String>,
    pub(super) image_urls: Option<serde_json::Value>,
    pub(super) last_synced_at_ms: i64,
}

/// Ids sort in the order of their numbers.
pub(super) fn project_id(seed: u64, index: u32) -> String {
    format!("seed-{seed}-p{index:07}")
}

/// The shop with this number.
pub(super) fn shop(plan: &Plan, index: u32) -> Shop {
    // Every shop has a generator of its own: how many there are changes none of them.
    let mut rng =
        StdRng::seed_from_u64(plan.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ u64::from(index));
    let id = project_id(plan.seed, index);
    let adjective = pick(&mut rng, &ADJECTIVES);
    let thing = pick(&mut rng, &THINGS);
    let domain = format!("shop-{index}.example");
    let midnight_ms = plan.now_ms - plan.now_ms.rem_euclid(DAY_MS);
    // From neglected to well kept.
    let care = rng.random_range(0.15..1.0);
    let mut writer = Writer { rng, care, midnight_ms };
    let pages = (0..plan.pages).map(|row| writer.page(&id, &domain, row)).collect();
    let products = (0..plan.products).map(|row| writer.product(&id, &domain, row)).collect();
    Shop {
        name: format!("The {adjective} {thing} shop"),
        domain,
        created_at_ms: midnight_ms - 200 * DAY_MS,
        pages,
        products,
        id,
    }
}

struct Writer {
    rng: StdRng,
    care: f64,
    midnight_ms: i64,
}

impl Writer {
    fn page(&mut self, project: &str, domain: &str, row: u32) -> Page {
        let status = match self.rng.random_range(0..100) {
            _ if self.cared() => 200,
            0..70 => 200,
            70..80 => 301,
            80..93 => 404,
            93..98 => 500,
            _ => 0,
        };
        let reached = (200..400).contains(&status);
        let word_count = reached.then(|| self.length(40, 2_200));
        let title = self.text_when_cared(3, 8);
        let meta_description = self.text_when_cared(10, 24);
        let h1 = self.text_when_cared(2, 7);
        let mut issues = Vec::new();
        let mut flag = |is: bool, issue: &'static str| issues.extend(is.then_some(issue));
        flag(status == 0, "FETCH_ERROR");
        flag(status >= 400, "HTTP_ERROR");
        flag(title.is_none(), "MISSING_TITLE");
        flag(meta_description.is_none(), "MISSING_META_DESCRIPTION");
        flag(h1.is_none(), "MISSING_H1");
        flag(word_count.is_some_and(|words| words < 150), "THIN_CONTENT");
        Page {
            id: format!("{project}-c{row:06}"),
            url: self.url(domain, row),
            status,
            title,
            meta_description,
            h1,
            word_count,
            load_time_ms: reached.then(|| self.rng.random_range(90..4_000)),
            issues: issues.into(),
            scanned_at_ms: self.some_time_ago(),
        }
    }

    fn product(&mut self, project: &str, domain: &str, row: u32) -> Product {
        let title = format!(
            "{} {} {}",
            pick(&mut self.rng, &ADJECTIVES),
            pick(&mut self.rng, &MATERIALS),
            pick(&mut self.rng, &THINGS)
        );
        let description = match self.rng.random_range(0..20) {
            0 => None,
            1 => Some(String::new()),
            2..6 => Some(self.description(10, 60)),
            _ => Some(self.description(60, 420)),
        };
        let seo_title = match self.rng.random_range(0..10) {
            0 => Some(String::new()),
            1..5 => Some(format!("{title} | Shop")),
            _ => None,
        };
        let seo_description = self.rng.random_bool(0.25).then(|| self.text(12, 30));
        let images = self.rng.random_range(0..4);
        let image = |n| format!("https://cdn.{domain}/{row}-{n}.webp");
        Product {
            id: format!("{project}-r{row:06}"),
            external_id: format!(
                "gid://shopify/Product/{}",
                self.rng.random_range(1_000_000..9_000_000)
            ),
            title,
            description,
            seo_title,
            seo_description,
            image_urls: (images > 0).then(|| (1..=images).map(image).collect()),
            last_synced_at_ms: self.some_time_ago(),
        }
    }

    fn url(&mut self, domain: &str, row: u32) -> String {
        let path = match row {
            0 => String::new(),
            1 => "about".to_owned(),
            2 => "contact".to_owned(),
            3 => "pricing?ref=nav".to_owned(),
            4 => "faq/".to_owned(),
            _ if self.rng.random_bool(0.6) => format!("products/{row}"),
            _ => format!("blog/{}-{row}?utm_source=mail", pick(&mut self.rng, &TOPICS)),
        };
        format!("https://www.{domain}/{path}")
    }

    fn cared(&mut self) -> bool {
        self.rng.random_bool(self.care)
    }

    /// Short lengths are more frequent than long ones.
    fn length(&mut self, least: i32, most: i32) -> i32 {
        let x: f64 = self.rng.random();
        least + (x * x * f64::from(most - least)) as i32
    }

    /// In the last half year, mostly lately where somebody cares.
    fn some_time_ago(&mut self) -> i64 {
        let days = if self.cared() { 20 } else { 180 };
        // So long ago that a score made right now is not stale.
        self.midnight_ms - HOUR_MS - self.rng.random_range(0..days * DAY_MS)
    }

    fn text_when_cared(&mut self, least: usize, most: usize) -> Option<String> {
        (self.cared() || self.rng.random_bool(0.3)).then(|| self.text(least, most))
    }

    fn text(&mut self, least: usize, most: usize) -> String {
        let words = self.rng.random_range(least..=most);
        let words: Vec<&str> = (0..words).map(|_| pick(&mut self.rng, &PROSE)).collect();
        words.join(" ")
    }

    /// HTML as shops have it, with all kinds of white space.
    fn description(&mut self, least: usize, most: usize) -> String {
        let words = self.rng.random_range(least..=most);
        let mut html = String::from("<p>");
        for n in 0..words {
            let gap = if self.rng.random_bool(0.04) { pick(&mut self.rng, &GAPS) } else { " " };
            html.push_str(if n == 0 { "" } else { gap });
            html.push_str(pick(&mut self.rng, &PROSE));
            if n % 40 == 39 {
                html.push_str("</p>\n<p>");
            }
        }
        html.push_str("</p>");
        html
    }
}

fn pick(rng: &mut impl Rng, from: &[&'static str]) -> &'static str {
    from.choose(rng).copied().unwrap_or_default()
}
