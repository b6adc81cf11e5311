//! Vouchers made here: one claim a test.

mod common;

use cbor::{Reader, Reason, Writer};
use common::{Manufacturer, NOW, SECRET, es256, extend, key, rsa};
use cose::Sign1Builder;
use crypto::{Digest, HashAlgorithm, SignatureAlgorithm, SigningKey};
use sextant_fdo::{
    DeviceChain, Distrust, Error, Feature, Guid, Key, KeyEncoding, KeyType, MAX_CERTIFICATES,
    MAX_DEVICE_INFO_LEN, MAX_ENTRIES, MAX_VOUCHER_LEN, Misuse, PublicKey, Signer, VerifiedVoucher, Voucher,
    vouchers_of_file,
};
use x509::{KeyUsage, pem};

fn verify(bytes: &[u8]) -> Result<VerifiedVoucher, Error> {
    Voucher::decode(bytes)?.verify(DeviceChain::OfManufacturer)
}

fn refusal(bytes: &[u8]) -> Error {
    verify(bytes).expect_err("refused")
}

fn untrusted(distrust: Distrust) -> Error {
    Error::Untrusted(distrust)
}

fn data(name: &str) -> Vec<u8> {
    testkit::read_hex(
        &std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/{name}.hex")),
    )
}

/// The items of a voucher: version, wrapped header, HMAC, certificates, entries.
fn parts(voucher: &[u8]) -> [Vec<u8>; 5] {
    let mut reader = Reader::new(voucher);
    reader.array_of(5).expect("a voucher");
    core::array::from_fn(|_| reader.raw().expect("an item").to_vec())
}

fn join(parts: &[Vec<u8>; 5]) -> Vec<u8> {
    [vec![0x85], parts.concat()].concat()
}

fn entries(voucher: &[u8]) -> Vec<Vec<u8>> {
    Voucher::decode(voucher)
        .expect("well-formed")
        .entries()
        .iter()
        .map(|entry| entry.as_bytes().to_vec())
        .collect()
}

fn with_entries(voucher: &[u8], entries: &[Vec<u8>]) -> Vec<u8> {
    let mut parts = parts(voucher);
    parts[4] = Writer::encode(|w| {
        w.array(entries.len());
        entries.iter().for_each(|entry| _ = w.raw(entry));
    });
    join(&parts)
}

/// An entry over hashes of anybody's choice.
fn entry(signer: &SigningKey, previous: Digest, info: Digest, next: &SigningKey) -> Vec<u8> {
    let next = PublicKey::new(next.public_key(), KeyEncoding::X509).expect("a type");
    let payload = Writer::encode(|w| {
        w.array(4);
        for hash in [previous, info] {
            w.array(2).int(hash.algorithm().cose_id()).bytes(hash.as_bytes());
        }
        w.null().raw(next.as_bytes());
    });
    Sign1Builder::new().sign(signer, &payload)
}

/// What a right first entry hashes.
fn first_hashes(voucher: &[u8], algorithm: HashAlgorithm) -> [Digest; 2] {
    let decoded = Voucher::decode(voucher).expect("well-formed");
    let previous = [decoded.header_bytes(), &parts(voucher)[2]].concat();
    let info = [&decoded.header().guid.0, decoded.header().device_info.as_bytes()].concat();
    [previous, info].map(|hashed| Digest::of(algorithm, &hashed))
}

