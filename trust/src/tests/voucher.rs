//! Ownership vouchers: whose count, and whose evidence is believed by them.

use alloc::{vec, vec::Vec};

use crypto::{Digest, HashAlgorithm, SigningKey};
use eat::{ClaimKey, Claims, MediaType, Nonce, Ueid, VerifierId};
use fdo::{Directive, Guid, Header, Hmac, Instruction, KeyEncoding, PublicKey, RendezvousInfo, Voucher};
use x509::{CertificateBuilder, Validity};

use super::{
    attester::beliefs,
    fixture::{NOW, key},
};
use crate::{
    Attester, Beliefs, Code, Endorsements, ForeignEvidence, KeyBinding, Part, Policy, Reason, Subject,
    VoucherAnchors, Vouchers, admit_voucher, attestation_result_of, corroborate,
};

const GUID: Guid = Guid([0x44; 16]);

fn nonce() -> Nonce {
    Nonce::new(&[7; 32]).unwrap()
}

/// A device by a manufacturer, not sold yet.
fn made(manufacturer: &SigningKey, device: &SigningKey) -> Vec<u8> {
    let validity = Validity { not_before: NOW - 1, not_after: NOW + 1 };
    let name = "CN=camera 1".parse().unwrap();
    let certificate = CertificateBuilder::new(name, device.public_key(), &[1], validity);
    let certificate = certificate.self_signed(device).unwrap();
    let header = Header {
        guid: GUID,
        rendezvous: RendezvousInfo {
            directives: vec![Directive { instructions: vec![Instruction::Bypass] }],
        },
        device_info: "camera".into(),
        manufacturer: PublicKey::new(manufacturer.public_key(), KeyEncoding::X509).unwrap(),
        certificates: Digest::of(HashAlgorithm::Sha256, certificate.as_der()),
    };
    let header = header.encode();
    let hmac = Hmac::of(HashAlgorithm::Sha256, b"secret", &header);
    Voucher::assemble(&header, &hmac, &[certificate.as_der()]).unwrap()
}

fn sold(voucher: &[u8], by: &SigningKey, to: &SigningKey) -> Vec<u8> {
    Voucher::decode(voucher).unwrap().extend(to.public_key()).unwrap().sign(by).unwrap()
}

fn anchors(manufacturers: &[&SigningKey], owners: &[&SigningKey]) -> VoucherAnchors {
    let keys = |keys: &[&SigningKey]| keys.iter().map(|key| key.public_key().clone().into()).collect();
    VoucherAnchors { manufacturers: keys(manufacturers), owners: keys(owners) }
}

#[test]
fn voucher_counts_from_a_trusted_manufacturer_to_the_operator_alone() {
    let (maker, shop, us, device) = (key(81), key(82), key(83), key(84));
    let unsold = made(&maker, &device);
    let ours = sold(&sold(&unsold, &maker, &shop), &shop, &us);
    let code = |bytes: &[u8], anchors| admit_voucher(bytes, &anchors).map_err(|reason: Reason| reason.code);
    let found = code(&ours, anchors(&[&maker], &[&us])).unwrap();
    assert_eq!((found.guid, found.entries, found.device_info.as_str()), (GUID, 2, "camera"));
    assert_eq!((&found.key, &found.owner), (device.public_key(), &us.public_key().clone().into()));
    let rows = [
        ("nobody is the owner", ours.as_slice(), anchors(&[&maker], &[]), Code::VoucherNotOurs),
        ("nothing is configured", &ours, VoucherAnchors::default(), Code::VoucherNotOurs),
        ("who had it before", &ours, anchors(&[&maker], &[&shop]), Code::VoucherNotOurs),
        ("no manufacturer", &ours, anchors(&[], &[&us]), Code::VoucherUnknownManufacturer),
        ("a buyer is no manufacturer", &ours, anchors(&[&shop], &[&us]), Code::VoucherUnknownManufacturer),
        // Nobody signed it, even where the manufacturer is the owner.
        ("not sold", &unsold, anchors(&[&maker], &[&maker]), Code::VoucherUnsigned),
        ("nonsense", b"nonsense", anchors(&[&maker], &[&us]), Code::MalformedVoucher),
    ];
    for (what, bytes, anchors, expected) in rows {
        assert_eq!(code(bytes, anchors).err(), Some(expected), "{what}");
    }
    // Anybody makes a sound voucher with a key of theirs in front.
    let forged = sold(&made(&us, &key(85)), &us, &us);
    assert_eq!(code(&forged, anchors(&[&maker], &[&us])).err(), Some(Code::VoucherUnknownManufacturer));
}

/// Signed elsewhere, with `openssl`.
#[test]
fn manufacturers_and_owners_may_have_rsa_keys() {
    let file = "../protocols/fdo/tests/data/rsa2048restr-2entries.hex";
    let bytes = testkit::read_hex(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file));
    let voucher = Voucher::decode(&bytes).unwrap();
    let (maker, us) = (voucher.header().manufacturer.key().clone(), voucher.owner().key().clone());
    assert_ne!(maker, us);
    let admit = |maker: &fdo::Key, us: &fdo::Key| {
        let anchors = VoucherAnchors { manufacturers: vec![maker.clone()], owners: vec![us.clone()] };
        admit_voucher(&bytes, &anchors).map_err(|reason| reason.code)
    };
    assert_eq!(admit(&maker, &us).map(|device| device.entries), Ok(2));
    assert_eq!(admit(&us, &us).err(), Some(Code::VoucherUnknownManufacturer));
    assert_eq!(admit(&maker, &maker).err(), Some(Code::VoucherNotOurs));
}

