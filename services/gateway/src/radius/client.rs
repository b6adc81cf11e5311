//! Dynamic authorization: telling an access server what changed about a session (RFC 5176).

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::filter::Filter;
use super::packet::{Attribute, Code, Packet, RadiusError, Secret, attributes};
use crate::Mac;

/// An access server.
#[derive(Clone, Debug)]
pub struct DynamicAuthorization {
    /// Where it listens: UDP port 3799 unless it says otherwise.
    pub address: SocketAddr,
    /// What it and this gateway know.
    pub secret: Secret,
    /// How long the first answer may take. Each further try waits twice as long as the one before.
    pub patience: Duration,
}

/// The session of a device on an access server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The device's address on the link, which every access server knows.
    pub mac: Mac,
    /// Further names of the session, where they are known: User-Name, Acct-Session-Id, NAS-Port and the like.
    pub names: Vec<Attribute>,
}

/// What an access server answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It did what was asked.
    Done,
    /// It did nothing.
    Refused(Option<ErrorCause>),
}

/// Why an access server refused (RFC 5176, section 3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCause(pub u32);

impl std::fmt::Display for ErrorCause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let meaning = match self.0 {
            401 => "unsupported attribute",
            402 => "missing attribute",
            403 => "access server identification mismatch",
            404 => "invalid request",
            405 => "unsupported service",
            406 => "unsupported extension",
            407 => "invalid attribute value",
            501 => "administratively prohibited",
            503 => "session not found",
            504 => "session cannot be removed",
            506 => "resources unavailable",
            508 => "several sessions selected",
            _ => "unknown",
        };
        write!(f, "{meaning} ({})", self.0)
    }
}

impl DynamicAuthorization {
    /// The port of RFC 5176, section 2.2.
    pub const PORT: u16 = 3799;
    /// How often a request is sent before it counts as unanswered.
    pub const TRIES: u32 = 3;

    /// Gives a session other rules.
    pub fn change(&self, session: &Session, filter: &Filter) -> Result<Answer, RadiusError> {
        self.request(Code::CoaRequest, session, filter.attributes()?)
    }

    /// Gives a session a filter that the access server has under a name: where rules are too many for a packet.
    pub fn change_to(&self, session: &Session, filter_id: &str) -> Result<Answer, RadiusError> {
        let filter = Attribute::new(attributes::FILTER_ID, filter_id.as_bytes())?;
        self.request(Code::CoaRequest, session, vec![filter])
    }

    /// Ends a session. The device may try to begin another.
    pub fn disconnect(&self, session: &Session) -> Result<Answer, RadiusError> {
        self.request(Code::DisconnectRequest, session, Vec::new())
    }

    fn request(&self, code: Code, session: &Session, change: Vec<Attribute>) -> Result<Answer, RadiusError> {
        let failed = |what| move |source| RadiusError::Io { what, source };
        let any = if self.address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(any).map_err(failed("opening a socket for RADIUS"))?;
        // Only the access server is heard, on a port that nobody can foresee.
        socket.connect(self.address).map_err(failed("reaching the access server"))?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut identifier = [0];
        getrandom::fill(&mut identifier)
            .map_err(|error| RadiusError::Io { what: "drawing an identifier", source: error.into() })?;
        let [identifier] = identifier;
        let mut said = vec![
            Attribute::access_server(self.address.ip()),
            Attribute::calling_station(session.mac),
            Attribute::event_timestamp(now as u32),
        ];
        said.extend(session.names.iter().cloned());
        said.extend(change);
        let request = Packet { code, identifier, attributes: said }.encode_request(&self.secret)?;
        let mut patience = self.patience;
        for _ in 0..Self::TRIES {
            // The same octets each time, so that whoever did it already does not do it again.
            socket.send(&request).map_err(failed("sending to the access server"))?;
            if let Some(answer) = self.await_answer(&socket, code, &request, patience)? {
                return Ok(answer);
            }
            patience = patience.saturating_mul(2);
        }
        Err(RadiusError::NoAnswer)
    }

    /// Waits for an answer that is authentic. What else arrives is nobody's.
    fn await_answer(
        &self,
        socket: &UdpSocket,
        code: Code,
        request: &[u8],
        patience: Duration,
    ) -> Result<Option<Answer>, RadiusError> {
        let (positive, negative) = match code {
            Code::DisconnectRequest => (Code::DisconnectAck, Code::DisconnectNak),
            _ => (Code::CoaAck, Code::CoaNak),
        };
        let end = Instant::now() + patience;
        let mut buffer = [0; Packet::MAX_LEN];
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            let failed = |source| RadiusError::Io { what: "waiting for the access server", source };
            socket.set_read_timeout(Some(left)).map_err(failed)?;
            let length = match socket.recv(&mut buffer) {
                Ok(length) => length,
                Err(error) if is_timeout(&error) => return Ok(None),
                // Nobody listens there yet; that is told at once and may change.
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                    std::thread::sleep(left);
                    return Ok(None);
                }
                Err(error) => return Err(failed(error)),
            };
            let answer = buffer.get(..length).unwrap_or_default();
            let packet = match Packet::decode_answer(answer, request, &self.secret) {
                Ok(packet) => packet,
                Err(error) => {
                    tracing::debug!(%error, "a datagram that is no answer");
                    continue;
                }
            };
            if packet.code == positive {
                return Ok(Some(Answer::Done));
            }
            if packet.code == negative {
                return Ok(Some(Answer::Refused(packet.integer(attributes::ERROR_CAUSE).map(ErrorCause))));
            }
        }
    }
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
}
