//! To the journal and back. Files that come back are verified again, by the time at which they were accepted: a signer's
//! certificate may end while its file stays good, and an anchor that was removed is believed no longer.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use api::{Base64Url, Reason};
use crypto::Digest;
use mud::{Lineage, MudUrl, Retrieval, SignerPin};
use serde::{Deserialize, Serialize};
use x509::Name;

use super::file::{Examined, Source, Terms, digest, examine};
use super::model::{Asked, Model, Standing, Waiting};
use super::unattested::{Resident, Unattested};
use crate::{Announced, Mac};

/// A device without attestation, as it is written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedResident {
    /// Source address of its frames.
    pub mac: String,
    /// The URL it is pinned to.
    pub url: Option<String>,
    /// A later one.
    pub offered: Option<String>,
    /// How it announced it.
    pub by: Option<String>,
    /// Every URL it had.
    pub used: Vec<String>,
    /// Its addresses and their ends.
    pub addresses: BTreeMap<IpAddr, i64>,
    /// What is odd about it.
    pub notes: Vec<Reason>,
}

/// The files of a URL, as they are written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedModel {
    /// The URL.
    pub url: String,
    /// The file that stands by itself.
    pub base: Option<SavedStanding>,
    /// The file that stands by an approval.
    pub approved: Option<SavedStanding>,
    /// SHA-256 of the file that was approved, hexadecimal.
    pub under: Option<String>,
    /// The file that waits.
    pub waiting: Option<SavedWaiting>,
    /// Tag of the file that came last.
    pub etag: Option<String>,
    /// Where it came from.
    pub source: Option<String>,
    /// When it came, in seconds since 1970.
    pub retrieved_at: Option<i64>,
    /// The web server's period, in seconds.
    pub max_age: Option<u32>,
    /// When to ask again.
    pub next: i64,
}

/// A file that was accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedStanding {
    /// The file.
    pub file: Base64Url,
    /// Its signature.
    pub signature: Option<Base64Url>,
    /// Whose word it is.
    pub source: String,
    /// When it was accepted, in seconds since 1970.
    pub accepted_at: i64,
    /// The URL that new ones are held against.
    pub canonical: String,
    /// Every URL of the model.
    pub used: Vec<String>,
    /// `last-update` of the file, in seconds since 1970.
    pub last_update: i64,
    /// Subject of the signer, and key identifier of its authority.
    pub signer: Option<(Base64Url, Base64Url)>,
}

/// A file that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedWaiting {
    /// The file.
    pub file: Base64Url,
    /// Its signature.
    pub signature: Option<Base64Url>,
    /// Whose word it is.
    pub source: String,
    /// Why it waits.
    pub reasons: Vec<Reason>,
}

impl Unattested {
    /// What was known before a restart.
    pub fn restored(
        sources: super::Sources,
        residents: &[SavedResident],
        models: &[SavedModel],
        now: i64,
    ) -> Self {
        let mut this = Self::new(sources);
        for saved in models.iter().take(Self::MAX_MODELS) {
            if let Some(model) = this.model_of(saved, now) {
                this.models.insert(model.url.clone(), model);
            }
        }
        for saved in residents.iter().take(Self::MAX_DEVICES) {
            if let Some((mac, resident)) = resident(saved) {
                this.restore(mac, resident, now);
            }
        }
        this
    }

    /// A device for the journal.
    pub fn saved_device(&self, mac: Mac) -> Option<SavedResident> {
        let resident = self.residents.get(&mac)?;
        Some(SavedResident {
            mac: mac.to_string(),
            url: resident.url.as_ref().map(MudUrl::to_string),
            offered: resident.offered.as_ref().map(MudUrl::to_string),
            by: resident.by.map(|by| super::unattested::word(by).to_owned()),
            used: resident.used.iter().map(MudUrl::to_string).collect(),
            addresses: resident.addresses.clone(),
            notes: resident.notes.values().cloned().collect(),
        })
    }

    /// A model for the journal.
    pub fn saved_model(&self, url: &MudUrl) -> Option<SavedModel> {
        let model = self.models.get(url)?;
        let asked = &model.asked;
        let waiting = model.waiting.as_ref().map(|waiting| SavedWaiting {
            file: Base64Url(waiting.bytes.clone()),
            signature: waiting.signature.clone().map(Base64Url),
            source: written(&waiting.source),
            reasons: waiting.reasons.clone(),
        });
        Some(SavedModel {
            url: url.to_string(),
            base: model.base.as_ref().map(saved),
            approved: model.approved.as_ref().map(|(standing, _)| saved(standing)),
            under: model.approved.as_ref().map(|(_, under)| crate::control::hex(under.as_bytes())),
            waiting,
            etag: asked.etag.clone(),
            source: asked.source.as_ref().map(written),
            retrieved_at: asked.retrieval.map(|retrieval| retrieval.at),
            max_age: asked.retrieval.and_then(|retrieval| retrieval.max_age),
            next: asked.next,
        })
    }

