//! MUD URLs (RFC 8520, section 1.5), authorities, and hosts.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use core::fmt;
use core::net::{IpAddr, Ipv6Addr};

/// Longest URL that is read. Emission over DHCP or LLDP leaves less than 255 octets (RFC 8520, sections 10 and 12).
pub const MAX_URL_BYTES: usize = 2048;
const HTTPS: &str = "https://";
const HTTPS_PORT: u16 = 443;

/// An absolute `https` URL, normalised: scheme and host in lower case, no trailing dot, no default port. Two URLs that
/// are equal here are the same MUD URL (RFC 8520, section 4.4).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MudUrl {
    text: String,
    /// Bytes of `text` before the path.
    origin: usize,
    port: u16,
}

/// The authority of a MUD URL, by which manufacturers are told apart (RFC 8520, section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authority<'a> {
    /// Host in lower case.
    pub host: &'a str,
    /// Port, 443 when the URL gives none.
    pub port: u16,
}

impl MudUrl {
    /// Reads a URL. `None` unless it is absolute, `https`, in ASCII and without user information: an IRI has to be
    /// mapped to a URI first (RFC 8520, section 11), and user information serves to mislead.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_URL_BYTES || !text.bytes().all(is_uri_byte) {
            return None;
        }
        let (scheme, rest) = text.split_at_checked(HTTPS.len())?;
        if !scheme.eq_ignore_ascii_case(HTTPS) {
            return None;
        }
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (host, port) = match authority.rfind(':') {
            // A colon inside of brackets belongs to an IPv6 address.
            Some(colon) if !authority.ends_with(']') => {
                let (host, port) = authority.split_at(colon);
                (host, parse_port(port.get(1..)?)?)
            }
            _ => (authority, HTTPS_PORT),
        };
        let host = normal_host(host)?;
        let mut normal = HTTPS.to_owned();
        normal.push_str(&host);
        if port != HTTPS_PORT {
            normal.push(':');
            normal.push_str(&port.to_string());
        }
        let origin = normal.len();
        normal.push_str(path);
        Some(Self { text: normal, origin, port })
    }

    /// The URL as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Host and port.
    pub fn authority(&self) -> Authority<'_> {
        let authority = self.origin().get(HTTPS.len()..).unwrap_or_default();
        let host = match self.port {
            HTTPS_PORT => authority,
            _ => authority.rfind(':').and_then(|colon| authority.get(..colon)).unwrap_or(authority),
        };
        Authority { host, port: self.port }
    }

    /// True when this is the default port, the only one a `manufacturer` match can mean.
    pub fn has_default_port(&self) -> bool {
        self.port == HTTPS_PORT
    }

    /// True when the URLs are equal up to their last path segment, which is how a manufacturer publishes a file for
    /// another version (acceptable-urls draft).
    pub fn same_folder(&self, other: &Self) -> bool {
        let tail = |url: &Self| {
            let path = url.text.split(['?', '#']).next().unwrap_or_default();
            url.text.get(path.len()..).map(ToOwned::to_owned)
        };
        let plain = |url: &Self| url.last_segment().is_some_and(is_plain_segment);
        self.folder() == other.folder() && tail(self) == tail(other) && plain(self) && plain(other)
    }

    /// Resolves a reference such as `mud-signature`, relative to this URL (RFC 3986, section 5). `None` when the result
    /// is not an https URL.
    pub fn join(&self, reference: &str) -> Option<Self> {
        let mut text = String::new();
        let before_path = reference.split(['/', '?', '#']).next().unwrap_or_default();
        if before_path.contains(':') {
            return Self::parse(reference);
        }
        if reference.starts_with("//") {
            text.push_str("https:");
        } else if reference.starts_with('/') {
            text.push_str(self.origin());
        } else if reference.is_empty() || reference.starts_with(['?', '#']) {
            text.push_str(self.text.split(['?', '#']).next().unwrap_or_default());
        } else {
            text.push_str(self.folder());
        }
        text.push_str(reference);
        Self::parse(&text)?.without_dot_segments()
    }

    fn origin(&self) -> &str {
        self.text.get(..self.origin).unwrap_or_default()
    }

    /// Everything up to and including the last slash of the path.
    fn folder(&self) -> &str {
        let path = self.text.split(['?', '#']).next().unwrap_or_default();
        match path.rfind('/') {
            Some(slash) if slash >= self.origin => path.get(..=slash).unwrap_or_default(),
            _ => self.origin(),
        }
    }

    fn last_segment(&self) -> Option<&str> {
        self.text.split(['?', '#']).next()?.get(self.folder().len()..)
    }

    fn without_dot_segments(self) -> Option<Self> {
        let rest = self.text.get(self.origin..).unwrap_or_default();
        let (path, tail) = rest.split_at(rest.find(['?', '#']).unwrap_or(rest.len()));
        let mut kept = alloc::vec::Vec::new();
        let mut segments = path.split('/').skip(1).peekable();
        while let Some(segment) = segments.next() {
            let last = segments.peek().is_none();
            match segment {
                "." => {}
                ".." => {
                    kept.pop();
                }
                _ => {
                    kept.push(segment);
                    continue;
                }
            }
            if last {
                kept.push("");
            }
        }
        let mut text = self.origin().to_owned();
        for segment in kept {
            text.push('/');
            text.push_str(segment);
        }
        text.push_str(tail);
        Self::parse(&text)
    }
}

