//! Tells what can be an id in the platform's tables.

use std::borrow::Borrow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest id, in characters: what the platform's ORM allows a key to be.
pub const MAX_ID_CHARS: usize = 191;

/// Returns whether `id` can be the id of anything. Postgres cannot hold a NUL in a text, and one such id
/// would fail a whole batch's statement.
pub fn is_id(id: &str) -> bool {
    !id.is_empty() && id.chars().count() <= MAX_ID_CHARS && !id.contains('\0')
}

/// A project's id: 1 to 191 characters without NUL.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct ProjectId(String);

/// A text that can be no project's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a project's id has 1 to {MAX_ID_CHARS} characters, and none of them is NUL")]
pub struct NotAnId;

impl ProjectId {
    /// Reads a project's id.
    ///
    /// # Errors
    /// [`NotAnId`] if it has no character, more than [`MAX_ID_CHARS`], or a NUL.
    pub fn parse(id: impl Into<String>) -> Result<Self, NotAnId> {
        let id = id.into();
        if is_id(&id) { Ok(Self(id)) } else { Err(NotAnId) }
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ProjectId {
    type Error = NotAnId;

    fn try_from(id: String) -> Result<Self, NotAnId> {
        Self::parse(id)
    }
}

impl From<ProjectId> for String {
    fn from(id: ProjectId) -> Self {
        id.0
    }
}

impl AsRef<str> for ProjectId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for ProjectId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{NotAnId, ProjectId, is_id};

    #[test]
    fn an_id_has_one_to_191_characters_and_no_nul() {
        for good in ["p1", &"é".repeat(191), " "] {
            assert!(is_id(good));
            assert_eq!(ProjectId::parse(good).unwrap().to_string(), good);
        }
        for bad in ["", &"e".repeat(192), "a\0b"] {
            assert!(!is_id(bad));
            assert_eq!(ProjectId::parse(bad), Err(NotAnId));
        }
    }

    #[test]
    fn an_id_is_a_string_in_json_which_is_held_to_the_rule() {
        let id = ProjectId::parse("p1").unwrap();
        assert_eq!(serde_json::to_string(&id).unwrap(), r#""p1""#);
        assert_eq!(serde_json::from_str::<ProjectId>(r#""p1""#).unwrap(), id);
        assert!(serde_json::from_str::<ProjectId>(r#""a\u0000""#).is_err());
    }
}
