//! Reports of updates: believed when the device's key signed them, compared with the manifest they tell of, kept as
//! received. A report never counts as success: only evidence does.

use std::net::IpAddr;

use api::{ReportFault, ReportPlace, ReportVerdict};
use cose::Key;
use crypto::{Digest, HashAlgorithm};
use store::{ActionId, Device, NewReport, ReleaseId, ReportId, ReportRecord};
use suit::{
    Entry, Finding, Outcome, Record, Report, ReportError, SignedReport, Subject, Verified, VerifiedReport,
};
use trust::{Code, Reason};

use crate::app::{
    App, Failure,
    releases::{Book, hex},
    rfc3339,
};

/// Action of the audit record of a report of failure.
const FAILURE: &str = "report.failure";
/// Action of the audit record of a report that contradicts its manifest.
const CONTRADICTION: &str = "report.contradict";
/// Ways to fail that a summary names.
const MAX_FAILURES: usize = 100;
/// Claims that do not hold, of one report, that are kept.
const MAX_FAULTS: usize = 32;

/// What was made of a report.
struct Judged {
    verdict: ReportVerdict,
    faults: Vec<ReportFault>,
    /// Where it says that processing ended.
    failed_at: Option<ReportPlace>,
}

impl App {
    /// Takes a report that a device sent about an action, or about what it runs. Nothing of a refused one is kept; one
    /// that came before is there already.
    pub(crate) async fn take_report(
        &self,
        device: &Device,
        action: Option<ActionId>,
        bytes: Vec<u8>,
        from: IpAddr,
    ) -> Result<(), Failure> {
        let now = self.now();
        self.report_limiter.take((from, device.id.clone()), now).map_err(Failure::TooMany)?;
        let report = self.believe(device, &bytes).await?;
        let offered = match action {
            Some(action) => {
                let offer = self.store.offer(action).await?.filter(|offer| offer.part.device == device.id);
                let unknown = || Reason::new(Code::ReportAction).with("action", action);
                Some(offer.ok_or_else(|| Failure::Refused(unknown()))?.campaign.release)
            }
            None => None,
        };
        let release = ReleaseId::new(report.report().manifest_digest);
        let judged = self.replay(&report, offered).await?;
        let report = report.report();
        let reason = match &report.outcome {
            Outcome::Success => None,
            Outcome::Failure { reason, .. } => Some(reason.to_string()),
        };
        let audit = match judged.verdict {
            ReportVerdict::Contradicts => Some(CONTRADICTION),
            _ => reason.as_ref().map(|_| FAILURE),
        };
        let has_capabilities = report.capabilities.is_some();
        let new = NewReport {
            device: device.id.clone(),
            object: Digest::of(HashAlgorithm::Sha256, &bytes).as_bytes().to_vec(),
            release,
            action,
            received_at: now,
            bytes,
            is_update: !has_capabilities
                || action.is_some()
                || !report.entries.is_empty()
                || reason.is_some(),
            succeeded: report.is_success(),
            reason,
            place: judged.failed_at.as_ref().map(to_json).transpose()?,
            verdict: judged.verdict.as_str().to_owned(),
            faults: to_json(&judged.faults)?,
            has_capabilities,
            audit,
        };
        if judged.verdict == ReportVerdict::Contradicts {
            tracing::warn!(device.id = %device.id, release.digest = %release, "report contradicts its manifest");
        }
        self.store.record_report(new).await?;
        if has_capabilities {
            self.weigh_offers(device).await?;
        }
        Ok(())
    }

    /// The newest reports of a device, newest first.
    pub(crate) async fn reports(&self, device: &Device, limit: u32) -> Result<Vec<api::Report>, Failure> {
        let book = self.book();
        let records = self.store.reports_of(&device.id, limit).await?;
        Ok(records.iter().map(|record| view(record, device, &book)).collect())
    }

    /// One report of a device, and its bytes.
    pub(crate) async fn report(
        &self,
        device: &Device,
        id: ReportId,
    ) -> Result<(api::Report, Vec<u8>), Failure> {
        let record = self.store.report_of(&device.id, id).await?.ok_or(Failure::NotFound)?;
        Ok((view(&record, device, &self.book()), record.bytes))
    }