#[test]
fn a_voucher_follows_each_sale_in_every_type_of_key_and_encoding() {
    for algorithm in [SignatureAlgorithm::Es256, SignatureAlgorithm::Es384] {
        for encoding in [KeyEncoding::X509, KeyEncoding::CoseKey] {
            for hash in [HashAlgorithm::Sha256, HashAlgorithm::Sha384] {
                let maker = Manufacturer::new(algorithm, encoding, hash);
                let (shop, home) = (key(algorithm, 2), key(algorithm, 3));
                let unsold = maker.voucher();
                assert_eq!(refusal(&unsold), untrusted(Distrust::NoEntry));
                let once = extend(&unsold, &maker.key, &shop);
                let twice = extend(&once, &shop, &home);
                for (bytes, owner, count) in [(&once, &shop, 1), (&twice, &home, 2)] {
                    let voucher = Voucher::decode(bytes).expect("well-formed");
                    assert_eq!(voucher.check_hmac(SECRET), Ok(()));
                    assert_eq!(voucher.check_hmac(b"other"), Err(untrusted(Distrust::Hmac)));
                    assert_eq!(voucher.as_bytes(), bytes.as_slice());
                    let verified = voucher.verify(DeviceChain::OfManufacturer).expect("sound");
                    assert_eq!(verified.owner().key(), &Key::Ec(owner.public_key().clone()));
                    assert_eq!(verified.device_key(), maker.device_key().public_key());
                    assert_eq!((verified.entries(), verified.header().guid), (count, Guid([9; 16])));
                    assert_eq!(verified.header().manufacturer.encoding(), encoding);
                }
                // Only the owner sells, and what was sold before cannot be sold again by who had it.
                let voucher = Voucher::decode(&once).expect("well-formed");
                let extension = voucher.extend(home.public_key()).expect("consistent");
                assert_eq!(extension.owner(), &Key::from(shop.public_key()));
                assert_eq!(extension.sign(&maker.key), Err(Misuse::NotOwner.into()));
                assert_eq!(extension.assemble(&[0; 64]), Err(Misuse::NotOwner.into()));
                let signature = shop.sign(&extension.to_be_signed());
                assert!(verify(&extension.assemble(&signature).expect("the owner's")).is_ok());
            }
        }
    }
}

/// Made elsewhere, with `openssl dgst` 3.0 for the signatures.
#[test]
fn owners_with_rsa_keys_are_verified_and_sell_to_their_like_alone() {
    for (name, key_type, count) in
        [("rsa2048restr-2entries", KeyType::Rsa2048Restr, 2), ("rsapkcs3072-1entry", KeyType::RsaPkcs, 1)]
    {
        let bytes = data(name);
        let voucher = Voucher::decode(&bytes).expect("well-formed");
        assert_eq!(voucher.check_hmac(b"secret"), Ok(()));
        assert_eq!(voucher.extend(es256(2).public_key()).err(), Some(Misuse::KeyType.into()));
        let other = if key_type == KeyType::RsaPkcs { rsa(2048, 0) } else { rsa(3072, 0) };
        assert_eq!(voucher.extend(other.public_key()).err(), Some(Misuse::KeyType.into()));
        let next = if key_type == KeyType::RsaPkcs { rsa(3072, 0) } else { rsa(2048, 0) };
        let extension = voucher.extend(next.public_key()).expect("consistent");
        assert_eq!(extension.owner(), voucher.owner().key());
        // Nobody here is the owner.
        assert_eq!(extension.sign(next), Err(Misuse::NotOwner.into()));
        let signature = Signer::sign(next, &extension.to_be_signed()).expect("signs");
        assert_eq!(extension.assemble(&signature), Err(Misuse::NotOwner.into()));
        let verified = voucher.verify(DeviceChain::OfManufacturer).expect("sound");
        assert_eq!((verified.owner().key_type(), verified.entries()), (key_type, count));
        assert_eq!(verified.header().device_info, "RSA device");
        no_mutation_verifies(&bytes, 7);
    }
}

