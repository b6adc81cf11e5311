//! The evidence profile of this product.

use alloc::{string::String, vec::Vec};

use cbor::{MapBuilder, Reader, Writer};
use cose::{Sign1, Sign1Builder};
use crypto::{Digest, HashAlgorithm, PublicKey, SigningKey, hmac, hmac_verify};

use crate::{
    ClaimKey, Claims, Content, ContentBody, DebugStatus, Error, Nonce, OemId, Profile, Ueid, labels,
    token::{TAG_CWT, check_nonce, open},
    values::text,
};

/// Name of the profile: a CWT (tag 61) of a COSE_Sign1 over deterministically encoded claims, with one nonce, one
/// evidence CoSWID that lists every measured component, and references to the installed manifest and behind it to those
/// that it depends on, if one is installed.
pub const EVIDENCE_PROFILE: &str = "urn:sextant:evidence:1";

/// How many bytes evidence may have.
pub const MAX_EVIDENCE_LEN: usize = 64 << 10;

/// Content-Format of a manifest reference, from the range for experiments (RFC 7252, section 12.3): no format is
/// registered for naming an installed SUIT manifest.
pub const MANIFEST_REFERENCE_FORMAT: u16 = 65001;

/// Manifests that an installed one may depend on.
pub const MAX_DEPENDENCIES: usize = 15;

/// Content-Format of a CoSWID, `application/swid+cbor`.
pub(crate) const COSWID_FORMAT: u16 = 258;

/// Labels of the device status.
const STATUS_ACTIVE_SLOT: i64 = 1;
const STATUS_TRIAL: i64 = 2;
const STATUS_AUTHORITIES: i64 = 3;
const STATUS_REFUSAL: i64 = 4;
const STATUS_AUTHORITIES_VERSION: i64 = 5;

/// The claims of the profile, well-formed by construction except for lengths that [`EvidenceClaims::sign`] checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvidenceClaims {
    /// The verifier's challenge.
    pub nonce: Nonce,
    /// The device.
    pub ueid: Ueid,
    /// oemid: UUID of the vendor, as in the manifest.
    pub vendor: [u8; 16],
    /// hwmodel: UUID of the device class, as in the manifest.
    pub class: [u8; 16],
    /// How often the device has booted.
    pub bootcount: u64,
    /// What tells one boot session from all others.
    pub bootseed: Vec<u8>,
    /// Whether it can be debugged.
    pub dbgstat: DebugStatus,
    /// The evidence CoSWID that lists every measured component, not decoded.
    pub measurement: Vec<u8>,
    /// The installed manifest; none on a device that never installed one.
    pub manifest: Option<ManifestReference>,
    /// The manifests that it depends on; at most [`MAX_DEPENDENCIES`].
    pub dependencies: Vec<ManifestReference>,
    /// What the device says of itself.
    pub status: Option<DeviceStatus>,
}

/// Which manifest is installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ManifestReference {
    /// Digest of the manifest, the one in its SUIT envelope.
    pub digest: Digest,
    /// Its sequence number.
    pub sequence_number: u64,
}

/// The device's own account of its update state: shown to people, and not measured. Only the digest of the list of
/// authorities is judged, where a policy asks for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceStatus {
    /// The slot it runs from.
    pub active_slot: u64,
    /// Whether it runs a release on trial.
    pub trial: bool,
    /// Digest of the list of authorities it obeys.
    pub authorities: Option<Digest>,
    /// Version of that list.
    pub authorities_version: Option<u64>,
    /// The manifest it refused last.
    pub last_refusal: Option<Refusal>,
}

/// A manifest a device refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Digest of the manifest, or as much of it as the device kept.
    pub manifest: Vec<u8>,
    /// Reason code.
    pub code: String,
}

/// Evidence of the profile, well-formed and trusted by nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence<'b> {
    bytes: &'b [u8],
    message: Sign1<'b>,
    claims: EvidenceClaims,
}

