use corim::{
    ClassId, Comid, Corim, Cotl, CryptoKey, Digest, DigestAlgorithm, Environment, Group, Instance, KeyTriple,
    MeasuredElement, Measurement, MeasurementValues, Profile, Received, SignerMeta, Svn, Tag, TagIdentity,
    ValuesTriple,
};

use crate::{
    clock,
    node::{Map, Node, hex},
};

/// A manifest in any of its forms; a signature on it is shown and not verified.
pub(crate) fn received(received: &Received<'_>) -> Map {
    match received {
        Received::Unsigned(unsigned) => {
            Map::new().with("kind", "CoRIM").then(manifest(unsigned.unverified()))
        }
        Received::Signed(signed) => Map::new()
            .with("kind", "signed CoRIM")
            .with("signer", signer(signed.meta()))
            .maybe("location", signed.location())
            .then(manifest(signed.unverified())),
    }
}

fn signer(meta: &SignerMeta) -> Map {
    Map::new()
        .with("name", meta.name.as_str())
        .maybe("uri", meta.uri.as_deref())
        .maybe("subject", meta.subject.as_deref())
        .maybe("not_before", meta.not_before.map(clock::date))
        .maybe("not_after", meta.not_after.map(clock::date))
}

/// The content of a manifest.
pub(crate) fn manifest(corim: &Corim) -> Map {
    let entities: Vec<Map> = corim
        .entities
        .iter()
        .map(|one| Map::new().with("name", one.name.as_str()).with("roles", Node::list(&one.roles)))
        .collect();
    Map::new()
        .with("id", Node::shown(&corim.id))
        .maybe("profile", corim.profile.as_ref().map(profile))
        .maybe("not_before", corim.validity.and_then(|validity| validity.not_before).map(clock::date))
        .maybe("not_after", corim.validity.map(|validity| clock::date(validity.not_after)))
        .unless_empty("entities", entities)
        .with("tags", corim.tags.iter().map(tag).collect::<Vec<_>>())
}

pub(crate) fn profile(profile: &Profile) -> String {
    match profile {
        Profile::Uri(uri) => uri.clone(),
        Profile::Oid(oid) => format!("oid {}", hex(oid)),
    }
}

fn tag(tag: &Tag) -> Map {
    match tag {
        Tag::Comid(comid) => self::comid(comid),
        Tag::Coswid(bytes) => match coswid::Tag::decode(bytes) {
            Ok(tag) => Map::new().with("kind", "CoSWID").then(super::coswid::tag(&tag)),
            Err(error) => Map::new().with("kind", "CoSWID").with("unreadable", Node::shown(error)),
        },
        Tag::Cotl(list) => cotl(list),
        Tag::Other(COTS, bytes) => trust_anchors(bytes),
        Tag::Other(number, bytes) => {
            Map::new().with("kind", format!("tag {number}")).with("bytes", bytes.len())
        }
    }
}

/// A list of active tags.
pub(crate) fn cotl(list: &Cotl) -> Map {
    let named = |tag: &TagIdentity| format!("{} version {}", tag.id, tag.version);
    Map::new()
        .with("kind", "CoTL")
        .with("id", Node::shown(&list.identity.id))
        .with("version", list.identity.version)
        .maybe("not_before", list.validity.not_before.map(clock::date))
        .with("not_after", clock::date(list.validity.not_after))
        .with("active_tags", Node::list(list.tags.iter().map(named)))
}

/// A store of trust anchors (draft-ietf-rats-concise-ta-stores), or a list of them: shown as it is, for none is believed
/// by it.
pub(crate) fn trust_anchors(bytes: &[u8]) -> Map {
    Map::new().with("kind", "CoTS").with("content", Node::diagnostic(bytes))
}

/// CBOR tag of a CoTS.
const COTS: u64 = 507;

pub(crate) fn comid(comid: &Comid) -> Map {
    let triples = &comid.triples;
    let values = |triples: &[ValuesTriple]| triples.iter().map(values_triple).collect::<Vec<_>>();
    let keys = |triples: &[KeyTriple]| triples.iter().map(key_triple).collect::<Vec<_>>();
    let others = [
        ("dependency_triples", triples.dependency.len()),
        ("membership_triples", triples.membership.len()),
        ("coswid_triples", triples.coswid.len()),
        ("conditional_series", triples.conditional_series.len()),
        ("conditional_endorsements", triples.conditional.len()),
    ];
    let map = Map::new()
        .with("kind", "CoMID")
        .with("id", Node::shown(&comid.identity.id))
        .with("version", comid.identity.version)
        .unless_empty("reference_values", values(&triples.reference))
        .unless_empty("endorsed_values", values(&triples.endorsed))
        .unless_empty("attest_keys", keys(&triples.attest_key))
        .unless_empty("identity_keys", keys(&triples.identity));
    others.into_iter().fold(map, |map, (name, count)| map.maybe(name, (count > 0).then_some(count)))
}

