//! Every decoder of bytes from outside, and what follows it: one table for mutation tests and fuzzing.
//!
//! A decoder here goes as far as anybody's bytes may go: it verifies with keys that signed nothing, and where there is
//! an encoder it writes what was read and reads it again.

use std::sync::LazyLock;

use cose::{DecryptionKey, DecryptionKeys, MacKey, RecipientKey, TrustAnchors};
use crypto::{
    AgreementKey, ContentAlgorithm, ContentKey, HashAlgorithm, HssSigningKey, KeyWrapAlgorithm, KeyWrapKey,
    PublicKey, SigningKey,
};
use eat::{
    CcaToken, Claims, Cmw, EnactTrustToken, Evidence, MeasuredComponent, Nonce, ParsecAttestation, PcrValues,
    PsaClaims, PsaToken, SignedCmw, SignedResult, Token, TokenHint, TokenKey, TokenKeys, TpmKey, TpmPublic,
    UnprotectedClaims,
};
use suit::legacy::{LegacyEnvelope, LegacyKey, LegacyKeys};
use suit::{
    Authority, AuthorityList, AuthorityUpdate, Envelope, ManifestBuilder, Procedure, Processor, Report, Role,
    SignedReport, SignedUpdateAnswer, VerifiedManifest, replay,
};
use trust::{Bundle, Override, Policy, SignedOverride};
use x509::cms::{Detached, SignerPolicy};
use x509::{Certificate, Name};

use crate::fixture::{APPLICATION, Cast, NOW, key};
use crate::model::Model;

/// One decoder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decoder {
    /// Also the name of its fuzz target.
    pub(crate) name: &'static str,
    /// Reads bytes as far as anybody's may go, and says whether they are well-formed. It must never panic.
    pub(crate) read: fn(&[u8]) -> bool,
    /// Whether a well-formed input may be followed by something, or end early: white space, packets cut short.
    pub(crate) loose_end: bool,
    /// How many levels of byte strings within byte strings it reads; deeper ones are left to others.
    pub(crate) levels: u8,
    /// Folders of test vectors with good and bad examples, below the root of all vectors.
    pub(crate) folders: &'static [&'static str],
}

