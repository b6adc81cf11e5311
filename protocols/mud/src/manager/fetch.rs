//! From where a file may be fetched: redirections, and addresses that no URL of a device may lead to.

use core::net::IpAddr;

use crate::address::is_internal;
use crate::url::{Host, MudUrl};

/// Redirections that are followed for one file.
pub const MAX_REDIRECTS: usize = 5;

/// What to do about a redirection (RFC 8520, section 1.6; acceptable-urls draft).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redirect {
    /// Go there.
    Follow(MudUrl),
    /// The file has moved for good, and to another authority: a person has to look at it. Not a failure to fetch.
    Hold(MudUrl),
    /// Do not go there.
    Refuse(RedirectFault),
}

/// Why a redirection is not followed.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedirectFault {
    /// The status is none that leads elsewhere.
    Status,
    /// [`MAX_REDIRECTS`] were followed already.
    TooMany,
    /// It does not lead to an https URL.
    NotHttps,
    /// It leads to an address inside of the network.
    Internal,
}

/// Judges the answer `status` with this `Location` to a request for `from`, after so many redirections.
pub fn redirect(from: &MudUrl, status: u16, location: &str, followed: usize) -> Redirect {
    let (moved, leads) = match status {
        301 | 308 => (true, true),
        302 | 303 | 307 => (false, true),
        _ => (false, false),
    };
    if !leads {
        return Redirect::Refuse(RedirectFault::Status);
    }
    if followed >= MAX_REDIRECTS {
        return Redirect::Refuse(RedirectFault::TooMany);
    }
    let Some(target) = from.join(location) else { return Redirect::Refuse(RedirectFault::NotHttps) };
    if target.is_internal() {
        return Redirect::Refuse(RedirectFault::Internal);
    }
    if moved && target.authority() != from.authority() {
        return Redirect::Hold(target);
    }
    Redirect::Follow(target)
}

/// True for addresses that a public name or a URL from outside may lead to. What a name resolves to has to be asked right
/// before the connection: a device that chooses its URL must not choose whom the manager talks to.
pub fn is_public(address: IpAddr) -> bool {
    !is_internal(address)
}

impl MudUrl {
    /// True when the host is an address inside of a network, of this machine, or a name for it (RFC 6761, section 6.3).
    pub fn is_internal(&self) -> bool {
        let host = self.authority().host;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        match Host::parse(bare) {
            Some(Host::Address(address)) => is_internal(address),
            Some(Host::Name(name)) => name == "localhost" || name.ends_with(".localhost"),
            None => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> MudUrl {
        MudUrl::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn follows_to_https_and_asks_before_moving_house() {
        use Redirect::{Follow, Hold, Refuse};
        let from = url("https://maker.example/cam/v2.json");
        for (status, location, followed, expected) in [
            (302, "/new/v2.json", 0, Follow(url("https://maker.example/new/v2.json"))),
            (303, "v3.json", 4, Follow(url("https://maker.example/cam/v3.json"))),
            (307, "https://cdn.example/v2.json", 0, Follow(url("https://cdn.example/v2.json"))),
            (301, "https://Maker.Example:443/v2.json", 0, Follow(url("https://maker.example/v2.json"))),
            (301, "https://other.example/v2.json", 0, Hold(url("https://other.example/v2.json"))),
            (308, "https://maker.example:8443/", 0, Hold(url("https://maker.example:8443/"))),
            (302, "/x", MAX_REDIRECTS, Refuse(RedirectFault::TooMany)),
            (302, "http://maker.example/v2.json", 0, Refuse(RedirectFault::NotHttps)),
            (302, "file:///etc/passwd", 0, Refuse(RedirectFault::NotHttps)),
            (302, "https://user@maker.example/", 0, Refuse(RedirectFault::NotHttps)),
            (302, "https://127.0.0.1/", 0, Refuse(RedirectFault::Internal)),
            (302, "https://[::1]/", 0, Refuse(RedirectFault::Internal)),
            (301, "https://10.0.0.1/", 0, Refuse(RedirectFault::Internal)),
            (302, "https://localhost:8443/", 0, Refuse(RedirectFault::Internal)),
            (304, "/x", 0, Refuse(RedirectFault::Status)),
            (300, "/x", 0, Refuse(RedirectFault::Status)),
            (200, "/x", 0, Refuse(RedirectFault::Status)),
        ] {
            assert_eq!(redirect(&from, status, location, followed), expected, "{status} {location}");
        }
    }

    #[test]
    fn no_address_inside_is_public() {
        for (address, public) in [
            ("192.0.2.1", true),
            ("2001:db8::1", true),
            ("100.128.0.1", true),
            ("172.32.0.1", true),
            ("::ffff:192.0.2.1", true),
            ("0.0.0.0", false),
            ("10.0.0.1", false),
            ("100.64.0.1", false),
            ("127.0.0.1", false),
            ("169.254.169.254", false),
            ("172.16.0.1", false),
            ("192.168.1.1", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("::", false),
            ("::1", false),
            ("fe80::1", false),
            ("fd00::1", false),
            ("ff02::1", false),
            ("::ffff:127.0.0.1", false),
            // Addresses of IPv4 that are written in IPv6 (RFC 6052, RFC 3056).
            ("64:ff9b::10.0.0.1", false),
            ("64:ff9b::192.0.2.1", true),
            ("2002:7f00:1::1", false),
            ("2002:c000:201::1", true),
        ] {
            assert_eq!(is_public(address.parse().expect("an address")), public, "{address}");
        }
    }
}
