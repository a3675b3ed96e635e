//! How results and progress look: tables and finished steps on stdout; bars on stderr and only on a
//! terminal.

mod plot;
mod screen;

use std::io;
use std::time::{Duration, Instant};

use comfy_table::{CellAlignment, ContentArrangement, Table, TableComponent, presets};
use console::{Term, style};
use indicatif::{ProgressBar, ProgressStyle};

pub use command::say;
pub use plot::plot;
pub use screen::Screen;

/// Writes a heading after an empty line.
///
/// # Errors
/// When stdout cannot be written.
pub fn heading(text: &str) -> io::Result<()> {
    say(format!("\n{}", style(text).bold()))
}

/// Writes one line to stderr, over a spinner that may be there; the spinner goes on below it.
pub fn note(line: impl AsRef<str>) {
    let stderr = Term::stderr();
    // Errors are left alone: nobody reads it where stderr is closed.
    if stderr.is_term() {
        let _ = stderr.clear_line();
    }
    let _ = stderr.write_line(line.as_ref());
}

/// A table with a header; the columns whose numbers are in `right` are aligned to the right.
pub fn table(header: &[&str], right: &[usize]) -> Table {
    let mut table = Table::new();
    table
        .load_preset(presets::NOTHING)
        .set_style(TableComponent::HeaderLines, '─')
        .set_style(TableComponent::MiddleHeaderIntersections, '─')
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(header);
    for index in right {
        if let Some(column) = table.column_mut(*index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// How many columns stdout has: the terminal's, or else what `COLUMNS` says.
pub fn width() -> Option<usize> {
    let terminal = Term::stdout().size_checked().map(|(_, columns)| usize::from(columns));
    terminal.or_else(|| std::env::var("COLUMNS").ok()?.parse().ok()).filter(|&columns| columns > 0)
}

/// Breaks the lines of what is too long in `table`, so that it fits to stdout's width, where that has one.
pub fn fit(table: &mut Table) {
    if let Some(width) = width().and_then(|width| u16::try_from(width).ok()) {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
}

/// A bar for `total` steps of `what`; it shows itself only on a terminal.
pub fn progress(total: u64, what: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:<24} {bar:32} {human_pos}/{human_len} {eta:>4}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(total).with_style(style).with_message(what)
}

/// A spinner for work of unknown length; it shows itself only on a terminal.
pub fn spinner(what: impl Into<String>) -> ProgressBar {
    let spinner = ProgressBar::new_spinner().with_message(what.into());
    spinner.enable_steady_tick(Duration::from_millis(80));
    spinner
}

/// A step under way: a spinner that becomes a line with a tick mark and the time it took. One at a
/// time: two would draw over each other.
#[derive(Debug)]
pub struct Step {
    spinner: ProgressBar,
    started: Instant,
    told: bool,
}

impl Step {
    /// Begins a step; `what` is shown meanwhile. Unless it is to be `told`, nothing goes to stdout at
    /// its end, which is then kept for JSON.
    pub fn begin(what: impl Into<String>, told: bool) -> Self {
        Self { spinner: spinner(what), started: Instant::now(), told }
    }

    /// Ends it well.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn done(self, what: impl AsRef<str>) -> io::Result<()> {
        let took = self.started.elapsed();
        self.spinner.finish_and_clear();
        if !self.told {
            return Ok(());
        }
        let took = style(format!("{:.1} s", took.as_secs_f64())).dim();
        say(format!("{} {}  {took}", style("✓").green(), what.as_ref()))
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        self.spinner.finish_and_clear();
    }
}
