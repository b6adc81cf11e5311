use alloc::{collections::BTreeMap, vec::Vec};

use corim::{ClassId, Environment, Instance, References, Release, ReleaseId, ReleaseUnit, VerifiedCorim};
use crypto::{Digest, PublicKey};

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
    /// Where the reference values of a release come from.
    origins: BTreeMap<ReleaseId, Digest>,
}

#[derive(Clone, Debug)]
struct Accepted {
    manifest: VerifiedCorim,
    releases: Vec<ReleaseId>,
}

/// A key with which a device attests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndorsedKey {
    /// The key.
    pub key: PublicKey,
    /// What the endorsement says whose it is: it may know more of the device than evidence tells.
    pub environment: Environment,
    /// The manifest that says so.
    pub manifest: Digest,
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
        let releases = self.references.add(&manifest, ReleaseUnit::Comid);
        for key in endorsed_keys(&manifest, digest) {
            self.keys.entry(key.environment.instance.clone()).or_default().push(key);
        }
        self.origins.extend(releases.iter().map(|release| (release.clone(), digest)));
        self.manifests.insert(digest, Accepted { manifest, releases });
        digest
    }

    /// Forgets a manifest and all that it said; says whether it was known.
    pub fn remove(&mut self, digest: &Digest) -> bool {
        let Some(Accepted { manifest, releases }) = self.manifests.remove(digest) else { return false };
        for triple in manifest.comids().flat_map(|comid| &comid.triples.attest_key) {
            let instance = &triple.environment.instance;
            if let Some(keys) = self.keys.get_mut(instance) {
                keys.retain(|key| key.manifest != *digest);
                if keys.is_empty() {
                    self.keys.remove(instance);
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

    /// The keys with which an environment attests, according to manifests that are valid; at most
    /// [`MAX_ATTEST_KEYS`]. Keys that are only named, by thumbprints or mere identifiers, are none.
    ///
    /// A key is one of the instance, or of the class by its identifier: nothing less binds it to who attests, such as a
    /// group, of which evidence tells nothing. An endorsement may know more of a device than its evidence tells, such as
    /// vendor and model; what both tell must be the same.
    pub fn keys(&self, environment: &Environment, now: i64) -> Vec<&EndorsedKey> {
        let of_instance = environment.instance.as_ref().and_then(|_| self.keys.get(&environment.instance));
        let class = class_id(environment);
        let of_class = self.keys.get(&None).into_iter().flatten();
        let of_class = of_class.filter(|key| class.is_some() && class_id(&key.environment) == class);
        let keys = of_instance.into_iter().flatten().chain(of_class);
        let counting =
            keys.filter(|key| agree(&key.environment, environment) && self.counts(&key.manifest, now));
        counting.take(MAX_ATTEST_KEYS).collect()
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

/// The keys that a manifest names and has the right to.
fn endorsed_keys(manifest: &VerifiedCorim, digest: Digest) -> Vec<EndorsedKey> {
    let authority = manifest.authority_keys();
    let triples = manifest.comids().flat_map(|comid| &comid.triples.attest_key);
    let allowed = triples.filter(|triple| triple.authorized_by.iter().all(|key| authority.contains(key)));
    let keys = allowed.flat_map(|triple| {
        let keys = triple.keys.iter().filter_map(corim::CryptoKey::public_key);
        keys.map(|key| EndorsedKey { key, environment: triple.environment.clone(), manifest: digest })
    });
    keys.collect()
}
