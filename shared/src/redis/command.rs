//! One Redis command.

/// A command's name and arguments, and whether it may be sent twice.
#[derive(Clone, PartialEq, Eq)]
pub struct Command {
    /// Name first, then the arguments.
    pub(crate) args: Vec<Vec<u8>>,
    /// Whether a second execution changes nothing more than the first.
    pub(crate) replay_safe: bool,
}

impl Command {
    /// A command that is not sent again when its answer is lost.
    pub fn new(name: &'static str) -> Self {
        Self { args: vec![name.as_bytes().to_vec()], replay_safe: false }
    }

    /// Appends an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<Vec<u8>>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Declares that executing the command twice does no more than once (reads, plain writes of
    /// the same value): it may be sent again when its answer was lost.
    #[must_use]
    pub fn replay_safe(mut self) -> Self {
        self.replay_safe = true;
        self
    }
}
