//! Who is believed: one row a rule, with its exact refusal.

mod support;

use crypto::{Digest, HashAlgorithm};
use sextant_suit::limits::{MAX_AUTHORITIES, MAX_CANDIDATE_KEYS};
use sextant_suit::{
    Authority, AuthorityError, AuthorityList, AuthorityPolicy, Condition, Envelope, Installed,
    ManifestBuilder, Member, Parameter, Refusal, Role, Section, Severable, Uuid, VendorId, VerifiedManifest,
};
use support::{
    ALWAYS, authority, build, class, code_of, component, flipped, key, one_author, policy, recipe, seq,
    signed, vendor,
};

fn envelope_signed_by(keys: &[u8]) -> Vec<u8> {
    let mut envelope = build(&recipe(7).manifest().expect("a recipe"));
    for seed in keys {
        envelope.sign(&key(*seed), Some(&[*seed]));
    }
    envelope.to_bytes()
}

fn verify(bytes: &[u8], list: &AuthorityList) -> Result<(), Refusal> {
    Envelope::decode(bytes).expect("decodes").verify(list).map(|_| ())
}

fn list(policy: AuthorityPolicy, entries: Vec<Authority>) -> AuthorityList {
    AuthorityList::new(policy, entries).expect("a list")
}

#[test]
fn counts_signatures_of_listed_keys() {
    use Role::{Author, Operator};
    let entries = || vec![authority(1, Author), authority(2, Author), authority(3, Operator)];
    let missing_author = Refusal::AuthorSignatureMissing { needed: 1, found: 0 };
    type Row = (&'static str, &'static [u8], AuthorityPolicy, Result<(), Refusal>);
    let rows: [Row; 10] = [
        ("unsigned", &[], policy(1, 0), Err(Refusal::Unsigned)),
        ("author", &[1], policy(1, 0), Ok(())),
        ("unknown key", &[9], policy(1, 0), Err(Refusal::UnknownSigner { kid: Some(vec![9]) })),
        ("unknown key beside a known one", &[9, 1], policy(1, 0), Ok(())),
        ("operator alone", &[3], policy(1, 0), Err(missing_author)),
        (
            "author without operator",
            &[1],
            policy(1, 1),
            Err(Refusal::OperatorSignatureMissing { needed: 1, found: 0 }),
        ),
        ("author and operator", &[1, 3], policy(1, 1), Ok(())),
        (
            "one author of two",
            &[1],
            policy(2, 0),
            Err(Refusal::AuthorSignatureMissing { needed: 2, found: 1 }),
        ),
        (
            "one author twice",
            &[1, 1],
            policy(2, 0),
            Err(Refusal::AuthorSignatureMissing { needed: 2, found: 1 }),
        ),
        ("two authors", &[2, 1], policy(2, 0), Ok(())),
    ];
    for (name, keys, policy, expected) in rows {
        assert_eq!(verify(&envelope_signed_by(keys), &list(policy, entries())), expected, "{name}");
    }
}

#[test]
fn tells_a_wrong_signature_from_an_unknown_signer() {
    // Key 2 signs in the name of key 1.
    let mut envelope = build(&recipe(1).manifest().expect("a recipe"));
    envelope.sign(&key(2), Some(&[1]));
    assert_eq!(verify(&envelope.to_bytes(), &one_author()), Err(Refusal::BadSignature { kid: vec![1] }));
    let mut envelope = build(&recipe(1).manifest().expect("a recipe"));
    envelope.sign(&key(2), None);
    assert_eq!(verify(&envelope.to_bytes(), &one_author()), Err(Refusal::UnknownSigner { kid: None }));
}

