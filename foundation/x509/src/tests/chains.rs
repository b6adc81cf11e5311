//! Chains: which are found, and why the others are not.

use crypto::{SignatureAlgorithm, SigningKey};

use super::pki::{self, NOW, VALID, ed, root, subject};
use crate::*;

/// Root over authority over leaf.
struct Three {
    root: Certificate,
    authority: Certificate,
    leaf: Certificate,
}

type Change = fn(CertificateBuilder) -> CertificateBuilder;

const SAME: Change = |builder| builder;

fn three(root: Change, authority: Change, leaf: Change) -> Three {
    let (root_key, authority_key) = (ed(1), ed(2));
    let root = root(subject("Root", &root_key, 1).authority(None)).self_signed(&root_key).expect("a root");
    let authority = authority(subject("Authority", &authority_key, 2).authority(None))
        .issued_by(&root, &root_key)
        .expect("an authority");
    let leaf = leaf(subject("Leaf", &ed(3), 3)).issued_by(&authority, &authority_key).expect("a leaf");
    Three { root, authority, leaf }
}

impl Three {
    fn verify_at(&self, now: i64) -> Result<usize, Error> {
        let (intermediates, anchors) = ([self.authority.clone()], [self.root.clone()]);
        verify_chain(&self.leaf, &intermediates, &anchors, now).map(|chain| chain.certificates().count())
    }
}

fn untrusted<T>(distrust: Distrust) -> Result<T, Error> {
    Err(Error::Untrusted(distrust))
}

fn unknown_critical(builder: CertificateBuilder) -> CertificateBuilder {
    let id = ObjectIdentifier::new_unwrap("1.2.3.4");
    builder.extension(Extension { id, critical: true, value: vec![5, 0] })
}

fn name_constraints(builder: CertificateBuilder) -> CertificateBuilder {
    builder.extension(Extension { id: oids::NAME_CONSTRAINTS, critical: false, value: vec![0x30, 0] })
}

#[test]
fn finds_the_way_in_whatever_order_the_certificates_come() {
    let Three { root, authority, leaf } = three(SAME, SAME, SAME);
    let (_, stranger) =
        (ed(8), subject("Stranger", &ed(8), 8).authority(None).self_signed(&ed(8)).expect("a root"));
    let orders = [
        vec![authority.clone()],
        vec![stranger.clone(), authority.clone(), root.clone(), leaf.clone()],
        vec![leaf.clone(), root.clone(), authority.clone(), stranger.clone()],
    ];
    for intermediates in orders {
        let anchors = [stranger.clone(), root.clone()];
        let chain = verify_chain(&leaf, &intermediates, &anchors, NOW).expect("a chain");
        assert_eq!(chain.certificates().collect::<Vec<_>>(), [&leaf, &authority, &root]);
        assert_eq!((chain.leaf(), chain.issuer(), chain.anchor()), (&leaf, &authority, &root));
    }
}

#[test]
fn an_anchor_needs_neither_an_issuer_nor_to_be_a_root() {
    let Three { authority, leaf, .. } = three(SAME, SAME, SAME);
    let anchors = [authority.clone()];
    assert_eq!(verify_chain(&leaf, &[], &anchors, NOW).map(|chain| chain.anchor().clone()), Ok(authority));
    let anchors = [leaf.clone()];
    let chain = verify_chain(&leaf, &[], &anchors, NOW).expect("the operator chose it");
    assert_eq!((chain.issuer(), chain.anchor(), chain.certificates().count()), (&leaf, &leaf, 1));
}

#[test]
fn both_ends_of_the_validity_belong_to_it() {
    let three = three(SAME, SAME, SAME);
    let Validity { not_before, not_after } = VALID;
    assert_eq!(three.verify_at(not_before), Ok(3));
    assert_eq!(three.verify_at(not_after), Ok(3));
    assert_eq!(three.verify_at(not_before - 1), untrusted(Distrust::NotYetValid { not_before }));
    assert_eq!(three.verify_at(not_after + 1), untrusted(Distrust::Expired { not_after }));
    assert_eq!(three.verify_at(i64::MIN), untrusted(Distrust::NotYetValid { not_before }));
    assert_eq!(three.verify_at(i64::MAX), untrusted(Distrust::Expired { not_after }));
}

