//! A TCP relay that is as far away as one likes: what goes through arrives half a round trip later, as
//! much of it at a time as without. It also counts round trips and bytes.
//!
//! Threads with blocking sockets, for a timer that is true to a tenth of a millisecond; tokio's rounds up
//! to whole ones.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes of a chunk at most.
const CHUNK: usize = 65_536;

/// Chunks under way in one direction at most: some 64 MB, far more than any network holds.
const UNDER_WAY: usize = 1_024;

/// What went through a relay so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Connections that were opened. Each took a round trip more for TCP's handshake.
    pub connections: u64,
    /// How often a client that had heard the server spoke again, on each connection for itself.
    pub round_trips: u64,
    /// Bytes in both directions.
    pub bytes: u64,
}

impl Traffic {
    /// Returns what came on top of `before`.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            connections: self.connections - before.connections,
            round_trips: self.round_trips - before.round_trips,
            bytes: self.bytes - before.bytes,
        }
    }
}

/// A round trip as a client saw it: from its word, or from its wish for a connection, until what it heard
/// before it spoke again.
#[derive(Clone, Copy, Debug)]
pub struct Trip {
    /// When the client spoke.
    pub began: Instant,
    /// When it had the last of the answer; nothing while there is none.
    pub ended: Option<Instant>,
}

/// Returns the longest chain of round trips of which each began when the one before had ended, of those that
/// were under way between two moments. Trips that overlap could not have waited for each other, so a
/// chain of what did wait is no longer than this one.
pub fn in_sequence(trips: impl IntoIterator<Item = Trip>, from: Instant, to: Instant) -> usize {
    let ends = trips.into_iter().map(|trip| (trip.began, trip.ended.map_or(to, |end| end.min(to))));
    let mut ends: Vec<_> = ends.filter(|(began, end)| *began < to && *end > from).collect();
    // The one that ends first leaves most room for others.
    ends.sort_by_key(|(began, end)| (*end, *began));
    let (mut count, mut free) = (0, None);
    for (began, end) in ends {
        if free.is_none_or(|free| began >= free) {
            (count, free) = (count + 1, Some(end));
        }
    }
    count
}

#[derive(Debug, Default)]
struct Counts {
    connections: AtomicU64,
    round_trips: AtomicU64,
    bytes: AtomicU64,
    /// Each of them, where they are to be remembered.
    trips: Option<Mutex<Vec<Trip>>>,
}

impl Counts {
    fn trips(&self) -> Option<MutexGuard<'_, Vec<Trip>>> {
        Some(self.trips.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Remembers a trip, and returns its place.
    fn begin(&self, ended: Option<Instant>) -> usize {
        let Some(mut trips) = self.trips() else { return 0 };
        trips.push(Trip { began: Instant::now(), ended });
        trips.len() - 1
    }

    fn end(&self, trip: usize, at: Instant) {
        if let Some(trip) = self.trips().as_mut().and_then(|trips| trips.get_mut(trip)) {
            trip.ended = Some(at);
        }
    }
}

/// A running relay. Dropped, it takes no more connections; those that are open go on.
#[derive(Debug)]
pub struct DelayedRelay {
    address: SocketAddr,
    counts: Arc<Counts>,
    stopping: Arc<AtomicBool>,
}

impl DelayedRelay {
    /// Starts a relay on a free port of the loopback to `target`, `round_trip` away.
    ///
    /// # Errors
    /// When there is no port.
    pub fn start(target: SocketAddr, round_trip: Duration) -> io::Result<Self> {
        Self::begin(target, round_trip, Counts::default())
    }

    /// As [`DelayedRelay::start`]; it remembers every round trip for as long as it lives.
    ///
    /// # Errors
    /// When there is no port.
    pub fn remembering(target: SocketAddr, round_trip: Duration) -> io::Result<Self> {
        let trips = Some(Mutex::default());
        Self::begin(target, round_trip, Counts { trips, ..Counts::default() })
    }

    fn begin(target: SocketAddr, round_trip: Duration, counts: Counts) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let (counts, stopping) = (Arc::new(counts), Arc::new(AtomicBool::new(false)));
        let (counted, stop) = (counts.clone(), stopping.clone());
        thread::spawn(move || {
            for client in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(client), counted) = (client, counted.clone()) else { continue };
                // Whoever hangs up ends the connection, and nothing else.
                thread::spawn(move || pass(client, target, round_trip, counted));
            }
        });
        Ok(Self { address, counts, stopping })
    }

    /// Returns where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns every round trip so far, handshakes among them, if it is [`DelayedRelay::remembering`].
    pub fn trips(&self) -> Vec<Trip> {
        self.counts.trips().map(|trips| trips.clone()).unwrap_or_default()
    }

    /// Returns what went through it so far.
    pub fn traffic(&self) -> Traffic {
        let read = |count: &AtomicU64| count.load(Ordering::SeqCst);
        Traffic {
            connections: read(&self.counts.connections),
            round_trips: read(&self.counts.round_trips),
            bytes: read(&self.counts.bytes),
        }
    }
}

impl Drop for DelayedRelay {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for a connection.
        drop(TcpStream::connect(self.address));
    }
}

/// Who has spoken last on a connection, and what that counts.
#[derive(Clone)]
struct Ear {
    counts: Arc<Counts>,
    server_spoke: Arc<AtomicBool>,
    /// The trip under way.
    trip: Arc<AtomicUsize>,
    /// How long what was heard is still on its way.
    half: Duration,
    is_client: bool,
}

