//! Releases: verified when they come and when they are read first, compared with what was extracted from them before each use
//! and in turn. The database is a cache of signed objects, not a source of trust.

use std::{collections::BTreeMap, ops::Bound, sync::Arc};

use coswid::advisory::Component;
use crypto::{Digest, HashAlgorithm};
use serde_json::json;
use store::{AuditEntry, ExpectedValue, NewRelease, ReleaseId, Timestamp};
use suit::{AuthorityList, AuthorityPolicy, Envelope, VerifiedManifest, labels::component_text};
use trust::{Code, Reason, Release, ReleaseAnchors, ReleaseStanding, Releases, Standing};

use crate::app::{
    App, Failure,
    advisories::{self, Advisories, Finding},
    reasons, rfc3339,
};

/// Every release, as last verified.
#[derive(Clone, Default)]
pub(crate) struct Book {
    entries: BTreeMap<ReleaseId, Entry>,
    /// Those that hold, to hold evidence against.
    releases: Releases,
    /// Those that do not.
    broken: Vec<ReleaseId>,
    /// Version of the authority list they were verified with.
    authorities: i64,
    /// The advisories that were held against them.
    advisories: Arc<Advisories>,
}

/// One release.
#[derive(Clone)]
pub(crate) struct Entry {
    /// What is stored about it.
    pub(crate) record: store::Release,
    /// The release, or why its stored objects do not hold any more.
    pub(crate) verified: Result<Arc<Verified>, Reason>,
    /// What advisories say about its components.
    pub(crate) findings: Arc<Vec<Finding>>,
}

/// A verified release with what is derived from it.
pub(crate) struct Verified {
    /// The release.
    pub(crate) release: Arc<Release>,
    /// What its SBOM tells of: to hold advisories and questions against.
    pub(crate) components: Vec<Component>,
    /// What the store must say of its expected values.
    pub(super) rows: Vec<ExpectedValue>,
    /// The envelope as gateways get it.
    pub(crate) stripped: Vec<u8>,
    /// The manifest with what is needed to judge reports and devices: no images.
    pub(crate) manifest: VerifiedManifest,
    /// Envelopes among the payloads: what the manifest may depend on.
    inner: Vec<Vec<u8>>,
}

impl Book {
    /// Every release.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Version of the authority list they were verified with.
    pub(super) fn authorities(&self) -> i64 {
        self.authorities
    }

    /// Every release after one, in the order of their names.
    pub(super) fn after(&self, after: Option<&ReleaseId>) -> impl Iterator<Item = &Entry> {
        let from = after.map_or(Bound::Unbounded, |after| Bound::Excluded(*after));
        self.entries.range((from, Bound::Unbounded)).map(|(_, entry)| entry)
    }

    /// Those that hold, to hold evidence against.
    pub(crate) fn releases(&self) -> &Releases {
        &self.releases
    }

    /// Why a release of a class counts for nothing, if one was tampered with.
    pub(crate) fn tampered(&self, class: &[u8]) -> Option<&Reason> {
        let broken = self.broken.iter().filter_map(|id| self.get(id));
        let of_class = broken.filter(|entry| entry.record.class.as_deref() == Some(class));
        let mut reasons = of_class.filter_map(|entry| entry.verified.as_ref().err());
        reasons.find(|reason| reason.code == Code::ReferenceTampered)
    }

    /// One release.
    pub(crate) fn get(&self, id: &ReleaseId) -> Option<&Entry> {
        self.entries.get(id)
    }

    /// Version of a release for people.
    pub(crate) fn version(&self, id: &ReleaseId) -> Option<&str> {
        self.get(id).map(|entry| entry.record.version.as_str())
    }

    /// Takes a release for revoked, to see what would follow.
    pub(crate) fn revoke(&mut self, id: &ReleaseId, at: Timestamp) -> Option<()> {
        self.entries.get_mut(id)?.record.revoked = Some((at, "tried".to_owned()));
        Some(())
    }

    /// Whether the same releases stand as in another book.
    fn stands_as(&self, other: &Self) -> bool {
        let standing = |entry: &Entry| {
            let Entry { record, verified, findings } = entry;
            (record.id, record.revoked.clone(), verified.as_ref().err().cloned(), advisories::flaws(findings))
        };
        self.authorities == other.authorities && self.iter().map(standing).eq(other.iter().map(standing))
    }

