//! What a setting is: its name, its default, and what its value must look like.

/// What a variable's value must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true`, `false`, `1` or `0`, in any case.
    Flag,
    /// A whole number between two bounds, both allowed.
    Whole(u64, u64),
    /// As [`Kind::Whole`], or `all` for no bound.
    Bound(u64, u64),
    /// A number from 0 to 1.
    Part,
    /// Whole minutes or hours up to a day, as `30m` or `2h`.
    Span,
    /// One of these words, in any case.
    Word(&'static [&'static str]),
    /// A URL with one of these schemes, without white space.
    Url(&'static [&'static str]),
    /// A [`SnapshotRetention`](super::SnapshotRetention).
    Snapshots,
    /// [`ServedQueue`](super::ServedQueue)s.
    Queues,
    /// Origins, as browsers write them.
    Origins,
    /// One secret or two of [`Secrets`](crate::http::Secrets).
    Signing,
    /// One token: no white space, no quotation marks.
    Token,
    /// A key prefix: no white space, no quotation marks, no colon at either end.
    Prefix,
    /// Certificates: PEM text, or the path of a file with such.
    Authorities,
    /// Any text. Quotation marks and white space around it, which copying brings along, are refused.
    Text,
}

/// One environment variable.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// The value when it is not set; empty when there is none.
    pub default: &'static str,
    /// Whether its value must never be shown.
    pub secret: bool,
    /// What it is for, in Markdown.
    pub meaning: &'static str,
}

impl Variable {
    pub(super) const fn new(
        name: &'static str,
        kind: Kind,
        default: &'static str,
        meaning: &'static str,
    ) -> Self {
        Self { name, kind, default, secret: false, meaning }
    }

    pub(super) const fn secret(name: &'static str, kind: Kind, meaning: &'static str) -> Self {
        Self { name, kind, default: "", secret: true, meaning }
    }

    /// What it takes, as the end of a sentence.
    pub fn accepts(&self) -> String {
        match self.kind {
            Kind::Flag => "`true`, `false`, `1` or `0`".to_owned(),
            Kind::Whole(low, high) => format!("a whole number from {low} to {high}"),
            Kind::Bound(low, high) => {
                format!("a whole number from {low} to {high}, or `all` for no bound")
            }
            Kind::Part => "a number from 0 to 1".to_owned(),
            Kind::Span => "whole minutes or hours up to a day, as `30m` or `2h`".to_owned(),
            Kind::Word(words) => either(words, ""),
            Kind::Url(schemes) => format!("a URL that starts with {}", either(schemes, "://")),
            Kind::Snapshots => "`all`, `newest:N` (at least 1) or `weekly-after:DAYS`".to_owned(),
            Kind::Queues => {
                "`name[:weight][=https URL]` of one or more queues, with commas between them"
                    .to_owned()
            }
            Kind::Origins => {
                "origins such as `https://app.example.com`, with commas between them".to_owned()
            }
            Kind::Signing => {
                "`whsec_` and 24 to 64 bytes in base64, or two such, separated by a space \
                              or a comma"
                    .to_owned()
            }
            Kind::Token => "one token without white space or quotation marks".to_owned(),
            Kind::Prefix => {
                "a key prefix without white space or quotation marks, with no `:` at either end"
                    .to_owned()
            }
            Kind::Authorities => {
                "certificates as PEM text (a line end may be `\\n`), or the path of a file with them"
                    .to_owned()
            }
            Kind::Text => "any text without quotation marks or white space around it".to_owned(),
        }
    }
}

/// `a`, `b` or `c`, each with `suffix`.
fn either(words: &[&str], suffix: &str) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}{suffix}`")).collect();
    match quoted.as_slice() {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => quoted.concat(),
    }
}
