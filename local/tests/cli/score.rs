//! `deo score`, run as a process.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const GOLDEN: &str = include_str!("../../../shared/tests/golden/public.jsonl");
const EMPTY: &str = r#""now":"2026-01-31T12:00:00.000Z","crawlResults":[],"products":[]"#;

fn deo_score() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_deo"));
    command.arg("score").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn score(input: impl Into<Vec<u8>>) -> Output {
    let mut process = deo_score().spawn().unwrap();
    let mut stdin = process.stdin.take().unwrap();
    let input = input.into();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = process.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    output
}

fn lines(output: &Output) -> Vec<Value> {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn golden_cases_come_out_as_the_platform_writes_them() {
    let output = score(GOLDEN);
    assert!(output.status.success());
    assert!(output.stderr.is_empty());
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 241);
    for (line, case) in text.lines().zip(GOLDEN.lines()) {
        // `{"name":"…",<rows>,"expected":{<numbers>}}` becomes `{"name":"…",<numbers>}`.
        let (name, _) = case.split_once(",\"now\":").unwrap();
        let (_, expected) = case.rsplit_once(",\"expected\":{").unwrap();
        assert_eq!(line, format!("{name},{}", expected.strip_suffix('}').unwrap()));
    }
}

#[test]
fn a_bad_line_is_named_and_the_rest_goes_on() {
    let mut input = format!("{{\"name\":\"first\",{EMPTY}}}\n\n  \r\n").into_bytes();
    input.extend(b"{\"name\":\"cut off\",\"now\":\"2026-01-31T12\n");
    input.extend(b"{\"name\":\"\xFF\"}\n");
    input.extend(b"[]\n{\"now\":1}\n");
    input.extend(br#"{"name":"row","now":"2026-01-31T12:00:00Z","products":[],"crawlResults":[{"url":"","statusCode":"200"}]}"#);
    input.extend(format!("\n{{{EMPTY},\"name\":\"last, without a line feed\"}}").into_bytes());
    let output = score(input);
    assert_eq!(output.status.code(), Some(1));
    let lines = lines(&output);
    let summary: Vec<_> = lines
        .iter()
        .map(|line| (line["name"].as_str(), line["line"].as_u64(), line["error"].as_str()))
        .collect();
    assert_eq!(
        summary,
        [
            (Some("first"), None, None),
            (Some("cut off"), Some(4), Some("EOF while parsing a string at column 38")),
            (Some("\u{FFFD}"), Some(5), Some("not UTF-8 from byte 10 on")),
            (None, Some(6), Some("not a JSON object")),
            (
                None,
                Some(7),
                Some(
                    "now: invalid type: integer `1`, expected a time such as \
                     \"2026-01-31T12:00:00.000Z\""
                )
            ),
            (
                Some("row"),
                Some(8),
                Some(
                    "crawlResults[0].statusCode: invalid type: string \"200\", expected a whole \
                     number of at most 64 bits"
                )
            ),
            (Some("last, without a line feed"), None, None),
        ]
    );
}

#[test]
fn what_differs_from_the_expected_is_named() {
    let output = score(format!(
        r#"{{"name":"other",{EMPTY},"expected":{{"v1":{{"overall":9,"content":1}},"signals":{{"contentDepth":1e-13,"crawlHealth":1e-11}}}}}}"#
    ));
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(lines(&output)[0]["v1"]["content"], 0);
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "line 1 (\"other\"): signals.crawlHealth is 0.0, expected 1e-11\n\
         line 1 (\"other\"): v1.content is 0, expected 1\n"
    );
}

#[test]
fn reads_json_as_javascript_does() {
    let row = |members: &str| {
        format!(r#"{{"title":"t","lastSyncedAt":"2026-01-31T12:00:00.000Z",{members}}}"#)
    };
    let page = |members: &str| {
        format!(r#"{{"url":"/about","scannedAt":"2026-01-31T12:00:00.000Z",{members}}}"#)
    };
    let case = |pages: &str, products: &str| {
        format!(
            r#"{{"name":"c","now":"2026-01-31T12:00:00.000Z","crawlResults":[{pages}],"products":[{products}]}}"#
        )
    };
    let signal = |line: String, name: &str| {
        let output = score(line);
        assert!(output.status.success(), "{output:?}");
        lines(&output)[0]["signals"][name].as_f64().unwrap()
    };
    // Half an emoji is a word.
    let halved = case("", &row(r#""description":"a \ud83d b""#));
    assert_eq!(signal(halved, "contentDepth"), 3.0 / 600.0);
    // Of two equal keys the last one counts.
    let twice = case("", &row(r#""description":"a b c","description":"a""#));
    assert_eq!(signal(twice, "contentDepth"), 1.0 / 600.0);
    // A whole number may be written with a point or an exponent.
    let points = case(&page(r#""statusCode":200.0,"wordCount":4e2"#), "");
    assert_eq!(signal(points, "contentDepth"), 0.5);
    // Depth is no limit where the value does not count.
    let nested = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let deep = case(&page(&format!(r#""statusCode":200,"issues":[{nested},"HTTP_ERROR"]"#)), "");
    assert_eq!(signal(deep, "crawlHealth"), 0.0);
}

#[test]
fn internal_links_count_where_a_page_has_a_number_of_them() {
    let density = |counts: &[&str]| {
        let page = |count: &&str| {
            format!(
                r#"{{"url":"/x","statusCode":200,"wordCount":600,"scannedAt":"2026-01-31T12:00:00.000Z"{count}}}"#
            )
        };
        let pages: Vec<String> = counts.iter().map(page).collect();
        let output = score(format!(
            r#"{{"name":"c","now":"2026-01-31T12:00:00.000Z","products":[],"crawlResults":[{}]}}"#,
            pages.join(",")
        ));
        assert!(output.status.success(), "{output:?}");
        lines(&output)[0]["signals"]["entityLinkageDensity"].as_f64().unwrap()
    };
    let count = |count: &str| format!(r#","internalLinkCount":{count}"#);
    let one = |value: &str| density(&[&count(value)]);
    assert_eq!(density(&[&count("5"), "", &count("null")]), 5.0 / 3.0 / 20.0);
    assert_eq!(density(&[&count("-5"), &count("2.5e0")]), 2.5 / 2.0 / 20.0);
    assert_eq!((one("0"), one("-0.0"), one("21")), (0.0, 0.0, 1.0));
    let by_words = 600.0 / 1_200.0;
    for other in ["null", "-1", "\"5\"", "true", "[5]", r#"{"a":5}"#] {
        assert_eq!(one(other), by_words, "{other}");
    }
    assert_eq!(density(&[""]), by_words);
}

#[test]
fn answers_each_line_at_once() {
    let mut process = deo_score().spawn().unwrap();
    let mut stdin = process.stdin.take().unwrap();
    let mut stdout = BufReader::new(process.stdout.take().unwrap());
    for name in ["a", "b"] {
        writeln!(stdin, r#"{{"name":"{name}",{EMPTY}}}"#).unwrap();
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        assert!(line.starts_with(&format!(r#"{{"name":"{name}","signals""#)));
    }
    drop(stdin);
    assert!(process.wait().unwrap().success());
}
