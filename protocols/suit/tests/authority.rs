//! Whom a recipient obeys: rules beyond the policy, changes of the list, and lists that would lock everybody out.

mod support;

use crypto::HashAlgorithm;
use sextant_suit::{
    Authority, AuthorityError, AuthorityList, AuthorityPolicy, AuthorityUpdate, ComponentId, Envelope,
    Installed, LockOut, ManifestBuilder, Party, Recipient, Refusal, Role, Rule, UpdateProposal,
    UpdateRefusal, UpdateScope, Uuid,
    limits::{
        MAX_AUTHORITIES, MAX_AUTHORITY_KID, MAX_AUTHORITY_LIST_LEN, MAX_AUTHORITY_NAME,
        MAX_AUTHORITY_PREFIXES, MAX_AUTHORITY_RULES, MAX_AUTHORITY_UPDATE_LEN, MAX_ROOT_SIGNATURES,
        MAX_UPDATE_DEVICE_LEN, MAX_UPDATE_DEVICES,
    },
};
use support::{authority, build, class, component, key, recipe, vendor};

fn safety() -> Role {
    Role::Party(Party::new("safety").expect("a name"))
}

fn list(policy: AuthorityPolicy, entries: Vec<Authority>) -> AuthorityList {
    AuthorityList::new(policy, entries).expect("a list")
}

/// Roots 50, 51, 52, two of which must sign; author 1.
fn present() -> AuthorityList {
    let policy = AuthorityPolicy { roots: 2, ..AuthorityPolicy::default() };
    let roots = [50, 51, 52].map(|seed| authority(seed, Role::Root));
    list(policy, roots.into_iter().chain([authority(1, Role::Author)]).collect())
}

/// The same with author 2 in place of 1.
fn next() -> AuthorityList {
    let present = present();
    let kept = present.entries().iter().filter(|entry| entry.role == Role::Root).cloned();
    list(*present.policy(), kept.chain([authority(2, Role::Author)]).collect())
}

fn proposal(next: AuthorityList) -> UpdateProposal {
    UpdateProposal::new(&present(), next, UpdateScope::default()).expect("a proposal")
}

/// The proposal signed by these keys, each on its own, then merged.
fn signed(proposal: &UpdateProposal, signers: &[u8]) -> Vec<u8> {
    let alone = |seed: &u8| proposal.sign(&key(*seed), &[*seed]);
    let mut signed = signers.iter().map(alone);
    let first = signed.next().expect("a signer");
    signed.fold(first, |merged, one| decode(&merged).merge(&decode(&one)).expect("the same change"))
}

fn decode(bytes: &[u8]) -> AuthorityUpdate<'_> {
    AuthorityUpdate::decode(bytes).expect("an update")
}

fn device() -> Recipient<'static> {
    Recipient { vendor: vendor(), class: class(), device: &[1; 17] }
}

/// The code of a refusal, or `ok`.
fn code(update: &[u8], present: &AuthorityList) -> &'static str {
    let verified = AuthorityUpdate::decode(update).and_then(|update| update.verify(present, Some(&device())));
    match verified {
        Ok(verified) => {
            assert_eq!(*verified.follows(), present.digest(HashAlgorithm::Sha256));
            assert!(verified.signers().len() >= usize::from(present.policy().roots));
            "ok"
        }
        Err(refusal) => refusal.code(),
    }
}

