//! Pieces of an envelope, or of a payload elsewhere, by HTTPS ranges: what a server may do wrong, it is told for.

use std::{fmt, io, io::Read as _, time::Instant};

use device_core::{PayloadSource, Transport};
use suit::{EnvelopeIndex, EnvelopeReader, PlatformError};
use ureq::{
    Agent, Body, BodyReader,
    http::{Response, StatusCode, header},
};

use crate::http::bearer;

/// Bytes asked for at once, so that a server has short answers to give and a broken one costs little.
const PIECE: u64 = 1 << 20;
/// A connection that brings less before it breaks is not worth another one at once. With the time that an exchange may
/// take it is also the slowest that a source may be.
const WORTHWHILE: u64 = 16 << 10;
/// The longest entity tag that is sent back.
const MAX_ETAG: usize = 256;

/// What went wrong with a download. Each has a stable word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// There was no connection, or it broke, and too little came of it.
    Broke,
    /// Nothing came for too long, or too little.
    Stalled,
    /// The answer ended before its end.
    Truncated,
    /// The answer went on behind its end.
    TooLong,
    /// The answer is of other bytes than were asked for.
    WrongRange,
    /// The whole has another length than was announced.
    WrongLength,
    /// The server sends everything, whatever is asked for.
    RangeIgnored,
    /// It is not the file any more that the download began with.
    Changed,
    /// The server wants other credentials.
    Unauthorized,
    /// The server does not have it, or not for this device.
    Withdrawn,
    /// The server answered with this status.
    Status(u16),
    /// The address is of a place that the device was not allowed to fetch from.
    Origin,
    /// The envelope is none, found when its head had come.
    Envelope(suit::Error),
    /// Something else is due first.
    Paused,
}

impl Fault {
    /// Stable word for logs, the status file and the server.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Broke => "connection-broke",
            Self::Stalled => "download-stalled",
            Self::Truncated => "answer-truncated",
            Self::TooLong => "answer-too-long",
            Self::WrongRange => "wrong-content-range",
            Self::WrongLength => "wrong-length",
            Self::RangeIgnored => "range-ignored",
            Self::Changed => "file-changed",
            Self::Unauthorized => "unauthorised",
            Self::Withdrawn => "withdrawn",
            Self::Status(_) => "server-error",
            Self::Origin => "origin-not-allowed",
            Self::Envelope(error) => error.code(),
            Self::Paused => "paused",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "the answer is {status}"),
            other => f.write_str(other.code()),
        }
    }
}

/// Where an envelope is, and what may be fetched beside it.
pub(crate) struct Download<'s> {
    agent: &'s Agent,
    /// The update server: only it gets the token.
    base: &'s str,
    url: &'s str,
    size: u64,
    token: &'s str,
    /// Other origins that payloads may come from.
    origins: &'s [String],
    /// When something else is due.
    pause_at: Option<Instant>,
    /// The tag of the envelope, as first seen.
    etag: Option<String>,
    transfer: Option<Transfer>,
    /// Bytes that came at all.
    came: u64,
    fault: Option<Fault>,
}

/// One payload on its way.
struct Transfer {
    url: String,
    /// Whether it is in the envelope, whose tag and length are known.
    of_envelope: bool,
    /// Where it ends in the file, once known.
    end: Option<u64>,
    /// The next byte of the file.
    at: u64,
    etag: Option<String>,
    piece: Option<Piece>,
}

/// An answer that is being read.
struct Piece {
    body: BodyReader<'static>,
    left: u64,
    came: u64,
}

impl<'s> Download<'s> {
    pub(crate) fn new(
        (agent, base): (&'s Agent, &'s str),
        (url, size): (&'s str, u64),
        token: &'s str,
        origins: &'s [String],
        pause_at: Option<Instant>,
    ) -> Self {
        let (etag, transfer, fault) = (None, None, None);
        Self { agent, base, url, size, token, origins, pause_at, etag, transfer, came: 0, fault }
    }

    /// What went wrong last.
    pub(crate) fn fault(&self) -> Option<Fault> {
        self.fault
    }

    /// Reads the head of the envelope, and where its payloads are.
    pub(crate) fn read_index(&mut self) -> Result<EnvelopeIndex, Fault> {
        let mut reader = EnvelopeReader::new(self.size);
        let mut buffer = Vec::new();
        // A head is short, and nothing of it is kept to go on from.
        let pause_at = self.pause_at.take();
        while let Some((offset, count)) = reader.wanted() {
            buffer.resize(count, 0);
            self.transfer = Some(Transfer {
                url: self.url.to_owned(),
                of_envelope: true,
                end: Some((offset + count as u64).min(self.size)),
                at: offset,
                etag: None,
                piece: None,
            });
            let mut filled = 0;
            while let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
                match self.next(room) {
                    Ok(0) => break,
                    Ok(came) => filled += came,
                    Err(fault) => return Err(self.note(fault)),
                }
            }
            let came = buffer.get(..filled).unwrap_or_default();
            let taken = if came.is_empty() { Err(Fault::WrongLength) } else { Ok(()) };
            let taken = taken.and_then(|()| reader.take(came).map_err(Fault::Envelope));
            taken.map_err(|fault| self.note(fault))?;
        }
        self.transfer = None;
        (self.pause_at, self.came) = (pause_at, 0);
        reader.finish().map_err(|error| self.note(Fault::Envelope(error)))
    }