/// All of them.
pub(crate) const DECODERS: &[Decoder] = &[
    Decoder {
        name: "cbor",
        read: cbor,
        loose_end: false,
        levels: 0,
        folders: &["rats/eat-made", "coswid/made", "suit/constructed"],
    },
    Decoder {
        name: "crypto_keys",
        read: crypto_keys,
        loose_end: false,
        levels: 1,
        folders: &["suit/keys", "rats/ear-rust"],
    },
    Decoder {
        name: "cose_sign1",
        read: cose_sign1,
        loose_end: false,
        levels: 0,
        folders: &["rats/eat-made", "rats/psa-tfm"],
    },
    Decoder { name: "cose_sign", read: cose_sign, loose_end: false, levels: 0, folders: &["coswid/hirs"] },
    Decoder { name: "cose_mac0", read: cose_mac0, loose_end: false, levels: 0, folders: &["rats/psa-tfm"] },
    Decoder {
        name: "cose_encrypt",
        read: cose_encrypt,
        loose_end: false,
        levels: 0,
        folders: &["suit/firmware-encryption", "suit/libcsuit"],
    },
    Decoder { name: "cose_encrypt0", read: cose_encrypt0, loose_end: false, levels: 0, folders: &[] },
    Decoder { name: "hss_signature", read: hss_signature, loose_end: false, levels: 0, folders: &[] },
    Decoder { name: "cose_key", read: cose_key, loose_end: false, levels: 0, folders: &["suit/keys"] },
    Decoder {
        name: "x509_certificate",
        read: x509_certificate,
        loose_end: false,
        levels: 1,
        folders: &["mud/signed"],
    },
    Decoder { name: "x509_cms", read: x509_cms, loose_end: false, levels: 1, folders: &["mud/signed"] },
    Decoder {
        name: "suit_envelope",
        read: suit_envelope,
        loose_end: false,
        levels: 0,
        folders: &["suit/manifest-37", "suit/constructed", "suit/update-management", "suit/trust-domains"],
    },
    Decoder {
        name: "suit_legacy",
        read: suit_legacy,
        loose_end: false,
        levels: 0,
        folders: &[
            "suit/legacy/draft-09",
            "suit/legacy/draft-14",
            "suit/legacy/draft-19",
            "suit/legacy/draft-25",
            "suit/libcsuit",
        ],
    },
    Decoder {
        name: "suit_processor",
        read: suit_processor,
        loose_end: false,
        levels: 0,
        folders: &[
            "suit/manifest-37",
            "suit/constructed",
            "suit/trust-domains",
            "suit/firmware-encryption",
            "suit/libcsuit",
        ],
    },
    Decoder {
        name: "suit_report",
        read: suit_report,
        loose_end: false,
        levels: 1,
        folders: &["suit/suit-report"],
    },
    Decoder {
        name: "suit_index",
        read: suit_index,
        loose_end: false,
        levels: 0,
        folders: &["suit/manifest-37", "suit/constructed", "suit/update-management", "suit/trust-domains"],
    },
    Decoder { name: "suit_authorities", read: suit_authorities, loose_end: false, levels: 1, folders: &[] },
    Decoder {
        name: "suit_authority_update",
        read: suit_authority_update,
        loose_end: false,
        levels: 2,
        folders: &[],
    },
    Decoder {
        name: "suit_update_answer",
        read: suit_update_answer,
        loose_end: false,
        levels: 1,
        folders: &[],
    },
    Decoder {
        name: "coswid_tag",
        read: coswid_tag,
        loose_end: false,
        levels: 1,
        folders: &["coswid/made", "coswid/eat-appendix", "coswid/veraison-swid"],
    },
    Decoder {
        name: "coswid_received",
        read: coswid_received,
        loose_end: false,
        levels: 1,
        folders: &["coswid/made", "coswid/hirs"],
    },
    Decoder {
        name: "corim",
        read: corim,
        loose_end: false,
        levels: 1,
        folders: &["corim/draft", "corim/veraison-corim", "corim/veraison-scheme-psa-iot"],
    },
    Decoder {
        name: "comid",
        read: comid,
        loose_end: false,
        levels: 0,
        folders: &["corim/draft", "corim/veraison-comid", "corim/veraison-profiles-tdx"],
    },
    Decoder {
        name: "coserv",
        read: coserv,
        loose_end: false,
        levels: 0,
        folders: &["corim/coserv-draft", "corim/veraison-coserv"],
    },
    Decoder {
        name: "eat_evidence",
        read: eat_evidence,
        loose_end: false,
        levels: 1,
        folders: &["rats/eat-made"],
    },
    Decoder {
        name: "eat_token",
        read: eat_token,
        loose_end: false,
        levels: 1,
        folders: &["rats/eat-made", "rats/psa-tfm"],
    },
    Decoder {
        name: "eat_component",
        read: eat_component,
        loose_end: false,
        levels: 1,
        folders: &["rats/measured-component"],
    },
    Decoder {
        name: "eat_unprotected",
        read: eat_unprotected,
        loose_end: true,
        levels: 0,
        folders: &["rats/eat-rfc9711"],
    },
    Decoder {
        name: "eat_bundle",
        read: eat_bundle,
        loose_end: true,
        levels: 0,
        folders: &["rats/eat-rfc9711", "rats/eat-made"],
    },
    Decoder {
        name: "eat_psa",
        read: eat_psa,
        loose_end: false,
        levels: 1,
        folders: &[
            "rats/psa-rfc9783",
            "rats/psa-tfm",
            "rats/psa-veraison-cbor",
            "rats/veraison-scheme-psa-iot",
        ],
    },
    Decoder {
        name: "eat_cca",
        read: eat_cca,
        loose_end: false,
        levels: 2,
        folders: &["rats/cca-rust", "rats/veraison-scheme-arm-cca"],
    },
    Decoder {
        name: "eat_cmw",
        read: eat_cmw,
        loose_end: true,
        levels: 0,
        folders: &["rats/cmw-draft", "rats/cmw-made", "rats/cmw-veraison"],
    },
    Decoder {
        name: "tpm_quote",
        read: tpm_quote,
        loose_end: false,
        levels: 0,
        folders: &["rats/veraison-scheme-tpm-enacttrust"],
    },
    Decoder {
        name: "tpm_public",
        read: tpm_public,
        loose_end: false,
        levels: 0,
        folders: &["rats/tpm-quote"],
    },
    Decoder {
        name: "tpm_parsec",
        read: tpm_parsec,
        loose_end: false,
        levels: 0,
        folders: &["rats/veraison-scheme-parsec-tpm"],
    },
    Decoder {
        name: "ear_cwt",
        read: ear_cwt,
        loose_end: false,
        levels: 1,
        folders: &["rats/ear-made", "rats/ear-draft"],
    },
    Decoder { name: "ear_jwt", read: ear_jwt, loose_end: true, levels: 1, folders: &["rats/ear-made"] },
    Decoder {
        name: "mud",
        read: mud,
        loose_end: true,
        levels: 1,
        folders: &["mud/unsw", "mud/negative", "mud/nist", "mud/daq"],
    },
    Decoder { name: "trust_override", read: trust_override, loose_end: false, levels: 1, folders: &[] },
    Decoder { name: "trust_policy", read: trust_policy, loose_end: false, levels: 1, folders: &[] },
    Decoder { name: "trust_bundle", read: trust_bundle, loose_end: false, levels: 0, folders: &[] },
    Decoder { name: "device_state", read: device_state, loose_end: false, levels: 1, folders: &[] },
];

