use cbor::Writer;
use cose::Distrust as CoseDistrust;
use crypto::{Digest, HashAlgorithm, SignatureAlgorithm, SigningKey};

use super::{distrust, key, key_of, nonce};
use crate::*;

const SHA1: u16 = 0x0004;
const SHA256: u16 = 0x000b;

/// The parts of a TPMS_ATTEST; each test changes one.
#[derive(Clone)]
struct Parts {
    magic: u32,
    kind: u16,
    nonce: Vec<u8>,
    safe: u8,
    /// Banks with their bitmaps.
    banks: Vec<(u16, Vec<u8>)>,
    digest: Vec<u8>,
    tail: Vec<u8>,
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes(), bytes].concat()
}

impl Parts {
    /// A good quote of PCRs 0 and 7 of SHA-256.
    fn good() -> Self {
        let digest = Digest::of(HashAlgorithm::Sha256, &[[1; 32], [2; 32]].concat());
        Self {
            magic: 0xff54_4347,
            kind: 0x8018,
            nonce: nonce(1).as_bytes().to_vec(),
            safe: 1,
            banks: vec![(SHA256, vec![0x81, 0, 0])],
            digest: digest.as_bytes().to_vec(),
            tail: Vec::new(),
        }
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = [self.magic.to_be_bytes().as_slice(), &self.kind.to_be_bytes()].concat();
        out.extend(sized(&[9; 34]));
        out.extend(sized(&self.nonce));
        out.extend(5u64.to_be_bytes());
        out.extend(6u32.to_be_bytes());
        out.extend(7u32.to_be_bytes());
        out.push(self.safe);
        out.extend(8u64.to_be_bytes());
        out.extend((self.banks.len() as u32).to_be_bytes());
        for (bank, bitmap) in &self.banks {
            out.extend(bank.to_be_bytes());
            out.push(bitmap.len() as u8);
            out.extend(bitmap);
        }
        out.extend(sized(&self.digest));
        out.extend(&self.tail);
        out
    }
}

/// TPMT_SIGNATURE over the bytes, with r and s as short as a TPM writes them.
fn signature(key: &SigningKey, signed: &[u8]) -> Vec<u8> {
    let fixed = key.sign(signed);
    let (r, s) = fixed.split_at(fixed.len() / 2);
    let short = |number: &[u8]| {
        let zeros = number.iter().take_while(|byte| **byte == 0).count();
        sized(&number[zeros..])
    };
    let hash = if key.algorithm() == SignatureAlgorithm::Es384 { 0x000cu16 } else { SHA256 };
    [[0x00, 0x18].as_slice(), &hash.to_be_bytes(), &short(r), &short(s)].concat()
}

fn wanted() -> Vec<PcrSelection> {
    vec![PcrSelection::new(HashAlgorithm::Sha256, &[7, 0, 0])]
}

fn values() -> PcrValues {
    let mut values = PcrValues::new();
    for (pcr, byte) in [(0, 1), (7, 2), (8, 3)] {
        values.insert(pcr, Digest::new(HashAlgorithm::Sha256, &[byte; 32]).unwrap());
    }
    values
}

fn quote(parts: &Parts) -> Result<TpmQuote, Error> {
    let signed = parts.encode();
    TpmQuote::decode(&signed, &signature(&key(1), &signed))
}

fn verify(parts: &Parts) -> Result<VerifiedTpmQuote, Error> {
    quote(parts)?.verify(&key(1).public_key().clone().into(), &nonce(1), &wanted(), &values())
}

#[test]
fn a_quote_verifies_and_gives_a_view() {
    let verified = verify(&Parts::good()).unwrap();
    assert_eq!(
        (verified.clock().reset_count, verified.clock().restart_count, verified.firmware_version()),
        (6, 7, 8)
    );
    assert_eq!(verified.qualified_signer(), [9; 34]);
    let view = EvidenceView::from(&verified);
    let names: Vec<_> = view.items.iter().map(|item| item.name.clone().unwrap()).collect();
    assert_eq!(names, ["pcr0", "pcr7"], "a value that was not quoted is no item");
    assert_eq!(view.nonces, [nonce(1)]);
    // A bank of which nothing is selected says nothing.
    let mut parts = Parts::good();
    parts.banks.push((0x000c, vec![0, 0, 0]));
    assert!(verify(&parts).is_ok());
}