/// The manifest is a byte string that holds no manifest at all, under a digest that is right.
#[test]
fn nothing_of_a_manifest_is_read_before_it_is_known_who_signed_it() {
    let content = [0xff, 0xff];
    let wrapped = cbor::Writer::encode(|w| _ = w.bytes(&content));
    let digest = support::sha256(&wrapped);
    let digest = cbor::Writer::encode(|w| _ = w.array(2).int(-16).bytes(digest.as_bytes()));
    let envelope = |block: &[u8], content: &[u8]| {
        let wrapper = cbor::Writer::encode(|w| _ = w.array(2).bytes(&digest).bytes(block));
        cbor::Writer::encode(|w| _ = w.tag(107).map(2).int(2).bytes(&wrapper).int(3).bytes(content))
    };
    let by = |signer| cose::Sign1Builder::new().kid(&[signer]).sign_detached(&key(signer), &digest);
    let (list, unknown) = (one_author(), Refusal::UnknownSigner { kid: Some(vec![2]) });

    let bytes = envelope(&by(2), &content);
    let stranger = Envelope::decode(&bytes).expect("an envelope");
    assert_eq!(stranger.authenticate(&list).map(drop), Err(unknown.clone()));
    assert_eq!(stranger.verify(&list).map(drop), Err(unknown));

    let bytes = envelope(&by(1), &[0xff, 0xfe]);
    let changed = Envelope::decode(&bytes).expect("an envelope");
    let mismatch = Refusal::DigestMismatch { member: Member::Manifest };
    assert_eq!(changed.authenticate(&list).map(drop), Err(mismatch));

    let bytes = envelope(&by(1), &content);
    let signed = Envelope::decode(&bytes).expect("an envelope");
    let authentic = signed.authenticate(&list).expect("the author signed it");
    assert_eq!(authentic.manifest_bytes(), content);
    assert_eq!((authentic.signatures_by(Role::Author), authentic.signatures_by(Role::Operator)), (1, 0));
    assert!(matches!(authentic.believe(), Err(Refusal::Manifest(_))));
    assert!(matches!(authentic.believe_dependency(None), Err(Refusal::Manifest(_))));
}

#[test]
fn every_flipped_bit_is_refused() {
    let mut manifest = recipe(1).manifest().expect("a recipe");
    manifest.coswid(&[0xa0]).sever(Severable::Coswid);
    let bytes = signed(&manifest);
    assert_eq!(code_of(&bytes, &one_author()), "ok");
    // Only the tag of the envelope, which may be absent, and the unprotected header are nobody's word.
    let kid = bytes.windows(3).position(|w| w == [0x04, 0x41, 0x01]).expect("the key identifier");
    for at in 2..bytes.len() {
        let code = code_of(&flipped(&bytes, at), &one_author());
        assert!(code != "ok" || (kid..kid + 3).contains(&at), "byte {at} can be changed");
    }
}

#[test]
fn digest_of_another_manifest_is_a_mismatch() {
    let ours = signed(&recipe(1).manifest().expect("a recipe"));
    let mut other = recipe(1).manifest().expect("a recipe");
    other.reference_uri("https://example.com/").coswid(&[0xa0]).sever(Severable::Coswid);
    let other = signed(&other);
    let at = other.len() - 1;
    let mismatch = |member| Err(Refusal::DigestMismatch { member });
    // The last byte is the content of the severed member.
    let expected = mismatch(Member::Severed(Severable::Coswid));
    assert_eq!(verify(&flipped(&other, at), &one_author()), expected);
    let at = ours.len() - 1;
    assert_eq!(verify(&flipped(&ours, at), &one_author()), mismatch(Member::Manifest));
}

#[test]
fn severed_member_without_a_digest_is_nobodys_word() {
    let bytes = signed(&recipe(1).manifest().expect("a recipe"));
    let mut extended = bytes.clone();
    // One more entry: 14 (CoSWID) => h'a0'.
    assert_eq!(extended[2], 0xa2);
    extended[2] = 0xa3;
    extended.extend([0x0e, 0x41, 0xa0]);
    let member = Member::Severed(Severable::Coswid);
    assert_eq!(verify(&extended, &one_author()), Err(Refusal::DigestMismatch { member }));
}

#[test]
fn author_changes_only_components_in_its_scope() {
    let bytes = signed(&recipe(1).manifest().expect("a recipe"));
    let scoped = |prefixes: &[&str]| {
        let mut entry = authority(1, Role::Author);
        entry.components = prefixes.iter().map(|prefix| component(prefix)).collect();
        list(policy(1, 0), vec![entry])
    };
    assert_eq!(verify(&bytes, &scoped(&["fw"])), Ok(()));
    assert_eq!(verify(&bytes, &scoped(&["app", "fw"])), Ok(()));
    let refusal = Err(Refusal::AuthorNotAuthorised { component: component("fw") });
    assert_eq!(verify(&bytes, &scoped(&["app"])), refusal);
    assert_eq!(verify(&bytes, &scoped(&["fw/boot"])), refusal);

    let mut manifest = recipe(1).manifest().expect("a recipe");
    manifest.component_id(component("manifests/root"));
    let refusal = Err(Refusal::AuthorNotAuthorised { component: component("manifests/root") });
    assert_eq!(verify(&signed(&manifest), &scoped(&["fw"])), refusal);
}

