//! Tokens, bundles, wrappers and TPM structures of devices that are not the fixture's own.

use cbor::Writer;
use crypto::{Digest, HashAlgorithm};

use crate::fixture::key;

/// Claims with submodules.
pub(super) fn attested(submods: &[(&str, eat::Submodule)]) -> eat::Claims {
    eat::Claims {
        nonces: vec![eat::Nonce::new(&[1; 32]).expect("a nonce")],
        ueid: eat::Ueid::new(&[1; 17]),
        oemid: Some(eat::OemId::Pen(64242)),
        oemboot: Some(true),
        swname: Some("os".into()),
        measurements: vec![eat::Content::bytes(258, [0xa0])],
        submods: submods.iter().map(|(name, submodule)| ((*name).into(), submodule.clone())).collect(),
        ..eat::Claims::default()
    }
}

/// A bundle in each form.
pub(super) fn bundles() -> Vec<Vec<u8>> {
    let set = attested(&[]);
    let text = set.encode_json().expect("has a form");
    let detached = |bytes: &[u8]| eat::Submodule::Detached(Digest::of(HashAlgorithm::Sha256, bytes));
    let main = attested(&[("set", detached(&set.encode()))]).sign_cwt(&key(3), b"device").expect("a token");
    let sets = [("set".to_owned(), set)].into();
    let outer =
        attested(&[("set", detached(text.as_bytes()))]).sign_jwt(&key(3), b"device").expect("a token");
    let json = format!(r#"[["JWT","{outer}"],{{"set":"e30"}}]"#);
    vec![eat::Bundle::new(eat::NestedToken::Cbor(main), &sets).encode(), json.into_bytes()]
}

fn psa_component() -> eat::SoftwareComponent {
    eat::SoftwareComponent {
        measurement_type: Some("PRoT".into()),
        measurement: vec![3; 32],
        version: Some("1.2".into()),
        signer_id: vec![4; 32],
        description: Some("sha-256".into()),
    }
}

/// The claims of each profile, signed and alone.
pub(super) fn psa_tokens() -> Vec<Vec<u8>> {
    let made = eat::PsaProfile::ALL.into_iter().flat_map(|profile| {
        let claims = eat::PsaClaims {
            profile,
            nonce: eat::Nonce::new(&[1; 32]).expect("a nonce"),
            instance_id: eat::Ueid::new(&[[1].as_slice(), &[2; 32]].concat()).expect("an instance"),
            boot_seed: Some(vec![5; 32]),
            client_id: 1,
            lifecycle: eat::Lifecycle::new(0x3000).expect("secured"),
            implementation_id: [6; 32],
            certification_reference: Some("1234567890123-12345".into()),
            components: vec![psa_component()],
            verification_service: Some("https://verifier.example".into()),
        };
        [cose::Sign1Builder::new().sign(&key(3), &claims.encode()), claims.encode()]
    });
    made.collect()
}

pub(super) fn cca_token() -> Vec<u8> {
    let realm_key =
        crypto::SigningKey::from_bytes(crypto::SignatureAlgorithm::Es384, &[5; 48]).expect("a scalar");
    let public = cose::Key::from_public(realm_key.public_key()).encode();
    let bound = Digest::of(HashAlgorithm::Sha256, &public);
    let platform = Writer::encode(|w| {
        w.map(8).int(10).bytes(bound.as_bytes()).int(256).bytes(&[1; 33]);
        w.int(265).text(eat::CcaProfile::Platform1.name()).int(2395).uint(0x3000).int(2396).bytes(&[6; 32]);
        w.int(2399).array(1).map(2).int(2).bytes(&[3; 32]).int(5).bytes(&[4; 32]);
        w.int(2401).bytes(&[1, 2]).int(2402).text("sha-256");
    });
    let realm = Writer::encode(|w| {
        w.map(8).int(10).bytes(&[7; 64]).int(265).text("tag:arm.com,2023:realm#1.0.0");
        w.int(44235).bytes(&[8; 64]).int(44236).text("sha-256").int(44237).bytes(&public);
        w.int(44238).bytes(&[9; 32]).int(44239).array(4);
        (0..4).for_each(|_| _ = w.bytes(&[1; 32]));
        w.int(44240).text("sha-256");
    });
    let platform = cose::Sign1Builder::new().sign(&key(3), &platform);
    let realm = cose::Sign1Builder::new().sign(&realm_key, &realm);
    Writer::encode(|w| _ = w.tag(399).map(2).int(44234).bytes(&platform).int(44241).bytes(&realm))
}

/// A record, a tag, a collection in both forms, and a signed one.
pub(super) fn wrappers() -> Vec<Vec<u8>> {
    use eat::{Cmw, CmwCollection, CmwIndicator, CmwKey, CmwRecord, CmwType};
    let record = CmwRecord::new("application/eat+cwt", [1, 2]).expect("a media type");
    let record = record.with_indicator(CmwIndicator::EVIDENCE);
    let tagged =
        CmwRecord { kind: CmwType::ContentFormat(263), indicator: None, tagged: true, ..record.clone() };
    let collection = Cmw::from(CmwCollection {
        kind: Some("tag:example.com,2026:both".into()),
        entries: [
            (CmwKey::Text("a".into()), record.clone().into()),
            (CmwKey::Text("b".into()), record.clone().into()),
        ]
        .into(),
    });
    vec![
        Cmw::from(record).encode(),
        Cmw::from(tagged).encode(),
        collection.encode(),
        collection.encode_json().expect("has a form").into_bytes(),
        collection.sign(&key(3), b"device").expect("short"),
    ]
}

/// The types of what a TPM attests.
const TPM_CERTIFIED: u16 = 0x8017;
pub(super) const TPM_QUOTED: u16 = 0x8018;

/// TPM2B.
fn sized(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).expect("short").to_be_bytes(), bytes].concat()
}

