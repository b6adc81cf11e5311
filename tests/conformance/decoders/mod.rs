//! Every decoder of bytes from outside, and what follows it: one table for mutation tests and fuzzing.
//!
//! A decoder here goes as far as anybody's bytes may go: it verifies with keys that signed nothing, and where there is
//! an encoder it writes what was read and reads it again.

mod decision;
mod evidence;
mod foundation;
mod gateway;
mod onboarding;
mod reference;
pub(crate) mod service_info;
mod update;

use std::sync::LazyLock;

use cose::{DecryptionKey, DecryptionKeys};
use crypto::{AgreementCurve, AgreementKey, KeyWrapAlgorithm, KeyWrapKey, PublicKey};
use suit::{Authority, AuthorityList, Role};

use crate::fixture::key;

/// One decoder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decoder {
    /// Also the name of its fuzz target.
    pub(crate) name: &'static str,
    /// Reads bytes as far as anybody's may go, and says whether they are well-formed. It must never panic.
    pub(crate) read: fn(&[u8]) -> bool,
    /// Whether a well-formed input may be followed by something, or end early: white space, packets cut short.
    pub(crate) loose_end: bool,
    /// How many levels of byte strings within byte strings it reads; deeper ones are left to others.
    pub(crate) levels: u8,
    /// Folders of test vectors with good and bad examples, below the root of all vectors.
    pub(crate) folders: &'static [&'static str],
}