    fn note(&mut self, fault: Fault) -> Fault {
        self.fault = Some(fault);
        self.transfer = None;
        fault
    }

    /// The next bytes of the transfer; none at its end.
    fn next(&mut self, buffer: &mut [u8]) -> Result<usize, Fault> {
        loop {
            let transfer = self.transfer.as_mut().ok_or(Fault::Broke)?;
            if transfer.end.is_some_and(|end| transfer.at >= end) {
                return Ok(0);
            }
            let Some(piece) = &mut transfer.piece else {
                // Something came before, so that every round goes on a little.
                let due = self.pause_at.is_some_and(|at| Instant::now() >= at);
                if due && self.came > 0 {
                    return Err(Fault::Paused);
                }
                self.ask()?;
                continue;
            };
            let room = usize::try_from(piece.left).unwrap_or(usize::MAX).min(buffer.len());
            match piece.body.read(buffer.get_mut(..room).unwrap_or_default()) {
                Ok(count) if count > 0 => {
                    let count_long = count as u64;
                    piece.left = piece.left.saturating_sub(count_long);
                    piece.came += count_long;
                    transfer.at += count_long;
                    self.came += count_long;
                    if piece.left == 0 {
                        let behind = piece.body.read(&mut [0]);
                        transfer.piece = None;
                        if matches!(behind, Ok(1..)) {
                            return Err(Fault::TooLong);
                        }
                    }
                    return Ok(count);
                }
                ended => {
                    let fault = match &ended {
                        Err(error) if error.kind() == io::ErrorKind::TimedOut => Fault::Stalled,
                        Err(error) if is_timeout(error) => Fault::Stalled,
                        _ => Fault::Truncated,
                    };
                    tracing::debug!(?ended, came = piece.came, "the answer broke");
                    let worthwhile = piece.came >= WORTHWHILE;
                    transfer.piece = None;
                    if !worthwhile {
                        return Err(fault);
                    }
                }
            }
        }
    }

    /// Asks for the next piece.
    fn ask(&mut self) -> Result<(), Fault> {
        let Some(transfer) = &mut self.transfer else { return Err(Fault::Broke) };
        let last = transfer.end.map_or(u64::MAX, |end| end - 1).min(transfer.at.saturating_add(PIECE - 1));
        let known = if transfer.of_envelope { &mut self.etag } else { &mut transfer.etag };
        let mut request = self.agent.get(&transfer.url);
        request = request.header(header::RANGE, format!("bytes={}-{last}", transfer.at));
        if origin(&transfer.url) == origin(self.base) {
            request = request.header(header::AUTHORIZATION, bearer(self.token));
        }
        if let Some(etag) = known.as_deref() {
            request = request.header(header::IF_RANGE, etag);
        }
        let response = request.call().map_err(|error| {
            tracing::debug!(%error, "no piece came");
            if matches!(error, ureq::Error::Timeout(_)) { Fault::Stalled } else { Fault::Broke }
        })?;
        let etag = strong_tag(&response);
        let changed = known.is_some() && *known != etag;
        match response.status() {
            StatusCode::PARTIAL_CONTENT if changed => return Err(Fault::Changed),
            StatusCode::PARTIAL_CONTENT => {}
            StatusCode::OK if changed => return Err(Fault::Changed),
            StatusCode::OK => return Err(Fault::RangeIgnored),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Err(Fault::Unauthorized),
            StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::RANGE_NOT_SATISFIABLE => {
                return Err(Fault::Withdrawn);
            }
            status => return Err(Fault::Status(status.as_u16())),
        }
        let (from, to, total) = content_range(&response).ok_or(Fault::WrongRange)?;
        if from != transfer.at || to < from || to > last {
            return Err(Fault::WrongRange);
        }
        let announced = if transfer.of_envelope { Some(self.size) } else { transfer.end };
        if announced.is_some_and(|announced| announced != total) || to >= total {
            return Err(Fault::WrongLength);
        }
        if known.is_none() {
            *known = etag;
        }
        transfer.end = transfer.end.or(Some(total));
        let (left, body) = (to - from + 1, response.into_body());
        let length = body.content_length();
        if length.is_some_and(|length| length != left) {
            return Err(if length < Some(left) { Fault::Truncated } else { Fault::TooLong });
        }
        let body = body.into_with_config().limit(u64::MAX).reader();
        transfer.piece = Some(Piece { body, left, came: 0 });
        Ok(())
    }

