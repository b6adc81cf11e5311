//! What crosses the borders of crates, held to the published vectors. Each crate's own tests hold it to its own.

use std::path::{Path, PathBuf};

use cose::{Purpose, TrustAnchor, TrustAnchors};
use crypto::{HashAlgorithm, SigningKey};
use eat::SignedResult;
use mud::Context;
use suit::{Authority, AuthorityList, Envelope, Role};
use trust::{Access, Code, Inputs, Outcome, Policy, Posture, decide, verify_mud};
use x509::Certificate;

/// In SUIT envelopes: the SBOM is a CoSWID tag, and the MUD binding an address and a key.
#[test]
fn what_envelopes_carry_is_read_by_the_crates_it_belongs_to() {
    let Some(folder) = testkit::vectors("suit") else { return };
    let key = testkit::read_hex(&folder.join("keys/trust_anchor_esp256_cose_key_public.cosekey.hex"));
    let key = cose::Key::decode(&key).expect("the key of the examples");
    let author = Authority::new(key.public().clone(), &[], "trust anchor", Role::Author);
    let authorities = AuthorityList::with_default_policy(vec![author]).expect("a list");
    let (mut envelopes, mut sboms, mut bindings) = (0, 0, 0);
    for area in ["manifest-37", "constructed", "trust-domains", "libcsuit"] {
        for path in files(&folder.join(area), "hex") {
            let bytes = testkit::read_hex(&path);
            let Ok(envelope) = Envelope::decode(&bytes) else { continue };
            let Ok(verified) = envelope.verify(&authorities) else { continue };
            envelopes += 1;
            if let Some(sbom) = verified.coswid() {
                let tag = coswid::Tag::decode(sbom).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
                assert!(!tag.software_name().is_empty(), "{}", path.display());
                sboms += 1;
            }
            if let Some(binding) = verified.mud() {
                let url = mud::MudUrl::parse(binding.url);
                assert!(url.is_some(), "{}: {}", path.display(), binding.url);
                assert_eq!(binding.signer.algorithm(), HashAlgorithm::Sha256, "{}", path.display());
                bindings += 1;
            }
        }
    }
    eprintln!(
        "conformance: {envelopes} envelopes verified, {sboms} with an SBOM, {bindings} with a MUD binding"
    );
    assert!(envelopes >= 16 && sboms >= 1 && bindings >= 1);
}

/// Profiles recorded from real devices, as far as rules for the kernel.
#[test]
fn every_profile_of_the_unsw_study_becomes_a_program() {
    let Some(folder) = testkit::vectors("mud") else { return };
    let (mut programs, mut names, mut broadcasts) = (0, 0, 0);
    for path in files(&folder.join("unsw"), "json") {
        let parsed = mud::parse(&read(&path), &Context::default()).expect("a good file");
        let compiled = mud::compile(&parsed.file);
        let url = parsed.file.mud_url.clone();
        let subject = gateway::Subject { url, strength: gateway::Strength::Strong };
        let lowered = gateway::lower(&compiled.policy, &subject, true);
        let lowered = lowered.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        // Broadcast frames stay on the link: nothing that is routed has their address.
        for index in &lowered.left_out {
            let extra = compiled.policy.entries[*index].extra.as_ref();
            let mac = extra.and_then(|extra| extra.remote_mac);
            assert_eq!(mac, Some(mud::MacAddress([255; 6])), "{}", path.display());
            broadcasts += 1;
        }
        names += lowered.program.names().count();
        programs += 1;
    }
    eprintln!("conformance: {programs} recorded profiles became programs that follow {names} names");
    assert_eq!((programs, broadcasts), (17, 4));
}

/// A signed MUD file as a release binds it: by the thumbprint of its signer's key.
#[test]
fn signed_mud_files_are_believed_for_the_key_that_a_manifest_pins() {
    let Some(folder) = testkit::vectors("mud") else { return };
    let folder = folder.join("signed");
    let certificate = |name: &str| Certificate::decode(&read(&folder.join(name))).expect("a certificate");
    let (issuer, signer) = (certificate("ca.der"), certificate("signer.der"));
    let pin = |certificate: &Certificate| {
        cose::thumbprint(certificate.public_key().expect("a key"), HashAlgorithm::Sha256)
    };
    // In the middle of the signer's validity, whenever the vectors were made.
    let now = signer.validity().not_before / 2 + signer.validity().not_after / 2;
    let file = read(&folder.join("mud.json"));
    let (mut believed, mut refused) = (0, 0);
    for path in files(&folder, "p7s") {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let signature = read(&path);
        let outcome = verify_mud(&file, &signature, &pin(&signer), std::slice::from_ref(&issuer), now);
        // One signs the file with other line ends; one leaves its certificate to be known, which a pin is not.
        let good =
            name.starts_with("good") && !matches!(name.as_str(), "good-crlf.p7s" | "good-no-certs.p7s");
        match outcome {
            Ok(_) if good => believed += 1,
            Err(reason) if !good => {
                assert_eq!(reason.code, Code::MudSignerMismatch, "{name}");
                refused += 1;
            }
            outcome => panic!("{name}: {outcome:?}"),
        }
        let other = verify_mud(&file, &signature, &pin(&issuer), std::slice::from_ref(&issuer), now);
        assert!(other.is_err(), "{name} is believed for a key that did not sign it");
    }
    mud::parse(&file, &Context::default()).expect("a good file");
    eprintln!("conformance: {believed} signatures of MUD files believed, {refused} refused");
    assert!(believed >= 3 && refused >= 7);
}

/// Results of other verifiers verify, and still open nothing: they name no release of ours.
#[test]
fn results_that_name_no_release_never_make_a_device_trusted() {
    let Some(folder) = testkit::vectors("rats") else { return };
    let key = testkit::read_hex(&folder.join("psa-rfc9783/tfm-es-iak.key.sec1.der.hex"));
    let key = SigningKey::from_sec1_der(&key).expect("the key of the results");
    let anchors =
        TrustAnchors::new(vec![TrustAnchor::new(key.public_key().clone(), Purpose::Result, "made")]);
    let (mut verified, mut refused) = (0, 0);
    for path in ["cbor", "jwt"].into_iter().flat_map(|kind| files(&folder.join("ear-made"), kind)) {
        let bytes = read(&path);
        let Ok(signed) = SignedResult::decode(&bytes) else {
            refused += 1;
            continue;
        };
        let issued = signed.unverified().issued_at;
        let Ok(result) = signed.verify(&anchors, issued, None) else {
            refused += 1;
            continue;
        };
        verified += 1;
        let decision = decide(&Inputs {
            device: &[1; 17],
            outcome: Some(&Outcome::of(&result)),
            releases: &[],
            overlays: &[],
            violations: &[],
            hold: None,
            spared: false,
            policy: &Policy::default(),
            now: issued,
        });
        assert_ne!(decision.posture, Posture::Trusted, "{}", path.display());
        assert_eq!(decision.access, Access::UpdateOnly, "{}", path.display());
    }
    eprintln!("conformance: {verified} results of others verified, {refused} refused");
    assert!(verified >= 6 && refused >= 2);
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Files of one kind in a folder, in order.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut paths: Vec<_> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|found| found == extension));
    paths.sort();
    paths
}
