//! The sockets of the resolver.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hickory_proto::op::{Edns, Message, Query, ResponseCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::timeout;

use super::answer::{
    addresses, hints_addresses, is_address, matches, plain, question, release, without_data,
};
use super::{Asked, Habits, Names, Standing};
use crate::{DeviceId, Event, Observer};

/// Whom to ask, and what to believe.
#[derive(Clone, Debug, Default)]
pub struct Upstream {
    /// Resolvers, tried in order.
    pub servers: Vec<SocketAddr>,
    /// Names under these may have private addresses (split DNS). Lower case, without dots at either end.
    pub private_domains: Vec<String>,
    /// Names of resolvers over HTTPS that devices may not use, and all below them. Written in the same way.
    pub resolvers: BTreeSet<String>,
}

/// The resolver that devices are given.
pub struct Forwarder {
    names: Arc<dyn Names>,
    observer: Arc<dyn Observer>,
    upstream: Upstream,
    busy: Mutex<HashMap<IpAddr, usize>>,
    told: Mutex<Told>,
    habits: Mutex<Habits>,
}

/// Names outside policies that were told within the current period.
struct Told {
    since: Instant,
    names: HashSet<(DeviceId, String)>,
}

impl Forwarder {
    /// A resolver that asks `upstream`.
    pub fn new(names: Arc<dyn Names>, observer: Arc<dyn Observer>, upstream: Upstream) -> Arc<Self> {
        let told = Told { since: Instant::now(), names: HashSet::new() };
        Arc::new(Self {
            names,
            observer,
            upstream,
            busy: Mutex::default(),
            told: Mutex::new(told),
            habits: Mutex::default(),
        })
    }

    /// What devices asked since the last call.
    pub fn take_habits(&self) -> Vec<(DeviceId, Asked)> {
        self.habits().take(Instant::now())
    }

    /// Answers datagrams for ever. Bind the socket to the address that devices ask, so that answers come from it.
    pub async fn serve_udp(self: Arc<Self>, socket: UdpSocket) -> io::Result<()> {
        let socket = Arc::new(socket);
        let mut buffer = vec![0; MAX_QUERY];
        loop {
            let (length, source) = match socket.recv_from(&mut buffer).await {
                Ok(received) => received,
                // An answer that could not be delivered comes back as an error of the next receive.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => continue,
                Err(error) => return Err(error),
            };
            let Some(place) = Place::take(&self, source.ip()) else { continue };
            let query = buffer.get(..length).unwrap_or_default().to_vec();
            let (this, socket) = (Arc::clone(&self), Arc::clone(&socket));
            tokio::spawn(async move {
                let _place = place;
                if let Some(answer) = this.answer(&query, source.ip(), true).await {
                    // A device that went away does without.
                    let _sent = socket.send_to(&answer, source).await;
                }
            });
        }
    }

    /// Answers connections for ever.
    pub async fn serve_tcp(self: Arc<Self>, listener: TcpListener) -> io::Result<()> {
        loop {
            let (stream, source) = listener.accept().await?;
            let Some(place) = Place::take(&self, source.ip()) else { continue };
            let this = Arc::clone(&self);
            tokio::spawn(async move {
                let _place = place;
                // One that stalls or breaks off is closed.
                let _ended = timeout(CONNECTION_TIME, this.converse(stream, source.ip())).await;
            });
        }
    }

    async fn converse(&self, mut stream: TcpStream, source: IpAddr) -> io::Result<()> {
        for _ in 0..QUERIES_PER_CONNECTION {
            let query = read_framed(&mut stream).await?;
            match self.answer(&query, source, false).await {
                Some(answer) => write_framed(&mut stream, &answer).await?,
                None => break,
            }
        }
        Ok(())
    }

    /// The answer to a query, after the rules allow what it says.
    async fn answer(&self, bytes: &[u8], source: IpAddr, datagram: bool) -> Option<Vec<u8>> {
        let query = Message::from_vec(bytes).ok()?;
        let answer = match question(&query) {
            Ok(question) => self.resolve(&query, question, source).await,
            Err(code) => without_data(&query, code),
        };
        let encoded = answer.to_vec().ok()?;
        let room =
            if datagram { usize::from(query.max_payload()).min(MAX_DATAGRAM) } else { usize::from(u16::MAX) };
        if encoded.len() <= room { Some(encoded) } else { answer.truncate().to_vec().ok() }
    }