#[test]
fn a_quote_with_one_fault_is_refused_for_it() {
    type Change = fn(&mut Parts);
    let structure = |at, rule| Error::MalformedTpm(TpmError { at, rule });
    let rows: [(Change, Error); 13] = [
        (|p| p.magic ^= 1, Distrust::TpmMagic.into()),
        (|p| p.kind = 0x8019, Distrust::TpmType.into()),
        (|p| p.nonce = nonce(2).as_bytes().to_vec(), Distrust::Nonce.into()),
        (|p| p.nonce.truncate(31), Distrust::Nonce.into()),
        (|p| p.nonce.clear(), Distrust::Nonce.into()),
        (|p| p.banks[0].1 = vec![0x01, 0, 0], Distrust::PcrSelection.into()),
        (|p| p.banks[0].1 = vec![0x81, 0x01, 0], Distrust::PcrSelection.into()),
        (|p| p.banks.clear(), Distrust::PcrSelection.into()),
        (|p| p.banks[0].0 = SHA1, Distrust::WeakHash.into()),
        (|p| p.digest[0] ^= 1, Distrust::PcrDigest.into()),
        (|p| p.digest.truncate(31), Distrust::PcrDigest.into()),
        (|p| p.tail = vec![0], structure(145, "bytes follow the structure")),
        (|p| p.safe = 2, structure(92, "neither yes nor no")),
    ];
    for (index, (change, expected)) in rows.into_iter().enumerate() {
        let mut parts = Parts::good();
        change(&mut parts);
        assert_eq!(verify(&parts), Err(expected), "row {index}");
    }
    let mut parts = Parts::good();
    parts.banks = vec![(SHA256, vec![0; 5])];
    assert_eq!(quote(&parts), Err(structure(107, "bitmap of a bank is too long")));
    parts.banks = vec![(SHA256, vec![0, 0, 0]); MAX_PCR_SELECTIONS];
    assert!(quote(&parts).is_ok());
    parts.banks = vec![(SHA256, vec![0, 0, 0]); MAX_PCR_SELECTIONS + 1];
    assert_eq!(quote(&parts), Err(structure(101, "selection names too many banks")));
    parts = Parts::good();
    parts.tail = vec![0; MAX_TPM_LEN];
    assert_eq!(quote(&parts), Err(structure(MAX_TPM_LEN, "structure is too long")));
    let good = Parts::good().encode();
    let signature = signature(&key(1), &good);
    for len in 0..good.len() {
        assert!(TpmQuote::decode(&good[..len], &signature).is_err(), "{len}");
    }
}

#[test]
fn the_key_and_the_values_must_fit() {
    let public = |key: &SigningKey| TpmKey::from(key.public_key().clone());
    let good = quote(&Parts::good()).unwrap();
    let bad = distrust(CoseDistrust::BadSignature);
    let stranger = good.clone().verify(&public(&key(2)), &nonce(1), &wanted(), &values());
    assert_eq!(stranger, Err(bad));
    let other_curve = public(&key_of(SignatureAlgorithm::Es384, 1));
    let refused = good.clone().verify(&other_curve, &nonce(1), &wanted(), &values());
    assert_eq!(refused, Err(Feature::TpmAlgorithm(SHA256).into()));
    let unknown = good.clone().verify(&public(&key(1)), &nonce(1), &wanted(), &PcrValues::new());
    assert_eq!(unknown, Err(Distrust::PcrDigest.into()));
    let rsa = crypto::RsaPublicKey::from_components(&[0xff; 256], &[1, 0, 1]).unwrap();
    assert_eq!(good.verify(&rsa.into(), &nonce(1), &wanted(), &values()), Err(bad));
    // The bank and the hash of the signature are two things.
    let mut parts = Parts::good();
    let value = Digest::new(HashAlgorithm::Sha256, &[1; 32]).unwrap();
    parts.banks[0].1 = vec![1];
    parts.digest = Digest::of(HashAlgorithm::Sha384, value.as_bytes()).as_bytes().to_vec();
    let signer = key_of(SignatureAlgorithm::Es384, 1);
    let signed = parts.encode();
    let quote = TpmQuote::decode(&signed, &signature(&signer, &signed)).unwrap();
    let wanted = [PcrSelection::new(HashAlgorithm::Sha256, &[0])];
    assert!(quote.verify(&public(&signer), &nonce(1), &wanted, &values()).is_ok());
}

#[test]
fn numbers_of_signatures_are_padded_to_the_curve() {
    // Until one of the two numbers is shorter than the curve: one signature in 128.
    let short = (0u32..2000).any(|counter| {
        let mut parts = Parts::good();
        parts.tail.clear();
        parts.nonce = [counter.to_be_bytes().as_slice(), &[0; 28]].concat();
        let signed = parts.encode();
        let signature = signature(&key(1), &signed);
        let expected = Nonce::new(&parts.nonce).unwrap();
        let quote = TpmQuote::decode(&signed, &signature).unwrap();
        quote.verify(&key(1).public_key().clone().into(), &expected, &wanted(), &values()).unwrap();
        signature.len() < 72
    });
    assert!(short, "no short number in 2000 signatures");
    let signed = Parts::good().encode();
    let long = [[0x00, 0x18, 0x00, 0x0b].as_slice(), &sized(&[1; 33]), &sized(&[1; 32])].concat();
    let quote = TpmQuote::decode(&signed, &long).unwrap();
    let refused = quote.verify(&key(1).public_key().clone().into(), &nonce(1), &wanted(), &values());
    assert_eq!(refused, Err(distrust(CoseDistrust::BadSignature)));
}