fn cbor(bytes: &[u8]) -> bool {
    let mut reader = cbor::Reader::new(bytes);
    let strict = reader.skip().is_ok() && reader.is_empty();
    if strict {
        assert!(cbor::diagnostic(bytes).is_ok(), "whatever is well-formed can be shown");
        let normal = cbor::normalize(bytes, LIMIT).expect("whatever is deterministic is well-formed");
        assert_eq!(normal, bytes, "what is deterministic stays as it is");
    } else if let Ok(normal) = cbor::normalize(bytes, LIMIT) {
        cbor::Reader::new(&normal).skip().expect("what was made deterministic is");
    }
    let _any_order = cbor::Reader::with_order(bytes, cbor::Order::Unique).skip();
    strict
}

fn crypto_keys(bytes: &[u8]) -> bool {
    let public = PublicKey::from_spki_der(bytes);
    let secret = SigningKey::from_pkcs8_der(bytes);
    let known = public.is_ok() || secret.is_ok() || SigningKey::from_sec1_der(bytes).is_ok();
    if let Ok(public) = public {
        let again = PublicKey::from_spki_der(&public.to_spki_der());
        assert_eq!(again.as_ref(), Ok(&public));
        assert!(public.verify(bytes, &[0; 64]).is_err());
        assert!(public.verify_der(bytes, bytes).is_err());
    }
    if let Ok(secret) = secret {
        let again = SigningKey::from_pkcs8_der(&secret.to_pkcs8_der()).expect("was written by us");
        assert_eq!(again.public_key(), secret.public_key());
    }
    assert!(stranger().verify_der(b"message", bytes).is_err(), "nobody signed it");
    known
}

fn cose_sign1(bytes: &[u8]) -> bool {
    let forms = [cose::Sign1::decode(bytes), cose::Sign1::decode_untagged(bytes)];
    let known = forms.iter().any(Result::is_ok);
    for message in forms.into_iter().flatten() {
        let _hints = (message.kid(), message.content_type());
        assert!(message.verify(&stranger(), None, &[]).is_err());
        assert!(message.verify(&stranger(), Some(b"apart"), &[]).is_err());
    }
    known
}

fn cose_sign(bytes: &[u8]) -> bool {
    let forms = [cose::Sign::decode(bytes), cose::Sign::decode_untagged(bytes)];
    let known = forms.iter().any(Result::is_ok);
    for message in forms.into_iter().flatten() {
        assert!(message.verify(&stranger(), None, &[]).is_err());
        assert!(message.verify(&stranger(), Some(b"apart"), &[]).is_err());
    }
    known
}

fn cose_mac0(bytes: &[u8]) -> bool {
    let key = MacKey::new(HashAlgorithm::Sha256, &[77; 32]).expect("long enough");
    let forms = [cose::Mac0::decode(bytes), cose::Mac0::decode_untagged(bytes)];
    let known = forms.iter().any(Result::is_ok);
    for message in forms.into_iter().flatten() {
        assert!(message.verify(&key, None, &[]).is_err());
        assert!(message.verify(&key, Some(b"apart"), &[]).is_err());
    }
    let _key = MacKey::decode(bytes);
    known
}

fn cose_encrypt(bytes: &[u8]) -> bool {
    let forms = [cose::Encrypt::decode(bytes), cose::Encrypt::decode_untagged(bytes)];
    let known = forms.iter().any(Result::is_ok);
    for message in forms.into_iter().flatten() {
        assert!(message.open(&*STRANGERS, &[], b"another use").is_err());
    }
    known
}

