//! Encrypted content: decrypted on the way by the processor, with keys that the device keeps.

mod support;

use cose::{DecryptionKey, DecryptionKeys, EncryptBuilder, RecipientKey};
use crypto::{ContentAlgorithm, KeyWrapAlgorithm, KeyWrapKey};
use sextant_suit::labels::parameter;
use sextant_suit::{
    Capabilities, ComponentCapability, Condition, Directive, Envelope, FailureKind, ManifestBuilder,
    Parameter, Procedure, Processor, Section, Unsupported, can_process,
};
use support::{ALWAYS, Device, component, one_author, seq, sha256, signed};

const IMAGE: &[u8] = b"This is a real firmware image.";

fn group_key(byte: u8, kid: &[u8]) -> DecryptionKey {
    let key = KeyWrapKey::from_bytes(KeyWrapAlgorithm::A128Kw, &[byte; 16]).expect("a key");
    DecryptionKey::key_wrap(key, kid)
}

fn sender(byte: u8, kid: &[u8]) -> RecipientKey {
    let key = KeyWrapKey::from_bytes(KeyWrapAlgorithm::A128Kw, &[byte; 16]).expect("a key");
    RecipientKey::key_wrap(key, kid)
}

/// Encryption info and ciphertext.
fn encrypted(algorithm: ContentAlgorithm, image: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let recipient = sender(7, b"group");
    let mut next = 0u8;
    let mut fill = |bytes: &mut [u8]| {
        bytes.iter_mut().for_each(|byte| {
            next = next.wrapping_add(1);
            *byte = next;
        });
    };
    let builder = EncryptBuilder::new(algorithm).recipient(&recipient).other(b"SUIT Payload Encryption");
    builder.encrypt_detached(image, &mut fill).expect("encrypts")
}

/// A manifest that gets the ciphertext into `fw` by this directive, and compares the plaintext.
fn envelope(directive: Directive, info: &[u8], ciphertext: &[u8], image: &[u8]) -> Vec<u8> {
    let mut manifest = ManifestBuilder::new(1);
    manifest.component(component("fw")).component(component("staged"));
    let parameters = [
        Parameter::EncryptionInfo(info),
        Parameter::Content(ciphertext),
        Parameter::SourceComponent(1),
        Parameter::ImageDigest(sha256(image)),
        Parameter::ImageSize(image.len() as u64),
    ];
    let install = seq().component(0).override_parameters(&parameters).directive(directive, ALWAYS);
    manifest.section(Section::Install, install.condition(Condition::ImageMatch, ALWAYS));
    signed(&manifest)
}

fn run(
    envelope: &[u8],
    staged: &[u8],
    keys: Vec<DecryptionKey>,
) -> (Result<(), FailureKind>, Option<Vec<u8>>) {
    let mut device = Device::new(&[component("fw")]).holding(&component("staged"), staged);
    device.abilities.decryption = true;
    device.keys = Some(DecryptionKeys::new(keys));
    let verified = Envelope::decode(envelope).expect("decodes").verify(&one_author()).expect("verifies");
    let report = Processor::new(&verified, &mut device).expect("is admitted").run(Procedure::Update);
    let content = device.content(&component("fw")).map(<[u8]>::to_vec);
    (report.map(|_| ()).map_err(|failure| failure.kind), content)
}

#[test]
fn write_and_copy_decrypt_on_the_way() {
    for algorithm in ContentAlgorithm::IN_PIECES {
        // Sizes around those of blocks and of the pieces that the device takes.
        for len in [0, 1, 7, 8, 15, 16, 17, 30] {
            let image = &IMAGE[..len];
            let (info, ciphertext) = encrypted(algorithm, image);
            for directive in [Directive::Write, Directive::Copy] {
                let bytes = envelope(directive, &info, &ciphertext, image);
                let (result, content) = run(&bytes, &ciphertext, vec![group_key(7, b"group")]);
                assert_eq!(result, Ok(()), "{algorithm:?}, {len} bytes by {directive:?}");
                assert_eq!(content.as_deref(), Some(image));
            }
        }
    }
}

