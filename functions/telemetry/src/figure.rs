//! Figures that a function tells of an invocation.

/// What a figure says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// How many there were: figures of several invocations add up.
    Sum,
    /// How many there are now.
    Level,
    /// How long something took, or has been waiting: milliseconds.
    Milliseconds,
}

/// A figure with its name, which is CloudWatch's: `BilledCommands`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figure {
    /// In camel case.
    pub name: &'static str,
    /// What it says.
    pub kind: Kind,
    /// How many.
    pub value: i64,
}