fn cose_encrypt0(bytes: &[u8]) -> bool {
    let forms = [cose::Encrypt0::decode(bytes), cose::Encrypt0::decode_untagged(bytes)];
    let known = forms.iter().any(Result::is_ok);
    for message in forms.into_iter().flatten() {
        let algorithm = message.algorithm();
        let key = ContentKey::from_bytes(algorithm, &vec![77; algorithm.key_len()]).expect("its length");
        let opened = message.decrypt(&key, None, &[]);
        assert!(opened.is_err() || !algorithm.is_authenticated());
        let other = ContentAlgorithm::ALL.into_iter().find(|other| *other != algorithm).expect("several");
        let key = ContentKey::from_bytes(other, &vec![77; other.key_len()]).expect("its length");
        assert!(message.open(&key, &[]).is_err());
    }
    known
}

/// A public key and a signature by it, of a message that is always the same; and a state without its digest.
fn hss_signature(bytes: &[u8]) -> bool {
    let digest = crypto::Digest::of(HashAlgorithm::Sha256, bytes);
    if let Ok(key) = HssSigningKey::decode(&[bytes, digest.as_bytes()].concat()) {
        HssSigningKey::decode(&key.encode()).expect("was written by us");
    }
    let Some((key, signature)) = bytes.split_at_checked(HSS_PUBLIC_LEN) else { return false };
    let Ok(key) = PublicKey::from_hss(key) else { return false };
    assert!(key.verify(b"another message", signature).is_err());
    key.verify(HSS_MESSAGE, signature).is_ok()
}

fn cose_key(bytes: &[u8]) -> bool {
    let own = DecryptionKey::decode(bytes);
    let recipient = RecipientKey::decode(bytes);
    let encrypts = own.is_ok() || recipient.is_ok();
    if let Ok(own) = own {
        let again = DecryptionKey::decode(&own.encode_secret()).expect("was written by us");
        assert_eq!((again.algorithm(), again.kid()), (own.algorithm(), own.kid()));
    }
    if let Ok(recipient) = recipient {
        let again = RecipientKey::decode(&recipient.encode()).expect("was written by us");
        assert_eq!((again.algorithm(), again.kid()), (recipient.algorithm(), recipient.kid()));
    }
    verification_key(bytes) || encrypts
}

fn verification_key(bytes: &[u8]) -> bool {
    let Ok(key) = cose::Key::decode(bytes) else { return false };
    let again = cose::Key::decode(&key.encode()).expect("was written by us");
    assert_eq!(again.public(), key.public());
    assert_eq!(again.thumbprint(HashAlgorithm::Sha256), key.thumbprint(HashAlgorithm::Sha256));
    true
}

fn x509_certificate(bytes: &[u8]) -> bool {
    let _name = Name::decode(bytes);
    let Ok(certificate) = Certificate::decode(bytes) else { return false };
    let others = [certificate.clone()];
    assert!(x509::verify_chain(&certificate, &others, &[], NOW).is_err(), "nobody is believed");
    let _own = x509::verify_chain(&certificate, &[], &others, NOW);
    true
}

fn x509_cms(bytes: &[u8]) -> bool {
    let Ok(message) = Detached::decode(bytes) else { return false };
    let policy = SignerPolicy { anchors: &[], extra: &[], subject: None, now: NOW };
    assert!(message.verify(b"another content", &policy).is_err(), "nobody is believed");
    true
}

/// The head of an envelope that is elsewhere: whatever the pieces it comes in, it is the same, and what the whole says.
fn suit_index(bytes: &[u8]) -> bool {
    let whole = suit::EnvelopeIndex::of(bytes);
    let mut reader = suit::EnvelopeReader::new(bytes.len() as u64);
    let mut pieces = Ok(());
    // An odd size, so that pieces end in the middle of everything.
    while let (Ok(()), Some((offset, count))) = (pieces, reader.wanted()) {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let left = bytes.get(start..).unwrap_or_default();
        let piece = left.get(..count.min(7)).unwrap_or(left);
        if piece.is_empty() {
            break;
        }
        pieces = reader.take(piece);
    }
    assert_eq!(pieces.and_then(|()| reader.finish()), whole, "pieces and the whole");
    let Ok(index) = whole else { return false };
    assert!(index.head().len() <= suit::limits::MAX_ENVELOPE_LEN + 16);
    let head = suit::Envelope::decode(index.head());
    if let Ok(envelope) = suit::Envelope::decode(bytes) {
        let head = head.expect("the head of an envelope is one");
        assert_eq!(head.signed_bytes(), envelope.signed_bytes());
        assert_eq!(head.signatures(), envelope.signatures());
        assert_eq!(index.payloads().len(), envelope.payloads().len());
        for payload in index.payloads() {
            let range = payload.offset as usize..(payload.offset + payload.len) as usize;
            assert_eq!(bytes.get(range), envelope.integrated(&payload.uri));
        }
        true
    } else {
        false
    }
}

