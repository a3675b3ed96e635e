//! Upstash's REST API in front of any Redis.
//!
//! A request becomes commands ([`json_form`], [`path_form`]); who asks decides which of them are
//! allowed ([`auth`], [`refusal`]); the rest runs on a connection to Redis ([`execute`], [`pool`],
//! [`link`], [`resp`]) and is answered as the client wants it ([`reply`]). [`server`] and
//! [`handler`] hold that together; [`sse`] is for streams that do not end; [`faults`] breaks it all on
//! purpose, [`admin`] changes how. Memory is bounded: requests share an amount ([`body`]), large
//! answers take turns ([`turn`]).

mod admin;
mod auth;
mod billing;
mod body;
mod command;
mod deviations;
mod execute;
mod failure;
mod faults;
mod handler;
mod json_form;
mod link;
mod path_form;
mod permissions;
mod pool;
mod refusal;
mod reply;
mod resp;
mod scripts;
mod server;
mod sse;
mod sync;
mod target;
mod text;
mod turn;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use shared::config::Secret;
use shared::tls;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

pub use deviations::Deviation;
pub use faults::{Faults, FaultsError};
pub use target::TargetError;

use self::{
    auth::Tokens, billing::Meter, body::Reader, deviations::Deviations, execute::Executor,
    faults::Injector, handler::Handler, pool::Pool, sync::SyncTokens, target::Target, turn::Turns,
};

/// What a gateway needs to know.
pub struct GatewayConfig {
    /// `redis://` or `rediss://`, perhaps with a password and a database.
    pub redis_url: String,
    /// Whom to trust there instead of Mozilla's authorities: PEM text, or the path of a file with it.
    pub authorities: Option<String>,
    /// The token for everything.
    pub token: Secret,
    /// A token for reads only.
    pub read_only_token: Option<Secret>,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// What goes wrong on purpose.
    pub faults: Faults,
    /// Decides, with the faults' probabilities, which requests they hit.
    pub seed: u64,
    /// Whether answers say in `X-Billed-Commands` how many commands Redis executed for them. For
    /// tests only: requests then run one at a time, with two INFO beside each.
    pub count_billed: bool,
    /// How it differs from Upstash on purpose. For tests only.
    pub deviations: Vec<Deviation>,
}

impl GatewayConfig {
    /// A gateway on a free loopback port, without a read-only token and without faults.
    pub fn new(redis_url: impl Into<String>, token: impl Into<String>) -> Self {
        Self {
            redis_url: redis_url.into(),
            authorities: None,
            token: Secret::new(token),
            read_only_token: None,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            faults: Faults::default(),
            seed: 0,
            count_billed: false,
            deviations: Vec::new(),
        }
    }
}

/// Why a gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The Redis URL cannot be used.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The authorities cannot be read.
    #[error("the authorities of the gateway's Redis (REDIS_CA): {0}")]
    Authorities(String),
    /// An empty token would let everybody in.
    #[error("the gateway's token is empty; give it any text that its clients send as well")]
    EmptyToken,
    /// A token with white space or a control character, which copying brings along: requests bring
    /// theirs without. Holds which of the tokens it is.
    #[error(
        "the gateway's {0} holds white space or a line break, perhaps from copying it, which clients \
         do not send; remove it"
    )]
    BlankInToken(&'static str),
    /// Both tokens are the same.
    #[error("the read-only token is the same as the token; give it another one")]
    SameTokens,
    /// The address is not ours, or taken.
    #[error("the gateway cannot listen on {address}: {source}; choose another address or port")]
    Listen {
        /// Where it should have listened.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// Whether requests can bring `token`; `which` is how to call it.
fn check_token(token: &Secret, which: &'static str) -> Result<(), GatewayError> {
    let token = token.expose();
    if token.is_empty() {
        return Err(GatewayError::EmptyToken);
    }
    if token.contains(|character: char| character.is_whitespace() || character.is_control()) {
        return Err(GatewayError::BlankInToken(which));
    }
    Ok(())
}

/// A running gateway. Dropped, it stops at once; [`Gateway::shutdown`] lets requests finish.
#[derive(Debug)]
pub struct Gateway {
    address: SocketAddr,
    stopping: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

impl Gateway {
    /// Starts listening. Sends nothing to Redis, now or later, that a request does not ask for.
    ///
    /// # Errors
    /// When the settings cannot be used or the address is taken.
    pub async fn start(config: GatewayConfig) -> Result<Self, GatewayError> {
        let target = Target::parse(&config.redis_url)?;
        let trust = match &config.authorities {
            None => tls::client_config(),
            Some(authorities) => {
                tls::client_config_trusting(authorities).map_err(GatewayError::Authorities)?
            }
        };
        check_token(&config.token, "token (--token or UPSTASH_REDIS_REST_TOKEN)")?;
        if let Some(token) = &config.read_only_token {
            check_token(token, "read-only token (--read-only-token)")?;
        }
        if config.read_only_token.as_ref() == Some(&config.token) {
            return Err(GatewayError::SameTokens);
        }
        let listen_error = |source| GatewayError::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(listen_error)?;
        let address = listener.local_addr().map_err(listen_error)?;
        let (stopping, stop) = watch::channel(false);
        let deviations = Deviations(config.deviations);
        let handler = Handler {
            tokens: Tokens::new(config.token, config.read_only_token),
            executor: Executor::new(Pool::new(target, trust), deviations.clone()),
            meter: config.count_billed.then(Meter::default),
            injector: Injector::new(config.faults, config.seed),
            sync: SyncTokens::default(),
            reader: Reader::default(),
            turns: Turns::default(),
            stopping: stop.clone(),
            deviations,
        };
        let serving = tokio::spawn(server::serve(listener, Arc::new(handler), stop));
        Ok(Self { address, stopping, serving })
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops accepting, closes connections without a request, lets running requests finish (for up
    /// to ten seconds), and ends.
    pub async fn shutdown(mut self) {
        self.stopping.send_replace(true);
        // An error is a panic in the server's own loop, which has been printed already.
        let _ = (&mut self.serving).await;
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
