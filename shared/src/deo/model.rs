//! Turns signals into scores of 0 to 100.

use serde::Serialize;

use super::{Metadata, Signals};

/// The canonical model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct V1 {
    /// The project's score.
    pub overall: u8,
    /// Coverage, depth and freshness.
    pub content: u8,
    /// Coverage, accuracy and linkage of entities.
    pub entities: u8,
    /// Crawl health, speed and indexability.
    pub technical: u8,
    /// Presence in results, answers and navigation.
    pub visibility: u8,
}

/// The model that explains the first; it is stored in a snapshot's metadata only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct V2 {
    /// The weighted sum of the components.
    pub overall: u8,
    /// How well entities are described.
    pub entity_strength: u8,
    /// How well pages meet what people search for.
    pub intent_match: u8,
    /// How well pages answer questions.
    pub answerability: u8,
    /// How visible pages are to answer engines.
    pub ai_visibility: u8,
    /// How complete and recent content is.
    pub content_completeness: u8,
    /// How sound the site is.
    pub technical_quality: u8,
}

/// A project's score.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Score {
    /// What it is computed from.
    pub signals: Signals,
    /// The canonical model.
    pub v1: V1,
    /// The explaining model.
    pub v2: V2,
}

impl Score {
    /// Both models' view of `signals`.
    pub fn of(signals: Signals) -> Self {
        Self { v1: v1(&signals), v2: v2(&signals), signals }
    }

    /// What a snapshot keeps beside the numbers of v1.
    pub fn metadata(&self) -> Metadata {
        Metadata::of(self)
    }
}

/// The canonical model's view of `s`. It reaches 95 at most: accuracy ends at 0.9, and speed is
/// one half.
pub fn v1(s: &Signals) -> V1 {
    let content = component(&[s.content_coverage, s.content_depth, s.content_freshness]);
    let entities = component(&[s.entity_coverage, s.entity_accuracy, s.entity_linkage]);
    let technical = component(&[s.crawl_health, s.core_web_vitals, s.indexability]);
    let visibility =
        component(&[s.serp_presence, s.answer_surface_presence, s.brand_navigational_strength]);
    let overall = overall_v1(content, entities, technical, visibility);
    V1 { overall, content, entities, technical, visibility }
}

fn overall_v1(content: u8, entities: u8, technical: u8, visibility: u8) -> u8 {
    weighted([(content, 0.30), (entities, 0.25), (technical, 0.25), (visibility, 0.20)])
}

/// The explaining model's view of `s`.
pub fn v2(s: &Signals) -> V2 {
    let entity_strength = component(&[
        s.entity_coverage,
        s.entity_accuracy,
        s.entity_hint_coverage,
        s.entity_structure_accuracy,
        s.entity_linkage,
        s.entity_linkage_density,
    ]);
    let intent_match = component(&[
        s.content_coverage,
        s.content_depth,
        s.serp_presence,
        s.answer_surface_presence,
        s.brand_navigational_strength,
    ]);
    // Depth before coverage here, the other way round above: the order is part of the number.
    let answerability = component(&[
        s.content_depth,
        s.content_coverage,
        s.answer_surface_presence,
        s.thin_content_quality,
    ]);
    let ai_visibility = component(&[
        s.serp_presence,
        s.answer_surface_presence,
        s.brand_navigational_strength,
        s.indexability,
    ]);
    let content_completeness =
        component(&[s.content_coverage, s.content_depth, s.content_freshness, s.entity_coverage]);
    let technical_quality = component(&[
        s.crawl_health,
        s.indexability,
        s.html_structural_quality,
        s.thin_content_quality,
        s.core_web_vitals,
    ]);
    let mut v2 = V2 {
        overall: 0,
        entity_strength,
        intent_match,
        answerability,
        ai_visibility,
        content_completeness,
        technical_quality,
    };
    let scores = v2.scores();
    v2.overall = weighted(std::array::from_fn::<_, 6, _>(|at| (scores[at], COMPONENTS[at].1)));
    v2
}

/// The components of v2 in the model's order: each one's name in the breakdown, and its weight.
pub(super) const COMPONENTS: [(&str, f64); 6] = [
    ("entityStrength", 0.20),
    ("intentMatch", 0.20),
    ("answerability", 0.20),
    ("aiVisibility", 0.20),
    ("contentCompleteness", 0.15),
    ("technicalQuality", 0.05),
];

impl V2 {
    /// The scores of [`COMPONENTS`].
    pub(super) fn scores(&self) -> [u8; 6] {
        [
            self.entity_strength,
            self.intent_match,
            self.answerability,
            self.ai_visibility,
            self.content_completeness,
            self.technical_quality,
        ]
    }
}

/// The mean of `signals` as a score: summed left to right, divided, clamped, then scaled.
fn component(signals: &[f64]) -> u8 {
    let sum = signals.iter().fold(0.0, |sum, signal| sum + signal);
    round(100.0 * (sum / signals.len() as f64).clamp(0.0, 1.0))
}

/// The sum of scores and their weights, left to right. 5 % of all tuples of v1 lie on an exact
/// half, and some of those round down because the sum in doubles falls just below.
fn weighted<const N: usize>(parts: [(u8, f64); N]) -> u8 {
    round(parts.iter().fold(0.0, |sum, &(score, weight)| sum + f64::from(score) * weight))
}

/// Half up, as ECMAScript's `Math.round`. Adding one half and flooring is not that: it rounds the
/// double just below 0.5 up.
fn round(value: f64) -> u8 {
    let floor = value.floor();
    let rounded = if value - floor >= 0.5 { floor + 1.0 } else { floor };
    rounded as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_half_up() {
        for (value, rounded) in [
            (0.0, 0),
            (0.499_999_999_999_999_94, 0),
            (0.5, 1),
            (1.5, 2),
            (2.5, 3),
            (99.499_999_999_999_99, 99),
            (99.5, 100),
        ] {
            assert_eq!(round(value), rounded, "{value}");
        }
    }

    /// In decimals each of these is an exact half.
    #[test]
    fn a_weighted_half_rounds_as_its_sum_in_doubles_does() {
        assert_eq!(overall_v1(57, 41, 43, 42), 46);
        assert_eq!(overall_v1(9, 1, 7, 9), 6);
        assert_eq!(overall_v1(0, 0, 2, 0), 1);
        // A fused multiply-add would make this 7.
        assert_eq!(overall_v1(9, 0, 8, 14), 8);
        assert_eq!(overall_v1(100, 100, 100, 100), 100);
    }

    #[test]
    fn a_component_is_summed_left_to_right() {
        let over = |whole: f64, parts: &[f64]| {
            let mut signals: Vec<f64> = parts.iter().map(|part| part / whole).collect();
            let forwards = component(&signals);
            signals.reverse();
            (forwards, component(&signals))
        };
        assert_eq!(over(40.0, &[1.0, 33.0, 29.0]), (53, 52));
        assert_eq!(over(20.0, &[7.0, 2.0, 4.0, 13.0]), (32, 33));
        assert_eq!(over(40.0, &[25.0, 27.0, 31.0, 24.0, 8.0]), (58, 57));
    }

    /// Scaled to 100 before the division, both would be one less.
    #[test]
    fn a_component_is_divided_before_it_is_scaled() {
        assert_eq!(component(&[28.0 / 40.0, 26.0 / 40.0, 33.0 / 40.0]), 73);
        assert_eq!(component(&[11.0, 20.0, 14.0, 36.0, 12.0].map(|part| part / 40.0)), 47);
    }
}
