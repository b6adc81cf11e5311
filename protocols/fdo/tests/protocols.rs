//! A device is made, sold, found and taken over, all roles in memory.

mod common;

use common::{
    Manufacturer, es256, extend, key,
    parties::{
        Device, Owner, anchored, device_key, encodings, find, is_by, make, onboard, options, permitting,
        untouched,
    },
};
use crypto::{HashAlgorithm, SignatureAlgorithm, SigningKey};
use sextant_fdo::{
    CipherSuite, Directive, ErrorMessage, Failure, Guid, Instruction, KeyEncoding, Message, MessageType,
    OwnerKey as _, Refusal, RendezvousInfo, SigInfo, Signer as _, Voucher,
    device::{Outcome, To2Options},
};

const ALGORITHMS: [SignatureAlgorithm; 2] = [SignatureAlgorithm::Es256, SignatureAlgorithm::Es384];

fn elsewhere() -> RendezvousInfo {
    let instructions = vec![Instruction::Bypass, Instruction::Dns("owner.example".into())];
    RendezvousInfo { directives: vec![Directive { instructions }] }
}

/// A device of a plain manufacturer that was sold twice, and its voucher.
fn sold() -> (Manufacturer, Device, Vec<u8>, SigningKey) {
    let manufacturer = Manufacturer::plain();
    let (device, voucher) = make(
        &manufacturer,
        device_key(SignatureAlgorithm::Es256),
        &Manufacturer::rendezvous(),
        &mut untouched(),
    )
    .expect("made");
    let voucher = extend(&extend(&voucher, &manufacturer.key, &es256(2)), &es256(2), &es256(3));
    (manufacturer, device, voucher, es256(3))
}

#[test]
fn a_device_is_made_found_and_taken_over_with_every_kind_of_key() {
    let mut runs = 0;
    for of_device in ALGORITHMS {
        for of_owners in ALGORITHMS {
            for encoding in encodings() {
                for cipher in CipherSuite::ALL {
                    let manufacturer = Manufacturer::new(of_owners, encoding, HashAlgorithm::Sha256);
                    let rendezvous = Manufacturer::rendezvous();
                    let (mut device, voucher) =
                        make(&manufacturer, device_key(of_device), &rendezvous, &mut untouched())
                            .expect("made");
                    let (first, second, new) = (key(of_owners, 2), key(of_owners, 3), key(of_owners, 4));
                    let voucher = extend(&voucher, &manufacturer.key, &first);
                    let voucher = extend(&voucher, &first, &second);
                    let verified = Voucher::decode(&voucher).expect("read");
                    let verified = verified.verify(anchored(&manufacturer.authority)).expect("holds");
                    assert_eq!(verified.device_key(), device.secrets.key.public_key());

                    let redirect = find(&device, &voucher, &second, &mut untouched()).expect("found");
                    assert!(is_by(&redirect, second.public_key()) && !is_by(&redirect, first.public_key()));

                    let rendezvous = elsewhere();
                    let mut owner = permitting(Owner::new(&second, &voucher), cipher);
                    owner.becomes = Some((Guid([8; 16]), &rendezvous, &new));
                    let wanted = options(&device, cipher);
                    let outcome = onboard(&mut device, Some(redirect), wanted, &mut owner, &mut untouched());
                    let Ok(Outcome::Replaced(credential)) = outcome else { panic!("{outcome:?}") };
                    assert_eq!((credential.guid, &credential.rendezvous), (Guid([8; 16]), &rendezvous));

                    // The voucher that results is the device's, and good for the next onboarding and the next sale.
                    let next = owner.finished.expect("finished").expect("another voucher");
                    let decoded = Voucher::decode(&next).expect("read");
                    assert_eq!(decoded.check_hmac(common::SECRET), Ok(()));
                    assert_eq!(decoded.owner().key(), &new.key());
                    device.credential = credential;
                    let rendezvous = Manufacturer::rendezvous();
                    let mut owner = permitting(Owner::new(&new, &next), cipher);
                    owner.becomes = Some((Guid([7; 16]), &rendezvous, &new));
                    let wanted = options(&device, cipher);
                    let again = onboard(&mut device, None, wanted, &mut owner, &mut untouched());
                    assert!(matches!(again, Ok(Outcome::Replaced(_))), "{again:?}");
                    let resold = extend(&next, &new, &second);
                    let redirect = find(&device, &resold, &second, &mut untouched()).expect("found");
                    let mut buyer = permitting(Owner::new(&second, &resold), cipher);
                    buyer.becomes = Some((Guid([6; 16]), &rendezvous, &second));
                    let wanted = options(&device, cipher);
                    let sold = onboard(&mut device, Some(redirect), wanted, &mut buyer, &mut untouched());
                    assert!(matches!(sold, Ok(Outcome::Replaced(_))), "{sold:?}");
                    runs += 1;
                }
            }
        }
    }
    assert_eq!(runs, 8 * CipherSuite::ALL.len());
}

