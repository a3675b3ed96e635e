//! Describes what a snapshot's `metadata` column holds.

mod earlier;

use std::cmp::Reverse;

use serde::{Serialize, Serializer};

use super::model::COMPONENTS;
use super::{ProjectFacts, Score, Signals, V1, V2};

pub(crate) use earlier::to_present_form;

/// How many components a list of the best or the worst names.
const LISTED: usize = 3;

/// The signals, both models' numbers, and v2's view of where to improve. As JSON it is the
/// `metadata` of a `"DeoScoreSnapshot"`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Metadata {
    signals: Signals,
    v1: Canonical,
    v2: Explanation,
    /// Left out where nobody counted; the platform's own worker does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    facts: Option<ProjectFacts>,
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
    #[serde(flatten)]
    ranking: Ranking,
}

/// The components of v2, and which of them are the lowest and the highest.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Ranking {
    #[serde(serialize_with = "as_object")]
    components: [Component; 6],
    /// The lowest first.
    top_opportunities: Vec<Opportunity>,
    /// The highest first.
    top_strengths: Vec<Component>,
}

/// A component's score, under its name in the breakdown.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Component {
    key: &'static str,
    score: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Opportunity {
    key: &'static str,
    score: u8,
    /// What this component lacks to 100; the model's weights do not count.
    potential_gain: u8,
}

impl Metadata {
    pub(super) fn of(score: &Score) -> Self {
        Self {
            signals: score.signals,
            v1: Canonical { model_version: "v1", breakdown: score.v1 },
            v2: Explanation {
                model_version: "v2",
                breakdown: score.v2,
                ranking: Ranking::of(score.v2.scores()),
            },
            facts: None,
        }
    }

    /// Adds the counts of the rows that the score comes from.
    pub fn with_facts(self, facts: ProjectFacts) -> Self {
        Self { facts: Some(facts), ..self }
    }
}

impl Ranking {
    /// Ranks scores of 0 to 100 that stand in the model's order.
    fn of(scores: [u8; 6]) -> Self {
        let components =
            std::array::from_fn(|at| Component { key: COMPONENTS[at].0, score: scores[at] });
        // Both sorts are stable: components of equal scores keep the model's order.
        let mut lowest = components;
        lowest.sort_by_key(|component| component.score);
        let mut highest = components;
        highest.sort_by_key(|component| Reverse(component.score));
        let opportunity = |&Component { key, score }: &Component| Opportunity {
            key,
            score,
            potential_gain: 100 - score,
        };
        Self {
            components,
            top_opportunities: lowest[..LISTED].iter().map(opportunity).collect(),
            top_strengths: highest[..LISTED].to_vec(),
        }
    }
}

/// Writes `{"entityStrength": 17, ...}`, which the platform's pages look scores up in by name.
fn as_object<S: Serializer>(components: &[Component; 6], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(components.iter().map(|component| (component.key, component.score)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::deo::Tally;

    #[test]
    fn holds_what_the_platform_reads() {
        let score = Score::of(Tally::default().signals(0));
        let mut metadata = json!(score.metadata());
        assert_eq!(metadata["signals"].as_object().map(|signals| signals.len()), Some(17));
        assert_eq!(metadata["signals"]["entityStructureAccuracy"], 0.5);
        metadata["signals"].take();
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
                    "components": {
                        "entityStrength": 17, "intentMatch": 0, "answerability": 0,
                        "aiVisibility": 0, "contentCompleteness": 0, "technicalQuality": 10,
                    },
                    // Of the four with 0, the first three in the model's order.
                    "topOpportunities": [
                        {"key": "intentMatch", "score": 0, "potentialGain": 100},
                        {"key": "answerability", "score": 0, "potentialGain": 100},
                        {"key": "aiVisibility", "score": 0, "potentialGain": 100},
                    ],
                    "topStrengths": [
                        {"key": "entityStrength", "score": 17},
                        {"key": "technicalQuality", "score": 10},
                        {"key": "intentMatch", "score": 0},
                    ],
                },
            })
        );
    }

    /// By weighted gains technicalQuality would not be among the opportunities.
    #[test]
    fn ranks_by_score_alone_and_keeps_the_model_s_order_in_ties() {
        let ranking = Ranking::of([80, 100, 80, 85, 79, 70]);
        let lowest = ranking.top_opportunities.iter();
        let lowest: Vec<_> = lowest.map(|it| (it.key, it.score, it.potential_gain)).collect();
        assert_eq!(
            lowest,
            [
                ("technicalQuality", 70, 30),
                ("contentCompleteness", 79, 21),
                ("entityStrength", 80, 20)
            ]
        );
        let highest: Vec<_> = ranking.top_strengths.iter().map(|it| (it.key, it.score)).collect();
        assert_eq!(highest, [("intentMatch", 100), ("aiVisibility", 85), ("entityStrength", 80)]);
    }

    /// Readers that go through the components see them as the breakdown has them.
    #[test]
    fn components_stand_in_the_model_s_order() {
        let text = serde_json::to_string(&Ranking::of([1, 2, 3, 4, 5, 6])).unwrap_or_default();
        let components = r#"{"components":{"entityStrength":1,"intentMatch":2,"answerability":3,"aiVisibility":4,"contentCompleteness":5,"technicalQuality":6},"topOpportunities":["#;
        assert!(text.starts_with(components), "{text}");
    }
}