#[test]
fn refuses_signatures_of_other_kinds() {
    let structure = |at, rule| Error::MalformedTpm(TpmError { at, rule });
    let rows: [(Vec<u8>, Error); 6] = [
        (vec![0x00, 0x05, 0x00, 0x0b], Feature::TpmAlgorithm(5).into()),
        (vec![0x00, 0x18, 0x00, 0x04, 0, 0, 0, 0], Distrust::WeakHash.into()),
        (vec![0x00, 0x18, 0x00, 0x12, 0, 0, 0, 0], Feature::TpmAlgorithm(0x12).into()),
        (vec![0x00, 0x18, 0x00, 0x0b, 0, 0, 0, 0, 1], structure(8, "bytes follow the structure")),
        (vec![0x00, 0x14, 0x00, 0x0b, 0, 2, 1], structure(6, "structure ends too early")),
        (vec![0x00], structure(0, "structure ends too early")),
    ];
    for (bytes, expected) in rows {
        assert_eq!(TpmSignature::decode(&bytes), Err(expected), "{bytes:02x?}");
    }
}

/// TPMT_PUBLIC of a key on P-256.
fn public(key: &SigningKey, attributes: u32) -> Vec<u8> {
    let (x, y) = key.public_key().ec2_coordinates().unwrap();
    let head = [0x00, 0x23, 0x00, 0x0b].as_slice();
    let middle = [0x00, 0x00, 0x00, 0x10, 0x00, 0x18, 0x00, 0x0b, 0x00, 0x03, 0x00, 0x10].as_slice();
    [head, &attributes.to_be_bytes(), middle, &sized(x), &sized(y)].concat()
}

/// Restricted, for signatures, fixed to its TPM, and what goes with that.
const ATTESTS: u32 = 0x0005_0072;

#[test]
fn only_restricted_signing_keys_of_one_tpm_attest() {
    let key = key(1);
    let good = TpmPublic::decode(&public(&key, ATTESTS)).unwrap();
    assert_eq!(good.attestation_key(), Ok(&key.public_key().clone().into()));
    assert_eq!(TpmPublic::decode(&sized(&public(&key, ATTESTS))), Ok(good.clone()));
    assert_eq!(good.name().len(), 34);
    for lacking in [1 << 1, 1 << 16, 1 << 18] {
        let other = TpmPublic::decode(&public(&key, ATTESTS & !lacking)).unwrap();
        assert_eq!(other.attestation_key(), Err(Distrust::KeyAttributes.into()), "{lacking:x}");
        assert_ne!(other.name(), good.name());
    }
    let decrypts = TpmPublic::decode(&public(&key, ATTESTS | 1 << 17)).unwrap();
    assert_eq!(decrypts.attestation_key(), Err(Distrust::KeyAttributes.into()));
    let bytes = public(&key, ATTESTS);
    let with = |at: usize, value: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = value;
        TpmPublic::decode(&bytes).unwrap_err()
    };
    let structure = |at, rule| Error::MalformedTpm(TpmError { at, rule });
    assert_eq!(with(1, 0x08), Feature::TpmAlgorithm(8).into());
    assert_eq!(with(3, 0x04), Distrust::WeakHash.into());
    assert_eq!(with(17, 0x05), Feature::TpmAlgorithm(5).into());
    assert_eq!(with(13, 0x15), Feature::TpmAlgorithm(0x15).into());
    assert_eq!(with(30, !bytes[30]), structure(20, "not a point of its curve"));
    let long = [bytes.as_slice(), &[0]].concat();
    assert_eq!(TpmPublic::decode(&long), Err(structure(88, "bytes follow the structure")));
    for len in 0..bytes.len() {
        assert!(TpmPublic::decode(&bytes[..len]).is_err(), "{len}");
    }
}

