//! What can be an id in the platform's tables.

/// The longest id, in characters: what the platform's ORM allows a key to be.
pub const MAX_ID_CHARS: usize = 191;

/// Returns whether `id` can be the id of anything. Postgres cannot hold a NUL in a text, and one such id
/// would fail a whole batch's statement.
pub fn is_id(id: &str) -> bool {
    !id.is_empty() && id.chars().count() <= MAX_ID_CHARS && !id.contains('\0')
}

#[cfg(test)]
mod tests {
    use super::is_id;

    #[test]
    fn an_id_has_one_to_191_characters_and_no_nul() {
        assert!(is_id("p1") && is_id(&"é".repeat(191)) && is_id(" "));
        assert!(!is_id("") && !is_id(&"e".repeat(192)) && !is_id("a\0b"));
    }
}