/// Evidence signed by the device's key in answer to our nonce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedEvidence<'b> {
    bytes: &'b [u8],
    claims: EvidenceClaims,
}

impl<'b> Evidence<'b> {
    /// Decodes evidence, and holds it to deterministic encoding and to every rule of the profile.
    pub fn decode(bytes: &'b [u8]) -> Result<Self, Error> {
        if Reader::new(bytes).is_tag(TAG_CWT) == Ok(false) {
            return Err(cbor::Error::rule(0, "evidence is not tagged as CWT").into());
        }
        let message = open(bytes, MAX_EVIDENCE_LEN)?;
        let payload = message.payload().ok_or(cose::Error::PayloadMissing)?;
        let claims = Claims::decode(&mut Reader::new(payload))?;
        Ok(Self { bytes, claims: EvidenceClaims::from_claims(claims)?, message })
    }

    /// The device it claims to come from: to look up its key.
    pub fn ueid(&self) -> &Ueid {
        &self.claims.ueid
    }

    /// The key it claims to be signed by.
    pub fn kid(&self) -> Option<&'b [u8]> {
        self.message.kid()
    }

    /// The nonce it claims to answer: cheap to look up before a signature is verified.
    pub fn nonce(&self) -> &Nonce {
        &self.claims.nonce
    }

    /// What it claims, which nobody vouches for yet.
    pub fn unverified(&self) -> &EvidenceClaims {
        &self.claims
    }

    /// Verifies signature and nonce. That the key is the one of [`Evidence::ueid`] is for the caller to have made sure.
    pub fn verify(self, key: &PublicKey, expected: &Nonce) -> Result<VerifiedEvidence<'b>, Error> {
        self.message.verify(key, None, &[])?;
        check_nonce(core::slice::from_ref(&self.claims.nonce), expected)?;
        Ok(VerifiedEvidence { bytes: self.bytes, claims: self.claims })
    }
}

impl<'b> Evidence<'b> {
    /// Verifies evidence again by the seal that was made when its signature was verified ([`VerifiedEvidence::seal`]): a
    /// hundredth of the work. The context is what else must be as it was, such as the device's key.
    pub fn reopen(
        self,
        seal: &[u8],
        secret: &[u8],
        context: &[&[u8]],
        expected: &Nonce,
    ) -> Result<VerifiedEvidence<'b>, Error> {
        if !hmac_verify(HashAlgorithm::Sha256, secret, &sealed(self.bytes, context), seal) {
            return Err(cose::Error::from(cose::Distrust::BadSignature).into());
        }
        check_nonce(core::slice::from_ref(&self.claims.nonce), expected)?;
        Ok(VerifiedEvidence { bytes: self.bytes, claims: self.claims })
    }
}

/// What a seal is over: every part with its length, so that none can pass for another.
fn sealed(evidence: &[u8], context: &[&[u8]]) -> Vec<u8> {
    let mut message = Writer::new();
    message.array(context.len() + 2).text("urn:sextant:evidence-seal:1").bytes(evidence);
    context.iter().for_each(|part| {
        message.bytes(part);
    });
    message.into_bytes()
}

impl<'b> VerifiedEvidence<'b> {
    /// A keyed digest with which only whoever has the secret can say that this evidence was verified, in a context.
    pub fn seal(&self, secret: &[u8], context: &[&[u8]]) -> Digest {
        hmac(HashAlgorithm::Sha256, secret, &sealed(self.bytes, context))
    }

    /// The claims.
    pub fn claims(&self) -> &EvidenceClaims {
        &self.claims
    }

    /// The claims, without the bytes they came in.
    pub fn into_claims(self) -> EvidenceClaims {
        self.claims
    }

    /// The evidence as it was received, for the record.
    pub fn as_bytes(&self) -> &'b [u8] {
        self.bytes
    }
}

impl EvidenceClaims {
    /// Signs the evidence with a key at hand.
    pub fn sign(&self, key: &SigningKey, kid: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(cwt(&Self::envelope(kid).sign(key, &self.payload()?)))
    }

