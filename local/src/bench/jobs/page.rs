//! The figures as a page with plots, which needs nothing beside itself.

use std::fmt::{self, Write as _};

use super::figures::{COLUMNS, Line, Report, Sample, capital, cells, figure};
use super::plan::Workload;
use super::subject::Subject;

const STYLE: &str = "\
body{font:15px/1.5 system-ui,sans-serif;max-width:62em;margin:2em auto;padding:0 1em;color:#1b1f24}\
table{border-collapse:collapse;margin:1em 0;width:100%}\
td,th{padding:.2em .6em;border-bottom:1px solid #d8dee4;\
text-align:right;font-variant-numeric:tabular-nums}td:first-child,th:first-child{text-align:left}\
svg{width:100%;height:auto}text{font:13px system-ui,sans-serif;fill:currentColor}\
.ours{fill:#1f6feb}.floor{fill:#8c959f}.rival{fill:#d4a72c}.missed{color:#cf222e}\
.line{fill:none;stroke:#1f6feb;stroke-width:2}\
@media(prefers-color-scheme:dark){body{background:#0d1117;color:#e6edf3}td,th{border-color:#30363d}}";

/// The page.
///
/// # Errors
/// None: writing to a string does not fail.
pub(crate) fn of(report: &Report) -> Result<String, fmt::Error> {
    let mut page = String::new();
    let build = if report.release { "release" } else { "debug" };
    write!(
        page,
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>deo bench jobs</title><style>{STYLE}</style><h1>deo bench jobs</h1>\
         <p>Medians; a {build} build on {} processors, with all servers on the same machine.</p>",
        report.processors
    )?;
    if !report.bars.is_empty() {
        page.push_str("<h2>Bars</h2><table><tr><th><th>measured<th>bar<th></tr>");
        for bar in &report.bars {
            let sign = if bar.at_most { "≤" } else { "≥" };
            let (class, kept) = if bar.kept { ("kept", "kept") } else { ("missed", "missed") };
            write!(
                page,
                "<tr class={class}><td>{}<td>{}<td>{sign} {}<td>{kept}</tr>",
                escaped(&bar.what),
                figure(bar.measured),
                figure(bar.bar)
            )?;
        }
        page.push_str("</table>");
    }
    for (title, lines) in report.groups() {
        write!(page, "<h2>{}</h2>", escaped(&capital(title)))?;
        rates(&mut page, lines)?;
        rows(&mut page, lines)?;
    }
    let backlog: Vec<&Line> =
        report.lines.iter().filter(|line| line.workload == Workload::Backlog).collect();
    if backlog.len() > 1 {
        page.push_str("<h2>Jobs that wait behind</h2>");
        plot(&mut page, "µs of our CPU a job", &backlog, |it| it.cpu_ms * 1_000.0)?;
        plot(&mut page, "µs a job", &backlog, |it| 1e6 / it.per_second)?;
        plot(&mut page, "MB of memory", &backlog, |it| it.peak_mb.unwrap_or_default())?;
    }
    for reason in &report.left_out {
        write!(page, "<p>Left out: {}.</p>", escaped(reason))?;
    }
    page.push_str("</html>\n");
    Ok(page)
}

/// A bar a subject: jobs a second.
fn rates(page: &mut String, lines: &[Line]) -> fmt::Result {
    let most = lines.iter().map(|line| line.median().per_second).fold(f64::MIN_POSITIVE, f64::max);
    let height = 26 * lines.len();
    write!(page, "<svg viewBox=\"0 0 900 {height}\" role=img aria-label=\"jobs a second\">")?;
    for (place, line) in lines.iter().enumerate() {
        let (rate, top) = (line.median().per_second, 26 * place);
        let width = 580.0 * rate / most;
        let class = match line.subject {
            Subject::OursTcp | Subject::OursRest => "ours",
            Subject::FloorRedis | Subject::FloorPostgres => "floor",
            _ => "rival",
        };
        write!(
            page,
            "<text x=0 y={}>{}</text><rect class={class} x=210 y={} width={width:.1} height=18 />\
             <text x={:.1} y={}>{} jobs/s</text>",
            top + 18,
            escaped(line.subject.title()),
            top + 4,
            216.0 + width,
            top + 18,
            figure(rate)
        )?;
    }
    page.push_str("</svg>");
    Ok(())
}

fn rows(page: &mut String, lines: &[Line]) -> fmt::Result {
    write!(page, "<table><tr><th>{}</tr>", COLUMNS.join("<th>"))?;
    for line in lines {
        write!(page, "<tr><td>{}</tr>", cells(line).map(|cell| escaped(&cell)).join("<td>"))?;
    }
    page.push_str("</table>");
    Ok(())
}

/// A figure over the number of waiting jobs, which grows tenfold from point to point.
fn plot(page: &mut String, what: &str, lines: &[&Line], of: fn(Sample) -> f64) -> fmt::Result {
    let figures: Vec<f64> = lines.iter().map(|line| of(line.median())).collect();
    let most = figures.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let step = 640.0 / (figures.len() - 1) as f64;
    let x = |place: usize| 120.0 + step * place as f64;
    let y = |figure: f64| 150.0 - 110.0 * figure / most;
    write!(
        page,
        "<svg viewBox=\"0 0 900 190\" role=img aria-label=\"{what}\"><text x=0 y=16>{what}</text>"
    )?;
    page.push_str("<polyline class=line points=\"");
    for (place, figure) in figures.iter().enumerate() {
        write!(page, "{:.1},{:.1} ", x(place), y(*figure))?;
    }
    page.push_str("\"/>");
    for (place, (line, it)) in lines.iter().zip(&figures).enumerate() {
        let (x, y) = (x(place), y(*it));
        write!(
            page,
            "<circle class=ours cx={x:.1} cy={y:.1} r=4 /><text x={x:.1} y={:.1} text-anchor=middle>{}</text>\
             <text x={x:.1} y=180 text-anchor=middle>{}</text>",
            y - 10.0,
            figure(*it),
            line.waiting
        )?;
    }
    page.push_str("</svg>");
    Ok(())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
