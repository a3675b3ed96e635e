//! Where to listen, as a person writes it.

use std::net::SocketAddr;

/// Reads an IP address with a port.
///
/// # Errors
/// When it is anything else, such as a port alone or a name.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "an IP address with a port, such as 127.0.0.1:8787".to_owned())
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn what_is_no_address_is_told_with_one() {
        for text in ["127.0.0.1:0", "0.0.0.0:8787", "[::1]:29464"] {
            assert_eq!(address(text).map(|it| it.to_string()), Ok(text.to_owned()));
        }
        for text in ["8787", "localhost:9999", "127.0.0.1", ""] {
            assert!(address(text).is_err_and(|told| told.contains("such as 127.0.0.1:8787")));
        }
    }
}
