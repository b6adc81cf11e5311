use cose::Sign1;
use coswid::Tag;
use eat::{Evidence, Nonce};

use super::*;
use crate::{ADMISSION_CONTEXT, AttestError, AttestationKey, NotSigned};

fn nonce() -> Nonce {
    Nonce::new(&[7; 32]).unwrap()
}

/// Name, size and digest of each file that the evidence lists.
fn measured(claims: &eat::EvidenceClaims) -> Vec<(String, Option<u64>, Option<Digest>)> {
    let tag = Tag::decode(&claims.measurement).unwrap();
    assert!(tag.evidence().is_some());
    tag.measured_files().iter().map(|file| (file.path(), file.size, file.digest)).collect()
}

fn claims(device: &Device<Simulator>) -> eat::EvidenceClaims {
    let evidence = device.evidence(&nonce()).unwrap();
    let key = key(9);
    Evidence::decode(&evidence).unwrap().verify(key.public_key(), &nonce()).unwrap().into_claims()
}

#[test]
fn evidence_names_the_device_its_release_and_every_image() {
    let device = running(4);
    let claims = claims(&device);
    assert_eq!(claims.ueid, identity().ueid);
    assert_eq!((claims.vendor, claims.class), (*vendor().as_bytes(), *class().as_bytes()));
    assert_eq!(claims.bootcount, 2);
    let manifest = claims.manifest.unwrap();
    assert_eq!((manifest.digest, manifest.sequence_number), (manifest_digest(&release(4)), 4));
    let expected = ["app", "config"].map(|name| {
        let image = image(name, 4);
        (name.to_string(), Some(image.len() as u64), Some(digest(&image)))
    });
    assert_eq!(measured(&claims), expected);
    let status = claims.status.unwrap();
    assert_eq!(status.authorities, Some(credentials().authorities.digest(HashAlgorithm::Sha256)));
    assert_eq!(status.authorities_version, Some(1));
    assert!(!status.trial);
}

#[test]
fn evidence_shows_what_lies_there_and_not_what_was_installed() {
    let mut device = running(4);
    damage(device.storage_mut(), Area::Image(Slot::B, 0));
    let claims = claims(&device);
    let (name, size, found) = measured(&claims).remove(0);
    assert_eq!((name.as_str(), size), ("app", Some(20_000)));
    assert_ne!(found, Some(digest(&image("app", 4))));
}

#[test]
fn evidence_between_installation_and_boot_is_of_what_still_runs() {
    let mut device = running(4);
    device.install(&release(5), None, None).unwrap();
    assert_eq!(claims(&device).manifest.map(|manifest| manifest.sequence_number), Some(4));
    device.boot(None).unwrap();
    let claims = claims(&device);
    assert_eq!(claims.manifest.map(|manifest| manifest.sequence_number), Some(5));
    assert!(claims.status.unwrap().trial);
}

#[test]
fn a_device_in_recovery_attests_without_a_release_and_tells_its_refusal() {
    let mut device = device();
    device.boot(None).unwrap();
    device.install(&Envelope::decode(&release(1)).unwrap().strip_payloads(), None, None).unwrap_err();
    let claims = claims(&device);
    assert_eq!(claims.manifest, None);
    assert!(measured(&claims).is_empty());
    let refusal = claims.status.unwrap().last_refusal.unwrap();
    assert_eq!(refusal.code, "payload-missing");
    assert_eq!(refusal.manifest, manifest_digest(&release(1)).as_bytes());
}

#[test]
fn the_admission_message_is_bound_to_its_purpose_and_the_gateways_nonce() {
    let device = running(1);
    let message = device.admission(b"gateway nonce", b"result").unwrap();
    let sign1 = Sign1::decode(&message).unwrap();
    let key = key(9);
    sign1.verify(key.public_key(), None, ADMISSION_CONTEXT).unwrap();
    assert!(sign1.verify(key.public_key(), None, b"").is_err());
    let mut reader = cbor::Reader::new(sign1.payload().unwrap());
    let mut map = reader.map().unwrap();
    let mut found = Vec::new();
    while let Some(label) = map.next_int(&mut reader).unwrap() {
        found.push((label, reader.bytes().unwrap().to_vec()));
    }
    let ueid = identity().ueid.as_bytes().to_vec();
    assert_eq!(found, [(1, b"gateway nonce".to_vec()), (2, ueid), (3, b"result".to_vec())]);
}

/// A key in hardware that is gone.
#[derive(Debug)]
struct Gone;

impl AttestationKey for Gone {
    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::Es256
    }

    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, NotSigned> {
        Err(NotSigned { code: "gone" })
    }
}

#[test]
fn a_device_whose_key_does_not_sign_proves_and_reports_nothing_and_installs_as_before() {
    let credentials = Credentials { key: Box::new(Gone), ..credentials() };
    let mut device = Device::power_up(Simulator::new(), credentials, &[1; 16]).unwrap();
    device.boot(None).unwrap();
    assert_eq!(device.report(), Ok(None));
    device.install(&release(1), None, None).unwrap();
    device.boot(None).unwrap();
    assert!(device.running().is_some());
    let gone = NotSigned { code: "gone" };
    assert_eq!(device.evidence(&nonce()), Err(AttestError::Key(gone)));
    assert_eq!(device.admission(b"nonce", b"result"), Err(gone));
    assert_eq!((device.report(), device.capability_report()), (Err(gone), Err(gone)));
}
