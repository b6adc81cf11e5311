use eat::{
    Bundle, ClaimKey, Claims, Content, ContentBody, Dloa, EvidenceClaims, Location, MeasuredComponent,
    Measurement, NestedToken, Number, OemId, Profile, Submodule, Token, TokenForm,
};

use crate::{
    clock,
    commands::key,
    detect::Parts,
    node::{Map, Node},
};

/// CoAP Content-Format of a CoSWID (RFC 9393, section 6.5).
const COSWID_FORMAT: u16 = 258;

/// A token, which nobody vouches for.
pub(crate) fn token(token: &Token<'_>, parts: Parts) -> Map {
    let kind = match token.form() {
        TokenForm::Jwt => "attestation token (JWT)",
        TokenForm::Mac0 => "attestation token (CWT with a MAC)",
        TokenForm::Sign1 => "attestation token (CWT)",
    };
    Map::new()
        .with("kind", kind)
        .with("algorithm", super::cose::algorithm(token.alg()))
        .maybe("kid", token.kid().map(Node::hex))
        .unless_empty("certificates", super::certificate::chain(&token.certificates()))
        .then(claims(token.unverified(), parts))
}

/// A token, and claims-sets whose digests are in it.
pub(crate) fn bundle(bundle: &Bundle, parts: Parts) -> Map {
    let sets = bundle.sets().fold(Map::new(), |map, (name, set)| {
        let shown = match bundle.decode_set(set) {
            Ok(set) => claims(&set, parts).into(),
            Err(_) => super::cose::payload(set),
        };
        map.with(name, shown)
    });
    let main = match bundle.main() {
        Ok(token) => self::token(&token, parts),
        Err(error) => Map::new().with("unreadable", Node::shown(error)),
    };
    Map::new().with("kind", "detached bundle").with("token", main).with("detached_sets", sets)
}

/// A claims-set; tokens nested in it are opened as far as `parts` allow.
pub(crate) fn claims(claims: &Claims, parts: Parts) -> Map {
    let others = claims.others.iter().fold(Map::new(), |map, (key, value)| {
        let name = match key {
            ClaimKey::Int(label) => label.to_string(),
            ClaimKey::Text(name) => name.clone(),
        };
        map.with(&name, Node::diagnostic(value))
    });
    let submods =
        claims.submods.iter().fold(Map::new(), |map, (name, inner)| map.with(name, submodule(inner, parts)));
    let sueids = claims.sueids.iter().fold(Map::new(), |map, (name, ueid)| map.with(name, Node::shown(ueid)));
    Map::new()
        .maybe("profile", claims.profile.as_ref().map(profile))
        .maybe("issuer", claims.issuer.as_deref())
        .maybe("subject", claims.subject.as_deref())
        .maybe("issued_at", claims.issued_at.map(clock::date))
        .maybe("not_before", claims.not_before.map(clock::date))
        .maybe("expires_at", claims.expires_at.map(clock::date))
        .unless_empty("audience", Node::list(&claims.audience))
        .maybe("token_id", claims.token_id.as_deref().map(Node::hex))
        .unless_empty(
            "nonces",
            Node::List(claims.nonces.iter().map(|nonce| Node::hex(nonce.as_bytes())).collect()),
        )
        .maybe("ueid", claims.ueid.as_ref().map(Node::shown))
        .unless_empty("sueids", sueids)
        .maybe("oemid", claims.oemid.as_ref().map(oemid))
        .maybe("hwmodel", claims.hwmodel.as_deref().map(Node::hex))
        .maybe("hwversion", claims.hwversion.as_ref().map(|version| version.text.as_str()))
        .maybe("swname", claims.swname.as_deref())
        .maybe("swversion", claims.swversion.as_ref().map(|version| version.text.as_str()))
        .maybe("uptime", claims.uptime)
        .maybe("oemboot", claims.oemboot)
        .maybe("dbgstat", claims.dbgstat.map(|status| status.name()))
        .maybe("location", claims.location.as_ref().map(location))
        .maybe("bootcount", claims.bootcount)
        .maybe("bootseed", claims.bootseed.as_deref().map(Node::hex))
        .maybe("intuse", claims.intuse.map(intended_use))
        .unless_empty("dloas", claims.dloas.iter().map(dloa).collect::<Vec<_>>())
        .maybe("confirmation", claims.confirmation.as_ref().map(key::summary))
        .unless_empty("manifests", claims.manifests.iter().map(content).collect::<Vec<_>>())
        .unless_empty("measurements", claims.measurements.iter().map(content).collect::<Vec<_>>())
        .unless_empty("measurement_results", Node::List(claims.measres.iter().map(results).collect()))
        .unless_empty("submods", submods)
        .unless_empty("other_claims", others)
}

