//! Keys in a real TPM 2.0 in software (`swtpm`), and what happens when it does not do its part.

#![allow(clippy::print_stdout, reason = "tests say how much they tried")]

mod relay;

use std::sync::{Arc, Mutex};

use crypto::Digest;
use relay::Relay;
use sextant_tpm::{Error, KeyKind, Tpm, WrappedKey};
use testkit::Tpm as Software;

const CREATE_PRIMARY: u32 = 0x131;
const SEQUENCE_COMPLETE: u32 = 0x13e;
const CREATE: u32 = 0x153;
const LOAD: u32 = 0x157;
const HMAC_START: u32 = 0x15b;
const SEQUENCE_UPDATE: u32 = 0x15c;
const SIGN: u32 = 0x15d;
const FLUSH: u32 = 0x165;
const READ_PUBLIC: u32 = 0x173;
const GET_CAPABILITY: u32 = 0x17a;

fn tpm(software: &Software) -> Tpm {
    Tpm::new(software.address().parse().unwrap())
}

/// Every operation, one after the other; the first that fails ends it.
fn all(tpm: &Tpm) -> Result<(WrappedKey, Digest), Error> {
    let key = tpm.make(KeyKind::Signing)?;
    tpm.check(&key)?;
    let signature = tpm.sign(&key, b"message")?;
    assert_eq!(key.public_key()?.verify(b"message", &signature), Ok(()));
    let hmac = tpm.make(KeyKind::Hmac)?;
    let mac = tpm.hmac(&hmac, &[7; 3000])?;
    Ok((hmac, mac))
}

#[test]
fn a_key_signs_in_its_tpm_and_nothing_stays_there() {
    let Some(software) = Software::start() else { return };
    let relay = Relay::start(software.socket());
    let tpm = Tpm::new(relay.address.clone());
    let key = tpm.make(KeyKind::Signing).unwrap();
    assert_eq!(relay.commands(), [CREATE_PRIMARY, CREATE, FLUSH]);
    let public = key.public_key().unwrap();
    // Among as many signatures there are numbers that begin with zeros.
    for number in 0..300_u32 {
        let message = number.to_be_bytes();
        let signature = tpm.sign(&key, &message).unwrap();
        assert_eq!((public.verify(&message, &signature), signature.len()), (Ok(()), 64), "{number}");
        assert!(public.verify(b"another", &signature).is_err());
        assert_eq!(relay.commands(), [CREATE_PRIMARY, LOAD, FLUSH, SIGN, FLUSH]);
    }
    tpm.check(&key).unwrap();
    assert_eq!(relay.commands(), [CREATE_PRIMARY, LOAD, FLUSH, READ_PUBLIC, FLUSH]);
    // It is another key each time, and no key is of another kind.
    let other = tpm.make(KeyKind::Signing).unwrap();
    assert_ne!(other.public_key().unwrap(), public);
    let mixed = WrappedKey::new(KeyKind::Signing, other.private(), key.public()).unwrap();
    assert!(matches!(tpm.sign(&mixed, b"message"), Err(Error::Foreign(_))));
    assert!(matches!(tpm.hmac(&key, b"message"), Err(Error::Refused { .. })));
    let kept = WrappedKey::new(KeyKind::Signing, key.private(), key.public()).unwrap();
    assert!(tpm.sign(&kept, b"message").is_ok());
}

