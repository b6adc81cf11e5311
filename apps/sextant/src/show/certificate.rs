use x509::{
    AltName, Certificate,
    cms::{Detached, Signer, SignerId},
};

use crate::{
    clock,
    commands::key,
    node::{Map, Node},
};

/// A certificate.
pub(crate) fn tree(certificate: &Certificate) -> Map {
    let validity = certificate.validity();
    let constraints = certificate.basic_constraints();
    let map = Map::new()
        .with("kind", "certificate")
        .with("subject", Node::shown(certificate.subject()))
        .with("issuer", Node::shown(certificate.issuer()))
        .with("serial", Node::hex(certificate.serial()))
        .with("not_before", clock::date(validity.not_before))
        .with("not_after", clock::date(validity.not_after))
        .with("authority", constraints.ca)
        .maybe("path_length", constraints.path_len);
    let map = match certificate.public_key() {
        Ok(public) => map.with("key", key::summary(public)),
        Err(error) => map.with("key", Node::shown(error)),
    };
    map.maybe("key_usage", certificate.key_usage().map(|usage| usage_words(&usage)))
        .maybe("extended_key_usage", certificate.extended_key_usage().map(Node::list))
        .unless_empty("alt_names", Node::List(certificate.alt_names().iter().map(alt_name).collect()))
        .maybe("mud_url", certificate.mud_url())
        .maybe("mud_signer", certificate.mud_signer().map(Node::shown))
}

/// Certificates that came along in DER, end entity first, by their subjects.
pub(crate) fn chain(ders: &[&[u8]]) -> Vec<Node> {
    let subject = |der: &&[u8]| match Certificate::decode(der) {
        Ok(certificate) => Node::shown(certificate.subject()),
        Err(_) => Node::hex(der),
    };
    ders.iter().map(subject).collect()
}

/// A detached signature: its signers as they name themselves, and the certificates it carries.
pub(crate) fn signature(message: &Detached) -> Map {
    Map::new()
        .with("kind", "CMS detached signature")
        .with("signers", message.signers().iter().map(signer).collect::<Vec<_>>())
        .with("certificates", message.certificates().iter().map(tree).collect::<Vec<_>>())
}

fn signer(signer: &Signer) -> Map {
    let map = match signer.id() {
        SignerId::IssuerAndSerial { issuer, serial } => {
            Map::new().with("issuer", Node::shown(issuer)).with("serial", Node::hex(serial))
        }
        SignerId::SubjectKeyId(id) => Map::new().with("subject_key_id", Node::hex(id)),
    };
    map.maybe("signing_time", signer.signing_time().map(clock::date))
}

fn usage_words(usage: &x509::KeyUsage) -> Node {
    use x509::KeyUsage;
    let words = [
        (KeyUsage::DIGITAL_SIGNATURE, "digital-signature"),
        (KeyUsage::NON_REPUDIATION, "non-repudiation"),
        (KeyUsage::KEY_ENCIPHERMENT, "key-encipherment"),
        (KeyUsage::KEY_AGREEMENT, "key-agreement"),
        (KeyUsage::KEY_CERT_SIGN, "key-cert-sign"),
        (KeyUsage::CRL_SIGN, "crl-sign"),
    ];
    Node::list(words.into_iter().filter(|(bit, _)| usage.contains(*bit)).map(|(_, word)| word))
}

fn alt_name(name: &AltName) -> Node {
    match name {
        AltName::Dns(text) => Node::Text(format!("dns {text}")),
        AltName::Uri(text) => Node::Text(format!("uri {text}")),
        AltName::Ip(address) => Node::Text(format!("ip {address}")),
    }
}