/// Nobody verified tokens by other signers: what is shown of them they say of themselves.
fn submodule(submodule: &Submodule, parts: Parts) -> Node {
    match submodule {
        Submodule::Claims(claims) => self::claims(claims, parts).into(),
        Submodule::Token(NestedToken::Cbor(bytes)) => {
            Map::new().with("nested_token", parts.open(bytes)).into()
        }
        Submodule::Token(NestedToken::Jwt(text) | NestedToken::JsonBundle(text)) => {
            Map::new().with("nested_token", parts.open(text.as_bytes())).into()
        }
        Submodule::Detached(digest) => Map::new().with("detached", Node::shown(digest)).into(),
    }
}

fn location(location: &Location) -> Map {
    let number = |number: Number| Node::shown(number.as_f64());
    Map::new()
        .with("latitude", number(location.latitude))
        .with("longitude", number(location.longitude))
        .maybe("altitude", location.altitude.map(number))
        .maybe("accuracy", location.accuracy.map(number))
        .maybe("altitude_accuracy", location.altitude_accuracy.map(number))
        .maybe("heading", location.heading.map(number))
        .maybe("speed", location.speed.map(number))
        .maybe("timestamp", location.timestamp.map(clock::date))
        .maybe("age", location.age)
}

/// What a token is for (RFC 9711, section 4.3.3).
fn intended_use(number: u8) -> String {
    let names = ["generic", "registration", "provisioning", "csr", "pop"];
    let name = usize::from(number).checked_sub(1).and_then(|index| names.get(index));
    name.map_or_else(|| number.to_string(), |name| (*name).to_owned())
}

fn dloa(dloa: &Dloa) -> Map {
    Map::new()
        .with("registrar", dloa.registrar.as_str())
        .with("platform", dloa.platform.as_str())
        .maybe("application", dloa.application.as_deref())
}

/// Evidence of this product's profile.
pub(crate) fn evidence(claims: &EvidenceClaims) -> Map {
    let status = claims.status.as_ref().map(|status| {
        Map::new()
            .with("active_slot", status.active_slot)
            .with("trial", status.trial)
            .maybe("authorities", status.authorities.map(Node::shown))
            .maybe(
                "last_refusal",
                status.last_refusal.as_ref().map(|refusal| {
                    Map::new()
                        .with("manifest", Node::hex(&refusal.manifest))
                        .with("code", refusal.code.as_str())
                }),
            )
    });
    Map::new()
        .with("ueid", Node::shown(&claims.ueid))
        .with("nonce", Node::hex(claims.nonce.as_bytes()))
        .with("vendor", Node::shown(suit::Uuid::from(claims.vendor)))
        .with("class", Node::shown(suit::Uuid::from(claims.class)))
        .with("bootcount", claims.bootcount)
        .with("dbgstat", claims.dbgstat.name())
        .maybe(
            "manifest",
            claims.manifest.as_ref().map(|reference| {
                Map::new()
                    .with("digest", Node::shown(reference.digest))
                    .with("sequence_number", reference.sequence_number)
            }),
        )
        .with("measurement", coswid_tag(&claims.measurement))
        .maybe("device_status", status)
}

fn coswid_tag(bytes: &[u8]) -> Node {
    match coswid::Tag::decode(bytes) {
        Ok(tag) => super::coswid::tag(&tag).into(),
        Err(_) => Node::diagnostic(bytes),
    }
}

fn content(content: &Content) -> Map {
    let body = match &content.body {
        ContentBody::Text(text) => Node::from(text.as_str()),
        ContentBody::Bytes(bytes) if content.format == COSWID_FORMAT => coswid_tag(bytes),
        ContentBody::Bytes(bytes) => match MeasuredComponent::decode(bytes) {
            Ok(component) => measured_component(&component).into(),
            Err(_) => super::cose::payload(bytes),
        },
    };
    Map::new().with("content_format", content.format).with("body", body)
}

/// A measured component (draft-ietf-rats-eat-measured-component).
pub(crate) fn measured_component(component: &MeasuredComponent) -> Map {
    let measurement = match &component.measurement {
        Measurement::Digest(digest) => Node::shown(digest),
        Measurement::Raw(bytes) => Node::hex(bytes),
    };
    Map::new()
        .with("component", component.name.as_str())
        .maybe("version", component.version.as_ref().map(|version| version.text.as_str()))
        .with("measurement", measurement)
        .unless_empty(
            "authorities",
            Node::List(component.authorities.iter().map(|id| Node::hex(id)).collect()),
        )
}

fn results(results: &eat::MeasurementResults) -> Node {
    let each =
        results.results.iter().map(|result| format!("{:?}: {:?}", result.id, result.result).to_lowercase());
    Map::new().with(&results.system, Node::list(each)).into()
}

fn profile(profile: &Profile) -> Node {
    match profile {
        Profile::Uri(uri) => uri.as_str().into(),
        Profile::Oid(oid) => Node::Text(format!("oid {}", crate::node::hex(oid))),
    }
}

fn oemid(id: &OemId) -> Node {
    match id {
        OemId::Pen(number) => Node::Text(format!("pen {number}")),
        OemId::Ieee(bytes) => Node::Text(format!("ieee {}", crate::node::hex(bytes))),
        OemId::Random(bytes) => Node::Text(format!("random {}", crate::node::hex(bytes))),
    }
}
