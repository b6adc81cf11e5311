//! `suit_validator`: decodes and verifies, and leaves the commands of a manifest to its caller. It does not process.

use std::collections::BTreeSet;

use cbor::{MapBuilder, Writer};
use cose::Sign1;
use crypto::PublicKey;
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use sextant_suit_conformance::{Device, Failure, Features, Implementation, Manifest, Trace};
use suit_validator::crypto::{CoseCrypto, SuitCrypto};
use suit_validator::handler::{PairView, SuitCommandHandler, SuitSharedSequenceHandler, SuitStartHandler};
use suit_validator::suit_manifest::{
    BstrSuitCommandSequence, CommandCustomValue, DigestOrCbor, IndexArg, SuitCondition, SuitDirective,
    SuitEnvelope, SuitManifest, SuitSharedCommand,
};
use suit_validator::{SuitError, suit_decode};

/// `suit_validator` with the cryptography that it brings.
#[derive(Clone, Copy, Debug)]
pub struct SuitValidator;

impl Implementation for SuitValidator {
    /// What its documentation says that it has.
    fn features(&self) -> Features {
        let set = |numbers: &[i64]| numbers.iter().copied().collect();
        Features {
            implementation: "suit_validator".into(),
            version: "0.1.3".into(),
            draft: "draft-ietf-suit-manifest-34".into(),
            verbs: ["verify", "decode"].map(str::to_owned).into(),
            authentication: set(&[18, 98]),
            algorithms: set(&[-7, -9]),
            digests: set(&[-16, -43, -44]),
            envelope: set(&[2, 3, 16, 20, 23]),
            integrated: true,
            untagged: false,
            manifest: set(&[1, 2, 3, 4, 7, 8, 9, 16, 20, 23]),
            common: set(&[2, 4]),
            commands: set(&[1, 2, 3, 5, 6, 12, 14, 15, 18, 20, 21, 22, 23, 24, 31, 32]),
            parameters: set(&[1, 2, 3, 5, 12, 13, 14, 18, 21, 22, 23, 24, 25]),
            device: BTreeSet::new(),
        }
    }

    /// With one key after another: the crate tries the first key of a set that has the right type, and no other.
    fn verify(&self, keys: &[Vec<u8>], envelope: &[u8]) -> Result<(), Failure> {
        let mut failure = Failure { reason: None, code: "no key of a kind that it takes".into() };
        for key in keys.iter().filter_map(|key| key_set(key)) {
            match suit_decode(envelope, &mut ReadEverything::default(), &mut CoseCrypto::new(&key)) {
                Ok(()) => return Ok(()),
                Err(error) => failure.code = error.to_string(),
            }
        }
        Err(failure)
    }

    fn decode(&self, envelope: &[u8]) -> Option<Result<Manifest, Failure>> {
        let mut reader = ReadEverything::default();
        let outcome = suit_decode(envelope, &mut reader, &mut Unchecked);
        Some(
            outcome
                .map(|()| reader.manifest)
                .map_err(|error| Failure { reason: None, code: error.to_string() }),
        )
    }

    fn process(&self, _: &[Vec<u8>], _: &[u8], _: &Device) -> Option<Trace> {
        None
    }
}

impl SuitValidator {
    /// Verifies an envelope and reads all of it, with other cryptography than it brings: what there is to measure.
    pub fn verify_with(&self, crypto: &mut impl SuitCrypto, envelope: &[u8]) -> bool {
        suit_decode(envelope, &mut ReadEverything::default(), crypto).is_ok()
    }

    /// The same with the cryptography that it brings, and a key set as it takes them.
    pub fn verify_with_its_own(&self, key_set: &[u8], envelope: &[u8]) -> bool {
        self.verify_with(&mut CoseCrypto::new(key_set), envelope)
    }
}

/// A COSE_KeySet of one P-256 key, whose algorithm is ES256 whatever the key says: the crate looks for that even where a
/// signature says ESP256.
pub fn key_set(key: &[u8]) -> Option<Vec<u8>> {
    let key = cose::Key::decode(key).ok()?;
    let (x, y) = key.public().ec2_coordinates().filter(|(x, _)| x.len() == 32)?;
    let mut members = MapBuilder::new();
    members.int(1, |writer| _ = writer.int(2));
    members.int(3, |writer| _ = writer.int(-7));
    members.int(-1, |writer| _ = writer.int(1));
    members.int(-2, |writer| _ = writer.bytes(x));
    members.int(-3, |writer| _ = writer.bytes(y));
    Some(Writer::encode(|writer| {
        writer.array(1);
        members.write(writer);
    }))
}

/// This product's COSE and keys in place of its own, for measurements in which both verify with the same code.
#[derive(Clone, Debug)]
pub struct OurCrypto(pub PublicKey);

impl SuitCrypto for OurCrypto {
    fn verify_cose(&self, block: &[u8], digest: &[u8]) -> Result<(), SuitError> {
        let verified = Sign1::decode(block).and_then(|block| block.verify(&self.0, Some(digest), &[]));
        verified.map_err(|_| SuitError::default())
    }
}

/// The signature check of the crate `p256` that this product computes with, as that crate does it.
#[derive(Clone, Copy, Debug)]
pub struct PlainCurve(VerifyingKey);

impl PlainCurve {
    /// Of a P-256 key.
    pub fn new(key: &PublicKey) -> Option<Self> {
        VerifyingKey::from_sec1_bytes(key.as_bytes()).ok().map(Self)
    }
}