#[test]
fn a_device_keeps_its_credential_where_it_may_and_only_then() {
    let (_, mut device, voucher, key) = sold();
    let wanted = options(&device, CipherSuite::A256Gcm);
    let mut owner = Owner::new(&key, &voucher);
    let refused = onboard(&mut device, None, wanted, &mut owner, &mut untouched());
    assert_eq!(refused, Err(Failure::Refused(Refusal::CredentialReuse)));
    let told = refused.unwrap_err().message(MessageType::SetupDevice).expect("told");
    assert_eq!((told.code, told.previous), (102, 65));

    let wanted = To2Options { reuse: true, ..wanted };
    let mut owner = Owner::new(&key, &voucher);
    assert_eq!(onboard(&mut device, None, wanted, &mut owner, &mut untouched()), Ok(Outcome::Reused));
    assert_eq!(owner.finished, Some(None));
    // The same device, the same owner, once more.
    let mut owner = Owner::new(&key, &voucher);
    assert_eq!(onboard(&mut device, None, wanted, &mut owner, &mut untouched()), Ok(Outcome::Reused));
}

#[test]
fn the_owner_before_cannot_take_the_device_back() {
    let (_, mut device, voucher, key) = sold();
    let rendezvous = elsewhere();
    let (new, wanted) = (es256(4), options(&device, CipherSuite::A128Gcm));
    let mut owner = Owner::new(&key, &voucher);
    owner.becomes = Some((Guid([8; 16]), &rendezvous, &new));
    let outcome = onboard(&mut device, None, wanted, &mut owner, &mut untouched());
    let Ok(Outcome::Replaced(credential)) = outcome else { panic!("{outcome:?}") };
    device.credential = credential;

    // With the old voucher: it is about a device that is not there any more.
    let mut before = Owner::new(&key, &voucher);
    let refused = onboard(&mut device, None, wanted, &mut before, &mut untouched());
    assert_eq!(refused, Err(Failure::Refused(Refusal::Guid)));
    // With the new one: it ends with another key.
    let next = owner.finished.expect("finished").expect("another voucher");
    let mut before = Owner::new(&key, &next);
    let refused = onboard(&mut device, None, wanted, &mut before, &mut untouched());
    assert_eq!(refused.expect_err("refused").code(), "voucher-owner");
}

