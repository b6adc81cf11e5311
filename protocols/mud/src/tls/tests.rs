use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::extensions::{TlsProfile, TlsVersion};

const OPENSSL_13: &[u8] = include_bytes!("../../tests/data/tls/openssl-tls13.bin");
const OPENSSL_12: &[u8] = include_bytes!("../../tests/data/tls/openssl-tls12.bin");
const OPENSSL_DTLS: &[u8] = include_bytes!("../../tests/data/tls/openssl-dtls12.bin");
const GNUTLS_13: &[u8] = include_bytes!("../../tests/data/tls/gnutls-tls13.bin");
const GNUTLS_DTLS: &[u8] = include_bytes!("../../tests/data/tls/gnutls-dtls12.bin");

fn tls(stream: &[u8]) -> Result<Option<ClientHello>, FlowFault> {
    Ok(match TlsStart::new().push(stream)? {
        Progress::Hello(hello) => Some(hello),
        Progress::More(_) => None,
    })
}

fn dtls(datagrams: &[&[u8]]) -> Result<Option<ClientHello>, FlowFault> {
    let mut start = DtlsStart::new();
    for datagram in datagrams {
        match start.push(datagram)? {
            Progress::Hello(hello) => return Ok(Some(hello)),
            Progress::More(next) => start = next,
        }
    }
    Ok(None)
}

fn hello(stream: &[u8]) -> ClientHello {
    tls(stream).expect("TLS").expect("whole")
}

/// Bytes behind their length.
fn vector(width: usize, content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u32).to_be_bytes();
    [&length[4 - width..], content].concat()
}

fn list(width: usize, numbers: &[u16]) -> Vec<u8> {
    vector(width, &numbers.iter().flat_map(|n| n.to_be_bytes()).collect::<Vec<_>>())
}

fn extension(kind: u16, content: &[u8]) -> Vec<u8> {
    [kind.to_be_bytes().to_vec(), vector(2, content)].concat()
}

/// The body of a message.
fn body(transport: Transport, version: u16, suites: &[u16], extensions: &[Vec<u8>]) -> Vec<u8> {
    let cookie: &[u8] = if transport == Transport::Dtls { &[0] } else { &[] };
    let head = [&version.to_be_bytes()[..], &[7; 32], &[0], cookie, &list(2, suites), &[1, 0]].concat();
    [head, vector(2, &extensions.concat())].concat()
}

/// A stream of one record.
fn stream(body: &[u8]) -> Vec<u8> {
    let message = [&[1][..], &vector(3, body)].concat();
    [&[22, 3, 1][..], &vector(2, &message)].concat()
}

fn offered(extensions: &[Vec<u8>]) -> ClientHello {
    hello(&stream(&body(Transport::Tls, 0x0303, &[0x1301], extensions)))
}

/// A datagram of one fragment.
fn fragment(sequence: u16, length: usize, offset: usize, bytes: &[u8]) -> Vec<u8> {
    let number = |n: usize| (n as u32).to_be_bytes()[1..].to_vec();
    let header = [&[1][..], &number(length), &sequence.to_be_bytes(), &number(offset)].concat();
    let content = [header, vector(3, bytes)].concat();
    [&[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 1][..], &vector(2, &content)].concat()
}

/// A profile with the lists that the tests fill in.
fn profile(fill: impl FnOnce(&mut TlsProfile)) -> TlsProfile {
    let mut profile = TlsProfile { name: "p".into(), ..TlsProfile::default() };
    fill(&mut profile);
    profile
}

fn violations(hello: &ClientHello, profile: TlsProfile) -> Vec<Violation> {
    match judge(hello, &[profile], |text, der| text.as_bytes() == der) {
        TlsVerdict::Violates { violations, .. } => violations,
        TlsVerdict::Follows(_) => Vec::new(),
        TlsVerdict::Unrestricted => panic!("a profile restricts"),
    }
}

