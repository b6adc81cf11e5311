//! What the extensions of a file say, in the forms that authors and tools write.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::{GOOD, changed, findings, matches_of};
use crate::compile::compile;
use crate::decode::{Context, parse};
use crate::error::{Error, SchemaFault};
use crate::extensions::{
    AttestationResources, Sbom, SbomRetrieval, TlsVersion, Transparency, VulnerabilityRetrieval,
};
use crate::finding::Severity;
use crate::model::{AceBody, MudFile};

/// `GOOD` with nodes in its `mud` container, and names in `extensions`.
fn extended(names: &str, nodes: &str) -> String {
    changed("[],\n", &format!("[{names}],{nodes},\n"))
}

fn read(json: &str) -> MudFile {
    let file = parse(json.as_bytes(), &Context::default()).unwrap_or_else(|e| panic!("{e}\n{json}")).file;
    let written = file.encode();
    let again = parse(written.as_bytes(), &Context::default()).unwrap_or_else(|e| panic!("{e}\n{written}"));
    assert_eq!(again.file, file, "{written}");
    file
}

fn text(text: &str) -> Option<String> {
    Some(text.to_string())
}

/// RFC 9472: each way to name a bill of materials and vulnerabilities, under the name of the module and under its prefix.
#[test]
fn reads_every_way_to_name_a_bill_of_materials() {
    let cloud = |url: Option<&str>| {
        SbomRetrieval::Cloud(vec![Sbom { version_info: "1.0".into(), sbom_url: url.and_then(text) }])
    };
    let sbom = |sbom| Transparency { sbom: Some(sbom), ..Transparency::default() };
    let vulnerabilities = |v| Transparency { vulnerabilities: Some(v), ..Transparency::default() };
    for (nodes, expected) in [
        (
            r#""sboms":[{"version-info":"1.0","sbom-url":"https://m.example/s"}]"#,
            sbom(cloud(Some("https://m.example/s"))),
        ),
        (r#""sboms":[{"version-info":"1.0"}]"#, sbom(cloud(None))),
        (r#""sbom-local-well-known":"https""#, sbom(SbomRetrieval::LocalWellKnown("https".into()))),
        (r#""sbom-local-well-known":"http""#, sbom(SbomRetrieval::LocalWellKnown("http".into()))),
        (
            r#""sbom-local-well-known":"ietf-mud-transparency:coaps""#,
            sbom(SbomRetrieval::LocalWellKnown("coaps".into())),
        ),
        (r#""sbom-local-well-known":"mudtx:coap""#, sbom(SbomRetrieval::LocalWellKnown("coap".into()))),
        (
            r#""sbom-contact-uri":"mailto:sbom@m.example""#,
            sbom(SbomRetrieval::Contact("mailto:sbom@m.example".into())),
        ),
        (
            r#""sbom-contact-uri":"tel:+1-201-555-0100""#,
            sbom(SbomRetrieval::Contact("tel:+1-201-555-0100".into())),
        ),
        (
            r#""sbom-archive-list":"https://m.example/all""#,
            Transparency { archive_list: text("https://m.example/all"), ..Transparency::default() },
        ),
        (
            r#""vuln-url":["https://m.example/v","coap://m.example/w"]"#,
            vulnerabilities(VulnerabilityRetrieval::Cloud(vec![
                "https://m.example/v".into(),
                "coap://m.example/w".into(),
            ])),
        ),
        (
            r#""vuln-contact-uri":"https://m.example/report""#,
            vulnerabilities(VulnerabilityRetrieval::Contact("https://m.example/report".into())),
        ),
    ] {
        for (module, code) in [("ietf-mud-transparency", None), ("mudtx", Some("member-name-prefix"))] {
            let json = extended("\"transparency\"", &format!("\"{module}:transparency\":{{{nodes}}}"));
            assert_eq!(read(&json).transparency.as_ref(), Some(&expected), "{nodes}");
            let found: Vec<_> = findings(&json, &Context::default()).into_iter().map(|f| f.0).collect();
            assert_eq!(found, Vec::from_iter(code), "{nodes}");
        }
    }
}

/// Whoever serves the bill of materials on the device has to be let ask for it, and nobody else.
#[test]
fn a_local_bill_of_materials_lets_the_management_ask() {
    for (scheme, service) in [
        ("https", "tcp from controller urn:sextant:mgmt, device port 443"),
        ("http", "tcp from controller urn:sextant:mgmt, device port 80"),
        ("coaps", "udp from controller urn:sextant:mgmt, device port 5684"),
        ("coap", "udp from controller urn:sextant:mgmt, device port 5683"),
    ] {
        let node = format!("\"mudtx:transparency\":{{\"sbom-local-well-known\":\"{scheme}\"}}");
        let policy = compile(&read(&extended("\"transparency\"", &node))).policy;
        let implied: Vec<_> = policy
            .entries
            .iter()
            .filter(|entry| entry.default && entry.ace.ace == "sbom")
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            implied,
            [format!("to-device ipv4 {service}: accept"), format!("to-device ipv6 {service}: accept")]
        );
    }
    let elsewhere = r#""mudtx:transparency":{"sbom-contact-uri":"https://m.example/"}"#;
    let policy = compile(&read(&extended("\"transparency\"", elsewhere))).policy;
    assert!(policy.entries.iter().all(|entry| entry.ace.ace != "sbom"));
}

const PROFILE: &str = r#""ietf-acl-tls:client-profiles":{"tls-dtls-profile":[{"name":"p",
"supported-tls-version":["tls12","iana-tls-profile:tls13"],"supported-dtls-version":["dtls12","dtls13"],
"cipher-suite":[4865,4866],"extension-type":[10,11,13,16,24],"supported-group":[29],"signature-algorithm":[1027],
"signature-algorithm-cert":[1027,2052],"psk-key-exchange-mode":[1],"application-protocol":["h2","mqtt"],
"cert-compression-algorithm":[2],"accept-list-ta-cert":["AQID"],"certificate-authorities":["CN=Maker"]}]},"tcp":{"#;

fn with_profile(profile: &str) -> String {
    changed("\"tcp\":{", profile).replace("[],\n", "[\"ietf-mud-tls\"],\n")
}

#[test]
fn reads_every_list_of_a_tls_profile() {
    let json = with_profile(PROFILE);
    assert_eq!(findings(&json, &Context::default()), []);
    let [profile] = &*matches_of(&json).tls else { panic!("one profile") };
    assert_eq!(profile.tls_versions, [TlsVersion::V1_2, TlsVersion::V1_3]);
    assert_eq!(profile.dtls_versions, [TlsVersion::V1_2, TlsVersion::V1_3]);
    assert_eq!(profile.cipher_suites, [4865, 4866]);
    assert_eq!(profile.extension_types, [10, 11, 13, 16, 24]);
    assert_eq!((&*profile.supported_groups, &*profile.signature_algorithms), (&[29][..], &[1027][..]));
    assert_eq!(profile.signature_algorithms_cert, [1027, 2052]);
    assert_eq!(
        (&*profile.psk_key_exchange_modes, &*profile.cert_compression_algorithms),
        (&[1][..], &[2][..])
    );
    assert_eq!(profile.application_protocols, ["h2", "mqtt"]);
    assert_eq!(
        (&*profile.accept_list_ta_certs[0], &*profile.certificate_authorities[0]),
        ("AQID", "CN=Maker")
    );
    read(&json);
}

/// The example of RFC 9761 calls nodes otherwise than its module, and its boolean is a text.
#[test]
fn reads_a_profile_as_the_example_of_the_rfc_spells_it() {
    let example = r#""ietf-acl-tls:client-profile":{"tls-dtls-profiles":[{"name":"profile1",
        "supported-tls-versions":["tls13"],"cipher-suite":[4865,4866],"extension-types":[10,11,13,16,24],
        "supported-groups":[29]}]},"tcp":{"#;
    let json = changed("\"tcp\":{", example)
        .replace("[],\n", "[\"ietf-mud-tls\"],\"ietf-mud-tls:is-tls-dtls-profile-supported\":\"true\",\n");
    let found = findings(&json, &Context::default());
    let codes: Vec<_> = found.iter().map(|f| f.0).collect();
    let name = "tls-node-name";
    assert_eq!(codes, ["text-boolean", name, name, name, name, name]);
    assert!(found.iter().all(|f| f.1 == Severity::Warning));
    let [profile] = &*matches_of(&json).tls else { panic!("one profile") };
    assert_eq!((&*profile.name, &*profile.tls_versions), ("profile1", &[TlsVersion::V1_3][..]));
    assert_eq!((profile.extension_types.len(), &*profile.supported_groups), (5, &[29][..]));
    assert_eq!(read(&json).tls_profile_supported, Some(true));
    assert!(read(&json).encode().contains("\"supported-tls-version\""), "written as the module says");
}

