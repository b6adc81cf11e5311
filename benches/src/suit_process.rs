//! Verifying a SUIT envelope and running it, beside the cryptography in it.

use std::hint::black_box;

use anyhow::{Context as _, Result};
use cbor::Writer;
use crypto::{Digest, HashAlgorithm, PublicKey};
use suit::{Authority, AuthorityList, Envelope, Procedure, Processor, Role};

use crate::agreeable::{Agreeable, Held};
use crate::fixture::{APPLICATION, Cast};
use crate::report::{Row, Section};
use crate::sample::{interleave, rate};
use crate::{Effort, sample};

pub(crate) fn measure(effort: Effort) -> Result<Section> {
    let subject = Subject::load()?;
    let bound = Bound::new(&subject)?;
    let (mut whole, mut bound) = (|| subject.process(), || bound.run());
    let (rounds, calls) = effort.of((41, 10), (601, 20));
    let [whole, bound] = interleave(rounds, calls, [&mut whole, &mut bound]);
    let share = bound.median() / whole.median();
    let row = Row {
        what: format!("verify and run {}", subject.name),
        figure: format!("{} on one core, {:.0} % of the bound", rate(whole.per_second()), share * 100.0),
        beside: format!(
            "one ES256 verification and one SHA-256 of the manifest: {} ({} each)",
            rate(bound.per_second()),
            sample::time(bound.median())
        ),
        budget: None,
    };
    Ok(Section::new("SUIT", METHOD, vec![row]))
}

/// An envelope and those who may have signed it.
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    envelope: Vec<u8>,
    authorities: AuthorityList,
    images: Vec<Held>,
}

impl Subject {
    /// Example 0 of the draft, or an envelope of our own where the vectors are absent.
    pub(crate) fn load() -> Result<Self> {
        let Some(folder) = testkit::vectors("suit") else {
            let cast = Cast::new();
            let (envelope, authorities) = (cast.envelope(1, APPLICATION), cast.authorities());
            return Self::new("an envelope of our own", envelope, authorities);
        };
        let key = testkit::read_hex(&folder.join("keys/trust_anchor_esp256_cose_key_public.cosekey.hex"));
        let key = cose::Key::decode(&key).context("the key of the examples")?;
        let author = Authority::new(key.public().clone(), &[], "trust anchor", Role::Author);
        let envelope = testkit::read_hex(&folder.join("manifest-37/example0.signed.hex"));
        let authorities = AuthorityList::with_default_policy(vec![author]).context("one author")?;
        Self::new("example 0 of manifest-37", envelope, authorities)
    }

    fn new(name: &'static str, envelope: Vec<u8>, authorities: AuthorityList) -> Result<Self> {
        let decoded = Envelope::decode(&envelope).context("a good envelope")?;
        let images = Held::wanted_by(&decoded.verify(&authorities).context("signed by the author")?);
        Ok(Self { name, envelope, authorities, images })
    }

    /// Decodes, verifies, and runs the procedure that starts the device: vendor and class, image digest, invoke.
    pub(crate) fn process(&self) {
        let envelope = Envelope::decode(black_box(&self.envelope)).expect("a good envelope");
        let verified = envelope.verify(&self.authorities).expect("signed by the author");
        let mut platform = Agreeable { images: &self.images, invoked: 0 };
        let report = Processor::new(&verified, &mut platform)
            .expect("a device that fits")
            .run(Procedure::Invocation)
            .expect("an image that is right");
        assert!(report.is_success() && platform.invoked == 1);
    }
}

/// The cryptography that the envelope cannot do without: its own signature, and as many bytes to hash.
pub(crate) struct Bound {
    key: PublicKey,
    signed: Vec<u8>,
    signature: Vec<u8>,
    manifest: Vec<u8>,
}

impl Bound {
    pub(crate) fn new(subject: &Subject) -> Result<Self> {
        let envelope = Envelope::decode(&subject.envelope).context("a good envelope")?;
        let blocks = envelope.signatures();
        let block = blocks.first().context("a signature")?;
        let message = cose::Sign1::decode(block).context("a COSE_Sign1")?;
        let author = subject.authorities.entries().first().context("an author")?;
        let key = author.key.public().context("a public key")?.clone();
        // Sig_structure (RFC 9052, section 4.4).
        let mut signed = Writer::new();
        signed.array(4).text("Signature1").bytes(message.protected_raw()).bytes(&[]);
        signed.bytes(envelope.signed_bytes());
        let members: usize = envelope.payloads().iter().map(|(_, payload)| payload.len()).sum();
        let manifest = subject.envelope.len() - members - block.len() - envelope.signed_bytes().len();
        Ok(Self {
            key,
            signed: signed.into_bytes(),
            signature: message.signature().to_vec(),
            manifest: vec![0; manifest],
        })
    }

    pub(crate) fn run(&self) {
        self.key.verify(black_box(&self.signed), &self.signature).expect("the author's signature");
        black_box(Digest::of(HashAlgorithm::Sha256, black_box(&self.manifest)));
    }
}

const METHOD: &str = "Decode the envelope, verify the author's ES256 signature against an authority list, verify the \
    manifest's digest, and run the invocation procedure on a device in memory that fits and has the right image, whose digest it knows. The \
    bound is the cryptography alone. Median of interleaved rounds on one core.";
