//! `deo`: the local command line.
fn main() {}
