//! Keys that authors share with devices: off unless a list allows them, and never on a list themselves.

mod support;

use cose::MacKey;
use crypto::HashAlgorithm;
use sextant_suit::{
    Authority, AuthorityError, AuthorityList, AuthorityPolicy, ComponentId, Envelope, Refusal, Role,
    SharedKeys, limits::MAX_SHARED_KEYS,
};
use testkit::{read_hex, vectors};

const SECRET: [u8; 32] = *b"32 bytes that nobody else has...";

fn mac(secret: &[u8]) -> MacKey {
    MacKey::new(HashAlgorithm::Sha256, secret).expect("long enough")
}

fn allowing() -> AuthorityPolicy {
    AuthorityPolicy { shared_keys: true, ..AuthorityPolicy::default() }
}

fn fleet() -> Authority {
    Authority::shared(HashAlgorithm::Sha256, b"fleet", "fleet")
}

fn list() -> AuthorityList {
    AuthorityList::new(allowing(), vec![fleet()]).expect("a list")
}

fn knowing(list: AuthorityList, secret: &[u8]) -> AuthorityList {
    list.holding(SharedKeys::new(vec![(b"fleet".to_vec(), mac(secret))]).expect("a key"))
}

/// The usual release under a MAC of this secret and identifier.
fn release(secret: &[u8], kid: Option<&[u8]>) -> Vec<u8> {
    let unsigned = support::build(&support::recipe(1).manifest().expect("a manifest")).to_bytes();
    Envelope::decode(&unsigned).expect("decodes").with_mac(&mac(secret), kid).expect("is whole")
}

fn verify(bytes: &[u8], list: &AuthorityList) -> Result<Vec<String>, Refusal> {
    let verified = Envelope::decode(bytes).expect("decodes").verify(list)?;
    Ok(verified.signers().iter().map(|signer| format!("{} {}", signer.name, signer.role)).collect())
}

#[test]
fn a_mac_counts_where_the_list_allows_it_and_the_recipient_has_the_key() {
    let named = release(&SECRET, Some(b"fleet"));
    let nameless = release(&SECRET, None);
    for bytes in [&named, &nameless] {
        assert_eq!(verify(bytes, &knowing(list(), &SECRET)), Ok(vec!["fleet author".to_owned()]));
        // A list without the permission is that of a device which knows no MAC, whatever it holds.
        let author = support::authority(1, Role::Author);
        let silent = AuthorityList::with_default_policy(vec![author]).expect("a list");
        assert_eq!(verify(bytes, &knowing(silent, &SECRET)), Err(Refusal::UnsupportedAuthentication));
        // The public list alone believes nothing.
        assert_eq!(verify(bytes, &list()), Err(Refusal::SharedKeyMissing { kid: b"fleet".to_vec() }));
    }
    let other = [1; 32];
    let wrong = Refusal::BadSignature { kid: b"fleet".to_vec() };
    assert_eq!(verify(&named, &knowing(list(), &other)), Err(wrong));
    assert_eq!(verify(&nameless, &knowing(list(), &other)), Err(Refusal::UnknownSigner { kid: None }));
    // It is bound to its identifier: the right secret under another name is another key.
    let renamed = release(&SECRET, Some(b"other"));
    let unknown = Refusal::UnknownSigner { kid: Some(b"other".to_vec()) };
    assert_eq!(verify(&renamed, &knowing(list(), &SECRET)), Err(unknown));
    // Every byte of the tag and of what it covers counts.
    let tag =
        support::flipped(&named, named.windows(5).position(|five| five == b"fleet").expect("is there") + 10);
    assert!(verify(&tag, &knowing(list(), &SECRET)).is_err());
}

#[test]
fn it_has_the_scope_of_its_entry_and_counts_as_one_author() {
    let scoped = Authority { components: vec![ComponentId::new(&["other"]).expect("short")], ..fleet() };
    let scoped = AuthorityList::new(allowing(), vec![scoped]).expect("a list");
    let refused = verify(&release(&SECRET, None), &knowing(scoped, &SECRET)).expect_err("is out of scope");
    assert_eq!(refused.code(), "author-not-authorised");
    // Two authors are two keys: the MAC twice is one.
    let two = AuthorityPolicy { authors: 2, ..allowing() };
    let author = support::authority(1, Role::Author);
    let two = AuthorityList::new(two, vec![fleet(), author]).expect("a list");
    let once = release(&SECRET, None);
    let envelope = Envelope::decode(&once).expect("decodes");
    let twice = envelope.with_mac(&mac(&SECRET), Some(b"fleet")).expect("is whole");
    let missing = Refusal::AuthorSignatureMissing { needed: 2, found: 1 };
    assert_eq!(verify(&twice, &knowing(two.clone(), &SECRET)), Err(missing));
    let both = envelope.sign(&support::key(1), None).expect("is whole");
    assert_eq!(verify(&both, &knowing(two, &SECRET)).map(|names| names.len()), Ok(2));
}

