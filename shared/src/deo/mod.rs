//! Computes the DEO score: rows in, numbers out, no I/O.
//!
//! ```text
//! Page, Product ──facts()──▶ PageFacts, ProductFacts ──▶ Tally ──signals(now)──▶ Signals ──▶ Score
//!   (JSON rows)                  (what SQL delivers)                                  (v1, v2, metadata)
//! ```
//!
//! A row is reduced to a few facts first, so that a database can reduce it where it lies; a
//! [`Tally`] adds facts up; its [`Signals`] are 17 numbers in 0..1, and two models turn them into
//! scores of 0 to 100.
//!
//! The platform computes the same numbers in JavaScript, and both must agree to the last point.
//! All arithmetic is therefore in IEEE doubles and in one fixed order: a sum taken in another
//! order, or `(n - k) / n` for `1 - k / n`, moves a score that lies on an exact half.
//!
//! ```
//! use shared::deo::{PageFacts, Score, Tally};
//!
//! let mut tally = Tally::default();
//! tally.add_page(&PageFacts {
//!     status_code: 200,
//!     has_title: true,
//!     has_meta_description: true,
//!     has_h1: true,
//!     word_count: Some(1_200),
//!     navigational: true,
//!     ..PageFacts::default()
//! });
//! let score = Score::of(tally.signals(0));
//! assert_eq!(score.v1.technical, 83);
//! ```

mod compare;
mod facts;
mod issues;
mod metadata;
mod model;
mod row;
mod signals;
mod tally;
mod text;
mod url;

pub use compare::{Change, Compared, Comparison, ROUNDING};
pub use facts::{PageFacts, ProductFacts, ProjectFacts};
pub use issues::Issues;
pub use metadata::Metadata;
pub(crate) use metadata::to_present_form;
pub use model::{Score, V1, V2, v1, v2};
pub use row::{Page, Product, instant};
pub use signals::Signals;
pub use tally::Tally;
pub use text::{WHITE_SPACE, count_words, is_white_space, trim};
pub use url::is_navigational;
