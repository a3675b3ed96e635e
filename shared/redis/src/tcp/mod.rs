//! Speaks the Redis protocol over TCP or TLS.
//!
//! One connection, opened by the first command, carries all requests; a dropped one is replaced
//! before the next, and so is one to a server that is not the one to ask any more. Nothing is sent beside the commands, so that an idle tick executes exactly one, but
//! for a new connection's AUTH and SELECT, where the URL asks for them, and CLIENT SETNAME, where it
//! shall have a name.

mod address;
mod convert;
mod link;
mod url;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use tokio::sync::Mutex;
use tokio::time::timeout;
use tracing::Span;

use self::address::Address;
use self::link::{Link, Tls};
pub(crate) use self::url::redis_url;
use super::Options;
use super::budget::Limits;
use super::condition::is_elsewhere;
use super::error::Error;
use super::failure::Failure;
use super::request::{Form, Request};
use super::value::Items;
use crate::secret::Secret;

/// A client of one Redis server.
#[derive(Debug)]
pub(super) struct Tcp {
    address: Arc<Address>,
    /// Of every connection, in the server's list of its clients.
    name: Option<String>,
    tls: Arc<Tls>,
    /// How often the server turned out not to be the one to ask, found by this client or by one beside it: what was
    /// opened before the last time is not used again.
    moves: Arc<AtomicU64>,
    link: Mutex<Option<Arc<Link>>>,
}

impl Tcp {
    /// A client for the server at `url`. Opens no connection.
    pub(super) fn new(
        url: &Secret,
        allow_plaintext: bool,
        options: Options,
    ) -> Result<Self, Error> {
        let address = Address::parse(url, allow_plaintext, &options.names)?;
        let tls = Tls::new(&options)?;
        Ok(Self {
            address: Arc::new(address),
            name: options.client_name,
            tls: Arc::new(tls),
            moves: Arc::default(),
            link: Mutex::new(None),
        })
    }

    /// A client of the same server with a connection of its own, which finds out with this one that it is not the one
    /// to ask any more.
    pub(super) fn beside(&self, name: Option<String>) -> Self {
        let (address, tls, moves) = (self.address.clone(), self.tls.clone(), self.moves.clone());
        Self { address, name, tls, moves, link: Mutex::new(None) }
    }

    /// One try of `request`.
    pub(super) async fn exchange(
        &self,
        request: &Request,
        limits: Limits,
    ) -> Result<Items, Failure> {
        let pipeline = convert::pipeline(request);
        Span::current().record("request_bytes", convert::sent_len(request));
        let link = timeout(limits.connect, self.link(limits.idle)).await.unwrap_or_else(|_| {
            // A server without TLS waits for the rest of a command.
            let cause = match self.address.server_name() {
                Some(_) => " in time over TLS (redis:// goes without)",
                None => " in time",
            };
            Err(Failure::absent(&self.address.place(), cause, self.tls.names.redis_url))
        })?;
        let answered = timeout(limits.answer, send(link.connection(), &pipeline)).await;
        let (reason, broken) = match answered {
            Ok(Ok(replies)) => {
                link.used();
                Span::current().record("response_bytes", convert::resp_len(&replies));
                let items = match request.form {
                    Form::Transaction => convert::executed(replies),
                    Form::Single | Form::Pipeline => {
                        replies.into_iter().map(convert::item).collect()
                    }
                };
                if leads_elsewhere(&items) {
                    self.leave(&link).await;
                }
                return items;
            }
            Ok(Err(error)) => {
                // As a server does that is demoted, to those that wait: reads would go on over other connections.
                self.leave(&link).await;
                let hint = link.hint(&self.address);
                (format!("the connection broke: {}{hint}", convert::io_reason(&error)), true)
            }
            Err(_) => ("no answer in time".to_owned(), false),
        };
        self.discard(&link).await;
        Err(Failure::Lost { reason, broken, retry_after: None })
    }

    /// The connection, opened anew when there is none, it broke, or it was idle for too long.
    async fn link(&self, idle: Duration) -> Result<Arc<Link>, Failure> {
        let mut slot = self.link.lock().await;
        let moves = self.moves.load(Ordering::SeqCst);
        let is_fit = |link: &&Arc<Link>| link.moves == moves && link.is_usable(idle);
        if let Some(link) = slot.as_ref().filter(is_fit) {
            return Ok(link.clone());
        }
        *slot = None;
        let link = Link::open(&self.address, &self.tls, self.name.as_deref(), moves).await?;
        let link = Arc::new(link);
        *slot = Some(link.clone());
        Ok(link)
    }

    /// Takes a connection out of use, and all that were opened before: none leads to the one to ask any more.
    async fn leave(&self, link: &Arc<Link>) {
        // Once, however many requests find out.
        let (before, after) = (link.moves, link.moves + 1);
        let _ = self.moves.compare_exchange(before, after, Ordering::SeqCst, Ordering::SeqCst);
        self.discard(link).await;
    }

    /// Takes a connection out of use. Requests that still wait on it may get their answers.
    async fn discard(&self, broken: &Arc<Link>) {
        let mut slot = self.link.lock().await;
        if slot.as_ref().is_some_and(|link| Arc::ptr_eq(link, broken)) {
            *slot = None;
        }
    }
}

/// Whether the server is not, or not any more, the one that the name leads to: after a failover a connection
/// stays with the demoted node, which answers reads as ever. The next request looks the name up anew.
fn leads_elsewhere(items: &Result<Items, Failure>) -> bool {
    match items {
        Ok(items) => items.iter().any(|item| item.as_ref().is_err_and(|line| is_elsewhere(line))),
        Err(Failure::Refused(line)) => is_elsewhere(line),
        Err(_) => false,
    }
}

async fn send(
    mut connection: MultiplexedConnection,
    pipeline: &redis::Pipeline,
) -> redis::RedisResult<Vec<redis::Value>> {
    connection.send_packed_commands(pipeline, 0, pipeline.len()).await
}
