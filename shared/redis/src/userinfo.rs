//! What people write into the password of a URL as it is, though there it means something else.

/// Returns what is wrong with the password of a URL, as the end of a sentence about it that shows nothing else of
/// it: the first character before its host that has to be percent-encoded there. `/`, `?` and `#` would end the
/// host, an `@` begin it, and a `%` begin what it encodes.
///
/// ```
/// use batchmq_redis::raw_in_password;
///
/// let told = raw_in_password("redis://:pass#word@host:6379").unwrap();
/// assert_eq!(told, "has a raw `#` in its password: write it as %23 there");
/// assert_eq!(raw_in_password("redis://:pass%23word@host:6379/0"), None);
/// ```
pub fn raw_in_password(url: &str) -> Option<String> {
    let (raw, encoded) = raw_before_host(url)?;
    // In an option behind the host an `@` would be taken for that of the password as well.
    let elsewhere = if raw == '@' { ", and in an option behind the host too" } else { "" };
    Some(format!("has a raw `{raw}` in its password: write it as {encoded} there{elsewhere}"))
}

/// The character, and how it is written.
fn raw_before_host(url: &str) -> Option<(char, &'static str)> {
    // The host itself holds none of them, so that it begins behind the last `@`.
    let (userinfo, _) = url.split_once("://")?.1.rsplit_once('@')?;
    userinfo.char_indices().find_map(|(place, c)| {
        let encoded = match c {
            '/' => "%2F",
            '?' => "%3F",
            '#' => "%23",
            '@' => "%40",
            '%' if !is_hex(userinfo.as_bytes().get(place + 1..place + 3)) => "%25",
            _ => return None,
        };
        Some((c, encoded))
    })
}

fn is_hex(digits: Option<&[u8]>) -> bool {
    digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_to_be_encoded_is_found_and_nothing_else() {
        for (url, raw) in [
            ("redis://:a#b@h", Some('#')),
            ("redis://:a/b@h:1/0", Some('/')),
            ("postgres://u:a@b@h/d", Some('@')),
            ("postgres://u:a?b@h/d?sslmode=require", Some('?')),
            ("postgres://u:a%b@h/d", Some('%')),
            ("postgres://u:100%@h/d", Some('%')),
            ("postgres://u:a%2@h/d", Some('%')),
            ("postgres://u:p@h/d?application_name=a@b", Some('@')),
            ("postgres://u:é%é@h/d", Some('%')),
            ("postgres://u:a%2Fb%40%25c@h/d?x=y#z", None),
            ("redis://h:6379/0", None),
            ("redis://h/#@", Some('/')),
            ("redis-cli", None),
            ("a@b", None),
        ] {
            assert_eq!(raw_before_host(url).map(|(raw, _)| raw), raw, "{url}");
        }
        assert_eq!(
            raw_in_password("redis://:ca#nary@h").as_deref(),
            Some("has a raw `#` in its password: write it as %23 there")
        );
        assert_eq!(
            raw_in_password("redis://:ca@nary@h").as_deref(),
            Some(
                "has a raw `@` in its password: write it as %40 there, and in an option behind the host too"
            )
        );
    }
}