#[test]
fn a_voucher_follows_each_sale_between_owners_with_rsa_keys() {
    let of_device = Manufacturer::plain();
    let certificates = [of_device.device.as_der(), of_device.authority.as_der()];
    for (bits, key_type, signed_by) in
        [(2048, KeyType::Rsa2048Restr, cose::labels::RS256), (3072, KeyType::RsaPkcs, cose::labels::RS384)]
    {
        let (maker, shop, home) = (rsa(bits, 0), rsa(bits, 1), rsa(bits, 2));
        // There is no COSE_Key of an RSA key that others read.
        for encoding in [KeyEncoding::X509, KeyEncoding::CoseKey, KeyEncoding::X5Chain] {
            let manufacturer = PublicKey::new(maker.public_key(), encoding).expect("of a type");
            assert_eq!((manufacturer.key_type(), manufacturer.encoding()), (key_type, KeyEncoding::X509));
            let unsold = of_device.voucher_with(&certificates, |header| header.manufacturer = manufacturer);
            let once = extend(&unsold, maker, shop);
            let twice = extend(&once, shop, home);
            let voucher = Voucher::decode(&twice).expect("well-formed");
            assert_eq!(voucher.entries()[0].alg(), signed_by);
            let verified = voucher.verify(DeviceChain::OfManufacturer).expect("sound");
            assert_eq!(verified.owner().key(), &home.key());
            let voucher = Voucher::decode(&once).expect("well-formed");
            let extension = voucher.extend(home.public_key()).expect("consistent");
            assert_eq!(extension.sign(maker), Err(Misuse::NotOwner.into()));
            no_mutation_verifies(&twice, 31);
        }
    }
    // A key of 2048 bits in a voucher whose keys are of the wider type.
    let (maker, shop) = (rsa(2048, 0), rsa(2048, 1));
    let spki = maker.public_key().to_spki_der();
    let wide = Writer::encode(|w| _ = w.array(3).uint(5).uint(1).bytes(&spki));
    let unsold = of_device.voucher_with(&certificates, |_| {});
    let header = parts(&unsold)[1].clone();
    let mut reader = Reader::new(&header);
    let header = reader.bytes().expect("wrapped");
    let own = PublicKey::new(of_device.key.public_key(), KeyEncoding::X509).expect("of a type");
    let at = header.windows(own.as_bytes().len()).position(|part| part == own.as_bytes()).expect("a key");
    let header = [&header[..at], &wide, &header[at + own.as_bytes().len()..]].concat();
    let hmac = sextant_fdo::Hmac::of(HashAlgorithm::Sha256, SECRET, &header);
    let unsold = Voucher::assemble(&header, &hmac, &certificates).expect("a voucher");
    let sold = extend(&unsold, maker, shop);
    assert_eq!(verify(&sold).expect("sound").owner().key_type(), KeyType::RsaPkcs);
}

#[test]
fn a_buyer_may_come_with_certificates() {
    let (maker, buyer) = (Manufacturer::plain(), es256(2));
    let leaf = maker.certify(buyer.public_key());
    let chain = [leaf.as_der(), maker.authority.as_der()];
    let next = PublicKey::of_chain(&chain).expect("a key");
    assert_eq!((next.encoding(), next.key()), (KeyEncoding::X5Chain, &buyer.key()));
    assert_eq!(next, PublicKey::new(buyer.public_key(), KeyEncoding::X509).expect("of a type"));
    let unsold = maker.voucher();
    let voucher = Voucher::decode(&unsold).expect("well-formed");
    let sold = voucher.extend_to(next).expect("consistent").sign(&maker.key).expect("the owner");
    let verified = verify(&sold).expect("sound");
    assert_eq!((verified.owner().encoding(), verified.owner().key()), (KeyEncoding::X5Chain, &buyer.key()));
    // And sells on, to somebody without.
    let again = extend(&sold, &buyer, &es256(3));
    assert_eq!(verify(&again).expect("sound").owner().encoding(), KeyEncoding::X509);

    let many = vec![leaf.as_der(); MAX_CERTIFICATES + 1];
    assert!(PublicKey::of_chain(&many[..MAX_CERTIFICATES]).is_ok());
    let refused = PublicKey::of_chain(&many).expect_err("too many");
    assert!(matches!(refused, Error::Malformed(_)), "{refused:?}");
    assert_eq!(PublicKey::of_chain(&[]).err(), Some(Misuse::KeyAlgorithm.into()));
    assert!(matches!(PublicKey::of_chain(&[b"no certificate"]), Err(Error::Certificate(_))));
    let other = maker.certify(key(SignatureAlgorithm::Ed25519, 4).public_key());
    assert_eq!(PublicKey::of_chain(&[other.as_der()]).err(), Some(Misuse::KeyAlgorithm.into()));
}

#[test]
fn no_voucher_with_one_byte_changed_verifies() {
    let (shop, home) = (es256(2), es256(3));
    no_mutation_verifies(&Manufacturer::plain().sold_to(&[&shop, &home]), 1);
}

/// Each byte with one bit flipped, and every `step`-th with any other value.
fn no_mutation_verifies(voucher: &[u8], step: usize) {
    assert!(verify(voucher).is_ok());
    for at in 0..voucher.len() {
        let mut forged = voucher.to_vec();
        let flips: Vec<u8> = if at % (16 * step) == 0 { (1..=255).collect() } else { vec![1, 0x80] };
        for flip in flips {
            forged[at] = voucher[at] ^ flip;
            assert!(verify(&forged).is_err(), "byte {at} changed by {flip:02x}");
        }
    }
    for len in 0..voucher.len() {
        assert!(
            matches!(verify(&voucher[..len]), Err(Error::Malformed(_) | Error::Entry { .. })),
            "{len} bytes"
        );
    }
    let longer = [voucher, &[0]].concat();
    let trailing = cbor::Error::new(voucher.len(), Reason::TrailingBytes);
    assert_eq!(refusal(&longer), Error::Malformed(trailing));
}

