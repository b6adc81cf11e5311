//! Content encryption in pieces, key wrap and derivation: known answers and refusals.

use testkit::hex;

use super::counting;
use crate::*;

/// Algorithm, key, IV, additional data, plaintext, ciphertext with its tag.
type Known = (ContentAlgorithm, &'static str, &'static str, &'static str, String, String);

/// The test cases 4, 10 and 16 of the GCM submission; RFC 8439, section 2.8.2; NIST SP 800-38A, F.5.1, F.5.3 and F.5.5.
fn known() -> Vec<Known> {
    let key = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
    let (iv, aad) = ("cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2");
    let plain = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72\
                 1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39";
    let gcm = |algorithm, key_len: usize, cipher: &str, tag: &str| {
        (algorithm, &key[..key_len], iv, aad, plain.to_owned(), format!("{cipher}{tag}"))
    };
    let counter = "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff";
    let blocks = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51\
                  30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710";
    let ctr =
        |algorithm, key, cipher: &str| (algorithm, key, counter, "", blocks.to_owned(), cipher.to_owned());
    let sunscreen = "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, \
                     sunscreen would be it.";
    vec![
        gcm(
            ContentAlgorithm::A128Gcm,
            32,
            "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e\
             21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091",
            "5bc94fbc3221a5db94fae95ae7121a47",
        ),
        gcm(
            ContentAlgorithm::A192Gcm,
            48,
            "3980ca0b3c00e841eb06fac4872a2757859e1ceaa6efd984628593b40ca1e19c\
             7d773d00c144c525ac619d18c84a3f4718e2448b2fe324d9ccda2710",
            "2519498e80f1478f37ba55bd6d27618c",
        ),
        gcm(
            ContentAlgorithm::A256Gcm,
            64,
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa\
             8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
            "76fc6ece0f4e1768cddf8853bb2d551b",
        ),
        (
            ContentAlgorithm::ChaCha20Poly1305,
            "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
            "070000004041424344454647",
            "50515253c0c1c2c3c4c5c6c7",
            sunscreen.bytes().map(|byte| format!("{byte:02x}")).collect(),
            "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b\
             1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc\
             3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691"
                .to_owned(),
        ),
        ctr(
            ContentAlgorithm::A128Ctr,
            "2b7e151628aed2a6abf7158809cf4f3c",
            "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff\
             5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee",
        ),
        ctr(
            ContentAlgorithm::A192Ctr,
            "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
            "1abc932417521ca24f2b0459fe7e6e0b090339ec0aa6faefd5ccc2c6f4ce8e94\
             1e36b26bd1ebc670d1bd1d665620abf74f78a7f6d29809585a97daec58c6b050",
        ),
        ctr(
            ContentAlgorithm::A256Ctr,
            "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
            "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5\
             2b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6",
        ),
    ]
    .into_iter()
    .chain(known_ccm())
    .chain(known_cbc())
    .collect()
}

#[cfg(not(feature = "cbc"))]
fn known_cbc() -> Vec<Known> {
    Vec::new()
}

/// NIST SP 800-38A, F.2.1 and F.2.5; the last block, of padding, by `openssl enc` 3.0, which gives the others too.
#[cfg(feature = "cbc")]
fn known_cbc() -> Vec<Known> {
    let iv = "000102030405060708090a0b0c0d0e0f";
    let blocks = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51\
                  30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710";
    let rows = [
        (
            ContentAlgorithm::A128Cbc,
            "2b7e151628aed2a6abf7158809cf4f3c",
            "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2\
             73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a78cb82807230e1321d3fae00d18cc2012",
        ),
        (
            ContentAlgorithm::A256Cbc,
            "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
            "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d\
             39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b3f461796d6b0d6b2e0c2a72b4d80e644",
        ),
    ];
    rows.map(|(algorithm, key, sealed)| (algorithm, key, iv, "", blocks.to_owned(), sealed.to_owned()))
        .to_vec()
}

#[cfg(feature = "cbc")]
#[test]
fn cbc_pads_to_a_whole_block_and_takes_nothing_else() {
    for algorithm in [ContentAlgorithm::A128Cbc, ContentAlgorithm::A256Cbc] {
        let (key, iv) = key_and_iv(algorithm);
        for len in 0..50 {
            let plaintext = vec![7; len];
            let ciphertext = key.encrypt(&iv, &[], &plaintext).expect("encrypts");
            assert_eq!(ciphertext.len(), (len / 16 + 1) * 16);
            assert_eq!(key.decrypt(&iv, &[], &ciphertext).as_deref(), Ok(&plaintext), "{algorithm}");
            assert_eq!(key.decrypt(&iv, &[], &ciphertext[1..]).err(), Some(Error::BadCiphertext));
        }
        assert_eq!(key.decrypt(&iv, &[], &[]).err(), Some(Error::BadCiphertext));
        assert_eq!(key.decrypt(&iv, b"aad", &[0; 16]).err(), Some(Error::NotAuthenticated));
        // Blocks that end with 0, 17, and two unequal bytes once they are decrypted.
        for end in [[1, 0], [17, 17], [1, 2]] {
            let plaintext = [vec![7; 14], end.to_vec()].concat();
            let sealed = key.encrypt(&iv, &[], &plaintext).expect("encrypts");
            assert_eq!(key.decrypt(&iv, &[], &sealed[..16]).err(), Some(Error::BadCiphertext), "{end:?}");
        }
    }
}

#[cfg(not(feature = "ccm"))]
fn known_ccm() -> Vec<Known> {
    Vec::new()
}

/// No published case has these lengths of nonce and tag together with each key: by a computation of the steps of RFC 3610 in
/// another language, which gives that RFC's packet vector 1 and NIST SP 800-38C, example 1, too.
#[cfg(feature = "ccm")]
fn known_ccm() -> Vec<Known> {
    let (a128, a256) = (
        "404142434445464748494a4b4c4d4e4f",
        "404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f",
    );
    let (short, long) = ("10111213141516", "101112131415161718191a1b1c");
    let rows = [
        (
            ContentAlgorithm::Ccm16A128,
            a128,
            long,
            "69915dad1e84c6376a68c2967e4dab615ae0fd1faec44cc4098631cb0cd1e03153fb69a906e2f13c",
        ),
        (
            ContentAlgorithm::Ccm16A256,
            a256,
            long,
            "40527dbf457197dcf6b47b20e974d1741c6ad6948f9f0e50c0312a74760a5eed4fc27499b09c196d",
        ),
        (
            ContentAlgorithm::Ccm64A128,
            a128,
            short,
            "7162015bc051951e5918aeaf3c11f3d4ac363f8d5b6af3d36741ae464ac158c71443ae05c952b495",
        ),
        (
            ContentAlgorithm::Ccm64A256,
            a256,
            short,
            "8ab1a874f6853f2443a59500f78d17272d6d39dfa6d0e651881a8b8d0fcf638c7f97f52e532a59ad",
        ),
    ];
    let aad = "000102030405060708090a0b0c0d0e0f10111213";
    let plaintext = "202122232425262728292a2b2c2d2e2f3031323334353637";
    rows.map(|(algorithm, key, iv, sealed)| {
        (algorithm, key, iv, aad, plaintext.to_owned(), sealed.to_owned())
    })
    .to_vec()
}

/// A key of the algorithm, and an IV for it.
fn key_and_iv(algorithm: ContentAlgorithm) -> (ContentKey, Vec<u8>) {
    let key = ContentKey::generate(algorithm, &mut counting()).expect("a key");
    (key, vec![0xff; algorithm.iv_len()])
}

/// Decrypts in pieces of one length.
fn in_pieces(mut decryptor: Decryptor, ciphertext: &[u8], len: usize) -> Result<Vec<u8>, Error> {
    let mut plaintext = Vec::new();
    for piece in ciphertext.chunks(len) {
        let mut out = vec![0; piece.len()];
        plaintext.extend_from_slice(decryptor.update(piece, &mut out)?.as_unverified());
    }
    let proof = decryptor.finish()?;
    assert_eq!(proof.len(), plaintext.len() as u64);
    Ok(plaintext)
}

#[test]
fn known_plaintexts_encrypt_and_decrypt_to_what_is_published() {
    let known = known();
    assert_eq!(known.len(), ContentAlgorithm::ALL.len());
    for (algorithm, key, iv, aad, plaintext, ciphertext) in known {
        let key = ContentKey::from_bytes(algorithm, &hex(key)).expect("a key");
        let (iv, aad, plaintext, ciphertext) = (hex(iv), hex(aad), hex(&plaintext), hex(&ciphertext));
        assert_eq!(key.encrypt(&iv, &aad, &plaintext).as_ref(), Ok(&ciphertext), "{algorithm}");
        assert_eq!(key.decrypt(&iv, &aad, &ciphertext).as_deref(), Ok(&plaintext), "{algorithm}");
    }
}

#[test]
fn pieces_of_any_length_decrypt_to_the_same_plaintext() {
    for algorithm in ContentAlgorithm::IN_PIECES {
        let (key, iv) = key_and_iv(algorithm);
        for len in [0, 1, 15, 16, 17, 127, 128, 129, 1000] {
            let plaintext: Vec<u8> = (0..len).map(|index: usize| index as u8).collect();
            let ciphertext = key.encrypt(&iv, &[], &plaintext).expect("encrypts");
            assert_eq!(ciphertext.len(), len + algorithm.tag_len());
            for piece in [1, 2, 7, 15, 16, 17, 31, 64, 200, 5000] {
                let decryptor = key.decryptor(&iv, &[]).expect("a decryptor");
                assert_eq!(
                    in_pieces(decryptor, &ciphertext, piece),
                    Ok(plaintext.clone()),
                    "{algorithm} {piece}"
                );
                let mut encryptor = key.encryptor(&iv, &[]).expect("an encryptor");
                let mut again = Vec::new();
                for piece in plaintext.chunks(piece) {
                    let mut out = vec![0; piece.len()];
                    again.extend_from_slice(encryptor.update(piece, &mut out).expect("encrypts"));
                }
                again.extend_from_slice(&encryptor.finish());
                assert_eq!(again, ciphertext, "{algorithm} {piece}");
            }
        }
    }
}

#[test]
fn every_flipped_bit_of_an_authenticated_message_is_found_out() {
    for algorithm in ContentAlgorithm::ALL.into_iter().filter(|algorithm| algorithm.is_authenticated()) {
        let (key, iv) = key_and_iv(algorithm);
        let ciphertext = key.encrypt(&iv, b"aad", b"twenty bytes of text").expect("encrypts");
        for bit in 0..ciphertext.len() * 8 {
            let mut changed = ciphertext.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(key.decrypt(&iv, b"aad", &changed).err(), Some(Error::BadTag), "{algorithm}");
        }
        for len in 0..ciphertext.len() {
            assert_eq!(
                key.decrypt(&iv, b"aad", &ciphertext[..len]).err(),
                Some(Error::BadTag),
                "{algorithm}"
            );
        }
        assert_eq!(key.decrypt(&iv, b"AAD", &ciphertext).err(), Some(Error::BadTag), "{algorithm}");
        let other = vec![0; algorithm.iv_len()];
        assert_eq!(key.decrypt(&other, b"aad", &ciphertext).err(), Some(Error::BadTag), "{algorithm}");
    }
}

#[test]
fn the_proof_says_whether_the_plaintext_was_authenticated() {
    for algorithm in ContentAlgorithm::IN_PIECES {
        let (key, iv) = key_and_iv(algorithm);
        let ciphertext = key.encrypt(&iv, &[], b"text").expect("encrypts");
        let mut decryptor = key.decryptor(&iv, &[]).expect("a decryptor");
        decryptor.update(&ciphertext, &mut vec![0; ciphertext.len()]).expect("decrypts");
        let proof = decryptor.finish().expect("nothing was changed");
        assert_eq!((proof.len(), proof.is_authenticated()), (4, algorithm.is_authenticated()));
    }
}

#[test]
fn counter_mode_resumes_at_any_offset_and_no_other_does() {
    for algorithm in ContentAlgorithm::IN_PIECES {
        // All ones: the counter goes round at its end.
        let (key, iv) = key_and_iv(algorithm);
        let plaintext: Vec<u8> = (0..600u32).map(|index| (index * 7) as u8).collect();
        let ciphertext = key.encrypt(&iv, &[], &plaintext).expect("encrypts");
        for offset in [0usize, 1, 16, 100, 128, 129, 511, 599, 600] {
            let mut decryptor = key.decryptor(&iv, &[]).expect("a decryptor");
            // A first attempt that a power cut ended somewhere else.
            decryptor.update(&ciphertext[..40], &mut [0; 40]).expect("decrypts");
            if algorithm.is_authenticated() {
                assert_eq!(decryptor.seek(offset as u64), Err(Error::NotSeekable));
                continue;
            }
            decryptor.seek(offset as u64).expect("counter mode");
            let mut out = vec![0; 600 - offset];
            decryptor.update(&ciphertext[offset..], &mut out).expect("decrypts");
            assert_eq!(out, plaintext[offset..], "{algorithm} from {offset}");
            assert_eq!(decryptor.finish().expect("no tag").len(), 600);
        }
    }
}

#[test]
fn refuses_wrong_lengths_and_what_is_not_authenticated() {
    for algorithm in ContentAlgorithm::ALL {
        let (key, iv) = key_and_iv(algorithm);
        for len in (0..40).filter(|len| *len != algorithm.key_len()) {
            let refused = ContentKey::from_bytes(algorithm, &vec![1; len]);
            assert_eq!(refused.err(), Some(Error::MalformedKey), "{algorithm} {len}");
        }
        for len in (0..20).filter(|len| *len != algorithm.iv_len()) {
            assert_eq!(key.encrypt(&vec![0; len], &[], b"").err(), Some(Error::MalformedIv));
            let refused = key.decrypt(&vec![0; len], &[], &[0; 16]).err();
            assert_eq!(refused, Some(Error::MalformedIv), "{algorithm} {len}");
        }
        let refused = key.encrypt(&iv, b"aad", b"").err();
        assert_eq!(refused, (!algorithm.is_authenticated()).then_some(Error::NotAuthenticated));
        if !algorithm.is_in_pieces() {
            assert_eq!(key.encryptor(&iv, &[]).err(), Some(Error::NotInPieces));
            assert_eq!(key.decryptor(&iv, &[]).err(), Some(Error::NotInPieces));
            continue;
        }
        let mut encryptor = key.encryptor(&iv, &[]).expect("an encryptor");
        assert_eq!(encryptor.update(&[0; 5], &mut [0; 4]), Err(Error::BufferTooShort));
        let mut decryptor = key.decryptor(&iv, &[]).expect("a decryptor");
        let len = 5 + algorithm.tag_len();
        assert_eq!(decryptor.update(&vec![0; len], &mut [0; 4]).err(), Some(Error::BufferTooShort));
    }
}

#[test]
fn algorithms_are_found_by_number_and_name_and_need_randomness() {
    assert!(ContentAlgorithm::ALL.starts_with(&ContentAlgorithm::IN_PIECES));
    for algorithm in ContentAlgorithm::ALL {
        assert_eq!(algorithm.is_in_pieces(), ContentAlgorithm::IN_PIECES.contains(&algorithm));
        assert_eq!(ContentKey::generate(algorithm, &mut |_| {}).err(), Some(Error::BadEntropy));
        assert_eq!(ContentAlgorithm::from_cose_id(algorithm.cose_id()), Some(algorithm));
        assert_eq!(ContentAlgorithm::from_name(algorithm.name()), Some(algorithm));
    }
}

#[test]
fn no_more_is_encrypted_with_one_iv_than_the_algorithm_allows() {
    let (key, iv) = key_and_iv(ContentAlgorithm::A128Gcm);
    let mut encryptor = key.encryptor(&iv, &[]).expect("an encryptor");
    encryptor.0.left = 5;
    assert_eq!(encryptor.update(&[0; 6], &mut [0; 6]), Err(Error::TooLong));
    assert!(encryptor.update(&[0; 5], &mut [0; 5]).is_ok());
    assert_eq!(encryptor.update(&[0; 1], &mut [0; 1]), Err(Error::TooLong));
}

#[cfg(feature = "ccm")]
#[test]
fn the_length_of_a_message_fits_into_the_first_block_of_ccm() {
    let is_ccm = |algorithm: &ContentAlgorithm| algorithm.is_authenticated() && !algorithm.is_in_pieces();
    for algorithm in ContentAlgorithm::ALL.into_iter().filter(is_ccm) {
        let (key, iv) = key_and_iv(algorithm);
        let most = 0xffff;
        let sealed = key.encrypt(&iv, b"aad", &vec![7; most]).expect("encrypts");
        assert_eq!(key.decrypt(&iv, b"aad", &sealed).as_deref(), Ok(&vec![7; most]), "{algorithm}");
        let beyond = key.encrypt(&iv, b"aad", &vec![7; most + 1]);
        let is_long = algorithm.max_len() > most as u64;
        assert_eq!(beyond.err(), (!is_long).then_some(Error::TooLong), "{algorithm}");
        let beyond = key.decrypt(&iv, b"aad", &vec![7; most + 17]);
        assert_eq!(beyond.err(), Some(Error::BadTag), "{algorithm}");
    }
}

#[test]
fn keys_wrap_to_what_is_published() {
    // RFC 3394, sections 4.1, 4.2, 4.3 and 4.6.
    let kek = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    let key = "00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f";
    let known = [
        (KeyWrapAlgorithm::A128Kw, 32, "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5"),
        (KeyWrapAlgorithm::A192Kw, 32, "96778b25ae6ca435f92b5b97c050aed2468ab8a17ad84e5d"),
        (KeyWrapAlgorithm::A256Kw, 32, "64e8c3f9ce0f5ba263e9777905818a2a93c8191e7d6e8ae7"),
        (
            KeyWrapAlgorithm::A256Kw,
            64,
            "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21",
        ),
    ];
    for (algorithm, digits, wrapped) in known {
        let kek = KeyWrapKey::from_bytes(algorithm, &hex(&kek[..2 * algorithm.key_len()])).expect("a key");
        let (key, wrapped) = (hex(&key[..digits]), hex(wrapped));
        assert_eq!(kek.wrap(&key).as_ref(), Ok(&wrapped), "{algorithm}");
        assert_eq!(kek.unwrap(&wrapped).as_deref(), Ok(&key), "{algorithm}");
        for bit in 0..wrapped.len() * 8 {
            let mut changed = wrapped.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(kek.unwrap(&changed).err(), Some(Error::BadWrappedKey));
        }
        for len in (0..wrapped.len()).chain([1000]) {
            let cut: Vec<u8> = wrapped.iter().copied().cycle().take(len).collect();
            assert_eq!(kek.unwrap(&cut).err(), Some(Error::BadWrappedKey), "{len} bytes");
        }
        for len in [0, 8, 15, 17, 72] {
            assert_eq!(kek.wrap(&vec![0; len]).err(), Some(Error::MalformedKey), "{len} bytes");
        }
        let other = KeyWrapKey::generate(algorithm, &mut counting()).expect("a key");
        assert_eq!(other.unwrap(&wrapped).err(), Some(Error::BadWrappedKey));
        assert_eq!(KeyWrapKey::from_bytes(algorithm, &[0; 20]).err(), Some(Error::MalformedKey));
        assert_eq!(KeyWrapAlgorithm::from_cose_id(algorithm.cose_id()), Some(algorithm));
    }
}

#[test]
fn key_material_is_derived_as_published() {
    // RFC 5869, test cases 1 and 3.
    let known = [
        (
            "000102030405060708090a0b0c",
            "f0f1f2f3f4f5f6f7f8f9",
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        ),
        ("", "", "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"),
    ];
    for (salt, info, expected) in known {
        let mut out = [0; 42];
        hkdf(HashAlgorithm::Sha256, &[0x0b; 22], &hex(salt), &hex(info), &mut out).expect("short");
        assert_eq!(out[..], hex(expected));
    }
    let derive = |len| hkdf(HashAlgorithm::Sha256, b"secret", &[], &[], &mut vec![0; len]);
    assert_eq!((derive(255 * 32), derive(255 * 32 + 1)), (Ok(()), Err(Error::TooLong)));
}

#[test]
fn counter_mode_derives_what_is_published_for_onboarding() {
    // The row that FIDO publishes for FDO 1.1; all rows are read in `tests/kdf.rs`.
    let key = "08c9dc0cc5e9dd2558a12ae60cd00670d01a09cca52bae8a671a21e1babdb25b\
               c21963c48b4aa77bb8ed338f0c5a15efee069ce10a09be2aacf857b8dcd9df8e";
    let expected = "e5e959c8cbdd5989c819f7ea8c69bcb3f70a442830ba235c5aa0b4047d0cda0b";
    let derive = |label: &[u8], context: &[u8], len| {
        let mut out = vec![0; len];
        kdf_counter(HashAlgorithm::Sha256, &hex(key), label, context, &mut out).map(|()| out)
    };
    let context = b"AutomaticOnboardTunnel";
    assert_eq!(derive(b"FIDO-KDF", context, 32), Ok(hex(expected)));
    // The length is part of what is hashed, and so is where the label ends.
    assert_ne!(derive(b"FIDO-KDF", context, 31).expect("short"), hex(expected)[..31]);
    assert_ne!(derive(b"FIDO-KDFA", &context[1..], 32), Ok(hex(expected)));
    assert_eq!(derive(b"", b"", 0), Ok(vec![]));
}

#[test]
fn counter_mode_derives_no_more_than_counter_and_length_can_tell() {
    let derive = |algorithm, len| kdf_counter(algorithm, b"key", b"", b"", &mut vec![0; len]);
    let rows =
        [(HashAlgorithm::Sha256, 255 * 32), (HashAlgorithm::Sha384, 8191), (HashAlgorithm::Sha512, 8191)];
    for (algorithm, most) in rows {
        assert_eq!((derive(algorithm, most), derive(algorithm, most + 1)), (Ok(()), Err(Error::TooLong)));
    }
}

#[test]
fn secrets_are_not_shown() {
    let content = ContentKey::from_bytes(ContentAlgorithm::A128Gcm, &[0x5a; 16]).expect("a key");
    let wrap = KeyWrapKey::from_bytes(KeyWrapAlgorithm::A256Kw, &[0x5a; 32]).expect("a key");
    let agreement = AgreementKey::from_bytes(AgreementCurve::P256, &[0x5a; 32]).expect("a key");
    let shared = agreement.agree(agreement.public_key()).expect("agrees");
    let hss = HssSigningKey::from_seed(&[(LmsType::H5, LmotsType::W1)], &[0x5a; 32]).expect("a key");
    let shown = [
        (format!("{content:?}"), "Key(A128GCM)"),
        (format!("{wrap:?}"), "Key(A256KW)"),
        (format!("{agreement:?}"), "Key(ECDH P-256)"),
        (format!("{shared:?}"), "Key(shared secret)"),
        (format!("{hss:?}"), "Key(HSS-LMS, 0 of 32 used)"),
    ];
    for (shown, expected) in shown {
        assert_eq!(shown, expected);
    }
}
