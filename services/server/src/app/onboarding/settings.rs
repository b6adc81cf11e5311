//! Where the server is for devices and owners, as rendezvous instructions and addresses say it.

use fdo::{Directive, Host, Instruction, OwnerAddress, Protocol, RendezvousInfo, Target};

use crate::app::{App, Failure};

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
        let target = Target::from_url(&self.public_url).map_err(|_| no_place())?;
        Ok(vec![OwnerAddress::of(target)])
    }
}

fn no_place() -> Failure {
    Failure::Fault("a URL of onboarding is none".to_owned())
}

/// Instructions to look at each of these servers, one after another.
pub(crate) fn rendezvous_at(urls: &[String]) -> Option<RendezvousInfo> {
    let directives: Option<Vec<Directive>> = urls.iter().map(|url| directive(url, None)).collect();
    directives.filter(|directives| !directives.is_empty()).map(|directives| RendezvousInfo { directives })
}

/// The same, and then to ask the owner itself.
pub(crate) fn rendezvous_and_owner(urls: &[String], owner: &str) -> Option<RendezvousInfo> {
    let mut info = rendezvous_at(urls).unwrap_or(RendezvousInfo { directives: Vec::new() });
    info.directives.push(directive(owner, Some(Instruction::Bypass))?);
    Some(info)
}

/// Everything is said, since readers differ in what they take for granted.
fn directive(url: &str, first: Option<Instruction>) -> Option<Directive> {
    let Target { tls, host, port } = Target::from_url(url).ok()?;
    let instructions = [
        match host {
            Host::Ip(ip) => Instruction::IpAddress(ip),
            Host::Name(name) => Instruction::Dns(name),
        },
        Instruction::DevicePort(port),
        Instruction::OwnerPort(port),
        Instruction::Protocol(if tls { Protocol::Https } else { Protocol::Http }),
    ];
    Some(Directive { instructions: first.into_iter().chain(instructions).collect() })
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