    /// Releases for the vendor and class of one release.
    fn siblings<'b>(&'b self, of: &Release) -> impl Iterator<Item = (&'b Entry, &'b Release)> + use<'b> {
        let target = of.vendor().zip(of.class());
        let releases = target.map_or(&[][..], |(vendor, class)| self.releases.of_class(vendor, class));
        releases.iter().filter_map(|release| {
            Some((self.get(&ReleaseId::new(release.manifest_digest()))?, release.as_ref()))
        })
    }

    /// Where each release for the same devices as this one stands.
    /// The site does or does not accept every broad MUD file.
    pub(crate) fn standings(&self, id: &ReleaseId, all_approved: bool) -> Vec<ReleaseStanding> {
        let Some(Ok(verified)) = self.get(id).map(|entry| entry.verified.as_ref()) else { return Vec::new() };
        self.siblings(&verified.release)
            .map(|(entry, release)| ReleaseStanding::of(release, self.standing(entry), all_approved))
            .collect()
    }

    /// Where one release stands.
    pub(crate) fn standing(&self, entry: &Entry) -> Standing {
        if let Some((_, why)) = &entry.record.revoked {
            return Standing::Revoked { why: why.clone() };
        }
        if let Some(flaw) = advisories::flaws(&entry.findings) {
            return Standing::Flawed { flaw };
        }
        let Ok(verified) = &entry.verified else { return Standing::Current };
        let newer: Vec<&store::Release> = self
            .siblings(&verified.release)
            .map(|(other, _)| &other.record)
            .filter(|other| other.sequence > entry.record.sequence && other.revoked.is_none())
            .collect();
        let newest = newer.iter().max_by_key(|other| other.sequence);
        let since = newer.iter().map(|other| other.accepted_at).min();
        match (newest, since) {
            (Some(newest), Some(since)) => {
                Standing::Superseded { by: newest.version.clone(), since: since.seconds() }
            }
            _ => Standing::Current,
        }
    }
}

impl Entry {
    /// The release, if it holds.
    pub(crate) fn release(&self) -> Option<&Release> {
        self.verified.as_ref().ok().map(|verified| verified.release.as_ref())
    }
}

impl Verified {
    fn new(release: Release, authorities: &AuthorityList) -> Result<Self, Reason> {
        let mut rows: Vec<ExpectedValue> = release
            .expected()
            .iter()
            .map(|expected| ExpectedValue {
                component: expected.name.clone(),
                digest: expected.digest.as_bytes().to_vec(),
                size: expected.size,
                version: expected.version.clone(),
            })
            .collect();
        rows.sort();
        let stripped = release.without_images();
        let manifest = VerifiedManifest::verify(stripped.clone(), authorities).map_err(|refusal| {
            let code = Code::from_text(refusal.code()).unwrap_or(Code::MalformedManifest);
            Reason::new(code).with("error", refusal)
        })?;
        let payloads = Envelope::decode(release.envelope()).map(|envelope| envelope.payloads().to_vec());
        let payloads = payloads.unwrap_or_default().into_iter().map(|(_, payload)| payload);
        let inner =
            payloads.filter(|payload| Envelope::decode(payload).is_ok()).map(<[u8]>::to_vec).collect();
        let components = release.sbom().components();
        Ok(Self { release: Arc::new(release), components, rows, stripped, manifest, inner })
    }

    /// The manifests that come with the release and that it may depend on, as far as their signers may change what they
    /// name, where one of the dependencies of the release puts it.
    pub(crate) fn dependencies<'v>(
        &'v self,
        root: &suit::Verified<'_>,
        authorities: &AuthorityList,
    ) -> Vec<suit::Verified<'v>> {
        let common = root.manifest().common();
        let prefixes: Vec<_> = common.dependencies().iter().map(|one| one.prefix.as_ref()).collect();
        let verify = |bytes: &'v Vec<u8>| {
            let envelope = Envelope::decode(bytes).ok()?;
            let mut prefixes = prefixes.iter();
            prefixes.find_map(|prefix| envelope.verify_dependency(authorities, *prefix).ok())
        };
        self.inner.iter().filter_map(verify).collect()
    }
}

impl App {
    /// Who may sign releases: nobody, until a list was put.
    pub(crate) async fn authorities(&self) -> Result<(i64, Option<AuthorityList>), store::Error> {
        let Some(stored) = self.store.authorities().await? else { return Ok((0, None)) };
        let list =
            AuthorityList::decode(&stored.bytes).map_err(|_| store::Error::Corrupt("authority list"))?;
        Ok((stored.version, Some(list)))
    }

