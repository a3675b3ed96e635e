//! Takes any bytes for lines of `deo score`: each line that is not blank has one line of answer, a score is a score,
//! and a bad line changes nothing for the others.

use local::cli::score::score;
use serde_json::{Map, Value};

use crate::expand::expand;

/// A line that is a case, and has an issue, a number and a text of each kind.
const MATE: &str = r#"{"name":"mate","now":"2026-01-31T12:00:00.000Z","crawlResults":[{"url":"https://ex.com/","statusCode":200,"title":"t","metaDescription":null,"h1":"h","wordCount":800,"issues":["THIN_CONTENT"],"scannedAt":"2026-01-30T12:00:00.000Z"}],"products":[{"title":"p","description":"one two","seoTitle":null,"seoDescription":null,"lastSyncedAt":"2026-01-30T12:00:00Z"}]}"#;

/// Scores the lines of `input`.
pub fn score_lines(input: &[u8]) {
    let input = expand(input);
    let answers = scored(&input);
    // Counted as the command reads them.
    let lines = (1_u64..).zip(input.split(|byte| *byte == b'\n'));
    let lines: Vec<_> = lines.filter(|(_, line)| !line.trim_ascii().is_empty()).collect();
    assert_eq!(answers.len(), lines.len(), "one answer a line");
    for ((number, line), answer) in lines.iter().zip(&answers) {
        let answer = answer.as_object().expect("an answer is an object");
        if let Some(error) = answer.get("error") {
            assert_eq!(answer["line"], *number);
            assert!(error.as_str().is_some_and(|text| !text.is_empty()), "{error}");
        } else {
            check(answer);
            same_again(line, answer);
        }
    }
    // Whatever stands before it, and whatever comes behind.
    let with_mate = [MATE.as_bytes(), b"\n", &input, b"\n", MATE.as_bytes()].concat();
    let with_mate = scored(&with_mate);
    let alone = scored(MATE.as_bytes());
    assert_eq!(with_mate.first(), alone.first());
    assert_eq!(with_mate.last(), alone.first());
    assert_eq!(with_mate.len(), answers.len() + 2);
}

/// The answers to `input`.
fn scored(input: &[u8]) -> Vec<Value> {
    let (mut output, mut report) = (Vec::new(), Vec::new());
    let summary = score(input, &mut output, &mut report).expect("nothing to go wrong in memory");
    let answers = output.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let answers: Vec<Value> =
        answers.map(|line| serde_json::from_slice(line).expect("answers are JSON")).collect();
    let bad = answers.iter().filter(|answer| answer.get("error").is_some()).count();
    assert_eq!(summary.bad_lines, bad as u64);
    assert_eq!(summary.mismatches == 0, report.is_empty());
    answers
}

/// Signals are parts of a whole, scores are points.
fn check(answer: &Map<String, Value>) {
    let signals = answer["signals"].as_object().expect("signals");
    assert_eq!(signals.len(), 17);
    for (name, value) in signals {
        let value = value.as_f64().expect("a number");
        assert!((0.0..=1.0).contains(&value), "{name} is {value}");
    }
    for model in ["v1", "v2"] {
        for (name, points) in answer[model].as_object().expect("a model") {
            let points = points.as_f64().expect("a number");
            assert!((0.0..=100.0).contains(&points), "{model}.{name} is {points}");
        }
    }
}

/// The same rows, which expect what came out: nothing differs.
fn same_again(line: &[u8], answer: &Map<String, Value>) {
    // What serde_json does not hold (a number beyond all, half a surrogate pair) the command may.
    let Ok(Value::Object(mut case)) = serde_json::from_slice(line) else { return };
    let expected = ["signals", "v1", "v2"].map(|part| (part.to_owned(), answer[part].clone()));
    case.insert("expected".to_owned(), Value::Object(expected.into_iter().collect()));
    let line = Value::Object(case).to_string();
    let (mut output, mut report) = (Vec::new(), Vec::new());
    let summary = score(line.as_bytes(), &mut output, &mut report).expect("nothing to go wrong");
    assert_eq!(
        (summary.bad_lines, summary.mismatches),
        (0, 0),
        "{}",
        String::from_utf8_lossy(&report)
    );
}