#[test]
fn an_update_is_taken_only_from_enough_roots_in_its_turn_and_each_fault_has_its_code() {
    let good = proposal(next());
    let rotated = {
        let mut entries: Vec<_> = [51, 52, 53].iter().map(|seed| authority(*seed, Role::Root)).collect();
        entries.push(authority(1, Role::Author));
        proposal(list(AuthorityPolicy { roots: 3, ..AuthorityPolicy::default() }, entries))
    };
    let promoted = {
        let mut entries: Vec<_> = [50, 51, 1].iter().map(|seed| authority(*seed, Role::Root)).collect();
        entries.push(authority(2, Role::Author));
        proposal(list(AuthorityPolicy { roots: 2, ..AuthorityPolicy::default() }, entries))
    };
    let scoped = |scope| UpdateProposal::new(&present(), next(), scope).expect("a proposal");
    let other = Uuid::from([9; 16]);
    let for_vendor = |vendor| scoped(UpdateScope { vendor: Some(vendor), ..UpdateScope::default() });
    let for_class = |class| scoped(UpdateScope { class: Some(class), ..UpdateScope::default() });
    let for_devices = |devices: &[u8]| {
        let devices = devices.iter().map(|byte| vec![*byte; 17]).collect();
        scoped(UpdateScope { devices, ..UpdateScope::default() })
    };
    let two = |proposal: &UpdateProposal| signed(proposal, &[50, 52]);

    let twice = {
        let once = good.sign(&key(50), &[50]);
        let again = cose::SignBuilder::new()
            .external_aad(sextant_suit::AUTHORITY_UPDATE_CONTEXT)
            .sign(&[cose::Signer { key: &key(50), kid: None }], &good.encode());
        decode(&once).merge(&decode(&again)).expect("the same change")
    };
    let bad_name = decode(&two(&good)).sign(&key(77), &[51]).expect("room for it");
    let stranger = decode(&two(&good)).sign(&key(77), &[77]).expect("room for it");
    let other_context = cose::SignBuilder::new().sign(
        &[cose::Signer { key: &key(50), kid: Some(&[50]) }, cose::Signer { key: &key(51), kid: Some(&[51]) }],
        &good.encode(),
    );
    let skipped = {
        let second = next().with_version(2);
        UpdateProposal::new(&second, present(), UpdateScope::default()).expect("a proposal")
    };
    let of_another = {
        let another = next();
        UpdateProposal::new(&another, present(), UpdateScope::default()).expect("a proposal")
    };

    for (what, update, expected) in [
        ("two roots of three", two(&good), "ok"),
        ("three of three", signed(&good, &[50, 51, 52]), "ok"),
        ("one root of two needed", signed(&good, &[51]), "authority-root-signatures-missing"),
        ("one root twice", twice, "authority-signed-twice"),
        ("a delegate alone", signed(&good, &[1]), "authority-not-root"),
        ("a delegate beside enough roots", signed(&good, &[50, 51, 1]), "authority-not-root"),
        ("a delegate of the new list", signed(&good, &[50, 51, 2]), "authority-not-root"),
        ("a stranger beside enough roots", stranger, "authority-unknown-signer"),
        ("a stranger in a root's name", bad_name, "authority-bad-signature"),
        ("signatures for another purpose", other_context, "authority-bad-signature"),
        (
            "new roots by the old ones alone",
            signed(&rotated, &[50, 51]),
            "authority-new-root-signatures-missing",
        ),
        ("new roots by the new ones alone", signed(&rotated, &[52, 53]), "authority-root-signatures-missing"),
        ("new roots by both", signed(&rotated, &[51, 52, 53]), "ok"),
        (
            "an author who becomes root, alone",
            signed(&promoted, &[1, 50]),
            "authority-root-signatures-missing",
        ),
        ("an author who becomes root, beside two", signed(&promoted, &[1, 50, 51]), "ok"),
        ("this vendor", two(&for_vendor(vendor())), "ok"),
        ("another vendor", two(&for_vendor(other)), "authority-update-out-of-scope"),
        ("this class", two(&for_class(class())), "ok"),
        ("another class", two(&for_class(other)), "authority-update-out-of-scope"),
        ("this device among others", two(&for_devices(&[3, 1])), "ok"),
        ("other devices", two(&for_devices(&[2, 3])), "authority-update-out-of-scope"),
        ("a version too far", two(&skipped), "authority-version-skipped"),
        ("another predecessor of the same version", two(&of_another), "authority-wrong-predecessor"),
        ("a flipped bit", flipped(&two(&good)), "authority-bad-signature"),
        ("no update", b"\xa0".to_vec(), "authority-update-malformed"),
    ] {
        assert_eq!(code(&update, &present()), expected, "{what}");
    }

    // Once it is in force it is replayed, and whatever else made that version is too old.
    let in_force = good.list().clone();
    assert_eq!(in_force.version(), 2);
    assert_eq!(code(&two(&good), &in_force), "authority-update-replayed");
    assert_eq!(code(&signed(&rotated, &[51, 52, 53]), &in_force), "authority-version-too-low");
    // Going back to the old list is a new version of it, signed like any other.
    let back = UpdateProposal::new(&in_force, present(), UpdateScope::default()).expect("a proposal");
    assert_eq!((code(&two(&back), &in_force), back.list().version()), ("ok", 3));
    // Whoever relays an update need not be whom it is for.
    let elsewhere = two(&for_vendor(other));
    assert!(decode(&elsewhere).verify(&present(), None).is_ok());
}