#[test]
fn reads_what_clients_in_use_send() {
    let modern = hello(OPENSSL_13);
    assert_eq!(modern.server_name.as_deref(), Some("api.maker.example"));
    assert_eq!(modern.versions(), [0x0304, 0x0303]);
    assert_eq!(modern.application_protocols, [b"h2".to_vec(), b"http/1.1".to_vec()]);
    assert_eq!(modern.cipher_suites[..3], [0x1302, 0x1303, 0x1301]);
    assert_eq!(modern.key_shares, [29]);
    assert_eq!(modern.psk_key_exchange_modes, [1]);
    assert!(modern.signature_algorithms.contains(&0x0403) && modern.supported_groups.contains(&23));

    let old = hello(OPENSSL_12);
    assert_eq!((old.versions(), old.supported_versions), (vec![0x0303], None));
    let other = hello(GNUTLS_13);
    assert_eq!(other.application_protocols, [b"mqtt".to_vec()]);
    assert_eq!(other.versions()[0], 0x0304);

    for datagram in [OPENSSL_DTLS, GNUTLS_DTLS] {
        let hello = dtls(&[datagram]).expect("DTLS").expect("whole");
        assert_eq!((hello.transport, hello.legacy_version), (Transport::Dtls, 0xfefd));
        assert_eq!(hello.server_name.as_deref(), Some("api.maker.example"));
        assert!(!hello.cipher_suites.is_empty() && !hello.signature_algorithms.is_empty());
    }
}

#[test]
fn a_stream_may_be_cut_anywhere() {
    let whole = hello(OPENSSL_13);
    for at in 0..OPENSSL_13.len() {
        let (first, second) = OPENSSL_13.split_at(at);
        let Ok(Progress::More(start)) = TlsStart::new().push(first) else { panic!("cut at {at}") };
        assert_eq!(start.push(second), Ok(Progress::Hello(whole.clone())), "cut at {at}");
    }
    let mut start = TlsStart::new();
    for (at, byte) in OPENSSL_13.iter().enumerate() {
        match start.push(&[*byte]).expect("TLS") {
            Progress::More(next) => start = next,
            Progress::Hello(hello) => {
                assert_eq!((hello, at), (whole, OPENSSL_13.len() - 1));
                return;
            }
        }
    }
    panic!("it is whole at the last byte");
}

#[test]
fn a_message_may_be_split_over_records() {
    let message = &OPENSSL_13[5..];
    for size in [1, 3, 100] {
        let records: Vec<u8> =
            message.chunks(size).flat_map(|part| [&[22, 3, 1][..], &vector(2, part)].concat()).collect();
        assert_eq!(tls(&records), Ok(Some(hello(OPENSSL_13))), "records of {size} bytes");
    }
}

#[test]
fn other_streams_are_told_at_once() {
    let with_length = |length: u16| [&[22, 3, 1][..], &length.to_be_bytes(), &[1]].concat();
    let message = |header: [u8; 4]| [&[22, 3, 1, 0, 4][..], &header].concat();
    for (bytes, expected) in [
        (b"G".to_vec(), Err(FlowFault::NotTls)),
        (vec![22, 2], Err(FlowFault::NotTls)),
        (vec![0x80, 0x2e, 1, 3, 1], Err(FlowFault::NotTls)),
        (with_length(0), Err(FlowFault::NotTls)),
        (with_length((1 << 14) + 1), Err(FlowFault::NotTls)),
        (with_length(1 << 14), Ok(None)),
        (message([2, 0, 0, 1]), Err(FlowFault::NotClientHello)),
        (message([1, 0, 0x40, 0]), Ok(None)),
        (message([1, 0, 0x40, 1]), Err(FlowFault::TooLong)),
        // Another kind of record before the message is whole.
        ([&[22, 3, 1, 0, 1, 1][..], &[21, 3, 1, 0, 2]].concat(), Err(FlowFault::NotTls)),
        (Vec::new(), Ok(None)),
    ] {
        assert_eq!(tls(&bytes), expected, "{bytes:02x?}");
    }
    assert_eq!(MAX_CLIENT_HELLO_BYTES, 0x4000);
}

