//! Bringing a MUD file over HTTPS (RFC 8520, section 1.6). The URL comes from a device, so whom the gateway talks to is
//! checked for each address, right before the connection.

use std::fmt;
use std::fs;
use std::io::{self, Read as _};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::path::Path;
use std::time::{Duration, Instant};

use mud::{Head, Host, IpPrefix, MAX_FILE_BYTES, MudUrl, Redirect, RedirectFault, is_public, redirect};
use ureq::config::Config;
use ureq::http::{Uri, header};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Error};
use x509::cms::MAX_SIGNED_DATA_LEN;

use super::settings::{OperatorFile, Sources};
use crate::control::StartError;
use crate::tls;

/// A file and its signature, as received. Nobody vouches for either.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The file.
    pub file: Vec<u8>,
    /// What lies at the place that it names for its signature.
    pub signature: Option<Vec<u8>>,
    /// `ETag` of the file.
    pub etag: Option<String>,
    /// `max-age` of the file, in seconds.
    pub max_age: Option<u32>,
}

/// What a fetch brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Brought {
    /// A file.
    File(Fetched),
    /// The file is the one that was brought before.
    Unchanged {
        /// `max-age`, in seconds.
        max_age: Option<u32>,
    },
}

/// Why a fetch brought nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Sort of the fault.
    pub kind: FaultKind,
    /// About what: an address, a status, a place.
    pub detail: String,
}

/// Sort of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The URL, a redirection or the name in one of them leads to an address that is not public.
    Internal,
    /// The name has no address.
    Name,
    /// No connection.
    Connect,
    /// The web server's certificate does not lead to an issuer that is believed, or is for another name.
    Certificate,
    /// It took too long.
    Timeout,
    /// The web server has no such file.
    Absent,
    /// Another status than success.
    Status,
    /// More bytes than a file or signature may have.
    TooLarge,
    /// More redirections than are followed.
    Redirects,
    /// A redirection to something that is not HTTPS.
    NotHttps,
    /// The file moved for good to another authority: a person has to look at it.
    Moved,
    /// The bytes are no MUD file, so that nobody knows where its signature is.
    NoFile,
    /// A file of the operator cannot be read.
    Unreadable,
}

impl FaultKind {
    /// Stable name.
    pub fn code(self) -> &'static str {
        match self {
            Self::Internal => "mud-fetch-internal",
            Self::Name => "mud-fetch-name",
            Self::Connect => "mud-fetch-connect",
            Self::Certificate => "mud-fetch-certificate",
            Self::Timeout => "mud-fetch-timeout",
            Self::Absent => "mud-fetch-absent",
            Self::Status => "mud-fetch-status",
            Self::TooLarge => "mud-fetch-too-large",
            Self::Redirects => "mud-fetch-redirects",
            Self::NotHttps => "mud-fetch-not-https",
            Self::Moved => "mud-fetch-moved",
            Self::NoFile => "mud-fetch-no-file",
            Self::Unreadable => "mud-file-unreadable",
        }
    }
}