/// The last bit of the last signature flipped.
fn flipped(update: &[u8]) -> Vec<u8> {
    let mut bytes = update.to_vec();
    *bytes.last_mut().expect("bytes") ^= 1;
    bytes
}

#[test]
fn the_tally_says_who_signed_and_how_many_are_missing() {
    let update = signed(&proposal(next()), &[51, 1]);
    let tally = decode(&update).tally(&present());
    let names: Vec<_> = tally.seals.iter().map(|seal| seal.as_ref().map(|seal| seal.name.as_str())).collect();
    assert_eq!(names[0], Ok("key 51"));
    assert_eq!(names[1], Err(&UpdateRefusal::NotRoot { name: "key 1".into() }));
    assert_eq!((tally.present, tally.next), ((2, 1), (2, 1)));
}

#[test]
fn signatures_are_merged_once_each_and_only_on_one_change() {
    let one = proposal(next()).sign(&key(50), &[50]);
    let two = decode(&one).sign(&key(51), &[51]).expect("one more");
    assert_eq!(decode(&one).merge(&decode(&two)), Ok(two.clone()));
    let other = UpdateProposal::new(&present(), present(), UpdateScope::default()).expect("a proposal");
    let other = other.sign(&key(51), &[51]);
    assert_eq!(decode(&one).merge(&decode(&other)), Err(AuthorityError::OtherUpdate));
    let mut full = one;
    for seed in 60..67 {
        full = decode(&full).sign(&key(seed), &[seed]).expect("at most eight");
    }
    assert_eq!(decode(&full).signatures(), cose::MAX_SIGNATURES);
    assert_eq!(decode(&full).sign(&key(67), &[67]), Err(AuthorityError::TooManySignatures));
}

#[test]
fn rules_ask_for_more_keys_where_more_is_at_stake() {
    let boot = component("boot");
    let rules = vec![
        Rule { role: Role::Author, signatures: 2, components: Some(boot.clone()) },
        Rule { role: Role::Operator, signatures: 1, components: Some(boot.clone()) },
        Rule { role: safety(), signatures: 1, components: None },
    ];
    let boot_only = Authority { components: vec![boot], ..authority(3, Role::Author) };
    let safety_of_class = Authority { class: Some(class()), ..authority(5, safety()) };
    let entries = vec![
        authority(1, Role::Author),
        authority(2, Role::Author),
        boot_only,
        authority(4, Role::Operator),
        safety_of_class,
        authority(50, Role::Root),
    ];
    let list = list(AuthorityPolicy::default(), entries).with_rules(rules).expect("rules");
    assert_eq!(list.lock_out(), None);
    assert_eq!(AuthorityList::decode(&list.to_bytes()), Ok(list.clone()));

    let app = recipe(1);
    let stage = recipe_for("boot/stage2");
    let other_class = {
        let mut other = recipe(1);
        other.class = Uuid::from([7; 16]);
        other
    };
    let rows: [(&str, _, &[u8], &str); 10] = [
        ("an application", &app, &[1, 5], "ok"),
        ("without safety", &app, &[1], "party-signature-missing"),
        ("safety of another class", &other_class, &[1, 5], "party-signature-missing"),
        ("by who may change the boot loader only", &app, &[3, 5], "author-not-authorised"),
        ("a boot loader with one author", &stage, &[1, 4, 5], "component-signature-missing"),
        ("with one author twice", &stage, &[1, 1, 4, 5], "component-signature-missing"),
        ("without operator", &stage, &[1, 2, 5], "component-signature-missing"),
        ("with all", &stage, &[1, 2, 4, 5], "ok"),
        ("with the one for it", &stage, &[1, 3, 4, 5], "ok"),
        ("by a root in place of an author", &stage, &[50, 3, 4, 5], "component-signature-missing"),
    ];
    for (what, recipe, signers, expected) in rows {
        let mut envelope = build(&recipe.manifest().expect("a recipe"));
        for seed in signers {
            envelope.sign(&key(*seed), Some(&[*seed]));
        }
        assert_eq!(support::code_of(&envelope.to_bytes(), &list), expected, "{what}");
    }
}

fn recipe_for(name: &str) -> sextant_suit::ReleaseRecipe {
    let mut recipe = recipe(1);
    recipe.images[0].component = component(name);
    recipe
}