impl fmt::Display for MudUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// `inet:host` (RFC 6991): a domain name, or an address. There are no wildcards.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Host {
    /// A domain name in lower case, without the trailing dot.
    Name(String),
    /// An address.
    Address(IpAddr),
}

impl Host {
    /// Reads a host.
    pub fn parse(text: &str) -> Option<Self> {
        match text.parse() {
            Ok(address) => Some(Self::Address(address)),
            Err(_) => domain_name(text).map(Self::Name),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(address) => address.fmt(f),
        }
    }
}

/// `inet:domain-name` (RFC 6991) in lower case and without the trailing dot. Names that look like IPv4 addresses but are
/// not (`1.2.3.4.5`, `192.0.2`) are refused: resolvers disagree on what they mean.
pub(crate) fn domain_name(text: &str) -> Option<String> {
    let name = text.strip_suffix('.').unwrap_or(text);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let numeric = name.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    (name.len() <= 253 && !numeric && name.split('.').all(label)).then(|| name.to_ascii_lowercase())
}

/// False for a path segment that some reader could take for a way up: dots, and dots and slashes behind percent signs.
pub(crate) fn is_plain_segment(segment: &str) -> bool {
    let lower = segment.to_ascii_lowercase();
    !matches!(segment, "." | "..") && !["%2e", "%2f", "%5c"].iter().any(|code| lower.contains(code))
}

fn normal_host(host: &str) -> Option<String> {
    if let Some(literal) = host.strip_prefix('[') {
        let address: Ipv6Addr = literal.strip_suffix(']')?.parse().ok()?;
        return Some(alloc::format!("[{address}]"));
    }
    Host::parse(host).map(|h| h.to_string()).filter(|h| !h.contains(':'))
}

fn parse_port(text: &str) -> Option<u16> {
    // An empty port is the default one (RFC 3986, section 3.2.3).
    if text.is_empty() {
        return Some(HTTPS_PORT);
    }
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|port| *port != 0)
}