#[test]
fn lists_name_shared_keys_only_where_they_allow_them_and_for_authors_alone() {
    let new = |policy, entry| AuthorityList::new(policy, vec![entry]).map(|_| ());
    assert_eq!(new(AuthorityPolicy::default(), fleet()), Err(AuthorityError::SharedKeysNotAllowed));
    for role in [Role::Operator, Role::Root, "safety".parse().expect("a party")] {
        assert_eq!(new(allowing(), Authority { role, ..fleet() }), Err(AuthorityError::SharedKeyRole));
    }
    let nameless = Authority::shared(HashAlgorithm::Sha256, b"", "fleet");
    assert_eq!(new(allowing(), nameless), Err(AuthorityError::SharedKeyUnnamed));
    let renamed = Authority { kid: b"other".to_vec(), ..fleet() };
    assert_eq!(new(allowing(), renamed), Err(AuthorityError::SharedKeyUnnamed));
    let keys = |count: usize| {
        SharedKeys::new((0..count).map(|number| (vec![number as u8], mac(&SECRET))).collect()).map(|_| ())
    };
    assert_eq!(keys(MAX_SHARED_KEYS), Ok(()));
    assert_eq!(keys(MAX_SHARED_KEYS + 1), Err(AuthorityError::TooMany));
    let twice = SharedKeys::new(vec![(b"fleet".to_vec(), mac(&SECRET)), (b"fleet".to_vec(), mac(&SECRET))]);
    assert!(twice.is_err());
    assert!(MacKey::new(HashAlgorithm::Sha256, &[7; 15]).is_err(), "128 bits at least");
}

#[test]
fn nothing_that_a_list_says_depends_on_the_secret() {
    let (one, other) = (knowing(list(), &SECRET), knowing(list(), &[9; 32]));
    for holding in [&one, &other] {
        assert_eq!(holding.to_bytes(), list().to_bytes());
        assert_eq!(holding.digest(HashAlgorithm::Sha256), list().digest(HashAlgorithm::Sha256));
        let shown = format!("{holding:?}");
        assert!(!shown.contains("32 bytes") && shown.contains("SharedKeys(..)"), "{shown}");
    }
    let bytes = one.to_bytes();
    let decoded = AuthorityList::decode(&bytes).expect("decodes");
    assert_eq!(decoded, list());
    assert!(verify(&release(&SECRET, None), &decoded).is_err(), "the secret did not travel");
    // Lists of before are encoded as they were.
    let plain = support::one_author().to_bytes();
    assert_eq!(AuthorityList::decode(&plain).map(|list| list.policy().shared_keys), Ok(false));
    // Said though it need not be, and another key beside it, are refused.
    let mut said = bytes.clone();
    let at = said.windows(2).position(|two| two == [0x05, 0xf5]).expect("the permission");
    said[at + 1] = 0xf4;
    assert!(AuthorityList::decode(&said).is_err());
}

/// The published examples of firmware encryption whose manifests a shared key authenticates.
#[test]
fn published_examples_with_a_mac_are_believed_with_their_key() {
    let Some(folder) = vectors("suit") else { return };
    let read = |path: &str| read_hex(&folder.join(path));
    let key = MacKey::decode(&read("keys/trust_anchor_hmac256_cose_key_secret.cosekey.hex")).expect("a key");
    let secrets = SharedKeys::new(vec![(b"anchor".to_vec(), key)]).expect("a key");
    let entry = Authority::shared(HashAlgorithm::Sha256, b"anchor", "trust anchor");
    let list = AuthorityList::new(allowing(), vec![entry]).expect("a list").holding(secrets);
    for name in ["suit-manifest-aes-kw", "suit-manifest-aes-kw-content"] {
        let bytes = read(&format!("firmware-encryption/{name}.hex"));
        assert_eq!(verify(&bytes, &list), Ok(vec!["trust anchor author".to_owned()]), "{name}");
    }
}
