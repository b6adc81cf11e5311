use corim::{
    ClassId, Comid, Corim, Cotl, CryptoKey, Digest, DigestAlgorithm, Entity, Environment, Extensions, Flags,
    Group, Instance, IntRange, KeyTriple, MeasuredElement, Measurement, MeasurementValues, Profile, RawValue,
    Received, SignerMeta, Svn, Tag, TagIdentity, ValuesTriple, VersionScheme,
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
    Map::new()
        .with("id", Node::shown(&corim.id))
        .maybe("profile", corim.profile.as_ref().map(profile))
        .maybe("not_before", corim.validity.and_then(|validity| validity.not_before).map(clock::date))
        .maybe("not_after", corim.validity.map(|validity| clock::date(validity.not_after)))
        .unless_empty("entities", corim.entities.iter().map(entity).collect::<Vec<_>>())
        .with("tags", corim.tags.iter().map(tag).collect::<Vec<_>>())
}

pub(crate) fn entity(entity: &Entity) -> Map {
    Map::new()
        .with("name", entity.name.as_str())
        .maybe("reg_id", entity.reg_id.as_deref())
        .with("roles", Node::list(&entity.roles))
        .unless_empty("unknown", extensions(&entity.extensions))
}

pub(crate) fn profile(profile: &Profile) -> String {
    match profile {
        Profile::Uri(uri) => uri.clone(),
        Profile::Oid(oid) => format!("oid {}", hex(oid)),
    }
}

pub(crate) fn tag(tag: &Tag) -> Map {
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
    Map::new().maybe("element", measurement.key.as_ref().map(element)).then(claim(measurement))
}

/// A measurement without the element it is about.
pub(crate) fn claim(measurement: &Measurement) -> Map {
    let authorities: Vec<Node> = measurement.authorized_by.iter().map(key).collect();
    values(&measurement.values).unless_empty("authorized_by", authorities)
}

pub(crate) fn element(key: &MeasuredElement) -> String {
    match key {
        MeasuredElement::Oid(oid) => format!("oid {}", hex(oid)),
        MeasuredElement::Uuid(uuid) => suit::Uuid::from(*uuid).to_string(),
        MeasuredElement::Number(number) => number.to_string(),
        MeasuredElement::Name(name) | MeasuredElement::OlderCcaConfigId(name) => name.clone(),
        MeasuredElement::OlderPsaRefvalId { label, version, .. } => {
            format!("{} {}", label.as_deref().unwrap_or("?"), version.as_deref().unwrap_or("?"))
        }
    }
}

fn values(values: &MeasurementValues) -> Map {
    let version = values.version.as_ref().map(|version| match &version.scheme {
        Some(VersionScheme::Id(id)) => format!("{} (scheme {id})", version.version),
        Some(VersionScheme::Name(name)) => format!("{} (scheme {name})", version.version),
        None => version.version.clone(),
    });
    let svn = values.svn.map(|svn| match svn {
        Svn::Bare(number) | Svn::Exact(number) => number.to_string(),
        Svn::Min(number) => format!("at least {number}"),
    });
    let registers = values.integrity_registers.iter().fold(Map::new(), |map, (id, digests)| {
        let name = match id {
            corim::RegisterId::Number(number) => number.to_string(),
            corim::RegisterId::Name(name) => name.clone(),
        };
        map.with(&name, Node::list(digests.iter().map(digest)))
    });
    let raw_value = values.raw_value.as_ref().map(|raw| match raw {
        RawValue::Plain(value) => hex(value),
        RawValue::Masked { value, mask } | RawValue::OlderMasked { value, mask } => {
            format!("{} under mask {}", hex(value), hex(mask))
        }
    });
    let range = values.int_range.map(|range| match range {
        IntRange::Exact(value) => value.to_string(),
        IntRange::Range(low, high) => {
            let limit =
                |limit: Option<i64>| limit.map_or_else(|| "any".to_owned(), |limit| limit.to_string());
            format!("{} to {}", limit(low), limit(high))
        }
    });
    let hex_of = |bytes: &Option<Vec<u8>>| bytes.as_deref().map(Node::hex);
    Map::new()
        .maybe("name", values.name.as_deref())
        .maybe("version", version)
        .maybe("svn", svn)
        .unless_empty("digests", Node::list(values.digests.iter().map(digest)))
        .unless_empty("signers", values.cryptokeys.iter().map(key).collect::<Vec<_>>())
        .unless_empty("integrity_registers", registers)
        .maybe("flags", values.flags.as_ref().map(flags))
        .maybe("raw_value", raw_value)
        .maybe("int_range", range)
        .maybe("mac_addr", hex_of(&values.mac_addr))
        .maybe("ip_addr", hex_of(&values.ip_addr))
        .maybe("serial_number", values.serial_number.as_deref())
        .maybe("ueid", hex_of(&values.ueid))
        .maybe("uuid", values.uuid.map(|uuid| Node::shown(suit::Uuid::from(uuid))))
        .unless_empty("unknown_values", extensions(&values.extensions))
}

/// What is said of each flag; those that nothing is said of are left out.
fn flags(flags: &Flags) -> Map {
    const NAMES: [(u8, &str); 11] = [
        (Flags::IS_CONFIGURED, "configured"),
        (Flags::IS_SECURE, "secure"),
        (Flags::IS_RECOVERY, "recovery"),
        (Flags::IS_DEBUG, "debug"),
        (Flags::IS_REPLAY_PROTECTED, "replay_protected"),
        (Flags::IS_INTEGRITY_PROTECTED, "integrity_protected"),
        (Flags::IS_RUNTIME_MEASURED, "runtime_measured"),
        (Flags::IS_IMMUTABLE, "immutable"),
        (Flags::IS_TCB, "tcb"),
        (Flags::IS_CONFIDENTIALITY_PROTECTED, "confidentiality_protected"),
        (Flags::IS_RUNTIME_UPDATABLE, "runtime_updatable"),
    ];
    let known =
        NAMES.iter().fold(Map::new(), |map, (flag, name)| map.maybe(name, flags.known.get(flag).copied()));
    known.unless_empty("unknown_flags", extensions(&flags.extensions))
}

/// Entries that nobody here knows, by their keys in diagnostic notation.
pub(crate) fn extensions(extensions: &Extensions) -> Map {
    extensions
        .iter()
        .fold(Map::new(), |map, (key, value)| map.with(&diagnostic(key), Node::diagnostic(value)))
}

/// A key of a map in diagnostic notation.
pub(crate) fn diagnostic(key: &[u8]) -> String {
    cbor::diagnostic(key).unwrap_or_else(|_| hex(key))
}

pub(crate) fn digest(digest: &Digest) -> String {
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
