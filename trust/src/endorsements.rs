use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::{String, ToString},
    vec::Vec,
};

use corim::{
    Anchors, ClaimKind, ClassId, CoswidTriple, CryptoKey, Ect, Element, Environment, Instance,
    MeasuredElement, Measurement, MeasurementValues, Received, References, Release, ReleaseId, ReleaseUnit,
    StateSet, TagId, VerifiedCorim,
};
use coswid::{Tag, TagKind};
use crypto::{Digest, PublicKey, RsaPublicKey};
use eat::TpmKey;
use x509::Certificate;

use crate::{Code, KeyBinding, Measured, Reason, corroborate};

/// How many manifests may endorse one attester.
pub const MAX_ENDORSING: usize = 64;

/// How many endorsed keys are tried on one piece of evidence.
pub const MAX_ATTEST_KEYS: usize = 8;

/// What manifests of others (CoRIM) say, all that were accepted: with which keys devices attest, and what they are
/// expected to measure.
///
/// Both are found by what evidence says of itself, so that it does not matter how many there are.
#[derive(Clone, Debug, Default)]
pub struct Endorsements {
    references: References,
    manifests: BTreeMap<Digest, Accepted>,
    /// Keys of an instance; those of a whole class under no instance.
    keys: BTreeMap<Option<Instance>, Vec<EndorsedKey>>,
    /// In the same way, who certifies keys.
    authorities: BTreeMap<Option<Instance>, Vec<EndorsedAuthority>>,
    /// Manifests that endorse more than keys, by what their conditions and claims are about.
    endorsing: BTreeMap<About, BTreeSet<Digest>>,
    /// Where the reference values of a release come from.
    origins: BTreeMap<ReleaseId, Digest>,
    /// The last seconds of manifests that end, and how many end then.
    ends: BTreeMap<i64, usize>,
}

#[derive(Clone, Debug)]
struct Accepted {
    manifest: VerifiedCorim,
    releases: Vec<ReleaseId>,
}

/// By what endorsements of an environment are found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum About {
    Instance(Instance),
    Class(ClassId),
    Other,
}

/// A public key with which a device attests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttestationKey {
    /// One that signs tokens and quotes.
    Signature(PublicKey),
    /// One of RSA, which signs quotes of TPMs alone.
    Rsa(RsaPublicKey),
}

/// A key with which a device attests, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndorsedKey {
    /// The key.
    pub key: AttestationKey,
    /// What the endorsement says whose it is: it may know more of the device than evidence tells.
    pub environment: Environment,
    /// By what it is known to be the device's.
    pub binding: KeyBinding,
}

/// Whoever certifies the keys with which devices attest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndorsedAuthority {
    /// The certificate.
    pub certificate: Certificate,
    /// What the endorsement says whose keys those are.
    pub environment: Environment,
    /// The manifest that says so.
    pub manifest: Digest,
}

/// Verifies a manifest: signed by somebody who may, or unsigned where whoever brings it answers for it by name.
///
/// # Errors
/// Why it is not believed.
pub fn verify_manifest(
    bytes: &[u8],
    anchors: Anchors<'_>,
    bringer: Option<&str>,
    now: i64,
) -> Result<VerifiedCorim, Reason> {
    let verified = Received::decode(bytes).and_then(|received| match (received, bringer) {
        (Received::Signed(manifest), _) => manifest.verify(anchors, now).map(Some),
        (Received::Unsigned(manifest), Some(bringer)) => {
            manifest.trusted_by_operator(bringer, Vec::new(), now).map(Some)
        }
        (Received::Unsigned(_), None) => Ok(None),
    });
    match verified {
        Ok(verified) => verified.ok_or_else(|| Code::UnsignedManifest.into()),
        Err(error) => {
            let code = Code::from_text(error.code()).unwrap_or(Code::MalformedObject);
            Err(Reason::new(code).with("error", described(&error)))
        }
    }
}