#[test]
fn every_refusal_of_a_voucher_has_its_code() {
    use fdo::{Distrust, Error, Feature};
    let signature = cose::Error::Untrusted(cose::Distrust::BadSignature);
    let errors = [
        Error::Malformed(cbor::Error::rule(0, "")),
        Error::Entry { entry: 0, error: signature },
        Error::Entry { entry: 0, error: cose::Error::Unsupported(cose::Feature::Algorithm(0)) },
        Error::Entry { entry: 0, error: cose::Error::PayloadMissing },
        Error::Certificate(x509::Error::Untrusted(x509::Distrust::UnknownIssuer)),
        Error::Untrusted(Distrust::CertificateChainHash),
        Error::Untrusted(Distrust::DeviceKeyUsage),
        Error::Untrusted(Distrust::PreviousHash { entry: 0 }),
        Error::Untrusted(Distrust::HeaderInfoHash { entry: 0 }),
        Error::Untrusted(Distrust::HashType { entry: 0 }),
        Error::Untrusted(Distrust::KeyType { entry: 0 }),
        Error::Untrusted(Distrust::NoEntry),
        Error::Unsupported(Feature::Version10),
    ];
    for error in errors {
        assert!(Code::from_text(error.code()).is_some(), "{error:?} is {}", error.code());
    }
}

/// Who attests by a token of a device with this UEID.
fn attesters(device: &SigningKey, ueid: &[u8], beliefs: &Beliefs<'_>) -> Result<Vec<Attester>, Code> {
    let claims = Claims { nonces: vec![nonce()], ueid: Ueid::new(ueid), ..Claims::default() };
    let token = claims.sign_cwt(device, b"").unwrap();
    let evidence = ForeignEvidence::decode(&token, &MediaType::parse("application/eat+cwt").unwrap());
    evidence.unwrap().verify(beliefs, &nonce()).map_err(|reason| reason.code)
}

/// The claim of a result with how the key was bound, in diagnostic notation.
fn told(attester: &Attester, beliefs: &Beliefs<'_>) -> Option<alloc::string::String> {
    let found = corroborate(attester, beliefs);
    let policy = &Policy::default();
    let part = Part {
        name: "EAT",
        profile: None,
        appraised: &found.appraised,
        policy,
        endorsed: &found.endorsed,
        binding: found.binding,
    };
    let subject = Subject { ueid: Ueid::new(&[1; 17]).unwrap(), key: None, nonce: None };
    let verifier = VerifierId { developer: "d".into(), build: "b".into() };
    let result = attestation_result_of(&[part], &subject, 60, verifier, NOW);
    let named = ClaimKey::Text("sextant_key_binding".into());
    let claim = result.submods["EAT"].verifier_claims.iter().find(|(name, _)| *name == named);
    claim.map(|(_, value)| cbor::diagnostic(value).unwrap())
}

#[test]
fn evidence_is_believed_by_the_key_of_its_devices_voucher_and_the_result_says_so() {
    let (maker, us, device) = (key(81), key(83), key(84));
    let bytes = sold(&made(&maker, &device), &maker, &us);
    let admitted = admit_voucher(&bytes, &anchors(&[&maker], &[&us])).unwrap();
    let mut vouchers = Vouchers::default();
    assert_eq!(vouchers.add(admitted.clone()), None);
    let nothing = Endorsements::new();
    let with = Beliefs { vouchers: Some(&vouchers), ..beliefs(&nothing) };
    let found = attesters(&device, &GUID.ueid(), &with).unwrap();
    assert_eq!(found[0].binding, Some(KeyBinding::Voucher(GUID)));
    assert_eq!(
        told(&found[0], &with).as_deref(),
        Some(r#"{"by": "voucher", "guid": "44444444444444444444444444444444"}"#)
    );
    let empty = Vouchers::default();
    let rows = [
        ("no voucher", &device, GUID.ueid().to_vec(), Some(&empty), Code::UnknownDevice),
        ("vouchers are not kept", &device, GUID.ueid().to_vec(), None, Code::UnknownDevice),
        ("another key", &key(85), GUID.ueid().to_vec(), Some(&vouchers), Code::BadEvidenceSignature),
        ("the owner's key", &us, GUID.ueid().to_vec(), Some(&vouchers), Code::BadEvidenceSignature),
        ("another GUID", &device, [&[1][..], &[0x45; 16]].concat(), Some(&vouchers), Code::UnknownDevice),
        ("another type", &device, [&[2][..], &GUID.0].concat(), Some(&vouchers), Code::UnknownDevice),
        (
            "a longer one",
            &device,
            [&[1][..], &GUID.0, &GUID.0].concat(),
            Some(&vouchers),
            Code::UnknownDevice,
        ),
    ];
    for (what, signer, ueid, vouchers, expected) in rows {
        let beliefs = Beliefs { vouchers, ..beliefs(&nothing) };
        assert_eq!(attesters(signer, &ueid, &beliefs).err(), Some(expected), "{what}");
    }

    // By the operator's word instead, which the result tells apart.
    let keys = [device.public_key().clone()];
    let by_word = Beliefs { keys: &keys, ..beliefs(&nothing) };
    let found = attesters(&device, &GUID.ueid(), &by_word).unwrap();
    assert_eq!(told(&found[0], &by_word).as_deref(), Some(r#"{"by": "operator"}"#));

    assert_eq!(vouchers.device(&GUID), Some(&admitted));
    assert!(vouchers.remove(&GUID) && !vouchers.remove(&GUID));
    let without = Beliefs { vouchers: Some(&vouchers), ..beliefs(&nothing) };
    assert_eq!(attesters(&device, &GUID.ueid(), &without).err(), Some(Code::UnknownDevice));
}
