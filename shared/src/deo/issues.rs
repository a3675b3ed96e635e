//! Reduces the issues that a crawl found on a page to those that count.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

const HTTP_ERROR: &str = "HTTP_ERROR";
const FETCH_ERROR: &str = "FETCH_ERROR";
const THIN_CONTENT: &str = "THIN_CONTENT";

/// What a page's `issues` column says.
///
/// A JSON array is searched for the exact names; members that are no strings never match. A JSON
/// string is accepted and searched as a substring, and null holds nothing. An object, a number or
/// a boolean holds nothing either, but is [`malformed`](Self::malformed): one bad row must not
/// block a project.
///
/// It is read without building the value, and however deep that is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Issues {
    /// The page answered with an error.
    pub http_error: bool,
    /// The page could not be fetched.
    pub fetch_error: bool,
    /// The crawl found too little text.
    pub thin_content: bool,
    /// The column holds JSON that the platform never writes.
    pub malformed: bool,
}

impl Issues {
    const MALFORMED: Self =
        Self { http_error: false, fetch_error: false, thin_content: false, malformed: true };

    /// Reads the text of a `jsonb` column. Text that is no JSON is malformed too.
    pub fn from_json(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or(Self::MALFORMED)
    }

    fn in_text(text: &str) -> Self {
        Self {
            http_error: text.contains(HTTP_ERROR),
            fetch_error: text.contains(FETCH_ERROR),
            thin_content: text.contains(THIN_CONTENT),
            malformed: false,
        }
    }
}

impl<'de> Deserialize<'de> for Issues {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ColumnVisitor)
    }
}

struct ColumnVisitor;

impl<'de> Visitor<'de> for ColumnVisitor {
    type Value = Issues;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut members: A) -> Result<Issues, A::Error> {
        let mut issues = Issues::default();
        while let Some(member) = members.next_element()? {
            match member {
                Member::HttpError => issues.http_error = true,
                Member::FetchError => issues.fetch_error = true,
                Member::ThinContent => issues.thin_content = true,
                Member::Other => {}
            }
        }
        Ok(issues)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Issues, E> {
        Ok(Issues::in_text(text))
    }

    fn visit_unit<E: Error>(self) -> Result<Issues, E> {
        Ok(Issues::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Issues, A::Error> {
        IgnoredAny.visit_map(map).map(|_| Issues::MALFORMED)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Issues, E> {
        Ok(Issues::MALFORMED)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Issues, E> {
        Ok(Issues::MALFORMED)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Issues, E> {
        Ok(Issues::MALFORMED)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Issues, E> {
        Ok(Issues::MALFORMED)
    }
}

/// A member of the array.
enum Member {
    HttpError,
    FetchError,
    ThinContent,
    Other,
}

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MemberVisitor)
    }
}

struct MemberVisitor;

impl<'de> Visitor<'de> for MemberVisitor {
    type Value = Member;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Member, E> {
        Ok(match text {
            HTTP_ERROR => Member::HttpError,
            FETCH_ERROR => Member::FetchError,
            THIN_CONTENT => Member::ThinContent,
            _ => Member::Other,
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, members: A) -> Result<Member, A::Error> {
        IgnoredAny.visit_seq(members).map(|_| Member::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Member, A::Error> {
        IgnoredAny.visit_map(map).map(|_| Member::Other)
    }

    fn visit_unit<E: Error>(self) -> Result<Member, E> {
        Ok(Member::Other)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Member, E> {
        Ok(Member::Other)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Member, E> {
        Ok(Member::Other)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Member, E> {
        Ok(Member::Other)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Member, E> {
        Ok(Member::Other)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NONE: Issues =
        Issues { http_error: false, fetch_error: false, thin_content: false, malformed: false };
    const HTTP: Issues = Issues { http_error: true, ..NONE };
    const FETCH: Issues = Issues { fetch_error: true, ..NONE };
    const THIN: Issues = Issues { thin_content: true, ..NONE };

    #[test]
    fn an_array_holds_exact_names() {
        for (json, issues) in [
            ("[]", NONE),
            (r#"["HTTP_ERROR"]"#, HTTP),
            (r#"["FETCH_ERROR", "FETCH_ERROR"]"#, FETCH),
            (r#"["MISSING_H1", "THIN_CONTENT"]"#, THIN),
            (r#"["HTTP_ERROR", "THIN_CONTENT"]"#, Issues { thin_content: true, ..HTTP }),
            (r#"["\u0048TTP_ERROR"]"#, HTTP),
            (r#"["http_error", "HTTP_ERRORS", " THIN_CONTENT", ""]"#, NONE),
            (r#"[1, -1, 0.5, null, true, {}, [], "HTTP_ERROR"]"#, HTTP),
            (r#"[["HTTP_ERROR"], {"FETCH_ERROR": "THIN_CONTENT"}]"#, NONE),
        ] {
            assert_eq!(Issues::from_json(json), issues, "{json}");
        }
    }

    #[test]
    fn a_string_is_searched() {
        for (json, issues) in [
            (r#""""#, NONE),
            (r#""x,NOT_FETCH_ERROR_AT_ALL,y""#, FETCH),
            (r#""[\"THIN_CONTENT\"]""#, THIN),
            (r#""thin_content""#, NONE),
        ] {
            assert_eq!(Issues::from_json(json), issues, "{json}");
        }
    }

    #[test]
    fn other_json_is_malformed_and_null_is_not() {
        assert_eq!(Issues::from_json("null"), NONE);
        for json in [r#"{"HTTP_ERROR": ["HTTP_ERROR"]}"#, "{}", "0", "-1", "1.5", "true", "false"] {
            assert_eq!(Issues::from_json(json), Issues { malformed: true, ..NONE }, "{json}");
        }
        assert!(Issues::from_json(r#"["HTTP_ERROR""#).malformed);
    }

    #[test]
    fn depth_is_no_limit() {
        let (open, close) = ("[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(Issues::from_json(&format!(r#"[{open}{close}, "HTTP_ERROR"]"#)), HTTP);
        assert!(Issues::from_json(&format!(r#"{{"a": {open}{close}}}"#)).malformed);
    }

    proptest! {
        #[test]
        fn takes_any_text(text in r#"[\[\]{}",:a1]{0,12}|\PC*"#) {
            let issues = Issues::from_json(&text);
            // In a JSON string, it is that string that is searched.
            let searched = Issues::from_json(&serde_json::json!(text).to_string());
            prop_assert_eq!(searched, Issues::in_text(&text));
            prop_assert!(issues.malformed || serde_json::from_str::<serde_json::Value>(&text).is_ok());
        }
    }
}