/// Every byte of every message changed, one at a time: a run fails, or ends as if nothing had happened.
#[test]
fn no_byte_of_any_message_changes_how_a_run_ends() {
    let (_, mut device, voucher, key) = sold();
    let (rendezvous, new) = (elsewhere(), es256(4));
    let wanted = options(&device, CipherSuite::A128Gcm);
    let redirect = find(&device, &voucher, &key, &mut untouched()).expect("found");

    let mut lengths: Vec<(MessageType, usize)> = Vec::new();
    let run = |device: &mut Device, wire: &mut dyn FnMut(&mut Message)| {
        let mut owner = Owner::new(&key, &voucher);
        owner.becomes = Some((Guid([8; 16]), &rendezvous, &new));
        let outcome = onboard(device, Some(redirect.clone()), wanted, &mut owner, wire);
        outcome.map(|outcome| (outcome, owner.finished))
    };
    let mut note = |message: &mut Message| lengths.push((message.message_type, message.body.len()));
    let expected = run(&mut device, &mut note).expect("onboarded");
    let Outcome::Replaced(expected_credential) = &expected.0 else { panic!("replaced") };

    let (mut tried, mut harmless) = (0, 0);
    for (number, (message_type, len)) in lengths.iter().enumerate() {
        // Longer messages are changed at every fifth byte: their signatures make the runs slow.
        for at in (0..*len).step_by(if *len > 200 { 5 } else { 1 }) {
            let mut count = 0;
            let result = run(&mut device, &mut |message: &mut Message| {
                if count == number {
                    message.body[at] ^= 0x01;
                }
                count += 1;
            });
            tried += 1;
            if let Ok((outcome, finished)) = result {
                let Outcome::Replaced(credential) = outcome else { panic!("{message_type} at {at}") };
                assert_eq!(&credential, expected_credential, "{message_type} at {at}");
                let voucher = finished.flatten().expect("another voucher");
                assert_eq!(Voucher::decode(&voucher).unwrap().check_hmac(common::SECRET), Ok(()));
                harmless += 1;
            }
        }
    }
    assert!(tried > 500 && harmless * 20 < tried, "{harmless} of {tried}");
}

#[test]
fn messages_out_of_order_and_of_other_sessions_are_refused() {
    let (_, mut device, voucher, key) = sold();
    let wanted = To2Options { reuse: true, ..options(&device, CipherSuite::A128Gcm) };
    let mut recorded = Vec::new();
    let mut owner = Owner::new(&key, &voucher);
    let record = &mut |message: &mut Message| recorded.push(message.clone());
    onboard(&mut device, None, wanted, &mut owner, record).expect("onboarded");
    assert_eq!(
        recorded.iter().map(|message| message.message_type.number()).collect::<Vec<_>>(),
        [60, 61, 62, 63, 62, 63, 64, 65, 66, 67, 68, 69, 68, 69, 70, 71]
    );
    for number in 0..recorded.len() {
        for other in &recorded {
            let mut count = 0;
            let mut owner = Owner::new(&key, &voucher);
            owner.random = common::parties::Random::new(77);
            device.random = common::parties::Random::new(number as u64);
            let result = onboard(&mut device, None, wanted, &mut owner, &mut |message: &mut Message| {
                if count == number {
                    *message = other.clone();
                }
                count += 1;
            });
            // The device's first message is as good from another session: what the owner then signs is not what it asks.
            // Entries of a voucher and questions for them are the same in every session.
            let same = matches!(other.message_type.number(), 62 | 63);
            match result {
                Ok(_) => assert!(same && recorded[number] == *other, "{number}: {}", other.message_type),
                Err(Failure::OutOfOrder { .. }) => {}
                Err(error) => assert!(
                    matches!(
                        error.code(),
                        "wrong-nonce"
                            | "wrong-hello-hash"
                            | "unauthentic-message"
                            | "voucher-entry-index"
                            | "voucher-broken-chain"
                            | "session-unknown"
                    ),
                    "{number}: {}: {error:?}",
                    other.message_type
                ),
            }
        }
    }
}