#[test]
fn a_tpm_computes_the_hmac_that_tools_compute_with_the_same_key() {
    let Some(software) = Software::start() else { return };
    let relay = Relay::start(software.socket());
    let tpm = Tpm::new(relay.address.clone());
    let key = tpm.make(KeyKind::Hmac).unwrap();
    assert!(matches!(key.public_key(), Err(Error::NotAKey)));
    let sized = |bytes: &[u8]| [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat();
    software.write("key.pub", &sized(key.public()));
    software.write("key.priv", &sized(key.private()));
    software.run(
        "tpm2_createprimary",
        "-C o -g sha256 -G ecc256:aes128cfb -c primary.ctx \
         -a fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt",
    );
    software.run("tpm2_load", "-C primary.ctx -u key.pub -r key.priv -c key.ctx");
    relay.commands();
    for (len, updates) in [(0, 0), (1, 0), (1024, 0), (1025, 1), (2048, 1), (3000, 2)] {
        let message = vec![0x5a; len];
        let mac = tpm.hmac(&key, &message).unwrap();
        let pieces = relay.commands().iter().filter(|code| **code == SEQUENCE_UPDATE).count();
        assert_eq!(pieces, updates, "{len}");
        software.write("message", &message);
        software.run("tpm2_hmac", "-c key.ctx -g sha256 -o mac message");
        assert_eq!(software.read("mac"), mac.as_bytes(), "{len}");
    }
    assert!(!relay.commands().contains(&GET_CAPABILITY), "nothing was in the way");
}

#[test]
fn a_key_is_of_no_use_elsewhere_nor_after_its_tpm_was_cleared() {
    let Some((software, other)) = Software::start().zip(Software::start()) else { return };
    let key = tpm(&software).make(KeyKind::Signing).unwrap();
    let hmac = tpm(&software).make(KeyKind::Hmac).unwrap();
    let refused = |tpm: Tpm| {
        for error in [
            tpm.sign(&key, b"message").unwrap_err(),
            tpm.check(&key).unwrap_err(),
            tpm.hmac(&hmac, b"message").unwrap_err(),
        ] {
            assert_eq!(error.code(), "tpm-key-foreign");
            assert!(error.to_string().contains("TPM_RC_INTEGRITY"), "{error}");
        }
    };
    refused(tpm(&other));
    // Nor can it be taken away by whoever has the TPM.
    software.run(
        "tpm2_createprimary",
        "-C o -g sha256 -G ecc256:aes128cfb -c primary.ctx \
         -a fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt",
    );
    let sized = |bytes: &[u8]| [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat();
    software.write("key.pub", &sized(key.public()));
    software.write("key.priv", &sized(key.private()));
    software.run("tpm2_load", "-C primary.ctx -u key.pub -r key.priv -c key.ctx");
    let said =
        software.fails("tpm2_duplicate", "-C null -c key.ctx -G null -r dup.priv -s dup.seed -p file:x");
    assert!(!said.is_empty());
    let said = software
        .fails("tpm2_certify", "-c key.ctx -C key.ctx -g sha256 -o attest -s signature -f plain -R x");
    assert!(!said.is_empty());
    assert!(tpm(&software).sign(&key, b"message").is_ok());
    software.run("tpm2_clear", "-c p");
    refused(tpm(&software));
    // What was altered on the way is refused as well.
    let mut private = key.private().to_vec();
    *private.last_mut().unwrap() ^= 1;
    let altered = WrappedKey::new(KeyKind::Signing, &private, key.public()).unwrap();
    assert_eq!(tpm(&software).sign(&altered, b"message").unwrap_err().code(), "tpm-key-foreign");
}

#[test]
fn what_killed_programs_left_in_a_tpm_does_not_stay_in_the_way() {
    let Some(software) = Software::start() else { return };
    let relay = Relay::start(software.socket());
    let tpm = Tpm::new(relay.address.clone());
    let key = tpm.make(KeyKind::Signing).unwrap();
    for cut in [CREATE_PRIMARY, LOAD, SIGN, FLUSH] {
        for round in 0..4 {
            relay.change(move |code, answer| (code != cut).then_some(answer));
            assert_eq!(tpm.sign(&key, b"message").unwrap_err().code(), "tpm-unreachable", "{cut:#x} {round}");
        }
    }
    relay.change(|_, answer| Some(answer));
    relay.commands();
    tpm.sign(&key, b"message").unwrap();
    assert!(relay.commands().contains(&GET_CAPABILITY));
    all(&tpm).unwrap();
}

#[test]
fn answers_that_are_none_are_told_and_do_no_harm() {
    let Some(software) = Software::start() else { return };
    let relay = Relay::start(software.socket());
    let tpm = Tpm::new(relay.address.clone());
    // Every answer of every operation, damaged in every one of these ways.
    type Damage = fn(&mut Vec<u8>);
    let damages: [(&str, Damage); 8] = [
        ("another tag", |answer| answer[1] ^= 3),
        ("longer than any", |answer| answer[2..6].copy_from_slice(&u32::MAX.to_be_bytes())),
        ("shorter than its head", |answer| answer[2..6].copy_from_slice(&9_u32.to_be_bytes())),
        ("more than it says", |answer| answer.push(0)),
        ("garbage of its length", |answer| answer[10..].fill(0xff)),
        ("zeros of its length", |answer| answer[10..].fill(0)),
        ("nothing but a head", |answer| {
            answer.truncate(10);
            answer[2..6].copy_from_slice(&10_u32.to_be_bytes());
        }),
        ("a refusal", |answer| {
            answer.truncate(10);
            answer[..10].copy_from_slice(&[0x80, 1, 0, 0, 0, 10, 0, 0, 1, 1]);
        }),
    ];
    all(&tpm).unwrap();
    let whole = relay.commands().len();
    let mut tried = 0;
    let mut seen = Vec::new();
    for (what, damage) in damages {
        // What the run before left in the way makes this one longer.
        for at in 0..2 * whole {
            let (count, hit) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(None)));
            let noted = Arc::clone(&hit);
            relay.change(move |code, mut answer| {
                let mut count = count.lock().unwrap();
                if *count == at {
                    let before = answer.clone();
                    damage(&mut answer);
                    *noted.lock().unwrap() = (answer != before).then_some(code);
                }
                *count += 1;
                Some(answer)
            });
            let result = all(&tpm);
            relay.change(|_, answer| Some(answer));
            let hit = hit.lock().unwrap().take();
            if let Some(code) = hit {
                tried += 1;
                seen.push(code);
                // An answer to the last flush of a use is read by nobody, and bytes of tickets say nothing.
                match result {
                    Ok(_) => assert!(code == FLUSH || what.ends_with("of its length"), "{what} of {code:#x}"),
                    Err(error) => {
                        let expected =
                            ["tpm-answer-malformed", "tpm-refused", "tpm-key-malformed", "tpm-key-foreign"];
                        assert!(expected.contains(&error.code()), "{what} of {code:#x}: {error}");
                    }
                }
            }
        }
    }
    for code in [
        CREATE_PRIMARY,
        CREATE,
        LOAD,
        SIGN,
        HMAC_START,
        SEQUENCE_UPDATE,
        SEQUENCE_COMPLETE,
        READ_PUBLIC,
        FLUSH,
    ] {
        assert!(seen.contains(&code), "{code:#x}");
    }
    println!("{tried} damaged answers");
    all(&tpm).unwrap();
}

