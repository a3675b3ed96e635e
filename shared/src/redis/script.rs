//! A Lua script of ours.

/// A script and whether it may be run twice.
#[derive(Debug)]
pub struct Script {
    /// For errors, logs and spans.
    pub name: &'static str,
    /// The Lua text.
    pub source: &'static str,
    /// Whether the script itself recognises a second run with the same arguments.
    pub replay_safe: bool,
}
