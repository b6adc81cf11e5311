//! The six questions of the system, answered from verified objects. The same answers stand on the page and in the API.

use api::{Answer, DeviceProgress, NetworkState};
use cose::Key;
use eat::{Evidence, EvidenceClaims, Nonce, VerifiedEvidence};
use mud::{Direction, Ports, Protocol, Remote};
use serde_json::{Value, json};
use store::{Device, ResultRecord};
use trust::Release;

use crate::app::{
    App, Failure, reasons,
    releases::{Entry, hex},
    rfc3339,
};

/// The questions, in order.
pub(crate) const QUESTIONS: [&str; 6] = [
    "What software is it running?",
    "How does it connect?",
    "With whom may it talk?",
    "Where does it come from?",
    "Who may update it, and when?",
    "How does it update?",
];

/// Reports that the last answer tells of.
const REPORTS: u32 = 3;
/// Pointers of a MUD file that are told.
const POINTERS: usize = 16;

impl App {
    /// All six answers.
    pub(crate) async fn answers(
        &self,
        device: &Device,
        network: &NetworkState,
    ) -> Result<Vec<Answer>, Failure> {
        let result = match device.result {
            Some(id) => self.store.result(id).await?,
            None => None,
        };
        let claims = result.as_ref().and_then(|result| claims(device, result));
        let claims = claims.as_ref();
        let book = self.book();
        let entry = device.release.as_ref().and_then(|release| book.get(release));
        let release = entry.and_then(|entry| entry.release());
        let answers = [
            software(device, result.as_ref(), claims, release),
            connection(network, self.onboarding_of(device).await?),
            peers(device, network, release),
            origin(entry),
            self.authority(claims).await?,
            self.update(device, claims).await?,
        ];
        let answers = answers.into_iter().zip(QUESTIONS).zip(1..);
        Ok(answers
            .map(|(((answer, facts), title), question)| Answer {
                question,
                title: title.to_owned(),
                answer,
                facts,
            })
            .collect())
    }

    async fn authority(&self, claims: Option<&EvidenceClaims>) -> Result<(String, Value), Failure> {
        let (_, list) = self.authorities().await?;
        let attested = claims.and_then(|claims| claims.status.as_ref()?.authorities);
        let version = claims.and_then(|claims| claims.status.as_ref()?.authorities_version);
        let ours = list.as_ref().map(|list| list.digest(crypto::HashAlgorithm::Sha256));
        let entries: Vec<Value> = list
            .iter()
            .flat_map(|list| list.entries())
            .map(|authority| {
                json!({ "name": authority.name, "role": authority.role.to_string(),
                    "kid": hex(&authority.kid) })
            })
            .collect();
        let answer = match (&list, attested, ours) {
            (None, ..) => "Nobody: no authorities are set here".to_owned(),
            (Some(list), None, _) => {
                format!("{} by this server's list; the device named none", count(list.entries().len(), "key"))
            }
            (Some(list), Some(attested), Some(ours)) if attested == ours => {
                format!("{}, as the device itself says", count(list.entries().len(), "key"))
            }
            _ => "The device obeys another list than this server's".to_owned(),
        };
        let policy = list
            .as_ref()
            .map(|list| json!({ "authors": list.policy().authors, "operators": list.policy().operators }));
        let facts = json!({ "authorities": entries, "needed": policy,
            "attested_version": version, "attested_list": attested.map(|digest| digest.to_string()), "list": ours.map(|digest| digest.to_string()) });
        Ok((answer, facts))
    }

    async fn update(
        &self,
        device: &Device,
        claims: Option<&EvidenceClaims>,
    ) -> Result<(String, Value), Failure> {
        let offer = self.offer_for(device).await?;
        let status = claims.and_then(|claims| claims.status.as_ref());
        let book = self.book();
        let (answer, offered) = match &offer {
            Ok(Some(offer)) => {
                let version = book.version(&offer.campaign.release).unwrap_or_default();
                (
                    format!("It is offered {version}: {}", offer.part.state),
                    json!({
                    "release": offer.campaign.release.to_string(), "version": version,
                    "campaign": offer.campaign.id.0, "state": offer.part.state }),
                )
            }
            Ok(None) => ("Nothing is offered to it".to_owned(), Value::Null),
            Err(reason) => ("An update waits".to_owned(), json!({ "waits_for": reasons::to_api(reason) })),
        };
        let reports = self.reports(device, REPORTS).await?;
        let lacks = self.newest_lack(device).await?;
        let answer = match (&lacks, &offer) {
            (Some(lacks), Ok(None)) => format!("It cannot process {}", detail(lacks, "version")),
            _ => answer,
        };
        let facts = json!({
            "offered": offered,
            "unsupported": lacks,
            "reports": reports,
            "active_slot": status.map(|status| status.active_slot),
            "trial": status.map(|status| status.trial),
            "last_refusal": status.and_then(|status| status.last_refusal.as_ref()).map(|refusal| json!({
                "manifest": hex(&refusal.manifest), "code": refusal.code })),
            "self_asserted": ["active_slot", "trial", "last_refusal", "reports"],
        });
        Ok((answer, facts))
    }

