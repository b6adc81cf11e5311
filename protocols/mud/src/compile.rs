//! From a file to its policy.
//!
//! A MUD file is written for packet filters without memory: two lists, one per direction, with mirrored entries. An
//! enforcer that keeps state needs something else, namely who may start which flow; answers follow the state. So an
//! entry of the list for one direction compiles to the start of a flow in that direction, except that
//!
//! * a TCP entry whose `direction-initiated` names the other end starts nothing (RFC 8520, section 4.8);
//! * an entry towards the device that only gives the remote's port, and mirrors an entry from the device, is the answer
//!   to it and starts nothing. Taken as a start, it would open every port of the device to a sender that merely picks
//!   its source port.
//!
//! Whatever cannot be compiled is left out, never widened. When the entry that is left out would have dropped packets,
//! the entries behind it are left out as well: the author meant them for what passed the first one.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::address::Family;
use crate::extensions::{SbomRetrieval, Transparency};
use crate::finding::{Finding, Rule, rules};
use crate::model::{Ace, AceBody, Acl, Direction, Forwarding, MudFile};
use crate::policy::{
    AceId, CONTROLLER_DNS, CONTROLLER_MANAGEMENT, CONTROLLER_NTP, Entry, Policy, Protocol, Remote, Verdict,
};
use crate::ports::Ports;
use starts::{Starts, starts};

mod starts;

const DNS_PORT: u16 = 53;
const NTP_PORT: u16 = 123;

/// A policy and what compiling it showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compiled {
    /// The policy.
    pub policy: Policy,
    /// Findings that depend on the direction in which a list is used. Their paths assume the canonical encoding.
    pub findings: Vec<Finding>,
}

/// Compiles a file. The same file always gives the same policy; what a selector stands for is up to the site.
pub fn compile(file: &MudFile) -> Compiled {
    let mut compiler = Compiler { starts: Vec::new(), findings: Vec::new() };
    let complete = compiler.direction(file, Direction::FromDevice);
    if complete {
        compiler.defaults();
    }
    let complete = compiler.direction(file, Direction::ToDevice);
    if complete {
        compiler.local_sbom(file);
    }
    compiler.drop_answers();
    compiler.finish()
}

struct Compiler {
    starts: Vec<Start>,
    findings: Vec<Finding>,
}

/// An entry and where its source stands in the file.
struct Start {
    entry: Entry,
    place: Option<Place>,
}

#[derive(Clone, Copy)]
struct Place {
    acl: usize,
    ace: usize,
}

impl Place {
    fn pointer(self) -> String {
        format!("/ietf-access-control-list:acls/acl/{}/aces/ace/{}", self.acl, self.ace)
    }
}

impl Compiler {
    /// Compiles all lists of one direction. False when it had to stop because a drop could not be compiled.
    fn direction(&mut self, file: &MudFile, direction: Direction) -> bool {
        let mut complete = true;
        for acl in file.policy(direction) {
            let acl_index = file.acls.iter().position(|a| a.name == acl.name).unwrap_or_default();
            for (ace_index, ace) in acl.aces.iter().enumerate() {
                let place = Place { acl: acl_index, ace: ace_index };
                complete = self.ace(acl, ace, place, direction, complete);
            }
        }
        complete
    }

    fn ace(&mut self, acl: &Acl, ace: &Ace, place: Place, direction: Direction, complete: bool) -> bool {
        let deny = ace.forwarding != Forwarding::Accept;
        let matches = match &ace.body {
            AceBody::Matches(matches) => matches,
            // Its finding was made when it was read.
            AceBody::Refused { .. } => return complete && !deny,
        };
        if !complete {
            let message = "left out, because it follows a drop that was left out";
            self.finding(&rules::BEHIND_REFUSED, place, message);
            return false;
        }
        match starts(acl, ace, matches, direction) {
            Ok(Starts::LinkLayer) => {
                self.finding(
                    &rules::LINK_LAYER,
                    place,
                    "matches no IP packet, so the policy has nothing for it",
                );
                true
            }
            Ok(Starts::Entries(entries)) => {
                self.starts.extend(entries.into_iter().map(|entry| Start { entry, place: Some(place) }));
                true
            }
            Err(refusal) => {
                self.finding(refusal.rule, place, refusal.message);
                !deny
            }
        }
    }