#[test]
fn author_signs_only_for_its_vendor_and_class() {
    let good = signed(&recipe(1).manifest().expect("a recipe"));
    // Sets another class later, where the shared sequence has checked already.
    let other_class = Parameter::ClassId(Uuid::from([7; 16]));
    let mut sneaky = recipe(1).manifest().expect("a recipe");
    sneaky.section(Section::Load, seq().override_parameters(&[other_class]));
    let sneaky = signed(&sneaky);
    // Names both and checks one.
    let checking = |condition| {
        let ids = [Parameter::VendorId(VendorId::Uuid(vendor())), Parameter::ClassId(class())];
        let mut manifest = ManifestBuilder::new(1);
        manifest.component(component("fw"));
        manifest.shared(seq().override_parameters(&ids).condition(condition, ALWAYS));
        signed(&manifest)
    };
    let vendor_only = checking(Condition::VendorIdentifier);
    let class_only = checking(Condition::ClassIdentifier);

    let scoped = |vendor: Option<Uuid>, class: Option<Uuid>| {
        list(policy(1, 0), vec![Authority { vendor, class, ..authority(1, Role::Author) }])
    };
    let other = Uuid::from([1; 16]);
    let out = Err(Refusal::AuthorOutOfScope);
    let rows = [
        (&good, Some(vendor()), Some(class()), Ok(())),
        (&good, Some(vendor()), None, Ok(())),
        (&good, Some(other), None, out.clone()),
        (&good, Some(vendor()), Some(other), out.clone()),
        (&sneaky, Some(vendor()), None, Ok(())),
        (&sneaky, None, Some(class()), out.clone()),
        (&vendor_only, Some(vendor()), None, Ok(())),
        (&vendor_only, None, Some(class()), out.clone()),
        (&class_only, None, Some(class()), Ok(())),
        (&class_only, Some(vendor()), None, out),
    ];
    for (row, (bytes, vendor, class, expected)) in rows.into_iter().enumerate() {
        assert_eq!(verify(bytes, &scoped(vendor, class)), expected, "row {row}");
    }
}

#[test]
fn key_with_two_scopes_may_use_either() {
    let bytes = signed(&recipe(1).manifest().expect("a recipe"));
    let elsewhere = Authority { class: Some(Uuid::from([1; 16])), ..authority(1, Role::Author) };
    let here = Authority { class: Some(class()), ..authority(1, Role::Author) };
    assert_eq!(verify(&bytes, &list(policy(1, 0), vec![elsewhere, here])), Ok(()));
}

#[test]
fn sequence_numbers_only_rise() {
    let bytes = signed(&recipe(7).manifest().expect("a recipe"));
    let bounded = AuthorityPolicy { max_sequence_jump: Some(100), ..AuthorityPolicy::default() };
    let list = list(bounded, vec![authority(1, Role::Author)]);
    let verified = Envelope::decode(&bytes).expect("decodes").verify(&list).expect("verifies");
    let installed = |sequence_number, manifest_digest| Some(Installed { sequence_number, manifest_digest });
    let same = Some(verified.manifest_digest());
    let another = Some(Digest::of(HashAlgorithm::Sha256, b"another"));
    let rows = [
        (None, Ok(())),
        (installed(6, another), Ok(())),
        (installed(7, same), Ok(())),
        (installed(7, another), Err(Refusal::SequenceReused { sequence_number: 7 })),
        (installed(7, None), Err(Refusal::SequenceReused { sequence_number: 7 })),
        (installed(8, same), Err(Refusal::SequenceTooLow { offered: 7, installed: 8 })),
        (installed(u64::MAX, None), Err(Refusal::SequenceTooLow { offered: 7, installed: u64::MAX })),
    ];
    for (installed, expected) in rows {
        assert_eq!(verified.admit(installed.as_ref()), expected, "{installed:?}");
    }
    let bytes = signed(&recipe(1 << 63).manifest().expect("a recipe"));
    let verified = Envelope::decode(&bytes).expect("decodes").verify(&list).expect("verifies");
    let jump = Err(Refusal::SequenceJump { offered: 1 << 63, installed: 5 });
    assert_eq!(verified.admit(installed(5, None).as_ref()), jump);
}

#[test]
fn operator_approves_beside_the_author() {
    let author_only = envelope_signed_by(&[1]);
    let list = list(policy(1, 1), vec![authority(1, Role::Author), authority(3, Role::Operator)]);
    assert_eq!(code_of(&author_only, &list), "operator-signature-missing");
    let approved =
        Envelope::decode(&author_only).expect("decodes").sign(&key(3), Some(&[3])).expect("is approved");
    let kept = VerifiedManifest::verify(approved, &list).expect("verifies");
    let roles: Vec<Role> = kept.open().signers().iter().map(|signer| signer.role).collect();
    assert_eq!(roles, [Role::Author, Role::Operator]);
}

