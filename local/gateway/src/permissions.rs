//! What a read-only token may run: what Redis itself says is a read.
//!
//! Redis is asked (`COMMAND INFO`) about a command when a read-only token first uses it, and at no
//! other time. As at Upstash, reads that walk over the whole keyspace and scripts are left out,
//! even scripts that only read.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use super::{
    command::Command,
    failure::Failure,
    pool::Pool,
    refusal::Refusal,
    resp::{Frame, Token},
};

/// What Redis has said so far, by `name` and `name|subcommand`.
#[derive(Debug, Default)]
pub(super) struct Permissions(Mutex<HashMap<String, Verdict>>);

/// What Redis says about a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// A read.
    Read,
    /// Anything else.
    Other,
    /// A name that means nothing without a subcommand, here with one that does not exist.
    Container,
}

/// More names than Redis has commands and subcommands.
const MOST_NAMES: usize = 2048;

impl Permissions {
    /// Lets reads pass.
    ///
    /// # Errors
    /// NOPERM for all other commands; Upstash's words for a command that does not exist; when
    /// Redis gives no answer.
    pub(super) async fn check(&self, command: &Command, pool: &Pool) -> Result<(), Failure> {
        let name = command.name();
        match name.as_str() {
            "PING" | "ECHO" => return Ok(()),
            "SCAN" | "KEYS" | "RANDOMKEY" => return Err(Refusal::no_permission(&name).into()),
            _ => {}
        }
        // An argument that happens to look like a subcommand is none: Redis then knows no such
        // name, and the command as a whole counts.
        let names = [format!("{name}|{}", command.word(1)), name.clone()];
        let known = |name: &String| {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).copied()
        };
        let verdict = match names.iter().find_map(known) {
            Some(verdict) => verdict,
            None => {
                let Some((index, verdict)) = ask(&names, pool).await? else {
                    return Err(Refusal::not_available(&name).into());
                };
                let mut verdicts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                if verdict != Verdict::Container && verdicts.len() < MOST_NAMES {
                    verdicts.insert(names[index].clone(), verdict);
                }
                verdict
            }
        };
        match verdict {
            Verdict::Read => Ok(()),
            Verdict::Other | Verdict::Container => Err(Refusal::no_permission(&name).into()),
        }
    }
}

/// Redis' verdict on the first of `names` that it knows, and which one that is.
async fn ask(names: &[String], pool: &Pool) -> Result<Option<(usize, Verdict)>, Failure> {
    let question = ["COMMAND", "INFO"].into_iter().chain(names.iter().map(String::as_str));
    let mut wire = Vec::new();
    question.collect::<Command>().write_to(&mut wire);
    let replies = pool.run(&wire, 1, None).await?;
    let entries = replies.first().and_then(Frame::elements).unwrap_or_default();
    Ok(entries.iter().enumerate().find_map(|(index, entry)| Some((index, verdict(entry)?))))
}

/// What an entry of COMMAND INFO says: its third element is the flags, its seventh the categories,
/// its tenth (since Redis 7) the subcommands.
fn verdict(entry: &Frame) -> Option<Verdict> {
    let fields = entry.elements()?;
    let has = |index: usize, word: &[u8]| {
        let words = fields.get(index).map(Frame::tokens).into_iter().flatten();
        words.into_iter().any(|token| token == Token::Status(word))
    };
    let subcommands = fields.get(9).and_then(Frame::elements).unwrap_or_default();
    if !subcommands.is_empty() {
        return Some(Verdict::Container);
    }
    let read =
        has(2, b"readonly") && has(6, b"@read") && !has(6, b"@dangerous") && !has(6, b"@scripting");
    Some(if read { Verdict::Read } else { Verdict::Other })
}
