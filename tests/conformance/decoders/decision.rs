//! Network policy, what decisions rest on, and the record of a device.

use cose::TrustAnchors;
use crypto::HashAlgorithm;
use trust::{Bundle, Override, Policy, SignedOverride};

use super::strangers;

pub(super) fn mud(bytes: &[u8]) -> bool {
    let head = mud::Head::read(bytes);
    let Ok(parsed) = mud::parse(bytes, &mud::Context::default()) else { return false };
    let head = head.expect("what can be read has a beginning");
    assert_eq!((&head.mud_url, head.signature_url()), (&parsed.file.mud_url, parsed.file.signature_url()));
    let compiled = mud::compile(&parsed.file);
    let _shown = (compiled.policy.breadth(), compiled.policy.encode_json());
    assert!(mud::diff(&compiled.policy, &compiled.policy).is_equal());
    let written = parsed.file.encode();
    mud::parse(written.as_bytes(), &mud::Context::default()).expect("was written by us");
    true
}

/// The beginning of a flow, as TLS and as DTLS. However it is cut into segments, it is the same.
pub(super) fn mud_client_hello(bytes: &[u8]) -> bool {
    let whole = mud::TlsStart::new().push(bytes);
    let (first, second) = bytes.split_at(bytes.len() / 2);
    let pieces = match mud::TlsStart::new().push(first) {
        Ok(mud::Progress::More(start)) => start.push(second),
        done => done,
    };
    let datagram = mud::DtlsStart::new().push(bytes);
    let hello = match (whole, datagram) {
        (Ok(mud::Progress::Hello(hello)), _) => {
            assert_eq!(pieces, Ok(mud::Progress::Hello(hello.clone())));
            hello
        }
        (_, Ok(mud::Progress::Hello(hello))) => hello,
        _ => return false,
    };
    let profile =
        mud::TlsProfile { cipher_suites: hello.cipher_suites.clone(), ..mud::TlsProfile::default() };
    let verdict = mud::judge(&hello, std::slice::from_ref(&profile), |_, _| false);
    let inner = hello.encrypted == mud::EncryptedClientHello::Inner;
    assert_eq!(verdict == mud::TlsVerdict::Follows(&profile), !inner);
    true
}

/// A device's announcement of its URL, wherever it may stand.
pub(super) fn mud_announcement(bytes: &[u8]) -> bool {
    let read = |announcer| mud::announced_url(announcer, bytes);
    let read = [mud::Announcer::DhcpV4, mud::Announcer::DhcpV6, mud::Announcer::Lldp].map(read);
    let label = std::str::from_utf8(bytes).ok().map(mud::Label::decode);
    if let Some(Ok(label)) = &label {
        assert!(!label.url.is_internal() && !label.company.is_empty());
        return true;
    }
    for url in read.iter().flatten() {
        assert_eq!(mud::MudUrl::parse(url.as_str()).as_ref(), Some(url));
        assert!(!url.is_internal());
    }
    read.iter().any(Result::is_ok)
}

pub(super) fn trust_override(bytes: &[u8]) -> bool {
    assert!(SignedOverride::verify(bytes, &TrustAnchors::default()).is_err());
    let Ok(content) = Override::decode(bytes) else { return false };
    assert_eq!(Override::decode(&content.encode()), Ok(content));
    true
}

pub(super) fn trust_scan(bytes: &[u8]) -> bool {
    if let Ok(signed) = trust::SignedScan::decode(bytes) {
        assert!(signed.verify(&TrustAnchors::default()).is_err());
        return true;
    }
    let Ok(content) = trust::Scan::decode(bytes) else { return false };
    assert_eq!(trust::Scan::decode(&content.encode()), Ok(content));
    true
}

pub(super) fn trust_policy(bytes: &[u8]) -> bool {
    let Ok(policy) = Policy::decode(bytes) else { return false };
    assert_eq!(Policy::decode(&policy.encode()), Ok(policy));
    true
}

pub(super) fn trust_bundle(bytes: &[u8]) -> bool {
    let Ok(bundle) = Bundle::decode(bytes) else { return false };
    let keys = TrustAnchors::default();
    let anchors = trust::BundleAnchors { authorities: strangers(), mud_issuers: Vec::new(), keys };
    let _proof = bundle.verify(&anchors, &mut trust::NoRules);
    assert_eq!(Bundle::decode(&bundle.encode()), Ok(bundle));
    true
}

/// A record carries a checksum, which random changes would never get past: it is put right first.
pub(super) fn device_state(bytes: &[u8]) -> bool {
    let _torn = device_core::BootState::decode(bytes);
    let mut record = bytes.to_vec();
    record.extend_from_slice(crypto::Digest::of(HashAlgorithm::Sha256, bytes).as_bytes());
    let Ok(state) = device_core::BootState::decode(&record) else { return false };
    let again = device_core::BootState::decode(&state.encode());
    assert!(again.is_ok(), "was written by us");
    true
}
