//! Security advisories, held against the SBOMs of accepted releases, and questions about their components.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, PoisonError},
};

use coswid::advisory::{Advisory, Answer, Component, Doubt, Query, Verdict, judge};
use serde_json::json;
use store::{AdvisoryId, Device, DeviceFilter, NewObject, ObjectId, ObjectRecord, ReleaseId};
use trust::{Code, Reason};

use crate::app::{App, Failure, reasons, releases::Book, rfc3339};

/// How many flaws are named in one reason.
const MAX_NAMED: usize = 8;
/// Devices read at once.
const BATCH: u32 = 500;

/// The advisories that count: they can be read, and nobody withdrew them.
#[derive(Default)]
pub(crate) struct Advisories(BTreeMap<AdvisoryId, Advisory>);

/// What an advisory says about a component of a release, other than that it has no flaw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    advisory: AdvisoryId,
    flaw: String,
    component: String,
    version: Option<String>,
    /// Why nobody can tell, where nobody can.
    doubt: Option<Doubt>,
}

impl Advisories {
    /// What they say about the components of one release.
    pub(crate) fn judge(&self, components: &[Component]) -> Vec<Finding> {
        let (ids, advisories): (Vec<&AdvisoryId>, Vec<&Advisory>) = self.0.iter().unzip();
        let finding = |found: coswid::advisory::Finding| {
            let component = components.get(found.component)?;
            Some(Finding {
                advisory: **ids.get(found.advisory)?,
                flaw: advisories.get(found.advisory)?.flaws.get(found.flaw)?.id.clone(),
                component: component.name.clone(),
                version: component.version.clone(),
                doubt: match found.verdict {
                    Verdict::Affected => None,
                    Verdict::CannotTell(doubt) => Some(doubt),
                    Verdict::NotAffected => return None,
                },
            })
        };
        judge(&advisories, components).into_iter().filter_map(finding).collect()
    }
}

impl Finding {
    /// As the API shows it.
    pub(crate) fn view(&self, release: &store::Release) -> api::ReleaseFlaw {
        api::ReleaseFlaw {
            release: release.id.to_string(),
            version: release.version.clone(),
            flaw: self.flaw.clone(),
            advisory: self.advisory.to_string(),
            component: self.component.clone(),
            component_version: self.version.clone(),
            why: self.doubt.map(|doubt| doubt.to_string()),
        }
    }
}

/// Names of the flaws that a release has for certain; doubt is for people to look at, and marks nothing.
pub(crate) fn flaws(findings: &[Finding]) -> Option<String> {
    let certain = findings.iter().filter(|finding| finding.doubt.is_none());
    let names: BTreeSet<&str> = certain.map(|finding| finding.flaw.as_str()).collect();
    if names.is_empty() {
        return None;
    }
    let named: Vec<&str> = names.iter().copied().take(MAX_NAMED).collect();
    let more = names.len() - named.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Some(named.join(", ") + &more)
}

impl App {
    /// The advisories that count, as last read.
    pub(crate) fn advisories(&self) -> Arc<Advisories> {
        self.advised.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads every stored advisory again. One that is not what came says nothing, and is told aloud.
    pub(crate) async fn read_advisories(&self) -> Result<(), store::Error> {
        let _one_at_a_time = self.reading.lock().await;
        let mut advisories = BTreeMap::new();
        for record in self.store.objects::<AdvisoryId>().await? {
            if record.revoked_at.is_some() {
                continue;
            }
            match read(&record) {
                Ok(advisory) => _ = advisories.insert(record.id, advisory),
                Err(reason) => {
                    tracing::error!(advisory = %record.id, %reason, "a stored advisory is not what came")
                }
            }
        }
        *self.advised.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Advisories(advisories));
        Ok(())
    }

    /// Takes an advisory, for which whoever brings it answers.
    pub(crate) async fn add_advisory(&self, bytes: Vec<u8>, actor: &str) -> Result<api::Advisory, Failure> {
        let id = AdvisoryId::of(&bytes);
        if let Err(error) = Advisory::decode(&bytes) {
            let reason = malformed(&error);
            let detail = json!(reasons::to_api(&reason));
            self.audit(actor, "advisory.refuse", format!("object:{id}"), detail).await?;
            return Err(Failure::Unreadable(reason));
        }
        let new = NewObject { bytes, at: self.now(), actor: actor.to_owned(), about: None };
        self.store.add_object::<AdvisoryId>(new).await?;
        self.follow_advisories().await?;
        self.advisory_view(id).await
    }

    /// Takes an advisory back, for good.
    pub(crate) async fn withdraw_advisory(&self, id: AdvisoryId, actor: &str) -> Result<(), Failure> {
        self.advisory(id).await?;
        self.store.revoke_object(id, actor, self.now()).await?;
        self.follow_advisories().await
    }

    /// Holds every release against the advisories that are there now; the reconciler decides about devices.
    async fn follow_advisories(&self) -> Result<(), Failure> {
        self.read_advisories().await?;
        self.read_releases().await?;
        self.nudge.notify_one();
        Ok(())
    }

    /// Every advisory that ever came.
    pub(crate) async fn advisory_views(&self) -> Result<Vec<api::Advisory>, Failure> {
        let (book, advisories, records) = (self.book(), self.advisories(), self.store.objects().await?);
        Ok(records.iter().map(|record| view(record, &advisories, &book)).collect())
    }