impl Ear {
    fn heard(&self, bytes: usize) {
        self.counts.bytes.fetch_add(bytes as u64, Ordering::SeqCst);
        let server_spoke = self.server_spoke.swap(!self.is_client, Ordering::SeqCst);
        if self.is_client && server_spoke {
            self.counts.round_trips.fetch_add(1, Ordering::SeqCst);
            self.trip.store(self.counts.begin(None), Ordering::SeqCst);
        }
        if !self.is_client {
            self.counts.end(self.trip.load(Ordering::SeqCst), Instant::now() + self.half);
        }
    }
}

fn pass(
    client: TcpStream,
    target: SocketAddr,
    round_trip: Duration,
    counts: Arc<Counts>,
) -> io::Result<()> {
    counts.connections.fetch_add(1, Ordering::SeqCst);
    counts.begin(Some(Instant::now() + round_trip));
    // The handshake. The client believes itself connected already: what it says waits here.
    thread::sleep(round_trip);
    let server = TcpStream::connect(target)?;
    // Both sides would wait for each other's acknowledgement otherwise.
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    // The first word of a client is a round trip, too.
    let ear = Ear {
        counts,
        server_spoke: Arc::new(AtomicBool::new(true)),
        trip: Arc::default(),
        half: round_trip / 2,
        is_client: true,
    };
    let back = Ear { is_client: false, ..ear.clone() };
    carry(client.try_clone()?, server.try_clone()?, ear);
    carry(server, client, back);
    Ok(())
}

/// Carries one direction, on two threads.
fn carry(from: TcpStream, to: TcpStream, ear: Ear) {
    let (send, receive) = sync_channel(UNDER_WAY);
    thread::spawn(move || take(from, &ear, &send));
    thread::spawn(move || deliver(to, &receive));
}

fn take(mut from: TcpStream, ear: &Ear, send: &SyncSender<(Instant, Vec<u8>)>) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        let length = from.read(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        ear.heard(length);
        if send.send((Instant::now() + ear.half, buffer[..length].to_vec())).is_err() {
            // The other side takes no more.
            return from.shutdown(Shutdown::Read);
        }
    }
}

fn deliver(mut to: TcpStream, receive: &Receiver<(Instant, Vec<u8>)>) -> io::Result<()> {
    while let Ok((due, chunk)) = receive.recv() {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        to.write_all(&chunk)?;
    }
    to.shutdown(Shutdown::Write)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A server that answers each connection's bytes with themselves.
    fn echo() -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                thread::spawn(move || io::copy(&mut stream.try_clone().unwrap(), &mut stream));
            }
        });
        address
    }

    fn ask(stream: &mut TcpStream) -> Duration {
        let began = Instant::now();
        stream.write_all(b"ping").unwrap();
        stream.read_exact(&mut [0; 4]).unwrap();
        began.elapsed()
    }

    #[test]
    fn a_question_takes_a_round_trip_and_the_first_one_two() {
        let relay = DelayedRelay::start(echo(), Duration::from_millis(40)).unwrap();
        let mut stream = TcpStream::connect(relay.address()).unwrap();
        let times: Vec<Duration> = (0..4).map(|_| ask(&mut stream)).collect();
        assert!(times[0] >= Duration::from_millis(80), "{times:?}");
        assert!(times[1..].iter().all(|time| *time >= Duration::from_millis(40)), "{times:?}");
        let shortest = times[1..].iter().min().unwrap();
        assert!(*shortest < Duration::from_millis(60), "{times:?}");
        let traffic = relay.traffic();
        assert_eq!(traffic, Traffic { connections: 1, round_trips: 4, bytes: 32 });
    }

    #[test]
    fn trips_are_remembered_and_those_at_once_are_one() {
        let (relay, other) = (Duration::from_millis(40), Duration::from_millis(10));
        let relay = DelayedRelay::remembering(echo(), relay).unwrap();
        let other = DelayedRelay::remembering(echo(), other).unwrap();
        let began = Instant::now();
        let beside = thread::spawn({
            let address = other.address();
            // It and its handshake are over before the other's handshake.
            move || ask(&mut TcpStream::connect(address).unwrap())
        });
        let mut stream = TcpStream::connect(relay.address()).unwrap();
        for _ in 0..2 {
            ask(&mut stream);
        }
        beside.join().unwrap();
        let trips: Vec<Trip> = relay.trips().into_iter().chain(other.trips()).collect();
        assert_eq!(trips.len(), 5, "{trips:?}");
        let now = Instant::now();
        assert_eq!(in_sequence(relay.trips(), began, now), 3, "{trips:?}");
        // Two short ones instead of the long one beside them.
        assert_eq!(in_sequence(trips.clone(), began, now), 4, "{trips:?}");
        assert_eq!(in_sequence(trips, began, began), 0);
    }

    #[test]
    fn what_is_far_away_is_as_wide() {
        let relay = DelayedRelay::start(echo(), Duration::from_millis(100)).unwrap();
        let mut stream = TcpStream::connect(relay.address()).unwrap();
        let mut writer = stream.try_clone().unwrap();
        let began = Instant::now();
        const BYTES: usize = 32_000_000;
        let sent = thread::spawn(move || {
            for _ in 0..BYTES / 1_000 {
                writer.write_all(&[7; 1_000]).unwrap();
            }
            writer.shutdown(Shutdown::Write).unwrap();
        });
        let mut back = Vec::new();
        stream.read_to_end(&mut back).unwrap();
        sent.join().unwrap();
        assert_eq!(back.len(), BYTES);
        // A pause a chunk would take 50 s.
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    }
}
