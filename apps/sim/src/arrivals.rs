//! The record of a virtual Internet that runs in a namespace of this process.

use std::{
    io::{self, BufRead as _, BufReader},
    net::IpAddr,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::{Arrival, InternetSettings, netns::Namespace, serve_internet};

/// Everything that arrived so far at a virtual Internet. What is not in it was stopped on the way.
#[derive(Clone, Debug)]
pub struct Arrivals(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    log: Mutex<Log>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Log {
    stands: bool,
    arrivals: Vec<Arrival>,
}

/// How long the listeners may take to stand.
const PATIENCE: Duration = Duration::from_secs(10);

impl Arrivals {
    /// Starts a virtual Internet in a namespace, as long as the process lives; returns when all listeners stand.
    pub fn at_internet(space: &Namespace, settings: InternetSettings) -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        let shared = Arc::new(Shared::default());
        space.spawn(move || {
            // Listeners that do not stand leave the first line unwritten, which is waited for below.
            let _ended = serve_internet(settings, writer);
        })?;
        let filled = Arc::clone(&shared);
        thread::Builder::new().spawn(move || {
            for line in BufReader::new(reader).lines().map_while(Result::ok) {
                let mut log = filled.lock();
                match serde_json::from_str(&line) {
                    Ok(arrival) => log.arrivals.push(arrival),
                    Err(_) => log.stands = true,
                }
                drop(log);
                filled.changed.notify_all();
            }
        })?;
        let log = shared.lock();
        let waited = shared.changed.wait_timeout_while(log, PATIENCE, |log| !log.stands);
        let stands = waited.map(|(log, _)| log.stands).unwrap_or_default();
        if !stands {
            return Err(io::Error::new(
                io::ErrorKind::AddrNotAvailable,
                "the virtual Internet does not stand",
            ));
        }
        Ok(Self(shared))
    }

    /// What arrived from a device since a time in milliseconds, queries for names left out.
    pub fn from(&self, sources: &[IpAddr], since_ms: u64) -> Vec<Arrival> {
        let log = self.0.lock();
        let wanted = |arrival: &&Arrival| {
            arrival.at_ms >= since_ms && arrival.protocol != "dns" && sources.contains(&arrival.source.ip())
        };
        log.arrivals.iter().filter(wanted).cloned().collect()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Milliseconds since 1970.
pub fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