pub(crate) fn values_triple(triple: &ValuesTriple) -> Map {
    Map::new()
        .with("environment", environment(&triple.environment))
        .with("measurements", triple.measurements.iter().map(measurement).collect::<Vec<_>>())
}

pub(crate) fn key_triple(triple: &KeyTriple) -> Map {
    Map::new()
        .with("environment", environment(&triple.environment))
        .with("keys", triple.keys.iter().map(key).collect::<Vec<_>>())
}

pub(crate) fn environment(environment: &Environment) -> Map {
    let class = environment.class.clone().unwrap_or_default();
    let id = class.id.map(|id| match id {
        ClassId::Oid(oid) => format!("oid {}", hex(&oid)),
        ClassId::Uuid(uuid) => suit::Uuid::from(uuid).to_string(),
        ClassId::Bytes(bytes) => hex(&bytes),
        ClassId::OlderImplementationId(bytes) => hex(&bytes),
    });
    let instance = environment.instance.as_ref().map(|instance| match instance {
        Instance::Ueid(bytes) => Node::Text(format!("ueid {}", hex(bytes))),
        Instance::Uuid(uuid) => Node::shown(suit::Uuid::from(*uuid)),
        Instance::Bytes(bytes) => Node::hex(bytes),
        Instance::Key(key) => self::key(key),
    });
    let group = environment.group.as_ref().map(|group| match group {
        Group::Uuid(uuid) => Node::shown(suit::Uuid::from(*uuid)),
        Group::Bytes(bytes) => Node::hex(bytes),
    });
    Map::new()
        .maybe("class_id", id)
        .maybe("vendor", class.vendor)
        .maybe("model", class.model)
        .maybe("layer", class.layer)
        .maybe("index", class.index)
        .maybe("instance", instance)
        .maybe("group", group)
}

pub(crate) fn measurement(measurement: &Measurement) -> Map {
    let element = measurement.key.as_ref().map(|key| match key {
        MeasuredElement::Oid(oid) => format!("oid {}", hex(oid)),
        MeasuredElement::Uuid(uuid) => suit::Uuid::from(*uuid).to_string(),
        MeasuredElement::Number(number) => number.to_string(),
        MeasuredElement::Name(name) | MeasuredElement::OlderCcaConfigId(name) => name.clone(),
        MeasuredElement::OlderPsaRefvalId { label, version, .. } => {
            format!("{} {}", label.as_deref().unwrap_or("?"), version.as_deref().unwrap_or("?"))
        }
    });
    Map::new().maybe("element", element).then(values(&measurement.values))
}

fn values(values: &MeasurementValues) -> Map {
    let svn = values.svn.map(|svn| match svn {
        Svn::Bare(number) | Svn::Exact(number) => number.to_string(),
        Svn::Min(number) => format!("at least {number}"),
    });
    let shown = MeasurementValues {
        version: None,
        svn: None,
        digests: Vec::new(),
        name: None,
        cryptokeys: Vec::new(),
        ..values.clone()
    };
    let registers = values.integrity_registers.iter().fold(Map::new(), |map, (id, digests)| {
        let name = match id {
            corim::RegisterId::Number(number) => number.to_string(),
            corim::RegisterId::Name(name) => name.clone(),
        };
        map.with(&name, Node::list(digests.iter().map(digest)))
    });
    let plain = MeasurementValues { integrity_registers: Default::default(), ..shown };
    Map::new()
        .maybe("name", values.name.as_deref())
        .maybe("version", values.version.as_ref().map(|version| version.version.as_str()))
        .maybe("svn", svn)
        .unless_empty("digests", Node::list(values.digests.iter().map(digest)))
        .unless_empty("signers", values.cryptokeys.iter().map(key).collect::<Vec<_>>())
        .unless_empty("integrity_registers", registers)
        .maybe("other_values", (plain != MeasurementValues::default()).then_some(true))
}

fn digest(digest: &Digest) -> String {
    match digest.to_crypto() {
        Some(digest) => digest.to_string(),
        None => match digest.algorithm() {
            DigestAlgorithm::Id(id) => format!("{id}:{}", hex(digest.value())),
            DigestAlgorithm::Name(name) => format!("{name}:{}", hex(digest.value())),
        },
    }
}

pub(crate) fn key(key: &CryptoKey) -> Node {
    Node::Text(match key {
        CryptoKey::PkixKey(pem) | CryptoKey::PkixCertificate(pem) | CryptoKey::PkixPath(pem) => pem.clone(),
        CryptoKey::KeyThumbprint(thumbprint) => format!("key {}", digest(thumbprint)),
        CryptoKey::CoseKey(bytes) => format!("COSE_Key {}", hex(bytes)),
        CryptoKey::CertificateThumbprint(thumbprint) => format!("certificate {}", digest(thumbprint)),
        CryptoKey::Bytes(bytes) => hex(bytes),
        CryptoKey::PathThumbprint(thumbprint) => format!("path {}", digest(thumbprint)),
        CryptoKey::CertificateDer(der) => format!("certificate {}", hex(der)),
    })
}
