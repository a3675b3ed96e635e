//! Carries requests to a Redis on a clock that is paused: they wait by that clock, and while one is answered the
//! clock stands.
//!
//! A paused clock jumps to the next timer whenever nothing else is to be done, and waiting for a socket is
//! nothing. Here Redis is asked without letting go of the thread, so that the clock cannot jump meanwhile; what
//! the two ends of a connection of this process send each other is there at once.

use std::io::{Read as _, Write as _};
use std::net::TcpStream as Blocking;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

/// How far away Redis is: asked before each answer.
pub(super) type Latency = Box<dyn FnMut() -> Duration + Send>;

/// Returns the URL of the Redis at `url` (`redis://host:port`) as it is from afar. One connection at a time
/// shares `latency`.
pub(super) async fn from_afar(
    url: String,
    latency: impl Fn() -> Latency + Send + 'static,
) -> String {
    let target = url.trim_start_matches("redis://").trim_end_matches('/').to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = format!("redis://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let redis = Blocking::connect(&target).unwrap();
            redis.set_nodelay(true).unwrap();
            tokio::spawn(carry(client, redis, latency()));
        }
    });
    near
}

async fn carry(mut client: TcpStream, mut redis: Blocking, mut latency: Latency) {
    client.set_nodelay(true).unwrap();
    let (mut asked, mut piece) = (Vec::new(), vec![0; 1 << 16]);
    loop {
        match client.read(&mut piece).await {
            Ok(read) if read > 0 => asked.extend_from_slice(&piece[..read]),
            _ => return,
        }
        let mut answers = Vec::new();
        // All that came together goes together.
        while let Some(end) = end(&asked) {
            redis.write_all(&asked[..end]).unwrap();
            asked.drain(..end);
            let from = answers.len();
            while self::end(&answers[from..]).is_none() {
                let read = redis.read(&mut piece).unwrap();
                assert!(read > 0, "Redis hung up");
                answers.extend_from_slice(&piece[..read]);
            }
        }
        if answers.is_empty() {
            continue;
        }
        sleep(latency()).await;
        if client.write_all(&answers).await.is_err() {
            return;
        }
    }
}

/// Where the first value of the Redis protocol ends, if all of it is there.
fn end(bytes: &[u8]) -> Option<usize> {
    let (mut at, mut missing) = (0, 1_i64);
    while missing > 0 {
        missing -= 1;
        let line = bytes.get(at..)?.windows(2).position(|two| two == b"\r\n")?;
        let head = &bytes[at..at + line];
        at += line + 2;
        let length = || std::str::from_utf8(&head[1..]).unwrap().parse::<i64>().unwrap();
        match head.first()? {
            // The null value has a length of -1.
            b'$' if length() >= 0 => at += length() as usize + 2,
            b'*' => missing += length().max(0),
            _ => {}
        }
    }
    (at <= bytes.len()).then_some(at)
}

#[test]
fn a_value_ends_where_the_protocol_says() {
    for (bytes, ends) in [
        ("", None),
        ("+OK\r", None),
        ("+OK\r\n", Some(5)),
        ("$9\r\nab\r\n+", None),
        ("$4\r\nab\r\n\r\n+", Some(10)),
        ("$-1\r\n:1\r\n", Some(5)),
        ("*2\r\n:1\r\n*-1\r\n", Some(13)),
        ("*2\r\n:1\r\n", None),
        ("*2\r\n$4\r\nab", None),
        ("*0\r\n", Some(4)),
    ] {
        assert_eq!(end(bytes.as_bytes()), ends, "{bytes:?}");
    }
}
