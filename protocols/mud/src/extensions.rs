//! Extensions of the MUD file that this implementation reads.

use alloc::string::String;
use alloc::vec::Vec;

use crate::model::displayable;

/// Name under which RFC 9472 is declared in `extensions`.
pub(crate) const TRANSPARENCY: &str = "transparency";
/// Name under which RFC 9761 is declared in `extensions`.
pub(crate) const TLS_PROFILE: &str = "ietf-mud-tls";
/// Name under which draft-ietf-iotops-ol is declared in `extensions`.
pub(crate) const OWNERSHIP: &str = "ol";
/// Name under which draft-lear-opsawg-mud-reporter is declared in `extensions`.
pub(crate) const REPORTER: &str = "reporter";
/// Name of NIST's private extension for quarantine.
pub(crate) const QUARANTINE: &str = "nist-mud";
/// Names under which draft-ietf-iotops-mud-rats may be declared; the draft registers none.
pub(crate) const ATTESTATION: [&str; 2] = ["ietf-mud-rats", "mud-rats"];
/// Name of the onboarding hint of BRSKI, which concerns other software.
pub(crate) const MASA: &str = "masa";

/// Where a bill of materials and vulnerability reports are (RFC 9472, module `ietf-mud-transparency`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transparency {
    /// How to get the bill of materials.
    pub sbom: Option<SbomRetrieval>,
    /// `sbom-archive-list`: a list of former ones.
    pub archive_list: Option<String>,
    /// Where vulnerabilities are reported.
    pub vulnerabilities: Option<VulnerabilityRetrieval>,
}

/// The choice `sbom-retrieval-method`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SbomRetrieval {
    /// `sboms`: one URL per version.
    Cloud(Vec<Sbom>),
    /// `sbom-local-well-known`: the device itself, over this scheme. Implies that the manager may connect to the device.
    LocalWellKnown(String),
    /// `sbom-contact-uri`: a person.
    Contact(String),
}

/// A bill of materials of one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sbom {
    /// `version-info`
    pub version_info: String,
    /// `sbom-url`
    pub sbom_url: Option<String>,
}

/// The choice `vuln-retrieval-method`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VulnerabilityRetrieval {
    /// `vuln-url`
    Cloud(Vec<String>),
    /// `vuln-contact-uri`
    Contact(String),
}

/// A place that a file names, as it may be shown. Nothing says that anything is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer {
    /// What is there, by the words of [`Transparency::pointers`] and [`AttestationResources::pointers`].
    pub what: &'static str,
    /// A URL; of `sbom-on-device` the scheme by which the device itself gives it.
    pub at: String,
    /// `version-info`, where it is of one version.
    pub version: Option<String>,
}

impl Pointer {
    fn new(what: &'static str, at: &str) -> Self {
        Self { what, at: displayable(at), version: None }
    }

    fn all(what: &'static str, places: &[String]) -> impl Iterator<Item = Self> {
        places.iter().map(move |at| Self::new(what, at))
    }
}

impl Transparency {
    /// What it names: `sbom`, `sbom-on-device`, `sbom-contact`, `sbom-archive`, `vulnerabilities` and `vulnerability-contact`.
    pub fn pointers(&self) -> Vec<Pointer> {
        let mut pointers = Vec::new();
        match &self.sbom {
            Some(SbomRetrieval::Cloud(sboms)) => {
                let places = sboms.iter().filter_map(|sbom| Some((sbom, sbom.sbom_url.as_deref()?)));
                pointers.extend(places.map(|(sbom, at)| Pointer {
                    version: Some(displayable(&sbom.version_info)),
                    ..Pointer::new("sbom", at)
                }));
            }
            Some(SbomRetrieval::LocalWellKnown(scheme)) => {
                pointers.push(Pointer::new("sbom-on-device", scheme));
            }
            Some(SbomRetrieval::Contact(uri)) => pointers.push(Pointer::new("sbom-contact", uri)),
            None => {}
        }
        pointers.extend(self.archive_list.iter().map(|at| Pointer::new("sbom-archive", at)));
        match &self.vulnerabilities {
            Some(VulnerabilityRetrieval::Cloud(urls)) => {
                pointers.extend(Pointer::all("vulnerabilities", urls));
            }
            Some(VulnerabilityRetrieval::Contact(uri)) => {
                pointers.push(Pointer::new("vulnerability-contact", uri));
            }
            None => {}
        }
        pointers
    }
}

