use std::{collections::VecDeque, vec};

use fdo::{Credential, DeviceSecrets, Party, Pins, Redirect, Target, Unusable, Way};

use crate::{Client, Error, device::ask};

/// Where a device may find its owner. Whether it is the owner shows in TO2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The address.
    pub target: Target,
    /// The redirection that led there, which must be by the owner; none where the rendezvous information itself did.
    pub redirect: Option<Vec<u8>>,
    /// What the certificates there must be.
    pub pins: Pins,
}

/// What the search for the owner came to next.
#[derive(Debug)]
pub enum Finding {
    /// Here it may be.
    Candidate(Candidate),
    /// A rendezvous server did not help.
    Failed(Box<Error>),
    /// A directive, or an address in a redirection, is of no use.
    Unusable {
        /// Which directive, counted from none.
        directive: usize,
        /// Why.
        reason: Unusable,
    },
    /// All servers of a directive were asked: before the next one, this many seconds are to be waited, more or less a quarter.
    Wait {
        /// Which directive, counted from none.
        directive: usize,
        /// Seconds.
        seconds: u32,
    },
}

/// The search for an owner through all directives, once. A rendezvous server is asked only when what came before was of no
/// use: a server that misleads costs time, and the next one is asked.
pub struct Search<'a> {
    client: &'a Client,
    credential: &'a Credential,
    secrets: &'a dyn DeviceSecrets,
    ways: vec::IntoIter<Way>,
    current: Option<(Way, vec::IntoIter<Target>)>,
    found: VecDeque<Finding>,
}

/// Looks for the owner of a device, by TO1 or by the addresses that its credential has.
pub fn find_owner<'a>(
    client: &'a Client,
    credential: &'a Credential,
    secrets: &'a dyn DeviceSecrets,
) -> Search<'a> {
    let ways = credential.rendezvous.ways(Party::Device).into_iter();
    Search { client, credential, secrets, ways, current: None, found: VecDeque::new() }
}

impl Iterator for Search<'_> {
    type Item = Finding;

    fn next(&mut self) -> Option<Finding> {
        loop {
            if let Some(found) = self.found.pop_front() {
                return Some(found);
            }
            let Some((way, targets)) = &mut self.current else {
                self.begin()?;
                continue;
            };
            match targets.next() {
                None => {
                    let (directive, seconds) = (way.directive, way.delay);
                    self.current = None;
                    return Some(Finding::Wait { directive, seconds });
                }
                Some(target) if way.bypass => {
                    let pins = way.pins.clone();
                    return Some(Finding::Candidate(Candidate { target, redirect: None, pins }));
                }
                Some(target) => {
                    let (directive, pins) = (way.directive, way.pins.clone());
                    self.ask(directive, &target, &pins);
                }
            }
        }
    }
}

impl Search<'_> {
    /// Goes on to the next directive.
    fn begin(&mut self) -> Option<()> {
        let mut way = self.ways.next()?;
        let (directive, reason) = (way.directive, Unusable::NoAddress);
        match std::mem::replace(&mut way.targets, Err(reason)) {
            Ok(targets) => self.current = Some((way, targets.into_iter())),
            Err(reason) => self.found.push_back(Finding::Unusable { directive, reason }),
        }
        Some(())
    }

    /// Asks one rendezvous server.
    fn ask(&mut self, directive: usize, target: &Target, pins: &Pins) {
        let redirect = match ask(self.client, target, pins, self.credential, self.secrets) {
            Ok(redirect) => redirect,
            Err(error) => return self.found.push_back(Finding::Failed(Box::new(error))),
        };
        // It was decoded when it came.
        let addresses = Redirect::decode(&redirect).map(|redirect| redirect.addresses().to_vec());
        for address in addresses.unwrap_or_default() {
            match address.targets() {
                Ok(targets) => self.found.extend(targets.into_iter().map(|target| {
                    // What is pinned is the rendezvous server's certificate, not the owner's.
                    let (redirect, pins) = (Some(redirect.clone()), Pins::default());
                    Finding::Candidate(Candidate { target, redirect, pins })
                })),
                Err(reason) => self.found.push_back(Finding::Unusable { directive, reason }),
            }
        }
    }
}