#[test]
fn datagrams_may_come_in_pieces_and_in_any_order() {
    let message = body(Transport::Dtls, 0xfefd, &[0xc02b], &[extension(10, &list(2, &[23]))]);
    let whole = ClientHello::decode(Transport::Dtls, &message).expect("a message");
    let length = message.len();
    let part = |from: usize, to: usize| fragment(0, length, from, &message[from..to]);
    let (a, b, c) = (part(0, 20), part(20, 40), part(40, length));
    for order in [[&a, &b, &c], [&c, &a, &b], [&b, &c, &a]] {
        assert_eq!(dtls(&order.map(Vec::as_slice)), Ok(Some(whole.clone())));
    }
    // Repeated, overlapping, and several in one datagram.
    assert_eq!(dtls(&[&a, &a, &part(10, 45), &c]), Ok(Some(whole.clone())));
    assert_eq!(dtls(&[&[a.clone(), b.clone(), c.clone()].concat()]), Ok(Some(whole.clone())));
    assert_eq!(dtls(&[&a, &c]), Ok(None));
    // After a cookie the message has the next number; what comes late of the first is passed over.
    let next = fragment(1, length, 0, &message);
    assert_eq!(dtls(&[&a, &next]), Ok(Some(whole.clone())));
    let half = fragment(1, length, 0, &message[..30]);
    let rest = fragment(1, length, 30, &message[30..]);
    assert_eq!(dtls(&[&a, &half, &b, &rest]), Ok(Some(whole)));
}

#[test]
fn datagrams_that_contradict_each_other_are_refused() {
    let message = body(Transport::Dtls, 0xfefd, &[0xc02b], &[]);
    let length = message.len();
    let first = fragment(0, length, 0, &message[..20]);
    let mut changed = message[10..30].to_vec();
    changed[0] ^= 1;
    for (datagram, expected) in [
        (fragment(0, length, 10, &changed), FlowFault::Fragments),
        (fragment(0, length + 1, 20, &message[20..]), FlowFault::Fragments),
        (fragment(0, length, length - 1, &[0, 0]), FlowFault::Fragments),
        (fragment(1, MAX_CLIENT_HELLO_BYTES + 1, 0, &[0]), FlowFault::TooLong),
        (first[..20].to_vec(), FlowFault::NotTls),
        (Vec::new(), FlowFault::NotTls),
    ] {
        assert_eq!(dtls(&[&first, &datagram]), Err(expected), "{datagram:02x?}");
    }
    let with = |at: usize, byte: u8| {
        let mut datagram = first.clone();
        datagram[at] = byte;
        dtls(&[&datagram])
    };
    assert_eq!(with(0, 23), Err(FlowFault::NotTls), "application data");
    assert_eq!(with(1, 3), Err(FlowFault::NotTls), "TLS over UDP");
    assert_eq!(with(4, 1), Err(FlowFault::NotTls), "encrypted");
    assert_eq!(with(13, 16), Err(FlowFault::NotClientHello), "another message");
    assert_eq!(dtls(&[&fragment(0, MAX_CLIENT_HELLO_BYTES, 0, &[0])]), Ok(None));
}