#[test]
fn each_rule_refuses() {
    let not_after = NOW - 1;
    let expired: Change = |builder| builder.validity(Validity { not_before: NOW - 2, not_after: NOW - 1 });
    let not_before = NOW + 1;
    let early: Change = |builder| builder.validity(Validity { not_before: NOW + 1, not_after: NOW + 2 });
    let no_authority: Change = |_| subject("Authority", &ed(2), 2);
    let cannot_sign: Change = |builder| builder.key_usage(Some(KeyUsage::DIGITAL_SIGNATURE));
    let rows: [(&str, Three, Error); 11] = [
        ("expired leaf", three(SAME, SAME, expired), Error::Untrusted(Distrust::Expired { not_after })),
        ("expired authority", three(SAME, expired, SAME), Error::Untrusted(Distrust::Expired { not_after })),
        ("expired anchor", three(expired, SAME, SAME), Error::Untrusted(Distrust::Expired { not_after })),
        ("early leaf", three(SAME, SAME, early), Error::Untrusted(Distrust::NotYetValid { not_before })),
        ("no authority", three(SAME, no_authority, SAME), Error::Untrusted(Distrust::NotAuthority)),
        ("no keyCertSign", three(SAME, cannot_sign, SAME), Error::Untrusted(Distrust::NoCertSign)),
        (
            "path length",
            three(|builder| builder.authority(Some(0)), SAME, SAME),
            Error::Untrusted(Distrust::ChainTooLong),
        ),
        (
            "critical in leaf",
            three(SAME, SAME, unknown_critical),
            Error::Unsupported(Feature::CriticalExtension),
        ),
        (
            "critical in authority",
            three(SAME, unknown_critical, SAME),
            Error::Unsupported(Feature::CriticalExtension),
        ),
        (
            "critical in anchor",
            three(unknown_critical, SAME, SAME),
            Error::Unsupported(Feature::CriticalExtension),
        ),
        (
            "name constraints",
            three(SAME, name_constraints, SAME),
            Error::Unsupported(Feature::NameConstraints),
        ),
    ];
    for (what, chain, refusal) in rows {
        assert_eq!(chain.verify_at(NOW), Err(refusal), "{what}");
    }
}

#[test]
fn what_the_rules_allow_is_accepted() {
    let rows: [(&str, Three); 3] = [
        ("path length of one", three(|builder| builder.authority(Some(1)), |b| b.authority(Some(0)), SAME)),
        ("authority without key usage", three(SAME, |builder| builder.key_usage(None), SAME)),
        (
            "unknown extension that is not critical",
            three(SAME, SAME, |builder| {
                let id = ObjectIdentifier::new_unwrap("1.2.3.4");
                builder.extension(Extension { id, critical: false, value: vec![5, 0] })
            }),
        ),
    ];
    for (what, chain) in rows {
        assert_eq!(chain.verify_at(NOW), Ok(3), "{what}");
    }
}

#[test]
fn rejects_leaf_without_a_way_to_an_anchor() {
    let Three { root, authority, leaf } = three(SAME, SAME, SAME);
    let (anchors, authorities) = ([root.clone()], [authority.clone()]);
    assert_eq!(verify_chain(&leaf, &[], &anchors, NOW), untrusted(Distrust::UnknownIssuer));
    assert_eq!(verify_chain(&leaf, &authorities, &[], NOW), untrusted(Distrust::UnknownIssuer));
    let itself = [root.clone()];
    assert_eq!(verify_chain(&root, &itself, &[], NOW), untrusted(Distrust::UnknownIssuer));
}

#[test]
fn rejects_rogue_authority_of_the_same_name() {
    let Three { authority, leaf, .. } = three(SAME, SAME, SAME);
    let rogue = subject("Root", &ed(66), 1).authority(None).self_signed(&ed(66)).expect("a root");
    let (anchors, authorities) = ([rogue], [authority]);
    assert_eq!(verify_chain(&leaf, &authorities, &anchors, NOW), untrusted(Distrust::UnknownIssuer));
}

#[test]
fn rejects_any_changed_bit_of_a_certificate() {
    let (root_key, root) = root();
    let leaf = subject("Leaf", &ed(3), 3).issued_by(&root, &root_key).expect("a leaf");
    let anchors = [root];
    for at in 0..leaf.as_der().len() {
        let mut changed = leaf.as_der().to_vec();
        changed[at] ^= 1 << (at % 8);
        if let Ok(changed) = Certificate::decode(&changed) {
            assert!(verify_chain(&changed, &[], &anchors, NOW).is_err(), "byte {at}");
        }
    }
    let mut changed = leaf.as_der().to_vec();
    *changed.last_mut().expect("a signature") ^= 1;
    let changed = Certificate::decode(&changed).expect("well-formed");
    assert_eq!(verify_chain(&changed, &[], &anchors, NOW), untrusted(Distrust::CertificateSignature));
}

#[test]
fn rejects_algorithm_that_is_not_of_the_issuers_key() {
    let key = pki::key(SignatureAlgorithm::Es256, 7);
    let root = subject("Root", &key, 1).authority(None).self_signed(&key).expect("a root");
    let leaf = subject("Leaf", &ed(3), 3).issued_by(&root, &key).expect("a leaf");
    let leaf = pki::patched(leaf.as_der(), "300a06082a8648ce3d040302", "300a06082a8648ce3d040303", 2);
    let leaf = Certificate::decode(&leaf).expect("well-formed");
    let anchors = [root];
    assert_eq!(verify_chain(&leaf, &[], &anchors, NOW), Err(Error::Unsupported(Feature::SignatureAlgorithm)));
}

