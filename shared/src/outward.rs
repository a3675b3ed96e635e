//! Begins HTTP clients for the one server that a setting names: over TLS, or to this machine, and straight there.

use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Url};

use crate::redis::is_loopback;
use crate::tls;

/// A client for this URL, which follows no redirect and sends nothing a second time by itself; `None` where what it
/// sends would be readable on its way.
pub(crate) fn client(url: &Url) -> Option<ClientBuilder> {
    let is_local = url.host_str().is_some_and(is_loopback);
    if url.scheme() != "https" && !(url.scheme() == "http" && is_local) {
        return None;
    }
    let builder = Client::builder()
        .tls_backend_preconfigured((*tls::client_config()).clone())
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .tcp_nodelay(true);
    Some(if is_local { builder.no_proxy() } else { builder })
}
