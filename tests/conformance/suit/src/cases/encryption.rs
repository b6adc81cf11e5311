//! Content that is decrypted on the way (draft-ietf-suit-firmware-encryption, section 6).

use cose::{EncryptBuilder, RecipientKey};
use crypto::{ContentAlgorithm, KeyWrapAlgorithm, KeyWrapKey};

use super::{
    After, Book, COPY, IMAGE, IMAGE_MATCH, INSTALL, Stop, WRITE, author, device, image, manifest,
    manifest_of, run, select, set,
};
use crate::author::{Item, map};
use crate::{Device, to_hex};

pub(super) fn write(book: &mut Book) {
    for (name, algorithm) in [("ctr", ContentAlgorithm::A128Ctr), ("gcm", ContentAlgorithm::A128Gcm)] {
        let Encrypted { info, ciphertext } = encrypt(algorithm);
        let written = |ciphertext: &[u8]| {
            let parameters = set([(18, ciphertext.into()), (19, info[..].into())]);
            manifest()
                .section(INSTALL, [image(IMAGE), parameters, run(WRITE), run(IMAGE_MATCH)])
                .sign(&author())
        };
        let taken = || After::default().holding("fw", IMAGE);
        let good = written(&ciphertext);
        book.done(
            &format!("write-decrypts-{name}"),
            "A128KW, decrypted as it is written",
            good.clone(),
            keeping(GROUP),
            taken(),
        );
        let reasons = ["operation-failed", "condition-failed"];
        book.stop(
            &format!("write-decrypts-{name}-not"),
            "wrapped for another group",
            good,
            keeping(OTHERS),
            Stop::reasons(&reasons),
        );
        let mut changed = ciphertext.clone();
        changed[3] ^= 1;
        book.stop(
            &format!("ciphertext-changed-{name}"),
            "by its author, so that it is signed",
            written(&changed),
            keeping(GROUP),
            Stop::reasons(&reasons),
        );

        let parameters = set([(19, info[..].into()), (22, Item::Int(1))]);
        let copied = manifest_of(&["fw", "staged"])
            .section(INSTALL, [select(0), image(IMAGE), parameters, run(COPY), run(IMAGE_MATCH)])
            .sign(&author());
        let staged = Device { decryption_keys: vec![key(GROUP)], ..device(&["fw", "staged"]) };
        let staged = |content: &[u8]| staged.clone().holding("staged", content);
        book.done(
            &format!("copy-decrypts-{name}"),
            "A128KW, decrypted as it is copied",
            copied.clone(),
            staged(&ciphertext),
            taken(),
        );
        book.stop(
            &format!("copy-decrypts-{name}-not"),
            "somebody changed what is copied",
            copied,
            staged(&changed),
            Stop::reasons(&reasons),
        );
    }
}

/// What a distributor makes of the image.
struct Encrypted {
    info: Vec<u8>,
    ciphertext: Vec<u8>,
}

/// Under fixed keys and numbers, which nobody else may use.
fn encrypt(algorithm: ContentAlgorithm) -> Encrypted {
    let wrap = KeyWrapKey::from_bytes(KeyWrapAlgorithm::A128Kw, &[GROUP; 16]).expect("a key of 16 bytes");
    let recipient = RecipientKey::key_wrap(wrap, KID);
    let mut fill = |bytes: &mut [u8]| bytes.fill(5);
    let made = EncryptBuilder::new(algorithm).recipient(&recipient).encrypt_detached(IMAGE, &mut fill);
    let (info, ciphertext) = made.expect("one recipient");
    Encrypted { info, ciphertext }
}

/// A device that keeps a key of a group.
fn keeping(group: u8) -> Device {
    Device { decryption_keys: vec![key(group)], ..device(&["fw"]) }
}

/// A COSE_Key for A128KW.
fn key(group: u8) -> String {
    let members = [(1, Item::Int(4)), (2, KID.into()), (3, Item::Int(-3)), (-1, [group; 16][..].into())];
    to_hex(map(members).to_bytes())
}

const GROUP: u8 = 7;
const OTHERS: u8 = 8;
const KID: &[u8] = b"group";