#[test]
fn each_rule_of_the_chain_has_its_own_refusal() {
    let maker = Manufacturer::plain();
    let (shop, home) = (es256(2), es256(3));
    let unsold = maker.voucher();
    let sold = maker.sold_to(&[&shop, &home]);
    let [first, second] = &entries(&sold)[..] else { panic!("two entries") };
    let [previous, info] = first_hashes(&unsold, HashAlgorithm::Sha256);
    let other = Digest::of(HashAlgorithm::Sha256, b"other");
    let [previous_384, info_384] = first_hashes(&unsold, HashAlgorithm::Sha384);
    let bad_signature = |entry| Error::Entry { entry, error: cose::Distrust::BadSignature.into() };
    let after = |entry: &[u8]| Digest::of(HashAlgorithm::Sha256, entry);
    let p384 = key(SignatureAlgorithm::Es384, 4);
    let rows = [
        ("no entry", vec![], untrusted(Distrust::NoEntry)),
        (
            "entries in another order",
            vec![second.clone(), first.clone()],
            untrusted(Distrust::PreviousHash { entry: 0 }),
        ),
        ("the first is missing", vec![second.clone()], untrusted(Distrust::PreviousHash { entry: 0 })),
        (
            "the first twice",
            vec![first.clone(), first.clone()],
            untrusted(Distrust::PreviousHash { entry: 1 }),
        ),
        (
            "follows nothing",
            vec![entry(&maker.key, other, info, &shop)],
            untrusted(Distrust::PreviousHash { entry: 0 }),
        ),
        (
            "is about another",
            vec![entry(&maker.key, previous, other, &shop)],
            untrusted(Distrust::HeaderInfoHash { entry: 0 }),
        ),
        ("is signed by another", vec![entry(&shop, previous, info, &shop)], bad_signature(0)),
        (
            "is signed by the manufacturer again",
            vec![first.clone(), entry(&maker.key, after(first), info, &home)],
            bad_signature(1),
        ),
        (
            "hashes by two functions",
            vec![entry(&maker.key, previous, info_384, &shop)],
            untrusted(Distrust::HashType { entry: 0 }),
        ),
        (
            "hashes by another function than the first",
            vec![first.clone(), entry(&shop, Digest::of(HashAlgorithm::Sha384, first), info_384, &home)],
            untrusted(Distrust::HashType { entry: 1 }),
        ),
        (
            "sells to another type of key",
            vec![entry(&maker.key, previous, info, &p384)],
            untrusted(Distrust::KeyType { entry: 0 }),
        ),
    ];
    for (what, entries, expected) in rows {
        assert_eq!(refusal(&with_entries(&unsold, &entries)), expected, "{what}");
    }
    // The function of the entries need not be that of the header.
    let shifted = with_entries(&unsold, &[entry(&maker.key, previous_384, info_384, &shop)]);
    assert!(verify(&shifted).is_ok());
    let again = extend(&shifted, &shop, &home);
    assert_eq!(verify(&again).expect("sound").owner().key(), &Key::Ec(home.public_key().clone()));

    // A header of another device, and certificates of another.
    let mut swapped = parts(&sold);
    let device = maker.device.clone();
    let other =
        maker.voucher_with(&[device.as_der(), maker.authority.as_der()], |header| header.guid.0[0] ^= 1);
    swapped[1] = parts(&other)[1].clone();
    assert_eq!(refusal(&join(&swapped)), untrusted(Distrust::PreviousHash { entry: 0 }));
    let mut swapped = parts(&sold);
    swapped[3] = Writer::encode(|w| _ = w.array(1).bytes(device.as_der()));
    assert_eq!(refusal(&join(&swapped)), untrusted(Distrust::CertificateChainHash));
}

