//! Shortens a Lua script for upload: the server keeps every script's text, and an EVAL carries it.
//!
//! Comments and the spaces that separate nothing go, and names that only the text itself knows become
//! letters. What it does stays the same. It knows the Lua that our scripts are written in: strings in
//! single quotes, no long strings, no labels, and no line that begins with a parenthesis.

use std::collections::{HashMap, HashSet};

/// The script's text as it is uploaded.
pub(crate) fn shrunk(text: &str) -> String {
    let tokens = tokens(text);
    let fields = fields(&tokens);
    let short = short_names(&tokens, &fields);
    let mut out = String::with_capacity(text.len() / 2);
    for (token, is_field) in tokens.iter().zip(fields) {
        let token = short.get(token).filter(|_| !is_field).map_or(*token, String::as_str);
        if separates(out.chars().next_back(), token) {
            out.push(' ');
        }
        out.push_str(token);
    }
    out
}

/// Which tokens name a field: after a dot, or before `=` inside of braces.
fn fields(tokens: &[&str]) -> Vec<bool> {
    let mut open = Vec::new();
    let mut fields = Vec::with_capacity(tokens.len());
    for (place, &token) in tokens.iter().enumerate() {
        match token {
            "(" | "{" | "[" => open.push(token),
            ")" | "}" | "]" => drop(open.pop()),
            _ => {}
        }
        let next = (tokens.get(place + 1), tokens.get(place + 2));
        let is_key = open.last() == Some(&"{") && next.0 == Some(&"=") && next.1 != Some(&"=");
        fields.push(is_key || place > 0 && tokens[place - 1] == ".");
    }
    fields
}

/// Words (names, keywords, numbers), strings, `..` and `...`, and every other character by itself.
fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("--") {
            let end = if rest.starts_with("--[[") { "]]" } else { "\n" };
            let length = rest.find(end).map_or(rest.len(), |at| at + end.len());
            rest = rest[length..].trim_start();
            continue;
        } else if first == '\'' {
            rest[1..].find('\'').map_or(rest.len(), |at| at + 2)
        } else if is_word(first) {
            rest.find(|c| !is_word(c)).unwrap_or(rest.len())
        } else if first == '.' {
            rest.find(|c| c != '.').unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        tokens.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    tokens
}

/// Lua's own words of two letters, which a short name must not be.
const KEYWORDS: [&str; 4] = ["do", "if", "in", "or"];

/// What the server gives a script: a name like one of these may mean it elsewhere in the text.
const GLOBALS: [&str; 23] = [
    "KEYS", "ARGV", "redis", "cjson", "cmsgpack", "bit", "struct", "math", "string", "table",
    "assert", "error", "ipairs", "next", "pairs", "pcall", "rawget", "select", "tonumber",
    "tostring", "type", "unpack", "xpcall",
];

/// A shorter name for each variable that is declared in here, the most used ones first.
fn short_names<'a>(tokens: &[&'a str], fields: &[bool]) -> HashMap<&'a str, String> {
    let mut declared = HashSet::new();
    let mut uses: HashMap<&str, usize> = HashMap::new();
    for (place, (&token, is_field)) in tokens.iter().zip(fields).enumerate() {
        match token {
            "local" | "for" => declared.extend(names(&tokens[place + 1..])),
            // Its parameters: those of a named one stand behind its name.
            "function" => {
                let from = tokens[place..].iter().position(|token| *token == "(");
                declared.extend(from.map_or(Vec::new(), |from| names(&tokens[place + from + 1..])));
            }
            _ if token.starts_with(is_word) && !is_field => *uses.entry(token).or_default() += 1,
            _ => {}
        }
    }
    let mut names: Vec<&str> =
        declared.into_iter().filter(|name| !GLOBALS.contains(name)).collect();
    names.sort_unstable_by_key(|name| (std::cmp::Reverse(uses.get(name)), *name));
    let is_free =
        |short: &String| !uses.contains_key(short.as_str()) && !KEYWORDS.contains(&short.as_str());
    let free = (0..).map(spelled).filter(is_free);
    names.into_iter().zip(free).collect()
}

/// The names of a list that begins here: `a, b, c`, or the one of `function a`.
fn names<'a>(tokens: &[&'a str]) -> Vec<&'a str> {
    let from = usize::from(tokens.first() == Some(&"function"));
    let mut names = Vec::new();
    for pair in tokens[from..].chunks(2) {
        if !pair[0].starts_with(is_word) {
            break;
        }
        names.push(pair[0]);
        if pair.get(1) != Some(&",") {
            break;
        }
    }
    names
}

/// The `number`th of a, b, …, z, aa, ab, …
fn spelled(mut number: usize) -> String {
    let mut letters = Vec::new();
    loop {
        letters.push(b'a' + (number % 26) as u8);
        match (number / 26).checked_sub(1) {
            Some(next) => number = next,
            None => break letters.iter().rev().copied().map(char::from).collect(),
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Whether a space must stay between `last` and `next`: without it two words would be one, `1 ..` a
/// malformed number, and `- -` a comment.
fn separates(last: Option<char>, next: &str) -> bool {
    let Some(last) = last else { return false };
    is_word(last) && next.starts_with(is_word)
        || last.is_ascii_digit() && next.starts_with('.')
        || last == '-' && next.starts_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_separates_nothing_is_left_out() {
        let text =
            "--[[ head\n more ]]\n-- note\nx = 1 .. 'x  = y'\nb = a\n  return { x - -1, b }\n";
        assert_eq!(shrunk(text), "x=1 ..'x  = y'b=a return{x- -1,b}");
    }

    #[test]
    fn names_of_the_text_s_own_become_letters() {
        let text = "local function add(first, ...) return first + other end\nfor place, job in ipairs(jobs) do \
                    add(place, job.first, ...) end";
        assert_eq!(
            shrunk(text),
            "local function a(b,...)return b+other end for d,c in ipairs(jobs)do a(d,c.first,...)end",
            "what is a field's, or not declared here, stays"
        );
        assert_eq!(shrunk("local a, place = 1, {place = 2} a = place"), "local b,c=1,{place=2}b=c");
    }

    #[test]
    fn letters_are_counted_on() {
        assert_eq!(
            [0, 25, 26, 51, 52, 701, 702].map(spelled),
            ["a", "z", "aa", "az", "ba", "zz", "aaa"]
        );
    }
}