#[test]
fn an_operator_with_a_scope_approves_nothing_outside_it() {
    let policy = AuthorityPolicy { operators: 1, ..AuthorityPolicy::default() };
    let mut envelope = build(&recipe(1).manifest().expect("a recipe"));
    envelope.sign(&key(1), Some(&[1])).sign(&key(4), Some(&[4]));
    let bytes = envelope.to_bytes();
    let approved_by = |operator: Authority| {
        support::code_of(&bytes, &list(policy, vec![authority(1, Role::Author), operator]))
    };
    let operator = || authority(4, Role::Operator);
    assert_eq!(approved_by(operator()), "ok");
    assert_eq!(approved_by(Authority { class: Some(class()), ..operator() }), "ok");
    let elsewhere = Authority { class: Some(Uuid::from([7; 16])), ..operator() };
    assert_eq!(approved_by(elsewhere), "operator-signature-missing");
    let other_component = Authority { components: vec![component("app")], ..operator() };
    assert_eq!(approved_by(other_component), "component-signature-missing");
}

#[test]
fn a_sequence_number_jumps_only_with_the_roots() {
    let policy = AuthorityPolicy { max_sequence_jump: Some(100), roots: 2, ..AuthorityPolicy::default() };
    let entries = vec![
        authority(1, Role::Author),
        authority(50, Role::Root),
        authority(51, Role::Root),
        Authority { name: "the same key".into(), kid: vec![99], ..authority(51, Role::Root) },
    ];
    let list = list(policy, entries);
    let jump = |signers: &[u8]| {
        let mut manifest = ManifestBuilder::new(1 << 63);
        manifest.component(component("fw"));
        let mut envelope = build(&manifest);
        for seed in signers {
            envelope.sign(&key(*seed), Some(&[*seed]));
        }
        let bytes = envelope.to_bytes();
        let verified = Envelope::decode(&bytes).expect("decodes").verify(&list).expect("verifies");
        verified.admit(Some(&Installed { sequence_number: 5, manifest_digest: None }))
    };
    let refused = Err(Refusal::SequenceJump { offered: 1 << 63, installed: 5 });
    assert_eq!(jump(&[1]), refused);
    assert_eq!(jump(&[1, 51]), refused, "one of two, though it is listed twice");
    assert_eq!(jump(&[1, 50, 51]), Ok(()));
}