#[test]
fn the_device_chain_leads_to_an_anchor_where_one_is_wanted() {
    let maker = Manufacturer::plain();
    let sold = maker.sold_to(&[&es256(2)]);
    let verify_to = |bytes: &[u8], anchors: &[x509::Certificate], now| {
        Voucher::decode(bytes)
            .expect("well-formed")
            .verify(DeviceChain::Anchored { anchors, now })
            .map(|_| ())
    };
    let authority = [maker.authority.clone()];
    assert_eq!(verify_to(&sold, &authority, NOW), Ok(()));
    let unknown = x509::Error::Untrusted(x509::Distrust::UnknownIssuer);
    assert_eq!(verify_to(&sold, &[], NOW), Err(Error::Certificate(unknown)));
    let expired = x509::Error::Untrusted(x509::Distrust::Expired { not_after: NOW + 1000 });
    assert_eq!(verify_to(&sold, &authority, NOW + 1001), Err(Error::Certificate(expired)));

    // A certificate that is not one to sign with, whoever issued it; and one above it that nobody can read.
    let device = maker.device_certificate(KeyUsage::KEY_CERT_SIGN);
    let voucher = maker.voucher_with(&[device.as_der()], |_| {});
    assert_eq!(refusal(&extend(&voucher, &maker.key, &es256(2))), untrusted(Distrust::DeviceKeyUsage));
    let device = maker.device.clone();
    let voucher = maker.voucher_with(&[device.as_der(), b"no certificate"], |_| {});
    let voucher = extend(&voucher, &maker.key, &es256(2));
    assert!(verify(&voucher).is_ok());
    assert_eq!(verify_to(&voucher, &authority, NOW), Ok(()));
    let voucher = maker.voucher_with(&[b"no certificate"], |_| {});
    assert!(matches!(refusal(&extend(&voucher, &maker.key, &es256(2))), Error::Certificate(_)));
}

#[test]
fn what_is_not_ours_is_told_from_what_is_malformed() {
    let sold = Manufacturer::plain().sold_to(&[&es256(2)]);
    let version_10 = [&[0x84], &parts(&sold)[1..].concat()[..]].concat();
    assert_eq!(refusal(&version_10), Error::Unsupported(Feature::Version10));
    let mut other = parts(&sold);
    other[0] = vec![0x18, 0xc8];
    assert_eq!(refusal(&join(&other)), Error::Unsupported(Feature::ProtocolVersion(200)));
    let mut epid = parts(&sold);
    epid[3] = vec![0xf6];
    assert_eq!(refusal(&join(&epid)), Error::Unsupported(Feature::NoCertificates));
    let mut hmac = parts(&sold);
    hmac[2] = Writer::encode(|w| _ = w.array(2).int(7).bytes(&[0; 64]));
    assert_eq!(refusal(&join(&hmac)), Error::Unsupported(Feature::Hash(7)));
    hmac[2] = Writer::encode(|w| _ = w.array(2).int(5).bytes(&[0; 31]));
    let short = |at| Error::Malformed(cbor::Error::rule(at, "hash is not as long as its type says"));
    assert_eq!(refusal(&join(&hmac)), short(1 + parts(&sold)[..2].concat().len() + 2));
    let untagged = &entries(&sold)[0][1..];
    assert!(matches!(
        refusal(&with_entries(&sold, &[untagged.to_vec()])),
        Error::Entry { entry: 0, error: cose::Error::Malformed(_) }
    ));
}

