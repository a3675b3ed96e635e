//! Reads the platform's rows as JSON, and reduces each to facts.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor};

use super::{Issues, PageFacts, ProductFacts, count_words, is_navigational, trim};
use crate::clock::from_iso8601;

/// A row of `"CrawlResult"`: a stored crawl of a page.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    /// The page's address, as it was crawled.
    pub url: String,
    /// The HTTP status.
    #[serde(deserialize_with = "status")]
    pub status_code: i32,
    /// The title.
    pub title: Option<String>,
    /// The meta description.
    pub meta_description: Option<String>,
    /// The first heading.
    pub h1: Option<String>,
    /// The crawl's count of words.
    #[serde(default, deserialize_with = "optional_integer")]
    pub word_count: Option<i64>,
    /// The crawl's count of links to pages of the same site. Not every platform's table has it;
    /// anything but a number is none.
    #[serde(default, deserialize_with = "number_if_any")]
    pub internal_link_count: Option<f64>,
    /// What the crawl complained of.
    #[serde(default)]
    pub issues: Issues,
    /// When it was crawled, in milliseconds since the Unix epoch; ISO 8601 in JSON.
    #[serde(rename = "scannedAt", deserialize_with = "instant")]
    pub scanned_at_ms: i64,
}

impl Page {
    /// What counts for the score.
    pub fn facts(&self) -> PageFacts {
        let present = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        PageFacts {
            status_code: self.status_code,
            has_title: present(&self.title),
            has_meta_description: present(&self.meta_description),
            has_h1: present(&self.h1),
            word_count: self.word_count,
            internal_links: self.internal_link_count,
            issues: self.issues,
            navigational: is_navigational(&self.url),
            scanned_at_ms: self.scanned_at_ms,
        }
    }
}

/// A row of `"Product"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Product {
    /// Its name in the shop.
    pub title: String,
    /// Its description in the shop; may hold HTML.
    pub description: Option<String>,
    /// The title for search engines. When it is not null it counts, even if it is empty.
    pub seo_title: Option<String>,
    /// The description for search engines. When it is not null it counts, even if it is empty.
    pub seo_description: Option<String>,
    /// When it was last synced, in milliseconds since the Unix epoch; ISO 8601 in JSON.
    #[serde(rename = "lastSyncedAt", deserialize_with = "instant")]
    pub last_synced_at_ms: i64,
}

impl Product {
    /// What counts for the score.
    pub fn facts(&self) -> ProductFacts {
        let title = self.seo_title.as_ref().unwrap_or(&self.title);
        let description = self.seo_description.as_ref().or(self.description.as_ref());
        let words = description.map_or(0, |text| count_words(text));
        ProductFacts {
            has_title: !trim(title).is_empty(),
            has_description: words > 0,
            words,
            last_synced_at_ms: self.last_synced_at_ms,
        }
    }
}

/// An ISO 8601 time as milliseconds since the Unix epoch: for `#[serde(deserialize_with)]`.
///
/// # Errors
/// When the value is no string, or the string no such time.
pub fn instant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    deserializer.deserialize_str(Instant)
}

struct Instant;

impl Visitor<'_> for Instant {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time such as \"2026-01-31T12:00:00.000Z\"")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<i64, E> {
        from_iso8601(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

fn status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
    let Integer(status) = Integer::deserialize(deserializer)?;
    i32::try_from(status)
        .map_err(|_| D::Error::invalid_value(Unexpected::Signed(status), &"a status of 32 bits"))
}

fn optional_integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let integer = Option::<Integer>::deserialize(deserializer)?;
    Ok(integer.map(|Integer(value)| value))
}

fn number_if_any<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    deserializer.deserialize_any(NumberIfAny)
}

struct NumberIfAny;