#[test]
fn refuses_profiles_that_break_their_module() {
    for (from, to, fault) in [
        ("\"tls12\"", "\"tls11\"", SchemaFault::Expected("a protocol version")),
        ("\"dtls12\"", "\"tls12\"", SchemaFault::Expected("a protocol version")),
        ("[4865,", "[65536,", SchemaFault::OutOfRange { min: 0, max: 65535 }),
        ("mode\":[1]", "mode\":[256]", SchemaFault::OutOfRange { min: 0, max: 255 }),
        ("\"AQID\"", "\"AQI\"", SchemaFault::Expected("base64")),
        ("\"name\":\"p\"", "\"name\":\"\"", SchemaFault::Length { min: 1, max: 64 }),
        ("\"name\":\"p\",", "", SchemaFault::Missing("name")),
        ("\"h2\"", "\"\"", SchemaFault::Length { min: 1, max: 255 }),
        (
            "\"cipher-suite\"",
            "\"cipher-suites\":[1],\"cipher-suite\"",
            SchemaFault::DuplicateMember("cipher-suite"),
        ),
        ("[{\"name\":\"p\"", "[{\"name\":\"p\"},{\"name\":\"p\"", SchemaFault::DuplicateKey("p".into())),
    ] {
        assert_eq!(PROFILE.matches(from).count(), 1, "{from}");
        let json = with_profile(&PROFILE.replace(from, to));
        let error = parse(json.as_bytes(), &Context::default()).expect_err(to);
        assert!(matches!(&error, Error::Schema { fault: found, .. } if *found == fault), "{to}: {error}");
    }
    // A node that is not known could restrict further: the entry goes, not the node.
    let json = with_profile(&PROFILE.replace("\"cipher-suite\"", "\"x\":1,\"cipher-suite\""));
    let parsed = parse(json.as_bytes(), &Context::default()).expect("a file");
    assert!(matches!(parsed.file.acls[0].aces[0].body, AceBody::Refused { code: "unknown-match", .. }));
}

