//! TLS profiles from the signed file of a release to the kernel, and from the kernel to the server.

use std::io::{Read as _, Write as _};

use api::Profile;
use gateway::TlsMode;
use gateway::control::Config;
use trust::{Access, Code, Policy};

use crate::lab::{ANSWER, Lab, at};
use crate::live::{applied, config, now, trusting};
use crate::site::Parts;

/// The release whose one entry describes a handshake with one cipher suite.
fn described(version: &'static str) -> Parts {
    let parts = Parts { now: now(), ..Parts::of(version, 1) };
    let profile = r#""ietf-acl-tls:client-profiles":{"tls-dtls-profile":[{"name":"own","cipher-suite":[49195]}]},"tcp":{"#;
    let file = parts.file.replace(r#""tcp":{"#, profile).replace(
        r#""is-supported":true,"#,
        r#""is-supported":true,"extensions":["tls"],"ietf-mud-tls:is-tls-dtls-profile-supported":true,"#,
    );
    Parts { signed_file: file.clone(), file, ..parts }
}

/// A ClientHello of TLS 1.2 with one cipher suite.
fn hello(suite: u16) -> Vec<u8> {
    let body = [&[3, 3][..], &[7; 32], &[0, 0, 2], &suite.to_be_bytes(), &[1, 0]].concat();
    let length = body.len() as u8;
    [&[22, 3, 1, 0, length + 4, 1, 0, 0, length][..], &body].concat()
}

#[test]
fn a_handshake_that_the_release_does_not_describe_ends_its_flow_and_counts_against_its_device() {
    let Some(lab) = Lab::new(1) else { return };
    let directory = tempfile::tempdir().unwrap();
    let config = Config { tls_profiles: TlsMode::Enforce, ..config(directory.path()) };
    let policy = Policy { violating_access: Access::UpdateOnly, violation_window: 60, ..Policy::default() };
    std::fs::write(config.anchors.join("policy.cbor"), policy.encode()).unwrap();
    let _service = lab.wan.echo(at("203.0.113.10", 443)).unwrap();
    let (gateway, server, _good) = trusting(&lab, &config, &described("1.0.0").made());
    let device = &lab.devices[0];
    let own = at("203.0.113.10", 443);
    let says = |suite: u16| {
        let mut stream = device.connect(own, ANSWER).unwrap();
        stream.set_read_timeout(Some(ANSWER)).unwrap();
        stream.write_all(&hello(suite)).unwrap();
        stream.read_exact(&mut [0; 8]).is_ok()
    };
    assert!(says(0xc02b), "as its release describes");
    assert!(!says(0x0005), "as it does not");
    let told = server.hears("the handshake", |report| {
        report.violations.iter().find(|violation| violation.tls.is_some()).cloned()
    });
    assert_eq!((told.group, told.dport, told.count), (api::Violation::HANDSHAKE, 443, 1));
    assert_eq!(told.tls.as_deref(), Some("cipher suite 0x0005 (tls-cipher-suite)"));
    drop(server);
    lab.gw.enter(|| gateway.stop());
}

#[test]
fn a_device_is_cut_for_its_handshakes() {
    let Some(lab) = Lab::new(1) else { return };
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path());
    let policy = Policy { violating_access: Access::UpdateOnly, ..Policy::default() };
    std::fs::write(config.anchors.join("policy.cbor"), policy.encode()).unwrap();
    let _service = lab.wan.echo(at("203.0.113.10", 443)).unwrap();
    let (gateway, server, _good) = trusting(&lab, &config, &described("1.0.0").made());
    let mut stream = lab.devices[0].connect(at("203.0.113.10", 443), ANSWER).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let cut = server.hears("the cut", applied(1, Profile::UpdateOnly));
    assert_eq!(cut.reasons[0].code, Code::ForbiddenFlow.as_str());
    assert!(cut.reasons[0].detail["target"].ends_with("not a TLS handshake"), "{cut:?}");
    drop(server);
    lab.gw.enter(|| gateway.stop());
}
