//! Speaks the Redis protocol over TCP or TLS.
//!
//! One connection, opened by the first command, carries all requests; a dropped one is replaced
//! before the next. Nothing is sent beside the commands, so that an idle tick executes exactly one, but
//! for a new connection's AUTH and SELECT, where the URL asks for them, and CLIENT SETNAME, where it
//! shall have a name.

mod address;
mod convert;
mod link;
mod url;

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use tokio::sync::Mutex;
use tokio::time::timeout;
use tracing::Span;

use self::address::Address;
use self::link::Link;
pub(crate) use self::url::redis_url;
use super::Options;
use super::budget::Limits;
use super::error::Error;
use super::failure::Failure;
use super::request::{Form, Request};
use super::value::Items;
use crate::secret::Secret;

/// A client of one Redis server.
#[derive(Debug)]
pub(super) struct Tcp {
    address: Address,
    /// Of every connection, in the server's list of its clients.
    name: Option<String>,
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
        Ok(Self { address, name: options.client_name, link: Mutex::new(None) })
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
            let host = self.address.host();
            Err(Failure::unreachable(format!("cannot connect to {host} in time")))
        })?;
        let answered = timeout(limits.answer, send(link.connection(), &pipeline)).await;
        let (reason, broken) = match answered {
            Ok(Ok(replies)) => {
                link.used();
                Span::current().record("response_bytes", convert::resp_len(&replies));
                return match request.form {
                    Form::Transaction => convert::executed(replies),
                    Form::Single | Form::Pipeline => {
                        replies.into_iter().map(convert::item).collect()
                    }
                };
            }
            Ok(Err(error)) => {
                (format!("the connection broke: {}", convert::io_reason(&error)), true)
            }
            Err(_) => ("no answer in time".to_owned(), false),
        };
        self.discard(&link).await;
        Err(Failure::Lost { reason, broken, retry_after: None })
    }

    /// The connection, opened anew when there is none, it broke, or it was idle for too long.
    async fn link(&self, idle: Duration) -> Result<Arc<Link>, Failure> {
        let mut slot = self.link.lock().await;
        if let Some(link) = slot.as_ref().filter(|link| link.is_usable(idle)) {
            return Ok(link.clone());
        }
        *slot = None;
        let link = Arc::new(Link::open(&self.address, self.name.as_deref()).await?);
        *slot = Some(link.clone());
        Ok(link)
    }

    /// Takes a connection out of use. Requests that still wait on it may get their answers.
    async fn discard(&self, broken: &Arc<Link>) {
        let mut slot = self.link.lock().await;
        if slot.as_ref().is_some_and(|link| Arc::ptr_eq(link, broken)) {
            *slot = None;
        }
    }
}

async fn send(
    mut connection: MultiplexedConnection,
    pipeline: &redis::Pipeline,
) -> redis::RedisResult<Vec<redis::Value>> {
    connection.send_packed_commands(pipeline, 0, pipeline.len()).await
}