#[test]
fn refuses_what_two_readers_could_understand_differently() {
    let groups = extension(10, &list(2, &[23]));
    let name = |kind: u8, name: &[u8]| extension(0, &vector(2, &[&[kind][..], &vector(2, name)].concat()));
    let good = body(Transport::Tls, 0x0303, &[0x1301], core::slice::from_ref(&groups));
    let with = |extensions: &[Vec<u8>]| body(Transport::Tls, 0x0303, &[0x1301], extensions);
    // Where the extensions begin.
    let at = good.len() - groups.len();
    for (body, expected) in [
        (good.clone(), Ok(())),
        (good[..at - 2].to_vec(), Ok(())),
        (with(&[]), Ok(())),
        ([good.clone(), vec![0]].concat(), Err(HelloFault::Trailing { at: good.len() })),
        (good[..good.len() - 1].to_vec(), Err(HelloFault::Truncated { at: good.len() - 1 })),
        (Vec::new(), Err(HelloFault::Truncated { at: 0 })),
        (with(&[groups.clone(), groups.clone()]), Err(HelloFault::DuplicateExtension { at: at + 8 })),
        (with(&[extension(10, &list(2, &[]))]), Err(HelloFault::List { at: at + 6 })),
        (with(&[extension(10, &[0, 3, 0, 23, 0])]), Err(HelloFault::List { at: at + 6 })),
        (with(&[extension(10, &[0, 2, 0, 23, 9])]), Err(HelloFault::Trailing { at: at + 8 })),
        (with(&[extension(10, &[0, 4, 0, 23])]), Err(HelloFault::Truncated { at: at + 8 })),
        (with(&[extension(45, &[0])]), Err(HelloFault::List { at: at + 5 })),
        (with(&[extension(16, &[0, 1, 0])]), Err(HelloFault::List { at: at + 6 })),
        (with(&[extension(16, &[0, 0])]), Err(HelloFault::List { at: at + 6 })),
        (with(&[name(0, b"*.maker.example")]), Err(HelloFault::ServerName { at })),
        (with(&[name(0, b"192.0.2.1")]), Err(HelloFault::ServerName { at })),
        (with(&[name(0, b"\xff")]), Err(HelloFault::ServerName { at })),
        (with(&[name(1, b"maker.example")]), Err(HelloFault::ServerName { at })),
        (with(&[extension(0, &[])]), Err(HelloFault::Truncated { at: at + 4 })),
        (with(&[extension(0xfe0d, &[2])]), Err(HelloFault::Encrypted { at })),
        (body(Transport::Tls, 0x0303, &[], &[]), Err(HelloFault::List { at: 37 })),
    ] {
        let found = ClientHello::decode(Transport::Tls, &body).map(|_| ());
        assert_eq!(found, expected, "{body:02x?}");
    }
    let many = |count: u16| with(&(0..count).map(|n| extension(0x4000 + n, &[])).collect::<Vec<_>>());
    assert!(ClientHello::decode(Transport::Tls, &many(128)).is_ok());
    assert_eq!(ClientHello::decode(Transport::Tls, &many(129)), Err(HelloFault::TooManyExtensions));
}

#[test]
fn no_cut_or_changed_message_panics() {
    for good in [OPENSSL_13, OPENSSL_12, GNUTLS_13] {
        for end in 0..good.len() {
            assert_eq!(tls(&good[..end]), Ok(None));
            let _ = ClientHello::decode(Transport::Tls, &good[9.min(end)..end]);
        }
        for at in 0..good.len() {
            for flip in [1, 0x80, 0xff] {
                let mut changed = good.to_vec();
                changed[at] ^= flip;
                let _ = tls(&changed);
            }
        }
    }
    for end in 0..OPENSSL_DTLS.len() {
        assert!(dtls(&[&OPENSSL_DTLS[..end]]).is_err(), "datagrams are whole");
    }
}

/// A profile that lists exactly what a client offers.
fn profile_of(hello: &ClientHello) -> TlsProfile {
    profile(|p| {
        p.tls_versions = vec![TlsVersion::V1_2, TlsVersion::V1_3];
        p.cipher_suites.clone_from(&hello.cipher_suites);
        p.extension_types.clone_from(&hello.extensions);
        p.supported_groups.clone_from(&hello.supported_groups);
        p.signature_algorithms.clone_from(&hello.signature_algorithms);
        p.signature_algorithms_cert.clone_from(&hello.signature_algorithms_cert);
        p.psk_key_exchange_modes.clone_from(&hello.psk_key_exchange_modes);
        p.application_protocols =
            hello.application_protocols.iter().map(|n| String::from_utf8_lossy(n).into()).collect();
    })
}

#[test]
fn a_client_follows_the_profile_that_lists_what_it_offers_and_no_smaller_one() {
    let client = hello(OPENSSL_13);
    let whole = profile_of(&client);
    assert_eq!(violations(&client, whole.clone()), []);
    let (suite, kind) = (client.cipher_suites[4], client.extensions[2]);
    let (group, algorithm) = (client.supported_groups[1], client.signature_algorithms[0]);
    let without = |change: &dyn Fn(&mut TlsProfile)| {
        let mut profile = whole.clone();
        change(&mut profile);
        violations(&client, profile)
    };
    for (change, expected) in [
        (
            &(|p: &mut TlsProfile| p.tls_versions = vec![TlsVersion::V1_3]) as &dyn Fn(&mut TlsProfile),
            Violation::Version(0x0303),
        ),
        (&|p| p.cipher_suites.retain(|n| *n != suite), Violation::CipherSuite(suite)),
        (&|p| p.extension_types.retain(|n| *n != kind), Violation::ExtensionType(kind)),
        (&|p| p.supported_groups.retain(|n| *n != group), Violation::SupportedGroup(group)),
        (&|p| p.signature_algorithms.retain(|n| *n != algorithm), Violation::SignatureAlgorithm(algorithm)),
        (&|p| p.psk_key_exchange_modes = vec![0], Violation::PskKeyExchangeMode(1)),
        (
            &|p| p.application_protocols = vec!["h2".into()],
            Violation::ApplicationProtocol(b"http/1.1".to_vec()),
        ),
    ] {
        assert_eq!(without(change), [expected]);
    }
    // What a profile does not speak of is not restricted.
    assert_eq!(violations(&client, profile(|_| ())), []);
    assert_eq!(judge(&client, &[], |_, _| false), TlsVerdict::Unrestricted);
}

