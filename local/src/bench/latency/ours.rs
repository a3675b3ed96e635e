//! Our API and our drain in this process, as they are in the functions, with what wakes the one for the
//! other.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use api::Api;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use drain::Drain;
use shared::config::{Config, Secret};
use shared::engine::Report;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{sleep, timeout};

use super::LONGEST;
use super::figures::Sample;
use super::world::World;
use crate::delay::{DelayedRelay, in_sequence};
use crate::{DEVELOPMENT_SECRET, Failure, token};

/// The API rings four times a second at most, and puts off what comes sooner.
const BETWEEN: Duration = Duration::from_millis(300);

/// How long its caller's token is good for: seconds.
const TOKEN: u64 = 86_400;

/// What a wake-up came to, and when it was there.
type Woken = (Instant, Result<Report, String>);

/// Ours, running.
pub(super) struct Ours {
    http: reqwest::Client,
    base: String,
    token: String,
    /// In front of the drain's URL.
    relay: DelayedRelay,
    is_cold: Arc<AtomicBool>,
    woken: UnboundedReceiver<Woken>,
}

/// The drain behind its URL.
#[derive(Clone)]
struct Function {
    config: Arc<Mutex<Option<Config>>>,
    is_cold: Arc<AtomicBool>,
    warm: Arc<Mutex<Option<Drain>>>,
    tell: UnboundedSender<Woken>,
}

impl Ours {
    pub(super) async fn start(world: &World) -> Result<Self, Failure> {
        let (tell, woken) = unbounded_channel();
        let function = Function {
            config: Arc::default(),
            is_cold: Arc::default(),
            warm: Arc::default(),
            tell,
        };
        let router = Router::new().fallback(ring).with_state(function.clone());
        let relay = DelayedRelay::remembering(serve(router).await?, world.round_trip)?;
        let config = world.config(&format!("http://{}/", relay.address()))?;
        let api = Api::new(&config)?;
        api.connect().await;
        let secret = Secret::new(DEVELOPMENT_SECRET);
        let is_cold = function.is_cold.clone();
        *function.config.lock().unwrap_or_else(PoisonError::into_inner) = Some(config);
        Ok(Self {
            http: reqwest::Client::builder().no_proxy().tcp_nodelay(true).build()?,
            base: format!("http://{}", serve(api::router(api)).await?),
            token: token::issue(&secret, &world.user, TOKEN)?,
            relay,
            is_cold,
            woken,
        })
    }

    /// Asks for a recompute, and waits for its score and for the end of the tick.
    pub(super) async fn take(
        &mut self,
        world: &mut World,
        is_cold: bool,
    ) -> Result<Sample, Failure> {
        self.is_cold.store(is_cold, Ordering::SeqCst);
        let project = world.project();
        let url = format!("{}/projects/{project}/deo-score/recompute", self.base);
        let began = Instant::now();
        let post = self.http.post(url).bearer_auth(&self.token).send();
        let (answer, committed) = tokio::join!(post, world.commits.next(&project));
        let (status, committed) = (answer?.status(), committed?);
        if status != StatusCode::CREATED {
            return Err(format!("the API answered {status}").into());
        }
        let woken = timeout(LONGEST, self.woken.recv()).await;
        let woken = woken.map_err(|_| format!("no tick ended in {} s", LONGEST.as_secs()))?;
        let (woken, report) = woken.ok_or("nobody was woken")?;
        let report = report?;
        if report.completed != 1 {
            return Err(format!("a woken tick did something else: {report:?}").into());
        }
        // The API's way, to the word that wakes; then the drain's. That word's answer is nobody's wait.
        let trips = world.trips(began);
        let asking = trips.iter().copied().chain(self.relay.trips());
        let asking = in_sequence(asking, began, woken);
        let working = trips.into_iter().filter(|trip| trip.began >= woken);
        let round_trips = asking + in_sequence(working, woken, committed);
        sleep(BETWEEN.saturating_sub(began.elapsed())).await;
        Ok(Sample { took: committed - began, round_trips })
    }
}

async fn serve(router: Router) -> Result<SocketAddr, Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async { axum::serve(listener, router).await });
    Ok(address)
}

/// Answers at once, as what invokes a function without waiting for it does.
async fn ring(State(function): State<Function>) -> (StatusCode, HeaderMap) {
    let mut headers = HeaderMap::new();
    if function.is_cold.load(Ordering::SeqCst) {
        // Whoever rings seldom has no connection left.
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    tokio::spawn(function.tick(Instant::now()));
    (StatusCode::ACCEPTED, headers)
}

impl Function {
    async fn tick(self, woken: Instant) {
        let report = self.run().await.map_err(|error| error.to_string());
        // Nobody hears it where the measurement has ended.
        let _ = self.tell.send((woken, report));
    }

    async fn run(&self) -> Result<Report, Failure> {
        let is_cold = self.is_cold.load(Ordering::SeqCst);
        let kept = self.warm.lock().unwrap_or_else(PoisonError::into_inner).take();
        let drain = match kept.filter(|_| !is_cold) {
            Some(drain) => drain,
            // As the function starts.
            None => {
                let config = self.config.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let drain = Drain::new(&config.ok_or("the drain has no settings")?)?;
                drain.connect().await;
                drain
            }
        };
        let report = drain.tick_woken(tokio::time::Instant::now() + LONGEST).await;
        *self.warm.lock().unwrap_or_else(PoisonError::into_inner) = Some(drain);
        Ok(report)
    }
}