impl<'de> Visitor<'de> for NumberIfAny {
    type Value = Option<f64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Option<f64>, E> {
        Ok(Some(value as f64))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Option<f64>, E> {
        Ok(Some(value as f64))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Option<f64>, E> {
        Ok(Some(value))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Option<f64>, E> {
        Ok(None)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Option<f64>, E> {
        Ok(None)
    }

    fn visit_unit<E: Error>(self) -> Result<Option<f64>, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, members: A) -> Result<Option<f64>, A::Error> {
        IgnoredAny.visit_seq(members).map(|_| None)
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Option<f64>, A::Error> {
        IgnoredAny.visit_map(members).map(|_| None)
    }
}

/// A whole number, however JSON writes it: `1000`, `1e3` and `1000.0` are the same.
struct Integer(i64);

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IntegerVisitor)
    }
}

struct IntegerVisitor;

impl Visitor<'_> for IntegerVisitor {
    type Value = Integer;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number of at most 64 bits")
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Integer, E> {
        Ok(Integer(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Integer, E> {
        i64::try_from(value)
            .map(Integer)
            .map_err(|_| E::invalid_value(Unexpected::Unsigned(value), &self))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Integer, E> {
        // 2^63, the first double that i64 does not hold; -2^63 is one it does.
        let end = -(i64::MIN as f64);
        if value.fract() == 0.0 && (-end..end).contains(&value) {
            Ok(Integer(value as i64))
        } else {
            Err(E::invalid_value(Unexpected::Float(value), &self))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const TIME: &str = "2026-01-31T12:00:00.000Z";

    fn page(members: Value) -> Result<PageFacts, serde_json::Error> {
        let mut row = json!({"url": "https://ex.com/x", "statusCode": 200, "scannedAt": TIME});
        merge(&mut row, members);
        Page::deserialize(row).map(|page| page.facts())
    }

    fn product(members: Value) -> Result<ProductFacts, serde_json::Error> {
        let mut row = json!({"title": "t", "description": "d e", "lastSyncedAt": TIME});
        merge(&mut row, members);
        Product::deserialize(row).map(|product| product.facts())
    }

    fn merge(row: &mut Value, members: Value) {
        if let (Value::Object(row), Value::Object(members)) = (row, members) {
            row.extend(members);
        }
    }

    #[test]
    fn a_page_s_text_is_present_unless_null_or_empty() {
        for (text, present) in
            [(json!(null), false), (json!(""), false), (json!(" "), true), (json!("t"), true)]
        {
            let facts = page(json!({"title": text, "metaDescription": text, "h1": text})).unwrap();
            let found = [facts.has_title, facts.has_meta_description, facts.has_h1];
            assert_eq!(found, [present; 3], "{text}");
        }
    }

    #[test]
    fn a_product_s_seo_text_counts_unless_null() {
        for (seo, present) in [
            (json!(null), true),
            (json!("s"), true),
            (json!(""), false),
            (json!("\u{A0}\u{FEFF}"), false),
            (json!("\u{85}"), true),
        ] {
            let facts = product(json!({"seoTitle": seo, "seoDescription": seo})).unwrap();
            assert_eq!([facts.has_title, facts.has_description], [present; 2], "{seo}");
        }
        let words = |members| product(members).unwrap().words;
        assert_eq!(words(json!({})), 2);
        assert_eq!(words(json!({"seoDescription": "one"})), 1);
        assert_eq!(words(json!({"description": null})), 0);
    }

    #[test]
    fn numbers_are_whole_however_they_are_written() {
        let words = |words: Value| page(json!({"wordCount": words})).map(|facts| facts.word_count);
        assert_eq!(words(json!(null)).unwrap(), None);
        assert_eq!(words(json!(1e3)).unwrap(), Some(1_000));
        assert_eq!(words(json!(-0.0)).unwrap(), Some(0));
        assert_eq!(words(json!(i64::MAX)).unwrap(), Some(i64::MAX));
        assert_eq!(words(json!(-9_223_372_036_854_775_808.0)).unwrap(), Some(i64::MIN));
        for wrong in [json!(0.5), json!(u64::MAX), json!(9_223_372_036_854_775_808.0), json!("1")] {
            assert!(words(wrong.clone()).is_err(), "{wrong}");
        }
        let status = |status: Value| page(json!({"statusCode": status})).map(|f| f.status_code);
        assert_eq!(status(json!(404.0)).unwrap(), 404);
        assert!(status(json!(1_i64 << 32)).is_err());
        assert!(status(json!(null)).is_err());
    }

    #[test]
    fn anything_but_a_number_is_no_count_of_links() {
        let links =
            |links: Value| page(json!({"internalLinkCount": links})).unwrap().internal_links;
        for (written, found) in [
            (json!(0), 0.0),
            (json!(12), 12.0),
            (json!(-3), -3.0),
            (json!(2.5), 2.5),
            (json!(u64::MAX), 18_446_744_073_709_551_615.0),
        ] {
            assert_eq!(links(written.clone()), Some(found), "{written}");
        }
        for other in
            [json!(null), json!("12"), json!(true), json!([12, [1]]), json!({"a": {"b": 12}})]
        {
            assert_eq!(links(other.clone()), None, "{other}");
        }
        assert_eq!(page(json!({})).unwrap().internal_links, None);
    }

    #[test]
    fn a_fault_says_what_is_expected() {
        let fault = page(json!({"scannedAt": "2026-02-30"})).unwrap_err().to_string();
        assert_eq!(
            fault,
            "invalid value: string \"2026-02-30\", expected a time such as \
             \"2026-01-31T12:00:00.000Z\""
        );
        assert!(page(json!({"scannedAt": 0})).is_err());
        assert!(product(json!({"title": null})).is_err());
    }
}
