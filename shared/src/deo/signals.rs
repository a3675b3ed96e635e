//! Defines the 17 signals.

use serde::Serialize;

/// 17 numbers in 0..1, as a [`Tally`](super::Tally) computes them.
///
/// Only a tally makes them, from numbers that are not NaN and with no division by zero: none is ever
/// NaN or infinite.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Signals {
    /// Pages with a title and words, products with a title and a description.
    pub(super) content_coverage: f64,
    /// Words per page against 800, per product against 600.
    pub(super) content_depth: f64,
    /// How recent the rows are: fades to nothing in 90 days.
    pub(super) content_freshness: f64,
    /// The same as [`entity_hint_coverage`](Self::entity_hint_coverage).
    pub(super) entity_coverage: f64,
    /// The same as [`entity_structure_accuracy`](Self::entity_structure_accuracy).
    pub(super) entity_accuracy: f64,
    /// Words per page against 1,200, per product against 800.
    pub(super) entity_linkage: f64,
    /// Pages reached without an error.
    pub(super) crawl_health: f64,
    /// One half, until real measurements exist.
    pub(super) core_web_vitals: f64,
    /// Pages that a search engine can show: healthy, described, not thin.
    pub(super) indexability: f64,
    /// Pages with title, meta description and heading.
    pub(super) serp_presence: f64,
    /// Pages long enough to answer a question.
    pub(super) answer_surface_presence: f64,
    /// Up to three of the brand's own pages.
    pub(super) brand_navigational_strength: f64,
    /// Pages that lack no text and are not very short.
    pub(super) html_structural_quality: f64,
    /// Pages that are not thin.
    pub(super) thin_content_quality: f64,
    /// Pages with title and heading, products with title and description.
    pub(super) entity_hint_coverage: f64,
    /// Rows without a fault in their structure, held to 0.3..0.9.
    pub(super) entity_structure_accuracy: f64,
    /// Internal links per page against 20; where no page has a count of them, words per page or
    /// product against 1,200.
    pub(super) entity_linkage_density: f64,
}
