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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::deo::Tally;

    fn keys(components: &[Component]) -> Vec<&str> {
        components.iter().map(|component| component.key).collect()
    }

    #[test]
    fn holds_what_the_platform_reads() {
        let score = Score::of(Tally::default().signals(0));
        let mut metadata = json!(score.metadata());
        assert_eq!(metadata["signals"].as_object().map(|signals| signals.len()), Some(17));
        assert_eq!(metadata["signals"]["entityStructureAccuracy"], 0.5);
        metadata["signals"].take();
        let component = |key, score, weight, gain| json!({"key": key, "score": score, "weight": weight, "potentialGain": gain});
        let components = [
            component("entityStrength", 17, 0.2, 83.0 * 0.2),
            component("intentMatch", 0, 0.2, 20.0),
            component("answerability", 0, 0.2, 20.0),
            component("aiVisibility", 0, 0.2, 20.0),
            component("contentCompleteness", 0, 0.15, 15.0),
            component("technicalQuality", 10, 0.05, 4.5),
        ];
        assert_eq!(
            metadata,
            json!({
                "signals": null,
                "v1": {
                    "modelVersion": "v1",
                    "breakdown": {"overall": 9, "content": 0, "entities": 17, "technical": 17, "visibility": 0},
                },
                "v2": {
                    "modelVersion": "v2",
                    "breakdown": {
                        "overall": 4, "entityStrength": 17, "intentMatch": 0, "answerability": 0,
                        "aiVisibility": 0, "contentCompleteness": 0, "technicalQuality": 10,
                    },
                    "components": components,
                    "topOpportunities": components[1..4],
                    // Of the four with 0, the first in the model's order.
                    "topStrengths": [components[0], components[5], components[1]],
                },
            })
        );
    }

    #[test]
    fn ranks_by_gain_and_by_score_and_keeps_the_model_s_order_in_ties() {
        let v2 = V2 {
            overall: 0,
            entity_strength: 80,
            intent_match: 100,
            answerability: 80,
            ai_visibility: 85,
            content_completeness: 75,
            technical_quality: 0,
        };
        let score = Score { v2, ..Score::of(Tally::default().signals(0)) };
        let Explanation { top_opportunities, top_strengths, .. } = score.metadata().v2;
        // Gains: 4, 0, 4, 3, 3.75, 5.
        assert_eq!(
            keys(&top_opportunities),
            ["technicalQuality", "entityStrength", "answerability"]
        );
        assert_eq!(keys(&top_strengths), ["intentMatch", "aiVisibility", "entityStrength"]);
    }
}
