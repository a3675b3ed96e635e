//! Describes what goes to the server in one round trip.

use std::fmt;

use super::command::{Command, Title};

/// How the commands of a request belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// One command.
    Single,
    /// Commands in a row, each for itself.
    Pipeline,
    /// Commands between MULTI and EXEC.
    Transaction,
}

/// One round trip's worth of commands.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) form: Form,
    pub(super) commands: Vec<Command>,
}

/// How many different commands a request's title lists.
const MAX_TITLES: usize = 8;

impl Request {
    /// One command.
    pub(super) fn single(command: Command) -> Self {
        Self { form: Form::Single, commands: vec![command] }
    }

    /// Whether the whole request may be sent twice: every command of it may.
    pub(super) fn replay_safe(&self) -> bool {
        self.commands.iter().all(|command| command.replay_safe)
    }

    /// How many commands are billed when it is executed, those inside scripts not included.
    pub(super) fn billed(&self) -> u64 {
        let frame = if self.form == Form::Transaction { 2 } else { 0 };
        self.commands.len() as u64 + frame
    }

    /// The names of the commands, in order, repetitions as `NAME×n`.
    pub(super) fn titles(&self) -> String {
        let mut runs: Vec<(Title, usize)> = Vec::new();
        for command in &self.commands {
            match runs.last_mut() {
                Some((last, count)) if *last == command.title => *count += 1,
                _ => runs.push((command.title, 1)),
            }
        }
        let names = runs.iter().take(MAX_TITLES).map(|(title, count)| match count {
            1 => title.to_string(),
            _ => format!("{title}×{count}"),
        });
        let rest = (runs.len() > MAX_TITLES).then(|| "…".to_owned());
        names.chain(rest).collect::<Vec<_>>().join(", ")
    }

    /// The first key.
    pub(super) fn key(&self) -> Option<String> {
        self.commands.iter().find_map(Command::key)
    }
}

/// What an error calls the request: the commands' names and the first key.
impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.form {
            Form::Single => {}
            Form::Pipeline => f.write_str("pipeline of ")?,
            Form::Transaction => f.write_str("transaction of ")?,
        }
        f.write_str(&self.titles())?;
        match self.key() {
            Some(key) => write!(f, " on key \"{key}\""),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(key: &str) -> Command {
        Command::new("SET").arg(key).arg("a secret")
    }

    #[test]
    fn a_title_has_names_and_the_first_key_and_no_argument() {
        assert_eq!(Request::single(set("k")).to_string(), "SET on key \"k\"");
        let commands = vec![set("a"), set("b"), Command::new("GET").arg("c")];
        let pipeline = Request { form: Form::Pipeline, commands };
        assert_eq!(pipeline.to_string(), "pipeline of SET×2, GET on key \"a\"");
        assert!(!format!("{pipeline:?}").contains("secret"));
        let mixed = (0..9).flat_map(|_| [set("a"), Command::new("GET").arg("b")]).collect();
        let mixed = Request { form: Form::Transaction, commands: mixed };
        let names = "SET, GET, SET, GET, SET, GET, SET, GET, …";
        assert_eq!(mixed.to_string(), format!("transaction of {names} on key \"a\""));
        let eval = Command::new("EVAL").arg("return 1").arg("0").arg("secret");
        assert_eq!(Request::single(eval).to_string(), "EVAL");
        let auth = Command::new("auth").arg("secret");
        assert_eq!(Request::single(auth).to_string(), "auth");
    }

    #[test]
    fn a_request_is_replay_safe_when_every_command_is() {
        let safe = || Command::new("GET").arg("k").replay_safe();
        let request = |commands| Request { form: Form::Pipeline, commands };
        assert!(request(vec![safe(), safe()]).replay_safe());
        assert!(!request(vec![safe(), set("k")]).replay_safe());
    }

    #[test]
    fn a_transaction_bills_its_frame() {
        let transaction = Request { form: Form::Transaction, commands: vec![set("a"), set("b")] };
        assert_eq!(transaction.billed(), 4);
        assert_eq!(Request::single(set("a")).billed(), 1);
    }
}