fn suit_envelope(bytes: &[u8]) -> bool {
    let Ok(envelope) = Envelope::decode(bytes) else { return false };
    assert!(envelope.verify(&strangers()).is_err(), "nobody on the list signed it");
    let stripped = envelope.strip_payloads();
    assert!(Envelope::decode(&stripped).is_ok(), "stays an envelope without payloads");
    let Ok(manifest) = envelope.manifest_unverified() else { return false };
    let _sections: Vec<_> = manifest.sections().collect();
    true
}

fn suit_legacy(bytes: &[u8]) -> bool {
    let Ok(envelope) = LegacyEnvelope::decode(bytes, None) else { return false };
    let stranger = LegacyKey { key: key(9).public_key().clone(), kid: Vec::new(), name: String::new() };
    let keys = LegacyKeys::new(vec![stranger]).expect("one key");
    assert!(envelope.verify(&keys).is_err(), "that key signed nothing");
    let Ok(manifest) = envelope.manifest_unverified() else { return false };
    let _text = manifest.text_decoded();
    let conversion = envelope.convert_unverified().expect("the manifest was read");
    match conversion.envelope() {
        Some(today) => assert!(suit_envelope(today), "what is converted is an envelope of today"),
        None => assert!(!conversion.without_equivalent().is_empty(), "it is said what cannot be converted"),
    }
    true
}

/// What anybody could have signed is signed, and every procedure of it run, with dependencies that are its payloads or
/// the envelope itself.
fn suit_processor(bytes: &[u8]) -> bool {
    let Ok(envelope) = Envelope::decode(bytes) else { return false };
    let Ok(manifest) = envelope.manifest_unverified() else { return false };
    let algorithm = envelope.manifest_digest_claimed().algorithm();
    let mut again = ManifestBuilder::from(&manifest).build(algorithm).expect("was read by us");
    for (uri, payload) in envelope.payloads() {
        again.payload(uri, payload);
    }
    again.sign(&key(1), Some(b"author"));
    let again = again.to_bytes();
    let cast = Cast::new();
    // Payloads that are envelopes themselves were signed by others: they count as authors as well.
    let authorities = cast.authorities();
    let decoded = Envelope::decode(&again).expect("was written by us");
    let Ok(verified) = decoded.verify(&authorities) else { return true };
    let mut device = Model::new(authorities, &again);
    let Ok(mut processor) = Processor::new(&verified, &mut device) else { return true };
    for procedure in [Procedure::Update, Procedure::Invocation, Procedure::Uninstallation] {
        let report = match processor.run(procedure) {
            Ok(report) => report,
            Err(failure) => *failure.report,
        };
        let written = report.to_bytes();
        assert_eq!(Report::decode(&written).expect("was written by us").to_bytes(), written);
    }
    true
}

/// Reports in their containers or bare; what somebody could have signed is replayed against a release.
fn suit_report(bytes: &[u8]) -> bool {
    let report = match (SignedReport::decode(bytes), Report::decode(bytes)) {
        (Ok(signed), _) => {
            let report = signed.unverified().clone();
            assert!(signed.verify(&stranger(), None).is_err(), "nobody signed it");
            report
        }
        (_, Ok(report)) => report,
        _ => return false,
    };
    let written = report.to_bytes();
    assert_eq!(Report::decode(&written).expect("was written by us").to_bytes(), written);
    let signed = report.sign(&key(8), None);
    let signed = SignedReport::decode(&signed).expect("was written by us");
    let believed = signed.verify(key(8).public_key(), None).expect("was signed");
    let cast = Cast::new();
    let release =
        VerifiedManifest::verify(cast.envelope(1, APPLICATION), &cast.authorities()).expect("our own");
    let replayed = replay(&believed, &release.open(), &[&release.open()]);
    assert_eq!(replayed.verdicts().len(), report.entries.len() + 2);
    true
}

fn suit_authorities(bytes: &[u8]) -> bool {
    let Ok(list) = AuthorityList::decode(bytes) else { return false };
    assert_eq!(list.to_bytes(), bytes, "a list has one encoding");
    let _sustainable = list.lock_out();
    true
}

