//! Times this product and its peers in one process, all over RustCrypto, and writes what it measured as JSON.
//!
//! `suit-peers-bench ROUNDS CALLS`; the benches run it and say what its figures mean.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "a command line tool speaks to its caller")]

#[path = "../../../../../benches/src/agreeable.rs"]
mod agreeable;
#[path = "../../../../../benches/src/sample.rs"]
#[allow(dead_code, reason = "figures are put in words elsewhere")]
mod sample;

use std::hint::black_box;

use crypto::{Digest, HashAlgorithm, PublicKey, SignatureAlgorithm, SigningKey};
use dress_up::OperatingHooks;
use dress_up::component::Component;
use dress_up::error::Error;
use generic_array::typenum::U64;
use serde_json::json;
use sextant_suit_interop::{DressUp, OurCrypto, PlainCurve, SuitValidator, key_set};
use suit::{
    Authority, AuthorityList, Condition, Directive, Envelope, ManifestBuilder, Parameter, Procedure,
    Processor, ReportingPolicy, Role, Section, SequenceBuilder, Uuid, VendorId,
};
use uuid::Uuid as TheirUuid;

use self::agreeable::{Agreeable, Held};
use self::sample::{Sample, interleave};

fn main() {
    let mut numbers =
        std::env::args().skip(1).map(|word| word.parse::<u32>().expect("ROUNDS and CALLS are numbers"));
    let (rounds, calls) = (numbers.next().expect("ROUNDS"), numbers.next().expect("CALLS"));
    let own = Subject::own();
    let (name, example) = match testkit::vectors("suit") {
        Some(folder) => ("example 0 of manifest-37", Subject::example(&folder)),
        None => ("an envelope of our own", Subject::own()),
    };
    let keys = key_set(&cose::Key::from_public(&example.key).encode()).expect("a P-256 key");
    let mut our_crypto = OurCrypto(example.key.clone());
    let signed = Signed::new(&example);
    let mut plain = PlainCurve::new(&example.key).expect("a P-256 key");
    let mut ours = || example.process(Procedure::Invocation);
    let mut ours_read = || example.read();
    let mut theirs = || assert!(SuitValidator.verify_with_its_own(&keys, black_box(&example.envelope)));
    let mut theirs_over_curve =
        || assert!(SuitValidator.verify_with(&mut plain, black_box(&example.envelope)));
    let mut theirs_over_ours =
        || assert!(SuitValidator.verify_with(&mut our_crypto, black_box(&example.envelope)));
    let mut ours_own = || own.process(Procedure::Validation);
    let mut dressed_own =
        || assert!(DressUp.verify_and_run(&own.key, black_box(&own.envelope), "validation", &Holding));
    let mut signature = || signed.verify();
    let samples = interleave(
        rounds as usize,
        calls,
        [
            &mut ours,
            &mut ours_read,
            &mut theirs,
            &mut theirs_over_curve,
            &mut theirs_over_ours,
            &mut ours_own,
            &mut dressed_own,
            &mut signature,
        ],
    );
    let names = [
        "sextant",
        "sextant, read",
        "suit_validator",
        "suit_validator, p256 0.14",
        "suit_validator, our COSE",
        "sextant, own",
        "dress-up, own",
        "signature",
    ];
    let subjects: Vec<_> = names.iter().zip(&samples).map(|(name, sample)| figures(name, sample)).collect();
    println!("{}", json!({"envelope": name, "subjects": subjects}));
}

fn figures(name: &str, sample: &Sample) -> serde_json::Value {
    json!({"name": name, "min": sample.quantile(0.0), "median": sample.median()})
}

/// An envelope and whose it is.
struct Subject {
    envelope: Vec<u8>,
    key: PublicKey,
    authorities: AuthorityList,
    images: Vec<Held>,
}

impl Subject {
    fn new(envelope: Vec<u8>, key: PublicKey) -> Self {
        let author = Authority::new(key.clone(), &[], "author", Role::Author);
        let authorities = AuthorityList::with_default_policy(vec![author]).expect("one author");
        let decoded = Envelope::decode(&envelope).expect("a good envelope");
        let images = Held::wanted_by(&decoded.verify(&authorities).expect("signed by the author"));
        Self { envelope, key, authorities, images }
    }

    fn example(folder: &std::path::Path) -> Self {
        let key = testkit::read_hex(&folder.join("keys/trust_anchor_esp256_cose_key_public.cosekey.hex"));
        let key = cose::Key::decode(&key).expect("the key of the examples").public().clone();
        Self::new(testkit::read_hex(&folder.join("manifest-37/example0.signed.hex")), key)
    }

