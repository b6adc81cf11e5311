//! Where the server is for devices and owners, as rendezvous instructions and addresses say it.

use std::net::IpAddr;

use fdo::{Directive, Instruction, OwnerAddress, Protocol, RendezvousInfo, Transport};

use crate::app::{App, Failure};

/// Scheme, host and port of a URL.
struct Place {
    is_tls: bool,
    host: String,
    port: u16,
}

impl Place {
    fn of(url: &str) -> Option<Self> {
        let url: axum::http::Uri = url.parse().ok()?;
        let is_tls = match url.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let host = url.host()?.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = url.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let root = matches!(url.path(), "" | "/") && url.query().is_none();
        root.then_some(Self { is_tls, host, port })
    }

    fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    fn directive(&self, first: Option<Instruction>) -> Directive {
        let host = match self.ip() {
            Some(ip) => Instruction::IpAddress(ip),
            None => Instruction::Dns(self.host.clone()),
        };
        let protocol = if self.is_tls { Protocol::Https } else { Protocol::Http };
        let instructions = [
            host,
            Instruction::DevicePort(self.port),
            Instruction::OwnerPort(self.port),
            Instruction::Protocol(protocol),
        ];
        Directive { instructions: first.into_iter().chain(instructions).collect() }
    }
}

impl App {
    /// Where devices that are made here look for their owner.
    pub(super) fn rendezvous_of_devices(&self) -> Result<&RendezvousInfo, Failure> {
        self.rendezvous.as_ref().ok_or_else(no_place)
    }

    /// Where devices that were set up here look for their owner: by rendezvous, since they may be sold, and then right here.
    pub(super) fn rendezvous_of_owned(&self) -> Result<&RendezvousInfo, Failure> {
        self.rendezvous_of_owned.as_ref().ok_or_else(no_place)
    }

    /// Where this server answers devices as their owner.
    pub(crate) fn owner_addresses(&self) -> Result<Vec<OwnerAddress>, Failure> {
        let place = Place::of(&self.public_url).ok_or_else(no_place)?;
        let ip = place.ip();
        let dns = if ip.is_none() { Some(place.host.clone()) } else { None };
        let transport = if place.is_tls { Transport::Https } else { Transport::Http };
        Ok(vec![OwnerAddress { ip, dns, port: place.port, transport }])
    }
}

fn no_place() -> Failure {
    Failure::Fault("a URL of onboarding is none".to_owned())
}

/// Instructions to look at each of these servers, one after another.
pub(crate) fn rendezvous_at(urls: &[String]) -> Option<RendezvousInfo> {
    let directives: Option<Vec<Directive>> =
        urls.iter().map(|url| Place::of(url).map(|place| place.directive(None))).collect();
    directives.filter(|directives| !directives.is_empty()).map(|directives| RendezvousInfo { directives })
}

/// The same, and then to ask the owner itself.
pub(crate) fn rendezvous_and_owner(urls: &[String], owner: &str) -> Option<RendezvousInfo> {
    let mut info = rendezvous_at(urls).unwrap_or(RendezvousInfo { directives: Vec::new() });
    info.directives.push(Place::of(owner)?.directive(Some(Instruction::Bypass)));
    Some(info)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_become_instructions_with_everything_said() {
        let info = rendezvous_and_owner(&["https://rv.example".into()], "http://[::1]:8040/").unwrap();
        assert_eq!(
            info.directives,
            [
                Directive {
                    instructions: vec![
                        Instruction::Dns("rv.example".into()),
                        Instruction::DevicePort(443),
                        Instruction::OwnerPort(443),
                        Instruction::Protocol(Protocol::Https),
                    ]
                },
                Directive {
                    instructions: vec![
                        Instruction::Bypass,
                        Instruction::IpAddress("::1".parse().unwrap()),
                        Instruction::DevicePort(8040),
                        Instruction::OwnerPort(8040),
                        Instruction::Protocol(Protocol::Http),
                    ]
                },
            ]
        );
        for url in ["", "rv.example", "ftp://rv.example", "https://rv.example/path", "https://rv.example/?q"]
        {
            assert_eq!(rendezvous_at(&[url.into()]), None, "{url}");
        }
        assert_eq!(rendezvous_at(&[]), None);
    }
}
