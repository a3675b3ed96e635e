//! What copying and pasting brings along with a value, told before anything is made of the value: a prefix in
//! quotation marks is another prefix, and its queue is empty for ever.

use super::{ConfigError, Env, Finding, Kind, Severity, VARIABLES, Variable};

/// Commands that consoles offer to copy, each around the address that is meant.
const COMMANDS: [&str; 5] = ["redis-cli", "valkey-cli", "psql", "pg_dump", "curl"];

/// What quotes in a shell, an env file or a word processor.
const QUOTES: [(char, char); 5] =
    [('"', '"'), ('\'', '\''), ('`', '`'), ('\u{201c}', '\u{201d}'), ('\u{2018}', '\u{2019}')];

/// Returns what one of our variables is set to, for whoever needs no other; an empty one is not set. Nothing is made of
/// it, but what copying brings along is refused.
///
/// # Errors
/// What is wrong with how it is written.
pub fn written(env: &dyn Env, name: &str) -> Result<Option<String>, ConfigError> {
    let Some(value) = env.get(name).filter(|value| !value.is_empty()) else { return Ok(None) };
    let variable = VARIABLES.iter().find(|variable| variable.name == name);
    match variable.and_then(|variable| spelling(variable, &value)) {
        Some(finding) => Err(ConfigError(finding)),
        None => Ok(Some(value)),
    }
}

/// What is wrong with how the value of a variable is written; it is not shown.
pub(crate) fn spelling(variable: &Variable, value: &str) -> Option<Finding> {
    let (wrong, remedy) = wrong(variable, value)?;
    Some(Finding::new(Severity::Error, variable.name, wrong, remedy))
}

fn wrong(variable: &Variable, value: &str) -> Option<(String, String)> {
    let told = |wrong: &str, remedy: &str| Some((wrong.to_owned(), remedy.to_owned()));
    let kind = variable.kind;
    if value.contains(char::REPLACEMENT_CHARACTER) {
        return told("holds bytes that are not UTF-8", "set it anew");
    }
    let bare = value.trim_matches(is_quote_or_blank);
    if let Some(found) = command(kind, bare) {
        return Some(found);
    }
    let named = bare.strip_prefix("export ").unwrap_or(bare).trim_start();
    if named.strip_prefix(variable.name).is_some_and(|rest| rest.starts_with('=')) {
        return told(
            "holds its own name",
            "leave out all that stands before the value, and the `=`",
        );
    }
    let is_pem = kind == Kind::Authorities && value.contains("-----BEGIN ");
    if holds_no_blank(kind) && value.contains(is_blank) {
        return told("holds white space or a line break, perhaps from copying it", "remove it");
    }
    if !is_pem && (value.starts_with(is_blank) || value.ends_with(is_blank)) {
        return told(
            "has white space or a line break around its value, perhaps from copying it",
            "remove it",
        );
    }
    let quoted = || told("has quotation marks in it, which count as a part of it", "remove them");
    let around =
        |(open, close)| value.len() > 1 && value.starts_with(open) && value.ends_with(close);
    // One alone may belong to a secret of any form, and to nothing else.
    let at_an_end = || value.starts_with(is_quote) || value.ends_with(is_quote);
    match kind {
        Kind::Prefix | Kind::Token if value.contains(is_quote) => quoted(),
        Kind::Text if !QUOTES.into_iter().any(around) => None,
        _ if QUOTES.into_iter().any(around) || at_an_end() => quoted(),
        _ => None,
    }
}

/// A command in place of the address that it is about.
fn command(kind: Kind, value: &str) -> Option<(String, String)> {
    if !matches!(kind, Kind::Url(_) | Kind::Token) {
        return None;
    }
    let mut words = value.split_whitespace();
    let first = words.next()?;
    let command = COMMANDS.into_iter().find(|command| *command == first)?;
    let wrong = format!("holds a command (`{command} …`) and not only what it is about");
    let remedy = match kind {
        Kind::Url(schemes) => {
            // Of a URL that says nothing of TLS the option would be lost.
            let tls = match words.any(|word| word == "--tls") {
                true => ", with `rediss://` for the command's `--tls`",
                false => "",
            };
            let scheme = schemes.first().copied().unwrap_or_default();
            format!("put only the URL (`{scheme}://…`) there{tls}")
        }
        _ => "put only the token there".to_owned(),
    };
    Some((wrong, remedy))
}

/// Whether white space has no place anywhere in a value of this kind.
fn holds_no_blank(kind: Kind) -> bool {
    matches!(kind, Kind::Url(_) | Kind::Token | Kind::Prefix)
}

fn is_blank(c: char) -> bool {
    // Invisible ones, as a byte order mark, are pasted as well.
    c.is_whitespace() || c.is_control() || matches!(c, '\u{feff}' | '\u{200b}')
}

fn is_quote(c: char) -> bool {
    QUOTES.iter().any(|(open, close)| [*open, *close].contains(&c))
}