fn suit_authority_update(bytes: &[u8]) -> bool {
    if let Ok(proposal) = suit::UpdateProposal::decode(bytes) {
        assert_eq!(suit::UpdateProposal::decode(&proposal.encode()), Ok(proposal));
        return true;
    }
    let Ok(update) = AuthorityUpdate::decode(bytes) else { return false };
    assert_eq!(update.proposal().list().lock_out(), None, "an update locks nobody out");
    assert!(update.verify(&strangers(), None).is_err(), "nobody on the list signed it");
    assert_eq!(update.merge(&update).as_deref(), Ok(bytes), "every byte of it is read");
    true
}

fn suit_update_answer(bytes: &[u8]) -> bool {
    let Ok(signed) = SignedUpdateAnswer::decode(bytes) else { return false };
    let said = signed.unverified().clone();
    assert!(signed.verify(&stranger(), &said.device, &said.nonce).is_err(), "nobody signed it");
    let again = said.sign(&key(20), b"server");
    let again = SignedUpdateAnswer::decode(&again).expect("was written by us");
    let believed = again.verify(key(20).public_key(), &said.device, &said.nonce).expect("was signed");
    assert_eq!(believed, said);
    true
}

fn coswid_tag(bytes: &[u8]) -> bool {
    let Ok(tag) = coswid::Tag::decode(bytes) else { return false };
    let _files = tag.measured_files();
    let _about = (tag.version(), tag.supersedes().count());
    let again = coswid::Tag::decode(&tag.encode()).expect("was written by us");
    assert_eq!(again.measured_files(), tag.measured_files());
    true
}

fn coswid_received(bytes: &[u8]) -> bool {
    let Ok(received) = coswid::Received::decode(bytes) else { return false };
    if let coswid::Received::Signed(tag) = received {
        assert!(tag.clone().verify_with_key(&stranger(), "stranger").is_err());
        assert!(tag.verify(&TrustAnchors::default()).is_err());
    }
    true
}

fn corim(bytes: &[u8]) -> bool {
    let Ok(received) = corim::Received::decode(bytes) else { return false };
    let manifest = match received {
        corim::Received::Unsigned(unsigned) => {
            let manifest = unsigned.unverified().clone();
            if let Ok(verified) = unsigned.trusted_by_operator("operator", Vec::new(), NOW) {
                appraise_with(&verified);
            }
            manifest
        }
        corim::Received::Signed(signed) => {
            let keys = TrustAnchors::default();
            let anchors = corim::Anchors { keys: &keys, issuers: std::slice::from_ref(&Cast::new().issuer) };
            assert!(signed.clone().verify(anchors, NOW).is_err(), "nobody trusted signed it");
            signed.unverified().clone()
        }
    };
    assert_eq!(corim::Corim::decode(&manifest.encode()).as_ref(), Ok(&manifest));
    true
}

fn comid(bytes: &[u8]) -> bool {
    let Ok(tag) = corim::Comid::decode(bytes) else { return false };
    assert_eq!(corim::Comid::decode(&tag.encode()).as_ref(), Ok(&tag));
    let id = corim::TagId::Text("manifest".into());
    let manifest = corim::Corim::new(id, vec![corim::Tag::Comid(tag)]).encode();
    let Ok(corim::Received::Unsigned(unsigned)) = corim::Received::decode(&manifest) else { return true };
    if let Ok(verified) = unsigned.trusted_by_operator("operator", Vec::new(), NOW) {
        appraise_with(&verified);
    }
    true
}

fn coserv(bytes: &[u8]) -> bool {
    let Ok(message) = corim::Coserv::decode(bytes) else { return false };
    assert_eq!(corim::Coserv::decode(&message.encode()), Ok(message));
    true
}

/// Judges evidence that is just what each of the reference values says.
fn appraise_with(manifest: &corim::VerifiedCorim) {
    let mut references = corim::References::new();
    references.add(manifest, corim::ReleaseUnit::Corim);
    let triples = manifest.corim().comids().flat_map(|comid| &comid.triples.reference).take(8);
    let evidence: Vec<_> = triples
        .map(|triple| {
            let elements = triple.measurements.iter().map(corim::Element::from).collect();
            corim::Ect::evidence(triple.environment.clone(), elements, Vec::new())
        })
        .collect();
    let _outcome = references.appraise(&evidence, |_| true);
    let mut state = corim::StateSet::new(evidence);
    let before = state.clone();
    if state.augment(&[manifest]).is_err() {
        assert_eq!(state, before, "what was too much left nothing behind");
    }
}