    /// The message the payload is signed in, for keys held elsewhere: sign its `to_be_signed` over
    /// [`EvidenceClaims::payload`], `assemble` it, and tag it with [`EvidenceClaims::finish`].
    pub fn envelope(kid: &[u8]) -> Sign1Builder {
        Sign1Builder::new().kid(kid)
    }

    /// The encoded claims-set.
    pub fn payload(&self) -> Result<Vec<u8>, Error> {
        check_bootseed(&self.bootseed).map_err(Error::Unsignable)?;
        if self.dependencies.len() > MAX_DEPENDENCIES {
            return Err(Error::Unsignable("more manifests than may be installed"));
        }
        Ok(self.to_claims().encode())
    }

    /// Evidence from an assembled message.
    pub fn finish(message: &[u8]) -> Vec<u8> {
        cwt(message)
    }

    fn to_claims(&self) -> Claims {
        // What depends on nothing installed is not told.
        let dependencies = self.dependencies.iter().filter(|_| self.manifest.is_some());
        let manifests = self.manifest.iter().chain(dependencies);
        Claims {
            nonces: Vec::from([self.nonce.clone()]),
            ueid: Some(self.ueid.clone()),
            oemid: Some(OemId::Random(self.vendor)),
            hwmodel: Some(self.class.into()),
            dbgstat: Some(self.dbgstat),
            profile: Some(Profile::Uri(EVIDENCE_PROFILE.into())),
            bootcount: Some(self.bootcount),
            bootseed: Some(self.bootseed.clone()),
            manifests: manifests
                .map(|manifest| Content::bytes(MANIFEST_REFERENCE_FORMAT, manifest.encode()))
                .collect(),
            measurements: Vec::from([Content::bytes(COSWID_FORMAT, self.measurement.as_slice())]),
            others: self
                .status
                .iter()
                .map(|status| (ClaimKey::Int(labels::DEVICE_STATUS), status.encode()))
                .collect(),
            ..Claims::default()
        }
    }

    fn from_claims(claims: Claims) -> Result<Self, Error> {
        if claims.profile != Some(Profile::Uri(EVIDENCE_PROFILE.into())) {
            return Err(crate::Distrust::Profile.into());
        }
        if !claims.submods.is_empty() {
            return Err(rule("evidence has submodules"));
        }
        let status = claims.other(labels::DEVICE_STATUS).map(DeviceStatus::decode).transpose()?;
        let [nonce] =
            <[Nonce; 1]>::try_from(claims.nonces).map_err(|_| rule("evidence has not one nonce"))?;
        let Some(OemId::Random(vendor)) = claims.oemid else {
            return Err(rule("oemid is not the UUID of a vendor"));
        };
        let class = claims.hwmodel.as_deref().and_then(|model| model.try_into().ok());
        let bootseed = required(claims.bootseed, labels::BOOTSEED)?;
        check_bootseed(&bootseed).map_err(rule)?;
        let measurement = match <[Content; 1]>::try_from(claims.measurements) {
            Ok([Content { format: COSWID_FORMAT, body: ContentBody::Bytes(tag) }]) => tag,
            _ => return Err(rule("measurements are not one evidence CoSWID")),
        };
        if claims.manifests.len() > 1 + MAX_DEPENDENCIES {
            return Err(rule("more manifests than may be installed"));
        }
        let mut manifests = Vec::with_capacity(claims.manifests.len());
        for manifest in &claims.manifests {
            let Content { format: MANIFEST_REFERENCE_FORMAT, body: ContentBody::Bytes(reference) } = manifest
            else {
                return Err(rule("manifests are not references to installed manifests"));
            };
            manifests.push(ManifestReference::decode(reference)?);
        }
        let mut manifests = manifests.into_iter();
        let manifest = manifests.next();
        Ok(Self {
            nonce,
            ueid: required(claims.ueid, labels::UEID)?,
            vendor,
            class: class.ok_or(rule("hwmodel is not the UUID of a class"))?,
            bootcount: required(claims.bootcount, labels::BOOTCOUNT)?,
            bootseed,
            dbgstat: required(claims.dbgstat, labels::DBGSTAT)?,
            measurement,
            manifest,
            dependencies: manifests.collect(),
            status,
        })
    }
}

