//! Signed statements on scans of releases: stored as received, verified whenever they are read.

use std::sync::{Arc, PoisonError};

use serde_json::json;
use store::{NewObject, ObjectId, ObjectRecord, ReleaseId, ScanId, Timestamp};
use trust::{Reason, Scan, SignedScan, VerifiedScan, check_scans};

use crate::app::{App, Failure, reasons, releases::hex, rfc3339};

impl App {
    /// The statements that hold, as last verified.
    pub(crate) fn scans(&self) -> Arc<Vec<VerifiedScan>> {
        self.scanned.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Verifies every stored statement again. One that does not hold says nothing, and is told aloud.
    pub(crate) async fn read_scans(&self) -> Result<(), store::Error> {
        let _one_at_a_time = self.reading.lock().await;
        let mut scans = Vec::new();
        for record in self.store.objects::<ScanId>().await? {
            match self.verify_scan(&record.bytes) {
                Ok(scan) if scan.object() == record.id.digest() => scans.push(scan),
                Ok(_) => tracing::error!(scan = %record.id, "a stored statement is not the one that came"),
                Err(reason) => {
                    tracing::warn!(scan = %record.id, %reason, "a statement does not hold any more")
                }
            }
        }
        *self.scanned.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(scans);
        Ok(())
    }

    /// Takes a statement that one of the scanners of this server signed. What is refused leaves an audit record.
    pub(crate) async fn add_scan(&self, bytes: Vec<u8>, actor: &str) -> Result<api::Scan, Failure> {
        let id = ScanId::of(&bytes);
        let scan = match self.verify_scan(&bytes) {
            Ok(scan) => scan,
            Err(reason) => {
                let detail = json!(reasons::to_api(&reason));
                self.audit(actor, "scan.refuse", format!("object:{id}"), detail).await?;
                return Err(Failure::Refused(reason));
            }
        };
        let Scan { release, findings, .. } = *scan.content();
        let detail = json!({ "scan": id.to_string(), "findings": findings });
        let about = Some((format!("release:{}", ReleaseId::new(release)), detail));
        let new = NewObject { bytes, at: self.now(), actor: actor.to_owned(), about };
        self.store.add_object::<ScanId>(new).await?;
        self.read_scans().await?;
        self.nudge.notify_one();
        self.scan_view(id).await
    }

    /// Every statement that ever came. One that was altered so that it cannot be read is told aloud, and hides no other.
    pub(crate) async fn scan_views(&self) -> Result<Vec<api::Scan>, Failure> {
        let mut views = Vec::new();
        for record in self.store.objects().await? {
            match self.view_scan(&record) {
                Ok(view) => views.push(view),
                Err(failure) => {
                    tracing::error!(scan = %record.id, ?failure, "a stored statement is not shown")
                }
            }
        }
        Ok(views)
    }

    /// One statement.
    pub(crate) async fn scan_view(&self, id: ScanId) -> Result<api::Scan, Failure> {
        self.view_scan(&self.scan(id).await?)
    }

    /// One statement as it was received.
    pub(crate) async fn scan(&self, id: ScanId) -> Result<ObjectRecord<ScanId>, Failure> {
        self.store.object(id).await?.ok_or(Failure::NotFound)
    }

    /// Whether a release may be deployed as far as the policy asks for scans.
    pub(crate) fn check_scans(&self, release: &ReleaseId) -> Result<(), Reason> {
        let now = self.now().seconds();
        check_scans(&self.config.policy.scans, &release.digest(), self.scans().iter(), now)
    }

    fn verify_scan(&self, bytes: &[u8]) -> Result<VerifiedScan, Reason> {
        SignedScan::decode(bytes)?.verify(&self.config.scanners)
    }

    fn view_scan(&self, record: &ObjectRecord<ScanId>) -> Result<api::Scan, Failure> {
        let signed = SignedScan::decode(&record.bytes)
            .map_err(|reason| Failure::Fault(format!("a stored statement cannot be read: {reason}")))?;
        let scan = signed.unverified().clone();
        let verified = signed.verify(&self.config.scanners).ok();
        let verified = verified.filter(|scan| scan.object() == record.id.digest());
        let time = |seconds| rfc3339(Timestamp::from_seconds(seconds));
        Ok(api::Scan {
            digest: record.id.to_string(),
            release: hex(scan.release.as_bytes()),
            tool: scan.tool,
            tool_version: scan.tool_version,
            database: scan.database,
            database_time: scan.database_time.map(time),
            scanned_at: time(scan.scanned_at),
            findings: scan.findings,
            expires: time(scan.expires),
            signer: verified.as_ref().map(|scan| scan.signer_name().to_owned()),
            signer_key: verified.as_ref().map(|scan| hex(scan.signer().as_bytes())),
            received_at: rfc3339(record.received_at),
            received_by: record.received_by.clone(),
        })
    }
}
