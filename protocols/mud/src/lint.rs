//! Advice about a file as a whole (RFC 8520): what an author should change, and what an administrator should know.
//! Advice about single nodes is given where they are read.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::decode::Context;
use crate::extensions;
use crate::finding::{Finding, Rule, Severity, rules};
use crate::model::{AceBody, Direction, Forwarding, MudFile, is_displayable};

/// Columns of a display that `systeminfo` may take (section 3.7).
const SYSTEMINFO_COLUMNS: usize = 60;
/// Hours below which `cache-validity` should not be (section 3.5).
const SHORTEST_CACHE_VALIDITY: u8 = 24;
/// Extensions of the IETF.
const STANDARD_EXTENSIONS: [&str; 2] = [extensions::TRANSPARENCY, extensions::TLS_PROFILE];
/// Extensions that are understood although they are no standards.
const PRIVATE_EXTENSIONS: [&str; 4] =
    [extensions::OWNERSHIP, extensions::REPORTER, extensions::QUARANTINE, extensions::MASA];

pub(crate) fn lint(file: &MudFile, context: &Context<'_>, findings: &mut Vec<Finding>) {
    let mut linter = Linter { file, findings };
    linter.support();
    linter.signature();
    linter.texts();
    linter.revisions(context);
    linter.extensions();
    linter.policies();
    linter.lists();
}

struct Linter<'l> {
    file: &'l MudFile,
    findings: &'l mut Vec<Finding>,
}