#[test]
fn reads_places_for_attestation() {
    let nodes = r#""ietf-mud-rats:ras":{"ras-uris":["https://v.example/challenge-response"]},
        "ietf-mud-rats:rim":{"rim-uris":["https://m.example/1.corim","coaps://m.example/2"]},
        "ietf-mud-rats:edt":{"edt-uris":["https://m.example/ek.pem"]}"#;
    let expected = AttestationResources {
        verifiers: vec!["https://v.example/challenge-response".into()],
        reference_values: vec!["https://m.example/1.corim".into(), "coaps://m.example/2".into()],
        endorsements: vec!["https://m.example/ek.pem".into()],
    };
    let json = extended("\"ietf-mud-rats\"", nodes);
    assert_eq!(read(&json).attestation, Some(expected));
    let codes = |json: &str| findings(json, &Context::default()).into_iter().map(|f| f.0).collect::<Vec<_>>();
    assert_eq!(codes(&json), ["extension-private"]);
    assert_eq!(codes(&extended("\"transparency\"", nodes)), ["extension-undeclared"]);
    // Without a signature nothing vouches for the places.
    let unsigned = json.replace("\"mud-signature\":\"cam.p7s\",", "");
    assert_eq!(codes(&unsigned), ["rats-unsigned", "no-signature", "extension-private"]);
    assert_eq!(read(&extended("\"mud-rats\"", r#""ietf-mud-rats:ras":{}"#)).attestation, None);
    let error = parse(
        extended("", r#""ietf-mud-rats:ras":{"ras-uris":["file:///x"]}"#).replace("[]", "[\"\"]").as_bytes(),
        &Context::default(),
    );
    assert!(error.is_err());
}

/// What an extension says is shown or asked for; none of them changes what a device may do, except that its management
/// may ask for a local bill of materials.
#[test]
fn private_extensions_change_no_policy() {
    let plain = compile(&read(GOOD)).policy;
    for (name, node) in [
        ("ol", r#""ol":{"owners":["Maker"],"spdx-tag":"0BSD"}"#),
        ("nist-mud", r#""nist-mud:quarantined-device-policy":{"enabled-ace-names":[{"ace-name":"a"}]}"#),
        ("reporter", r#""ietf-mud-reporter-extension:reporter":{"report-uri":"https://m.example/r"}"#),
        ("masa", r#""masa-server":"masa.maker.example""#),
        ("ietf-mud-rats", r#""ietf-mud-rats:ras":{"ras-uris":["https://v.example/"]}"#),
        ("somebodys", r#""somebodys:extension":{"open":"everything"}"#),
    ] {
        let json = extended(&format!("{name:?}"), node);
        assert_eq!(compile(&read(&json)).policy, plain, "{name}");
        let found = findings(&json, &Context::default());
        let code = if name == "somebodys" { "extension-unknown" } else { "extension-private" };
        assert!(found.iter().any(|f| (f.0, f.1) == (code, Severity::Warning)), "{name}: {found:?}");
    }
}
