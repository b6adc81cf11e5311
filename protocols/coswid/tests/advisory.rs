//! Advisories and queries held against tags: tables, refusals with their places, limits, and inputs of any kind.

use coswid::{
    Entity, File, Hash, Link, Rel, Role, Tag, TagBuilder, TagId, VersionScheme,
    advisory::{
        Advisory, AdvisoryFormat, Answer, Component, Doubt, MAX_ADVISORY_LEN, MAX_BOUNDS, MAX_FLAWS,
        MAX_QUERY_LEN, MAX_WITHIN, Query, Range, Scheme, Verdict, judge,
    },
    interchange::{ImportOptions, InterchangeError, import},
};
use proptest::prelude::*;
use sextant_coswid as coswid;

/// Verdicts by the names of components.
type Said = Vec<(String, Verdict)>;

const IMAGE: [u8; 32] = [7; 32];

/// A camera of Northlight with OpenSSL, with zlib of Debian 12, with a library that has no package URL and with one that
/// has no version.
fn camera(openssl: &str) -> Tag {
    let document = format!(
        r#"{{
  "bomFormat": "CycloneDX", "specVersion": "1.5", "serialNumber": "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79",
  "metadata": {{ "component": {{ "type": "firmware", "bom-ref": "fw", "name": "camera", "version": "1.4.0",
      "supplier": {{ "name": "Northlight" }} }} }},
  "components": [
    {{ "type": "library", "bom-ref": "a", "name": "openssl", "version": "{openssl}",
       "purl": "pkg:generic/openssl@{openssl}" }},
    {{ "type": "library", "bom-ref": "b", "name": "zlib", "version": "1:1.2.13.dfsg-1",
       "purl": "pkg:deb/debian/zlib@1:1.2.13.dfsg-1?arch=arm64&distro=debian-12" }},
    {{ "type": "library", "bom-ref": "c", "name": "mbedtls", "version": "3.4.0" }},
    {{ "type": "library", "bom-ref": "d", "name": "left-pad", "purl": "pkg:npm/left-pad" }},
    {{ "type": "library", "bom-ref": "e", "name": "Serde_Json", "version": "1.0.9", "purl": "pkg:cargo/serde_json@1.0.9" }}
  ]
}}"#
    );
    let options = ImportOptions {
        tag_creator: Some("Northlight"),
        version_scheme: Some(VersionScheme::Semver),
        ..ImportOptions::default()
    };
    let imported = import(document.as_bytes(), &options).unwrap().tag;
    let builder = TagBuilder::payload(TagId::Text("camera-1.4.0".into()), "camera")
        .version("1.4.0", VersionScheme::Semver)
        .entity(Entity::new("Northlight", [Role::TagCreator, Role::SoftwareCreator]))
        .file(File { hash: Hash::new(1, &IMAGE), key: Some(true), ..File::new("firmware") });
    imported.links().iter().cloned().fold(builder, TagBuilder::link).build().unwrap()
}

fn osv(affected: &str) -> Advisory {
    let text = format!(
        r#"{{ "schema_version": "1.6.0", "id": "GHSA-1", "modified": "2026-01-01T00:00:00Z",
        "aliases": ["CVE-2026-1"], "summary": "a flaw", "affected": [{affected}] }}"#
    );
    Advisory::decode(text.as_bytes()).unwrap()
}

/// What is said of each component, by name; nothing stands for "not affected".
fn said(advisories: &[&Advisory], tag: &Tag) -> Said {
    let components = tag.components();
    let findings = judge(advisories, &components);
    findings.iter().map(|finding| (components[finding.component].name.clone(), finding.verdict)).collect()
}

fn one(name: &str, verdict: Verdict) -> Said {
    vec![(name.into(), verdict)]
}

fn cannot(name: &str, doubt: Doubt) -> Said {
    one(name, Verdict::CannotTell(doubt))
}

#[test]
fn tells_the_components_of_a_tag() {
    let components = camera("3.0.1").components();
    let names: Vec<&str> = components.iter().map(|component| component.name.as_str()).collect();
    assert_eq!(names, ["camera", "openssl", "zlib", "mbedtls", "left-pad", "Serde_Json", "firmware"]);
    let schemes: Vec<Option<Scheme>> = components.iter().map(|component| component.scheme).collect();
    let semver = Some(Scheme::Semver);
    assert_eq!(schemes, [semver, None, Some(Scheme::Debian), None, semver, semver, None]);
    assert_eq!(components[0].makers, ["Northlight"]);
    assert_eq!(components[2].version.as_deref(), Some("1:1.2.13.dfsg-1"));
    assert_eq!(components[6].digests.len(), 1);
}