fn eat_evidence(bytes: &[u8]) -> bool {
    let Ok(evidence) = Evidence::decode(bytes) else { return false };
    let nonce = evidence.nonce().clone();
    assert!(evidence.verify(&stranger(), &nonce).is_err());
    true
}

fn eat_token(bytes: &[u8]) -> bool {
    let Ok(token) = Token::decode(bytes) else { return false };
    let _written = token.unverified().encode();
    let nonce = Nonce::new(&[3; 16]).expect("a nonce");
    assert!(token.clone().verify_all(&Stranger, &nonce).is_err());
    assert!(token.verify(&stranger(), &nonce).is_err());
    true
}

/// The same wrong key for every token.
struct Stranger;

impl TokenKeys for Stranger {
    fn key(&self, _: &TokenHint<'_>) -> Option<TokenKey<'_>> {
        static KEY: LazyLock<PublicKey> = LazyLock::new(stranger);
        Some(TokenKey::from(&*KEY))
    }
}

/// Claims in either form, which nothing protects: what all tokens of general profiles have in them.
fn eat_unprotected(bytes: &[u8]) -> bool {
    if bytes.first() == Some(&b'{') {
        let Ok(claims) = UnprotectedClaims::decode_json(bytes) else { return false };
        let written = claims.unverified().encode_json().expect("came in JSON");
        assert_eq!(UnprotectedClaims::decode_json(written.as_bytes()), Ok(claims));
        return true;
    }
    let Ok(claims) = UnprotectedClaims::decode(bytes) else { return false };
    let again: Claims = claims.unverified().clone();
    assert_eq!(UnprotectedClaims::decode(&UnprotectedClaims::from(again).encode()), Ok(claims));
    true
}

fn eat_bundle(bytes: &[u8]) -> bool {
    let Ok(bundle) = eat::Bundle::decode(bytes) else { return false };
    assert_eq!(eat::Bundle::decode(&bundle.encode()), Ok(bundle.clone()));
    let nonce = Nonce::new(&[3; 16]).expect("a nonce");
    assert!(bundle.verify_all(&Stranger, &nonce).is_err());
    bundle.main().is_ok()
}

fn eat_psa(bytes: &[u8]) -> bool {
    if let Ok(claims) = PsaClaims::decode(bytes) {
        assert_eq!(PsaClaims::decode(&claims.encode()), Ok(claims));
        return true;
    }
    let Ok(token) = PsaToken::decode(bytes) else { return false };
    let nonce = token.unverified().nonce.clone();
    assert!(token.verify(&stranger(), &nonce).is_err());
    true
}

fn eat_cca(bytes: &[u8]) -> bool {
    let Ok(token) = CcaToken::decode(bytes) else { return false };
    let nonce = token.unverified_realm().challenge.clone();
    assert!(token.verify(&stranger(), &nonce).is_err());
    true
}

fn eat_cmw(bytes: &[u8]) -> bool {
    if let Ok(signed) = SignedCmw::decode(bytes) {
        assert!(signed.verify(&stranger()).is_err());
    }
    let _extension = Cmw::decode_extension(bytes);
    let Ok(wrapper) = Cmw::decode(bytes) else { return false };
    assert!(!wrapper.records().is_empty());
    assert_eq!(Cmw::decode(&wrapper.encode()), Ok(wrapper.clone()));
    if let Ok(text) = wrapper.encode_json() {
        let again = Cmw::decode(text.as_bytes()).expect("was written by us");
        assert_eq!(again.records().len(), wrapper.records().len());
    }
    true
}

/// The framing of one vendor: an identifier, a length, what was signed, and the signature.
fn tpm_quote(bytes: &[u8]) -> bool {
    let Ok(token) = EnactTrustToken::decode(bytes) else { return false };
    let nonce = Nonce::new(&[3; 16]).expect("a nonce");
    let key = TpmKey::from(stranger());
    assert!(token.quote.verify(&key, &nonce, &[], &PcrValues::new()).is_err());
    true
}

fn tpm_public(bytes: &[u8]) -> bool {
    let Ok(public) = TpmPublic::decode(bytes) else { return false };
    let _attests = (public.name(), public.attestation_key());
    true
}

fn tpm_parsec(bytes: &[u8]) -> bool {
    let Ok(attestation) = ParsecAttestation::decode(bytes) else { return false };
    let nonce = Nonce::new(&[3; 16]).expect("a nonce");
    let key = TpmKey::from(stranger());
    assert!(attestation.verify(&key, &nonce, &[], &PcrValues::new()).is_err());
    true
}

fn eat_component(bytes: &[u8]) -> bool {
    if let Ok(component) = MeasuredComponent::decode_json(bytes) {
        assert_eq!(MeasuredComponent::decode_json(component.encode_json().as_bytes()), Ok(component));
    }
    let Ok(component) = MeasuredComponent::decode(bytes) else { return false };
    assert_eq!(MeasuredComponent::decode(&component.encode()), Ok(component));
    true
}

fn ear_cwt(bytes: &[u8]) -> bool {
    result(SignedResult::decode_cwt(bytes))
}

fn ear_jwt(bytes: &[u8]) -> bool {
    result(SignedResult::decode_jwt(bytes))
}

fn result(decoded: Result<SignedResult<'_>, eat::Error>) -> bool {
    let Ok(signed) = decoded else { return false };
    let _tier = signed.unverified().tier();
    let again = signed.unverified().sign_cwt(&key(20), b"verifier");
    if let Ok(again) = again {
        SignedResult::decode_cwt(&again).expect("was written by us");
    }
    assert!(signed.verify(&TrustAnchors::default(), NOW, None).is_err());
    true
}

fn mud(bytes: &[u8]) -> bool {
    let Ok(parsed) = mud::parse(bytes, &mud::Context::default()) else { return false };
    let compiled = mud::compile(&parsed.file);
    let _shown = (compiled.policy.breadth(), compiled.policy.encode_json());
    assert!(mud::diff(&compiled.policy, &compiled.policy).is_equal());
    let written = parsed.file.encode();
    mud::parse(written.as_bytes(), &mud::Context::default()).expect("was written by us");
    true
}

fn trust_override(bytes: &[u8]) -> bool {
    assert!(SignedOverride::verify(bytes, &TrustAnchors::default()).is_err());
    let Ok(content) = Override::decode(bytes) else { return false };
    assert_eq!(Override::decode(&content.encode()), Ok(content));
    true
}

fn trust_policy(bytes: &[u8]) -> bool {
    let Ok(policy) = Policy::decode(bytes) else { return false };
    assert_eq!(Policy::decode(&policy.encode()), Ok(policy));
    true
}

fn trust_bundle(bytes: &[u8]) -> bool {
    let Ok(bundle) = Bundle::decode(bytes) else { return false };
    let keys = TrustAnchors::default();
    let anchors = trust::BundleAnchors { authorities: strangers(), mud_issuers: Vec::new(), keys };
    let _proof = bundle.verify(&anchors);
    assert_eq!(Bundle::decode(&bundle.encode()), Ok(bundle));
    true
}

/// A record carries a checksum, which random changes would never get past: it is put right first.
fn device_state(bytes: &[u8]) -> bool {
    let _torn = device_core::BootState::decode(bytes);
    let mut record = bytes.to_vec();
    record.extend_from_slice(crypto::Digest::of(HashAlgorithm::Sha256, bytes).as_bytes());
    let Ok(state) = device_core::BootState::decode(&record) else { return false };
    let again = device_core::BootState::decode(&state.encode());
    assert!(again.is_ok(), "was written by us");
    true
}

/// Keys that nothing was encrypted to, tried whatever identifier a message names.
static STRANGERS: LazyLock<DecryptionKeys> = LazyLock::new(|| {
    let wrap = |wrap: KeyWrapAlgorithm| {
        let key = KeyWrapKey::from_bytes(wrap, &vec![77; wrap.key_len()]).expect("its length");
        DecryptionKey::key_wrap(key, b"")
    };
    let agree =
        |wrap| DecryptionKey::agreement(AgreementKey::from_bytes(&[77; 32]).expect("a scalar"), wrap, b"");
    DecryptionKeys::new(KeyWrapAlgorithm::ALL.into_iter().flat_map(|one| [wrap(one), agree(one)]).collect())
});

/// A key that signed nothing.
fn stranger() -> PublicKey {
    key(77).public_key().clone()
}

/// A list of authorities who signed nothing.
fn strangers() -> AuthorityList {
    let author = Authority::new(stranger(), &[], "stranger", Role::Author);
    AuthorityList::with_default_policy(vec![author]).expect("a list")
}

/// Length of an HSS public key (RFC 8554, section 6.1).
const HSS_PUBLIC_LEN: usize = 60;

/// What the signatures among the inputs sign.
pub(crate) const HSS_MESSAGE: &[u8] = b"message";

/// More than any input here has.
const LIMIT: usize = 1 << 24;
