//! SUIT: envelopes, what runs of them, reports, authorities.

use suit::legacy::{LegacyEnvelope, LegacyKey, LegacyKeys};
use suit::{
    AuthorityList, AuthorityUpdate, Envelope, ManifestBuilder, Procedure, Processor, Report, SignedReport,
    SignedUpdateAnswer, VerifiedManifest, replay,
};

use super::{stranger, strangers};
use crate::fixture::{APPLICATION, Cast, key};
use crate::model::Model;

/// The head of an envelope that is elsewhere: whatever the pieces it comes in, it is the same, and what the whole says.
pub(super) fn suit_index(bytes: &[u8]) -> bool {
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

pub(super) fn suit_envelope(bytes: &[u8]) -> bool {
    let Ok(envelope) = Envelope::decode(bytes) else { return false };
    assert!(envelope.verify(&strangers()).is_err(), "nobody on the list signed it");
    let stripped = envelope.strip_payloads();
    assert!(Envelope::decode(&stripped).is_ok(), "stays an envelope without payloads");
    let Ok(manifest) = envelope.manifest_unverified() else { return false };
    let _sections: Vec<_> = manifest.sections().collect();
    true
}

pub(super) fn suit_legacy(bytes: &[u8]) -> bool {
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
pub(super) fn suit_processor(bytes: &[u8]) -> bool {
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
pub(super) fn suit_report(bytes: &[u8]) -> bool {
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

pub(super) fn suit_authorities(bytes: &[u8]) -> bool {
    let Ok(list) = AuthorityList::decode(bytes) else { return false };
    assert_eq!(list.to_bytes(), bytes, "a list has one encoding");
    let _sustainable = list.lock_out();
    true
}

pub(super) fn suit_authority_update(bytes: &[u8]) -> bool {
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

pub(super) fn suit_update_answer(bytes: &[u8]) -> bool {
    let Ok(signed) = SignedUpdateAnswer::decode(bytes) else { return false };
    let said = signed.unverified().clone();
    assert!(signed.verify(&stranger(), &said.device, &said.nonce).is_err(), "nobody signed it");
    let again = said.sign(&key(20), b"server");
    let again = SignedUpdateAnswer::decode(&again).expect("was written by us");
    let believed = again.verify(key(20).public_key(), &said.device, &said.nonce).expect("was signed");
    assert_eq!(believed, said);
    true
}
