//! Who may have signed what (draft-ietf-suit-manifest-37, sections 6.2, 8.3; RFC 9052).

use crypto::HashAlgorithm;

use super::{Book, author, update};
use crate::author::{Item, assemble, digest_of, envelope, map, sign1, sign1_with};
use crate::keys;

pub(super) fn write(book: &mut Book) {
    believed(book);
    forged(book);
    misused(book);
}

/// The parts of a good envelope, to be put together otherwise.
struct Parts {
    manifest: Item,
    digest: Item,
}

fn parts() -> Parts {
    let manifest = update().item().wrap();
    Parts { digest: digest_of(HashAlgorithm::Sha256, &manifest.to_bytes()), manifest }
}

fn believed(book: &mut Book) {
    let Parts { manifest, digest } = parts();
    let signed = |algorithm| {
        assemble(&digest, [sign1(&author(), algorithm, &digest.to_bytes())], manifest.clone(), [])
    };
    book.believe("signed-es256", "ES256 (-7) on P-256, SHA-256", &signed(-7));
    book.believe("signed-esp256", "the same under its fully specified number -9", &signed(-9));
    let ed25519 = sign1(&keys::author_ed25519(), -19, &digest.to_bytes());
    book.believe(
        "signed-ed25519",
        "Ed25519 (-19)",
        &assemble(&digest, [ed25519.clone()], manifest.clone(), []),
    );
    let both = [sign1(&author(), -7, &digest.to_bytes()), ed25519];
    book.believe(
        "signed-twice",
        "two blocks over one digest",
        &assemble(&digest, both, manifest.clone(), []),
    );
    for (name, algorithm) in [("sha384", HashAlgorithm::Sha384), ("sha512", HashAlgorithm::Sha512)] {
        let digest = digest_of(algorithm, &manifest.to_bytes());
        let block = sign1(&author(), -7, &digest.to_bytes());
        let envelope = assemble(&digest, [block], manifest.clone(), []);
        book.believe(&format!("digest-{name}"), "another digest of the manifest", &envelope);
    }
}

fn forged(book: &mut Book) {
    const UNAUTHORISED: &[&str] = &["unauthorised"];
    let Parts { manifest, digest } = parts();
    let block = sign1(&author(), -7, &digest.to_bytes());
    let good = assemble(&digest, [block.clone()], manifest.clone(), []).to_bytes();

    let unsigned = assemble(&digest, [], manifest.clone(), []);
    book.refuse("unsigned", "no authentication block", unsigned.to_bytes(), UNAUTHORISED);
    let stranger = envelope(&update().item(), &keys::stranger(), []);
    book.refuse("signed-by-a-stranger", "a key that nobody believes", stranger.to_bytes(), UNAUTHORISED);
    // The block is the last item of the wrapper, and the manifest follows it.
    let at = good.len() - manifest.to_bytes().len() - 2;
    let mut flipped = good.clone();
    flipped[at] ^= 1;
    book.refuse("signature-bit", "one bit of the signature flipped", flipped, UNAUTHORISED);
    let mut changed = good.clone();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    book.refuse("manifest-changed", "one bit of the manifest flipped after signing", changed, UNAUTHORISED);

    let mut newer = update();
    newer.sequence_number = 8;
    let transplanted = assemble(&digest, [block.clone()], newer.item().wrap(), []);
    book.refuse(
        "manifest-exchanged",
        "signed digest and block of another manifest",
        transplanted.to_bytes(),
        UNAUTHORISED,
    );
    let other = digest_of(HashAlgorithm::Sha256, &newer.item().wrap().to_bytes());
    let swapped = assemble(&other, [block.clone()], newer.item().wrap(), []);
    book.refuse(
        "block-of-another-digest",
        "the digest fits the manifest, the signature does not",
        swapped.to_bytes(),
        UNAUTHORISED,
    );
    let bare = digest_of(HashAlgorithm::Sha256, &update().item().to_bytes());
    let bare = assemble(&bare, [sign1(&author(), -7, &bare.to_bytes())], manifest.clone(), []);
    book.refuse(
        "digest-over-bare-manifest",
        "8.3: digests are over the byte string with its head",
        bare.to_bytes(),
        UNAUTHORISED,
    );
    let direct = assemble(&digest, [sign1(&author(), -7, &manifest.to_bytes())], manifest.clone(), []);
    book.refuse(
        "signature-over-manifest",
        "8.3: signatures are over the digest",
        direct.to_bytes(),
        UNAUTHORISED,
    );
    let short = Item::Array(vec![Item::Int(-16), Item::Bytes(vec![0; 16])]);
    let short = assemble(&short, [sign1(&author(), -7, &short.to_bytes())], manifest.clone(), []);
    book.refuse("digest-too-short", "16 bytes as a SHA-256", short.to_bytes(), &[]);
    let empty = Item::Array(vec![Item::Int(-16), Item::Bytes(Vec::new())]);
    let empty = assemble(&empty, [sign1(&author(), -7, &empty.to_bytes())], manifest, []);
    book.refuse("digest-empty", "no bytes as a SHA-256", empty.to_bytes(), &[]);
}