/// Asks what addresses a name has.
pub trait Lookup: Send + Sync {
    /// Addresses of a host, with the port.
    fn look_up(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// The resolver of the machine.
#[derive(Clone, Copy, Debug)]
pub struct SystemResolver;

impl Lookup for SystemResolver {
    fn look_up(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok((host, port).to_socket_addrs()?.collect())
    }
}

/// Brings files. Each with its own time limit; nothing is kept between two.
pub struct Fetcher {
    agent: Agent,
    allowed: Vec<IpPrefix>,
}

impl Fetcher {
    /// How long one file and its signature may take, redirections included.
    pub const LIMIT: Duration = Duration::from_secs(15);

    /// A fetcher by the settings.
    ///
    /// # Errors
    /// When there are no issuers by which web servers could be believed.
    pub fn new(sources: &Sources, lookup: impl Lookup + 'static) -> Result<Self, StartError> {
        let issuers = sources.tls_ca.as_deref().unwrap_or(Path::new(SYSTEM_ISSUERS));
        let config = Agent::config_builder()
            .tls_config(tls::believing(issuers)?)
            .https_only(true)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_idle_connections(0)
            .proxy(None)
            .user_agent(USER_AGENT)
            .build();
        let allowed = sources.announced.allow_private.clone();
        let resolver = Guard { lookup: Box::new(lookup), allowed: allowed.clone() };
        Ok(Self { agent: Agent::with_parts(config, DefaultConnector::default(), resolver), allowed })
    }

    /// Brings the file at a place with its signature. `signed_at` says where the signature of a file is.
    ///
    /// # Errors
    /// Whatever came in between. What was known before is as good as it was.
    pub fn fetch(
        &self,
        url: &MudUrl,
        etag: Option<&str>,
        signed_at: impl FnOnce(&Head) -> Option<MudUrl>,
    ) -> Result<Brought, Fault> {
        let end = Instant::now() + Self::LIMIT;
        let limit = u64::try_from(MAX_FILE_BYTES).unwrap_or(u64::MAX);
        let answer = self.get(url, MUD_TYPE, etag, limit, end)?;
        let Some(file) = answer.body else { return Ok(Brought::Unchanged { max_age: answer.max_age }) };
        // Its signature is looked at before anything else of it (section 13.2).
        let head = Head::read(&file).map_err(|error| Fault::new(FaultKind::NoFile, error))?;
        let signature = match signed_at(&head) {
            None => None,
            Some(place) => {
                let limit = u64::try_from(MAX_SIGNED_DATA_LEN).unwrap_or(u64::MAX);
                match self.get(&place, SIGNATURE_TYPE, None, limit, end) {
                    Ok(answer) => answer.body,
                    Err(Fault { kind: FaultKind::Absent, .. }) => None,
                    Err(fault) => return Err(fault),
                }
            }
        };
        Ok(Brought::File(Fetched { file, signature, etag: answer.etag, max_age: answer.max_age }))
    }

    /// One GET, with redirections.
    fn get(
        &self,
        url: &MudUrl,
        accept: &str,
        etag: Option<&str>,
        limit: u64,
        end: Instant,
    ) -> Result<Answer, Fault> {
        let mut url = url.clone();
        let mut followed = 0;
        loop {
            if !self.may_go(&url) {
                return Err(Fault::new(FaultKind::Internal, &url));
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Fault::new(FaultKind::Timeout, &url));
            }
            let mut request = self.agent.get(url.as_str()).header(header::ACCEPT, accept);
            request = request.header(header::ACCEPT_LANGUAGE, LANGUAGE);
            if let Some(etag) = etag {
                request = request.header(header::IF_NONE_MATCH, etag);
            }
            let request = request.config().timeout_global(Some(left)).build();
            let mut answer = request.call().map_err(|error| fault(&error, &url))?;
            let text = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
            let max_age = text(header::CACHE_CONTROL).and_then(max_age);
            let tag = text(header::ETAG).filter(|tag| tag.len() <= MAX_ETAG).map(str::to_owned);
            match answer.status().as_u16() {
                200 => {
                    let body = answer.body_mut().with_config().limit(limit).reader();
                    let mut bytes = Vec::new();
                    body.take(limit + 1).read_to_end(&mut bytes).map_err(|error| reading(&error, &url))?;
                    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
                        return Err(Fault::new(FaultKind::TooLarge, &url));
                    }
                    return Ok(Answer { body: Some(bytes), etag: tag, max_age });
                }
                304 if etag.is_some() => return Ok(Answer { body: None, etag: None, max_age }),
                404 | 410 => return Err(Fault::new(FaultKind::Absent, &url)),
                status => {
                    let location = text(header::LOCATION).unwrap_or_default();
                    url = match self.redirect(&url, status, location, followed) {
                        Redirect::Follow(target) => target,
                        Redirect::Hold(target) => return Err(Fault::new(FaultKind::Moved, target)),
                        Redirect::Refuse(fault) => {
                            let kind = match fault {
                                RedirectFault::TooMany => FaultKind::Redirects,
                                RedirectFault::NotHttps => FaultKind::NotHttps,
                                RedirectFault::Internal => FaultKind::Internal,
                                _ => return Err(Fault::new(FaultKind::Status, status)),
                            };
                            return Err(Fault::new(
                                kind,
                                location.chars().take(MAX_SHOWN).collect::<String>(),
                            ));
                        }
                    };
                    followed += 1;
                }
            }
        }
    }

    /// As the decision of the protocol, where the site allows addresses of its own.
    fn redirect(&self, from: &MudUrl, status: u16, location: &str, followed: usize) -> Redirect {
        let judged = redirect(from, status, location, followed);
        match (&judged, from.join(location)) {
            (Redirect::Refuse(RedirectFault::Internal), Some(target)) if self.may_go(&target) => {
                if target.authority() == from.authority() || !matches!(status, 301 | 308) {
                    Redirect::Follow(target)
                } else {
                    Redirect::Hold(target)
                }
            }
            _ => judged,
        }
    }

    /// A host that is written as an address has to be public, too.
    fn may_go(&self, url: &MudUrl) -> bool {
        let host = url.authority().host;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        match Host::parse(bare) {
            Some(Host::Address(address)) => may_meet(address, &self.allowed),
            _ => !url.is_internal(),
        }
    }
}