#[test]
fn limits_hold_at_them_and_one_past_them() {
    let maker = Manufacturer::plain();
    let limit = |at, limit| Error::Malformed(cbor::Error::new(at, Reason::TooLong { limit }));
    // Entries: the last that fits, sold to and fro.
    let (shop, home) = (es256(2), es256(3));
    let unsold = maker.voucher();
    let mut full = unsold.clone();
    let mut owner = &maker.key;
    for number in 0..MAX_ENTRIES {
        let buyer = if number % 2 == 0 { &shop } else { &home };
        // Checking all before it each time would take a while: the hashes are known here.
        let all = entries(&full);
        let [previous, info] = first_hashes(&unsold, HashAlgorithm::Sha256);
        let previous = all.last().map_or(previous, |last| Digest::of(HashAlgorithm::Sha256, last));
        full = with_entries(&unsold, &[all, vec![entry(owner, previous, info, buyer)]].concat());
        owner = buyer;
    }
    assert_eq!(verify(&full).expect("sound").entries(), MAX_ENTRIES);
    let refused = Voucher::decode(&full).expect("well-formed").extend(home.public_key()).expect_err("full");
    assert_eq!(refused, Error::Misuse(Misuse::TooManyEntries));
    let before: usize = 1 + parts(&full)[..4].concat().len();
    let more = [entries(&full), vec![vec![0xf6]]].concat();
    assert_eq!(refusal(&with_entries(&full, &more)), limit(before, MAX_ENTRIES));

    // Certificates.
    let certificates = |count| {
        let mut parts = parts(&unsold);
        parts[3] = Writer::encode(|w| {
            w.array(count);
            (0..count).for_each(|_| _ = w.bytes(b"x"));
        });
        join(&parts)
    };
    assert_eq!(refusal(&certificates(MAX_CERTIFICATES)), untrusted(Distrust::CertificateChainHash));
    let at = 1 + parts(&unsold)[..3].concat().len();
    assert_eq!(refusal(&certificates(MAX_CERTIFICATES + 1)), limit(at, MAX_CERTIFICATES));
    let none = Error::Malformed(cbor::Error::rule(at, "device has no certificate"));
    assert_eq!(refusal(&certificates(0)), none);

    // What a device is, and the whole.
    let device = maker.device.clone();
    let info = |len| {
        let header = sextant_fdo::Header { device_info: "x".repeat(len), ..maker.header(&[device.as_der()]) };
        let header = header.encode();
        let hmac = sextant_fdo::Hmac::of(HashAlgorithm::Sha256, SECRET, &header);
        Voucher::assemble(&header, &hmac, &[device.as_der()])
    };
    assert!(info(MAX_DEVICE_INFO_LEN).is_ok());
    assert!(matches!(
        info(MAX_DEVICE_INFO_LEN + 1),
        Err(Error::Misuse(Misuse::Unfit(cbor::Error {
            reason: Reason::TooLong { limit: MAX_DEVICE_INFO_LEN },
            ..
        })))
    ));
    assert!(matches!(
        info(0),
        Err(Error::Misuse(Misuse::Unfit(cbor::Error { reason: Reason::Rule(_), .. })))
    ));
    let mut filled = unsold.clone();
    filled.resize(MAX_VOUCHER_LEN, 0);
    assert_eq!(refusal(&filled), Error::Malformed(cbor::Error::new(unsold.len(), Reason::TrailingBytes)));
    filled.push(0);
    assert_eq!(refusal(&filled), limit(0, MAX_VOUCHER_LEN));
}

#[test]
fn ten_thousand_entries_are_refused_before_one_is_read() {
    let mut many = parts(&Manufacturer::plain().voucher());
    many[4] = [&[0x99, 0x27, 0x10][..], &[0; 10_000]].concat();
    let at = 1 + many[..4].concat().len();
    let limit = Reason::TooLong { limit: MAX_ENTRIES };
    assert_eq!(refusal(&join(&many)), Error::Malformed(cbor::Error::new(at, limit)));
}

/// A first entry for a next owner whose key is written like this.
fn sold_to_encoded(maker: &Manufacturer, next: &[u8]) -> Vec<u8> {
    let unsold = maker.voucher();
    let hashes = first_hashes(&unsold, HashAlgorithm::Sha256);
    let payload = Writer::encode(|w| {
        w.array(4);
        for hash in hashes {
            w.array(2).int(hash.algorithm().cose_id()).bytes(hash.as_bytes());
        }
        // An empty map, as some write it where there is nothing.
        w.bytes(&[0xa0]).raw(next);
    });
    with_entries(&unsold, &[Sign1Builder::new().sign(&maker.key, &payload)])
}