    /// One advisory, and what it means for releases.
    pub(crate) async fn advisory_view(&self, id: AdvisoryId) -> Result<api::Advisory, Failure> {
        Ok(view(&self.advisory(id).await?, &self.advisories(), &self.book()))
    }

    /// One advisory as it was received.
    pub(crate) async fn advisory(&self, id: AdvisoryId) -> Result<ObjectRecord<AdvisoryId>, Failure> {
        self.store.object(id).await?.ok_or(Failure::NotFound)
    }

    /// Which devices attested a release with a component that is asked for.
    pub(crate) async fn query_components(&self, text: &str) -> Result<api::ComponentMatches, Failure> {
        let query = Query::read(text).map_err(|error| Failure::Malformed(error.to_string()))?;
        let book = self.book();
        let mut answers = BTreeMap::new();
        for entry in book.iter() {
            let Ok(verified) = &entry.verified else { continue };
            let ask = |component| Some((component, query.ask(component)?));
            let asked: Vec<(&Component, Answer)> = verified.components.iter().filter_map(ask).collect();
            answers.insert(entry.record.id, (entry.record.version.as_str(), asked));
        }
        let mut matches = api::ComponentMatches {
            query: text.to_owned(),
            devices: Vec::new(),
            cannot_tell: Vec::new(),
            without_sbom: 0,
        };
        let mut filter = DeviceFilter { limit: BATCH, ..DeviceFilter::default() };
        loop {
            let devices = self.store.devices(&filter).await?;
            let Some(last) = devices.last() else { break };
            filter.after = Some(last.id.clone());
            for device in &devices {
                let asked = device.release.as_ref().and_then(|id| Some((id, answers.get(id)?)));
                let Some((release, (version, asked))) = asked else {
                    matches.without_sbom += 1;
                    continue;
                };
                add_matches(&mut matches, device, release, version, asked);
            }
        }
        let by_name = |a: &api::ComponentMatch, b: &api::ComponentMatch| {
            (&a.name, &a.ueid, &a.component).cmp(&(&b.name, &b.ueid, &b.component))
        };
        matches.devices.sort_by(by_name);
        matches.cannot_tell.sort_by(by_name);
        Ok(matches)
    }
}

/// What a device has of what is asked for; what is doubtful about it only where nothing is certain.
fn add_matches(
    matches: &mut api::ComponentMatches,
    device: &Device,
    release: &ReleaseId,
    version: &str,
    asked: &[(&Component, Answer)],
) {
    let matched = |component: &Component, why: Option<Doubt>| api::ComponentMatch {
        ueid: device.id.to_string(),
        name: device.name.clone(),
        posture: device.posture.clone(),
        release: release.to_string(),
        version: version.to_owned(),
        component: component.name.clone(),
        component_version: component.version.clone(),
        why: why.map(|doubt| doubt.to_string()),
    };
    let certain = asked.iter().filter(|(_, answer)| *answer == Answer::Yes);
    let certain: Vec<_> = certain.map(|(component, _)| matched(component, None)).collect();
    if !certain.is_empty() {
        matches.devices.extend(certain);
        return;
    }
    matches.cannot_tell.extend(asked.iter().filter_map(|(component, answer)| match answer {
        Answer::CannotTell(doubt) => Some(matched(component, Some(*doubt))),
        Answer::Yes | Answer::No => None,
    }));
}

fn read(record: &ObjectRecord<AdvisoryId>) -> Result<Advisory, Reason> {
    if AdvisoryId::of(&record.bytes) != record.id {
        return Err(Code::MalformedObject.into());
    }
    Advisory::decode(&record.bytes).map_err(|error| malformed(&error))
}

fn malformed(error: &coswid::interchange::InterchangeError) -> Reason {
    Reason::new(Code::MalformedObject).with("error", super::failure::describe(error))
}

fn view(record: &ObjectRecord<AdvisoryId>, advisories: &Advisories, book: &Book) -> api::Advisory {
    let read = read(record).ok();
    let findings = book.iter().flat_map(|entry| {
        let own = entry.findings.iter().filter(|finding| finding.advisory == record.id);
        own.map(|finding| finding.view(&entry.record))
    });
    let (affected, cannot_tell) = findings.partition(|finding| finding.why.is_none());
    let withdrawn_by_maker = read.as_ref().and_then(|advisory| advisory.withdrawn.clone());
    api::Advisory {
        digest: record.id.to_string(),
        id: read.as_ref().map(|advisory| advisory.id.clone()),
        format: read.as_ref().map(|advisory| advisory.format.as_str().to_owned()),
        summary: read.as_ref().and_then(|advisory| advisory.summary.clone()),
        flaws: read.iter().flat_map(|advisory| &advisory.flaws).map(|flaw| flaw.id.clone()).collect(),
        added_at: rfc3339(record.received_at),
        added_by: record.received_by.clone(),
        withdrawn_at: record.revoked_at.map(rfc3339),
        withdrawn_by: record.revoked_by.clone(),
        holds: advisories.0.contains_key(&record.id) && withdrawn_by_maker.is_none(),
        withdrawn_by_maker,
        affected,
        cannot_tell,
    }
}