    /// Example 0 with an image that there is.
    fn own() -> Self {
        let key =
            SigningKey::from_bytes(SignatureAlgorithm::Es256, &[1; 32]).expect("a scalar below the order");
        let vendor = Uuid::vendor("arm.com");
        let class = Uuid::class(&vendor, b"example");
        let always = ReportingPolicy::ALWAYS;
        let parameters = [
            Parameter::VendorId(VendorId::Uuid(vendor)),
            Parameter::ClassId(class),
            Parameter::ImageDigest(Digest::of(HashAlgorithm::Sha256, IMAGE)),
            Parameter::ImageSize(IMAGE.len() as u64),
        ];
        let mut manifest = ManifestBuilder::new(0);
        manifest.component("fw".parse().expect("a component"));
        manifest.shared(
            SequenceBuilder::new()
                .override_parameters(&parameters)
                .condition(Condition::VendorIdentifier, always)
                .condition(Condition::ClassIdentifier, always),
        );
        manifest.section(Section::Validate, SequenceBuilder::new().condition(Condition::ImageMatch, always));
        manifest.section(Section::Invoke, SequenceBuilder::new().directive(Directive::Invoke, always));
        let mut envelope = manifest.build(HashAlgorithm::Sha256).expect("a manifest within the rules");
        envelope.sign(&key, None);
        Self::new(envelope.to_bytes(), key.public_key().clone())
    }

    /// Verifies and reads every command, and runs none.
    fn read(&self) {
        let envelope = Envelope::decode(black_box(&self.envelope)).expect("a good envelope");
        black_box(envelope.verify(&self.authorities).expect("signed by the author"));
    }

    fn process(&self, procedure: Procedure) {
        let envelope = Envelope::decode(black_box(&self.envelope)).expect("a good envelope");
        let verified = envelope.verify(&self.authorities).expect("signed by the author");
        let mut platform = Agreeable { images: &self.images, invoked: 0 };
        let mut processor = Processor::new(&verified, &mut platform).expect("a device that fits");
        assert!(processor.run(procedure).expect("an image that is right").is_success());
    }
}

/// The signature of an envelope, and nothing else.
struct Signed {
    key: PublicKey,
    message: Vec<u8>,
    signature: Vec<u8>,
}

impl Signed {
    fn new(subject: &Subject) -> Self {
        let envelope = Envelope::decode(&subject.envelope).expect("a good envelope");
        let block = cose::Sign1::decode(envelope.signatures()[0]).expect("a COSE_Sign1");
        // Sig_structure (RFC 9052, section 4.4).
        let mut message = cbor::Writer::new();
        message
            .array(4)
            .text("Signature1")
            .bytes(block.protected_raw())
            .bytes(&[])
            .bytes(envelope.signed_bytes());
        Self {
            key: subject.key.clone(),
            message: message.into_bytes(),
            signature: block.signature().to_vec(),
        }
    }

    fn verify(&self) {
        self.key.verify(black_box(&self.message), &self.signature).expect("the author's signature");
    }
}

/// A device that every manifest fits, and that holds the image.
struct Holding;

impl OperatingHooks for Holding {
    type ReadWriteBufferSize = U64;

    fn match_vendor_id(&self, _: TheirUuid, _: &Component<'_>) -> Result<bool, Error> {
        Ok(true)
    }

    fn match_class_id(&self, _: TheirUuid, _: &Component<'_>) -> Result<bool, Error> {
        Ok(true)
    }

    fn component_read(
        &self,
        _: &Component<'_>,
        _: Option<u64>,
        offset: usize,
        bytes: &mut [u8],
    ) -> Result<(), Error> {
        let held = IMAGE.get(offset..offset + bytes.len()).ok_or(Error::EndOfInput)?;
        bytes.copy_from_slice(held);
        Ok(())
    }

    fn component_write(&self, _: &Component<'_>, _: Option<u64>, _: usize, _: &[u8]) -> Result<(), Error> {
        Err(Error::CapacityError)
    }

    fn component_size(&self, _: &Component<'_>) -> Result<usize, Error> {
        Ok(IMAGE.len())
    }

    fn component_capacity(&self, _: &Component<'_>) -> Result<usize, Error> {
        Ok(IMAGE.len())
    }
}

const IMAGE: &[u8] = b"thirty-two bytes make this image";