    /// What devices report of a release.
    pub(crate) async fn release_reports(&self, id: &ReleaseId) -> Result<api::ReleaseReports, Failure> {
        if self.book().get(id).is_none() {
            return Err(Failure::NotFound);
        }
        let mut summary = api::ReleaseReports {
            release: id.to_string(),
            devices: 0,
            succeeded: 0,
            failed: 0,
            contradicting: 0,
            failures: Vec::new(),
        };
        for group in self.store.report_groups(id).await? {
            summary.devices += group.devices;
            if group.verdict == ReportVerdict::Contradicts.as_str() {
                summary.contradicting += group.devices;
            }
            if group.succeeded {
                summary.succeeded += group.devices;
                continue;
            }
            summary.failed += group.devices;
            let failure = api::ReportedFailure {
                reason: group.reason.unwrap_or_default(),
                at: group.place.as_deref().and_then(|place| serde_json::from_str(place).ok()),
                devices: group.devices,
            };
            let is_same =
                |other: &api::ReportedFailure| (&other.reason, &other.at) == (&failure.reason, &failure.at);
            if let Some(known) = summary.failures.iter().position(is_same) {
                summary.failures[known].devices += failure.devices;
            } else if summary.failures.len() < MAX_FAILURES {
                // What is left out is counted above, and the rarest.
                summary.failures.push(failure);
            }
        }
        summary.failures.sort_by_key(|failure| std::cmp::Reverse(failure.devices));
        Ok(summary)
    }

    /// Believes a report that this device's own key signed.
    async fn believe(&self, device: &Device, bytes: &[u8]) -> Result<VerifiedReport, Failure> {
        let signed = SignedReport::decode(bytes).map_err(|error| unreadable(&error))?;
        let key =
            Key::decode(&device.key).map_err(|_| Failure::Fault("a stored key cannot be read".to_owned()))?;
        // A report does not name its device, so a key that two devices use says nothing about either.
        let thumbprint = key.thumbprint(HashAlgorithm::Sha256);
        let twins = self.store.devices_with_key(thumbprint.as_bytes()).await?;
        if let Some(twin) = twins.iter().find(|twin| twin.id != device.id) {
            let reason = Reason::new(Code::SameKeyTwice).with("a", &device.name).with("b", &twin.name);
            return Err(Failure::Forged(reason));
        }
        signed.verify(key.public(), None).map_err(|error| match error {
            ReportError::UnsupportedContainer => unreadable(&error),
            _ => {
                tracing::warn!(device.id = %device.id, "report was not signed by the device's key");
                Failure::Forged(Code::BadReportSignature.into())
            }
        })
    }

    /// Compares a report with the release it tells of, and with the one that was offered.
    async fn replay(&self, report: &VerifiedReport, offered: Option<ReleaseId>) -> Result<Judged, Failure> {
        let told = report.report();
        let mut faults = Vec::new();
        if told.is_success() && offered.is_some_and(|offered| offered.digest() != told.manifest_digest) {
            let finding = Finding::WrongManifest;
            faults.push(fault("action".to_owned(), finding, None));
        }
        let book = self.book();
        let id = ReleaseId::new(told.manifest_digest);
        let verified = book.get(&id).and_then(|entry| entry.verified.as_ref().ok());
        let Some(verified) = verified else {
            return Ok(Judged { failed_at: failed_at(told, None), ..judge(faults, false) });
        };
        let (_, authorities) = self.authorities().await?;
        let root = verified.manifest.open();
        let inner = authorities.map(|list| verified.dependencies(&root, &list)).unwrap_or_default();
        let inner: Vec<&Verified<'_>> = inner.iter().collect();
        let replay = suit::replay(report, &root, &inner);
        // Without a manifest that it depends on, nobody can say anything about the records of that one.
        let blind = inner.len() < root.manifest().common().dependencies().len();
        let (unknown, known): (Vec<_>, Vec<_>) = replay.faults().partition(|verdict| {
            blind && matches!(verdict.finding, Finding::UnknownManifest | Finding::UnknownComponent)
        });
        let manifests = Some((&root, inner.as_slice()));
        for verdict in known.into_iter().chain(unknown.iter().copied()).take(MAX_FAULTS) {
            let (claim, record) = subject(told, verdict.subject);
            faults.push(fault(claim, verdict.finding, record.map(|record| place(record, manifests))));
        }
        let only_unknown = faults.len() == unknown.len();
        let judged = match only_unknown && !unknown.is_empty() {
            true => Judged { verdict: ReportVerdict::Unchecked, faults, failed_at: None },
            false => judge(faults, true),
        };
        Ok(Judged { failed_at: failed_at(told, manifests), ..judged })
    }
}