#[test]
fn keys_are_read_in_every_encoding_in_the_field() {
    let maker = Manufacturer::plain();
    let owner = |next: &[u8]| verify(&sold_to_encoded(&maker, next)).map(|verified| verified.owner().clone());
    let device = maker.device_key();
    let expected = Key::Ec(device.public_key().clone());
    let (x, y) = device.public_key().ec2_coordinates().expect("a point");
    let cose_key = |members: &dyn Fn(&mut Writer)| {
        Writer::encode(|w| {
            w.array(3).uint(10).uint(3);
            members(w);
        })
    };
    let chain = Writer::encode(|w| {
        let certificate = &maker.device;
        w.array(3).uint(10).uint(2).array(2).bytes(certificate.as_der()).bytes(maker.authority.as_der());
    });
    for encoded in [
        chain.clone(),
        cose_key(&|w| _ = w.map(4).int(1).int(2).int(-1).int(1).int(-2).bytes(x).int(-3).bytes(y)),
        // Without its type.
        cose_key(&|w| _ = w.map(3).int(-1).int(1).int(-2).bytes(x).int(-3).bytes(y)),
    ] {
        let key = owner(&encoded).expect("sound");
        assert_eq!((key.key(), key.as_bytes()), (&expected, encoded.as_slice()));
        assert_eq!(key, PublicKey::new(device.public_key(), KeyEncoding::X509).expect("a type"));
    }
    // A key with a zero in front of x, which some leave out: one in 256 has it.
    let short = (0..u16::MAX).find_map(|number| {
        let secret = [&[1; 30], &number.to_be_bytes()[..]].concat();
        let key = SigningKey::from_bytes(SignatureAlgorithm::Es256, &secret).expect("a key");
        let (x, _) = key.public_key().ec2_coordinates().expect("a point");
        (x[0] == 0).then_some(key)
    });
    let short = short.expect("one of many");
    let (short_x, short_y) = short.public_key().ec2_coordinates().expect("a point");
    let encoded =
        cose_key(&|w| _ = w.map(3).int(-1).int(1).int(-2).bytes(&short_x[1..]).int(-3).bytes(short_y));
    assert_eq!(owner(&encoded).expect("sound").key(), &Key::Ec(short.public_key().clone()));
    let other_curve = cose_key(&|w| _ = w.map(3).int(-1).int(2).int(-2).bytes(x).int(-3).bytes(y));
    assert!(matches!(owner(&other_curve), Err(Error::Malformed(_))));
    let off_curve = cose_key(&|w| _ = w.map(3).int(-1).int(1).int(-2).bytes(x).int(-3).bytes(x));
    assert!(matches!(owner(&off_curve), Err(Error::Malformed(_))));
    let no_certificate = Writer::encode(|w| _ = w.array(3).uint(10).uint(2).array(1).bytes(b"none"));
    assert!(matches!(owner(&no_certificate), Err(Error::Malformed(_))));
    let long = Writer::encode(|w| {
        w.array(3).uint(10).uint(2).array(MAX_CERTIFICATES + 1);
        (0..=MAX_CERTIFICATES).for_each(|_| _ = w.bytes(b"none"));
    });
    assert!(matches!(
        owner(&long),
        Err(Error::Malformed(cbor::Error { reason: Reason::TooLong { limit: MAX_CERTIFICATES }, .. }))
    ));
    let type_of = |number: u64| {
        Writer::encode(|w| _ = w.array(3).uint(number).uint(1).bytes(&device.public_key().to_spki_der()))
    };
    assert_eq!(owner(&type_of(6)), Err(Error::Unsupported(Feature::KeyType(6))));
    assert!(matches!(owner(&type_of(11)), Err(Error::Malformed(_))));
    assert_eq!(owner(&type_of(1)), Err(Error::Unsupported(Feature::KeyType(1))));
    let encoding = Writer::encode(|w| _ = w.array(3).uint(10).uint(0).bytes(&[]));
    assert_eq!(owner(&encoding), Err(Error::Unsupported(Feature::KeyEncoding(0))));
    let voucher = maker.voucher();
    let voucher = Voucher::decode(&voucher).expect("well-formed");
    let p384 = key(SignatureAlgorithm::Es384, 1);
    assert_eq!(voucher.extend(p384.public_key()).expect_err("refused"), Error::Misuse(Misuse::KeyType));
    let ed25519 = key(SignatureAlgorithm::Ed25519, 1);
    assert_eq!(
        voucher.extend(ed25519.public_key()).expect_err("refused"),
        Error::Misuse(Misuse::KeyAlgorithm)
    );
}

#[test]
fn files_hold_one_encoded_or_several_in_text() {
    let sold = Manufacturer::plain().sold_to(&[&es256(2)]);
    assert_eq!(vouchers_of_file(&sold).expect("one"), [sold.as_slice()]);
    let text = pem::encode("OWNERSHIP VOUCHER", &sold);
    let with_key = format!("{text}{}{text}", pem::encode("PRIVATE KEY", &[1]));
    for text in [with_key.clone(), with_key.replace('\n', "\r\n")] {
        assert_eq!(vouchers_of_file(text.as_bytes()).expect("two"), [sold.as_slice(), sold.as_slice()]);
    }
    let other = pem::encode("CERTIFICATE", &sold);
    assert_eq!(vouchers_of_file(other.as_bytes()), Err(sextant_fdo::FileError::NoVoucher));
}
