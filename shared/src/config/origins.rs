//! `CORS_ORIGINS`: the origins of the web application.

/// Returns the origins of a list with commas between them, or what is wrong with it. An entry with `*`, which
/// only API Gateway understands, is left out: it names nobody who could be trusted.
pub(super) fn parse(text: &str) -> Result<Vec<String>, String> {
    let named = text.split(',').map(str::trim).filter(|entry| !entry.contains('*'));
    named.filter(|entry| !entry.is_empty()).map(one).collect()
}

fn one(entry: &str) -> Result<String, String> {
    let wrong = || format!("names `{entry}`, which is no origin such as `https://app.example.com`");
    let url = reqwest::Url::parse(entry).map_err(|_| wrong())?;
    let origin = url.origin().ascii_serialization();
    // A path, or a user, would be no part of what browsers compare; what has no such origin is `null`.
    let is_whole = entry.trim_end_matches('/').eq_ignore_ascii_case(&origin);
    let is_web = matches!(url.scheme(), "https" | "http");
    // URLs take more in a host, of which a `;` would end the directive of a Content-Security-Policy.
    let is_plain = origin.chars().all(|c| c.is_ascii_alphanumeric() || ".-_:/[]".contains(c));
    if is_web && is_whole && is_plain { Ok(origin) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::parse;

    #[test]
    fn origins_are_as_browsers_write_them() {
        let origins = parse("https://App.example.com/, http://localhost:3000,").unwrap();
        assert_eq!(origins, ["https://app.example.com", "http://localhost:3000"]);
        assert_eq!(parse("*,https://*.example.com").unwrap(), [""; 0]);
        assert_eq!(parse("").unwrap(), [""; 0]);
    }

    #[test]
    fn anything_else_is_refused() {
        for wrong in [
            "app.example.com",
            "https://app.example.com/path",
            "https://user@app.example.com",
            "https://app.example.com;script-src",
            "ftp://app.example.com",
            "data:text/html,",
            "null",
            "'self'",
        ] {
            assert!(parse(wrong).unwrap_err().contains("is no origin"), "{wrong}");
        }
    }
}
