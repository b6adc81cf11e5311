use alloc::{
    borrow::ToOwned,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;

use coswid::{Tag, TagKind};
use crypto::{Digest, HashAlgorithm};
use mud::{
    ConnState, Context, Difference, Entry, IpPrefix, Packet, PolicyDiff, Remote, Resolved, Severity, Verdict,
    nearest, oracle,
};
use suit::{AuthorityList, ComponentId, Envelope, Image, Signer, VendorId, Verified};
use x509::{
    Certificate,
    cms::{Detached, SignerPolicy},
};

use crate::{Candidate, Code, Expected, Reason, SignedOverride};

/// Integrated payload that carries the MUD file.
pub const MUD_FILE: &str = "#mud.json";
/// Integrated payload that carries the signature of the MUD file.
pub const MUD_SIGNATURE: &str = "#mud.p7s";

/// What an operator believes about releases.
#[derive(Clone, Debug)]
pub struct ReleaseAnchors {
    /// Who may sign manifests for what.
    pub authorities: AuthorityList,
    /// Issuers of MUD signers. When there are none, the manifest's pin of the signer's key is enough.
    pub mud_issuers: Vec<Certificate>,
}

/// A release: one verified SUIT envelope and what it says about measurements and network needs.
#[derive(Clone, Debug)]
pub struct Release {
    envelope: Vec<u8>,
    manifest_digest: Digest,
    sequence_number: u64,
    signers: Vec<Signer>,
    vendor: Option<[u8; 16]>,
    class: Option<[u8; 16]>,
    name: String,
    version: String,
    supersedes: Vec<String>,
    expected: Vec<Expected>,
    sbom: Tag,
    mud: Option<NetworkNeeds>,
}

/// The network needs of a release: its MUD file, verified with the key that the manifest pins.
#[derive(Clone, Debug)]
pub struct NetworkNeeds {
    /// URL of the file.
    pub url: String,
    /// SHA-256 of the file.
    pub digest: Digest,
    /// Name of the certificate that signed it.
    pub signer: String,
    /// The file as signed.
    pub file: Vec<u8>,
    /// What it permits.
    pub policy: mud::Policy,
    /// Where it says that bills of materials, vulnerability reports and what attestation takes are found (RFC 9472,
    /// draft-ietf-iotops-mud-rats).
    pub pointers: Vec<mud::Pointer>,
    /// What there is to say about it.
    pub findings: Vec<mud::Finding>,
    /// What about it is so broad that a person must approve it before it is applied.
    pub broad: Option<Reason>,
}

impl Release {
    /// Verifies an envelope and everything in it that a verifier or gateway relies on.
    ///
    /// In this order: signatures, scope and digests of the manifest; the SBOM is there, names what the manifest installs
    /// and agrees with the manifest's own digests; the MUD file is signed by the key that the manifest pins, and
    /// compiles. `now` is in seconds since 1970. Whether a broad file may be applied changes with time:
    /// [`Release::approved`] says.
    pub fn accept(envelope: &[u8], anchors: &ReleaseAnchors, now: i64) -> Result<Self, Reason> {
        let decoded = Envelope::decode(envelope).map_err(|error| suit_reason(error.code(), &error))?;
        let verified =
            decoded.verify(&anchors.authorities).map_err(|refusal| suit_reason(refusal.code(), &refusal))?;
        let targets = verified.targets();
        let tag = verified.coswid().ok_or(Reason::new(Code::ProvenanceMissing))?;
        let tag =
            Tag::decode(tag).map_err(|error| Reason::new(Code::ProvenanceMissing).with("error", error))?;
        if !matches!(tag.kind(), TagKind::Primary | TagKind::Patch) {
            return Err(Reason::new(Code::ProvenanceMissing)
                .with("error", "the SBOM is not that of installed software"));
        }
        let expected = expected_values(&tag)?;
        agree(&installed(&verified, &anchors.authorities), &expected)?;
        let mud = match verified.mud() {
            Some(binding) => Some(NetworkNeeds::verify(&verified, &binding, anchors, now)?),
            None => None,
        };
        Ok(Self {
            envelope: envelope.to_vec(),
            manifest_digest: verified.manifest_digest(),
            sequence_number: verified.sequence_number(),
            signers: verified.signers().to_vec(),
            vendor: targets.vendors.first().and_then(|vendor| match vendor {
                VendorId::Uuid(uuid) => Some(*uuid.as_bytes()),
                _ => None,
            }),
            class: targets.classes.first().map(|class| *class.as_bytes()),
            name: tag.software_name().to_owned(),
            version: tag.version().map(|version| version.text.to_owned()).unwrap_or_default(),
            supersedes: tag.supersedes().map(ToOwned::to_owned).collect(),
            expected,
            sbom: tag,
            mud,
        })
    }

    /// The envelope as received.
    pub fn envelope(&self) -> &[u8] {
        &self.envelope
    }

    /// The envelope without its images, for those who do not install it; network needs stay in.
    pub fn without_images(&self) -> Vec<u8> {
        let Ok(envelope) = Envelope::decode(&self.envelope) else { return Vec::new() };
        let stripped = envelope.strip_payloads();
        let kept =
            [MUD_FILE, MUD_SIGNATURE].into_iter().filter_map(|uri| Some((uri, envelope.integrated(uri)?)));
        kept.fold(stripped, |bytes, (uri, payload)| match Envelope::decode(&bytes) {
            Ok(stripped) => stripped.with_payload(uri, payload),
            Err(_) => bytes,
        })
    }

    /// Digest of the manifest: the name of the release everywhere.
    pub fn manifest_digest(&self) -> Digest {
        self.manifest_digest
    }

    /// The manifest's sequence number.
    pub fn sequence_number(&self) -> u64 {
        self.sequence_number
    }

    /// Who signed it.
    pub fn signers(&self) -> &[Signer] {
        &self.signers
    }

    /// The vendor it is for, if it names one by UUID.
    pub fn vendor(&self) -> Option<&[u8; 16]> {
        self.vendor.as_ref()
    }

    /// The class of device it is for.
    pub fn class(&self) -> Option<&[u8; 16]> {
        self.class.as_ref()
    }

    /// Whether it is for devices of this vendor and class.
    pub fn is_for(&self, vendor: &[u8; 16], class: &[u8; 16]) -> bool {
        self.vendor.as_ref() == Some(vendor) && self.class.as_ref() == Some(class)
    }

    /// Name of the software.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What its SBOM says it supersedes.
    pub fn supersedes(&self) -> &[String] {
        &self.supersedes
    }

    /// What its components measure.
    pub fn expected(&self) -> &[Expected] {
        &self.expected
    }

    /// Its SBOM, as the manifest holds it.
    pub fn sbom(&self) -> &Tag {
        &self.sbom
    }

    /// Its network needs, if it declares any.
    pub fn network_needs(&self) -> Option<&NetworkNeeds> {
        self.mud.as_ref()
    }

    /// Whether its network needs may be applied now: they ask for little, or one of these overrides approves them.
    pub fn approved<'a>(
        &self,
        overrides: impl IntoIterator<Item = &'a SignedOverride>,
        now: i64,
    ) -> Result<(), Reason> {
        let Some((needs, why)) = self.mud.as_ref().and_then(|needs| Some((needs, needs.broad.as_ref()?)))
        else {
            return Ok(());
        };
        let approves = |item: &SignedOverride| {
            let overlay = item.overlay();
            overlay.approves.is_some_and(|approval| approval.covers(&self.manifest_digest, &needs.digest))
                && overlay.not_before <= now
                && now < overlay.expires
        };
        if overrides.into_iter().any(approves) { Ok(()) } else { Err(why.clone()) }
    }

    /// The release as something to match evidence against.
    pub fn candidate(&self) -> Candidate<'_> {
        Candidate { release: self.manifest_digest, version: &self.version, expected: &self.expected }
    }

    /// What this release needs of the network that another one does not, and the reverse.
    pub fn network_change(&self, from: &Self) -> PolicyDiff {
        let nothing = mud::Policy::default();
        let policy =
            |release: &Self| release.mud.as_ref().map_or(nothing.clone(), |needs| needs.policy.clone());
        mud::diff(&policy(from), &policy(self))
    }
}

