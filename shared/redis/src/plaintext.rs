//! Decides where a connection without TLS may go.

use std::net::IpAddr;

/// Returns whether `host`, as a URL writes it, is this machine.
pub fn is_loopback(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    bare.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn this_machine_and_no_other() {
        for host in ["localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "::1", "[::1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in
            ["0.0.0.0", "10.0.0.1", "localhost.evil.example", "127.0.0.1.example", "[::2]", ""]
        {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