/// An error with its causes.
fn described(error: &dyn core::error::Error) -> String {
    let (mut text, mut source) = (error.to_string(), error.source());
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

impl Endorsements {
    /// Nothing is endorsed.
    pub fn new() -> Self {
        Self::default()
    }

    /// Accepts a manifest, and gives its digest, by which it is known. The same one twice is one. Each of its CoMIDs is
    /// a release: reference values that must match together.
    pub fn add(&mut self, manifest: VerifiedCorim) -> Digest {
        let digest = manifest.digest();
        self.remove(&digest);
        let tags = |triple: &CoswidTriple| files(&manifest, triple);
        let releases = self.references.add_with(&manifest, ReleaseUnit::Comid, &tags);
        for about in endorsing(&manifest) {
            self.endorsing.entry(about).or_default().insert(digest);
        }
        for (environment, key) in endorsed_keys(&manifest) {
            let (instance, environment) = (environment.instance.clone(), environment.clone());
            match key.certificate().filter(|certificate| certificate.basic_constraints().ca) {
                Some(certificate) => {
                    let authority = EndorsedAuthority { certificate, environment, manifest: digest };
                    self.authorities.entry(instance).or_default().push(authority);
                }
                None => {
                    let Some(key) = AttestationKey::named(key) else { continue };
                    let key = EndorsedKey { key, environment, binding: KeyBinding::Manifest(digest) };
                    self.keys.entry(instance).or_default().push(key);
                }
            }
        }
        if let Some(end) = manifest.not_after() {
            *self.ends.entry(end).or_default() += 1;
        }
        self.origins.extend(releases.iter().map(|release| (release.clone(), digest)));
        self.manifests.insert(digest, Accepted { manifest, releases });
        digest
    }

    /// Forgets a manifest and all that it said; says whether it was known.
    pub fn remove(&mut self, digest: &Digest) -> bool {
        let Some(Accepted { manifest, releases }) = self.manifests.remove(digest) else { return false };
        if let Some(end) = manifest.not_after()
            && let Some(count) = self.ends.get_mut(&end)
        {
            *count -= 1;
            if *count == 0 {
                self.ends.remove(&end);
            }
        }
        for triple in manifest.comids().flat_map(|comid| &comid.triples.attest_key) {
            let instance = &triple.environment.instance;
            retain(&mut self.keys, instance, |key| key.binding != KeyBinding::Manifest(*digest));
            retain(&mut self.authorities, instance, |authority| authority.manifest != *digest);
        }
        for about in endorsing(&manifest) {
            if let Some(manifests) = self.endorsing.get_mut(&about) {
                manifests.remove(digest);
                if manifests.is_empty() {
                    self.endorsing.remove(&about);
                }
            }
        }
        for release in releases {
            // A manifest that came later may have replaced a release of this one.
            if self.origins.get(&release) == Some(digest) {
                self.origins.remove(&release);
                self.references.remove(&release);
            }
        }
        true
    }

    /// A manifest that was accepted, by its digest.
    pub fn manifest(&self, digest: &Digest) -> Option<&VerifiedCorim> {
        self.manifests.get(digest).map(|accepted| &accepted.manifest)
    }

    /// Every manifest that was accepted, with the digest by which it is known.
    pub fn manifests(&self) -> impl Iterator<Item = (&Digest, &VerifiedCorim)> {
        self.manifests.iter().map(|(digest, accepted)| (digest, &accepted.manifest))
    }

    /// The last second of the next manifest to end, of those that have not ended at a time; none where none ends. What is
    /// judged until then is judged by the same manifests, as far as time goes.
    pub fn next_end(&self, now: i64) -> Option<i64> {
        self.ends.range(now..).next().map(|(end, _)| *end)
    }

    /// Their reference values.
    pub fn references(&self) -> &References {
        &self.references
    }

    /// The manifest that a release comes from.
    pub fn origin(&self, release: &ReleaseId) -> Option<&Digest> {
        self.origins.get(release)
    }

    /// Whether what a release expects counts at a time.
    pub(crate) fn is_valid(&self, release: &Release, now: i64) -> bool {
        self.origin(&release.id).is_some_and(|digest| self.counts(digest, now))
    }

    /// Whether a manifest was accepted and is valid at a time.
    fn counts(&self, digest: &Digest, now: i64) -> bool {
        self.manifest(digest).is_some_and(|manifest| manifest.check_validity(now).is_ok())
    }

    /// What manifests expect of an environment, for people to compare with what was measured: the name of each release, and
    /// its components.
    pub fn expected(&self, environment: &Environment) -> Vec<(String, Vec<Measured>)> {
        let measured = |measurement: &Measurement| {
            let element = Element::from(measurement);
            Measured {
                name: corroborate::component(&element),
                digest: corroborate::digests(&element).first().copied(),
                size: None,
            }
        };
        let (releases, _) = self.references.about(environment);
        let each = |release: &Release| {
            let triples = release.triples.iter();
            let about = triples.filter(|triple| triple.environment.is_satisfied_by(environment));
            let components = about.flat_map(|triple| &triple.measurements).map(measured).collect();
            (corroborate::name(&release.id), components)
        };
        releases.into_iter().map(each).collect()
    }

    /// Adds to what an attester measured whatever valid manifests say is then true of it: endorsed values, and those of
    /// conditions and series of them that hold. The elements are those of its own environment.
    pub fn endorsed(&self, measured: &Ect, now: i64) -> Result<Vec<Element>, Code> {
        let environment = &measured.environment;
        let instance = environment.instance.clone().map(About::Instance);
        let places = instance
            .into_iter()
            .chain(class_id(environment).cloned().map(About::Class))
            .chain([About::Other]);
        let manifests: BTreeSet<&Digest> =
            places.filter_map(|about| self.endorsing.get(&about)).flatten().collect();
        let manifests: Vec<&VerifiedCorim> = manifests
            .into_iter()
            .filter(|digest| self.counts(digest, now))
            .filter_map(|digest| self.manifest(digest))
            .take(MAX_ENDORSING + 1)
            .collect();
        // To leave one out may be to leave out what speaks against the device.
        if manifests.len() > MAX_ENDORSING {
            return Err(Code::TooManyReferences);
        }
        let mut state = StateSet::new(Vec::from([measured.clone()]));
        state.augment(&manifests).map_err(|_| Code::TooManyReferences)?;
        let endorsed = state.ects().iter().filter(|ect| {
            ect.kind == ClaimKind::Endorsements && ect.environment.is_satisfied_by(environment)
        });
        Ok(endorsed.flat_map(|ect| ect.elements.iter().cloned()).collect())
    }

    /// The keys with which an environment attests, according to manifests that are valid; at most
    /// [`MAX_ATTEST_KEYS`]. Keys that are only named, by thumbprints or mere identifiers, are none.
    ///
    /// A key is one of the instance, or of the class by its identifier: nothing less binds it to who attests, such as a
    /// group, of which evidence tells nothing. An endorsement may know more of a device than its evidence tells, such as
    /// vendor and model; what both tell must be the same.
    pub fn keys(&self, environment: &Environment, now: i64) -> Vec<&EndorsedKey> {
        let keys = bound(&self.keys, environment, |key| &key.environment);
        let counting = keys.filter(|key| match key.binding {
            KeyBinding::Manifest(manifest) => self.counts(&manifest, now),
            _ => false,
        });
        counting.take(MAX_ATTEST_KEYS).collect()
    }

    /// Who certifies the keys with which an environment attests, according to manifests that are valid; at most
    /// [`MAX_ATTEST_KEYS`]. They are bound to it as keys are.
    pub fn authorities(&self, environment: &Environment, now: i64) -> Vec<&EndorsedAuthority> {
        let authorities = bound(&self.authorities, environment, |authority| &authority.environment);
        authorities.filter(|authority| self.counts(&authority.manifest, now)).take(MAX_ATTEST_KEYS).collect()
    }
}

impl AttestationKey {
    /// The key that an endorsement names; nothing where it cannot be read, or is only named by a digest or identifier.
    fn named(key: &CryptoKey) -> Option<Self> {
        key.public_key().map(Self::Signature).or_else(|| key.rsa_public_key().map(Self::Rsa))
    }

    /// The forms in which it is named as an authority.
    pub(crate) fn authority(&self) -> Vec<CryptoKey> {
        match self {
            Self::Signature(key) => CryptoKey::of_public_key(key),
            Self::Rsa(key) => CryptoKey::of_rsa_public_key(key),
        }
    }
}

impl EndorsedKey {
    /// The key where it is one that signs tokens.
    pub(crate) fn for_tokens(&self) -> Option<&PublicKey> {
        match &self.key {
            AttestationKey::Signature(key) => Some(key),
            AttestationKey::Rsa(_) => None,
        }
    }

    /// The key as one of a TPM.
    pub(crate) fn for_quotes(&self) -> Option<TpmKey> {
        Some(match &self.key {
            AttestationKey::Signature(key) => key.clone().into(),
            AttestationKey::Rsa(key) => key.clone().into(),
        })
    }
}

/// What is said of the instance of an environment, or of its class by the identifier, and contradicts nothing it tells.
fn bound<'e, 't, T>(
    said: &'e BTreeMap<Option<Instance>, Vec<T>>,
    environment: &'t Environment,
    of: fn(&T) -> &Environment,
) -> impl Iterator<Item = &'e T> + use<'e, 't, T> {
    let of_instance = environment.instance.as_ref().and_then(|_| said.get(&environment.instance));
    let class = class_id(environment);
    let of_class = said.get(&None).into_iter().flatten();
    let of_class = of_class.filter(move |one| class.is_some() && class_id(of(one)) == class);
    of_instance.into_iter().flatten().chain(of_class).filter(move |one| agree(of(one), environment))
}