    /// Verifies an uploaded envelope and remembers it. What is refused leaves an audit record.
    pub(crate) async fn accept_release(&self, envelope: Vec<u8>, actor: &str) -> Result<ReleaseId, Failure> {
        let (_, authorities) = self.authorities().await?;
        let now = self.now();
        let anchors = self.anchors(authorities)?;
        let accepted = match Release::accept(&envelope, &anchors, now.seconds()) {
            Ok(release) => self
                .check_approved(&release, now)
                .await?
                .map_err(|reason| {
                    // Whoever is to approve it must know its name.
                    reason.with("release", hex(release.manifest_digest().as_bytes()))
                })
                .map(|()| release),
            Err(reason) => Err(reason),
        };
        let release = match accepted {
            Ok(release) => release,
            Err(reason) => {
                let digest = Digest::of(HashAlgorithm::Sha256, &envelope);
                self.audit(
                    actor,
                    "release.refuse",
                    format!("object:{digest}"),
                    json!(reasons::to_api(&reason)),
                )
                .await?;
                return Err(Failure::Refused(reason));
            }
        };
        let id = ReleaseId::new(release.manifest_digest());
        let (vendor, model) = names(&release, &anchors.authorities);
        let verified = Verified::new(release, &anchors.authorities).map_err(Failure::Refused)?;
        let new = NewRelease {
            id,
            object: Digest::of(HashAlgorithm::Sha256, &envelope).as_bytes().to_vec(),
            envelope,
            sequence: verified.release.sequence_number(),
            vendor,
            model,
            version: verified.release.version().to_owned(),
            class: verified.release.class().map(|class| class.to_vec()),
            expected: verified.rows,
        };
        self.store.add_release(new, actor, now).await?;
        self.read_releases().await?;
        self.nudge.notify_one();
        Ok(id)
    }

    /// Marks a release as not to be run any more.
    pub(crate) async fn revoke_release(&self, id: &ReleaseId, why: &str, actor: &str) -> Result<(), Failure> {
        if self.book().get(id).is_none() {
            return Err(Failure::NotFound);
        }
        if why.trim().is_empty() {
            return Err(Failure::Malformed("a revocation needs a reason".to_owned()));
        }
        self.store.revoke_release(id, why, actor, self.now()).await?;
        self.read_releases().await?;
        self.nudge.notify_one();
        Ok(())
    }

    /// Reads all releases again: each signed object that changed, or whose authorities changed, is verified again. What is
    /// stored beside those that did not change is compared where something speaks against it.
    pub(crate) async fn read_releases(&self) -> Result<(), store::Error> {
        let _one_at_a_time = self.reading.lock().await;
        let (version, authorities) = self.authorities().await?;
        let anchors = self.anchors(authorities).map_err(|_| store::Error::Corrupt("authority list"))?;
        let (before, advisories) = (self.book(), self.advisories());
        let suspects = self.suspects().clone();
        let mut entries = BTreeMap::new();
        for record in self.store.releases().await? {
            let known = before.get(&record.id);
            let reusable =
                known.filter(|known| before.authorities == version && known.record.object == record.object);
            let is_same = known.is_some_and(|known| known.record == record) && !suspects.contains(&record.id);
            let verified = match reusable.map(|known| &known.verified) {
                Some(Ok(verified)) if is_same => Ok(verified.clone()),
                Some(Ok(verified)) => self.compare_rows(&record, verified.clone()).await?,
                // What did not hold is looked at again each time.
                _ => match self.verify_stored(&record, &anchors).await? {
                    Ok(verified) => self.compare_rows(&record, verified).await?,
                    refused => refused,
                },
            };
            if known.is_none_or(|known| known.verified.is_ok()) != verified.is_ok() {
                self.report_standing(&record, verified.as_ref().err()).await?;
            }
            let findings = match (&verified, known.map(|known| (&known.verified, &known.findings))) {
                (Ok(verified), Some((Ok(before_it), findings)))
                    if Arc::ptr_eq(verified, before_it) && Arc::ptr_eq(&advisories, &before.advisories) =>
                {
                    findings.clone()
                }
                (Ok(verified), _) => Arc::new(advisories.judge(&verified.components)),
                (Err(_), _) => Arc::default(),
            };
            entries.insert(record.id, Entry { record, verified, findings });
        }
        let releases =
            entries.values().filter_map(|entry| Some(entry.verified.as_ref().ok()?.release.clone()));
        let releases = Releases::of(releases);
        let broken = entries.values().filter(|entry| entry.verified.is_err()).map(|entry| entry.record.id);
        let broken = broken.collect();
        let book = Arc::new(Book { entries, releases, broken, authorities: version, advisories });
        let changed = !book.stands_as(&before);
        *self.book.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = book;
        // Those that came meanwhile are for the next reading.
        self.suspects().retain(|suspect| !suspects.contains(suspect));
        if changed {
            self.basis_changed();
        }
        Ok(())
    }