/// All of them.
pub(crate) const DECODERS: &[Decoder] = &[
    Decoder {
        name: "cbor",
        read: foundation::cbor,
        loose_end: false,
        levels: 0,
        folders: &["rats/eat-made", "coswid/made", "suit/constructed"],
    },
    Decoder {
        name: "crypto_keys",
        read: foundation::crypto_keys,
        loose_end: false,
        levels: 1,
        folders: &["suit/keys", "rats/ear-rust"],
    },
    Decoder {
        name: "cose_sign1",
        read: foundation::cose_sign1,
        loose_end: false,
        levels: 0,
        folders: &["rats/eat-made", "rats/psa-tfm"],
    },
    Decoder {
        name: "cose_sign",
        read: foundation::cose_sign,
        loose_end: false,
        levels: 0,
        folders: &["coswid/hirs"],
    },
    Decoder {
        name: "cose_mac0",
        read: foundation::cose_mac0,
        loose_end: false,
        levels: 0,
        folders: &["rats/psa-tfm"],
    },
    Decoder {
        name: "cose_encrypt",
        read: foundation::cose_encrypt,
        loose_end: false,
        levels: 0,
        folders: &["suit/firmware-encryption", "suit/libcsuit"],
    },
    Decoder {
        name: "cose_encrypt0",
        read: foundation::cose_encrypt0,
        loose_end: false,
        levels: 0,
        folders: &[],
    },
    Decoder {
        name: "hss_signature",
        read: foundation::hss_signature,
        loose_end: false,
        levels: 0,
        folders: &[],
    },
    Decoder {
        name: "cose_key",
        read: foundation::cose_key,
        loose_end: false,
        levels: 0,
        folders: &["suit/keys"],
    },
    Decoder {
        name: "x509_certificate",
        read: foundation::x509_certificate,
        loose_end: false,
        levels: 1,
        folders: &["mud/signed"],
    },
    Decoder {
        name: "x509_cms",
        read: foundation::x509_cms,
        loose_end: false,
        levels: 1,
        folders: &["mud/signed"],
    },
    Decoder {
        name: "certification_request",
        read: foundation::certification_request,
        loose_end: false,
        levels: 0,
        folders: &[],
    },
    Decoder {
        name: "suit_envelope",
        read: update::suit_envelope,
        loose_end: false,
        levels: 0,
        folders: &["suit/manifest-37", "suit/constructed", "suit/update-management", "suit/trust-domains"],
    },
    Decoder {
        name: "suit_legacy",
        read: update::suit_legacy,
        loose_end: false,
        levels: 0,
        folders: &[
            "suit/legacy/draft-09",
            "suit/legacy/draft-14",
            "suit/legacy/draft-19",
            "suit/legacy/draft-25",
            "suit/libcsuit",
        ],
    },
    Decoder {
        name: "suit_processor",
        read: update::suit_processor,
        loose_end: false,
        levels: 0,
        folders: &[
            "suit/manifest-37",
            "suit/constructed",
            "suit/trust-domains",
            "suit/firmware-encryption",
            "suit/libcsuit",
        ],
    },
    Decoder {
        name: "suit_report",
        read: update::suit_report,
        loose_end: false,
        levels: 1,
        folders: &["suit/suit-report"],
    },
    Decoder {
        name: "suit_index",
        read: update::suit_index,
        loose_end: false,
        levels: 0,
        folders: &["suit/manifest-37", "suit/constructed", "suit/update-management", "suit/trust-domains"],
    },
    Decoder {
        name: "suit_authorities",
        read: update::suit_authorities,
        loose_end: false,
        levels: 1,
        folders: &[],
    },
    Decoder {
        name: "suit_authority_update",
        read: update::suit_authority_update,
        loose_end: false,
        levels: 2,
        folders: &[],
    },
    Decoder {
        name: "suit_update_answer",
        read: update::suit_update_answer,
        loose_end: false,
        levels: 1,
        folders: &[],
    },
    Decoder {
        name: "coswid_tag",
        read: reference::coswid_tag,
        loose_end: false,
        levels: 1,
        folders: &["coswid/made", "coswid/eat-appendix", "coswid/veraison-swid"],
    },
    Decoder {
        name: "coswid_received",
        read: reference::coswid_received,
        loose_end: false,
        levels: 1,
        folders: &["coswid/made", "coswid/hirs"],
    },
    Decoder {
        name: "coswid_interchange",
        read: reference::coswid_interchange,
        loose_end: true,
        levels: 0,
        folders: &["coswid/swid-xml-nist", "coswid/hirs"],
    },
    Decoder {
        name: "coswid_advisory",
        read: reference::coswid_advisory,
        loose_end: true,
        levels: 0,
        folders: &[],
    },
    Decoder { name: "coswid_query", read: reference::coswid_query, loose_end: true, levels: 0, folders: &[] },
    Decoder {
        name: "corim",
        read: reference::corim,
        loose_end: false,
        levels: 1,
        folders: &["corim/draft", "corim/veraison-corim", "corim/veraison-scheme-psa-iot"],
    },
    Decoder {
        name: "comid",
        read: reference::comid,
        loose_end: false,
        levels: 0,
        folders: &["corim/draft", "corim/veraison-comid", "corim/veraison-profiles-tdx"],
    },
    Decoder {
        name: "coserv",
        read: reference::coserv,
        loose_end: false,
        levels: 0,
        folders: &["corim/coserv-draft", "corim/veraison-coserv"],
    },
    Decoder {
        name: "eat_evidence",
        read: evidence::eat_evidence,
        loose_end: false,
        levels: 1,
        folders: &["rats/eat-made"],
    },
    Decoder {
        name: "eat_token",
        read: evidence::eat_token,
        loose_end: false,
        levels: 1,
        folders: &["rats/eat-made", "rats/psa-tfm"],
    },
    Decoder {
        name: "eat_component",
        read: evidence::eat_component,
        loose_end: false,
        levels: 1,
        folders: &["rats/measured-component"],
    },
    Decoder {
        name: "eat_unprotected",
        read: evidence::eat_unprotected,
        loose_end: true,
        levels: 0,
        folders: &["rats/eat-rfc9711"],
    },
    Decoder {
        name: "eat_bundle",
        read: evidence::eat_bundle,
        loose_end: true,
        levels: 0,
        folders: &["rats/eat-rfc9711", "rats/eat-made"],
    },
    Decoder {
        name: "eat_psa",
        read: evidence::eat_psa,
        loose_end: false,
        levels: 1,
        folders: &[
            "rats/psa-rfc9783",
            "rats/psa-tfm",
            "rats/psa-veraison-cbor",
            "rats/veraison-scheme-psa-iot",
        ],
    },
    Decoder {
        name: "eat_cca",
        read: evidence::eat_cca,
        loose_end: false,
        levels: 2,
        folders: &["rats/cca-rust", "rats/veraison-scheme-arm-cca"],
    },
    Decoder {
        name: "eat_cmw",
        read: evidence::eat_cmw,
        loose_end: true,
        levels: 0,
        folders: &["rats/cmw-draft", "rats/cmw-made", "rats/cmw-veraison"],
    },
    Decoder { name: "tpm_answer", read: evidence::tpm_answer, loose_end: false, levels: 0, folders: &[] },
    Decoder {
        name: "tpm_quote",
        read: evidence::tpm_quote,
        loose_end: false,
        levels: 0,
        folders: &["rats/veraison-scheme-tpm-enacttrust"],
    },
    Decoder {
        name: "tpm_public",
        read: evidence::tpm_public,
        loose_end: false,
        levels: 0,
        folders: &["rats/tpm-quote"],
    },
    Decoder {
        name: "tpm_parsec",
        read: evidence::tpm_parsec,
        loose_end: false,
        levels: 0,
        folders: &["rats/veraison-scheme-parsec-tpm"],
    },
    Decoder {
        name: "ear_cwt",
        read: evidence::ear_cwt,
        loose_end: false,
        levels: 1,
        folders: &["rats/ear-made", "rats/ear-draft"],
    },
    Decoder {
        name: "ear_jwt",
        read: evidence::ear_jwt,
        loose_end: true,
        levels: 1,
        folders: &["rats/ear-made"],
    },
    Decoder {
        name: "mud",
        read: decision::mud,
        loose_end: true,
        levels: 1,
        folders: &["mud/unsw", "mud/negative", "mud/nist", "mud/daq"],
    },
    Decoder {
        name: "voucher",
        read: onboarding::voucher,
        loose_end: false,
        levels: 1,
        folders: &["fdo/vouchers", "fdo/capture-fdo-rs"],
    },
    Decoder {
        name: "fdo_message",
        read: onboarding::message,
        loose_end: false,
        levels: 1,
        folders: &["fdo/messages", "fdo/capture-fdo-rs"],
    },
    Decoder {
        name: "fdo_service_info",
        read: service_info::service_info,
        loose_end: false,
        levels: 1,
        folders: &[],
    },
    Decoder {
        name: "mud_client_hello",
        read: decision::mud_client_hello,
        loose_end: true,
        levels: 0,
        folders: &[],
    },
    Decoder {
        name: "mud_announcement",
        read: decision::mud_announcement,
        loose_end: true,
        levels: 0,
        folders: &[],
    },
    Decoder {
        name: "trust_override",
        read: decision::trust_override,
        loose_end: false,
        levels: 1,
        folders: &[],
    },
    Decoder { name: "trust_scan", read: decision::trust_scan, loose_end: false, levels: 1, folders: &[] },
    Decoder { name: "trust_policy", read: decision::trust_policy, loose_end: false, levels: 1, folders: &[] },
    Decoder { name: "trust_bundle", read: decision::trust_bundle, loose_end: false, levels: 0, folders: &[] },
    Decoder { name: "gateway_frame", read: gateway::frame, loose_end: true, levels: 0, folders: &[] },
    Decoder { name: "gateway_log", read: gateway::log, loose_end: true, levels: 0, folders: &[] },
    Decoder { name: "gateway_flow", read: gateway::flow, loose_end: true, levels: 0, folders: &[] },
    Decoder { name: "gateway_dns", read: gateway::dns, loose_end: true, levels: 0, folders: &[] },
    Decoder { name: "gateway_radius", read: gateway::radius, loose_end: true, levels: 0, folders: &[] },
    Decoder { name: "device_state", read: decision::device_state, loose_end: false, levels: 1, folders: &[] },
];

