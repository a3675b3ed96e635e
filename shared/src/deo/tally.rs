//! Adds rows up and turns the sums into signals.

use super::{PageFacts, ProductFacts, ProjectFacts, Signals};

/// 90 days, in milliseconds: after it, content is stale.
const STALE_MS: i64 = 90 * 24 * 60 * 60 * 1_000;

/// The running sums of one project.
///
/// Add its rows in a fixed order (by id): the freshness of pages is a sum of doubles, and another
/// order may change its last bits. Besides the sums, eight bytes a row are kept: a row's age
/// depends on a time that is read after the rows.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pages: Pages,
    products: Products,
    malformed_rows: u64,
}

#[derive(Clone, Debug, Default)]
struct Pages {
    covered: u64,
    healthy: u64,
    indexable: u64,
    poorly_built: u64,
    thin: u64,
    hinted: u64,
    inaccurate: u64,
    on_serp: u64,
    answering: u64,
    navigational: u64,
    words: Words,
    /// The sum of the internal links; `None` until a page has a count of them.
    links: Option<f64>,
    scanned_at_ms: Vec<i64>,
    without_title: u64,
    without_description: u64,
    without_h1: u64,
    under_150_words: u64,
    of_400_words: u64,
}

#[derive(Clone, Debug, Default)]
struct Products {
    described: u64,
    inaccurate: u64,
    words: Words,
    last_synced_at_ms: Vec<i64>,
    under_80_words: u64,
}

/// Words of the rows that have any. The sum is a double, as the platform's is: 32 bits overflow.
#[derive(Clone, Copy, Debug, Default)]
struct Words {
    sum: f64,
    rows: u64,
}

impl Words {
    fn add(&mut self, words: f64) {
        self.sum += words;
        self.rows += 1;
    }

    /// Words per row against `enough` of them, in 0..1.
    fn depth(self, enough: f64) -> f64 {
        clamp(ratio(self.sum, self.rows) / enough)
    }
}

impl Tally {
    /// Adds one stored crawl of a page. Every one counts, further ones of the same url too.
    pub fn add_page(&mut self, page: &PageFacts) {
        let sums = &mut self.pages;
        let words = page.words();
        let (healthy, thin, lacks_text) = (page.healthy(), page.thin(), page.lacks_text());
        sums.covered += u64::from(page.has_title && words.is_some());
        sums.healthy += u64::from(healthy);
        sums.indexable +=
            u64::from(healthy && page.has_title && page.has_meta_description && !thin);
        sums.poorly_built += u64::from(lacks_text || page.very_short());
        sums.thin += u64::from(thin);
        sums.hinted += u64::from(page.has_title && page.has_h1);
        sums.inaccurate += u64::from(lacks_text || thin);
        sums.on_serp += u64::from(!lacks_text);
        sums.answering += u64::from(
            healthy
                && page.has_h1
                && !page.issues.thin_content
                && page.word_count.is_some_and(|words| words >= 400),
        );
        sums.navigational += u64::from(page.navigational);
        if let Some(words) = words {
            sums.words.add(words as f64);
        }
        if let Some(links) = page.links() {
            *sums.links.get_or_insert(0.0) += links;
        }
        sums.scanned_at_ms.push(page.scanned_at_ms);
        sums.without_title += u64::from(!page.has_title);
        sums.without_description += u64::from(!page.has_meta_description);
        sums.without_h1 += u64::from(!page.has_h1);
        let counted = |enough: i64| page.word_count.map(|words| words >= enough);
        sums.under_150_words += u64::from(counted(150) == Some(false));
        sums.of_400_words += u64::from(counted(400) == Some(true));
        self.malformed_rows += u64::from(page.issues.malformed);
    }

    /// Adds one product.
    pub fn add_product(&mut self, product: &ProductFacts) {
        let sums = &mut self.products;
        sums.described += u64::from(product.described());
        let short = (1..80).contains(&product.words);
        sums.inaccurate += u64::from(!product.described() || short);
        sums.under_80_words += u64::from(short);
        if product.words > 0 {
            sums.words.add(product.words as f64);
        }
        sums.last_synced_at_ms.push(product.last_synced_at_ms);
    }

    /// How many of the rows held JSON that the platform never writes.
    pub fn malformed_rows(&self) -> u64 {
        self.malformed_rows
    }

