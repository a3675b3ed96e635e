//! Reads the form in which we stored `v2` earlier, and turns it into the present one.
//!
//! It listed the components as an array and weighted what each could gain. Rows in that form stay
//! in the database as they are; they are converted whenever they are read.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{COMPONENTS, Ranking};

/// An object whose values are kept as they are written, to the last digit.
type Members<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

/// A component in the earlier form.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Component<'a> {
    key: &'a str,
    score: u8,
    #[serde(rename = "weight")]
    _weight: f64,
    #[serde(rename = "potentialGain")]
    _potential_gain: f64,
}

/// Converts `metadata` whose `v2` is in the earlier form. Returns `None` for any other, which is
/// to be read as it is: the present form, that of the platform's own worker, or an unknown one.
pub(crate) fn to_present_form(metadata: &str) -> Option<Box<RawValue>> {
    let mut metadata: Members<'_> = serde_json::from_str(metadata).ok()?;
    let mut v2: Members<'_> = serde_json::from_str(metadata.get("v2")?.get()).ok()?;
    let ranking = Ranking::of(earlier_scores(v2.get("components")?)?);
    for replaced in ["components", "topOpportunities", "topStrengths"] {
        v2.remove(replaced);
    }
    let v2 = raw(&Converted { v2, ranking })?;
    metadata.insert(Cow::Borrowed("v2"), &v2);
    raw(&metadata)
}

#[derive(Serialize)]
struct Converted<'a> {
    #[serde(flatten)]
    v2: Members<'a>,
    #[serde(flatten)]
    ranking: Ranking,
}

/// The scores in the model's order, if that is how the components are listed.
fn earlier_scores(components: &RawValue) -> Option<[u8; 6]> {
    let components: [Component<'_>; 6] = serde_json::from_str(components.get()).ok()?;
    let ours = components
        .iter()
        .zip(COMPONENTS)
        .all(|(component, (key, _))| component.key == key && component.score <= 100);
    ours.then(|| components.map(|component| component.score))
}

fn raw(value: &impl Serialize) -> Option<Box<RawValue>> {
    serde_json::value::to_raw_value(value).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::deo::{Score, Tally};

    fn component(key: &str, score: u8, weight: f64) -> Value {
        json!({"key": key, "score": score, "weight": weight, "potentialGain": f64::from(100 - score) * weight})
    }

    /// What we stored for a project without rows.
    fn earlier() -> Value {
        let components = [
            component("entityStrength", 17, 0.2),
            component("intentMatch", 0, 0.2),
            component("answerability", 0, 0.2),
            component("aiVisibility", 0, 0.2),
            component("contentCompleteness", 0, 0.15),
            component("technicalQuality", 10, 0.05),
        ];
        let mut metadata = json!(Score::of(Tally::default().signals(0)).metadata());
        metadata["v2"]["topOpportunities"] = json!(components[1..4]);
        metadata["v2"]["topStrengths"] = json!([components[0], components[5], components[1]]);
        metadata["v2"]["components"] = json!(components);
        metadata
    }

    #[test]
    fn the_earlier_form_becomes_the_present_one() {
        let found = to_present_form(&earlier().to_string()).unwrap();
        let found: Value = serde_json::from_str(found.get()).unwrap();
        assert_eq!(found, json!(Score::of(Tally::default().signals(0)).metadata()));
    }

    #[test]
    fn what_is_not_of_the_form_keeps_its_digits() {
        let mut metadata = earlier();
        metadata["signals"] = json!("here");
        metadata["v2"]["note"] = json!("there");
        let text = metadata.to_string();
        let text = text.replace(r#""here""#, "0.10000000000000000000000001");
        let text = text.replace(r#""there""#, "{\"a\": 18446744073709551617 }");
        let found = to_present_form(&text).unwrap();
        let found = found.get();
        assert!(found.contains(r#""signals":0.10000000000000000000000001"#), "{found}");
        assert!(found.contains(r#""note":{"a": 18446744073709551617 }"#), "{found}");
    }

    #[test]
    fn any_other_form_is_left_alone() {
        let present = json!(Score::of(Tally::default().signals(0)).metadata());
        let changed = |change: fn(&mut Value)| {
            let mut metadata = earlier();
            change(&mut metadata["v2"]["components"]);
            metadata
        };
        for other in [
            present,
            json!(null),
            json!([]),
            json!({"signals": {"a": 0.1}}),
            json!({"v2": null}),
            json!({"v2": {"components": {}}}),
            json!({"v2": {"components": []}}),
            changed(|components| components.as_array_mut().unwrap().truncate(5)),
            changed(|components| components.as_array_mut().unwrap().reverse()),
            changed(|components| components[0]["key"] = json!("other")),
            changed(|components| components[0]["score"] = json!(101)),
            changed(|components| components[0]["score"] = json!(0.5)),
            changed(|components| components[0]["label"] = json!("Entities")),
            changed(|components| {
                components[0].as_object_mut().unwrap().remove("weight");
            }),
        ] {
            assert!(to_present_form(&other.to_string()).is_none(), "{other}");
        }
    }
}
