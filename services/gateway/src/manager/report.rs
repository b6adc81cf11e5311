//! What the server is told of devices without attestation and their files: whole lists, when they change.

use api::{ModelState, NetworkDevice, NetworkFile, NetworkModel, OfferedFile, Pointer, Reason};
use crypto::Digest;
use mud::{Entry, Freshness, Retrieval, Verdict, displayable};

use super::approvals::Approvals;
use super::file::{File, Source, With as _, why};
use super::model::{Model, Standing};
use super::saved::text;
use super::unattested::{Unattested, word};
use crate::{Mac, Strength};

/// What was told last.
#[derive(Debug, Default)]
pub(crate) struct Told {
    models: Vec<NetworkModel>,
    devices: Vec<NetworkDevice>,
}

impl Told {
    /// The lists that are not what was told last.
    pub(crate) fn news(
        &mut self,
        models: Vec<NetworkModel>,
        devices: Vec<NetworkDevice>,
    ) -> (Option<Vec<NetworkModel>>, Option<Vec<NetworkDevice>>) {
        let models = (models != self.models).then(|| {
            self.models.clone_from(&models);
            models
        });
        let devices = (devices != self.devices).then(|| {
            self.devices.clone_from(&devices);
            devices
        });
        (models, devices)
    }
}

impl Unattested {
    /// Every model as it stands.
    pub(crate) fn told_models(&self, approvals: &Approvals, now: i64) -> Vec<NetworkModel> {
        let mut left = MAX_REPORTED;
        let whole = self.models().map(|model| self.told_model(model, approvals, now));
        whole.map(|model| bounded(model, &mut left)).collect()
    }

    fn told_model(&self, model: &Model, approvals: &Approvals, now: i64) -> NetworkModel {
        let approves = |digest: &Digest| approvals.file(&model.url, digest);
        let standing = model.in_force(&approves, now);
        let offered = offered(model, &approves, now);
        let state = match (&offered, standing) {
            (Some(_), _) if model.waiting.is_some() || model.refused.is_none() => ModelState::Waiting,
            (Some(_), _) => ModelState::Refused,
            (None, Some(_)) => ModelState::InForce,
            (None, None) => ModelState::Absent,
        };
        let source = standing.map(|standing| &standing.source).or(model.asked.source.as_ref());
        let here = |resident: &&super::Resident| {
            !resident.addresses.is_empty() && resident.url.as_ref() == Some(&model.url)
        };
        let devices = self.devices().map(|(_, resident)| resident).filter(here).count();
        NetworkModel {
            url: model.url.to_string(),
            source: source.map_or("", super::Source::name).to_owned(),
            state,
            in_force: standing.map(|standing| told_file(&standing.file)),
            offered,
            fault: model.asked.fault.clone().or_else(|| standing.and_then(|standing| ends(standing, now))),
            fetched_ms: model.asked.retrieval.map(|retrieval| retrieval.at.saturating_mul(1000)),
            next_check_ms: model.asked.next.saturating_mul(1000),
            devices: u32::try_from(devices).unwrap_or(u32::MAX),
        }
    }

    /// What there is to say about a device, besides what it may reach.
    pub(crate) fn told_device(&self, mac: Mac, approvals: &Approvals, now: i64) -> Option<NetworkDevice> {
        let resident = self.device(mac)?;
        let strength = self.sources().strength(mac);
        let standing = self.url_of(mac, approvals, now).and_then(|url| self.standing(url, approvals, now));
        let mut reasons: Vec<Reason> = resident.notes.values().cloned().collect();
        reasons.extend(self.kept_from(mac, approvals, now));
        let by = match (strength, resident.by) {
            (Strength::Strong, _) => Some("operator"),
            (Strength::Weak, by) => by.map(word),
        };
        Some(NetworkDevice {
            ueid: Self::id(mac)?.to_string(),
            mac: mac.to_string(),
            addresses: resident.addresses.keys().map(ToString::to_string).collect(),
            url: resident.url.as_ref().map(ToString::to_string),
            offered_url: resident.offered.as_ref().map(ToString::to_string),
            by: by.map(str::to_owned),
            strength: match strength {
                Strength::Strong => "strong".to_owned(),
                Strength::Weak => "weak".to_owned(),
            },
            access: api::NetworkAccess::Absent,
            digest: standing.map(|standing| text(&standing.file.digest)),
            reasons,
        })
    }
}