    /// The rows, counted at the time `now_ms`, in milliseconds since the Unix epoch.
    pub fn facts(&self, now_ms: i64) -> ProjectFacts {
        let (pages, products) = (&self.pages, &self.products);
        let (page_count, product_count) =
            (pages.scanned_at_ms.len() as u64, products.last_synced_at_ms.len() as u64);
        ProjectFacts {
            pages: page_count,
            pages_with_errors: page_count - pages.healthy,
            pages_without_title: pages.without_title,
            pages_without_description: pages.without_description,
            pages_without_h1: pages.without_h1,
            pages_under_150_words: pages.under_150_words,
            pages_of_400_words: pages.of_400_words,
            brand_pages: pages.navigational,
            pages_over_90_days: page_count - fresh(&pages.scanned_at_ms, now_ms),
            products: product_count,
            products_without_text: product_count - products.described,
            products_under_80_words: products.under_80_words,
            products_over_90_days: product_count - fresh(&products.last_synced_at_ms, now_ms),
        }
    }

    /// The signals at the time `now_ms`, in milliseconds since the Unix epoch.
    pub fn signals(&self, now_ms: i64) -> Signals {
        let (pages, products) = (&self.pages, &self.products);
        let page_count = pages.scanned_at_ms.len() as u64;
        let product_count = products.last_synced_at_ms.len() as u64;
        let all = page_count + product_count;

        let of_pages = |count: u64| ratio(count as f64, page_count);
        let of_products = |count: u64| ratio(count as f64, product_count);
        let blend = |page: f64, product: f64| {
            clamp(ratio(page * page_count as f64 + product * product_count as f64, all))
        };
        // The complement of a share of pages. It is not the share of the other pages: in doubles,
        // 1 - k/n differs from (n - k)/n.
        let rest_of_pages = |count: u64| if page_count == 0 { 0.0 } else { 1.0 - of_pages(count) };

        let entity_hint_coverage = ratio((pages.hinted + products.described) as f64, all);
        let entity_structure_accuracy = if all == 0 {
            0.5
        } else {
            let faulty = ratio((pages.inaccurate + products.inaccurate) as f64, all);
            (1.0 - faulty).clamp(0.3, 0.9)
        };
        let all_words = Words {
            sum: pages.words.sum + products.words.sum,
            rows: pages.words.rows + products.words.rows,
        };

        Signals {
            content_coverage: blend(of_pages(pages.covered), of_products(products.described)),
            content_depth: blend(pages.words.depth(800.0), products.words.depth(600.0)),
            content_freshness: blend(
                ratio(pages.freshness_sum(now_ms), page_count),
                of_products(fresh(&products.last_synced_at_ms, now_ms)),
            ),
            entity_coverage: entity_hint_coverage,
            entity_accuracy: entity_structure_accuracy,
            entity_linkage: blend(pages.words.depth(1_200.0), products.words.depth(800.0)),
            crawl_health: of_pages(pages.healthy),
            core_web_vitals: 0.5,
            indexability: of_pages(pages.indexable),
            serp_presence: of_pages(pages.on_serp),
            answer_surface_presence: of_pages(pages.answering),
            brand_navigational_strength: (pages.navigational as f64 / 3.0).min(1.0),
            html_structural_quality: rest_of_pages(pages.poorly_built),
            thin_content_quality: rest_of_pages(pages.thin),
            entity_hint_coverage,
            entity_structure_accuracy,
            // Over all pages, those without a count too.
            entity_linkage_density: match pages.links {
                Some(links) => (ratio(links, page_count) / 20.0).min(1.0),
                None => all_words.depth(1_200.0),
            },
        }
    }
}

impl Pages {
    /// The sum over pages of what 90 days have left of each. A page scanned in the future counts
    /// more than 1: only the blended signal is clamped.
    fn freshness_sum(&self, now_ms: i64) -> f64 {
        self.scanned_at_ms.iter().fold(0.0, |sum, &at| {
            let age = now_ms.saturating_sub(at) as f64;
            sum + (1.0 - (age / STALE_MS as f64).min(1.0))
        })
    }
}

/// How many of these times are at most 90 days ago, to the millisecond.
fn fresh(times_ms: &[i64], now_ms: i64) -> u64 {
    let fresh = |at: &&i64| now_ms.saturating_sub(**at) <= STALE_MS;
    times_ms.iter().filter(fresh).count() as u64
}

/// `sum / count`, 0 when there is nothing to divide by.
fn ratio(sum: f64, count: u64) -> f64 {
    if count == 0 { 0.0 } else { sum / count as f64 }
}

fn clamp(value: f64) -> f64 {
    value.clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests;