    /// What a device lacks for the release of its newest campaign.
    async fn newest_lack(&self, device: &Device) -> Result<Option<api::Reason>, Failure> {
        let newest = self.store.newest_part(&device.id).await?.map(|offer| offer.part);
        let part = newest.filter(|part| part.state == DeviceProgress::Unsupported.as_str());
        Ok(part.and_then(|part| reasons::one_from_json(&part.reason?)))
    }
}

fn software(
    device: &Device,
    result: Option<&ResultRecord>,
    claims: Option<&EvidenceClaims>,
    release: Option<&Release>,
) -> (String, Value) {
    let answer = match (release, result) {
        (Some(release), _) => format!("{} {}", release.name(), release.version()),
        (None, Some(_)) if device.posture == "untrusted" => "Not what was released".to_owned(),
        (None, Some(_)) => "No one can tell".to_owned(),
        (None, None) => "Not answered yet".to_owned(),
    };
    let measured = measured(claims);
    let expected: Vec<Value> = release
        .iter()
        .flat_map(|release| release.expected())
        .map(|expected| json!({ "component": expected.name, "digest": expected.digest.to_string(), "size": expected.size }))
        .collect();
    let facts = json!({
        "release": device.release.map(|release| release.to_string()),
        "measured": measured,
        "expected": expected,
        "attested_at": device.attested_at.map(rfc3339),
        "tier": result.map(|result| result.tier.clone()),
        "reasons": reasons::from_json(&device.reasons),
    });
    (answer, facts)
}

fn connection(network: &NetworkState, onboarding: Option<api::OnboardedDevice>) -> (String, Value) {
    let answer = match (network.bindings.first(), &onboarding) {
        (Some((gateway, binding)), _) => format!("Behind {gateway} as {}", binding.mac),
        (None, Some(onboarding)) => format!("Onboarded by {}; no gateway admitted it", onboarding.method),
        (None, None) => "Not answered yet: no gateway admitted it".to_owned(),
    };
    (answer, json!({ "bindings": network.bindings, "onboarding": onboarding }))
}

fn peers(device: &Device, network: &NetworkState, release: Option<&Release>) -> (String, Value) {
    let needs = release.and_then(Release::network_needs);
    let flows = needs.map(|needs| flows(&needs.policy)).unwrap_or_default();
    let answer = match network.applied.first() {
        Some((gateway, applied)) => format!("{} at {gateway}", profile_words(applied.profile)),
        None => "No gateway enforces anything for it yet".to_owned(),
    };
    let facts = json!({
        "access": device.access,
        "applied": network.applied,
        "mud_url": needs.map(|needs| needs.url.clone()),
        "mud_digest": needs.map(|needs| needs.digest.to_string()),
        "mud_signer": needs.map(|needs| needs.signer.clone()),
        "flows": flows,
        "dropped": network.violations,
    });
    (answer, facts)
}

fn origin(entry: Option<&Entry>) -> (String, Value) {
    let Some((entry, release)) = entry.and_then(|entry| Some((entry, entry.release()?))) else {
        return ("No signed release matches it".to_owned(), json!({}));
    };
    let signers: Vec<Value> = release
        .signers()
        .iter()
        .map(
            |signer| json!({ "name": signer.name, "role": signer.role.to_string(), "kid": hex(&signer.kid) }),
        )
        .collect();
    let names: Vec<&str> = release.signers().iter().map(|signer| signer.name.as_str()).collect();
    let parts: Vec<Value> = release
        .expected()
        .iter()
        .map(|expected| json!({ "component": expected.name, "version": expected.version }))
        .collect();
    let pointers: Vec<api::Pointer> = release
        .network_needs()
        .iter()
        .flat_map(|needs| &needs.pointers)
        .take(POINTERS)
        .map(pointer)
        .collect();
    let findings = entry.findings.iter().map(|finding| finding.view(&entry.record));
    let (flaws, cannot_tell): (Vec<_>, Vec<_>) = findings.partition(|finding| finding.why.is_none());
    let facts = json!({
        "manifest_digest": hex(release.manifest_digest().as_bytes()),
        "sequence": release.sequence_number(),
        "software": release.name(),
        "version": release.version(),
        "signers": signers,
        "parts": parts,
        "supersedes": release.supersedes(),
        "pointers": pointers,
        "flaws": flaws,
        "cannot_tell": cannot_tell,
    });
    (format!("Signed by {}", names.join(" and ")), facts)
}

