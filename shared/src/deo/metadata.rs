//! What a snapshot's `metadata` column holds.

use serde::Serialize;

use super::{Score, Signals, V1, V2};

/// How many components a list of the best or the worst names.
const LISTED: usize = 3;

/// The signals, both models' numbers, and v2's view of where to improve. As JSON it is the
/// `metadata` of a `"DeoScoreSnapshot"`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Metadata {
    signals: Signals,
    v1: Canonical,
    v2: Explanation,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Canonical {
    model_version: &'static str,
    breakdown: V1,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Explanation {
    model_version: &'static str,
    breakdown: V2,
    components: [Component; 6],
    top_opportunities: Vec<Component>,
    top_strengths: Vec<Component>,
}

/// A component of v2.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Component {
    /// Its name in the breakdown.
    pub key: &'static str,
    /// 0 to 100.
    pub score: u8,
    /// Its share of the overall score.
    pub weight: f64,
    /// What the overall score would gain if this one were 100.
    pub potential_gain: f64,
}

impl V2 {
    /// The components in the model's order.
    pub fn components(&self) -> [Component; 6] {
        self.parts().map(|(key, score, weight)| Component {
            key,
            score,
            weight,
            potential_gain: f64::from(100 - score) * weight,
        })
    }
}

impl Metadata {
    pub(super) fn of(score: &Score) -> Self {
        let components = score.v2.components();
        // Stable sorts: ties keep the model's order.
        let mut top_opportunities = components.to_vec();
        top_opportunities.sort_by(|a, b| b.potential_gain.total_cmp(&a.potential_gain));
        top_opportunities.truncate(LISTED);
        let mut top_strengths = components.to_vec();
        top_strengths.sort_by_key(|component| std::cmp::Reverse(component.score));
        top_strengths.truncate(LISTED);
        Self {
            signals: score.signals,
            v1: Canonical { model_version: "v1", breakdown: score.v1 },
            v2: Explanation {
                model_version: "v2",
                breakdown: score.v2,
                components,
                top_opportunities,
                top_strengths,
            },
        }
    }
}