    /// A release as the API shows it.
    pub(crate) async fn release_view(&self, entry: &Entry) -> Result<api::Release, Failure> {
        let record = &entry.record;
        let id = record.id;
        let staged_on: Vec<String> = self
            .store
            .staged()
            .await?
            .into_iter()
            .filter(|staged| staged.release == id)
            .map(|staged| staged.gateway)
            .collect();
        let devices = self.store.devices_running(&id).await?.len() as u64;
        let release = entry.release();
        let awaits_approval = match release {
            Some(release) => self.check_approved(release, self.now()).await?.err(),
            None => None,
        };
        let needs = release.and_then(Release::network_needs);
        let expected = release.map(Release::expected).unwrap_or_default();
        Ok(api::Release {
            manifest_digest: id.to_string(),
            sequence: record.sequence,
            vendor: record.vendor.clone(),
            model: record.model.clone(),
            version: record.version.clone(),
            size: record.size,
            signers: release
                .map(|release| release.signers().iter().map(|signer| signer.name.clone()).collect())
                .unwrap_or_default(),
            expected: expected
                .iter()
                .map(|expected| api::ExpectedValue {
                    component: expected.name.clone(),
                    digest: expected.digest.to_string(),
                    size: expected.size,
                })
                .collect(),
            mud_url: needs.map(|needs| needs.url.clone()),
            mud_digest: needs.map(|needs| hex(needs.digest.as_bytes())),
            accepted_at: rfc3339(record.accepted_at),
            accepted_by: record.accepted_by.clone(),
            revoked_at: record.revoked.as_ref().map(|(at, _)| rfc3339(*at)),
            revoked_why: record.revoked.as_ref().map(|(_, why)| why.clone()),
            unusable: entry.verified.as_ref().err().map(reasons::to_api),
            awaits_approval: awaits_approval.as_ref().map(reasons::to_api),
            awaits_scan: self.check_scans(&id).err().as_ref().map(reasons::to_api),
            flaws: entry.findings.iter().map(|finding| finding.view(record)).collect(),
            staged_on,
            devices,
        })
    }

    /// Adds an audit record that goes with no other change.
    pub(crate) async fn audit(
        &self,
        actor: &str,
        action: &'static str,
        subject: String,
        detail: serde_json::Value,
    ) -> Result<(), store::Error> {
        let entry = AuditEntry { at: self.now(), actor: actor.to_owned(), action, subject, detail };
        self.store.audit(entry).await
    }

    pub(super) fn anchors(&self, authorities: Option<AuthorityList>) -> Result<ReleaseAnchors, Failure> {
        let authorities = match authorities {
            Some(list) => list,
            None => AuthorityList::new(AuthorityPolicy::default(), Vec::new())
                .map_err(|error| Failure::Fault(error.to_string()))?,
        };
        Ok(ReleaseAnchors { authorities, mud_issuers: self.config.mud_issuers.clone() })
    }

    pub(super) async fn verify_stored(
        &self,
        record: &store::Release,
        anchors: &ReleaseAnchors,
    ) -> Result<Result<Arc<Verified>, Reason>, store::Error> {
        let Some(envelope) = self.store.envelope(&record.id).await? else {
            return Ok(Err(tampered(record, "the signed envelope is gone")));
        };
        // Signers of MUD files are judged by the time the release was accepted: their certificates may end since.
        let accepted = record.accepted_at.seconds();
        Ok(match Release::accept(&envelope, anchors, accepted) {
            Ok(release) if release.manifest_digest() == record.id.digest() => {
                Verified::new(release, &anchors.authorities).map(Arc::new)
            }
            Ok(_) => Err(tampered(record, "the stored envelope is that of another release")),
            Err(reason) if Digest::of(HashAlgorithm::Sha256, &envelope).as_bytes() == record.object => {
                Err(reason)
            }
            Err(_) => Err(tampered(record, "the stored envelope was altered")),
        })
    }

    async fn report_standing(
        &self,
        record: &store::Release,
        reason: Option<&Reason>,
    ) -> Result<(), store::Error> {
        let subject = format!("release:{}", record.id);
        match reason {
            Some(reason) => {
                tracing::warn!(release.digest = %record.id, %reason, "release does not hold any more");
                self.audit("server", "release.distrust", subject, json!(reasons::to_api(reason))).await
            }
            None => self.audit("server", "release.restore", subject, json!({})).await,
        }
    }
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn tampered(record: &store::Release, what: &str) -> Reason {
    Reason::new(Code::ReferenceTampered)
        .with("release", record.id)
        .with("version", &record.version)
        .with("error", what)
}

/// Vendor and model for people, from the manifest's text; the name of the software where it has none.
fn names(release: &Release, authorities: &AuthorityList) -> (String, String) {
    let text = |label| {
        let verified = Envelope::decode(release.envelope()).ok()?.verify(authorities).ok()?;
        let text = verified.text().ok()??;
        let of_component = |language: &suit::LanguageText<'_>| {
            verified
                .components()
                .iter()
                .find_map(|component| language.component_element(component, label).map(str::to_owned))
        };
        text.languages().iter().find_map(of_component)
    };
    let model = text(component_text::MODEL_NAME);
    (
        text(component_text::VENDOR_NAME).unwrap_or_default(),
        model.unwrap_or_else(|| release.name().to_owned()),
    )
}
