//! Inputs to begin with: files of the test vectors, and objects of the fixture for what has no vectors.

use std::path::{Path, PathBuf};

use crypto::{Digest, HashAlgorithm};
use device_core::BootState;
use eat::{MeasuredComponent, Measurement};
use mud::{Direction, Family, Protocol, Remote};
use trust::{
    Bundle, BundledEvidence, BundledRelease, Effect, Flow, Override, Policy, References, Scope, Standing,
};

use crate::decoders::Decoder;
use crate::fixture::{APPLICATION, Cast, MUD_FILE, NOW, key};

/// All inputs for a decoder, with names.
pub(crate) fn seeds(decoder: &Decoder) -> Vec<(String, Vec<u8>)> {
    let mut seeds = own(decoder.name);
    for folder in decoder.folders {
        let (area, rest) = folder.split_once('/').unwrap_or((folder, ""));
        let Some(folder) = testkit::vectors(area) else { continue };
        for path in files(&folder.join(rest)) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if let Some(bytes) = content(&path) {
                seeds.push((format!("{}-{name}", rest.replace('/', "-")), bytes));
            }
        }
    }
    seeds
}

/// Objects of the fixture; at least one for every decoder.
fn own(decoder: &str) -> Vec<(String, Vec<u8>)> {
    let cast = Cast::new();
    let made: Vec<Vec<u8>> = match decoder {
        "cbor" => vec![cast.envelope(1, APPLICATION), cast.evidence(APPLICATION), boot_state()],
        "crypto_keys" => vec![cast.author.public_key().to_spki_der(), cast.author.to_pkcs8_der().to_vec()],
        "cose_sign1" => vec![signed_override()],
        "cose_sign" => {
            let operator = key(2);
            let signer = |key, kid| cose::Signer { key, kid: Some(kid) };
            let signers = [signer(&cast.author, b"author".as_slice()), signer(&operator, b"operator")];
            vec![cose::SignBuilder::new().sign(&signers, b"payload")]
        }
        "cose_mac0" => {
            let key = cose::MacKey::new(HashAlgorithm::Sha256, &[5; 32]).expect("long enough");
            vec![cose::Mac0Builder::new().kid(b"shared").authenticate(&key, b"payload")]
        }
        "cose_key" => vec![cose::Key::from_public(cast.author.public_key()).with_kid(b"author").encode()],
        "x509_certificate" => vec![cast.issuer.as_der().to_vec(), cast.certificate.as_der().to_vec()],
        "x509_cms" => vec![cast.mud_signature()],
        "suit_envelope" => vec![cast.envelope(1, APPLICATION)],
        "suit_authorities" => vec![cast.authorities().to_bytes()],
        "coswid_tag" | "coswid_received" => {
            let envelope = cast.envelope(1, APPLICATION);
            let verified = suit::VerifiedManifest::verify(envelope, &cast.authorities()).expect("our own");
            let sbom = verified.open().coswid().unwrap_or_default().to_vec();
            let signed = coswid::sign(&coswid::Tag::decode(&sbom).expect("our own"), &cast.author, b"author");
            vec![sbom, cast.measurement(APPLICATION), signed]
        }
        "eat_evidence" | "eat_token" => vec![cast.evidence(APPLICATION)],
        "eat_component" => vec![component().encode()],
        "ear_cwt" => vec![result(&cast)],
        "ear_jwt" => {
            let result = result(&cast);
            let signed = eat::SignedResult::decode_cwt(&result).expect("our own");
            vec![signed.unverified().sign_jwt(&cast.verifier, b"verifier").expect("a result").into_bytes()]
        }
        "mud" => vec![MUD_FILE.to_vec()],
        "trust_override" => vec![signed_override(), an_override().encode()],
        "trust_policy" => vec![Policy::default().encode()],
        "trust_bundle" => vec![bundle(&cast)],
        "device_state" => {
            let mut record = boot_state();
            // The decoder's reader adds the checksum itself.
            record.truncate(record.len() - HashAlgorithm::Sha256.len());
            vec![record]
        }
        "gateway_flow" => PACKETS.iter().map(|packet| testkit::hex(packet)).collect(),
        other => panic!("{other} has no input of its own"),
    };
    made.into_iter().enumerate().map(|(index, bytes)| (format!("own-{index}"), bytes)).collect()
}

fn result(cast: &Cast) -> Vec<u8> {
    let release = cast.release(1, APPLICATION);
    let references = References { releases: &[&release], denied: &[], tampered: None };
    cast.attest(&cast.evidence(APPLICATION), &references, &Policy::default())
}

fn bundle(cast: &Cast) -> Vec<u8> {
    let release = cast.release(1, APPLICATION);
    let bundle = Bundle {
        device: vec![1; 17],
        decision: vec![0xa0],
        policy: Policy::default().encode(),
        now: NOW,
        result: Some(result(cast)),
        evidence: Some(BundledEvidence {
            evidence: cast.evidence(APPLICATION),
            nonce: cast.nonce().as_bytes().to_vec(),
            key: cose::Key::from_public(cast.device.public_key()).encode(),
        }),
        releases: vec![BundledRelease {
            envelope: release.without_images(),
            accepted_at: NOW,
            standing: Standing::Current,
        }],
        overrides: vec![signed_override()],
        ..Bundle::default()
    };
    bundle.encode()
}

fn component() -> MeasuredComponent {
    let digest = Digest::of(HashAlgorithm::Sha256, APPLICATION);
    let measurement = Measurement::Digest(digest);
    MeasuredComponent { name: "app".into(), version: None, measurement, authorities: vec![], flags: None }
}

fn an_override() -> Override {
    Override {
        id: [6; 16],
        scope: Scope::Device(vec![1; 17]),
        effect: Effect::Deny(Flow {
            direction: Direction::FromDevice,
            family: Family::V4,
            protocol: Protocol::Tcp,
            remote: Remote::Name("api.northlight.example".into()),
            ports: Some((443, 443)),
        }),
        author: "network operator".into(),
        reason: "maintenance".into(),
        not_before: NOW,
        expires: NOW + 3600,
    }
}

fn signed_override() -> Vec<u8> {
    an_override().sign(&key(2))
}

fn boot_state() -> Vec<u8> {
    BootState::default().encode()
}

/// Files below a folder, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut paths: Vec<_> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    paths.retain(|path| path.is_file());
    paths.sort();
    paths
}

/// The bytes of a vector; descriptions and notes are none.
fn content(path: &Path) -> Option<Vec<u8>> {
    let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("hex") => Some(testkit::hex(&String::from_utf8(bytes).expect("hexadecimal text"))),
        Some("diag" | "txt" | "md" | "tsv") => None,
        _ => Some(bytes),
    }
}

/// UDP over IPv4, TCP over IPv6, and ICMPv6 behind a hop-by-hop header.
const PACKETS: [&str; 3] = [
    "45000020000040004011 0000 0a4d000b cb00710a 9c40 01bb 000c 0000 70726f62",
    "60000000 0014 06 40 20010db8007700000000000000000011 20010db800aa00000000000000000010
     9c40 01bb 00000000 00000000 5002 ffff 0000 0000",
    "60000000 0010 00 40 20010db8007700000000000000000011 20010db800aa00000000000000000010
     3a00 050200000000 8000 0000 0001 0001",
];