#[test]
fn one_of_several_profiles_is_enough_and_the_closest_one_explains() {
    let client = hello(OPENSSL_13);
    let strict = profile(|p| p.cipher_suites = vec![0x1301]);
    let near = profile(|p| p.tls_versions = vec![TlsVersion::V1_3]);
    let right = profile_of(&client);
    let profiles = [strict.clone(), right.clone()];
    assert_eq!(judge(&client, &profiles, |_, _| false), TlsVerdict::Follows(&right));
    let profiles = [strict, near.clone()];
    let TlsVerdict::Violates { closest, violations } = judge(&client, &profiles, |_, _| false) else {
        panic!("neither fits")
    };
    assert_eq!((closest, violations), (&near, vec![Violation::Version(0x0303)]));
}

#[test]
fn versions_are_read_where_each_version_puts_them() {
    use TlsVersion::{V1_2, V1_3};
    let versions = |numbers: &[u16]| extension(43, &list(1, numbers));
    let tls =
        |legacy, extensions: &[Vec<u8>]| hello(&stream(&body(Transport::Tls, legacy, &[0x1301], extensions)));
    let dtls = |extensions: &[Vec<u8>]| {
        let body = body(Transport::Dtls, 0xfefd, &[0x1301], extensions);
        ClientHello::decode(Transport::Dtls, &body).expect("a message")
    };
    let both = |p: &mut TlsProfile| {
        p.tls_versions = vec![V1_2, V1_3];
        p.dtls_versions = vec![V1_2, V1_3];
    };
    let new = |p: &mut TlsProfile| {
        p.tls_versions = vec![V1_3];
        p.dtls_versions = vec![V1_3];
    };
    let version = |number| vec![Violation::Version(number)];
    for (hello, allowed_12, allowed_13) in [
        (tls(0x0303, &[]), vec![], version(0x0303)),
        (tls(0x0303, &[versions(&[0x0304])]), vec![], vec![]),
        (tls(0x0303, &[versions(&[0x1a1a, 0x0304])]), vec![], vec![]),
        (tls(0x0303, &[versions(&[0x0304, 0x0303])]), vec![], version(0x0303)),
        (tls(0x0303, &[versions(&[0x0304, 0x0301])]), version(0x0301), version(0x0301)),
        (tls(0x0301, &[]), version(0x0301), version(0x0301)),
        (dtls(&[]), vec![], version(0xfefd)),
        (dtls(&[versions(&[0xfefc])]), vec![], vec![]),
        (dtls(&[versions(&[0x0304])]), vec![], vec![]),
        (dtls(&[versions(&[0xfefc, 0xfeff])]), version(0xfeff), version(0xfeff)),
    ] {
        assert_eq!(violations(&hello, profile(both)), allowed_12, "{hello:?}");
        assert_eq!(violations(&hello, profile(new)), allowed_13, "{hello:?}");
    }
    let only_dtls = |p: &mut TlsProfile| p.dtls_versions = vec![V1_2];
    assert_eq!(violations(&tls(0x0303, &[]), profile(only_dtls)), [Violation::Transport(Transport::Tls)]);
    let only_tls = |p: &mut TlsProfile| p.tls_versions = vec![V1_2];
    assert_eq!(violations(&dtls(&[]), profile(only_tls)), [Violation::Transport(Transport::Dtls)]);
}