#[test]
fn lists_that_would_lock_everybody_out_are_no_change() {
    let root = || authority(50, Role::Root);
    let author = |seed| authority(seed, Role::Author);
    let policy = |authors, operators, roots| AuthorityPolicy {
        authors,
        operators,
        roots,
        ..AuthorityPolicy::default()
    };
    let below = |seed, prefix: &str| Authority { components: vec![component(prefix)], ..author(seed) };
    let of = |seed, vendor: u8| Authority { vendor: Some(Uuid::from([vendor; 16])), ..author(seed) };
    let unreachable = |role, needed| Some(LockOut::Unreachable { role, needed });
    let rule =
        |role, signatures, prefix: Option<&str>| Rule { role, signatures, components: prefix.map(component) };
    let same_key = Authority { kid: vec![], name: "again".into(), ..author(1) };
    let boot = Some("boot");
    let rows = [
        ("one of each", policy(1, 0, 1), vec![root(), author(1)], vec![], None),
        ("no root", policy(1, 0, 1), vec![author(1)], vec![], Some(LockOut::NoRoot)),
        ("too few roots", policy(1, 0, 2), vec![root(), author(1)], vec![], unreachable(Role::Root, 2)),
        ("no author", policy(1, 0, 1), vec![root()], vec![], unreachable(Role::Author, 1)),
        (
            "one author twice",
            policy(2, 0, 1),
            vec![root(), author(1), same_key],
            vec![],
            unreachable(Role::Author, 2),
        ),
        ("no operator", policy(1, 1, 1), vec![root(), author(1)], vec![], unreachable(Role::Operator, 1)),
        (
            "authors of two vendors",
            policy(2, 0, 1),
            vec![root(), of(1, 1), of(2, 2)],
            vec![],
            unreachable(Role::Author, 2),
        ),
        ("authors of one vendor", policy(2, 0, 1), vec![root(), of(1, 1), of(2, 1)], vec![], None),
        (
            "an author of one vendor, one of all",
            policy(2, 0, 1),
            vec![root(), of(1, 1), author(2)],
            vec![],
            None,
        ),
        (
            "authors of two components",
            policy(2, 0, 1),
            vec![root(), below(1, "a"), below(2, "b")],
            vec![],
            unreachable(Role::Author, 2),
        ),
        ("one above the other", policy(2, 0, 1), vec![root(), below(1, "a"), below(2, "a/b")], vec![], None),
        (
            "a party nobody is",
            policy(1, 0, 1),
            vec![root(), author(1)],
            vec![rule(safety(), 1, None)],
            unreachable(safety(), 1),
        ),
        (
            "a rule for whom may not",
            policy(1, 0, 1),
            vec![root(), author(1), below(2, "app")],
            vec![rule(Role::Author, 2, boot)],
            unreachable(Role::Author, 2),
        ),
        (
            "a rule for who may",
            policy(1, 0, 1),
            vec![root(), author(1), below(2, "boot")],
            vec![rule(Role::Author, 2, boot)],
            None,
        ),
    ];
    for (what, policy, entries, rules, expected) in rows {
        let list = list(policy, entries).with_rules(rules).expect("a list");
        assert_eq!(list.lock_out(), expected, "{what}");
        let proposed = UpdateProposal::new(&present(), list.clone(), UpdateScope::default()).map(|_| ());
        assert_eq!(proposed, expected.map_or(Ok(()), Err), "{what}");
        if let Some(lock_out) = expected {
            // What a dishonest tool signs is refused where it is read.
            let good = proposal(next());
            let (right, wrong) = (good.list().to_bytes(), list.with_version(2).to_bytes());
            let payload = replaced(&good.encode(), &right, &wrong);
            assert_eq!(UpdateProposal::decode(&payload), Err(UpdateRefusal::LocksOut(lock_out)), "{what}");
        }
    }
    let last = present().with_version(u64::MAX);
    assert_eq!(UpdateProposal::new(&last, next(), UpdateScope::default()), Err(LockOut::LastVersion));
    let roots = |count: usize| {
        let policy = AuthorityPolicy { roots: count as u8, ..AuthorityPolicy::default() };
        let roots = (0..count).map(|n| authority(60 + n as u8, Role::Root));
        list(policy, roots.chain([author(1)]).collect()).lock_out()
    };
    assert_eq!(roots(MAX_ROOT_SIGNATURES), None);
    assert_eq!(roots(MAX_ROOT_SIGNATURES + 1), Some(LockOut::TooManyRootsNeeded));
}

/// A payload with another byte string in place of the one it wraps.
fn replaced(payload: &[u8], right: &[u8], wrong: &[u8]) -> Vec<u8> {
    let wrap = |bytes: &[u8]| {
        cbor::Writer::encode(|w| {
            w.bytes(bytes);
        })
    };
    let (right, wrong) = (wrap(right), wrap(wrong));
    let at = payload.windows(right.len()).position(|window| window == right).expect("the list");
    [&payload[..at], &wrong, &payload[at + right.len()..]].concat()
}

#[test]
fn a_list_has_one_encoding_whatever_order_it_was_made_in() {
    let entries = present().entries().to_vec();
    let reversed = entries.iter().rev().chain(entries.first()).cloned().collect();
    assert_eq!(list(*present().policy(), reversed), present(), "order and repetition say nothing");
    assert_eq!(
        sha256_hex(&present().to_bytes()),
        "77bd417c5a167c23bc214db9f98dd112c0f538d6146718f10ecc73f3c6f54012",
        "the encoding changed, and with it what every device attests"
    );
    let text = |role: Role| role.to_string();
    let roles: Vec<_> = present().entries().iter().map(|entry| text(entry.role)).collect();
    assert_eq!(roles, ["author", "root", "root", "root"]);

    // The first and the second entry change places; format 1; a format to come.
    let bytes = present().to_bytes();
    let entry = |seed, role| {
        let alone = list(AuthorityPolicy::default(), vec![authority(seed, role)]).to_bytes();
        let head = list(AuthorityPolicy::default(), vec![]).to_bytes().len();
        alone[head..].to_vec()
    };
    let (author, root) = (entry(1, Role::Author), entry(50, Role::Root));
    let (right, wrong) = ([author.clone(), root.clone()].concat(), [root, author].concat());
    let at = bytes.windows(right.len()).position(|window| window == right).expect("both entries");
    let swapped = [&bytes[..at], &wrong, &bytes[at + right.len()..]].concat();
    assert_eq!(AuthorityList::decode(&swapped), Err(AuthorityError::NotCanonical));
    let old = [0xa2, 0x01, 0xa2, 0x01, 0x01, 0x02, 0x00, 0x02, 0x80];
    assert_eq!(AuthorityList::decode(&old), Err(AuthorityError::UnsupportedFormat(1)));
    let mut future = bytes.clone();
    future[2] = 3;
    assert_eq!(AuthorityList::decode(&future), Err(AuthorityError::UnsupportedFormat(3)));
    for at in 0..bytes.len() {
        assert!(AuthorityList::decode(&bytes[..at]).is_err(), "cut at {at}");
    }
    let update = signed(&proposal(next()), &[50, 51]);
    for at in 0..update.len() {
        assert!(AuthorityUpdate::decode(&update[..at]).is_err(), "cut at {at}");
    }
}