/// What a TPM signs, and its signature.
pub(super) fn tpm_parts(kind: u16) -> (Vec<u8>, Vec<u8>) {
    let head = [&0xff54_4347_u32.to_be_bytes()[..], &kind.to_be_bytes(), &sized(&[9; 34]), &sized(&[1; 32])]
        .concat();
    // Clock, counters, and the version of the firmware.
    let clock = [[0; 16].as_slice(), &[1], &[0; 8]].concat();
    let attested = if kind == TPM_CERTIFIED {
        [sized(&[1; 34]), sized(&[2; 34])].concat()
    } else {
        [[0, 0, 0, 1, 0x00, 0x0b, 3, 0x81, 0, 0].as_slice(), &sized(&[3; 32])].concat()
    };
    let attest = [head, clock, attested].concat();
    let signed = key(3).sign(&attest);
    let (r, s) = signed.split_at(32);
    (attest, [[0x00, 0x18, 0x00, 0x0b].as_slice(), &sized(r), &sized(s)].concat())
}

/// TPMT_PUBLIC of an attestation key.
pub(super) fn tpm_key() -> Vec<u8> {
    let key = key(3);
    let (x, y) = key.public_key().ec2_coordinates().expect("a point");
    let head =
        [0x00, 0x23, 0x00, 0x0b, 0x00, 0x05, 0x00, 0x72, 0x00, 0x00, 0x00, 0x10, 0x00, 0x18, 0x00, 0x0b];
    [head.as_slice(), &[0x00, 0x03, 0x00, 0x10], &sized(x), &sized(y)].concat()
}

pub(super) fn parsec() -> Vec<u8> {
    let ((certified, by), (quoted, signature)) = (tpm_parts(TPM_CERTIFIED), tpm_parts(TPM_QUOTED));
    Writer::encode(|w| {
        w.map(2)
            .text("kat")
            .map(5)
            .text("tpmVer")
            .text("2.0")
            .text("kid")
            .bytes(b"ak")
            .text("sig")
            .bytes(&by);
        w.text("pubArea").bytes(&tpm_key()).text("certInfo").bytes(&certified);
        w.text("pat")
            .map(4)
            .text("tpmVer")
            .text("2.0")
            .text("kid")
            .bytes(b"ak")
            .text("sig")
            .bytes(&signature);
        w.text("attestInfo").bytes(&quoted);
    })
}