    async fn resolve(&self, query: &Message, question: &Query, source: IpAddr) -> Message {
        let name = plain(question.name());
        let (device, listed) = match self.standing(source, &name).await {
            Standing::Stranger => return without_data(query, ResponseCode::Refused),
            Standing::Needed => {
                return match self.ask(question).await {
                    Some(answer) => release(query, question, answer),
                    None => without_data(query, ResponseCode::ServFail),
                };
            }
            Standing::Listed(device) => (device, true),
            Standing::Unlisted { device, restricted } => {
                self.tell(&device, &name, restricted);
                self.habits().count(&device, |asked| asked.outside += 1);
                if restricted {
                    self.habits().asks(&device, &name, Instant::now());
                    return without_data(query, ResponseCode::Refused);
                }
                (device, false)
            }
        };
        self.habits().asks(&device, &name, Instant::now());
        if self.is_resolver(&name) {
            self.habits().count(&device, |asked| asked.blocked += 1);
            return without_data(query, ResponseCode::Refused);
        }
        if hints_addresses(question.query_type) {
            // Its hints would send the device to addresses that no set has; with none it asks for A and AAAA.
            return without_data(query, ResponseCode::NoError);
        }
        let Some(answer) = self.ask(question).await else {
            return without_data(query, ResponseCode::ServFail);
        };
        if answer.metadata.response_code == ResponseCode::NXDomain {
            self.habits().count(&device, |asked| asked.nxdomain += 1);
        }
        if is_address(question.query_type) {
            let (found, lifetime) = addresses(question, &answer);
            if let Some(address) =
                found.iter().copied().find(|a| !mud::is_public(*a) && !self.may_be_private(&name))
            {
                self.habits().count(&device, |asked| asked.private += 1);
                self.observer.observe(Event::PrivateAnswer { device, name, address });
                return without_data(query, ResponseCode::Refused);
            }
            if !listed {
                self.names.note(&name, &found, lifetime);
            } else if !found.is_empty() && !self.learn(name, found, lifetime).await {
                return without_data(query, ResponseCode::ServFail);
            }
        }
        release(query, question, answer)
    }

    /// Policies are behind a lock that is held during a commit, so not on this thread.
    async fn standing(&self, source: IpAddr, name: &str) -> Standing {
        let (names, name) = (Arc::clone(&self.names), name.to_owned());
        let task = tokio::task::spawn_blocking(move || names.standing(source, &name));
        task.await.unwrap_or(Standing::Stranger)
    }

