//! `deo score`: scores rows given as JSON Lines, without any server.
//!
//! A line in is a case `{"name", "now", "crawlResults", "products"}` with rows as in the tables; a
//! line out is `{"name", "signals", "v1", "v2"}`, in the same order. A line that is no case comes
//! out as `{"name"?, "line", "error"}`, and the rest goes on. A case may also hold `expected`,
//! `{"signals"?, "v1"?, "v2"?}`: what differs from it is reported beside the output.

mod case;
pub(super) mod expected;
mod javascript;
mod surrogates;

use std::io::{self, BufRead, Write};
use std::process::ExitCode;

use serde::Serialize;
use shared::deo::{Score, Signals, V1, V2};

use self::case::Case;
use self::javascript::write_json;
use crate::Outcome;

/// Score rows given as JSON Lines on standard input, without any server
///
/// A line in: {"name", "now", "crawlResults", "products", "expected"?}, with rows as in the tables.
/// A line out: {"name", "signals", "v1", "v2"}, in the same order. A bad line comes out as
/// {"name"?, "line", "error"}, and the rest goes on. What differs from "expected" is named on
/// stderr. Exit code 1 when any line was bad or differed.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) async fn run(_: Args) -> Outcome {
    let summary = score(io::stdin().lock(), io::stdout().lock(), io::stderr().lock())?;
    Ok(if summary.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What became of the lines.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summary {
    /// Lines that were no case.
    pub bad_lines: u64,
    /// Lines whose score is not the expected one.
    pub mismatches: u64,
}

impl Summary {
    /// Every line was a case, and came out as expected.
    fn success(self) -> bool {
        self.bad_lines == 0 && self.mismatches == 0
    }
}

#[derive(Serialize)]
struct Scored<'a> {
    name: &'a str,
    signals: Signals,
    v1: V1,
    v2: V2,
}

#[derive(Serialize)]
struct BadLine<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    line: u64,
    error: &'a str,
}

/// Scores the lines of `input` to `output`, one at a time, and reports differences to `report`.
/// Blank lines are skipped, but counted in line numbers.
///
/// # Errors
/// When one of the three cannot be read or written.
pub fn score(
    mut input: impl BufRead,
    mut output: impl Write,
    mut report: impl Write,
) -> io::Result<Summary> {
    let mut summary = Summary::default();
    let mut bytes = Vec::new();
    let mut answer = Vec::new();
    for line in 1.. {
        bytes.clear();
        if input.read_until(b'\n', &mut bytes)? == 0 {
            break;
        }
        let text = bytes.trim_ascii();
        if text.is_empty() {
            continue;
        }
        answer.clear();
        match Case::read(text) {
            Ok(case) => {
                let score = case.score();
                let differences = case.differences(&score);
                summary.mismatches += u64::from(!differences.is_empty());
                for difference in differences {
                    writeln!(report, "line {line} ({:?}): {difference}", case.name)?;
                }
                let Score { signals, v1, v2 } = score;
                write_json(&mut answer, &Scored { name: &case.name, signals, v1, v2 })?;
            }
            Err(error) => {
                summary.bad_lines += 1;
                let name = case::name(text);
                write_json(&mut answer, &BadLine { name, line, error: &error })?;
            }
        }
        answer.push(b'\n');
        output.write_all(&answer)?;
    }
    output.flush()?;
    Ok(summary)
}
