//! What the demo shows.

use std::io;

use serde::Serialize;
use shared::engine::Report;

use super::client::Scores;
use super::round::Round;
use crate::cli::report;
use crate::terminal::{heading, say, table};

/// Every project with its scores, the best one first.
pub(super) fn scores(round: &Round) -> io::Result<()> {
    let header = ["project", "overall", "content", "entities", "technical", "visibility"];
    let mut table = table(&header, &[1, 2, 3, 4, 5]);
    let mut scores: Vec<_> = round.scores.iter().collect();
    scores.sort_by(|(_, a), (_, b)| b.overall.total_cmp(&a.overall));
    for (project, s) in scores {
        let cells = [s.overall, s.content, s.entities, s.technical, s.visibility];
        table.add_row(
            std::iter::once(project.clone()).chain(cells.iter().map(|score| score.to_string())),
        );
    }
    say(format!("\n{table}"))
}

/// The drain's reports side by side, and what the ticks cost.
pub(super) fn reports(rounds: &[Round]) -> io::Result<()> {
    heading("The drain's reports")?;
    let titles: Vec<String> = rounds.iter().map(|round| format!("over {}", round.title)).collect();
    let columns: Vec<(&str, &Report)> =
        titles.iter().map(String::as_str).zip(rounds.iter().map(|round| &round.report)).collect();
    say(format!("{}\n", report::table(&columns)))?;
    for round in rounds {
        let Report { billed_commands, completed, .. } = round.report;
        #[expect(clippy::cast_precision_loss, reason = "a demo's counts are far below 2^53")]
        let each = billed_commands as f64 / completed.max(1) as f64;
        say(format!(
            "The tick over {} cost {billed_commands} billed commands: {each:.2} a job.",
            round.title
        ))?;
    }
    Ok(())
}

/// The same as one line of JSON.
pub(super) fn json(rounds: &[Round]) -> io::Result<()> {
    #[derive(Serialize)]
    struct Line<'a> {
        transport: String,
        report: &'a Report,
        projects: Vec<Project<'a>>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Project<'a> {
        project_id: &'a str,
        #[serde(flatten)]
        scores: &'a Scores,
    }
    let lines: Vec<Line<'_>> = rounds
        .iter()
        .map(|round| Line {
            transport: round.title.to_lowercase(),
            report: &round.report,
            projects: round
                .scores
                .iter()
                .map(|(project_id, scores)| Project { project_id, scores })
                .collect(),
        })
        .collect();
    say(serde_json::to_string(&lines)?)
}
