use std::{
    collections::BTreeMap,
    io::{self, Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use hickory_proto::{
    op::{Message, MessageType, ResponseCode},
    rr::{RData, Record, RecordType},
};
use serde::{Deserialize, Serialize};

/// A virtual Internet: which hosts answer on which ports, and what their names are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InternetSettings {
    /// Where its name server listens.
    pub dns: Vec<SocketAddr>,
    /// Addresses by name, lower case without a final dot.
    pub names: BTreeMap<String, Vec<IpAddr>>,
    /// Lifetime of answers, in seconds.
    pub ttl: u32,
    /// Where TCP connections are answered.
    pub tcp: Vec<SocketAddr>,
    /// Where datagrams are answered.
    pub udp: Vec<SocketAddr>,
}

/// One thing that arrived at the virtual Internet: the proof that a packet passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrival {
    /// Milliseconds since 1970.
    pub at_ms: u64,
    /// `tcp`, `udp` or `dns`.
    pub protocol: String,
    /// Who sent it.
    pub source: SocketAddr,
    /// Where it arrived.
    pub destination: SocketAddr,
    /// The name asked for, of a query.
    pub name: Option<String>,
}

/// How long a connection may stay silent.
const PATIENCE: Duration = Duration::from_secs(10);

type Log = Arc<Mutex<dyn io::Write + Send>>;

/// Answers until the process ends; one line of JSON for each arrival goes to `log`.
pub fn serve_internet(settings: InternetSettings, log: impl io::Write + Send + 'static) -> io::Result<()> {
    let log: Log = Arc::new(Mutex::new(log));
    let names = Arc::new(settings.names);
    let mut workers = Vec::new();
    for address in settings.tcp {
        let (listener, log) = (TcpListener::bind(address)?, log.clone());
        workers.push(thread::spawn(move || accept(&listener, &log)));
    }
    for address in settings.udp {
        let (socket, log) = (UdpSocket::bind(address)?, log.clone());
        workers.push(thread::spawn(move || echo(&socket, &log)));
    }
    for address in settings.dns {
        let (socket, log, names) = (UdpSocket::bind(address)?, log.clone(), names.clone());
        workers.push(thread::spawn(move || resolve(&socket, &names, settings.ttl, &log)));
    }
    record(&log, None);
    for worker in workers {
        worker.join().map_err(|_| io::Error::other("a listener of the virtual Internet failed"))?;
    }
    Ok(())
}

/// Writes an arrival, or the empty object that says that all listeners stand.
fn record(log: &Log, arrival: Option<Arrival>) {
    let line = arrival
        .map_or_else(|| "{}".to_owned(), |arrival| serde_json::to_string(&arrival).unwrap_or_default());
    if let Ok(mut log) = log.lock() {
        let _ = writeln!(log, "{line}").and_then(|()| log.flush());
    }
}

fn arrived(
    protocol: &str,
    source: SocketAddr,
    destination: SocketAddr,
    name: Option<String>,
) -> Option<Arrival> {
    let at_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
    Some(Arrival { at_ms, protocol: protocol.to_owned(), source, destination, name })
}

fn accept(listener: &TcpListener, log: &Log) {
    for stream in listener.incoming().flatten() {
        if let (Ok(source), Ok(destination)) = (stream.peer_addr(), stream.local_addr()) {
            record(log, arrived("tcp", source, destination, None));
        }
        thread::spawn(move || answer(stream));
    }
}

/// Sends back what comes, until the other side is done.
fn answer(mut stream: TcpStream) {
    let mut buffer = [0; 4096];
    if stream.set_read_timeout(Some(PATIENCE)).is_err() {
        return;
    }
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        if stream.write_all(&buffer[..count]).is_err() {
            return;
        }
    }
}

fn echo(socket: &UdpSocket, log: &Log) {
    let mut buffer = [0; 2048];
    while let Ok((count, source)) = socket.recv_from(&mut buffer) {
        if let Ok(destination) = socket.local_addr() {
            record(log, arrived("udp", source, destination, None));
        }
        let _ = socket.send_to(&buffer[..count], source);
    }
}

fn resolve(socket: &UdpSocket, names: &BTreeMap<String, Vec<IpAddr>>, ttl: u32, log: &Log) {
    let mut buffer = [0; 2048];
    while let Ok((count, source)) = socket.recv_from(&mut buffer) {
        let Ok(mut message) = Message::from_vec(&buffer[..count]) else { continue };
        let Some(query) = message.queries.first().cloned() else { continue };
        let name = query.name().to_ascii().trim_end_matches('.').to_ascii_lowercase();
        if let Ok(destination) = socket.local_addr() {
            record(log, arrived("dns", source, destination, Some(name.clone())));
        }
        message.metadata.message_type = MessageType::Response;
        message.metadata.recursion_available = true;
        match names.get(&name) {
            None => message.metadata.response_code = ResponseCode::NXDomain,
            Some(addresses) => {
                for address in addresses {
                    let data = match (query.query_type(), address) {
                        (RecordType::A, IpAddr::V4(address)) => RData::A((*address).into()),
                        (RecordType::AAAA, IpAddr::V6(address)) => RData::AAAA((*address).into()),
                        _ => continue,
                    };
                    message.add_answer(Record::from_rdata(query.name().clone(), ttl, data));
                }
            }
        }
        if let Ok(bytes) = message.to_vec() {
            let _ = socket.send_to(&bytes, source);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn echoes_and_records_what_arrives() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (reader, writer) = io::pipe().unwrap();
        let log: Log = Arc::new(Mutex::new(writer));
        thread::spawn(move || accept(&listener, &log));
        let mut lines = io::BufRead::lines(io::BufReader::new(reader));
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"ping").unwrap();
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"ping");
        let arrival: Arrival = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!((arrival.protocol.as_str(), arrival.source), ("tcp", stream.local_addr().unwrap()));
    }

    #[test]
    fn the_first_line_says_that_all_listeners_stand() {
        let (reader, writer) = io::pipe().unwrap();
        serve_internet(InternetSettings::default(), writer).unwrap();
        assert_eq!(io::read_to_string(reader).unwrap(), "{}\n");
    }
}