fn sha256_hex(bytes: &[u8]) -> String {
    support::sha256(bytes).as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn limits_hold_at_the_limit_and_one_past_it() {
    let author = |change: fn(&mut Authority, usize), size: usize| {
        let mut entry = authority(1, Role::Author);
        change(&mut entry, size);
        AuthorityList::with_default_policy(vec![entry])
    };
    let name: fn(&mut Authority, usize) = |entry, size| entry.name = "n".repeat(size);
    let kid: fn(&mut Authority, usize) = |entry, size| entry.kid = vec![1; size];
    let prefixes: fn(&mut Authority, usize) = |entry, size| entry.components = (0..size).map(part).collect();
    for (what, change, limit) in [
        ("name", name, MAX_AUTHORITY_NAME),
        ("key identifier", kid, MAX_AUTHORITY_KID),
        ("prefixes", prefixes, MAX_AUTHORITY_PREFIXES),
    ] {
        let at_limit = author(change, limit).expect(what);
        assert_eq!(AuthorityList::decode(&at_limit.to_bytes()), Ok(at_limit), "{what}");
        assert_eq!(author(change, limit + 1), Err(AuthorityError::TooMany), "{what}");
    }
    let rules = |count| {
        let rule = |n| Rule { role: Role::Author, signatures: 1, components: Some(part(n)) };
        support::one_author().with_rules((0..count).map(rule).collect())
    };
    let most = rules(MAX_AUTHORITY_RULES).expect("rules");
    assert_eq!(AuthorityList::decode(&most.to_bytes()), Ok(most));
    assert_eq!(rules(MAX_AUTHORITY_RULES + 1), Err(AuthorityError::TooMany));
    let empty = Rule { role: Role::Author, signatures: 0, components: None };
    assert_eq!(support::one_author().with_rules(vec![empty]), Err(AuthorityError::EmptyRule));
    let nobody = AuthorityPolicy { roots: 0, ..AuthorityPolicy::default() };
    assert_eq!(AuthorityList::new(nobody, vec![]), Err(AuthorityError::NoRootNeeded));
    let scoped = Authority { class: Some(class()), ..authority(50, Role::Root) };
    assert_eq!(AuthorityList::with_default_policy(vec![scoped]), Err(AuthorityError::ScopedRoot));

    let devices = |count, len| {
        let devices = (0..count).map(|n| vec![n as u8; len]).collect();
        let scope = UpdateScope { devices, ..UpdateScope::default() };
        let proposal = UpdateProposal::new(&present(), next(), scope).expect("a proposal");
        UpdateProposal::decode(&proposal.encode()).is_ok()
    };
    assert!(devices(MAX_UPDATE_DEVICES, MAX_UPDATE_DEVICE_LEN));
    assert!(!devices(MAX_UPDATE_DEVICES + 1, 17));
    assert!(!devices(1, MAX_UPDATE_DEVICE_LEN + 1));
    for (limit, decode) in [
        (MAX_AUTHORITY_LIST_LEN, (|bytes| AuthorityList::decode(bytes).err()) as fn(&[u8]) -> _),
        (MAX_AUTHORITY_UPDATE_LEN, |bytes| match AuthorityUpdate::decode(bytes) {
            Err(UpdateRefusal::Malformed(error)) => Some(error),
            _ => None,
        }),
    ] {
        let too_long = Some(AuthorityError::Malformed(cbor::Error::new(0, cbor::Reason::TooLong { limit })));
        assert_ne!(decode(&vec![0; limit]), too_long);
        assert_eq!(decode(&vec![0; limit + 1]), too_long);
    }
    assert!(present().entries().len() <= MAX_AUTHORITIES);
}

fn part(number: usize) -> ComponentId {
    component(&format!("part{number}"))
}