/// Reads a file of the operator from the disk.
///
/// # Errors
/// When it cannot be read, or is larger than a file may be.
pub fn read_file(file: &OperatorFile) -> Result<Brought, Fault> {
    let read = |path: &Path, limit: usize| {
        let unreadable = |error: &dyn fmt::Display| {
            Fault::new(FaultKind::Unreadable, format!("{}: {error}", path.display()))
        };
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        let mut bytes = Vec::new();
        let opened = fs::File::open(path).map_err(|error| unreadable(&error))?;
        opened.take(limit + 1).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
            return Err(Fault::new(FaultKind::TooLarge, path.display()));
        }
        Ok(bytes)
    };
    let signature = file.signature.as_ref().map(|path| read(path, MAX_SIGNED_DATA_LEN)).transpose()?;
    let file = read(&file.path, MAX_FILE_BYTES)?;
    Ok(Brought::File(Fetched { file, signature, etag: None, max_age: None }))
}

struct Answer {
    body: Option<Vec<u8>>,
    etag: Option<String>,
    max_age: Option<u32>,
}

impl Fault {
    pub(super) fn new(kind: FaultKind, detail: impl fmt::Display) -> Self {
        Self { kind, detail: detail.to_string() }
    }
}

/// Gives the connector the addresses of a name: all of them may be talked to, or none is.
struct Guard {
    lookup: Box<dyn Lookup>,
    allowed: Vec<IpPrefix>,
}

impl Resolver for Guard {
    fn resolve(&self, uri: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let host = uri.host().ok_or(Error::HostNotFound)?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let found = self.lookup.look_up(host, uri.port_u16().unwrap_or(HTTPS)).unwrap_or_default();
        if found.is_empty() {
            return Err(Error::HostNotFound);
        }
        if let Some(inside) = found.iter().find(|found| !may_meet(found.ip(), &self.allowed)) {
            return Err(Error::Other(Box::new(NotPublic(inside.ip()))));
        }
        let mut addresses = self.empty();
        found.into_iter().take(MAX_ADDRESSES).for_each(|address| addresses.push(address));
        Ok(addresses)
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Guard({:?})", self.allowed)
    }
}

/// A name has an address that is not public.
#[derive(Debug, thiserror::Error)]
#[error("{0} is not public")]
struct NotPublic(IpAddr);

fn may_meet(address: IpAddr, allowed: &[IpPrefix]) -> bool {
    let address = address.to_canonical();
    is_public(address) || allowed.iter().any(|prefix| prefix.contains(address))
}

/// What went wrong before there was an answer.
fn fault(error: &Error, url: &MudUrl) -> Fault {
    let kind = match error {
        Error::Other(inner) => match inner.downcast_ref::<NotPublic>() {
            Some(not_public) => return Fault::new(FaultKind::Internal, not_public),
            None => FaultKind::Connect,
        },
        Error::HostNotFound => FaultKind::Name,
        Error::Timeout(_) => FaultKind::Timeout,
        Error::Tls(_) | Error::Rustls(_) => FaultKind::Certificate,
        Error::BodyExceedsLimit(_) => FaultKind::TooLarge,
        Error::Io(error) => return reading(error, url),
        _ => FaultKind::Connect,
    };
    Fault::new(kind, error)
}

/// What went wrong on the connection.
fn reading(error: &io::Error, url: &MudUrl) -> Fault {
    let inner = error.get_ref();
    if let Some(inner) = inner.and_then(|inner| inner.downcast_ref::<Error>()) {
        // Its own kind of error, wrapped for a reader.
        return match inner {
            Error::Io(inner) => Fault::new(FaultKind::Connect, inner),
            other => fault(other, url),
        };
    }
    let kind = if inner.is_some_and(|inner| inner.is::<rustls::Error>()) {
        FaultKind::Certificate
    } else {
        match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => FaultKind::Timeout,
            _ => FaultKind::Connect,
        }
    };
    Fault::new(kind, error)
}

/// The period of `Cache-Control` (RFC 9111, section 5.2.2.1).
fn max_age(text: &str) -> Option<u32> {
    let mut directives = text.split(',').map(str::trim);
    directives.find_map(|directive| {
        let (name, value) = directive.split_once('=')?;
        let value = value.trim_matches('"');
        let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        // A number that is too large counts as the largest (section 1.2.2).
        (name.eq_ignore_ascii_case("max-age") && digits).then(|| value.parse().unwrap_or(u32::MAX))
    })
}

/// Media type of MUD files (RFC 8520, section 17.5).
const MUD_TYPE: &str = "application/mud+json";
/// Media type of their signatures (RFC 8520, section 13.1).
const SIGNATURE_TYPE: &str = "application/pkcs7-signature";
const LANGUAGE: &str = "en";
const USER_AGENT: &str = concat!("sextant-gateway/", env!("CARGO_PKG_VERSION"));
/// Issuers of web servers that the machine believes.
const SYSTEM_ISSUERS: &str = "/etc/ssl/certs/ca-certificates.crt";
const HTTPS: u16 = 443;
/// Addresses of one name that are tried.
const MAX_ADDRESSES: usize = 16;
/// Longest entity tag that is kept, in bytes.
const MAX_ETAG: usize = 256;
/// Characters of a location that are shown.
const MAX_SHOWN: usize = 256;
