//! Tells which pages people navigate to by the brand's name.

/// The paths of such pages.
const NAVIGATIONAL: [&str; 7] =
    ["/", "/home", "/about", "/contact", "/pricing", "/faq", "/support"];

/// Whether `url` leads to one of a brand's own pages: its home, about, contact page and so on.
///
/// This is the platform's rule, not a URL parser. In the lower-cased url the path starts at the
/// first `/` at or after the UTF-16 unit (index of `://`, or -1) + 3 and ends before the next `?`;
/// without such a `/` it is `/`. It must be one of the list exactly: a fragment or a slash at its
/// end makes it another path, and nothing is decoded or trimmed.
pub fn is_navigational(url: &str) -> bool {
    let url = url.to_lowercase();
    let path = match path_of(&url) {
        Some(path) => path.split('?').next().unwrap_or_default(),
        None => "/",
    };
    NAVIGATIONAL.contains(&path)
}

/// The lower-cased `url` from its path's slash on.
fn path_of(url: &str) -> Option<&str> {
    let rest = match url.split_once("://") {
        Some((_, rest)) => rest,
        None => after_units(url, 2),
    };
    rest.find('/').map(|slash| &rest[slash..])
}

/// `text` from its UTF-16 unit `units` on. Half a surrogate pair at the cut is dropped: it is no
/// slash.
fn after_units(text: &str, units: usize) -> &str {
    let mut rest = text.chars();
    let mut passed = 0;
    while passed < units {
        match rest.next() {
            Some(c) => passed += c.len_utf16(),
            None => break,
        }
    }
    rest.as_str()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn follows_the_platform_s_rule() {
        for url in [
            "https://ex.com",
            "https://ex.com/",
            "HTTPS://EX.COM/ABOUT",
            "http://[2001:db8::1]/support",
            "https://ex.com:8443/contact",
            "https://ex.com/pricing?x=/y#z",
            "https://ex.com?r=/about",
            "https://ex.com#x",
            "https://ex.com#/faq",
            "https:///about",
            "//ex.com/about",
            "ex.com/about",
            "ex.com?u=https://b.com/about",
            // Without a scheme the search starts at unit 2, so the slash is not seen.
            "",
            "/",
            "/about",
            "/x",
            "a/x",
            "é/x",
            "mailto:x",
            "😀",
        ] {
            assert!(is_navigational(url), "{url:?}");
        }
        for url in [
            "https://ex.com/blog",
            "https://ex.com/about/",
            "https://ex.com/about#team",
            "https://ex.com/about ",
            "https://ex.com/./about",
            "https://ex.com/%61bout",
            "https://ex.com//about",
            "https://ex.com/PRİCİNG",
            "https://ex.com#x/y",
            "/about/us",
            "ab/x",
            // Two units each when lower-cased: the slash is at unit 2.
            "😀/x",
            "İ/x",
            // The first scheme counts.
            "a://b/x://c/about",
        ] {
            assert!(!is_navigational(url), "{url:?}");
        }
    }

    /// The rule once more, word for word on UTF-16 units.
    fn by_units(url: &str) -> bool {
        let units: Vec<u16> = url.to_lowercase().encode_utf16().collect();
        let scheme: Vec<u16> = "://".encode_utf16().collect();
        let start = units.windows(3).position(|w| w == scheme).map_or(2, |at| at + 3);
        let path = match units.iter().skip(start).position(|&unit| unit == u16::from(b'/')) {
            None => "/".to_owned(),
            Some(slash) => {
                let path = &units[start + slash..];
                let end = path.iter().position(|&unit| unit == u16::from(b'?'));
                String::from_utf16_lossy(&path[..end.unwrap_or(path.len())])
            }
        };
        NAVIGATIONAL.contains(&path.as_str())
    }

    proptest! {
        #[test]
        fn agrees_with_the_rule_on_utf16_units(url in "[a😀İéΣ:/?#A]{0,6}(/|/about|/FAQ|)[?#/x]{0,2}") {
            prop_assert_eq!(is_navigational(&url), by_units(&url));
        }

        #[test]
        fn takes_any_text(url in any::<String>()) {
            prop_assert_eq!(is_navigational(&url), by_units(&url));
        }
    }
}