/// Keys that nothing was encrypted to, tried whatever identifier a message names.
pub(super) static STRANGERS: LazyLock<DecryptionKeys> = LazyLock::new(|| {
    let wrap = |wrap: KeyWrapAlgorithm| {
        let key = KeyWrapKey::from_bytes(wrap, &vec![77; wrap.key_len()]).expect("its length");
        DecryptionKey::key_wrap(key, b"")
    };
    let agree = |wrap| {
        let key = AgreementKey::from_bytes(AgreementCurve::P256, &[77; 32]).expect("a scalar");
        DecryptionKey::agreement(key, wrap, b"").expect("on P-256")
    };
    DecryptionKeys::new(KeyWrapAlgorithm::ALL.into_iter().flat_map(|one| [wrap(one), agree(one)]).collect())
});

/// A key that signed nothing.
pub(super) fn stranger() -> PublicKey {
    key(77).public_key().clone()
}

/// A list of authorities who signed nothing.
pub(super) fn strangers() -> AuthorityList {
    let author = Authority::new(stranger(), &[], "stranger", Role::Author);
    AuthorityList::with_default_policy(vec![author]).expect("a list")
}

/// Length of an HSS public key (RFC 8554, section 6.1).
const HSS_PUBLIC_LEN: usize = 60;

/// What the signatures among the inputs sign.
pub(crate) const HSS_MESSAGE: &[u8] = b"message";

/// More than any input here has.
const LIMIT: usize = 1 << 24;