fn retain<T>(
    said: &mut BTreeMap<Option<Instance>, Vec<T>>,
    instance: &Option<Instance>,
    keep: impl Fn(&T) -> bool,
) {
    if let Some(all) = said.get_mut(instance) {
        all.retain(keep);
        if all.is_empty() {
            said.remove(instance);
        }
    }
}

fn class_id(environment: &Environment) -> Option<&ClassId> {
    environment.class.as_ref()?.id.as_ref()
}

/// Whether two parties can speak of one environment: nothing that both tell of it differs.
fn agree(endorsed: &Environment, told: &Environment) -> bool {
    fn same<T: PartialEq>(one: &Option<T>, other: &Option<T>) -> bool {
        one.is_none() || other.is_none() || one == other
    }
    let class = match (&endorsed.class, &told.class) {
        (Some(one), Some(other)) => {
            same(&one.id, &other.id)
                && same(&one.vendor, &other.vendor)
                && same(&one.model, &other.model)
                && same(&one.layer, &other.layer)
                && same(&one.index, &other.index)
        }
        _ => true,
    };
    class && same(&endorsed.instance, &told.instance) && same(&endorsed.group, &told.group)
}

/// What the endorsements of a manifest are about, other than keys: their conditions, and their claims.
fn endorsing(manifest: &VerifiedCorim) -> BTreeSet<About> {
    let about = |environment: &Environment| match (&environment.instance, class_id(environment)) {
        (Some(instance), _) => About::Instance(instance.clone()),
        (_, Some(class)) => About::Class(class.clone()),
        _ => About::Other,
    };
    let triples = || manifest.comids().map(|comid| &comid.triples);
    let endorsed = triples().flat_map(|triples| &triples.endorsed).map(|triple| &triple.environment);
    let conditional = triples().flat_map(|triples| &triples.conditional);
    let conditional = conditional.flat_map(|triple| triple.conditions.iter().chain(&triple.endorsements));
    let series = triples().flat_map(|triples| &triples.conditional_series).map(|triple| &triple.environment);
    endorsed.chain(conditional.map(|triple| &triple.environment)).chain(series).map(about).collect()
}