/// Who made the file and under which licence it is (draft-ietf-iotops-ol).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ownership {
    /// `owners`
    pub owners: Vec<String>,
    /// `spdx-tag`
    pub spdx_tag: Option<String>,
}

/// Where what attestation of the device takes is found (draft-ietf-iotops-mud-rats, module `ietf-mud-rats`). What lies
/// there has to be signed by itself: these are places, and no reason to believe anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttestationResources {
    /// `ras/ras-uris`: verifiers that can appraise evidence of the device.
    pub verifiers: Vec<String>,
    /// `rim/rim-uris`: reference values.
    pub reference_values: Vec<String>,
    /// `edt/edt-uris`: endorsements.
    pub endorsements: Vec<String>,
}

impl AttestationResources {
    /// What it names: `verifier`, `reference-values` and `endorsements`.
    pub fn pointers(&self) -> Vec<Pointer> {
        let words = ["verifier", "reference-values", "endorsements"];
        words.into_iter().zip(self.lists()).flat_map(|(what, places)| Pointer::all(what, places)).collect()
    }
}

/// The lists of places, by container and leaf name: one table for reading and writing.
impl AttestationResources {
    pub(crate) const LISTS: [(&str, &str); 3] =
        [("ras", "ras-uris"), ("rim", "rim-uris"), ("edt", "edt-uris")];

    pub(crate) fn lists(&self) -> [&Vec<String>; 3] {
        [&self.verifiers, &self.reference_values, &self.endorsements]
    }

    pub(crate) fn lists_mut(&mut self) -> [&mut Vec<String>; 3] {
        [&mut self.verifiers, &mut self.reference_values, &mut self.endorsements]
    }
}

/// What the handshakes of a device look like (RFC 9761, module `ietf-acl-tls`). An empty list does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsProfile {
    /// `name`
    pub name: String,
    /// `supported-tls-version`
    pub tls_versions: Vec<TlsVersion>,
    /// `supported-dtls-version`
    pub dtls_versions: Vec<TlsVersion>,
    /// `cipher-suite`
    pub cipher_suites: Vec<u16>,
    /// `extension-type`
    pub extension_types: Vec<u16>,
    /// `accept-list-ta-cert`: trust anchors, in base64.
    pub accept_list_ta_certs: Vec<String>,
    /// `psk-key-exchange-mode`
    pub psk_key_exchange_modes: Vec<u8>,
    /// `supported-group`
    pub supported_groups: Vec<u16>,
    /// `signature-algorithm-cert`
    pub signature_algorithms_cert: Vec<u16>,
    /// `signature-algorithm`
    pub signature_algorithms: Vec<u16>,
    /// `application-protocol`
    pub application_protocols: Vec<String>,
    /// `cert-compression-algorithm`
    pub cert_compression_algorithms: Vec<u16>,
    /// `certificate-authorities`
    pub certificate_authorities: Vec<String>,
}

/// A protocol version, within TLS or DTLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// `tls12` or `dtls12`
    V1_2,
    /// `tls13` or `dtls13`
    V1_3,
}

/// The lists of numbers of a profile, by leaf name: one table for reading, writing and comparing.
impl TlsProfile {
    pub(crate) const NUMBER_LISTS: [&str; 6] = [
        "cipher-suite",
        "extension-type",
        "supported-group",
        "signature-algorithm-cert",
        "signature-algorithm",
        "cert-compression-algorithm",
    ];

