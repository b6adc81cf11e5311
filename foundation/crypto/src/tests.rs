//! Known answers, refusals, other people's keys and signatures, and the two back ends against each other.

use testkit::hex;

use super::*;

mod agreement;
mod encryption;
#[cfg(feature = "rsa")]
mod rsa;

const MESSAGE: &[u8] = b"signed by another implementation";

/// Counts up, so that every key of a test differs and every run is the same.
fn counting() -> impl FnMut(&mut [u8]) {
    let mut next = 0u8;
    move |out| {
        for byte in out {
            next = next.wrapping_mul(167).wrapping_add(13);
            *byte = next;
        }
    }
}

fn keys() -> Vec<SigningKey> {
    let mut fill = counting();
    SignatureAlgorithm::STATELESS
        .into_iter()
        .map(|algorithm| SigningKey::generate(algorithm, &mut fill).expect("the source gives usable keys"))
        .collect()
}

fn fixture(name: &str) -> Vec<u8> {
    testkit::read_hex(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name))
}

mod hashes {
    use super::*;

    /// FIPS 180-4 examples for "abc"; RFC 4231, test case 2.
    const KNOWN: [(HashAlgorithm, &str, &str); 3] = [
        (
            HashAlgorithm::Sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            HashAlgorithm::Sha384,
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
            "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
        ),
        (
            HashAlgorithm::Sha512,
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554\
             9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
        ),
    ];

    #[test]
    fn known_digests_and_tags() {
        for (algorithm, digest, tag) in KNOWN {
            assert_eq!(Digest::of(algorithm, b"abc").as_bytes(), hex(digest), "{algorithm}");
            let computed = hmac(algorithm, b"Jefe", b"what do ya want for nothing?");
            assert_eq!(computed.as_bytes(), hex(tag), "{algorithm}");
        }
    }

    #[test]
    fn a_digest_does_not_depend_on_how_the_data_was_cut() {
        let data: Vec<u8> = (0..300u16).map(|i| i as u8).collect();
        for algorithm in HashAlgorithm::ALL {
            for step in [1, 63, 64, 65, 127, 128, 129] {
                let mut hasher = Hasher::new(algorithm);
                data.chunks(step).for_each(|piece| hasher.update(piece));
                assert_eq!(hasher.finish(), Digest::of(algorithm, &data), "{algorithm} in steps of {step}");
            }
        }
    }

    #[test]
    fn a_tag_is_refused_when_changed_cut_or_of_another_hash() {
        for algorithm in HashAlgorithm::ALL {
            let tag = hmac(algorithm, b"key", b"message");
            assert!(hmac_verify(algorithm, b"key", b"message", tag.as_bytes()));
            assert!(!hmac_verify(algorithm, b"kez", b"message", tag.as_bytes()));
            assert!(!hmac_verify(algorithm, b"key", b"massage", tag.as_bytes()));
            assert!(!hmac_verify(algorithm, b"key", b"message", &tag.as_bytes()[..algorithm.len() - 1]));
            assert!(!hmac_verify(algorithm, b"key", b"message", &[]));
        }
        let tag = hmac(HashAlgorithm::Sha512, b"key", b"message");
        assert!(!hmac_verify(HashAlgorithm::Sha384, b"key", b"message", &tag.as_bytes()[..48]));
    }

    #[test]
    fn every_numbering_leads_back_to_its_hash() {
        let rows = [
            (HashAlgorithm::Sha256, -16, 1, 0x000b, "sha-256", 32),
            (HashAlgorithm::Sha384, -43, 7, 0x000c, "sha-384", 48),
            (HashAlgorithm::Sha512, -44, 8, 0x000d, "sha-512", 64),
        ];
        for (algorithm, cose, named, tpm, name, len) in rows {
            assert_eq!((algorithm.cose_id(), HashAlgorithm::from_cose_id(cose)), (cose, Some(algorithm)));
            assert_eq!(
                (algorithm.named_info_id(), HashAlgorithm::from_named_info_id(named)),
                (named, Some(algorithm))
            );
            assert_eq!((algorithm.tpm_id(), HashAlgorithm::from_tpm_id(tpm)), (tpm, Some(algorithm)));
            assert_eq!((algorithm.name(), HashAlgorithm::from_name(name)), (name, Some(algorithm)));
            assert_eq!(algorithm.len(), len);
        }
        assert_eq!(HashAlgorithm::from_cose_id(1), None);
        assert_eq!(HashAlgorithm::from_named_info_id(2), None);
        assert_eq!(HashAlgorithm::from_tpm_id(0x0004), None);
        assert_eq!(HashAlgorithm::from_name("SHA-1"), None);
    }

