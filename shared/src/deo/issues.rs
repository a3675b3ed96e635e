//! The issues that a crawl found on a page, reduced to those that count.

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