/// What a MUD file says of a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Explained<'n> {
    /// This entry decides about it.
    Entry(&'n Entry),
    /// No entry lets it start; this one lets the other end start it.
    OtherEndStarts(&'n Entry),
    /// No entry lets it start; the one that comes closest, and what differs.
    NoEntry(Option<(&'n Entry, Vec<Difference>)>),
}

/// What is known of the far end of a packet: its address, and the name it was looked up by.
fn resolved(packet: &Packet, name: Option<&str>) -> Resolved {
    let mut resolved = Resolved::default();
    if let Some(name) = name {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        resolved.insert(Remote::Name(name), [IpPrefix::host(packet.remote)]);
    }
    resolved
}

impl NetworkNeeds {
    /// Whether the file lets a flow start with this packet, whose far end was looked up by this name.
    pub fn declare(&self, packet: &Packet, name: Option<&str>) -> bool {
        oracle(&self.policy, &resolved(packet, name), packet, ConnState::New).verdict == Verdict::Accept
    }

    /// What the file says of a flow that starts with this packet, whose far end was looked up by this name.
    pub fn explain(&self, packet: &Packet, name: Option<&str>) -> Explained<'_> {
        let resolved = resolved(packet, name);
        let decision = oracle(&self.policy, &resolved, packet, ConnState::New);
        let decided = decision.entry.and_then(|entry| self.policy.entries.get(entry));
        match (decision.reason, decided) {
            (mud::Reason::WrongInitiator, Some(entry)) => Explained::OtherEndStarts(entry),
            (_, Some(entry)) => Explained::Entry(entry),
            (_, None) => {
                let miss = nearest(&self.policy, &resolved, packet);
                Explained::NoEntry(
                    miss.and_then(|miss| Some((self.policy.entries.get(miss.entry)?, miss.differences))),
                )
            }
        }
    }

    fn verify(
        verified: &Verified<'_>,
        binding: &suit::MudBinding<'_>,
        anchors: &ReleaseAnchors,
        now: i64,
    ) -> Result<Self, Reason> {
        let member = |uri| verified.envelope().integrated(uri);
        let (Some(file), Some(signature)) = (member(MUD_FILE), member(MUD_SIGNATURE)) else {
            return Err(Reason::new(Code::MudMissing).with("url", binding.url));
        };
        let signer = verify_mud(file, signature, &binding.signer, &anchors.mud_issuers, now)?;

        let refused = |error: &dyn fmt::Display| Reason::new(Code::MudRefused).with("error", error);
        let context = Context { fetched_url: Some(binding.url), ..Context::default() };
        let parsed = mud::parse(file, &context).map_err(|error| refused(&error))?;
        let compiled = mud::compile(&parsed.file);
        let mut findings = parsed.findings;
        findings.extend(compiled.findings);
        let needs_approval = Reason::new(Code::MudNeedsApproval);
        let breadth = compiled.policy.breadth();
        let broad = match findings.iter().find(|finding| finding.severity == Severity::NeedsApproval) {
            Some(finding) => Some(needs_approval.with("rule", finding.code).with("path", &finding.path)),
            None => breadth.needs_approval().then(|| needs_approval.with("breadth", breadth.score)),
        };
        let transparency = parsed.file.transparency.iter().flat_map(mud::Transparency::pointers);
        let attestation = parsed.file.attestation.iter().flat_map(mud::AttestationResources::pointers);
        Ok(Self {
            url: binding.url.to_owned(),
            digest: Digest::of(HashAlgorithm::Sha256, file),
            signer,
            file: file.to_vec(),
            policy: compiled.policy,
            pointers: transparency.chain(attestation).collect(),
            findings,
            broad,
        })
    }
}

/// Verifies the detached signature of a MUD file with the key whose thumbprint is pinned; gives the signer's name.
///
/// With issuers the signer's certificate must also chain to one of them. Without, its own certificate is the anchor: the
/// manifest's author vouches for the key.
pub fn verify_mud(
    file: &[u8],
    signature: &[u8],
    pinned: &Digest,
    issuers: &[Certificate],
    now: i64,
) -> Result<String, Reason> {
    let mismatch = |error: &dyn fmt::Display| Reason::new(Code::MudSignerMismatch).with("error", error);
    let detached = Detached::decode(signature).map_err(|error| mismatch(&error))?;
    let is_pinned = |certificate: &&Certificate| {
        certificate.public_key().is_ok_and(|key| cose::thumbprint(key, pinned.algorithm()) == *pinned)
    };
    let own: Vec<Certificate> = detached.certificates().iter().filter(is_pinned).cloned().collect();
    if own.is_empty() {
        return Err(mismatch(&"no certificate holds the key that the manifest pins"));
    }
    let chosen = if issuers.is_empty() { &own } else { issuers };
    let policy = SignerPolicy { anchors: chosen, extra: &[], subject: None, now };
    let signer = detached.verify(file, &policy).map_err(|error| mismatch(&error))?;
    if cose::thumbprint(signer.public_key(), pinned.algorithm()) != *pinned {
        return Err(mismatch(&"the file is signed by another key than the manifest pins"));
    }
    Ok(signer.subject().to_string())
}

/// The expected values of a software identity tag (see docs/expected-values.md for the convention).
fn expected_values(tag: &Tag) -> Result<Vec<Expected>, Reason> {
    let conflict = |name: &str, error: &str| {
        Reason::new(Code::ReferenceConflict).with("component", name).with("error", error)
    };
    let mut expected: Vec<Expected> = Vec::new();
    for file in tag.measured_files() {
        let name = file.path();
        // A file that nothing can be compared with is documentation, unless the tag says that it must be there.
        let Some(digest) = file.digest else {
            if file.key {
                return Err(conflict(&name, "a required file has no usable hash"));
            }
            continue;
        };
        if expected.iter().any(|other| other.name == name) {
            return Err(conflict(&name, "listed twice"));
        }
        let version = file.version.map(ToOwned::to_owned);
        expected.push(Expected { name, digest, size: file.size, required: file.key, version });
    }
    if !expected.iter().any(|component| component.required) {
        return Err(Reason::new(Code::ProvenanceMissing).with("error", "the SBOM requires no measured file"));
    }
    expected.sort();
    Ok(expected)
}

/// An image that a manifest of a release installs.
struct Installed {
    name: String,
    digest: Digest,
    size: Option<u64>,
}

/// The images that the manifest installs, and those of the manifests in its envelope that it may depend on, as far as
/// their signers may change what they name there.
fn installed(verified: &Verified<'_>, authorities: &AuthorityList) -> Vec<Installed> {
    let common = verified.manifest().common();
    let mut installed: Vec<Installed> =
        verified.images().iter().map(|image| Installed::of(image, None)).collect();
    if common.dependencies().is_empty() {
        return installed;
    }
    for (_, payload) in verified.envelope().payloads() {
        let Ok(envelope) = Envelope::decode(payload) else { continue };
        let dependency = common.dependencies().iter().find_map(|dependency| {
            let prefix = common.prefix(dependency.index);
            Some((envelope.verify_dependency(authorities, prefix).ok()?, prefix))
        });
        if let Some((dependency, prefix)) = dependency {
            installed.extend(dependency.images().iter().map(|image| Installed::of(image, prefix)));
        }
    }
    installed
}

impl Installed {
    fn of(image: &Image<'_>, prefix: Option<&ComponentId>) -> Self {
        // One that is too long with its prefix is on no device.
        let place = prefix.and_then(|prefix| image.component.prefixed(prefix));
        let name = place.as_ref().unwrap_or(&image.component).to_string();
        Self { name, digest: image.digest, size: image.size }
    }
}

/// Holds the SBOM to the manifests: every image they install is in the SBOM, with the same digest and size.
fn agree(images: &[Installed], expected: &[Expected]) -> Result<(), Reason> {
    for image in images {
        let reason = || Reason::new(Code::ReferenceConflict).with("component", &image.name);
        let same_name: Vec<&Expected> =
            expected.iter().filter(|component| component.name == image.name).collect();
        if same_name.is_empty() {
            return Err(reason().with("error", "the manifest installs it and the SBOM does not list it"));
        }
        // Alternatives of one component (slots) may differ; the one the SBOM lists must be among them.
        let agrees = |component: &Expected| {
            images.iter().filter(|other| other.name == image.name).any(|other| {
                other.digest == component.digest
                    && (other.size.is_none() || component.size.is_none() || other.size == component.size)
            })
        };
        if !same_name.into_iter().all(agrees) {
            return Err(reason().with("error", "the manifest and the SBOM give different digests"));
        }
    }
    Ok(())
}

fn suit_reason(code: &str, error: &dyn fmt::Display) -> Reason {
    Reason::new(Code::from_text(code).unwrap_or(Code::MalformedObject)).with("error", error)
}