#[test]
fn each_side_refuses_what_it_did_not_agree_to() {
    let (_, mut device, voucher, key) = sold();
    let wanted = To2Options { reuse: true, ..options(&device, CipherSuite::A128Gcm) };
    let refusal = |device: &mut Device, owner: &mut Owner<'_>, wanted, redirect| {
        let mut owner =
            Owner { session: Vec::new(), ..std::mem::replace(owner, Owner::new(owner.key, owner.voucher)) };
        onboard(device, redirect, wanted, &mut owner, &mut untouched()).expect_err("refused")
    };
    // Suites that the owner does not permit, among them all that are not one cipher, unless it says so.
    let unauthenticated: Vec<CipherSuite> =
        CipherSuite::ALL.into_iter().filter(|cipher| !cipher.is_authenticated()).collect();
    assert_eq!(unauthenticated.len(), 4);
    for cipher in unauthenticated {
        let wanted = To2Options { cipher, ..wanted };
        let mut owner = Owner::new(&key, &voucher);
        assert_eq!(refusal(&mut device, &mut owner, wanted, None), Refusal::CipherSuite.into());
    }
    let mut owner = Owner::new(&key, &voucher);
    owner.options.ciphers = vec![CipherSuite::A256Gcm];
    assert_eq!(refusal(&mut device, &mut owner, wanted, None), Refusal::CipherSuite.into());
    let mut owner = Owner::new(&key, &voucher);
    owner.options.exchanges = Vec::new();
    assert_eq!(refusal(&mut device, &mut owner, wanted, None), Refusal::ExchangeSuite.into());
    let other = To2Options { exchange: sextant_fdo::ExchangeSuite::Ecdh384, ..wanted };
    let mut owner = Owner::new(&key, &voucher);
    assert_eq!(refusal(&mut device, &mut owner, other, None), Refusal::ExchangeSuite.into());
    // A redirection by somebody else.
    let (_, _, stranger_voucher, _) = sold();
    let stranger = extend(&stranger_voucher, &key, &es256(9));
    let redirect = find(&device, &stranger, &es256(9), &mut untouched()).expect("found");
    let mut owner = Owner::new(&key, &voucher);
    assert_eq!(refusal(&mut device, &mut owner, wanted, Some(redirect)), Refusal::Redirect.into());
    // A voucher that begins with another manufacturer's key, which nobody can make with the device's HMAC.
    device.credential.owner = crypto::Digest::of(HashAlgorithm::Sha256, b"another key");
    let mut owner = Owner::new(&key, &voucher);
    assert_eq!(refusal(&mut device, &mut owner, wanted, None), Refusal::Manufacturer.into());
    // A device with another secret.
    let (_, mut device, _, _) = sold();
    device.secrets.hmac_secret[0] ^= 1;
    let mut owner = Owner::new(&key, &voucher);
    assert_eq!(refusal(&mut device, &mut owner, wanted, None), Refusal::HeaderHmac.into());
    // A device with another key, which says to be this one.
    let (_, mut device, _, _) = sold();
    device.secrets.key = es256(62);
    let mut owner = Owner::new(&key, &voucher);
    assert_eq!(refusal(&mut device, &mut owner, wanted, None).code(), "unauthentic-message");
    // Decryption of what is encrypted to an owner is for keys that can.
    assert!(key.decrypt(b"anything").is_err());
    assert_eq!(KeyEncoding::X509.name(), "X509");
}

/// What is announced decides nothing: what a device signs is verified with the key in its voucher.
#[test]
fn a_device_may_announce_another_algorithm_than_it_signs_by() {
    let (_, mut device, voucher, key) = sold();
    let wanted = To2Options { reuse: true, ..options(&device, CipherSuite::A128Gcm) };
    for (announced, expected) in [
        (None, Ok(Outcome::Reused)),
        (Some(SigInfo(-35)), Ok(Outcome::Reused)),
        // No device has an RSA key here, and no owner here needs one to say so.
        (Some(SigInfo(-257)), Err(Refusal::SigInfo.into())),
    ] {
        let mut owner = Owner::new(&key, &voucher);
        let wanted = To2Options { announces: announced, ..wanted };
        assert_eq!(onboard(&mut device, None, wanted, &mut owner, &mut untouched()), expected);
    }
}

#[test]
fn errors_are_written_with_a_time_and_read_in_every_form() {
    let refused = Failure::Refused(Refusal::Nonce).message(MessageType::Done).expect("told");
    let told = [&[0x85, 0x18, 101, 0x18, 70, 0x6b][..], b"wrong-nonce", &[0x00, 0xf6]].concat();
    assert_eq!(refused.encode(), told);
    assert_eq!(ErrorMessage::decode(&told), Ok(refused.clone()));
    let (start, end) = (&told[..told.len() - 2], told.len() - 2);
    assert_eq!(end, 17);
    for (time, at) in [
        (&[0xf6][..], None),
        (&[0x18, 99], Some(99)),
        (&[0xc1, 0x18, 99], Some(99)),
        (&[0xc0, 0x61, b'x'], None),
    ] {
        let message = [start, time, &[0xf6]].concat();
        assert_eq!(ErrorMessage::decode(&message).expect("read").at, at, "{time:02x?}");
    }
}
