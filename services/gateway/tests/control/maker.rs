//! A maker of devices without attestation: its authority, its signers, and files for a URL.

use crypto::{Digest, HashAlgorithm};
use gateway::manager::{AnnouncedRules, Brought, Fault, FaultKind, Fetched, Source, Sources};
use gateway::{Announced, Heard, Mac, News};
use mud::{MudUrl, SiteMode};
use trust::{Effect, Override, Scope};
use x509::{Certificate, CertificateBuilder, KeyUsage, Name, Validity, cms};

use crate::site::{NOW, key, order};

pub(crate) const MAKER_CA: u8 = 40;
pub(crate) const OTHER_CA: u8 = 41;
pub(crate) const SIGNER: u8 = 42;
pub(crate) const URL: &str = "https://things.example/plug/v1.json";

pub(crate) fn url(text: &str) -> MudUrl {
    MudUrl::parse(text).unwrap_or_else(|| panic!("{text}"))
}

/// An authority of MUD signers.
pub(crate) fn authority(seed: u8, now: i64) -> Certificate {
    let name: Name = format!("CN=Authority {seed}").parse().unwrap();
    let validity = Validity { not_before: now - 10_000, not_after: now + 1_000_000 };
    let builder = CertificateBuilder::new(name, key(seed).public_key(), &[seed], validity).authority(None);
    builder.self_signed(&key(seed)).unwrap()
}

/// A signature by the maker's signer, whom this authority certified.
pub(crate) fn signed_by(file: &str, authority_seed: u8, subject: &str, now: i64) -> Vec<u8> {
    signed_bytes(file.as_bytes(), authority_seed, subject, now)
}

pub(crate) fn signed_bytes(file: &[u8], authority_seed: u8, subject: &str, now: i64) -> Vec<u8> {
    let validity = Validity { not_before: now - 1000, not_after: now + 1000 };
    let name: Name = subject.parse().unwrap();
    let builder = CertificateBuilder::new(name, key(SIGNER).public_key(), &[authority_seed, 1], validity);
    let builder = builder.key_usage(Some(KeyUsage::DIGITAL_SIGNATURE));
    let issuer = authority(authority_seed, now);
    let certificate = builder.issued_by(&issuer, &key(authority_seed)).unwrap();
    cms::sign_detached(file, &key(SIGNER), &certificate, &[], now).unwrap()
}

pub(crate) fn signed(file: &str) -> Vec<u8> {
    signed_by(file, MAKER_CA, "CN=Maker", NOW)
}

/// A file that permits TCP from the device to these addresses and ports.
pub(crate) fn file(at: &str, updated: &str, flows: &[(&str, u16)]) -> String {
    let entry = |(index, (address, port)): (usize, &(&str, u16))| {
        format!(
            r#"{{"name":"e{index}","matches":{{"ipv4":{{"protocol":6,"destination-ipv4-network":"{address}/32"}},
            "tcp":{{"destination-port":{{"operator":"eq","port":{port}}},"ietf-mud:direction-initiated":"from-device"}}}},
            "actions":{{"forwarding":"accept"}}}}"#
        )
    };
    let entries: Vec<String> = flows.iter().enumerate().map(entry).collect();
    let entries = entries.join(",");
    format!(
        r#"{{"ietf-mud:mud":{{"mud-version":1,"mud-url":"{at}","last-update":"{updated}",
        "mud-signature":"{at}.p7s","cache-validity":24,"is-supported":true,"systeminfo":"a plug",
        "extensions":["transparency"],"ietf-mud-transparency:transparency":{{"sboms":[{{"version-info":"1.0",
        "sbom-url":"https://things.example/sbom"}}],"vuln-url":["https://things.example/vuln"]}},
        "from-device-policy":{{"access-lists":{{"access-list":[{{"name":"fr"}}]}}}}}},
        "ietf-access-control-list:acls":{{"acl":[{{"name":"fr","type":"ipv4-acl-type","aces":{{"ace":[{entries}]}}}}]}}}}"#
    )
}

pub(crate) fn digest(file: &str) -> Digest {
    Digest::of(HashAlgorithm::Sha256, file.as_bytes())
}

/// A site that believes the maker's authority, and lets devices have what their files permit.
pub(crate) fn sources() -> Sources {
    let announced = AnnouncedRules {
        mode: SiteMode::Hold,
        anchors: vec![authority(MAKER_CA, NOW)],
        accept: [Announced::Dhcpv4, Announced::Dhcpv6, Announced::Lldp].into(),
        weak_access: mud::WeakAccess::AsFile,
        addresses: mud::Addresses::Allow,
        ..AnnouncedRules::default()
    };
    Sources { announced, ..Sources::default() }
}

pub(crate) fn announces(mac: Mac, at: &str) -> Heard {
    Heard { mac, news: News::Announces { url: url(at), by: Announced::Dhcpv4 } }
}

pub(crate) fn uses(mac: Mac, address: std::net::IpAddr, until: i64) -> Heard {
    Heard { mac, news: News::Uses { address, until } }
}

pub(crate) fn came(file: &str, signature: Option<Vec<u8>>) -> Result<Brought, Fault> {
    Ok(Brought::File(Fetched { file: file.as_bytes().to_vec(), signature, etag: None, max_age: None }))
}

pub(crate) fn failed(kind: FaultKind) -> Result<Brought, Fault> {
    Err(Fault { kind, detail: String::new() })
}

pub(crate) fn bring(
    state: &mut gateway::control::State,
    at: &str,
    outcome: Result<Brought, Fault>,
    now: i64,
) {
    state.bring(&url(at), &Source::Announced, outcome, 0, now);
}

/// The operator's approval of a file of a URL.
pub(crate) fn approval(number: u8, scope: Scope, at: &str, file: &str) -> Override {
    Override { scope, ..order(number, Effect::ApproveFile { url: at.to_owned(), file: digest(file) }) }
}