    #[test]
    fn digest_text_reads_back_and_refuses_all_else() {
        for algorithm in HashAlgorithm::ALL {
            let digest = Digest::of(algorithm, b"abc");
            assert_eq!(digest.to_string().parse(), Ok(digest));
            assert_eq!(Digest::new(algorithm, digest.as_bytes()), Some(digest));
            assert!(digest.matches(b"abc") && !digest.matches(b"abd"));
        }
        let good = Digest::of(HashAlgorithm::Sha256, b"abc").to_string();
        for bad in ["", "sha256", "sha256:", &good[..good.len() - 1], &good.replace(':', "-"), "md5:00"] {
            assert_eq!(bad.parse::<Digest>(), Err(NotADigest), "{bad}");
        }
        assert_eq!(good.replacen("ba78", "ba7g", 1).parse::<Digest>(), Err(NotADigest));
        assert_eq!(good.replacen("ba78", "ba+8", 1).parse::<Digest>(), Err(NotADigest));
        assert_eq!(Digest::new(HashAlgorithm::Sha256, &[0; 31]), None);
        assert_eq!(Digest::new(HashAlgorithm::Sha256, &[0; 33]), None);
    }
}

mod signatures {
    use super::*;

    /// (algorithm, private key, x or key, message, signature): RFC 6979, A.2.5 and A.2.6, "sample" with the hash of
    /// the algorithm; RFC 8032, section 7.1, tests 1 and 2.
    const KNOWN: [(SignatureAlgorithm, &str, &str, &[u8], &str); 4] = [
        (
            SignatureAlgorithm::Es256,
            "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721",
            "60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6",
            b"sample",
            "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716\
             F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8",
        ),
        (
            SignatureAlgorithm::Es384,
            "6B9D3DAD2E1B8C1C05B19875B6659F4DE23C3B667BF297BA9AA47740787137D896D5724E4C70A825F872C9EA60D2EDF5",
            "EC3A4E415B4E19A4568618029F427FA5DA9A8BC4AE92E02E06AAE5286B300C64DEF8F0EA9055866064A254515480BC13",
            b"sample",
            "94EDBB92A5ECB8AAD4736E56C691916B3F88140666CE9FA73D64C4EA95AD133C81A648152E44ACF96E36DD1E80FABE46\
             99EF4AEB15F178CEA1FE40DB2603138F130E740A19624526203B6351D0A3A94FA329C145786E679E7B82C71A38628AC8",
        ),
        (
            SignatureAlgorithm::Ed25519,
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            b"",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155\
             5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            SignatureAlgorithm::Ed25519,
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            &[0x72],
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
    ];

    #[test]
    fn known_keys_and_signatures() {
        for (algorithm, secret, x, message, signature) in KNOWN {
            let key = SigningKey::from_bytes(algorithm, &hex(secret)).expect("a key");
            let public = key.public_key();
            let found = public.ec2_coordinates().map_or(public.as_bytes(), |(x, _)| x);
            assert_eq!(found, hex(x), "{algorithm}");
            assert_eq!(public.verify(message, &hex(signature)), Ok(()), "{algorithm}");
            // The fast back end draws a fresh nonce for ECDSA.
            if cfg!(not(feature = "fast")) || algorithm == SignatureAlgorithm::Ed25519 {
                assert_eq!(key.sign(message), hex(signature), "{algorithm}");
            }
        }
    }

    #[test]
    fn a_signature_of_another_implementation_verifies() {
        for (name, algorithm) in [
            ("p256", SignatureAlgorithm::Es256),
            ("p384", SignatureAlgorithm::Es384),
            ("ed25519", SignatureAlgorithm::Ed25519),
        ] {
            let public = PublicKey::from_spki_der(&fixture(&format!("{name}.spki.hex"))).expect(name);
            assert_eq!(public.algorithm(), algorithm);
            let signature = fixture(&format!("{name}.signature.hex"));
            assert_eq!(public.verify_der(MESSAGE, &signature), Ok(()), "{name}");
            assert_eq!(public.verify_der(b"another message", &signature), Err(Error::BadSignature), "{name}");
        }
    }

    #[test]
    fn signs_in_both_encodings_and_verifies_only_the_one_asked_for() {
        for key in keys() {
            let public = key.public_key();
            let fixed = key.sign(MESSAGE);
            assert_eq!(Some(fixed.len()), key.algorithm().signature_len());
            assert_eq!(public.verify(MESSAGE, &fixed), Ok(()));
            let der = key.sign_der(MESSAGE);
            assert_eq!(public.verify_der(MESSAGE, &der), Ok(()));
            for signature in [&fixed, &der] {
                let (as_fixed, as_der) = (public.fixed_signature(signature), public.der_signature(signature));
                assert_eq!(public.verify(MESSAGE, &as_fixed.expect("either form")), Ok(()));
                assert_eq!(public.verify_der(MESSAGE, &as_der.expect("either form")), Ok(()));
            }
            if key.algorithm() != SignatureAlgorithm::Ed25519 {
                assert_eq!(public.verify(MESSAGE, &der), Err(Error::BadSignature));
                assert!(public.verify_der(MESSAGE, &fixed).is_err());
            }
        }
    }

    #[test]
    fn refuses_every_flipped_bit_and_every_other_key() {
        let (keys, others) = (keys(), {
            let mut fill = counting();
            fill(&mut [0; 7]);
            SignatureAlgorithm::STATELESS
                .map(|algorithm| SigningKey::generate(algorithm, &mut fill).expect("a key"))
        });
        for (key, other) in keys.iter().zip(&others) {
            let signature = key.sign(MESSAGE);
            for bit in 0..signature.len() * 8 {
                let mut forged = signature.clone();
                forged[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(key.public_key().verify(MESSAGE, &forged), Err(Error::BadSignature), "bit {bit}");
            }
            assert_eq!(other.public_key().verify(MESSAGE, &signature), Err(Error::BadSignature));
            for end in [0, 1, signature.len() / 2, signature.len() - 1] {
                assert_eq!(key.public_key().verify(MESSAGE, &signature[..end]), Err(Error::BadSignature));
            }
            let longer = [signature.as_slice(), &[0]].concat();
            assert_eq!(key.public_key().verify(MESSAGE, &longer), Err(Error::BadSignature));
            let zero = vec![0; signature.len()];
            assert_eq!(key.public_key().verify(MESSAGE, &zero), Err(Error::BadSignature));
        }
    }

    #[test]
    fn an_algorithm_has_two_numbers_and_no_other_algorithm_has_them() {
        for (algorithm, older, newer) in [
            (SignatureAlgorithm::Es256, -7, -9),
            (SignatureAlgorithm::Es384, -35, -51),
            (SignatureAlgorithm::Ed25519, -8, -19),
            (SignatureAlgorithm::HssLms, -46, -46),
        ] {
            assert_eq!(algorithm.cose_id(), older);
            for other in SignatureAlgorithm::ALL {
                assert_eq!(other.matches_cose_id(older), other == algorithm);
                assert_eq!(other.matches_cose_id(newer), other == algorithm);
            }
            assert_eq!(SignatureAlgorithm::from_cose_id(newer), Some(algorithm));
            assert_eq!(SignatureAlgorithm::from_name(algorithm.name()), Some(algorithm));
        }
        assert_eq!(SignatureAlgorithm::from_cose_id(5), None);
    }
}

mod key_formats {
    use super::*;

    #[test]
    fn keys_of_another_implementation_are_read_and_written_back() {
        for name in ["p256", "p384", "ed25519"] {
            let pkcs8 = fixture(&format!("{name}.pkcs8.hex"));
            let spki = fixture(&format!("{name}.spki.hex"));
            let key = SigningKey::from_pkcs8_der(&pkcs8).expect(name);
            assert_eq!(*key.to_pkcs8_der(), pkcs8, "{name}");
            assert_eq!(key.public_key().to_spki_der(), spki, "{name}");
            assert_eq!(PublicKey::from_spki_der(&spki).as_ref(), Ok(key.public_key()), "{name}");
            let again = SigningKey::from_bytes(key.algorithm(), &key.secret_bytes()).expect(name);
            assert_eq!(again.public_key(), key.public_key(), "{name}");
        }
        for name in ["p256", "p384"] {
            let pkcs8 = SigningKey::from_pkcs8_der(&fixture(&format!("{name}.pkcs8.hex"))).expect(name);
            let sec1 = SigningKey::from_sec1_der(&fixture(&format!("{name}.sec1.hex"))).expect(name);
            assert_eq!(sec1.public_key(), pkcs8.public_key(), "{name}");
        }
    }

    #[test]
    fn parameters_lead_back_to_the_key() {
        for key in keys() {
            let public = key.public_key();
            let rebuilt = match (public.ec2_coordinates(), public.ed25519_bytes()) {
                (Some((x, y)), None) => PublicKey::from_ec2(public.algorithm(), x, y),
                (None, Some(bytes)) => PublicKey::from_ed25519(&bytes),
                _ => panic!("a key has one form"),
            };
            assert_eq!(rebuilt.as_ref(), Ok(public));
        }
    }

    #[test]
    fn says_what_it_does_not_support() {
        let compressed = fixture("p256-compressed.spki.hex");
        assert_eq!(PublicKey::from_spki_der(&compressed), Err(Error::UnsupportedCompressedPoint));
        assert_eq!(PublicKey::from_spki_der(&fixture("p521.spki.hex")), Err(Error::UnsupportedAlgorithm));
    }

    #[test]
    fn refuses_der_that_is_cut_long_or_not_shortest() {
        for name in ["p256", "p384", "ed25519"] {
            let spki = fixture(&format!("{name}.spki.hex"));
            let pkcs8 = fixture(&format!("{name}.pkcs8.hex"));
            for end in 0..spki.len() {
                assert!(
                    matches!(PublicKey::from_spki_der(&spki[..end]), Err(Error::MalformedDer { .. })),
                    "{end}"
                );
            }
            for end in 0..pkcs8.len() {
                assert!(SigningKey::from_pkcs8_der(&pkcs8[..end]).is_err(), "{end}");
            }
            let longer = [spki.as_slice(), &[0]].concat();
            assert_eq!(PublicKey::from_spki_der(&longer), Err(Error::MalformedDer { at: spki.len() }));
            let longer = [pkcs8.as_slice(), &[0]].concat();
            assert_eq!(
                SigningKey::from_pkcs8_der(&longer).err(),
                Some(Error::MalformedDer { at: pkcs8.len() })
            );
        }
        let spki = fixture("ed25519.spki.hex");
        let long_form = [&[0x30, 0x81, spki[1]], &spki[2..]].concat();
        assert_eq!(PublicKey::from_spki_der(&long_form), Err(Error::MalformedDer { at: 0 }));
        let indefinite = [&[0x30, 0x80], &spki[2..], &[0, 0]].concat();
        assert_eq!(PublicKey::from_spki_der(&indefinite), Err(Error::MalformedDer { at: 0 }));
    }

    #[test]
    fn refuses_a_private_key_that_states_another_public_key() {
        let mut pkcs8 = fixture("p256.pkcs8.hex");
        let spki = fixture("p256.spki.hex");
        let other = keys().remove(0);
        let (at, point) = (pkcs8.len() - 65, other.public_key().as_bytes());
        assert_eq!(pkcs8[at..], spki[spki.len() - 65..]);
        pkcs8[at..].copy_from_slice(point);
        assert_eq!(SigningKey::from_pkcs8_der(&pkcs8).err(), Some(Error::MalformedKey));
    }

    #[test]
    fn refuses_points_off_the_curve_and_coordinates_of_another_width() {
        for key in &keys()[..2] {
            let algorithm = key.algorithm();
            let (x, y) = key.public_key().ec2_coordinates().expect("coordinates");
            let mut off = y.to_vec();
            off[0] ^= 1;
            assert_eq!(PublicKey::from_ec2(algorithm, x, &off), Err(Error::MalformedKey));
            assert_eq!(PublicKey::from_ec2(algorithm, &x[1..], y), Err(Error::MalformedKey));
            assert_eq!(PublicKey::from_ec2(algorithm, x, &[y, &[0]].concat()), Err(Error::MalformedKey));
            let zero = vec![0; x.len()];
            assert_eq!(PublicKey::from_ec2(algorithm, &zero, &zero), Err(Error::MalformedKey));
            let above = vec![0xff; x.len()];
            assert_eq!(PublicKey::from_ec2(algorithm, &above, y), Err(Error::MalformedKey));
        }
        assert_eq!(
            PublicKey::from_ec2(SignatureAlgorithm::Ed25519, &[1; 32], &[1; 32]),
            Err(Error::WrongKeyType)
        );
    }

    #[test]
    fn refuses_scalars_out_of_range_and_of_another_width() {
        for algorithm in [SignatureAlgorithm::Es256, SignatureAlgorithm::Es384] {
            let len = algorithm.secret_len();
            for secret in [vec![0; len], vec![0xff; len], vec![1; len - 1], vec![1; len + 1], vec![]] {
                assert_eq!(SigningKey::from_bytes(algorithm, &secret).err(), Some(Error::MalformedKey));
            }
        }
        for len in [0, 31, 33, 64] {
            let refused = SigningKey::from_bytes(SignatureAlgorithm::Ed25519, &vec![1; len]).err();
            assert_eq!(refused, Some(Error::MalformedKey));
        }
    }

    #[test]
    fn refuses_ed25519_keys_that_libraries_disagree_about() {
        let degenerate = [
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0100000000000000000000000000000000000000000000000000000000000000",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
            // not a point of the curve
            "4d4805503dd8f5e02d68e5701df8d5000d88c590fd18b520eda8a5b0dd389540",
            // not canonical: p, p + 1, 2^255 - 1
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        ];
        for key in degenerate {
            let mut key = hex(key);
            assert_eq!(PublicKey::from_ed25519(&key), Err(Error::MalformedKey));
            key[31] |= 0x80;
            assert_eq!(PublicKey::from_ed25519(&key), Err(Error::MalformedKey));
        }
        assert_eq!(PublicKey::from_ed25519(&[9; 31]), Err(Error::MalformedKey));
    }

    #[test]
    fn a_broken_source_of_randomness_makes_no_key() {
        for algorithm in SignatureAlgorithm::STATELESS {
            assert_eq!(SigningKey::generate(algorithm, &mut |_| {}).err(), Some(Error::BadEntropy));
        }
    }

    #[test]
    fn keys_are_shared_between_threads() {
        fn shared<T: Send + Sync>() {}
        shared::<SigningKey>();
        shared::<PublicKey>();
        shared::<Hasher>();
    }

    #[test]
    fn a_private_key_shows_its_algorithm_only() {
        for key in keys() {
            assert_eq!(format!("{key:?}"), format!("Key({})", key.algorithm()));
        }
    }
}

mod ecdsa_signature_encoding {
    use super::*;

    /// Fixed form of width 2, ECDSA-Sig-Value.
    const ROWS: [(&str, &str); 5] = [
        ("0001 0001", "3006 020101 020101"),
        ("0080 00ff", "3008 02020080 020200ff"),
        ("7fff 8000", "3009 02027fff 0203008000"),
        ("0000 1234", "3007 020100 02021234"),
        ("ffff ffff", "300a 020300ffff 020300ffff"),
    ];

    #[test]
    fn converts_both_ways() {
        for (fixed, der) in ROWS {
            assert_eq!(der::ecdsa_signature_from_fixed(&hex(fixed)), hex(der), "{fixed}");
            assert_eq!(der::ecdsa_signature_to_fixed(&hex(der), 2), Ok(hex(fixed)), "{der}");
        }
    }

    #[test]
    fn refuses_all_but_the_one_encoding() {
        for (der, at, why) in [
            ("3006 020101 020101 00", 8, "bytes after the sequence"),
            ("3009 020101 020101 020101", 8, "a third integer"),
            ("3003 020101", 5, "one integer"),
            ("3007 02020001 020101", 2, "a leading zero too many"),
            ("3006 020181 020101", 2, "a negative integer"),
            ("3005 0200 020101", 2, "an integer without bytes"),
            ("3008 0203010000 020101", 2, "an integer wider than the curve"),
            ("308106 020101 020101", 0, "a length not in its shortest form"),
            ("3106 020101 020101", 0, "a set"),
        ] {
            assert_eq!(der::ecdsa_signature_to_fixed(&hex(der), 2), Err(Error::MalformedDer { at }), "{why}");
        }
    }
}

/// Both back ends must give one answer to every question; only then may a feature choose between them.
#[cfg(all(feature = "soft", feature = "fast"))]
mod back_ends_agree {
    use super::*;

    #[test]
    fn on_digests_and_tags() {
        let mut fill = counting();
        for algorithm in HashAlgorithm::ALL {
            for len in [0, 1, 55, 56, 64, 111, 112, 128, 129, 1000] {
                let mut data = vec![0; len];
                fill(&mut data);
                let (mut soft, mut fast) = (soft::Hasher::new(algorithm), fast::Hasher::new(algorithm));
                soft.update(&data);
                fast.update(&data);
                let (mut of_soft, mut of_fast) = (vec![0; algorithm.len()], vec![1; algorithm.len()]);
                soft.finish(&mut of_soft);
                fast.finish(&mut of_fast);
                assert_eq!(of_soft, of_fast);
                soft::hmac(algorithm, &data, &data, &mut of_soft);
                fast::hmac(algorithm, &data, &data, &mut of_fast);
                assert_eq!(of_soft, of_fast);
            }
        }
    }

    #[test]
    fn on_keys_and_on_each_others_signatures() {
        let mut fill = counting();
        for algorithm in SignatureAlgorithm::STATELESS {
            for round in 0..20 {
                let mut secret = vec![0; algorithm.secret_len()];
                fill(&mut secret);
                let soft_key = soft::Signer::new(algorithm, &secret).expect("a key");
                let fast_key = fast::Signer::new(algorithm, &secret).expect("a key");
                let public = soft_key.public_key();
                assert_eq!(public, fast_key.public_key());
                let soft_public = soft::Verifier::new(algorithm, &public).expect("a key");
                let fast_public = fast::Verifier::new(algorithm, &public).expect("a key");
                let mut message = vec![0; 7 * round];
                fill(&mut message);
                for signature in [soft_key.sign(&message), fast_key.sign(&message)] {
                    assert_eq!(soft_public.verify(&message, &signature), Ok(()));
                    assert_eq!(fast_public.verify(&message, &signature), Ok(()));
                    let mut forged = signature;
                    let at = round % forged.len();
                    forged[at] ^= 1 << (round % 8);
                    assert_eq!(soft_public.verify(&message, &forged), Err(Error::BadSignature));
                    assert_eq!(fast_public.verify(&message, &forged), Err(Error::BadSignature));
                }
            }
        }
    }

    #[test]
    fn on_which_bytes_are_points_of_a_curve() {
        let mut fill = counting();
        for algorithm in [SignatureAlgorithm::Es256, SignatureAlgorithm::Es384] {
            let width = algorithm.secret_len();
            for _ in 0..100 {
                let mut key = vec![0; 1 + 2 * width];
                fill(&mut key);
                key[0] = 0x04;
                assert!(soft::Verifier::new(algorithm, &key).is_err());
                assert!(fast::Verifier::new(algorithm, &key).is_err());
            }
            for secret in [vec![0; width], vec![0xff; width]] {
                assert!(soft::Signer::new(algorithm, &secret).is_err());
                assert!(fast::Signer::new(algorithm, &secret).is_err());
            }
        }
    }
}
