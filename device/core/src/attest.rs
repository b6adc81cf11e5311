use alloc::{format, string::ToString, vec::Vec};

use cbor::MapBuilder;
use cose::Sign1Builder;
use coswid::{Entity, File, Hash, Role, TagBuilder, TagId, VersionScheme};
use crypto::{Digest, HashAlgorithm};
use eat::{DeviceStatus, EvidenceClaims, ManifestReference, Nonce};
use suit::ComponentId;

use crate::{Area, Device, NotSigned, StateError, Storage, contents::hash_area, key::sign1};

/// external_aad of the message with which a device proves itself to a gateway, so that it is good for nothing else.
pub const ADMISSION_CONTEXT: &[u8] = b"sextant-admission";

/// Labels of the admission message.
const ADMISSION_NONCE: i64 = 1;
const ADMISSION_UEID: i64 = 2;
const ADMISSION_RESULT: i64 = 3;

/// What was found in a component just now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// The component.
    pub component: ComponentId,
    /// How many bytes it holds.
    pub size: u64,
    /// SHA-256 of them.
    pub digest: Digest,
}

/// Why there is no evidence.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttestError<E> {
    /// The storage could not be read.
    Storage(E),
    /// The evidence could not be put together, which is a fault in how the device was set up.
    Evidence(eat::Error),
    /// The same, of the tag that lists the measurements.
    Tag(coswid::Error),
    /// The key did not sign.
    Key(NotSigned),
}

impl<S: Storage> Device<S> {
    /// Measures what really lies in the running slot now: bytes are read and hashed, and no record is believed.
    pub fn measure(&self) -> Result<Vec<Measured>, StateError<S::Error>> {
        self.measure_areas().map_err(StateError::Storage)
    }

    fn measure_areas(&self) -> Result<Vec<Measured>, S::Error> {
        let slot = self.running_slot();
        let mut found = Vec::new();
        for (number, component) in self.identity.numbered() {
            let area = Area::Image(slot, number);
            let (digest, size) = hash_area(&self.storage, area, HashAlgorithm::Sha256)?;
            if size > 0 {
                found.push(Measured { component: component.id.clone(), size, digest });
            }
        }
        Ok(found)
    }

    /// Evidence of what runs, in answer to a verifier's nonce.
    pub fn evidence(&self, nonce: &Nonce) -> Result<Vec<u8>, AttestError<S::Error>> {
        let state = self.state();
        let dependencies = self.running.iter().flat_map(|running| &running.dependencies);
        let dependencies = dependencies.map(|dependency| ManifestReference {
            digest: dependency.manifest,
            sequence_number: dependency.sequence,
        });
        let claims = EvidenceClaims {
            nonce: nonce.clone(),
            ueid: self.identity.ueid.clone(),
            vendor: *self.identity.vendor.as_bytes(),
            class: *self.identity.class.as_bytes(),
            bootcount: state.boot_count,
            bootseed: self.boot_seed.clone(),
            dbgstat: self.identity.debug,
            measurement: self.evidence_tag()?,
            manifest: self.running.as_ref().map(|running| ManifestReference {
                digest: running.manifest,
                sequence_number: running.sequence,
            }),
            dependencies: dependencies.collect(),
            status: Some(DeviceStatus {
                active_slot: self.running_slot().index() as u64,
                trial: self.running.as_ref().is_some_and(|running| running.on_trial),
                authorities: Some(self.authorities_digest()),
                authorities_version: Some(self.authorities().version()),
                last_refusal: state.refusals.last().map(|refusal| eat::Refusal {
                    manifest: refusal.manifest.as_bytes().to_vec(),
                    code: refusal.code.clone(),
                }),
            }),
        };
        let payload = claims.payload().map_err(AttestError::Evidence)?;
        let envelope = EvidenceClaims::envelope(self.identity.ueid.as_bytes());
        let message = sign1(&*self.key, &envelope, &payload).map_err(AttestError::Key)?;
        Ok(EvidenceClaims::finish(&message))
    }

    /// The evidence CoSWID: one file for each component that holds anything, named as in manifests.
    fn evidence_tag(&self) -> Result<Vec<u8>, AttestError<S::Error>> {
        let ueid = self.identity.ueid.to_string();
        // A tag needs a version; what orders releases is the sequence number.
        let sequence = self.running.as_ref().map_or(0, |running| running.sequence);
        let mut tag = TagBuilder::evidence(TagId::Text(format!("measured:{ueid}")), "measured software")
            .version(sequence.to_string(), VersionScheme::Decimal)
            .entity(Entity::new("device", [Role::TagCreator]))
            .measured_on(None, Some(ueid));
        for Measured { component, size, digest } in self.measure_areas().map_err(AttestError::Storage)? {
            let algorithm = digest.algorithm().named_info_id().cast_signed();
            tag = tag.file(File {
                size: Some(size),
                hash: Hash::new(algorithm, digest.as_bytes()),
                ..File::new(component.to_string())
            });
        }
        Ok(tag.build().map_err(AttestError::Tag)?.encode())
    }

    /// The message that proves to a gateway, in answer to its nonce, that this device has the key of an attestation
    /// result: whoever sends it from an address speaks for the device there.
    pub fn admission(&self, nonce: &[u8], result: &[u8]) -> Result<Vec<u8>, NotSigned> {
        let mut payload = MapBuilder::new();
        payload.int(ADMISSION_NONCE, |w| {
            w.bytes(nonce);
        });
        payload.int(ADMISSION_UEID, |w| {
            w.bytes(self.identity.ueid.as_bytes());
        });
        payload.int(ADMISSION_RESULT, |w| {
            w.bytes(result);
        });
        let builder = Sign1Builder::new().kid(self.identity.ueid.as_bytes()).external_aad(ADMISSION_CONTEXT);
        sign1(&*self.key, &builder, &payload.into_bytes())
    }
}
