//! The platform's tables: [`migrations`] make them, [`seed`] fills them with rows to try things on.

pub mod migrations;
pub mod seed;
