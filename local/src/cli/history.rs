//! `deo history`: a project's scores over time, drawn in the terminal.

use std::process::ExitCode;

use serde_json::json;
use shared::clock::{from_iso8601, to_iso8601};
use shared::config::{Config, ProcessEnv};
use shared::store::{MOST_POINTS, Series, Store};

use crate::terminal;
use crate::{Failure, Outcome};

/// Lines of the plot.
const HEIGHT: usize = 12;

/// Columns of the plot, where stdout is no terminal and `COLUMNS` is not set.
const WIDTH: usize = 80;

/// Draw a project's scores over time
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The project.
    project: String,

    /// From this time on, such as 2026-01-31 or 2026-01-31T12:00:00Z (UTC).
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<i64>,

    /// Before this time.
    #[arg(long, value_name = "TIME", value_parser = time)]
    to: Option<i64>,

    /// Print the points as one line of JSON.
    #[arg(long)]
    json: bool,
}

fn time(text: &str) -> Result<i64, String> {
    from_iso8601(text)
        .ok_or_else(|| "write a time such as 2026-01-31 or 2026-01-31T12:00:00Z".to_owned())
}

/// The database that the settings name.
pub(super) fn store(config: &Config) -> Result<Store, Failure> {
    let url = config.database_url.as_ref().ok_or(drain::StartError::NoDatabase)?;
    Ok(Store::new(url)?)
}

/// A project that nobody has is a mistake in its name.
pub(super) async fn known(store: &Store, project: &str) -> Result<(), Failure> {
    match store.current_score(project).await? {
        Some(_) => Ok(()),
        None => Err(format!("there is no project {project}").into()),
    }
}

pub(super) async fn run(args: Args) -> Outcome {
    let store = store(&Config::from_env(&ProcessEnv)?)?;
    known(&store, &args.project).await?;
    let series = store.series(&args.project, (args.from, args.to), MOST_POINTS).await?;
    let text = if args.json {
        let point =
            |at: i64, overall: i32| json!({"computedAt": to_iso8601(at), "overall": overall});
        let points: Vec<_> =
            series.points.iter().map(|it| point(it.computed_at_ms, it.overall)).collect();
        json!({"projectId": args.project, "snapshots": series.snapshots, "points": points})
            .to_string()
    } else {
        page(&series, terminal::width().unwrap_or(WIDTH))
    };
    terminal::say(text)?;
    Ok(ExitCode::SUCCESS)
}

/// The plot, the days of its ends below it, and what it says in a sentence.
fn page(series: &Series, width: usize) -> String {
    let (Some(first), Some(last)) = (series.points.first(), series.points.last()) else {
        return "No score was computed in this time.".to_owned();
    };
    let points: Vec<_> = series.points.iter().map(|it| (it.computed_at_ms, it.overall)).collect();
    let mut lines = terminal::plot(&points, width, HEIGHT);
    let minute = |at: i64| to_iso8601(at)[..16].replace('T', " ");
    let (from, to) = (minute(first.computed_at_ms), minute(last.computed_at_ms));
    let gap = width.saturating_sub(6 + from.len() + to.len()).max(1);
    lines.push(format!("      {from}{}{to}", " ".repeat(gap)));
    let lowest = series.points.iter().map(|it| it.overall).min().unwrap_or_default();
    let highest = series.points.iter().map(|it| it.overall).max().unwrap_or_default();
    let plural = if series.snapshots == 1 { "" } else { "s" };
    lines.push(format!(
        "{} at the end, {} at the beginning; lowest {lowest}, highest {highest}; {} snapshot{plural}",
        last.overall, first.overall, series.snapshots
    ));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use shared::store::Point;

    use super::*;

    #[test]
    fn a_page_ends_with_what_the_plot_says() {
        let mut series = Series::default();
        assert_eq!(page(&series, 80), "No score was computed in this time.");
        series.snapshots = 2;
        series.points = [(0, 40), (86_400_000, 61)]
            .map(|(computed_at_ms, overall)| Point { computed_at_ms, overall })
            .to_vec();
        let page = page(&series, 60);
        let lines: Vec<&str> = page.lines().collect();
        assert_eq!(lines.len(), HEIGHT + 2);
        assert_eq!(lines[HEIGHT], "      1970-01-01 00:00                      1970-01-02 00:00");
        assert_eq!(
            lines[HEIGHT + 1],
            "61 at the end, 40 at the beginning; lowest 40, highest 61; 2 snapshots"
        );
    }
}