/// A file of the operator is not renewed by itself: somebody is to know when its time is nearly over (RFC 8520, section 1.6).
fn ends(standing: &Standing, now: i64) -> Option<Reason> {
    let brought = Retrieval { at: standing.accepted_at, max_age: None };
    let own = standing.source == Source::Operator;
    let fresh = standing.file.content.freshness(brought, now) == Freshness::Fresh;
    (own && !fresh).then(|| why("mud-file-ends"))
}

/// The file that is not in force, and why.
fn offered(model: &Model, approves: &dyn Fn(&Digest) -> bool, now: i64) -> Option<OfferedFile> {
    let flows = |entries: &[Entry]| entries.iter().take(MAX_FLOWS).map(clipped).collect();
    if let Some(waiting) = &model.waiting {
        let change = model.change(approves, now).unwrap_or_default();
        return Some(OfferedFile {
            digest: text(&waiting.digest),
            reasons: waiting.reasons.clone(),
            file: waiting.file.as_deref().map(told_file),
            gained: flows(&change.gained),
            lost: flows(&change.lost),
        });
    }
    if let Some((digest, reason)) = &model.refused {
        let reasons = vec![reason.clone()];
        return Some(OfferedFile { digest: text(digest), reasons, file: None, gained: vec![], lost: vec![] });
    }
    let (approved, under) = model.approved.as_ref()?;
    let file = &approved.file;
    if approves(under) || approves(&file.digest) {
        return None;
    }
    let nothing = mud::Policy::default();
    let base = model.in_force(approves, now).map_or(&nothing, |standing| &standing.file.policy);
    let change = mud::diff(base, &file.policy);
    Some(OfferedFile {
        digest: text(&file.digest),
        reasons: vec![why("mud-approval-ended")],
        file: Some(told_file(file)),
        gained: flows(&change.gained),
        lost: flows(&change.lost),
    })
}

fn told_file(file: &File) -> NetworkFile {
    let content = &file.content;
    let accepts = file.policy.entries.iter().filter(|entry| entry.verdict == Verdict::Accept);
    let findings = file.findings.iter().take(MAX_FINDINGS);
    NetworkFile {
        digest: text(&file.digest),
        signer: file.signer.as_ref().map(|signer| clipped(&signer.subject)),
        systeminfo: content.systeminfo.as_deref().map(|text| clipped(&displayable(text))),
        last_update: content.last_update.unix_seconds(),
        breadth: file.breadth,
        findings: findings.map(|finding| why(finding.code).with("path", &finding.path)).collect(),
        flows: accepts.take(MAX_FLOWS).map(clipped).collect(),
        transparency: content
            .transparency
            .as_ref()
            .map(|found| pointers(found.pointers()))
            .unwrap_or_default(),
        attestation: content.attestation.as_ref().map(|found| pointers(found.pointers())).unwrap_or_default(),
    }
}

fn pointers(named: Vec<mud::Pointer>) -> Vec<Pointer> {
    let one = |named: mud::Pointer| Pointer {
        what: named.what.to_owned(),
        at: clipped(&named.at),
        version: named.version.as_ref().map(clipped),
    };
    named.into_iter().take(MAX_POINTERS).map(one).collect()
}

/// As much of a text as is told.
fn clipped(text: &impl ToString) -> String {
    text.to_string().chars().take(MAX_TEXT).collect()
}

/// A model without its lists where those before it said enough: whoever publishes files must not keep reports from being
/// taken.
fn bounded(mut model: NetworkModel, left: &mut usize) -> NetworkModel {
    let size = serde_json::to_vec(&model).map_or(usize::MAX, |json| json.len());
    match left.checked_sub(size) {
        Some(rest) => *left = rest,
        None => {
            model.in_force = model.in_force.map(brief);
            model.offered = model.offered.map(|offered| OfferedFile {
                file: offered.file.map(brief),
                gained: Vec::new(),
                lost: Vec::new(),
                ..offered
            });
        }
    }
    model
}

fn brief(file: NetworkFile) -> NetworkFile {
    let NetworkFile { digest, signer, last_update, breadth, .. } = file;
    NetworkFile { digest, signer, last_update, breadth, ..NetworkFile::default() }
}

/// Bytes of lists in one report.
const MAX_REPORTED: usize = 1 << 20;
/// Characters of one text.
const MAX_TEXT: usize = 256;
/// Flows of a file, or of a difference, that are told.
const MAX_FLOWS: usize = 64;
/// Findings of a file that are told.
const MAX_FINDINGS: usize = 32;
/// Pointers of a file that are told.
const MAX_POINTERS: usize = 16;
