use crypto::{HashAlgorithm, RsaSigningKey};

use super::*;
use crate::Refusal;

const REFUSED: Option<Failure> = Some(Failure::Refused(Refusal::Exchange));

/// Bytes that differ each time, and are the same in each run.
fn random(mut state: u64) -> impl FnMut(&mut [u8]) {
    move |bytes| {
        for byte in bytes {
            // Constants of a linear congruential generator (Knuth).
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            *byte = (state >> 33) as u8;
        }
    }
}

fn rsa(bits: usize) -> RsaSigningKey {
    RsaSigningKey::generate(bits).expect("a key")
}

/// A key that cannot be asked.
fn nobody() -> crypto::SigningKey {
    crypto::SigningKey::from_bytes(SignatureAlgorithm::Es256, &[7; 32]).expect("a key")
}

#[test]
fn parts_have_the_lengths_of_the_specification_and_both_sides_the_same() {
    let keys = [rsa(2048), rsa(3072)];
    for (suite, of_owner, of_device, secret, context) in [
        (ExchangeSuite::Ecdh256, 86, 86, 32 + 2 * 16, 0),
        (ExchangeSuite::Ecdh384, 150, 150, 48 + 2 * 48, 0),
        (ExchangeSuite::DhKexId14, 256, 256, 256, 0),
        (ExchangeSuite::DhKexId15, 384, 384, 384, 0),
        (ExchangeSuite::AsymKex2048, 32, 256, 32, 32),
        (ExchangeSuite::AsymKex3072, 96, 384, 96, 96),
    ] {
        let key = keys.iter().find(|key| suite.fits(&key.public_key().into())).unwrap_or(&keys[0]);
        let half = OwnerHalf::generate(suite, &mut random(1)).expect("a half");
        assert_eq!(half.part().len(), of_owner, "{suite:?}");
        let half = OwnerHalf::from_bytes(suite, &half.to_bytes()).expect("kept");
        let (part, on_device) =
            answer(suite, &half.part(), &key.public_key().into(), &mut random(2)).expect("answered");
        assert_eq!(part.len(), of_device, "{suite:?}");
        let on_owner = half.finish(&part, key).expect("finished");
        assert_eq!((&on_owner.secret, &on_owner.context), (&on_device.secret, &on_device.context));
        assert_eq!((on_owner.secret.len(), on_owner.context.len()), (secret, context), "{suite:?}");
    }
    let listed = ExchangeSuite::ALL.map(|suite| {
        let bytes = OwnerHalf::generate(suite, &mut random(1)).expect("a half").to_bytes();
        for len in 0..bytes.len() {
            assert_eq!(OwnerHalf::from_bytes(suite, &bytes[..len]).err(), Some(Fault::Session));
        }
        let longer = [&bytes[..], &[1]].concat();
        assert_eq!(OwnerHalf::from_bytes(suite, &longer).err(), Some(Fault::Session), "{suite:?}");
        suite.name()
    });
    assert_eq!(listed, ["ECDH256", "ECDH384", "DHKEXid14", "DHKEXid15", "ASYMKEX2048", "ASYMKEX3072"]);
}

/// One in 256 secrets begins with a zero, which counts.
#[test]
fn secrets_that_begin_with_zero_keep_their_width() {
    let by_device = |suite, part: &[u8], owner: &Key| {
        (2..).find_map(|seed| {
            let (part, shared) = answer(suite, part, owner, &mut random(seed)).expect("answered");
            (shared.secret[0] == 0).then_some((part, shared))
        })
    };
    for (suite, width) in [
        (ExchangeSuite::Ecdh256, 64),
        (ExchangeSuite::Ecdh384, 144),
        (ExchangeSuite::DhKexId14, 256),
        (ExchangeSuite::DhKexId15, 384),
    ] {
        let half = OwnerHalf::generate(suite, &mut random(1)).expect("a half");
        let owner = crate::Signer::key(&nobody());
        let (part, on_device) = by_device(suite, &half.part(), &owner).expect("one in 256");
        let on_owner = half.finish(&part, &nobody()).expect("finished");
        assert_eq!(on_owner.secret, on_device.secret, "{suite:?}");
        assert_eq!((on_owner.secret.len(), on_owner.secret[0]), (width, 0));
    }
}

#[test]
fn parts_without_their_leading_zeros_are_read() {
    let suite = ExchangeSuite::DhKexId14;
    let (seed, value) = (1..)
        .map(|seed| (seed, OwnerHalf::generate(suite, &mut random(seed)).expect("a half").part()))
        .find(|(_, part)| part[0] == 0)
        .expect("one in 256");
    let owner = crate::Signer::key(&nobody());
    let half = OwnerHalf::generate(suite, &mut random(seed)).expect("the same");
    let (part, on_device) = answer(suite, &value[1..], &owner, &mut random(0)).expect("answered");
    assert_eq!(half.finish(&part, &nobody()).expect("finished").secret, on_device.secret);
}