/// What the CoSWID tags of a triple expect of its environment, each file under its path; nothing where one is not in
/// the manifest, is no plain tag of installed software, or has a file that must be there and that nothing can be
/// compared with.
fn files(manifest: &VerifiedCorim, triple: &CoswidTriple) -> Option<Vec<Measurement>> {
    let tags = manifest.corim().tags.iter().filter_map(|tag| match tag {
        corim::Tag::Coswid(bytes) => Tag::decode(bytes).ok(),
        _ => None,
    });
    let tags: Vec<Tag> = tags.collect();
    let mut measurements = Vec::new();
    for id in &triple.tags {
        let tag = tags.iter().find(|tag| match (id, tag.tag_id()) {
            (TagId::Text(id), coswid::TagId::Text(found)) => id == found,
            (TagId::Uuid(id), coswid::TagId::Uuid(found)) => id == found,
            _ => false,
        })?;
        if !matches!(tag.kind(), TagKind::Primary | TagKind::Patch) || tag.evidence().is_some() {
            return None;
        }
        for file in tag.measured_files() {
            let Some(digest) = file.digest else {
                if file.key {
                    return None;
                }
                continue;
            };
            let values =
                MeasurementValues { digests: Vec::from([digest.into()]), ..MeasurementValues::default() };
            let key = Some(MeasuredElement::Name(file.path()));
            measurements.push(Measurement { key, ..Measurement::new(values) });
        }
    }
    (!measurements.is_empty()).then_some(measurements)
}

/// The keys that a manifest names and has the right to, each with whose it is.
fn endorsed_keys(manifest: &VerifiedCorim) -> impl Iterator<Item = (&Environment, &CryptoKey)> {
    let authority = manifest.authority_keys();
    let triples = manifest.comids().flat_map(|comid| &comid.triples.attest_key);
    let allowed = triples.filter(|triple| triple.authorized_by.iter().all(|key| authority.contains(key)));
    allowed.flat_map(|triple| triple.keys.iter().map(|key| (&triple.environment, key)))
}

#[cfg(test)]
mod tests {
    use corim::{Distrust, Error};

    use super::*;

    #[test]
    fn every_refusal_of_a_manifest_keeps_its_code() {
        let signature = |distrust: cose::Distrust| Error::Signature(distrust.into());
        let rows = [
            (Error::UnknownProfile, "reference-profile"),
            (Error::Profile { comid: 0, rule: "" }, "reference-profile"),
            (Error::Incomplete(""), "malformed-object"),
            (signature(cose::Distrust::NoKey), "unknown-signer"),
            (signature(cose::Distrust::BadSignature), "bad-manifest-signature"),
            (Distrust::ContentType.into(), "malformed-object"),
            (Distrust::NoSigner.into(), "unknown-signer"),
            (Distrust::ContentDigest.into(), "bad-manifest-signature"),
            (Distrust::HashAlgorithm(0).into(), "unsupported-algorithm"),
            (Distrust::NotYetValid.into(), "reference-not-yet-valid"),
            (Distrust::Expired.into(), "reference-expired"),
            (Distrust::KeyUsage.into(), "unknown-signer"),
        ];
        for (error, code) in rows {
            assert_eq!((error.code(), Code::from_text(error.code()).map(Code::as_str)), (code, Some(code)));
        }
    }
}