    /// Appends DNS and NTP (RFC 8520, section 5 and appendix A) after all entries of the file, so that a drop in the
    /// file wins. The appendix mirrors them toward the device; as answers, those start nothing here.
    fn defaults(&mut self) {
        for (class, port, name) in [(CONTROLLER_DNS, DNS_PORT, "dns"), (CONTROLLER_NTP, NTP_PORT, "ntp")] {
            for family in [Family::V4, Family::V6] {
                let entry = implied(Direction::FromDevice, family, class, (Protocol::Udp, port), name);
                let off =
                    self.starts.iter().find(|s| s.entry.verdict != Verdict::Accept && s.entry.covers(&entry));
                match off.map(|start| start.place) {
                    None => self.starts.push(Start { entry, place: None }),
                    Some(place) => {
                        let message = format!("switches off {name} over {}", family.name());
                        let path = place.map(Place::pointer).unwrap_or_default();
                        self.findings.push(Finding::new(&rules::DEFAULT_OFF, path, message));
                    }
                }
            }
        }
    }

    /// A device that serves its own bill of materials can be asked for it (RFC 9472): by the management of the site, and
    /// nobody else.
    fn local_sbom(&mut self, file: &MudFile) {
        let Some(Transparency { sbom: Some(SbomRetrieval::LocalWellKnown(scheme)), .. }) = &file.transparency
        else {
            return;
        };
        let service = match scheme.as_str() {
            "https" => (Protocol::Tcp, 443),
            "http" => (Protocol::Tcp, 80),
            "coaps" => (Protocol::Udp, 5684),
            _ => (Protocol::Udp, 5683),
        };
        for family in [Family::V4, Family::V6] {
            let entry = implied(Direction::ToDevice, family, CONTROLLER_MANAGEMENT, service, "sbom");
            self.starts.push(Start { entry, place: None });
        }
    }

    /// Removes entries toward the device that only repeat what the state of a flow from the device allows.
    fn drop_answers(&mut self) {
        let questions: Vec<Entry> = self
            .starts
            .iter()
            .map(|start| &start.entry)
            .filter(|e| e.direction == Direction::FromDevice && e.verdict == Verdict::Accept)
            .cloned()
            .collect();
        let findings = &mut self.findings;
        self.starts.retain(|Start { entry, place }| {
            let answer = entry.direction == Direction::ToDevice
                && entry.verdict == Verdict::Accept
                && entry.device_ports.is_any()
                && !entry.remote_ports.is_any();
            if !answer {
                return true;
            }
            let mirrored = questions.iter().any(|question| {
                question.family == entry.family
                    && question.protocol == entry.protocol
                    && question.remote.covers(&entry.remote)
                    && question.remote_ports.covers(&entry.remote_ports)
            });
            if !mirrored {
                let path = place.map(Place::pointer).unwrap_or_default();
                let message =
                    "no entry from the device asks, so all ports of the device are open to this answer";
                findings.push(Finding::new(&rules::ANSWER_ONLY, path, message.to_owned()));
            }
            !mirrored
        });
    }

    fn finish(mut self) -> Compiled {
        for Start { entry, place } in &self.starts {
            if let (Remote::Any, Verdict::Accept, Some(place)) = (&entry.remote, entry.verdict, place) {
                let message = format!("permits every {} address", entry.family.name());
                self.findings.push(Finding::new(&rules::ANY_REMOTE, place.pointer(), message));
            }
        }
        let entries = self.starts.into_iter().map(|start| start.entry).collect();
        Compiled { policy: Policy { entries }, findings: self.findings }
    }

    fn finding(&mut self, rule: &Rule, place: Place, message: impl Into<String>) {
        self.findings.push(Finding::new(rule, place.pointer(), message.into()));
    }
}

/// An entry that no file has to spell out. The port is that of the end that is called.
fn implied(direction: Direction, family: Family, class: &str, service: (Protocol, u16), name: &str) -> Entry {
    let (protocol, port) = service;
    let (remote_ports, device_ports) = match direction {
        Direction::FromDevice => (Ports::one(port), Ports::ANY),
        Direction::ToDevice => (Ports::ANY, Ports::one(port)),
    };
    Entry {
        direction,
        family,
        remote: Remote::Controller(class.to_owned()),
        protocol,
        remote_ports,
        device_ports,
        extra: None,
        tls: Vec::new(),
        verdict: Verdict::Accept,
        ace: AceId { acl: String::new(), ace: name.to_owned() },
        default: true,
    }
}

#[cfg(test)]
mod tests;