#[test]
fn other_kinds_of_signatures() {
    let manifest = recipe(1).manifest().expect("a recipe");
    let bare = build(&manifest).to_bytes();
    let bare = Envelope::decode(&bare).expect("decodes");
    let attached = cose::Sign1Builder::new().kid(&[1]).sign(&key(1), bare.signed_bytes());
    let of_raw =
        cose::Sign1Builder::new().kid(&[1]).sign_detached(&key(1), bare.manifest_digest_claimed().as_bytes());
    let untagged = cose::Sign1Builder::new().untagged().sign_detached(&key(1), bare.signed_bytes());
    let modern = cose::Sign1Builder::new().fully_specified().sign_detached(&key(1), bare.signed_bytes());
    let rows: [(&str, &[u8], &str); 5] = [
        ("payload attached, as in drafts up to 11", &attached, "unsupported-authentication"),
        ("over the digest without its algorithm", &of_raw, "bad-manifest-signature"),
        ("without a tag", &untagged, "unsupported-authentication"),
        ("not even CBOR", &[0xff], "unsupported-authentication"),
        ("fully specified algorithm", &modern, "ok"),
    ];
    for (name, block, code) in rows {
        assert_eq!(code_of(&bare.with_signature(block), &one_author()), code, "{name}");
    }
}

#[test]
fn several_signers_in_one_block_count_each() {
    let bare = build(&recipe(1).manifest().expect("a recipe")).to_bytes();
    let bare = Envelope::decode(&bare).expect("decodes");
    let (author, operator) = (key(1), key(3));
    let signers =
        [cose::Signer { key: &author, kid: Some(&[1]) }, cose::Signer { key: &operator, kid: Some(&[3]) }];
    let block = cose::SignBuilder::new().sign_detached(&signers, bare.signed_bytes());
    let both = vec![authority(1, Role::Author), authority(3, Role::Operator)];
    assert_eq!(code_of(&bare.with_signature(&block), &list(policy(1, 1), both)), "ok");
    let strangers = vec![authority(8, Role::Author), authority(9, Role::Operator)];
    assert_eq!(code_of(&bare.with_signature(&block), &list(policy(1, 1), strangers)), "unknown-signer");
}

#[test]
fn key_without_identifier_is_tried_on_every_signature() {
    let nameless = |seed| Authority { kid: vec![], ..authority(seed, Role::Author) };
    let bytes = envelope_signed_by(&[1]);
    assert_eq!(verify(&bytes, &list(policy(1, 0), vec![nameless(1)])), Ok(()));
    let unknown = Err(Refusal::UnknownSigner { kid: Some(vec![1]) });
    assert_eq!(verify(&bytes, &list(policy(1, 0), vec![nameless(2)])), unknown);
    // The right key stands at the limit, and one past it.
    for (others, expected) in [(MAX_CANDIDATE_KEYS - 1, Ok(())), (MAX_CANDIDATE_KEYS, unknown)] {
        let mut entries: Vec<_> = (0..others).map(|n| nameless(100 + n as u8)).collect();
        // Entries are tried in the order of their names.
        entries.push(Authority { name: "the last".into(), ..nameless(1) });
        assert_eq!(verify(&bytes, &list(policy(1, 0), entries)), expected, "{others} keys before");
    }
}

#[test]
fn authority_list_has_one_encoding_and_no_ambiguity() {
    let full = Authority {
        vendor: Some(vendor()),
        class: Some(class()),
        components: vec![component("fw"), component("app/0x01")],
        ..authority(1, Role::Author)
    };
    let policy_full = AuthorityPolicy {
        authors: 1,
        operators: 1,
        max_sequence_jump: Some(10),
        roots: 1,
        shared_keys: false,
    };
    let original = list(policy_full, vec![full, authority(3, Role::Operator)]);
    let bytes = original.to_bytes();
    assert_eq!(AuthorityList::decode(&bytes), Ok(original));
    for at in 0..bytes.len() {
        assert!(AuthorityList::decode(&bytes[..at]).is_err(), "cut at {at}");
    }
    let two_roles = vec![authority(1, Role::Author), authority(1, Role::Operator)];
    assert_eq!(AuthorityList::new(policy(1, 0), two_roles), Err(AuthorityError::KeyWithTwoRoles));
    assert_eq!(AuthorityList::new(policy(0, 1), vec![]), Err(AuthorityError::NoAuthorNeeded));
    let many = |count| AuthorityList::new(policy(1, 0), vec![authority(1, Role::Author); count]);
    assert!(many(MAX_AUTHORITIES).is_ok());
    assert_eq!(many(MAX_AUTHORITIES + 1), Err(AuthorityError::TooMany));
}