impl SuitCrypto for PlainCurve {
    fn verify_cose(&self, block: &[u8], digest: &[u8]) -> Result<(), SuitError> {
        let block = Sign1::decode(block).map_err(|_| SuitError::default())?;
        // Sig_structure (RFC 9052, section 4.4).
        let mut message = Writer::new();
        message.array(4).text("Signature1").bytes(block.protected_raw()).bytes(&[]).bytes(digest);
        let signature = Signature::from_slice(block.signature());
        let verified = signature.and_then(|signature| self.0.verify(&message.into_bytes(), &signature));
        verified.map_err(|_| SuitError::default())
    }
}

/// Believes whoever signed.
struct Unchecked;

impl SuitCrypto for Unchecked {
    fn verify_cose(&self, _: &[u8], _: &[u8]) -> Result<(), SuitError> {
        Ok(())
    }
}

/// Reads every command of every section, as whoever runs them would: the crate decodes nothing before it is asked to.
#[derive(Default)]
struct ReadEverything {
    manifest: Manifest,
}

impl SuitStartHandler for ReadEverything {
    fn on_envelope<'a>(&mut self, envelope: SuitEnvelope<'a>) -> Result<(), SuitError> {
        let manifest: SuitManifest<'a> = envelope.manifest.get()?;
        // The crate hands the version out without a look at it, and its examples compare it.
        if manifest.version != 1 {
            return Err(SuitError::default().with_ctx("manifest version"));
        }
        let common = manifest.common.get()?;
        for component in common.components.get()? {
            for segment in component?.get()? {
                segment?;
            }
        }
        if let Some(shared) = common.shared_seq {
            shared.get()?.decode_and_dispatch(self)?;
        }
        self.manifest.sequence_number = manifest.sequence_number;
        let mut members = BTreeSet::from([1, 2, 3]);
        members.extend(manifest.reference_uri.is_some().then_some(4));
        for (label, section) in [(7, &manifest.validate), (8, &manifest.load), (9, &manifest.invoke)] {
            if let Some(section) = section {
                members.insert(label);
                self.section(section)?;
            }
        }
        for (label, section) in [(16, &manifest.payload_fetch), (20, &manifest.install)] {
            match section {
                Some(DigestOrCbor::Cbor(section)) => self.section(section)?,
                Some(DigestOrCbor::Digest(_)) => {}
                None => continue,
            }
            members.insert(label);
        }
        members.extend(manifest.text.is_some().then_some(23));
        self.manifest.members = members;
        Ok(())
    }

    fn on_manifest<'a>(&mut self, _: SuitManifest<'a>) -> Result<(), SuitError> {
        // Without an envelope nobody vouches for it.
        Err(SuitError::default().with_ctx("a manifest without an envelope"))
    }
}

impl ReadEverything {
    fn section(&mut self, section: &BstrSuitCommandSequence<'_>) -> Result<(), SuitError> {
        section.get()?.decode_and_dispatch(self)
    }
}

impl SuitCommandHandler for ReadEverything {
    fn on_conditions<'a>(
        &mut self,
        mut conditions: impl Iterator<Item = PairView<'a, SuitCondition>>,
    ) -> Result<(), SuitError> {
        conditions.try_for_each(|it| it.get().map(drop))
    }

    fn on_directives<'a>(
        &mut self,
        directives: impl Iterator<Item = PairView<'a, SuitDirective<'a>>>,
    ) -> Result<(), SuitError> {
        for directive in directives {
            match directive.get()? {
                SuitDirective::RunSequence(sequence) => self.section(&sequence)?,
                SuitDirective::TryEach(alternatives) => {
                    for alternative in alternatives.0.get()? {
                        self.section(&alternative?)?;
                    }
                }
                SuitDirective::SetComponentIndex(IndexArg::Multiple(indices)) => {
                    for index in indices.get()? {
                        index?;
                    }
                }
                SuitDirective::OverrideParameters(parameters) => {
                    if let Some(digest) = parameters.image_digest {
                        digest.get()?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn on_customs<'a>(
        &mut self,
        mut customs: impl Iterator<Item = PairView<'a, CommandCustomValue<'a>>>,
    ) -> Result<(), SuitError> {
        // It decodes them for callers that have some. This one has none, and refuses them as the draft says.
        match customs.next() {
            None => Ok(()),
            Some(_) => Err(SuitError::default().with_ctx("a private command")),
        }
    }
}

impl SuitSharedSequenceHandler for ReadEverything {
    fn on_conditions<'a>(
        &mut self,
        mut conditions: impl Iterator<Item = PairView<'a, SuitCondition>>,
    ) -> Result<(), SuitError> {
        conditions.try_for_each(|it| it.get().map(drop))
    }

    fn on_commands<'a>(
        &mut self,
        commands: impl Iterator<Item = PairView<'a, SuitSharedCommand<'a>>>,
    ) -> Result<(), SuitError> {
        for command in commands {
            match command.get()? {
                SuitSharedCommand::RunSequence(sequence) => sequence.get()?.decode_and_dispatch(self)?,
                SuitSharedCommand::TryEach(alternatives) => {
                    if let Some(alternatives) = alternatives.sequences {
                        for alternative in alternatives.get()? {
                            alternative?.get()?.decode_and_dispatch(self)?;
                        }
                    }
                }
                SuitSharedCommand::OverrideParameters(parameters) => {
                    if let Some(digest) = parameters.image_digest {
                        digest.get()?;
                    }
                }
                SuitSharedCommand::SetComponentIndex(_) => {}
            }
        }
        Ok(())
    }
}
