//! Numbers as people write them.

/// A number with commas between its thousands, and decimals only where it is small.
pub(crate) fn number(value: f64) -> String {
    let decimals = match value.abs() {
        v if v >= 100.0 || v.fract() == 0.0 => 0,
        v if v >= 1.0 => 1,
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        let left = whole.len() - index;
        if index > 0 && left % 3 == 0 && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if fraction.is_empty() { grouped } else { format!("{grouped}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_are_told_as_people_write_them() {
        let told = [0.0, 0.028, 4.2, 26.0, 999.9, 1_440.0, 4_752_000.0, -1_234.0].map(number);
        assert_eq!(told, ["0", "0.028", "4.2", "26", "1,000", "1,440", "4,752,000", "-1,234"]);
    }
}