    /// Names that the example of RFC 9761 gives to nodes of the module, which calls them otherwise.
    pub(crate) const EXAMPLE_NAMES: [(&str, &str); 14] = [
        ("client-profiles", "client-profile"),
        ("tls-dtls-profile", "tls-dtls-profiles"),
        ("supported-tls-version", "supported-tls-versions"),
        ("supported-dtls-version", "supported-dtls-versions"),
        ("cipher-suite", "cipher-suites"),
        ("extension-type", "extension-types"),
        ("accept-list-ta-cert", "accept-list-ta-certs"),
        ("psk-key-exchange-mode", "psk-key-exchange-modes"),
        ("supported-group", "supported-groups"),
        ("signature-algorithm-cert", "signature-algorithms-cert"),
        ("signature-algorithm", "signature-algorithms"),
        ("application-protocol", "application-protocols"),
        ("cert-compression-algorithm", "cert-compression-algorithms"),
        ("certificate-authorities", "certificate-authority"),
    ];

    pub(crate) fn number_lists(&self) -> [&Vec<u16>; 6] {
        [
            &self.cipher_suites,
            &self.extension_types,
            &self.supported_groups,
            &self.signature_algorithms_cert,
            &self.signature_algorithms,
            &self.cert_compression_algorithms,
        ]
    }

    pub(crate) fn number_lists_mut(&mut self) -> [&mut Vec<u16>; 6] {
        [
            &mut self.cipher_suites,
            &mut self.extension_types,
            &mut self.supported_groups,
            &mut self.signature_algorithms_cert,
            &mut self.signature_algorithms,
            &mut self.cert_compression_algorithms,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(pointers: &[Pointer]) -> Vec<(&str, &str, Option<&str>)> {
        pointers.iter().map(|one| (one.what, one.at.as_str(), one.version.as_deref())).collect()
    }

    #[test]
    fn every_place_has_its_word_and_nothing_that_deceives() {
        let sbom = |version: &str, url: Option<&str>| Sbom {
            version_info: version.into(),
            sbom_url: url.map(Into::into),
        };
        let cloud = Transparency {
            sbom: Some(SbomRetrieval::Cloud(vec![sbom("1\u{202e}", Some("https://a/\n1")), sbom("2", None)])),
            archive_list: Some("https://a/all".into()),
            vulnerabilities: Some(VulnerabilityRetrieval::Cloud(vec![
                "https://a/v".into(),
                "https://a/w".into(),
            ])),
        };
        let expected = [
            ("sbom", "https://a/1", Some("1")),
            ("sbom-archive", "https://a/all", None),
            ("vulnerabilities", "https://a/v", None),
            ("vulnerabilities", "https://a/w", None),
        ];
        assert_eq!(told(&cloud.pointers()), expected);
        let people = Transparency {
            sbom: Some(SbomRetrieval::Contact("tel:1".into())),
            archive_list: None,
            vulnerabilities: Some(VulnerabilityRetrieval::Contact("mailto:a@a".into())),
        };
        let expected = [("sbom-contact", "tel:1", None), ("vulnerability-contact", "mailto:a@a", None)];
        assert_eq!(told(&people.pointers()), expected);
        let device = Transparency {
            sbom: Some(SbomRetrieval::LocalWellKnown("https".into())),
            ..Transparency::default()
        };
        assert_eq!(told(&device.pointers()), [("sbom-on-device", "https", None)]);
        assert_eq!(Transparency::default().pointers(), []);
        let places = AttestationResources {
            verifiers: vec!["https://v".into()],
            reference_values: vec!["https://r".into()],
            endorsements: vec!["https://e".into()],
        };
        let expected = [
            ("verifier", "https://v", None),
            ("reference-values", "https://r", None),
            ("endorsements", "https://e", None),
        ];
        assert_eq!(told(&places.pointers()), expected);
    }
}