impl ManifestReference {
    fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes);
        reader.array_of(2)?;
        let reference = Self { digest: read_digest(&mut reader)?, sequence_number: reader.uint()? };
        reader.end()?;
        Ok(reference)
    }

    fn encode(&self) -> Vec<u8> {
        Writer::encode(|w| {
            w.array(2);
            write_digest(w, &self.digest);
            w.uint(self.sequence_number);
        })
    }
}

impl DeviceStatus {
    fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes);
        let mut map = reader.map()?;
        let (mut active_slot, mut trial, mut last_refusal) = (None, None, None);
        let (mut authorities, mut authorities_version) = (None, None);
        while let Some(label) = map.next_int(&mut reader)? {
            match label {
                STATUS_ACTIVE_SLOT => active_slot = Some(reader.uint()?),
                STATUS_TRIAL => trial = Some(reader.bool()?),
                STATUS_AUTHORITIES => authorities = Some(read_digest(&mut reader)?),
                STATUS_AUTHORITIES_VERSION => authorities_version = Some(reader.uint()?),
                STATUS_REFUSAL => {
                    reader.array_of(2)?;
                    last_refusal =
                        Some(Refusal { manifest: reader.bytes()?.into(), code: text(&mut reader)? });
                }
                _ => reader.skip()?,
            }
        }
        Ok(Self {
            active_slot: required(active_slot, STATUS_ACTIVE_SLOT)?,
            trial: required(trial, STATUS_TRIAL)?,
            authorities,
            authorities_version,
            last_refusal,
        })
    }

    fn encode(&self) -> Vec<u8> {
        let mut map = MapBuilder::new();
        map.int(STATUS_ACTIVE_SLOT, |w| {
            w.uint(self.active_slot);
        });
        map.int(STATUS_TRIAL, |w| {
            w.bool(self.trial);
        });
        map.int_if(STATUS_AUTHORITIES, self.authorities.as_ref(), write_digest);
        map.int_if(STATUS_AUTHORITIES_VERSION, self.authorities_version, |w, version| {
            w.uint(version);
        });
        map.int_if(STATUS_REFUSAL, self.last_refusal.as_ref(), |w, refusal| {
            w.array(2).bytes(&refusal.manifest).text(&refusal.code);
        });
        map.into_bytes()
    }
}

fn cwt(message: &[u8]) -> Vec<u8> {
    Writer::encode(|w| {
        w.tag(TAG_CWT).raw(message);
    })
}

/// SUIT_Digest: the hash algorithm by its COSE number, and the digest.
fn read_digest(reader: &mut Reader<'_>) -> Result<Digest, cbor::Error> {
    let at = reader.position();
    reader.array_of(2)?;
    let algorithm = HashAlgorithm::from_cose_id(reader.int()?);
    let algorithm = algorithm.ok_or(cbor::Error::rule(at, "hash algorithm is not supported"))?;
    let digest = Digest::new(algorithm, reader.bytes()?);
    digest.ok_or(cbor::Error::rule(at, "digest has another length than its algorithm"))
}

fn write_digest(writer: &mut Writer, digest: &Digest) {
    writer.array(2).int(digest.algorithm().cose_id()).bytes(digest.as_bytes());
}

fn check_bootseed(bootseed: &[u8]) -> Result<(), &'static str> {
    if (8..=32).contains(&bootseed.len()) { Ok(()) } else { Err("bootseed is not of 8 to 32 bytes") }
}

fn rule(rule: &'static str) -> Error {
    cbor::Error::rule(0, rule).into()
}

fn required<T>(value: Option<T>, label: i64) -> Result<T, Error> {
    value.ok_or(cbor::Error::new(0, cbor::Reason::MissingKey(label)).into())
}