#[test]
fn reserved_numbers_are_nobodys_choice() {
    let reserved: Vec<u16> = (0..=0xffff).filter(|n| labels::is_grease(*n)).collect();
    let expected: Vec<u16> = (0..16).map(|n| 0x0a0a + n * 0x1010).collect();
    assert_eq!(reserved, expected);
    let modes: Vec<u8> = (0..=255).filter(|mode| labels::is_grease_mode(*mode)).collect();
    assert_eq!(modes, [0x0b, 0x2a, 0x49, 0x68, 0x87, 0xa6, 0xc5, 0xe4]);

    let suites = [0x0a0a, 0x1301];
    let shares = [&[0xda, 0xda][..], &vector(2, &[0]), &[0, 29], &vector(2, &[1, 2])].concat();
    let protocols = [vector(1, &[0x2a, 0x2a]), vector(1, b"h2")].concat();
    let extensions = [
        extension(0xfafa, &[0]),
        extension(10, &list(2, &[0xdada, 29])),
        extension(13, &list(2, &[0x3a3a, 0x0403])),
        extension(16, &vector(2, &protocols)),
        extension(43, &list(1, &[0x4a4a, 0x0304])),
        extension(45, &vector(1, &[0x0b, 1])),
        extension(51, &vector(2, &shares)),
    ];
    let client = hello(&stream(&body(Transport::Tls, 0x0303, &suites, &extensions)));
    let fits = profile(|p| {
        p.tls_versions = vec![TlsVersion::V1_3];
        p.cipher_suites = vec![0x1301];
        p.extension_types = vec![10, 13, 16, 43, 45, 51];
        p.supported_groups = vec![29];
        p.signature_algorithms = vec![0x0403];
        p.application_protocols = vec!["h2".into()];
        p.psk_key_exchange_modes = vec![1];
    });
    assert_eq!(violations(&client, fits), []);
}

#[test]
fn rarer_lists_are_compared_too() {
    let authorities = [vector(2, b"CN=a"), vector(2, b"CN=b")].concat();
    let client = offered(&[
        extension(27, &list(1, &[1, 2])),
        extension(47, &vector(2, &authorities)),
        extension(50, &list(2, &[0x0403, 0x0804])),
        extension(10, &list(2, &[29])),
        // A key for a group that it does not claim to support.
        extension(51, &vector(2, &[&[0, 24][..], &vector(2, &[0])].concat())),
    ]);
    let narrow = profile(|p| {
        p.cert_compression_algorithms = vec![1];
        p.certificate_authorities = vec!["CN=a".into()];
        p.signature_algorithms_cert = vec![0x0403];
        p.supported_groups = vec![29];
    });
    let expected = [
        Violation::SupportedGroup(24),
        Violation::SignatureAlgorithmCert(0x0804),
        Violation::CertificateCompression(2),
        Violation::CertificateAuthority(b"CN=b".to_vec()),
    ];
    assert_eq!(violations(&client, narrow), expected);
    for violation in expected {
        assert!(violation.code().starts_with("tls-") && !violation.to_string().is_empty());
    }
}

#[test]
fn an_encrypted_hello_hides_the_name() {
    let name = extension(0, &vector(2, &[&[0][..], &vector(2, b"Front.Example")].concat()));
    let outer = extension(0xfe0d, &[0, 0, 1, 0, 1, 9, 0, 0, 0, 0]);
    let inner = extension(0xfe0d, &[1]);
    let plain = offered(core::slice::from_ref(&name));
    assert_eq!((plain.names("front.example"), plain.names("x.example")), (NameCheck::Same, NameCheck::Other));
    assert_eq!(offered(&[]).names("x.example"), NameCheck::Absent);

    let hidden = offered(&[name.clone(), outer]);
    assert_eq!(
        (hidden.encrypted, hidden.names("front.example")),
        (EncryptedClientHello::Outer, NameCheck::Hidden)
    );
    // A profile that lists extensions says whether the device encrypts.
    let listed = profile(|p| p.extension_types = vec![0]);
    assert_eq!(violations(&hidden, listed), [Violation::ExtensionType(0xfe0d)]);
    let open = offered(&[name, inner]);
    assert_eq!(violations(&open, profile(|_| ())), [Violation::InnerInTheOpen]);
}