    /// Whether payloads may come from there: the update server itself, or an origin that was allowed by name.
    fn allows(&self, uri: &str) -> bool {
        let Some(wanted) = origin(uri) else { return false };
        let own = origin(self.base).into_iter();
        own.chain(self.origins.iter().filter_map(|allowed| origin(allowed))).any(|allowed| allowed == wanted)
    }
}

impl Transport for Download<'_> {
    fn permits(&self, source: PayloadSource<'_>) -> bool {
        match source {
            PayloadSource::Envelope { .. } => true,
            PayloadSource::Uri(uri) => self.allows(uri),
        }
    }

    fn open(&mut self, source: PayloadSource<'_>, offset: u64) -> Result<(), PlatformError> {
        self.fault = None;
        let (url, of_envelope, base, end) = match source {
            PayloadSource::Envelope { offset: start, len } => (self.url, true, start, Some(start + len)),
            PayloadSource::Uri(uri) if self.allows(uri) => (uri, false, 0, None),
            PayloadSource::Uri(_) => {
                self.note(Fault::Origin);
                return Err(PlatformError::Denied);
            }
        };
        let (etag, piece) = (None, None);
        let at = base.saturating_add(offset);
        self.transfer = Some(Transfer { url: url.to_owned(), of_envelope, end, at, etag, piece });
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, PlatformError> {
        self.next(buffer).map_err(|fault| match self.note(fault) {
            Fault::Paused => PlatformError::NotReady,
            _ => PlatformError::Transport,
        })
    }
}

/// The origin of an https address: host and port, without anything that could be taken for one.
fn origin(url: &str) -> Option<String> {
    let rest = url.strip_prefix("https://")?;
    let authority = rest.split(['/', '?', '#']).next().filter(|authority| !authority.is_empty())?;
    // A name before the host, or a character that others may read otherwise, is nothing that an author writes.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
    if !authority.bytes().all(plain) || !url.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    let has_port = authority.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
    }) && !authority.ends_with(']');
    let authority = authority.to_ascii_lowercase();
    Some(if has_port { authority } else { format!("{authority}:443") })
}

/// `bytes 0-99/200`.
fn content_range(response: &Response<Body>) -> Option<(u64, u64, u64)> {
    let range = response.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = range.strip_prefix("bytes ")?.split_once('/')?;
    let (from, to) = range.split_once('-')?;
    Some((from.parse().ok()?, to.parse().ok()?, total.parse().ok()?))
}

/// The entity tag, if it is one that says that two files are the same byte for byte (RFC 9110, section 8.8.3).
fn strong_tag(response: &Response<Body>) -> Option<String> {
    let tag = response.headers().get(header::ETAG)?.to_str().ok()?;
    (tag.starts_with('"') && tag.len() <= MAX_ETAG).then(|| tag.to_owned())
}

/// A timeout arrives as the cause of another error when it happens in a body.
fn is_timeout(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>());
    matches!(inner, Some(ureq::Error::Timeout(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_compared_whole_and_only_those_of_https() {
        for (url, wanted) in [
            ("https://Server:8443/x", Some("server:8443")),
            ("https://server/x?y#z", Some("server:443")),
            ("https://[2001:db8::1]/x", Some("[2001:db8::1]:443")),
            ("https://[2001:db8::1]:8443", Some("[2001:db8::1]:8443")),
            ("https://server:8443@evil.example/x", None),
            ("https://server:8443\\@evil.example/x", None),
            ("https://server:8443%2f@evil.example/x", None),
            ("https://ser ver/x", None),
            ("https:///x", None),
            ("http://server:8443/x", None),
            ("file:///etc/passwd", None),
            ("#app", None),
        ] {
            assert_eq!(origin(url).as_deref(), wanted, "{url}");
        }
    }

    #[test]
    fn only_the_server_and_named_origins_are_fetched_from() {
        let agent = Agent::config_builder().build().new_agent();
        let origins = ["https://mirror.example".to_owned()];
        let base = "https://server:8443";
        let download = Download::new((&agent, base), ("https://server:8443/r", 1), "token", &origins, None);
        for (uri, allowed) in [
            ("https://server:8443/app.bin", true),
            ("https://mirror.example/app.bin", true),
            ("https://mirror.example:443/app.bin", true),
            ("https://mirror.example:8443/app.bin", false),
            ("https://server/app.bin", false),
            ("https://169.254.169.254/latest", false),
            ("https://localhost/x", false),
            ("https://mirror.example.evil.example/x", false),
            ("http://mirror.example/app.bin", false),
        ] {
            assert_eq!(download.permits(PayloadSource::Uri(uri)), allowed, "{uri}");
        }
    }
}