#[test]
fn quotes_come_in_collections_and_binary_tokens() {
    let signed = Parts::good().encode();
    let signature = signature(&key(1), &signed);
    let entry = |name: &str, value: &[u8]| {
        let record = CmwRecord::new("application/vnd.example.tpm-part", value).unwrap();
        (CmwKey::Text(name.into()), Cmw::from(record))
    };
    let collection =
        |entries: Vec<_>| Cmw::from(CmwCollection { kind: None, entries: entries.into_iter().collect() });
    let [attest, sig] = [entry("attest", &signed), entry("sig", &signature)];
    let quote = TpmQuote::decode(&signed, &signature).unwrap();
    let bare = collection(vec![attest.clone(), sig.clone()]);
    assert!(TpmCollection::is_one(&bare));
    let read = TpmCollection::read(&bare).unwrap();
    assert_eq!(read, TpmCollection { quote: quote.clone(), values: None, key: None, log: None });
    let pcrs = entry("pcrs", &[[1; 32], [2; 32]].concat());
    let ak = entry("ak", &public(&key(1), ATTESTS));
    let log = entry("log", b"events");
    let read = TpmCollection::read(&collection(vec![attest.clone(), sig.clone(), pcrs, ak, log])).unwrap();
    assert_eq!(read.values.unwrap().get(HashAlgorithm::Sha256, 7), values().get(HashAlgorithm::Sha256, 7));
    assert_eq!(read.key.unwrap().key(), &key(1).public_key().clone().into());
    assert_eq!(read.log.as_deref(), Some(b"events".as_slice()));
    for len in [0, 63, 65, 96] {
        let pcrs = entry("pcrs", &vec![1; len]);
        let read = TpmCollection::read(&collection(vec![attest.clone(), sig.clone(), pcrs]));
        assert_eq!(read, Err(Distrust::PcrDigest.into()), "{len}");
    }
    for entries in [vec![attest.clone()], vec![attest, sig, entry("other", b"")]] {
        assert_eq!(TpmCollection::read(&collection(entries)), Err(Feature::TpmCollection.into()));
    }
    let token = [&[7; 16], sized(&signed).as_slice(), &signature].concat();
    assert_eq!(EnactTrustToken::decode(&token), Ok(EnactTrustToken { node: [7; 16], quote }));
    let long = [token.as_slice(), &[0]].concat();
    assert!(matches!(EnactTrustToken::decode(&long), Err(Error::MalformedTpm(_))));
}

/// Key attestation of Parsec: the certified key, what was certified, and the quote.
fn parsec(public: &[u8], name: &[u8], kids: [&[u8]; 2]) -> Vec<u8> {
    let mut certify = Parts { kind: 0x8017, ..Parts::good() }.encode();
    certify.truncate(101);
    certify.extend(sized(name));
    certify.extend(sized(name));
    let quote = Parts::good().encode();
    let key = key(1);
    Writer::encode(|w| {
        w.map(2).text("kat").map(5).text("tpmVer").text("2.0").text("kid").bytes(kids[0]);
        w.text("sig").bytes(&signature(&key, &certify)).text("pubArea").bytes(public);
        w.text("certInfo").bytes(&certify);
        w.text("pat").map(4).text("tpmVer").text("2.0").text("kid").bytes(kids[1]);
        w.text("sig").bytes(&signature(&key, &quote)).text("attestInfo").bytes(&quote);
    })
}

#[test]
fn a_certified_key_is_the_one_of_its_name() {
    let certified = public(&key(5), 0x0004_0072);
    let name = TpmPublic::decode(&certified).unwrap().name();
    let verify = |bytes: &[u8], expected: u8| {
        let attestation_key = TpmKey::from(key(1).public_key().clone());
        ParsecAttestation::decode(bytes)?.verify(&attestation_key, &nonce(expected))
    };
    let good = parsec(&certified, &name, [b"kid", b"kid"]);
    assert_eq!(ParsecAttestation::decode(&good).unwrap().kid(), b"kid");
    let verified = verify(&good, 1).unwrap();
    assert_eq!(verified.key, key(5).public_key().clone().into());
    assert_eq!(verified.quote.selection(), wanted());
    assert!(verified.quote.has_values(&values()) && !verified.quote.has_values(&PcrValues::new()));
    assert_eq!(verify(&good, 2), Err(Distrust::Nonce.into()));
    let other = public(&key(6), 0x0004_0072);
    assert_eq!(verify(&parsec(&other, &name, [b"kid", b"kid"]), 1), Err(Distrust::TpmName.into()));
    let rule = cbor::Error::rule(0, "key and platform are signed by different keys");
    assert_eq!(verify(&parsec(&certified, &name, [b"kid", b"dik"]), 1), Err(rule.into()));
    let rule = cbor::Error::rule(0, "key attestation lacks a member");
    assert_eq!(verify(&[0xa0], 1), Err(rule.into()));
    let rule = cbor::Error::rule(1, "neither kat nor pat");
    assert_eq!(verify(&[0xa1, 0x01, 0x01], 1), Err(rule.into()));
}