#[test]
fn osv_is_held_against_components() {
    let semver = |events: &str| {
        format!(
            r#"{{ "package": {{ "ecosystem": "crates.io", "name": "serde_json" }},
        "ranges": [{{ "type": "SEMVER", "events": [{events}] }}] }}"#
        )
    };
    let debian = |edition: &str, fixed: &str| {
        format!(
            r#"{{ "package": {{ "ecosystem": "Debian{edition}", "name": "zlib",
        "purl": "pkg:deb/debian/zlib?arch=source" }},
        "ranges": [{{ "type": "ECOSYSTEM", "events": [{{ "introduced": "0" }}, {{ "fixed": "{fixed}" }}] }}] }}"#
        )
    };
    let affected = |name| one(name, Verdict::Affected);
    let rows: Vec<(String, Said)> = vec![
        (semver(r#"{ "introduced": "0" }, { "fixed": "1.0.10" }"#), affected("Serde_Json")),
        (semver(r#"{ "introduced": "0" }, { "fixed": "1.0.9" }"#), vec![]),
        (semver(r#"{ "introduced": "1.0.9" }"#), affected("Serde_Json")),
        (semver(r#"{ "introduced": "1.0.10" }"#), vec![]),
        (semver(r#"{ "introduced": "0" }, { "last_affected": "1.0.9" }"#), affected("Serde_Json")),
        (semver(r#"{ "introduced": "0" }, { "last_affected": "1.0.8" }"#), vec![]),
        // Events count by their versions, not by their order.
        (semver(r#"{ "fixed": "2.0.0" }, { "introduced": "1.0.5" }, { "introduced": "0" }, { "fixed": "1.0.0" }"#), affected("Serde_Json")),
        (semver(r#"{ "introduced": "0" }, { "limit": "1.0.9" }"#), vec![]),
        (semver(r#"{ "introduced": "0" }, { "limit": "*" }"#), affected("Serde_Json")),
        (semver(r#"{ "introduced": "0" }, { "fixed": "oops" }"#), cannot("Serde_Json", Doubt::NoOrder)),
        (debian(":12", "1:1.2.13.dfsg-1+deb12u1"), affected("zlib")),
        (debian(":12", "1:1.2.13.dfsg-1"), vec![]),
        // An epoch outranks what follows it.
        (debian(":12", "9.9"), vec![]),
        // The SBOM names its edition; another one's advisory is not meant for it.
        (debian(":13", "1:1.3-1"), vec![]),
        (debian(":bookworm", "1:1.3-1"), cannot("zlib", Doubt::Edition)),
        (debian("", "1:1.3-1"), affected("zlib")),
        // Another kind of package is another package; a generic one may be anything of that name.
        (r#"{ "package": { "ecosystem": "npm", "name": "serde_json" }, "versions": ["1.0.9"] }"#.into(), vec![]),
        (r#"{ "package": { "ecosystem": "Alpine:v3.18", "name": "openssl" }, "versions": ["3.0.1"] }"#.into(),
            cannot("openssl", Doubt::NameOnly)),
        (r#"{ "package": { "ecosystem": "Alpine:v3.18", "name": "openssl" }, "versions": ["3.0.2"] }"#.into(), vec![]),
        (r#"{ "package": { "ecosystem": "ConanCenter", "name": "mbedtls" }, "versions": ["3.4.0"] }"#.into(),
            cannot("mbedtls", Doubt::NameOnly)),
        (r#"{ "package": { "ecosystem": "Unheard", "name": "openssl", "purl": "pkg:generic/openssl" },
            "ranges": [{ "type": "ECOSYSTEM", "events": [{ "introduced": "3.0.0" }, { "fixed": "3.0.14" }] }] }"#.into(),
            affected("openssl")),
        (r#"{ "package": { "ecosystem": "Unheard", "name": "openssl", "purl": "pkg:generic/openssl" },
            "ranges": [{ "type": "GIT", "repo": "https://x", "events": [{ "introduced": "0" }] }], "versions": ["3.0.0"] }"#.into(),
            cannot("openssl", Doubt::Commits)),
        (r#"{ "package": { "ecosystem": "npm", "name": "left-pad" }, "versions": ["1.0.0"] }"#.into(),
            cannot("left-pad", Doubt::VersionUnstated)),
        (r#"{ "package": { "ecosystem": "npm", "name": "left-pad" } }"#.into(), cannot("left-pad", Doubt::NoVersions)),
        (r#"{ "ranges": [{ "type": "GIT", "repo": "https://x", "events": [{ "introduced": "0" }] }] }"#.into(), vec![]),
    ];
    for (affected, expected) in rows {
        assert_eq!(said(&[&osv(&affected)], &camera("3.0.1")), expected, "{affected}");
    }
}

#[test]
fn what_was_withdrawn_says_nothing() {
    let mut advisory =
        osv(r#"{ "package": { "ecosystem": "crates.io", "name": "serde_json" }, "versions": ["1.0.9"] }"#);
    assert_eq!(said(&[&advisory], &camera("3.0.1")), one("Serde_Json", Verdict::Affected));
    advisory.withdrawn = Some("2026-02-01T00:00:00Z".into());
    assert_eq!(said(&[&advisory], &camera("3.0.1")), []);
    let text = r#"{ "id": "X-1", "modified": "x", "withdrawn": "2026-02-01T00:00:00Z", "affected": [] }"#;
    assert_eq!(Advisory::decode(text.as_bytes()).unwrap().withdrawn.as_deref(), Some("2026-02-01T00:00:00Z"));
}

/// A document of Northlight on its camera; `range` is the branch of versions, `status` the product status.
fn csaf(category: &str, branch: &str, helper: &str, status: &str) -> String {
    format!(
        r#"{{ "document": {{ "category": "{category}", "csaf_version": "2.0", "title": "Cameras",
            "tracking": {{ "id": "NL-1", "status": "final", "version": "1" }} }},
  "product_tree": {{
    "branches": [{{ "category": "vendor", "name": "Northlight", "branches": [{{ "category": "product_name", "name": "camera",
        "branches": [{{ {branch}, "product": {{ "name": "camera", "product_id": "C" }} }}] }}] }},
      {{ "category": "vendor", "name": "Other", "branches": [{{ "category": "product_name", "name": "camera",
        "branches": [{{ {branch}, "product": {{ "name": "camera", "product_id": "O" }} }}] }}] }}],
    "full_product_names": [{{ "name": "openssl 3.0.1", "product_id": "P", "product_identification_helper": {{ {helper} }} }}],
    "relationships": [{{ "category": "default_component_of", "product_reference": "P", "relates_to_product_reference": "C",
        "full_product_name": {{ "name": "openssl in camera", "product_id": "P:C" }} }},
      {{ "category": "default_component_of", "product_reference": "P", "relates_to_product_reference": "O",
        "full_product_name": {{ "name": "openssl in other", "product_id": "P:O" }} }}] }},
  "vulnerabilities": [{{ "cve": "CVE-2026-1", "product_status": {{ {status} }} }}] }}"#
    )
}

const EXACT: &str = r#""category": "product_version", "name": "1.4.0""#;
const OPENSSL: &str = r#""purl": "pkg:generic/openssl@3.0.1""#;

#[test]
fn csaf_is_held_against_components() {
    let range = |range: &str| format!(r#""category": "product_version_range", "name": "{range}""#);
    let affected = r#""known_affected": ["C"]"#;
    let hash = format!(
        r#""hashes": [{{ "filename": "x", "file_hashes": [{{ "algorithm": "sha256", "value": "{}" }}] }}]"#,
        "07".repeat(32)
    );
    let rows: Vec<(String, &str, &str, Said)> = vec![
        (EXACT.into(), OPENSSL, affected, one("camera", Verdict::Affected)),
        (range("vers:semver/<1.4.1"), OPENSSL, affected, one("camera", Verdict::Affected)),
        (range("vers:semver/<1.4.0"), OPENSSL, affected, vec![]),
        (
            range("vers:semver/>=1.0.0|<1.2.0|>=1.4.0|<1.5.0"),
            OPENSSL,
            affected,
            one("camera", Verdict::Affected),
        ),
        (range("vers:semver/<1.5.0|!=1.4.0"), OPENSSL, affected, vec![]),
        (range("vers:all/*"), OPENSSL, affected, one("camera", Verdict::Affected)),
        (range("before 1.5"), OPENSSL, affected, cannot("camera", Doubt::UnreadRange)),
        // Another vendor's camera of that name may be this one or not.
        (EXACT.into(), OPENSSL, r#""known_affected": ["O"]"#, cannot("camera", Doubt::NameOnly)),
        (EXACT.into(), OPENSSL, r#""first_affected": ["P"]"#, one("openssl", Verdict::Affected)),
        (EXACT.into(), OPENSSL, r#""known_affected": ["P:C"]"#, one("openssl", Verdict::Affected)),
        (EXACT.into(), OPENSSL, r#""known_affected": ["P:O"]"#, cannot("openssl", Doubt::NameOnly)),
        (range("vers:semver/<1.4.0"), OPENSSL, r#""known_affected": ["P:C"]"#, vec![]),
        (
            EXACT.into(),
            r#""cpe": "cpe:2.3:a:openssl:openssl:3.0.1:*:*:*:*:*:*:*""#,
            r#""known_affected": ["P"]"#,
            cannot("openssl", Doubt::NameOnly),
        ),
        (
            EXACT.into(),
            &hash,
            r#""known_affected": ["P"]"#,
            [cannot("openssl", Doubt::NameOnly), one("firmware", Verdict::Affected)].concat(),
        ),
        (
            EXACT.into(),
            OPENSSL,
            r#""under_investigation": ["P"]"#,
            cannot("openssl", Doubt::UnderInvestigation),
        ),
        (EXACT.into(), OPENSSL, r#""known_not_affected": ["P"]"#, vec![]),
        (EXACT.into(), OPENSSL, r#""recommended": ["P"]"#, vec![]),
    ];
    for (branch, helper, status, expected) in rows {
        let text = csaf("csaf_security_advisory", &branch, helper, status);
        let advisory = Advisory::decode(text.as_bytes()).unwrap();
        assert_eq!((advisory.format, advisory.id.as_str()), (AdvisoryFormat::CsafAdvisory, "NL-1"));
        assert_eq!(said(&[&advisory], &camera("3.0.1")), expected, "{branch} {helper} {status}");
    }
}

#[test]
fn not_affected_takes_back_affected_of_the_same_flaw_and_component() {
    let affected =
        osv(r#"{ "package": { "ecosystem": "Unheard", "name": "openssl", "purl": "pkg:generic/openssl" },
        "versions": ["3.0.1"] }"#);
    let software = csaf("csaf_security_advisory", EXACT, OPENSSL, r#""known_affected": ["C"]"#);
    let software = Advisory::decode(software.as_bytes()).unwrap();
    let vex = |status: &str| Advisory::decode(csaf("csaf_vex", EXACT, OPENSSL, status).as_bytes()).unwrap();
    let openssl = one("openssl", Verdict::Affected);
    let camera_too = [one("openssl", Verdict::Affected), one("camera", Verdict::Affected)].concat();
    let rows = [
        (vec![&affected], "", openssl.clone()),
        (vec![&affected], r#""known_not_affected": ["P"]"#, vec![]),
        (vec![&affected], r#""known_not_affected": ["P:C"]"#, vec![]),
        (vec![&affected], r#""fixed": ["P"]"#, vec![]),
        // Of the whole software: of its parts too.
        (vec![&affected], r#""known_not_affected": ["C"]"#, vec![]),
        // Of a part: not of the whole.
        (vec![&affected, &software], r#""known_not_affected": ["P"]"#, one("camera", Verdict::Affected)),
        // Of somebody else's: of nothing here, and doubt clears nothing.
        (vec![&affected], r#""known_not_affected": ["P:O"]"#, openssl.clone()),
        (vec![&affected, &software], r#""known_not_affected": ["O"]"#, camera_too),
    ];
    for (advisories, status, expected) in rows {
        let vex = vex(status);
        for order in [[&advisories[..], &[&vex]].concat(), [&[&vex][..], &advisories].concat()] {
            let mut found = said(&order, &camera("3.0.1"));
            found.sort_by_key(|(name, _)| expected.iter().position(|(other, _)| other == name));
            assert_eq!(found, expected, "{status}");
        }
    }
    // Another flaw is another matter.
    let other = csaf("csaf_vex", EXACT, OPENSSL, r#""known_not_affected": ["P"]"#)
        .replace("CVE-2026-1", "CVE-2026-2");
    let other = Advisory::decode(other.as_bytes()).unwrap();
    assert_eq!(said(&[&affected, &other], &camera("3.0.1")), openssl);
}

fn openvex(product: &str, status: &str) -> String {
    format!(
        r#"{{ "@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://nl.example/vex/1", "author": "NL",
        "timestamp": "2026-01-01T00:00:00Z", "version": 1,
        "statements": [{{ "vulnerability": {{ "name": "CVE-2026-1", "aliases": ["GHSA-1"] }},
            "products": [{product}], "status": "{status}" }}] }}"#
    )
}

#[test]
fn openvex_is_held_against_components() {
    let hash = format!(r#"{{ "@id": "x", "hashes": {{ "sha-256": "{}" }} }}"#, "07".repeat(32));
    let rows: Vec<(&str, &str, Said)> = vec![
        (r#"{ "@id": "pkg:generic/openssl@3.0.1" }"#, "affected", one("openssl", Verdict::Affected)),
        (r#"{ "@id": "pkg:generic/openssl@3.0.2" }"#, "affected", vec![]),
        (r#"{ "@id": "pkg:generic/openssl" }"#, "affected", one("openssl", Verdict::Affected)),
        (r#"{ "@id": "camera-1.4.0" }"#, "affected", one("camera", Verdict::Affected)),
        (
            r#"{ "@id": "camera-1.4.0", "subcomponents": [{ "@id": "pkg:generic/openssl@3.0.1" }] }"#,
            "affected",
            one("openssl", Verdict::Affected),
        ),
        (
            r#"{ "@id": "camera-1.4.1", "subcomponents": [{ "@id": "pkg:generic/openssl@3.0.1" }] }"#,
            "affected",
            vec![],
        ),
        (
            r#"{ "identifiers": { "purl": "pkg:cargo/serde_json@1.0.9" } }"#,
            "affected",
            one("Serde_Json", Verdict::Affected),
        ),
        (&hash, "affected", one("firmware", Verdict::Affected)),
        (
            r#""pkg:generic/openssl@3.0.1""#,
            "under_investigation",
            cannot("openssl", Doubt::UnderInvestigation),
        ),
        (r#"{ "@id": "pkg:generic/openssl@3.0.1" }"#, "not_affected", vec![]),
    ];
    for (product, status, expected) in rows {
        let advisory = Advisory::decode(openvex(product, status).as_bytes()).unwrap();
        assert_eq!(said(&[&advisory], &camera("3.0.1")), expected, "{product} {status}");
    }
}

#[test]
fn refusals_name_the_place() {
    let osv = |rest: &str| format!(r#"{{ "id": "X-1", "modified": "x", {rest} }}"#);
    let event = |event: &str| {
        osv(&format!(
            r#""affected": [{{ "package": {{ "ecosystem": "npm", "name": "x" }}, "ranges": [{{ "type": "SEMVER", "events": [{event}] }}] }}]"#
        ))
    };
    let csaf = |from: &str, to: &str| {
        let text = csaf("csaf_vex", EXACT, OPENSSL, r#""known_affected": ["C"]"#);
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    };
    let rows: Vec<(String, &str)> = vec![
        ("[]".into(), "expected OSV 1.x, CSAF 2.0 or OpenVEX in JSON"),
        ("{}".into(), "expected OSV 1.x, CSAF 2.0 or OpenVEX in JSON"),
        (r#"{ "affected": [] }"#.into(), "/: expected an id"),
        (osv(r#""schema_version": "2.0.0""#), "/schema_version: expected a schema_version 1.x"),
        (osv(r#""aliases": [7]"#), "/aliases/0: expected a text"),
        (osv(r#""affected": {}"#), "/affected: expected an array"),
        (
            osv(r#""affected": [{ "package": { "name": "x" } }]"#),
            "/affected/0/package: expected an ecosystem",
        ),
        (
            osv(r#""affected": [{ "package": { "ecosystem": "X", "name": "x", "purl": "x" } }]"#),
            "/affected/0/package/purl: expected a package URL",
        ),
        (event(r#"{ "fixed": "1.0.0" }"#), "/affected/0/ranges/0: expected an event that is introduced"),
        (
            event(r#"{ "introduced": "0", "fixed": "1.0.0" }"#),
            "/affected/0/ranges/0/events/0: expected one of introduced, fixed, last_affected and limit",
        ),
        (
            event("{}"),
            "/affected/0/ranges/0/events/0: expected one of introduced, fixed, last_affected and limit",
        ),
        (csaf(r#""2.0""#, r#""2.1""#), "/document: expected csaf_version 2.0"),
        (csaf("csaf_vex", "csaf_base"), "/document: expected category csaf_security_advisory or csaf_vex"),
        (csaf(r#""final""#, r#""draft""#), "/document/tracking: expected status interim or final"),
        (
            csaf(r#"["C"]"#, r#"["D"]"#),
            "/vulnerabilities/0/product_status/known_affected/0: expected a product of the product tree",
        ),
        (
            csaf(r#"["C"]"#, r#"["C"], "fixed": ["C"]"#),
            "/vulnerabilities/0/product_status/fixed/0: expected a product of which nothing else is said",
        ),
        (
            csaf(r#""product_id": "P""#, r#""product_id": "C""#),
            "/product_tree/full_product_names/0: expected a product_id that is used once",
        ),
        (
            csaf(r#""product_reference": "P""#, r#""product_reference": "Q""#),
            "/product_tree/relationships/0: expected two products that were named before",
        ),
        (
            csaf(EXACT, r#""category": "product_version_range", "name": "vers:semver/>=2.0.0|<1.0.0""#),
            "/product_tree/branches/0/branches/0/branches/0/name: expected constraints in the order of their versions",
        ),
        (openvex(r#"{ "@id": "x" }"#, "fine"), "/statements/0: expected a status of OpenVEX"),
        (openvex("{}", "fixed"), "/statements/0/products/0: expected an @id or a package URL"),
        (openvex("7", "fixed").replace("openvex.dev", "else.example"), "/: expected an @context of OpenVEX"),
    ];
    for (text, expected) in rows {
        assert_eq!(Advisory::decode(text.as_bytes()).unwrap_err().to_string(), expected, "{text}");
    }
}

#[test]
fn limits_hold_at_their_number_and_not_past_it() {
    let base = r#"{ "id": "X-1", "modified": "x" }"#;
    let padded = |len: usize| [base.as_bytes(), &vec![b' '; len - base.len()]].concat();
    assert!(Advisory::decode(&padded(MAX_ADVISORY_LEN)).is_ok());
    let too_large = |what, limit| Err(InterchangeError::TooLarge { what, limit });
    assert_eq!(Advisory::decode(&padded(MAX_ADVISORY_LEN + 1)), too_large("bytes", MAX_ADVISORY_LEN));

    let events = |count: usize| {
        let events = vec![r#"{ "introduced": "0" }"#; count].join(",");
        let text = format!(
            r#"{{ "id": "X", "affected": [{{ "package": {{ "ecosystem": "npm", "name": "x" }},
            "ranges": [{{ "type": "SEMVER", "events": [{events}] }}] }}] }}"#
        );
        Advisory::decode(text.as_bytes())
    };
    assert!(events(MAX_BOUNDS).is_ok());
    assert_eq!(events(MAX_BOUNDS + 1), too_large("events in a range", MAX_BOUNDS));
    let constraints = |count: usize| Range::read(&format!("vers:semver/{}", vec!["1.0.0"; count].join("|")));
    assert!(constraints(MAX_BOUNDS).is_ok());
    assert!(constraints(MAX_BOUNDS + 1).is_err());

    let flaws = |count: usize| {
        let one = r#"{ "vulnerability": "CVE-1", "products": [], "status": "fixed" }"#;
        let text = format!(
            r#"{{ "@context": "https://openvex.dev/ns", "@id": "x", "statements": [{}] }}"#,
            vec![one; count].join(",")
        );
        Advisory::decode(text.as_bytes())
    };
    assert!(flaws(MAX_FLAWS).is_ok());
    assert_eq!(flaws(MAX_FLAWS + 1), too_large("flaws", MAX_FLAWS));

    let nested = |depth: usize| {
        let related = |n: usize| {
            format!(
                r#"{{ "product_reference": "R{}", "relates_to_product_reference": "R0",
            "full_product_name": {{ "name": "x", "product_id": "R{n}" }} }}"#,
                n - 1
            )
        };
        let related: Vec<String> = (1..=depth).map(related).collect();
        let text = format!(
            r#"{{ "document": {{ "category": "csaf_vex", "csaf_version": "2.0",
            "tracking": {{ "id": "x", "status": "final" }} }},
            "product_tree": {{ "full_product_names": [{{ "name": "x", "product_id": "R0" }}],
            "relationships": [{}] }} }}"#,
            related.join(",")
        );
        Advisory::decode(text.as_bytes())
    };
    assert!(nested(MAX_WITHIN).is_ok());
    assert_eq!(nested(MAX_WITHIN + 1), too_large("products around a product", MAX_WITHIN));
}

#[test]
fn queries_are_read_and_answered() {
    let name_only = Answer::CannotTell(Doubt::NameOnly);
    let rows = [
        ("openssl", "3.0.1", vec![Answer::Yes]),
        ("OpenSSL < 3.0.14", "3.0.1", vec![Answer::Yes]),
        ("openssl<3.0.14", "3.0.9", vec![Answer::Yes]),
        ("openssl < 3.0.14", "3.0.14", vec![Answer::No]),
        ("openssl <= 3.0.14", "3.0.14", vec![Answer::Yes]),
        ("openssl = 3.0.14", "3.0.14", vec![Answer::Yes]),
        ("openssl >= 3.0.14", "3.0.9", vec![Answer::No]),
        ("openssl > 1.1.1", "3.0.1", vec![Answer::Yes]),
        ("openssl < 3.0.14", "1.1.1w", vec![Answer::Yes]),
        ("openssl < 1.1.1x", "1.1.1w", vec![Answer::CannotTell(Doubt::NoOrder)]),
        ("openssl < 3.0", "3.0.1", vec![Answer::No]),
        ("pkg:generic/openssl < 3.0.14", "3.0.1", vec![Answer::Yes]),
        ("pkg:generic/openssl?arch=x < 3.0.14", "3.0.1", vec![Answer::CannotTell(Doubt::Edition)]),
        ("pkg:generic/openssl?arch=x = 3.0.14", "3.0.1", vec![Answer::No]),
        ("pkg:npm/openssl < 3.0.14", "3.0.1", vec![name_only]),
        ("pkg:conan/mbedtls", "3.0.1", vec![name_only]),
        ("left-pad < 1.0.0", "3.0.1", vec![Answer::CannotTell(Doubt::VersionUnstated)]),
        ("zlib < 1:1.2.13.dfsg-1+deb12u1", "3.0.1", vec![Answer::Yes]),
        ("camera = 1.4.0", "3.0.1", vec![Answer::Yes]),
        ("firmware", "3.0.1", vec![Answer::Yes]),
        ("nothing < 1", "3.0.1", vec![]),
    ];
    for (text, openssl, expected) in rows {
        let query = Query::read(text).unwrap();
        let answers: Vec<Answer> =
            camera(openssl).components().iter().filter_map(|component| query.ask(component)).collect();
        assert_eq!(answers, expected, "{text} of {openssl}");
    }
    let refused = [
        ("", 0, "the name of a component"),
        (" < 1", 0, "the name of a component"),
        ("x <", 3, "a version"),
        ("x < 1 2", 5, "one version and then the end"),
        ("x < 1 < 2", 5, "one version and then the end"),
        ("x =< 1", 3, "one version and then the end"),
        ("pkg:x < 1", 0, "a package URL"),
        ("pkg:generic/x@1 < 2", 0, "a package URL without a version"),
    ];
    for (text, at, expected) in refused {
        let error = Query::read(text).unwrap_err();
        assert_eq!((error.at, error.expected), (at, expected), "{text}");
    }
    assert!(Query::read(&"x".repeat(MAX_QUERY_LEN)).is_ok());
    assert!(Query::read(&"x".repeat(MAX_QUERY_LEN + 1)).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn an_altered_advisory_is_read_or_refused_and_never_panics(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let text = csaf("csaf_vex", EXACT, OPENSSL, r#""known_affected": ["P:C"]"#);
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = Advisory::decode(&bytes[..at]);
        if let Ok(advisory) = Advisory::decode(&bytes) {
            judge(&[&advisory], &camera("3.0.1").components());
        }
    }

    #[test]
    fn a_query_is_read_or_refused_and_never_panics(text in ".{0,40}") {
        let component: &Component = &camera("3.0.1").components()[1];
        if let Ok(query) = Query::read(&text) {
            let _ = query.ask(component);
        }
    }
}

#[test]
fn a_link_that_names_nothing_is_no_component() {
    let tag = TagBuilder::payload(TagId::Text("x".into()), "x")
        .version("1", VersionScheme::Decimal)
        .entity(Entity::new("Acme", [Role::TagCreator]))
        .link(Link::new(Rel::Component, "swid:other"))
        .build()
        .unwrap();
    assert_eq!(tag.components().len(), 1);
}
