//! Draws a line over time with the dots of Braille: two in a column, four in a row.

/// Columns that the scale takes.
const SCALE: usize = 6;

/// The dots of a cell, by row and column.
const DOTS: [[u32; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

/// Draws `points` (times, the earliest first, and whole numbers) in `width` columns and `height` lines,
/// with a scale at the left. Returns no line for no point.
pub fn plot(points: &[(i64, i32)], width: usize, height: usize) -> Vec<String> {
    let (Some(&(first, _)), Some(&(last, _))) = (points.first(), points.last()) else {
        return Vec::new();
    };
    let columns = width.saturating_sub(SCALE).max(1);
    let (across, up) = (2 * columns - 1, 4 * height.max(1) - 1);
    let lowest = points.iter().map(|it| it.1).min().unwrap_or_default();
    let highest = points.iter().map(|it| it.1).max().unwrap_or_default();
    // A score that hardly moves is not drawn as one that goes up and down.
    let (bottom, top) = ((lowest / 10) * 10, (highest / 10 + 1) * 10);
    let place = |&(at, value): &(i64, i32)| {
        let x = if last > first { (at - first) as f64 / (last - first) as f64 } else { 0.0 };
        let y = f64::from(value - bottom) / f64::from(top - bottom);
        ((x * across as f64).round() as usize, up - (y * up as f64).round() as usize)
    };
    let mut cells = vec![vec![0_u32; columns]; height.max(1)];
    let mut dot = |x: usize, y: usize| cells[y / 4][x / 2] |= DOTS[y % 4][x % 2];
    let mut from = place(&points[0]);
    for point in points {
        let to = place(point);
        let steps = from.0.abs_diff(to.0).max(from.1.abs_diff(to.1)).max(1);
        for step in 0..=steps {
            let along = |from: usize, to: usize| {
                let way = (to as f64 - from as f64) * step as f64 / steps as f64;
                (from as f64 + way).round() as usize
            };
            dot(along(from.0, to.0), along(from.1, to.1));
        }
        from = to;
    }
    let label = |row: usize| match row {
        0 => format!("{top:>4} ┤"),
        row if row + 1 == height => format!("{bottom:>4} ┤"),
        _ => "     │".to_owned(),
    };
    let line = |(row, cells): (usize, Vec<u32>)| {
        let dots = cells.into_iter().filter_map(|dots| char::from_u32(0x2800 + dots));
        let line: String = dots.collect();
        format!("{}{}", label(row), line.trim_end_matches('\u{2800}'))
    };
    cells.into_iter().enumerate().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::plot;

    #[test]
    fn a_line_goes_from_corner_to_corner() {
        let lines = plot(&[(0, 0), (100, 9)], 12, 3);
        assert_eq!(lines, ["  10 ┤⠀⠀⠀⠀⢀⠔", "     │⠀⠀⡠⠔⠁", "   0 ┤⡠⠊"]);
    }

    #[test]
    fn every_line_is_as_wide_as_asked_at_most_and_a_peak_is_seen() {
        let mut points: Vec<(i64, i32)> = (0..400).map(|at| (at * 1_000, 50)).collect();
        points[200].1 = 99;
        for width in [8, 20, 80, 300] {
            let lines = plot(&points, width, 10);
            assert_eq!(lines.len(), 10);
            assert!(lines.iter().all(|line| line.chars().count() <= width), "{width}");
            assert!(lines[0].chars().count() > 6, "{width}: the peak is lost");
        }
    }

    #[test]
    fn one_point_or_none_is_no_trouble() {
        assert!(plot(&[], 80, 10).is_empty());
        assert_eq!(plot(&[(7, 100)], 80, 2), [" 110 ┤", " 100 ┤⡀"]);
        assert_eq!(plot(&[(7, i32::MAX / 2), (7, -5)], 0, 0).len(), 1);
    }
}
