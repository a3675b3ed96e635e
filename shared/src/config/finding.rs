//! What is wrong, and how it is mended.

use std::fmt;

use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It works, though not as it should, or not as somebody meant.
    Warning,
    /// It does not work.
    Error,
}

/// Something that is wrong. It holds no secret: values are shown only of variables that are none.
///
/// ```
/// use shared::checks::{Finding, Severity};
///
/// let sentence = "REDIS_URL is not set, though REDIS_TRANSPORT is tcp: set it too.";
/// let finding = Finding::of_sentence(Severity::Error, sentence);
/// assert_eq!(finding.about, "REDIS_URL");
/// assert_eq!(finding.wrong, "is not set, though REDIS_TRANSPORT is tcp");
/// assert_eq!(finding.remedy, "set it too");
/// assert_eq!(finding.to_string(), sentence);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The variable, or what else it is about.
    pub about: String,
    /// What is wrong with that: how its sentence goes on.
    pub wrong: String,
    /// What to do; empty where the sentence says it all.
    pub remedy: String,
    /// What stands between the two in the sentence.
    #[serde(skip)]
    joint: &'static str,
}

/// What may stand between what is wrong and how it is mended.
const JOINTS: [&str; 3] = [": ", "; ", ", but "];

impl Finding {
    /// Makes a finding of its parts, none of which ends a sentence.
    pub fn new(
        severity: Severity,
        about: impl Into<String>,
        wrong: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let (about, wrong, remedy) = (about.into(), wrong.into(), remedy.into());
        Self { severity, about, wrong, remedy, joint: JOINTS[0] }
    }

    /// Takes a sentence apart whose first word is what it is about.
    pub fn of_sentence(severity: Severity, sentence: &str) -> Self {
        let sentence = sentence.strip_suffix('.').unwrap_or(sentence);
        let (about, rest) = sentence.split_once(' ').unwrap_or((sentence, ""));
        // A clause may have joints of its own: the first one of any kind counts.
        let places = JOINTS.into_iter().filter_map(|joint| Some((rest.find(joint)?, joint)));
        let (wrong, joint, remedy) = match places.min() {
            Some((place, joint)) => (&rest[..place], joint, &rest[place + joint.len()..]),
            None => (rest, JOINTS[0], ""),
        };
        let about = about.strip_suffix(':').unwrap_or(about);
        Self { joint, ..Self::new(severity, about, wrong, remedy) }
    }

    /// Whether it keeps something from working.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// The sentence, without its severity.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.about, self.wrong)?;
        match self.remedy.is_empty() {
            true => f.write_str("."),
            false => write!(f, "{}{}.", self.joint, self.remedy),
        }
    }
}