/// What the claims that do not hold add up to.
fn judge(faults: Vec<ReportFault>, checked: bool) -> Judged {
    let verdict = match (faults.is_empty(), checked) {
        (false, _) => ReportVerdict::Contradicts,
        (true, true) => ReportVerdict::Holds,
        (true, false) => ReportVerdict::Unchecked,
    };
    Judged { verdict, faults, failed_at: None }
}

/// Manifests in which places are looked up: the root and what it depends on.
type Manifests<'m, 'b> = Option<(&'m Verified<'b>, &'m [&'m Verified<'b>])>;

fn failed_at(report: &Report, manifests: Manifests<'_, '_>) -> Option<ReportPlace> {
    match &report.outcome {
        Outcome::Success => None,
        Outcome::Failure { record, .. } => Some(place(record, manifests)),
    }
}

fn place(record: &Record, manifests: Manifests<'_, '_>) -> ReportPlace {
    let located = manifests.map(|(root, inner)| suit::locate(record, root, inner)).unwrap_or_default();
    ReportPlace {
        manifest: record.manifest_id.clone(),
        section: record.section.map_or_else(|| "shared-sequence".to_owned(), |section| section.to_string()),
        offset: record.offset,
        command: located.command.map(str::to_owned),
        component: located.component.map(|component| component.to_string()),
    }
}

/// A claim in words, and the record it stands in.
fn subject(report: &Report, subject: Subject) -> (String, Option<&Record>) {
    match subject {
        Subject::Reference => ("reference".to_owned(), None),
        Subject::Result => match &report.outcome {
            Outcome::Success => ("result".to_owned(), None),
            Outcome::Failure { record, .. } => ("result".to_owned(), Some(record)),
        },
        Subject::Entry(number) => match report.entries.get(number) {
            Some(Entry::Record(record)) => (format!("record {}", number + 1), Some(record)),
            _ => (format!("claims {}", number + 1), None),
        },
    }
}

fn fault(claim: String, finding: Finding, at: Option<ReportPlace>) -> ReportFault {
    ReportFault { claim, code: finding.code().to_owned(), says: finding.to_string(), at }
}

/// Why a report is not read: bytes that are none are the sender's mistake, a form that is not taken is refused.
fn unreadable(error: &ReportError) -> Failure {
    match error {
        ReportError::UnsupportedContainer | ReportError::Report(suit::Error::Unsupported { .. }) => {
            Failure::Refused(Reason::new(Code::UnsupportedReport).with("error", error))
        }
        _ => Failure::Unreadable(Reason::new(Code::MalformedReport).with("error", error)),
    }
}

/// Whether the stored bytes are those that came, and signed by the device's key.
fn is_authentic(record: &ReportRecord, device: &Device) -> bool {
    let Ok(key) = Key::decode(&device.key) else { return false };
    let report = SignedReport::decode(&record.bytes).and_then(|report| report.verify(key.public(), None));
    // What was read from the report when it came must still be what it says.
    report.is_ok_and(|report| {
        let report = report.report();
        Digest::of(HashAlgorithm::Sha256, &record.bytes).as_bytes() == record.object
            && ReleaseId::new(report.manifest_digest) == record.release
            && report.is_success() == record.succeeded
    })
}

fn view(record: &ReportRecord, device: &Device, book: &Book) -> api::Report {
    api::Report {
        id: record.id.0,
        ueid: record.device.to_string(),
        release: record.release.to_string(),
        version: book.version(&record.release).map(str::to_owned),
        action: record.action.map(|action| action.0),
        received_at: rfc3339(record.first_at),
        last_at: rfc3339(record.last_at),
        times: record.times,
        digest: hex(&record.object),
        size: record.bytes.len() as u64,
        authentic: is_authentic(record, device),
        is_update: record.is_update,
        succeeded: record.succeeded,
        reason: record.reason.clone(),
        failed_at: record.place.as_deref().and_then(|place| serde_json::from_str(place).ok()),
        // A word that is not known vouches for nothing.
        verdict: ReportVerdict::from_text(&record.verdict).unwrap_or(ReportVerdict::Unchecked),
        faults: serde_json::from_str(&record.faults).unwrap_or_default(),
    }
}

fn to_json(value: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| Failure::Fault(error.to_string()))
}
