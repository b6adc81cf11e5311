//! ECDH on both curves: known answers, refusals, and the two back ends against each other.

use testkit::hex;

use super::counting;
use crate::*;

/// A curve, two scalars, the coordinates of the first's point, what both share, and the order of the curve.
struct Known {
    curve: AgreementCurve,
    scalars: [&'static str; 2],
    x: &'static str,
    y: &'static str,
    shared: &'static str,
    order: &'static str,
}

/// RFC 5903, sections 8.1 and 8.2.
const KNOWN: [Known; 2] = [
    Known {
        curve: AgreementCurve::P256,
        scalars: [
            "c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433",
            "c6ef9c5d78ae012a011164acb397ce2088685d8f06bf9be0b283ab46476bee53",
        ],
        x: "dad0b65394221cf9b051e1feca5787d098dfe637fc90b9ef945d0c3772581180",
        y: "5271a0461cdb8252d61f1c456fa3e59ab1f45b33accf5f58389e0577b8990bb3",
        shared: "d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de",
        order: "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
    },
    Known {
        curve: AgreementCurve::P384,
        scalars: [
            "099f3c7034d4a2c699884d73a375a67f7624ef7c6b3c0f160647b67414dce655e35b538041e649ee3faef896783ab194",
            "41cb0779b4bdb85d47846725fbec3c9430fab46cc8dc5060855cc9bda0aa2942e0308312916b8ed2960e4bd55a7448fc",
        ],
        x: "667842d7d180ac2cde6f74f37551f55755c7645c20ef73e31634fe72b4c55ee6de3ac808acb4bdb4c88732aee95f41aa",
        y: "9482ed1fc0eeb9cafc4984625ccfc23f65032149e0e144ada024181535a0f38eeb9fcff3c2c947dae69b4c634573a81c",
        shared: "11187331c279962d93d604243fd592cb9d0a926f422e47187521287e7156c5c4d603135569b9e9d09cf5d4a270f59746",
        order: "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
    },
];

fn derive(secret: &SharedSecret) -> [u8; 16] {
    let mut out = [0; 16];
    secret.derive(b"salt", b"info", &mut out).expect("short");
    out
}

#[test]
fn two_keys_agree_on_what_is_published() {
    assert_eq!(KNOWN.each_ref().map(|known| known.curve), AgreementCurve::ALL);
    for known in KNOWN {
        let curve = known.curve;
        let keys = known.scalars.map(|key| AgreementKey::from_bytes(curve, &hex(key)).expect("a key"));
        let (x, y) = keys[0].public_key().coordinates();
        assert_eq!((x, y), (&hex(known.x)[..], &hex(known.y)[..]), "{curve}");
        let expected = SharedSecret::from_bytes(curve, &hex(known.shared)).expect("full width");
        for (one, other) in [(0, 1), (1, 0)] {
            let shared = keys[one].agree(keys[other].public_key()).expect("agrees");
            assert_eq!(shared.as_bytes(), hex(known.shared), "{curve}");
            assert_eq!(derive(&shared), derive(&expected), "{curve}");
        }
        let stranger = AgreementKey::generate(curve, &mut counting()).expect("a key");
        let shared = stranger.agree(keys[0].public_key()).expect("agrees");
        assert_ne!(shared.as_bytes(), expected.as_bytes());
    }
}

#[test]
fn a_shared_secret_keeps_its_leading_zeros() {
    for known in KNOWN {
        let curve = known.curve;
        let key = AgreementKey::from_bytes(curve, &hex(known.scalars[0])).expect("a key");
        let found = (1..5000u16).find_map(|number| {
            let mut scalar = vec![0; curve.width()];
            scalar[curve.width() - 2..].copy_from_slice(&number.to_be_bytes());
            let other = AgreementKey::from_bytes(curve, &scalar).expect("a key");
            let shared = key.agree(other.public_key()).expect("agrees");
            assert_eq!(shared.as_bytes().len(), curve.width());
            (shared.as_bytes()[0] == 0).then_some((other, shared))
        });
        let (other, shared) = found.expect("one in 256 begins with a zero");
        assert_eq!(other.agree(key.public_key()).expect("agrees").as_bytes(), shared.as_bytes());
    }
}

#[test]
fn refuses_agreement_keys_that_are_none() {
    for known in KNOWN {
        let (curve, width) = (known.curve, known.curve.width());
        for secret in [vec![0; width], hex(known.order), vec![1; width - 1], vec![1; width + 1]] {
            assert_eq!(AgreementKey::from_bytes(curve, &secret).err(), Some(Error::MalformedKey));
            if secret.len() != width {
                let refused = SharedSecret::from_bytes(curve, &secret).err();
                assert_eq!(refused, Some(Error::MalformedKey));
            }
        }
        assert_eq!(AgreementKey::generate(curve, &mut |_| {}).err(), Some(Error::BadEntropy));
        let (x, y) = (hex(known.x), hex(known.y));
        let refused = |x: &[u8], y: &[u8]| {
            let refusal = AgreementPublicKey::from_ec2(curve, x, y).err();
            assert_eq!(refusal, Some(Error::MalformedKey), "{curve}");
        };
        let mut off_curve = y.clone();
        off_curve[width - 1] ^= 1;
        refused(&x, &off_curve);
        refused(&x[1..], &y);
        refused(&[&[0], &x[..]].concat(), &y);
        // What stands for the point at infinity, and a coordinate that is not below the prime.
        refused(&vec![0; width], &vec![0; width]);
        refused(&vec![0xff; width], &y);
    }
}

#[test]
fn keys_of_two_curves_do_not_agree() {
    let keys =
        AgreementCurve::ALL.map(|curve| AgreementKey::generate(curve, &mut counting()).expect("a key"));
    for (one, other) in [(0, 1), (1, 0)] {
        let refusal = keys[one].agree(keys[other].public_key()).err();
        assert_eq!(refusal, Some(Error::WrongKeyType));
    }
    let (x, y) = keys[0].public_key().coordinates();
    let refusal = AgreementPublicKey::from_ec2(AgreementCurve::P384, x, y).err();
    assert_eq!(refusal, Some(Error::MalformedKey));
}

#[cfg(all(feature = "soft", feature = "fast"))]
#[test]
fn both_back_ends_agree_on_the_same_secret() {
    let mut fill = counting();
    for curve in AgreementCurve::ALL {
        for _ in 0..8 {
            let keys = [(); 2].map(|()| AgreementKey::generate(curve, &mut fill).expect("a key"));
            let (mut soft, mut fast) = (vec![0; curve.width()], vec![1; curve.width()]);
            let (secret, peer) = (keys[0].secret_bytes(), keys[1].public_key().as_bytes());
            crate::soft::agree(curve, &secret, peer, &mut soft).expect("agrees");
            crate::fast::agree(curve, &secret, peer, &mut fast).expect("agrees");
            assert_eq!(soft, fast);
            let mut off_curve = peer.to_vec();
            off_curve[curve.width()] ^= 1;
            assert!(crate::soft::agree(curve, &secret, &off_curve, &mut soft).is_err());
            assert!(crate::fast::agree(curve, &secret, &off_curve, &mut fast).is_err());
        }
    }
}