#[test]
fn nothing_is_kept_of_what_was_not_encrypted_for_this_device() {
    let (info, ciphertext) = encrypted(ContentAlgorithm::A128Gcm, IMAGE);
    let changed = support::flipped(&ciphertext, 3);
    let short = &ciphertext[..ciphertext.len() - 1];
    let long = [&ciphertext[..], b"!"].concat();
    for (name, ciphertext, keys) in [
        ("another key", &ciphertext[..], vec![group_key(8, b"group")]),
        ("another key identifier", &ciphertext, vec![group_key(7, b"other")]),
        ("no key", &ciphertext, Vec::new()),
        ("changed", &changed, vec![group_key(7, b"group")]),
        ("short", short, vec![group_key(7, b"group")]),
        ("nothing", b"", vec![group_key(7, b"group")]),
    ] {
        for directive in [Directive::Write, Directive::Copy] {
            let keys = keys.iter().map(|key| DecryptionKey::decode(&key.encode_secret()).expect("a key"));
            let bytes = envelope(directive, &info, ciphertext, IMAGE);
            let (result, content) = run(&bytes, ciphertext, keys.collect());
            let code = result.map_err(|kind| kind.code());
            assert_eq!((code, content), (Err("decryption-failed"), None), "{name} by {directive:?}");
        }
    }
    // A longer ciphertext makes a longer image before anybody looks at its end.
    for directive in [Directive::Write, Directive::Copy] {
        let bytes = envelope(directive, &info, &long, IMAGE);
        let (result, content) = run(&bytes, &long, vec![group_key(7, b"group")]);
        assert!(result.is_err() && content.is_none(), "{directive:?}: {result:?}");
    }
    // Without a tag it is the digest that tells.
    let (info, ciphertext) = encrypted(ContentAlgorithm::A128Ctr, IMAGE);
    let changed = support::flipped(&ciphertext, 3);
    let bytes = envelope(Directive::Copy, &info, &changed, IMAGE);
    let (result, _) = run(&bytes, &changed, vec![group_key(7, b"group")]);
    assert_eq!(result, Err(FailureKind::NotMet(Condition::ImageMatch)));
    // A copy never takes more than the image and a tag.
    let bytes = envelope(Directive::Copy, &info, &ciphertext, IMAGE);
    let endless = vec![0; 10_000];
    let (result, content) = run(&bytes, &endless, vec![group_key(7, b"group")]);
    assert_eq!((result, content), (Err(FailureKind::TooLarge { limit: IMAGE.len() as u64 }), None));
}

#[test]
fn server_knows_which_ciphers_a_device_has() {
    let (info, ciphertext) = encrypted(ContentAlgorithm::ChaCha20Poly1305, IMAGE);
    let bytes = envelope(Directive::Write, &info, &ciphertext, IMAGE);
    let verified = Envelope::decode(&bytes).expect("decodes").verify(&one_author()).expect("verifies");
    let any = || vec![ComponentCapability { component: component(""), any_below: true }];
    let abilities = sextant_suit::Abilities { decryption: true, ..support::ALL };
    let mut able = Capabilities::of(&abilities, any());
    assert_eq!(can_process(&able, &verified), Ok(()));
    let chacha = ContentAlgorithm::ChaCha20Poly1305.cose_id();
    able.algorithms.retain(|id| *id != chacha);
    assert_eq!(can_process(&able, &verified), Err(vec![Unsupported::Algorithm(chacha)]));
    let without = Capabilities::of(&support::ALL, any());
    let lacks = vec![Unsupported::Parameter(parameter::ENCRYPTION_INFO)];
    assert_eq!(can_process(&without, &verified), Err(lacks));
}

#[test]
fn published_payloads_are_installed() {
    let Some(folder) = testkit::vectors("suit") else { return };
    let read = |name: &str| testkit::read_hex(&folder.join(name));
    let device_key =
        || DecryptionKey::decode(&read("keys/device_esdh_cose_key_private.cosekey.hex")).expect("a key");
    let image = std::fs::read(folder.join("libcsuit/raw_image.bin")).expect("the image");
    let kw = "firmware-encryption/suit-encryption-info-aes-kw-aes-gcm.hex";
    let es = "firmware-encryption/suit-encryption-info-es-ecdh-aes-ctr.hex";
    let rows = [
        (kw, "firmware-encryption/encrypted-payload-aes-kw-aes-gcm.hex", group_key(b'a', b"kid-1")),
        (es, "firmware-encryption/encrypted-payload-es-ecdh-aes-ctr.hex", device_key()),
    ];
    for (info, ciphertext, key) in rows {
        let (info, ciphertext) = (read(info), read(ciphertext));
        let secret = key.encode_secret();
        for directive in [Directive::Write, Directive::Copy] {
            let key = DecryptionKey::decode(&secret).expect("a key");
            let bytes = envelope(directive, &info, &ciphertext, &image);
            let (result, content) = run(&bytes, &ciphertext, vec![key]);
            assert_eq!((result, content.as_ref()), (Ok(()), Some(&image)), "{directive:?}");
        }
    }
}
