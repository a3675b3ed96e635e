//! The Redis protocol, as much of it as stands between a client and a server.

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;

pub(crate) type Reader = BufReader<OwnedReadHalf>;

/// Both halves of a connection.
pub(crate) fn split(stream: TcpStream) -> (Reader, tokio::net::tcp::OwnedWriteHalf) {
    stream.set_nodelay(true).unwrap();
    let (read, write) = stream.into_split();
    (BufReader::with_capacity(1 << 16, read), write)
}

/// The words of the next command, or `None` at the end of the connection.
pub(crate) async fn command(from: &mut Reader) -> Option<Vec<Vec<u8>>> {
    let count = length(&line(from).await?, b'*')?;
    let mut words = Vec::with_capacity(count);
    for _ in 0..count {
        let mut word = vec![0; length(&line(from).await?, b'$')? + 2];
        from.read_exact(&mut word).await.ok()?;
        word.truncate(word.len() - 2);
        words.push(word);
    }
    Some(words)
}

/// The bytes of the next reply, or `None` at the end of the connection.
pub(crate) async fn reply(from: &mut Reader) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut missing = 1;
    while missing > 0 {
        missing -= 1;
        let head = line(from).await?;
        match head.first()? {
            b'$' => {
                if let Some(length) = length(&head, b'$') {
                    out.extend_from_slice(&head);
                    let start = out.len();
                    out.resize(start + length + 2, 0);
                    from.read_exact(&mut out[start..]).await.ok()?;
                    continue;
                }
            }
            b'*' => missing += length(&head, b'*').unwrap_or(0),
            _ => {}
        }
        out.extend_from_slice(&head);
    }
    Some(out)
}

/// The next line, its end included.
async fn line(from: &mut Reader) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    from.read_until(b'\n', &mut line).await.ok()?;
    line.ends_with(b"\r\n").then_some(line)
}

/// The length in a line of this kind; `None` for the null value.
fn length(line: &[u8], kind: u8) -> Option<usize> {
    let digits = line.strip_prefix(&[kind])?.strip_suffix(b"\r\n")?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}