    fn model_of(&self, saved: &SavedModel, now: i64) -> Option<Model> {
        let url = MudUrl::parse(&saved.url)?;
        let stand = |saved: &Option<SavedStanding>, approved| {
            let standing = saved.as_ref().and_then(|saved| self.standing_of(&url, saved, approved, now));
            if saved.is_some() && standing.is_none() {
                tracing::warn!(%url, "a saved file is believed no longer");
            }
            standing
        };
        let under = saved.under.as_deref().and_then(crate::control::unhex_digest);
        let mut model = Model::new(url.clone(), now);
        model.base = stand(&saved.base, false);
        model.approved = stand(&saved.approved, true).zip(under);
        model.waiting = saved.waiting.as_ref().and_then(|saved| self.waiting_of(&url, saved, now));
        // What is gone has to come again.
        let complete = model.base.is_some() == saved.base.is_some()
            && saved.waiting.is_some() == model.waiting.is_some();
        if complete {
            model.asked = Asked {
                etag: saved.etag.clone(),
                source: saved.source.as_deref().map(read),
                retrieval: saved.retrieved_at.map(|at| Retrieval { at, max_age: saved.max_age }),
                next: saved.next,
                ..Asked::default()
            };
        }
        Some(model)
    }

    fn standing_of(&self, url: &MudUrl, saved: &SavedStanding, approved: bool, now: i64) -> Option<Standing> {
        let source = read(&saved.source);
        if source != self.source_of(url, &source) {
            return None;
        }
        let terms = Self::terms(&self.sources, url, &source, now);
        let terms = Terms { signed_at: saved.accepted_at, ..terms };
        let signature = saved.signature.as_ref().map(|signature| signature.0.as_slice());
        let Examined::Read(file) = examine(&saved.file.0, signature, &terms, approved) else { return None };
        let signer = saved.signer.as_ref().and_then(|(subject, authority)| {
            Some(SignerPin { subject: Name::decode(&subject.0).ok()?, authority: authority.0.clone() })
        });
        let used: Option<BTreeSet<MudUrl>> = saved.used.iter().map(|url| MudUrl::parse(url)).collect();
        let lineage = Lineage {
            canonical: MudUrl::parse(&saved.canonical)?,
            used: used?,
            last_update: saved.last_update,
            signer,
        };
        Some(Standing { file: *file, source, lineage, accepted_at: saved.accepted_at })
    }

    fn waiting_of(&self, url: &MudUrl, saved: &SavedWaiting, now: i64) -> Option<Waiting> {
        let source = read(&saved.source);
        let terms = Self::terms(&self.sources, url, &source, now);
        let signature = saved.signature.as_ref().map(|signature| signature.0.as_slice());
        let file = match examine(&saved.file.0, signature, &terms, false) {
            Examined::Read(file) => Some(file),
            Examined::Held(_) => None,
            Examined::Refused(_) => return None,
        };
        Some(Waiting {
            bytes: saved.file.0.clone(),
            signature: saved.signature.as_ref().map(|signature| signature.0.clone()),
            digest: digest(&saved.file.0),
            source,
            file,
            reasons: saved.reasons.clone(),
        })
    }

    /// The source that a file from this one would come from by today's settings.
    fn source_of(&self, url: &MudUrl, source: &Source) -> Source {
        match source {
            _ if self.sources.file(url).is_some() => Source::Operator,
            Source::ThirdParty(name) => {
                let has = |party: &super::ThirdParty| party.name == *name && party.place(url).is_some();
                if self.sources.third_parties.iter().any(has) { source.clone() } else { Source::Announced }
            }
            _ => Source::Announced,
        }
    }
}

fn resident(saved: &SavedResident) -> Option<(Mac, Resident)> {
    let parse = |text: &String| MudUrl::parse(text);
    let resident = Resident {
        url: saved.url.as_ref().and_then(parse),
        offered: saved.offered.as_ref().and_then(parse),
        by: saved.by.as_deref().and_then(announced),
        used: saved.used.iter().filter_map(parse).collect(),
        addresses: saved.addresses.clone(),
        notes: saved.notes.iter().map(|note| (note.code.clone(), note.clone())).collect(),
    };
    Some((Mac::parse(&saved.mac)?, resident))
}

fn saved(standing: &Standing) -> SavedStanding {
    let lineage = &standing.lineage;
    let signer = lineage.signer.as_ref();
    SavedStanding {
        file: Base64Url(standing.file.bytes.clone()),
        signature: standing.file.signature.clone().map(Base64Url),
        source: written(&standing.source),
        accepted_at: standing.accepted_at,
        canonical: lineage.canonical.to_string(),
        used: lineage.used.iter().map(MudUrl::to_string).collect(),
        last_update: lineage.last_update,
        signer: signer
            .map(|pin| (Base64Url(pin.subject.as_der().to_vec()), Base64Url(pin.authority.clone()))),
    }
}

fn announced(word: &str) -> Option<Announced> {
    match word {
        "dhcpv4" => Some(Announced::Dhcpv4),
        "dhcpv6" => Some(Announced::Dhcpv6),
        "lldp" => Some(Announced::Lldp),
        _ => None,
    }
}

/// A third party may have any name, so it stands behind a word of its own.
fn written(source: &Source) -> String {
    match source {
        Source::ThirdParty(name) => format!("{PARTY}{name}"),
        other => other.name().to_owned(),
    }
}

fn read(text: &str) -> Source {
    match text.strip_prefix(PARTY) {
        Some(name) => Source::ThirdParty(name.to_owned()),
        None if text == Source::Operator.name() => Source::Operator,
        None => Source::Announced,
    }
}

const PARTY: &str = "source:";

/// A digest as text.
pub(super) fn text(digest: &Digest) -> String {
    crate::control::hex(digest.as_bytes())
}