    async fn learn(&self, name: String, found: Vec<IpAddr>, lifetime: u32) -> bool {
        let names = Arc::clone(&self.names);
        let task = tokio::task::spawn_blocking(move || names.learn(&name, &found, lifetime));
        match task.await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::warn!(%error, "addresses of a name could not be permitted");
                false
            }
            Err(_) => false,
        }
    }

    /// Asks the servers in turn until one answers.
    async fn ask(&self, question: &Query) -> Option<Message> {
        for server in &self.upstream.servers {
            match timeout(UPSTREAM_TIME, ask_one(*server, question)).await {
                Ok(Ok(answer)) => return Some(answer),
                Ok(Err(error)) => tracing::debug!(%server, %error, "upstream resolver failed"),
                Err(_) => tracing::debug!(%server, "upstream resolver did not answer"),
            }
        }
        None
    }

    fn habits(&self) -> MutexGuard<'_, Habits> {
        self.habits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a name, or one above it, is that of a resolver that devices may not use.
    fn is_resolver(&self, name: &str) -> bool {
        let mut rest = Some(name);
        std::iter::from_fn(|| {
            let this = rest?;
            rest = this.split_once('.').map(|(_, above)| above);
            Some(this)
        })
        .any(|name| self.upstream.resolvers.contains(name))
    }

    fn may_be_private(&self, name: &str) -> bool {
        self.upstream.private_domains.iter().any(|domain| {
            name.strip_suffix(domain.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    }

    /// Once a period for each device and name, and no more than fit.
    fn tell(&self, device: &DeviceId, name: &str, refused: bool) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.since.elapsed() >= TELL_PERIOD {
            told.names.clear();
            told.since = Instant::now();
        }
        if told.names.len() < TELL_CAPACITY && told.names.insert((device.clone(), name.to_owned())) {
            let (device, name) = (device.clone(), name.to_owned());
            self.observer.observe(Event::NameOutOfPolicy { device, name, refused });
        }
    }
}

/// One question to one server, over TCP when the answer does not fit a datagram.
async fn ask_one(server: SocketAddr, question: &Query) -> io::Result<Message> {
    // A fresh socket has a fresh port, which with the id is what a forger must guess (RFC 5452).
    let local: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((local, 0)).await?;
    socket.connect(server).await?;

    let mut asked = Message::query();
    let mut id = [0; 2];
    getrandom::fill(&mut id).map_err(io::Error::other)?;
    asked.metadata.id = u16::from_ne_bytes(id);
    asked.metadata.recursion_desired = true;
    asked.add_query(question.clone());
    let mut edns = Edns::new();
    edns.set_max_payload(MAX_DATAGRAM as u16);
    asked.set_edns(edns);
    let bytes = asked.to_vec().map_err(io::Error::other)?;
    socket.send(&bytes).await?;

    let mut buffer = vec![0; MAX_QUERY];
    let answer = loop {
        let length = socket.recv(&mut buffer).await?;
        match Message::from_vec(buffer.get(..length).unwrap_or_default()) {
            Ok(answer) if matches(&asked, &answer) => break answer,
            // A forgery, or late: the true answer may still come.
            _ => {}
        }
    };
    if !answer.metadata.truncation {
        return Ok(answer);
    }
    let mut stream = TcpStream::connect(server).await?;
    write_framed(&mut stream, &bytes).await?;
    let answer = Message::from_vec(&read_framed(&mut stream).await?).map_err(io::Error::other)?;
    if matches(&asked, &answer) { Ok(answer) } else { Err(io::ErrorKind::InvalidData.into()) }
}

/// A message with its length before it (RFC 1035, section 4.2.2).
async fn read_framed(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = stream.read_u16().await?;
    let mut message = vec![0; usize::from(length)];
    stream.read_exact(&mut message).await?;
    Ok(message)
}

async fn write_framed(stream: &mut TcpStream, message: &[u8]) -> io::Result<()> {
    let length = u16::try_from(message.len()).map_err(io::Error::other)?;
    let mut framed = length.to_be_bytes().to_vec();
    framed.extend_from_slice(message);
    stream.write_all(&framed).await
}

/// One of the bounded number of queries in work.
struct Place {
    forwarder: Arc<Forwarder>,
    source: IpAddr,
}

impl Place {
    /// `None` when the source, or all together, have as many as they may: the query is dropped, and asked again.
    fn take(forwarder: &Arc<Forwarder>, source: IpAddr) -> Option<Self> {
        let mut busy = forwarder.busy.lock().unwrap_or_else(PoisonError::into_inner);
        if busy.values().sum::<usize>() >= QUERIES_AT_ONCE {
            return None;
        }
        let count = busy.entry(source).or_default();
        if *count >= QUERIES_PER_DEVICE {
            return None;
        }
        *count += 1;
        Some(Self { forwarder: Arc::clone(forwarder), source })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut busy = self.forwarder.busy.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = busy.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                busy.remove(&self.source);
            }
        }
    }
}

/// Longest message over UDP that is read.
const MAX_QUERY: usize = 4096;
/// Longest message over UDP that is sent or asked for: no fragments (RFC 9715).
const MAX_DATAGRAM: usize = 1232;
/// Queries in work, of all devices and of one.
const QUERIES_AT_ONCE: usize = 512;
const QUERIES_PER_DEVICE: usize = 16;
const QUERIES_PER_CONNECTION: usize = 64;
const CONNECTION_TIME: Duration = Duration::from_secs(20);
/// How long one upstream server may take.
const UPSTREAM_TIME: Duration = Duration::from_secs(2);
/// Names outside policies: told once a period, at most so many.
const TELL_PERIOD: Duration = Duration::from_secs(60);
const TELL_CAPACITY: usize = 1024;