impl Linter<'_> {
    fn support(&mut self) {
        if !self.file.is_supported {
            let message = "the maker issues no more firmware and no more versions of this file";
            self.mud(&rules::NOT_SUPPORTED, "is-supported", message);
        }
        if self.file.cache_validity.is_some_and(|hours| hours < SHORTEST_CACHE_VALIDITY) {
            self.mud(&rules::SHORT_CACHE, "cache-validity", "24 hours or more are recommended");
        }
    }

    fn signature(&mut self) {
        if self.file.mud_signature.is_none() && self.file.attestation.is_some() {
            let message =
                "places for attestation in a file without mud-signature: nothing from there may be used";
            self.mud(&rules::UNSIGNED_RESOURCES, "", message);
        }
        if self.file.mud_signature.is_none() {
            self.mud(&rules::NO_SIGNATURE, "", "no mud-signature: only other means can vouch for the file");
        } else if self.file.signature_url().is_none() {
            self.mud(&rules::SIGNATURE_URL, "mud-signature", "not reachable over https");
        }
    }

    fn texts(&mut self) {
        let file = self.file;
        for (name, text) in [
            ("systeminfo", &file.systeminfo),
            ("mfg-name", &file.mfg_name),
            ("model-name", &file.model_name),
            ("firmware-rev", &file.firmware_rev),
            ("software-rev", &file.software_rev),
        ] {
            if text.as_ref().is_some_and(|text| !text.chars().all(is_displayable)) {
                self.mud(&rules::CONTROL_CHARACTERS, name, "control characters, which are not displayed");
            }
        }
        if file.systeminfo.as_ref().is_some_and(|text| columns(text) > SYSTEMINFO_COLUMNS) {
            self.mud(&rules::LONG_SYSTEMINFO, "systeminfo", "wider than 60 columns");
        }
    }

    /// A revision is wrong as soon as the device is updated, unless the update also changes the URL.
    fn revisions(&mut self, context: &Context<'_>) {
        for (name, revision) in
            [("firmware-rev", &self.file.firmware_rev), ("software-rev", &self.file.software_rev)]
        {
            if revision.is_none() {
                continue;
            }
            if context.url_is_fixed {
                self.mud(&rules::FIXED_REVISION, name, "the URL cannot change, so no revision may be given");
            } else {
                self.mud(&rules::REVISION, name, "has to change, with the URL, at each update");
            }
        }
    }

    fn extensions(&mut self) {
        for (index, name) in self.file.extensions.iter().enumerate() {
            let name = name.as_str();
            let rule = if STANDARD_EXTENSIONS.contains(&name) {
                continue;
            } else if PRIVATE_EXTENSIONS.contains(&name) || extensions::ATTESTATION.contains(&name) {
                &rules::PRIVATE_EXTENSION
            } else {
                &rules::UNKNOWN_EXTENSION
            };
            let message = match rule.code == rules::UNKNOWN_EXTENSION.code {
                true => format!("extension {name:?} is not known here; its nodes are ignored"),
                false => format!("extension {name:?} is no standard"),
            };
            self.mud(rule, &format!("extensions/{index}"), &message);
        }
        let uses_tls = self.file.acls.iter().flat_map(|acl| &acl.aces).any(|ace| match &ace.body {
            AceBody::Matches(matches) => !matches.tls.is_empty(),
            AceBody::Refused { .. } => false,
        });
        // With the flag the reader has asked already.
        let declared = self.file.extensions.iter().any(|name| name == extensions::TLS_PROFILE);
        if uses_tls && !declared && self.file.tls_profile_supported.is_none() {
            let message = format!("extension {:?} is used but not listed", extensions::TLS_PROFILE);
            self.mud(&rules::UNDECLARED_EXTENSION, "extensions", &message);
        }
    }

    fn policies(&mut self) {
        for (name, policy, effect) in [
            (
                "from-device-policy",
                &self.file.from_device_policy,
                "the device may start nothing but DNS and NTP",
            ),
            ("to-device-policy", &self.file.to_device_policy, "nothing may start toward the device"),
        ] {
            if policy.is_none() {
                self.mud(&rules::NO_POLICY, "", &format!("no {name}: {effect}"));
            }
        }
        for direction in [Direction::FromDevice, Direction::ToDevice] {
            let lists: Vec<_> = self.file.policy(direction).collect();
            let orders =
                |acl: &&&crate::model::Acl| acl.aces.iter().any(|a| a.forwarding != Forwarding::Accept);
            if lists.len() > 1 && lists.iter().filter(orders).count() > 0 {
                let message = "lists of one policy have no order in the model, but drops make it matter";
                self.mud(&rules::ACL_ORDER, &format!("{}-policy", direction.name()), message);
            }
        }
    }

    fn lists(&mut self) {
        for (index, acl) in self.file.acls.iter().enumerate() {
            let path = format!("/ietf-access-control-list:acls/acl/{index}");
            let policies = [&self.file.from_device_policy, &self.file.to_device_policy];
            if !policies.into_iter().flatten().flatten().any(|name| *name == acl.name) {
                let message = format!("no policy names the list {:?}", acl.name);
                self.findings.push(Finding::new(&rules::UNUSED_ACL, path.clone(), message));
            }
            let ethernet = acl.aces.iter().any(|ace| match &ace.body {
                AceBody::Matches(matches) => matches.eth.is_some(),
                AceBody::Refused { .. } => false,
            });
            if ethernet {
                let message = "no one is asked to match Ethernet headers for a MUD file";
                self.findings.push(Finding::new(&rules::ETHERNET, path, message.to_owned()));
            }
        }
    }

    fn mud(&mut self, rule: &Rule, node: &str, message: &str) {
        let mut path = String::from("/ietf-mud:mud");
        if !node.is_empty() {
            path.push('/');
            path.push_str(node);
        }
        self.findings.push(Finding::new(rule, path, message.to_owned()));
    }
}

/// The worst severity among findings; `None` when there are none.
pub fn worst<'f>(findings: impl IntoIterator<Item = &'f Finding>) -> Option<Severity> {
    findings.into_iter().map(|finding| finding.severity).max()
}

/// Columns that a text takes on a display: two for the wide scripts of East Asia, none for what joins to a character.
fn columns(text: &str) -> usize {
    let width = |c: char| match u32::from(c) {
        0x300..=0x36f | 0x200b..=0x200f | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f
        | 0x2e80..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1faff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    };
    text.chars().map(width).sum()
}
