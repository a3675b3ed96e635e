//! Defines what of a row counts for the score.

use serde::Serialize;

use super::Issues;

/// A crawled page, reduced. *Present* means not null and not empty; white space alone is present.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PageFacts {
    /// The HTTP status.
    pub status_code: i32,
    /// The title is present.
    pub has_title: bool,
    /// The meta description is present.
    pub has_meta_description: bool,
    /// The first heading is present.
    pub has_h1: bool,
    /// The crawl's count of words; `None` when it took none.
    pub word_count: Option<i64>,
    /// The crawl's count of links to pages of the same site; `None` when it took none.
    pub internal_links: Option<f64>,
    /// What the crawl complained of.
    pub issues: Issues,
    /// See [`is_navigational`](super::is_navigational).
    pub navigational: bool,
    /// When the page was crawled, in milliseconds since the Unix epoch.
    pub scanned_at_ms: i64,
}

impl PageFacts {
    /// Reached without an error.
    pub(super) fn healthy(&self) -> bool {
        (200..400).contains(&self.status_code)
            && !self.issues.http_error
            && !self.issues.fetch_error
    }

    /// Flagged as thin, or counted as short.
    pub(super) fn thin(&self) -> bool {
        self.issues.thin_content || self.word_count.is_some_and(|words| words < 150)
    }

    pub(super) fn very_short(&self) -> bool {
        self.word_count.is_some_and(|words| words < 100)
    }

    /// The words that averages count; `None` leaves the page out of them.
    pub(super) fn words(&self) -> Option<i64> {
        self.word_count.filter(|&words| words > 0)
    }

    /// The internal links that count: neither a negative number nor NaN does.
    pub(super) fn links(&self) -> Option<f64> {
        self.internal_links.filter(|&links| links >= 0.0)
    }

    /// Lacks one of the texts that describe a page.
    pub(super) fn lacks_text(&self) -> bool {
        !(self.has_title && self.has_meta_description && self.has_h1)
    }
}

/// A product, reduced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProductFacts {
    /// The SEO title, or else the title, is more than white space. An empty SEO title does not
    /// fall back to the title.
    pub has_title: bool,
    /// The same for the description.
    pub has_description: bool,
    /// The words of that description.
    pub words: u64,
    /// When the product was last synced, in milliseconds since the Unix epoch.
    pub last_synced_at_ms: i64,
}

impl ProductFacts {
    /// Has both texts.
    pub(super) fn described(&self) -> bool {
        self.has_title && self.has_description
    }
}

/// A project's rows, counted as a person would: what a score's change is explained by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProjectFacts {
    pub(super) pages: u64,
    pub(super) pages_with_errors: u64,
    pub(super) pages_without_title: u64,
    pub(super) pages_without_description: u64,
    pub(super) pages_without_h1: u64,
    pub(super) pages_under_150_words: u64,
    pub(super) pages_of_400_words: u64,
    pub(super) brand_pages: u64,
    pub(super) pages_over_90_days: u64,
    pub(super) products: u64,
    pub(super) products_without_text: u64,
    pub(super) products_under_80_words: u64,
    pub(super) products_over_90_days: u64,
}

/// The names of [`ProjectFacts`], each with what is counted and what is said of it.
pub(super) const FACTS: [(&str, &str, &str); 13] = [
    ("pages", "page", ""),
    ("pagesWithErrors", "page", " that cannot be reached"),
    ("pagesWithoutTitle", "page", " without a title"),
    ("pagesWithoutDescription", "page", " without a meta description"),
    ("pagesWithoutH1", "page", " without a first heading"),
    ("pagesUnder150Words", "page", " with fewer than 150 words"),
    ("pagesOf400Words", "page", " with 400 words or more"),
    ("brandPages", "page", " about the brand (home, about, contact, pricing, FAQ or support)"),
    ("pagesOver90Days", "page", " not crawled for 90 days"),
    ("products", "product", ""),
    ("productsWithoutText", "product", " without a title or a description"),
    ("productsUnder80Words", "product", " with a description of fewer than 80 words"),
    ("productsOver90Days", "product", " not synced for 90 days"),
];