fn pointer(named: &mud::Pointer) -> api::Pointer {
    api::Pointer { what: named.what.to_owned(), at: named.at.clone(), version: named.version.clone() }
}

/// One flow that a release asks for.
pub(crate) fn flows(policy: &mud::Policy) -> Vec<Value> {
    policy
        .entries
        .iter()
        .map(|entry| {
            json!({
                "starts": direction_words(entry.direction),
                "family": if entry.family == mud::Family::V4 { "ipv4" } else { "ipv6" },
                "remote": remote_words(&entry.remote),
                "protocol": protocol_words(entry.protocol),
                "remote_ports": ports_words(&entry.remote_ports),
                "device_ports": ports_words(&entry.device_ports),
                "verdict": format!("{:?}", entry.verdict).to_lowercase(),
                "asked_by": if entry.default { "default".to_owned() } else { entry.ace.ace.clone() },
            })
        })
        .collect()
}

/// Who starts a flow.
pub(crate) const fn direction_words(direction: Direction) -> &'static str {
    match direction {
        Direction::FromDevice => "started by the device",
        Direction::ToDevice => "started by the other end",
    }
}

/// A protocol by its name, or its number.
pub(crate) fn protocol_words(protocol: Protocol) -> String {
    match protocol {
        Protocol::Tcp => "tcp".to_owned(),
        Protocol::Udp => "udp".to_owned(),
        Protocol::Icmp { .. } => "icmp".to_owned(),
        Protocol::Other(number) => format!("protocol {number}"),
        Protocol::Any => "any".to_owned(),
    }
}

/// The far end of a flow in words.
pub(crate) fn remote_words(remote: &Remote) -> String {
    match remote {
        Remote::Any => "anywhere".to_owned(),
        Remote::Prefix(prefix) => prefix.to_string(),
        Remote::Name(name) => name.clone(),
        Remote::Controller(class) => class.clone(),
        Remote::MyController => "its controller".to_owned(),
        Remote::Manufacturer(authority) => format!("devices of {authority}"),
        Remote::SameManufacturer => "devices of the same maker".to_owned(),
        Remote::Model(url) => format!("devices of {url}"),
        Remote::LocalNetworks => "the local networks".to_owned(),
    }
}

/// Ports in words; empty for any.
pub(crate) fn ports_words(ports: &Ports) -> String {
    let ranges = ports.ranges().map(|range| match range.start() == range.end() {
        true => range.start().to_string(),
        false => format!("{}-{}", range.start(), range.end()),
    });
    ranges.collect::<Vec<_>>().join(", ")
}

/// A profile in words.
pub(crate) const fn profile_words(profile: api::Profile) -> &'static str {
    match profile {
        api::Profile::Observed => "With anybody; what its release does not say is only told",
        api::Profile::Release => "With whom its release says",
        api::Profile::Restricted => "With whom it already does, and anew only with attestation and update",
        api::Profile::UpdateOnly => "Only with attestation and update",
        api::Profile::Blocked => "With nobody",
        api::Profile::Ejected => "With nobody, and off the link",
    }
}

/// What the device's key signed in a piece of evidence, verified again.
pub(crate) fn claims(device: &Device, result: &ResultRecord) -> Option<EvidenceClaims> {
    verified(device, result).map(VerifiedEvidence::into_claims)
}

/// A piece of evidence, verified again with the device's key.
pub(crate) fn verified<'r>(device: &Device, result: &'r ResultRecord) -> Option<VerifiedEvidence<'r>> {
    let key = Key::decode(&device.key).ok()?;
    let evidence = Evidence::decode(&result.evidence).ok()?;
    evidence.verify(key.public(), &Nonce::new(&result.nonce)?).ok()
}

/// What evidence measured.
pub(crate) fn measured(claims: Option<&EvidenceClaims>) -> Vec<Value> {
    let Some(tag) = claims.and_then(|claims| coswid::Tag::decode(&claims.measurement).ok()) else {
        return Vec::new();
    };
    let files = tag.measured_files();
    files
        .iter()
        .map(|file| json!({ "component": file.path(), "digest": file.digest.map(|digest| digest.to_string()), "size": file.size }))
        .collect()
}

fn detail<'r>(reason: &'r api::Reason, name: &str) -> &'r str {
    reason.detail.get(name).map(String::as_str).unwrap_or_default()
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}