#[test]
fn values_that_are_none_of_the_group_are_refused_by_both_sides() {
    for (suite, group) in
        [(ExchangeSuite::DhKexId14, ModpGroup::Modp2048), (ExchangeSuite::DhKexId15, ModpGroup::Modp3072)]
    {
        let width = group.width();
        let prime = prime(group);
        let less = |by: u8| {
            let mut value = prime.clone();
            value[width - 1] -= by;
            value
        };
        let number = |value: u8| [&vec![0; width - 1][..], &[value]].concat();
        let beyond = [&[1][..], &vec![0; width]].concat();
        let padded = [&[0][..], &less(2)].concat();
        for refused in [
            vec![],
            vec![0],
            vec![1],
            number(0),
            number(1),
            less(1),
            prime.clone(),
            vec![0xff; width],
            beyond,
            padded,
            vec![7; width + 1],
        ] {
            let owner = crate::Signer::key(&nobody());
            assert_eq!(answer(suite, &refused, &owner, &mut random(1)).err(), REFUSED, "{refused:02x?}");
            let half = OwnerHalf::generate(suite, &mut random(1)).expect("a half");
            assert_eq!(half.finish(&refused, &nobody()).err(), REFUSED, "{refused:02x?}");
        }
        for taken in [number(2), less(2)] {
            let half = OwnerHalf::generate(suite, &mut random(1)).expect("a half");
            assert_eq!(half.finish(&taken, &nobody()).expect("finished").secret.len(), width);
        }
    }
}

/// The prime, of which the crate that computes with it tells nothing: 1 to the power of anything is 1, and there is no value
/// from which the prime could be had, so that it is written here as RFC 3526 does.
fn prime(group: ModpGroup) -> Vec<u8> {
    let text = match group {
        ModpGroup::Modp2048 => include_str!("../../tests/data/modp2048.hex"),
        ModpGroup::Modp3072 => include_str!("../../tests/data/modp3072.hex"),
    };
    testkit::hex(text.trim())
}

#[test]
fn points_that_are_none_of_the_curve_are_refused() {
    for suite in [ExchangeSuite::Ecdh256, ExchangeSuite::Ecdh384] {
        let half = OwnerHalf::generate(suite, &mut random(1)).expect("a half");
        let good = half.part();
        let owner = crate::Signer::key(&nobody());
        let mut off = good.clone();
        off[10] ^= 1;
        let mut zero = good.clone();
        let point = (good.len() - 6) * 4 / 5;
        zero[2..2 + point / 2].fill(0);
        let cut = good[..good.len() - 1].to_vec();
        let longer = [&good[..], &[0]].concat();
        for refused in [vec![], off, zero, cut, longer] {
            assert_eq!(answer(suite, &refused, &owner, &mut random(1)).err(), REFUSED, "{refused:02x?}");
        }
    }
}

#[test]
fn whatever_is_wrong_with_what_was_encrypted_is_one_refusal() {
    let keys = [rsa(2048), rsa(3072)];
    for (suite, key, len) in
        [(ExchangeSuite::AsymKex2048, &keys[0], 32), (ExchangeSuite::AsymKex3072, &keys[1], 96)]
    {
        let half = || OwnerHalf::generate(suite, &mut random(1)).expect("a half");
        let to = |len: usize, hash| {
            key.public_key().encrypt_oaep(hash, &vec![7; len], &mut random(3)).expect("encrypts")
        };
        let good = to(len, HashAlgorithm::Sha256);
        assert_eq!(*half().finish(&good, key).expect("opens").secret, vec![7; len]);
        let mut garbled = good.clone();
        garbled[100] ^= 1;
        let width = good.len();
        for refused in [
            vec![],
            vec![0; width],
            vec![1; width],
            vec![0xff; width],
            garbled,
            good[1..].to_vec(),
            [&good[..], &[0]].concat(),
            to(len, HashAlgorithm::Sha384),
            to(len - 1, HashAlgorithm::Sha256),
            to(len + 1, HashAlgorithm::Sha256),
            to(0, HashAlgorithm::Sha256),
        ] {
            assert_eq!(half().finish(&refused, key).err(), REFUSED, "{} bytes", refused.len());
        }
        // A key that decrypts nothing is no fault of the device.
        assert_eq!(half().finish(&good, &nobody()).err(), Some(Fault::Unsupported.into()));
        let owner = key.public_key().into();
        for wrong in [0, len - 1, len + 1, 2 * len] {
            assert_eq!(answer(suite, &vec![1; wrong], &owner, &mut random(1)).err(), REFUSED);
        }
        let on_curve = crate::Signer::key(&nobody());
        let refused = answer(suite, &vec![1; len], &on_curve, &mut random(1)).err();
        assert_eq!(refused, Some(Refusal::ExchangeSuite.into()));
        let poor = answer(suite, &vec![1; len], &owner, &mut |_| {}).err();
        assert_eq!(poor, Some(Fault::Randomness.into()));
    }
}