/// Characters that may stand in a URI (RFC 3986, section 2); `@` is judged by the reader of the host.
fn is_uri_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> MudUrl {
        MudUrl::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn normalises_urls() {
        for (text, normal, host, port) in [
            ("https://maker.example/a", "https://maker.example/a", "maker.example", 443),
            ("HTTPS://Maker.Example.:443/A", "https://maker.example/A", "maker.example", 443),
            ("https://maker.example", "https://maker.example", "maker.example", 443),
            ("https://maker.example:8443?x", "https://maker.example:8443?x", "maker.example", 8443),
            ("https://maker.example:/a", "https://maker.example/a", "maker.example", 443),
            ("https://192.0.2.1/a", "https://192.0.2.1/a", "192.0.2.1", 443),
            ("https://[2001:DB8::1]:99/a", "https://[2001:db8::1]:99/a", "[2001:db8::1]", 99),
            ("https://[2001:db8::1]/a:b", "https://[2001:db8::1]/a:b", "[2001:db8::1]", 443),
        ] {
            let url = url(text);
            assert_eq!(url.as_str(), normal);
            assert_eq!(url.authority(), Authority { host, port });
            assert_eq!(MudUrl::parse(normal).as_ref(), Some(&url), "normal form is stable");
        }
    }

    #[test]
    fn refuses_what_is_no_mud_url() {
        for text in [
            "",
            "https://",
            "https:///a",
            "http://maker.example/a",
            "maker.example",
            "/a",
            "https:maker.example",
            "https://user@maker.example/",
            "https://maker.example@evil.example/",
            "https://maker.example:0/",
            "https://maker.example:65536/",
            "https://maker.example:4x/",
            "https://mak er.example/",
            "https://m\u{e4}ker.example/",
            "https://maker.example/\u{e4}",
            "https://-x.example/",
            "https://a..b/",
            "https://[::1/",
            "https://::1/",
            "https://*.example/",
            "https://1.2.3/",
            "https://maker.example/`id`",
            "https://maker.example/\n",
        ] {
            assert_eq!(MudUrl::parse(text), None, "{text}");
        }
    }

    #[test]
    fn url_length_is_bounded() {
        let mut text = String::from("https://maker.example/");
        text.extend(core::iter::repeat_n('a', MAX_URL_BYTES - text.len()));
        assert!(MudUrl::parse(&text).is_some());
        text.push('a');
        assert!(MudUrl::parse(&text).is_none());
    }

    #[test]
    fn resolves_references() {
        let base = url("https://maker.example/mud/cam/v2.json?x=1");
        for (reference, expected) in [
            ("v2.p7s", "https://maker.example/mud/cam/v2.p7s"),
            ("../sig/v2.p7s", "https://maker.example/mud/sig/v2.p7s"),
            ("../../../../x", "https://maker.example/x"),
            ("./", "https://maker.example/mud/cam/"),
            ("/x/./y/../z", "https://maker.example/x/z"),
            ("//other.example/x", "https://other.example/x"),
            ("https://other.example/x", "https://other.example/x"),
            ("?y", "https://maker.example/mud/cam/v2.json?y"),
        ] {
            assert_eq!(base.join(reference).map(|u| u.to_string()).as_deref(), Some(expected));
        }
        for reference in ["http://maker.example/x", "file:///etc/passwd", "x y", "//u@h/"] {
            assert_eq!(base.join(reference), None, "{reference}");
        }
        assert_eq!(
            url("https://m.example").join("/s").map(|u| u.to_string()).as_deref(),
            Some("https://m.example/s")
        );
    }

    #[test]
    fn compares_folders() {
        let old = url("https://maker.example/cam/v2.json");
        assert!(old.same_folder(&url("https://maker.example/cam/v3.json")));
        assert!(!old.same_folder(&url("https://maker.example/v3.json")));
        assert!(!old.same_folder(&url("https://other.example/cam/v2.json")));
        assert!(!old.same_folder(&url("https://maker.example:8443/cam/v2.json")));
        assert!(!old.same_folder(&url("https://maker.example/cam/v3.json?x")));
        assert!(!old.same_folder(&url("https://maker.example/cam/..")));
        assert!(!old.same_folder(&url("https://maker.example/cam/..%2Fv1.json")));
        assert!(!url("https://maker.example/cam/..").same_folder(&old));
    }

    #[test]
    fn reads_hosts() {
        assert_eq!(Host::parse("API.Maker.Example."), Some(Host::Name("api.maker.example".into())));
        assert_eq!(Host::parse("192.0.2.80"), Some(Host::Address("192.0.2.80".parse().expect("address"))));
        assert_eq!(Host::parse("2001:db8::1"), Some(Host::Address("2001:db8::1".parse().expect("address"))));
        assert_eq!(Host::parse("_ntp._udp.example"), Some(Host::Name("_ntp._udp.example".into())));
        for text in ["", ".", "a..b", "*.example", "a b", "1.2.3", "300.1.1.1", "x.example/24", "xn--\u{e4}"]
        {
            assert_eq!(Host::parse(text), None, "{text}");
        }
    }
}
