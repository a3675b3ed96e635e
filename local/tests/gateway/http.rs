//! HTTP/1.1 by hand: the bytes of a request, and what came back.

use std::{io, sync::Arc};

use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

pub(crate) trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket for S {}

/// An answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }
}

/// A request of HTTP/1.1 that asks for the connection to be closed.
pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "Host") {
        head += "Host: gateway\r\n";
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    if !body.is_empty() || matches!(method, "POST" | "PUT") {
        head += &format!("Content-Length: {}\r\n", body.len());
    }
    let mut bytes = (head + "\r\n").into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// Connects to `http://host:port` or `https://host`.
pub(crate) async fn connect(url: &str) -> io::Result<Box<dyn Socket>> {
    let (scheme, rest) = url.split_once("://").expect("a URL");
    let place = rest.trim_end_matches('/');
    if scheme == "http" {
        return Ok(Box::new(TcpStream::connect(place).await?));
    }
    let tcp = TcpStream::connect((place, 443)).await?;
    let name = ServerName::try_from(place.to_owned()).expect("a host");
    let connector = TlsConnector::from(Arc::clone(&shared::tls::client_config()));
    Ok(Box::new(connector.connect(name, tcp).await?))
}

/// Sends raw bytes and reads until the other side closes.
pub(crate) async fn exchange(url: &str, bytes: &[u8]) -> io::Result<Answer> {
    let mut socket = connect(url).await?;
    socket.write_all(bytes).await?;
    let mut answer = Vec::new();
    match socket.read_to_end(&mut answer).await {
        Ok(_) => {}
        // Some servers do not say good-bye at the end of TLS.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && !answer.is_empty() => {}
        Err(error) => return Err(error),
    }
    parse(&answer, bytes.starts_with(b"HEAD ")).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// The answer, or `None` when it is not whole.
fn parse(bytes: &[u8], head_only: bool) -> Option<Answer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let mut answer = Answer { status, headers, body: bytes[end + 4..].to_vec() };
    if answer.header("transfer-encoding") == Some("chunked") && !head_only {
        answer.body = unchunk(&answer.body)?;
    }
    let length: Option<usize> =
        answer.header("content-length").and_then(|length| length.parse().ok());
    match length {
        Some(length) if !head_only && answer.body.len() != length => None,
        _ => Some(answer),
    }
}

fn unchunk(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = bytes.windows(2).position(|window| window == b"\r\n")?;
        let length = usize::from_str_radix(std::str::from_utf8(&bytes[..end]).ok()?, 16).ok()?;
        if length == 0 {
            return Some(body);
        }
        body.extend_from_slice(bytes.get(end + 2..end + 2 + length)?);
        bytes = bytes.get(end + 4 + length..)?;
    }
}