#[test]
fn a_tpm_that_wants_to_be_asked_again_is_and_one_that_is_not_there_is_told() {
    let Some(software) = Software::start() else { return };
    let relay = Relay::start(software.socket());
    let tpm = Tpm::new(relay.address.clone());
    let key = tpm.make(KeyKind::Signing).unwrap();
    for code in [0x908_u32, 0x90a, 0x922] {
        let mut left = 2;
        relay.change(move |asked, answer| {
            if asked == SIGN && left > 0 {
                left -= 1;
                return Some([&[0x80, 1, 0, 0, 0, 10][..], &code.to_be_bytes()].concat());
            }
            Some(answer)
        });
        relay.commands();
        tpm.sign(&key, b"message").unwrap();
        assert_eq!(relay.commands().iter().filter(|asked| **asked == SIGN).count(), 3);
    }
    // Not for ever.
    relay.change(|asked, answer| match asked {
        SIGN => Some(vec![0x80, 1, 0, 0, 0, 10, 0, 0, 9, 0x22]),
        _ => Some(answer),
    });
    let error = tpm.sign(&key, b"message").unwrap_err();
    assert_eq!(error.to_string(), "the TPM refuses TPM2_Sign: TPM_RC_RETRY (0x922)");

    relay.change(|_, answer| Some(answer));
    // Nor does it make keys for whoever does not know the password of the owner hierarchy.
    software.run("tpm2_changeauth", "-c o secret");
    let error = tpm.make(KeyKind::Signing).unwrap_err();
    assert_eq!(error.code(), "tpm-refused");
    assert!(error.to_string().contains("TPM2_CreatePrimary: TPM_RC_BAD_AUTH"), "{error}");

    let nowhere = tempfile::tempdir().unwrap();
    for address in ["device:nothing", "swtpm:path=nothing"] {
        let address = address.replace("nothing", nowhere.path().join("tpm").to_str().unwrap());
        let error = Tpm::new(address.parse().unwrap()).sign(&key, b"message").unwrap_err();
        assert_eq!(error.code(), "tpm-unreachable");
    }
    // A file that is no TPM says nothing.
    std::fs::write(nowhere.path().join("file"), b"").unwrap();
    let file = format!("device:{}", nowhere.path().join("file").display());
    let error = Tpm::new(file.parse().unwrap()).sign(&key, b"message").unwrap_err();
    assert!(matches!(error.code(), "tpm-unreachable" | "tpm-answer-malformed"), "{error}");
}