fn misused(book: &mut Book) {
    const REASONS: &[&str] = &["unauthorised", "cose-unsupported", "alg-unsupported", "cbor-parse"];
    let Parts { manifest, digest } = parts();
    let payload = digest.to_bytes();
    let mut refuse = |name: &str, why: &str, block: Item| {
        let envelope = assemble(&digest, [block], manifest.clone(), []);
        book.refuse(name, why, envelope.to_bytes(), REASONS);
    };
    let es256 = map([(1, Item::Int(-7))]).to_bytes();
    let nothing = map([]);
    refuse(
        "algorithm-unprotected",
        "RFC 9052, section 3: the algorithm of a signature is protected",
        sign1_with(&author(), Vec::new(), map([(1, Item::Int(-7))]), &payload, Item::Null),
    );
    refuse(
        "algorithm-missing",
        "no algorithm at all",
        sign1_with(&author(), Vec::new(), nothing.clone(), &payload, Item::Null),
    );
    refuse("algorithm-unknown", "algorithm number -9999", sign1(&author(), -9999, &payload));
    refuse(
        "algorithm-of-another-key",
        "a P-256 signature that says Ed25519",
        sign1(&author(), -19, &payload),
    );
    refuse(
        "payload-attached",
        "8.3: the payload is detached",
        sign1_with(&author(), es256.clone(), nothing.clone(), &payload, Item::Bytes(payload.clone())),
    );
    refuse("payload-attached-of-another", "a good signature over an attached digest of something else", {
        let other = digest_of(HashAlgorithm::Sha256, b"something else").to_bytes();
        sign1_with(&author(), es256.clone(), nothing.clone(), &other, Item::Bytes(other.clone()))
    });
    let critical = map([(1, Item::Int(-7)), (2, Item::Array(vec![Item::Int(-70_000)]))]);
    let critical = Item::Map(match critical {
        Item::Map(mut pairs) => {
            pairs.push((Item::Int(-70_000), Item::Int(1)));
            pairs
        }
        _ => unreachable!("a map"),
    });
    refuse(
        "critical-header-unknown",
        "RFC 9052, section 3.1: a critical header that is not understood",
        sign1_with(&author(), critical.to_bytes(), nothing, &payload, Item::Null),
    );
    refuse("block-is-text", "an authentication block that is no COSE object", Item::from("believe me"));
    let unknown = Item::Array(vec![Item::Int(-9999), Item::Bytes(vec![7; 32])]);
    let block = sign1(&author(), -7, &unknown.to_bytes());
    let envelope = assemble(&unknown, [block], manifest, []);
    book.refuse("digest-algorithm-unknown", "digest algorithm -9999", envelope.to_bytes(), REASONS);
}