/// So many authorities below a root, and a leaf of the last.
fn tower(authorities: u8) -> (Certificate, Vec<Certificate>, Certificate) {
    let (mut issuer_key, root) = root();
    let mut issuers = vec![root.clone()];
    for n in 0..authorities {
        let key = ed(100 + n);
        let issuer = subject(&format!("Authority {n}"), &key, n + 1).authority(None);
        let issuer = issuer.issued_by(issuers.last().expect("the root"), &issuer_key).expect("an authority");
        issuers.push(issuer);
        issuer_key = key;
    }
    let leaf = subject("Leaf", &ed(3), 3).issued_by(issuers.last().expect("the root"), &issuer_key);
    (root, issuers, leaf.expect("a leaf"))
}

#[test]
fn chains_end_at_the_limit() {
    let (root, issuers, leaf) = tower(MAX_CHAIN_LEN as u8 - 2);
    let anchors = [root];
    let chain = verify_chain(&leaf, &issuers, &anchors, NOW).expect("just short enough");
    assert_eq!(chain.certificates().count(), MAX_CHAIN_LEN);
    let (root, issuers, leaf) = tower(MAX_CHAIN_LEN as u8 - 1);
    let anchors = [root];
    assert_eq!(verify_chain(&leaf, &issuers, &anchors, NOW), untrusted(Distrust::ChainTooLong));
}

#[test]
fn self_issued_authorities_do_not_count_towards_the_path_length() {
    // The root changes its key: the new one is certified by the old one under the same name.
    let (old_key, new_key) = (ed(1), ed(2));
    let old = subject("Root", &old_key, 1).authority(Some(0)).self_signed(&old_key).expect("a root");
    let new = subject("Root", &new_key, 2).authority(None).issued_by(&old, &old_key).expect("its successor");
    let leaf = subject("Leaf", &ed(3), 3).issued_by(&new, &new_key).expect("a leaf");
    let (intermediates, anchors) = ([new], [old]);
    assert!(verify_chain(&leaf, &intermediates, &anchors, NOW).is_ok());
}

/// So many certificates of one authority, none of which leads to an anchor.
fn twins(count: usize) -> (Vec<Certificate>, Certificate) {
    let (nobody_key, nobody) = (ed(5), subject("Nobody", &ed(5), 1).authority(None).self_signed(&ed(5)));
    let nobody = nobody.expect("a root that nobody chose");
    let key: SigningKey = ed(6);
    let twins: Vec<_> = (0..count)
        .map(|n| {
            let twin = subject("Twin", &key, n as u8 + 1).authority(None);
            twin.issued_by(&nobody, &nobody_key).expect("a twin")
        })
        .collect();
    let leaf = subject("Leaf", &ed(3), 3).issued_by(&twins[0], &key).expect("a leaf");
    (twins, leaf)
}

#[test]
fn the_search_ends_at_the_limit() {
    let (_, root) = root();
    let anchors = [root];
    let (at_limit, leaf) = twins(MAX_SIGNATURE_CHECKS);
    assert_eq!(verify_chain(&leaf, &at_limit, &anchors, NOW), untrusted(Distrust::UnknownIssuer));
    let (beyond, leaf) = twins(MAX_SIGNATURE_CHECKS + 1);
    assert_eq!(verify_chain(&leaf, &beyond, &anchors, NOW), untrusted(Distrust::TooManyCandidates));
}

#[test]
fn authorities_that_certify_each_other_lead_nowhere() {
    let (a_key, b_key) = (ed(5), ed(6));
    let a = subject("A", &a_key, 1).authority(None).self_signed(&a_key).expect("a");
    let b = subject("B", &b_key, 2).authority(None).issued_by(&a, &a_key).expect("b by a");
    let a_by_b = subject("A", &a_key, 3).authority(None).issued_by(&b, &b_key).expect("a by b");
    let leaf = subject("Leaf", &ed(3), 3).issued_by(&a_by_b, &a_key).expect("a leaf");
    let intermediates = [a, b, a_by_b];
    assert_eq!(verify_chain(&leaf, &intermediates, &[], NOW), untrusted(Distrust::UnknownIssuer));
}

#[test]
fn rsa_authorities_are_refused_by_name() {
    let fixture = |name: &str| {
        let path = format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"));
        Certificate::decode(&std::fs::read(path).expect("fixture")).expect("well-formed")
    };
    let (leaf, anchors) = (fixture("rsa-leaf.der"), [fixture("rsa-root.der")]);
    let now = leaf.validity().not_before;
    assert_eq!(verify_chain(&leaf, &[], &anchors, now), Err(Error::Unsupported(Feature::KeyAlgorithm)));
    assert!(leaf.public_key().is_ok());
}
