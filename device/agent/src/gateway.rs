use std::{fs, net::Ipv4Addr};

use api::COSE;
use device_core::NotSigned;
use ureq::{
    Agent,
    http::{StatusCode, header},
};

use crate::{
    Error,
    http::{AdmissionNonce, Failure, answer, failed, limited},
};

const ADMISSION: &str = "/.well-known/sextant/admission";
/// Where gateways listen on their LAN side.
const PORT: u16 = 8480;
/// The routes of this machine.
const ROUTES: &str = "/proc/net/route";

/// The gateway of the LAN, over plain HTTP: what is said is signed, and about the address it is said from.
#[derive(Debug)]
pub(crate) struct Gateway {
    agent: Agent,
    /// Fixed addresses; without any it is the gateway of the default route.
    bases: Vec<String>,
}

impl Gateway {
    /// The gateway of options: URLs, `none`, or nothing for the default route's. It knows a device by the addresses that
    /// the device proves itself from, so one that uses both families has a URL for each.
    pub(crate) fn new(options: &[String]) -> Result<Option<Self>, Error> {
        if options == ["none"] {
            return Ok(None);
        }
        if let Some(url) = options.iter().find(|url| !url.starts_with("http://")) {
            return Err(Error::Usage(format!("--gateway is neither an http URL nor none: {url}")));
        }
        let bases = options.iter().map(|url| url.trim_end_matches('/').to_owned()).collect();
        // Admissions are far apart: a connection kept for the next one would be closed by then.
        let config = limited(Agent::config_builder()).max_idle_connections(0);
        Ok(Some(Self { agent: config.build().new_agent(), bases }))
    }

    /// At each address: asks for a nonce, has it answered, and hands the answer in.
    pub(crate) fn admit(&self, sign: impl Fn(&[u8]) -> Result<Vec<u8>, NotSigned>) -> Result<(), Failure> {
        if self.bases.is_empty() {
            let base = default_route().ok_or_else(|| failed("there is no default route"))?;
            return self.admit_at(&base, &sign);
        }
        self.bases.iter().try_for_each(|base| self.admit_at(base, &sign))
    }

    fn admit_at(
        &self,
        base: &str,
        sign: impl Fn(&[u8]) -> Result<Vec<u8>, NotSigned>,
    ) -> Result<(), Failure> {
        let url = format!("{base}{ADMISSION}");
        let challenge: AdmissionNonce = answer(self.agent.get(&url).call()?, StatusCode::OK)?;
        let message = sign(&challenge.nonce.0);
        let message =
            message.map_err(|NotSigned { code }| failed(&format!("the key does not sign: {code}")))?;
        let mut response = self.agent.post(&url).header(header::CONTENT_TYPE, COSE).send(&message[..])?;
        match response.status() {
            StatusCode::NO_CONTENT => Ok(()),
            status => {
                let body = response.body_mut().with_config().limit(MAX_PROBLEM).read_to_string();
                Err(failed(&format!("the answer is {status}: {}", body.unwrap_or_default().trim())))
            }
        }
    }
}

/// The most that is read of why a gateway refuses.
const MAX_PROBLEM: u64 = 4096;

fn default_route() -> Option<String> {
    gateway_of(&fs::read_to_string(ROUTES).ok()?).map(|address| format!("http://{address}:{PORT}"))
}

/// The gateway of the first default route: destination, gateway and mask are in the byte order of the machine.
fn gateway_of(routes: &str) -> Option<Ipv4Addr> {
    routes.lines().skip(1).find_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let (destination, gateway) = (fields.next()?, fields.next()?);
        let gateway = u32::from_str_radix(gateway, 16).ok().filter(|gateway| *gateway != 0)?;
        (destination == "00000000").then(|| Ipv4Addr::from(gateway.to_ne_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_gateway_of_the_default_route() {
        let gateway = u32::from_ne_bytes([192, 0, 2, 1]);
        let routes = format!(
            "Iface\tDestination\tGateway\tFlags\n\
             eth0\t{:08X}\t00000000\t0001\n\
             eth0\t00000000\t{gateway:08X}\t0003\n",
            u32::from_ne_bytes([192, 0, 2, 0]),
        );
        assert_eq!(gateway_of(&routes), Some(Ipv4Addr::new(192, 0, 2, 1)));
        assert_eq!(gateway_of("Iface\tDestination\tGateway\n"), None);
    }

    #[test]
    fn takes_urls_none_and_nothing() {
        let of =
            |options: &[&str]| Gateway::new(&options.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert!(of(&["none"]).unwrap().is_none());
        assert!(of(&[]).unwrap().unwrap().bases.is_empty());
        let both = of(&["http://192.0.2.1:8480/", "http://[2001:db8::1]:8480"]).unwrap().unwrap();
        assert_eq!(both.bases, ["http://192.0.2.1:8480", "http://[2001:db8::1]:8480"]);
        assert!(of(&["192.0.2.1"]).is_err());
        assert!(of(&["http://192.0.2.1", "none"]).is_err());
    }
}