fn is_quote_or_blank(c: char) -> bool {
    is_quote(c) || is_blank(c)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::config::{ALIASES, VARIABLES};

    fn variable(name: &str) -> &'static Variable {
        VARIABLES.iter().chain(&ALIASES).find(|variable| variable.name == name).unwrap()
    }

    fn told(name: &str, value: &str) -> String {
        let finding = spelling(variable(name), value);
        finding.unwrap_or_else(|| panic!("{name} may be {value:?}")).to_string()
    }

    #[test]
    fn what_stands_around_any_value_is_refused_by_name() {
        for variable in VARIABLES.iter().chain(&ALIASES) {
            let name = variable.name;
            for (before, after, says) in [
                ("\"", "\"", "quotation marks"),
                ("'", "'", "quotation marks"),
                ("\u{201c}", "\u{201d}", "quotation marks"),
                ("", "\n", "white space or a line break"),
                ("", "\r\n", "white space or a line break"),
                (" ", "", "white space or a line break"),
                ("", "\t", "white space or a line break"),
                ("\u{feff}", "", "white space or a line break"),
                ("", "\u{a0}", "white space or a line break"),
                ("\"", "\"\n", ""),
            ] {
                let sentence = told(name, &format!("{before}canary{after}"));
                assert!(sentence.starts_with(&format!("{name} h")), "{sentence}");
                assert!(sentence.contains(says) && !sentence.contains("canary"), "{sentence}");
            }
            assert_eq!(spelling(variable, "canary"), None, "{name}");
        }
    }

    #[test]
    fn a_secret_of_any_form_may_hold_what_is_not_around_it() {
        for secret in ["a\"b", "\"a", "it's", "a b", "'", "\"a' b", "`a\""] {
            assert_eq!(spelling(variable("JWT_SECRET"), secret), None, "{secret}");
        }
        for prefix in ["en\"gineo", "engineo'", "a b"] {
            told("REDIS_PREFIX", prefix);
        }
        assert_eq!(spelling(variable("QUEUES"), "a, b=https://x.example/it's?x"), None);
    }

    #[test]
    fn pem_text_ends_with_a_line_and_a_path_does_not() {
        let pem = "-----BEGIN CERTIFICATE-----\ncanary\n-----END CERTIFICATE-----\n";
        assert_eq!(spelling(variable("REDIS_CA"), pem), None);
        assert!(told("REDIS_CA", &format!("\"{pem}\"")).contains("quotation marks"));
        assert!(told("DATABASE_CA", "/etc/canary.pem\n").contains("white space"));
        assert_eq!(spelling(variable("DATABASE_CA"), "/etc/my authorities.pem"), None);
    }

    #[test]
    fn a_pasted_command_is_told_to_be_one() {
        for (name, value, sentence) in [
            (
                "REDIS_URL",
                "redis-cli -u redis://default:canary@h.upstash.io:6379",
                "REDIS_URL holds a command (`redis-cli …`) and not only what it is about: put only the \
                 URL (`rediss://…`) there.",
            ),
            (
                "REDIS_URL",
                "redis-cli --tls -u redis://default:canary@h.upstash.io:6379\n",
                "REDIS_URL holds a command (`redis-cli …`) and not only what it is about: put only the \
                 URL (`rediss://…`) there, with `rediss://` for the command's `--tls`.",
            ),
            (
                "DATABASE_URL",
                "psql 'postgresql://u:canary@db.neon.tech/app?sslmode=require'",
                "DATABASE_URL holds a command (`psql …`) and not only what it is about: put only the \
                 URL (`postgresql://…`) there.",
            ),
            (
                "DATABASE_URL",
                "\"psql postgresql://u:canary@db.neon.tech/app\"",
                "DATABASE_URL holds a command (`psql …`) and not only what it is about: put only the \
                 URL (`postgresql://…`) there.",
            ),
            (
                "UPSTASH_REDIS_REST_URL",
                "curl https://x.upstash.io -H \"Authorization: Bearer canary\"",
                "UPSTASH_REDIS_REST_URL holds a command (`curl …`) and not only what it is about: put \
                 only the URL (`https://…`) there.",
            ),
            (
                "KV_REST_API_TOKEN",
                "curl https://x.upstash.io -H \"Authorization: Bearer canary\"",
                "KV_REST_API_TOKEN holds a command (`curl …`) and not only what it is about: put only \
                 the token there.",
            ),
        ] {
            assert_eq!(told(name, value), sentence);
        }
    }

    #[test]
    fn one_variable_can_be_read_alone() {
        let env = |value: &str| {
            std::collections::BTreeMap::from([("DATABASE_URL".to_owned(), value.to_owned())])
        };
        assert_eq!(
            written(&env("postgres://h/d"), "DATABASE_URL").unwrap().unwrap(),
            "postgres://h/d"
        );
        assert_eq!(written(&env(""), "DATABASE_URL").unwrap(), None);
        assert_eq!(written(&env("x"), "JWT_SECRET").unwrap(), None);
        let refused = written(&env("psql 'postgres://h/canary'"), "DATABASE_URL").unwrap_err();
        assert!(refused.to_string().starts_with("DATABASE_URL holds a command"), "{refused}");
    }

    #[test]
    fn a_pasted_line_of_an_env_file_is_told_to_be_one() {
        for value in ["REDIS_URL=redis://:canary@h", "export REDIS_URL=\"redis://:canary@h\""] {
            assert_eq!(
                told("REDIS_URL", value),
                "REDIS_URL holds its own name: leave out all that stands before the value, and the `=`."
            );
        }
        assert_eq!(spelling(variable("JWT_SECRET"), "JWT_SECRETS=x"), None);
    }
}
