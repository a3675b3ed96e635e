//! Lambda's Runtime API, as far as a function needs it: hands out events, takes the answers. For tests
//! that run a function's real binary.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

/// What a function did with its events.
pub(crate) struct Run {
    /// Its log: one JSON object a line.
    pub(crate) lines: Vec<Value>,
    /// What it answered to each event: `response` or `error`, and the body.
    pub(crate) answers: Vec<(String, Value)>,
}

impl Run {
    /// The lines written while event `n` (from 1) was worked on.
    pub(crate) fn during(&self, n: usize) -> Vec<&Value> {
        let id = format!("request-{n}");
        let belongs = |line: &&Value| invocation(line).is_some_and(|span| span["requestId"] == id);
        self.lines.iter().filter(belongs).collect()
    }

    /// Each event has lines, and each of its lines says which request and queue it is about; nothing that
    /// was set as `hidden` is in any line or answer.
    #[allow(dead_code, reason = "not every test that plays the API looks at the log")]
    pub(crate) fn hold_log(&self, transport: &str, prefix: &str) {
        for n in 1..=self.answers.len() {
            let lines = self.during(n);
            assert!(!lines.is_empty(), "{:?}", self.lines);
            for line in lines {
                let span = invocation(line).unwrap();
                assert_eq!(span["coldStart"], n == 1, "{line}");
                assert_eq!(
                    (&span["transport"], &span["prefix"]),
                    (&transport.into(), &prefix.into())
                );
                assert!(span["xrayTraceId"].is_string() && line["timestamp"].is_string(), "{line}");
            }
        }
        let text = format!("{:?} {:?}", self.lines, self.answers);
        assert!(!text.contains("hidden"), "{text}");
    }
}

/// The invocation's span of a line.
pub(crate) fn invocation(line: &Value) -> Option<&Value> {
    line["spans"].as_array()?.iter().find(|span| span["name"] == "invocation")
}

/// Two ticks of the binary `program` where no server is: both fail, and are logged as [`Run::hold_log`] wants it.
#[allow(dead_code, reason = "not every function is scheduled")]
pub(crate) fn tick_in_vain(program: &str, level: &str) -> Run {
    let event = json!({ "version": "0", "detail-type": "Scheduled Event", "detail": {} });
    // Nothing listens there.
    let settings = [
        ("REDIS_URL", "redis://default:hidden@127.0.0.1:1"),
        ("DATABASE_URL", "postgres://u:hidden@127.0.0.1:1/x"),
        ("REDIS_PREFIX", "engineo_test"),
        ("AWS_LAMBDA_LOG_LEVEL", level),
    ];
    let run = run(program, &settings, &[event.clone(), event]);
    assert!(run.answers.iter().all(|(kind, _)| kind == "error"), "{:?}", run.answers);
    run.hold_log("tcp", "engineo_test");
    run
}

/// Runs the binary `program`, with these settings and no others, on `events`.
pub(crate) fn run(program: &str, settings: &[(&str, &str)], events: &[Value]) -> Run {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (tell, answered) = channel();
    let queue = events.to_vec();
    std::thread::spawn(move || serve(&listener, queue, &tell));

    let mut command = Command::new(program);
    command.env_clear().envs([
        ("AWS_LAMBDA_RUNTIME_API", address.as_str()),
        ("AWS_LAMBDA_FUNCTION_NAME", "test"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "test"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "test"),
    ]);
    let mut process =
        command.envs(settings.iter().copied()).stdout(Stdio::piped()).spawn().unwrap();
    let answers = events.iter().map(|_| next(&answered)).collect();
    // It asks for another event only when the one before is done with.
    next(&answered);
    process.kill().unwrap();
    let mut log = String::new();
    process.stdout.take().unwrap().read_to_string(&mut log).unwrap();
    process.wait().unwrap();
    let parse =
        |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
    Run { lines: log.lines().map(parse).collect(), answers }
}

fn next(answered: &Receiver<(String, Value)>) -> (String, Value) {
    answered.recv_timeout(Duration::from_secs(60)).expect("an answer")
}

#[allow(
    clippy::disallowed_methods,
    reason = "the runtime API names a moment of the machine's clock"
)]
fn serve(listener: &TcpListener, events: Vec<Value>, tell: &Sender<(String, Value)>) {
    let mut events = events.into_iter().enumerate();
    let mut held = Vec::new();
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let (path, body) = read(&stream);
        if !path.ends_with("/next") {
            let kind = path.rsplit('/').next().unwrap_or_default().to_owned();
            respond(&mut stream, "202 Accepted", "", "");
            tell.send((kind, serde_json::from_slice(&body).unwrap_or_default())).unwrap();
        } else if let Some((n, event)) = events.next() {
            let deadline = SystemTime::now() + Duration::from_secs(5);
            let deadline = deadline.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
            let headers = format!(
                "lambda-runtime-aws-request-id: request-{}\r\nlambda-runtime-deadline-ms: {deadline}\r\n\
                 lambda-runtime-invoked-function-arn: arn:aws:lambda:eu-central-1:1:function:test\r\n\
                 lambda-runtime-trace-id: Root=1-5e66d96f-7491f09b5e66d96f18acf3d0\r\n",
                n + 1
            );
            respond(&mut stream, "200 OK", &headers, &event.to_string());
        } else {
            // Nothing more to do: the function waits.
            held.push(stream);
            if tell.send(("idle".to_owned(), Value::Null)).is_err() {
                return;
            }
        }
    }
}

/// A request's path and body.
fn read(stream: &TcpStream) -> (String, Vec<u8>) {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first).unwrap();
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut length = None;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim_end().to_ascii_lowercase();
        match line.split_once(": ") {
            Some(("content-length", value)) => length = Some(value.parse().unwrap()),
            None => break,
            _ => {}
        }
    }
    let is_get = first.starts_with("GET ");
    (path, if is_get { Vec::new() } else { body(&mut reader, length) })
}

/// A body of this length, or in chunks.
fn body(reader: &mut BufReader<&TcpStream>, length: Option<usize>) -> Vec<u8> {
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).unwrap();
    while length.is_none() {
        let mut size = String::new();
        reader.read_line(&mut size).unwrap();
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        let mut chunk = vec![0; size + 2];
        reader.read_exact(&mut chunk).unwrap();
        if size == 0 {
            break;
        }
        body.extend(&chunk[..size]);
    }
    body
}

fn respond(stream: &mut TcpStream, status: &str, headers: &str, body: &str) {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n"
    );
    // A function that was killed no longer reads.
    let _ = stream.write_all(format!("{head}{body}").as_bytes());
}
