//! What an object is, from its content alone.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use cbor::{Key, Order, Reader, Type};
use x509::pem;

use crate::{
    commands, evidence,
    failure::Failure,
    files::Input,
    keys::KeyFile,
    legacy,
    node::{Map, Node, from_hex},
    show,
};

/// CBOR tags of a CoRIM (draft-ietf-rats-corim), those of older drafts among them.
const TAGS_CORIM: [u64; 3] = [500, 501, 502];
/// What is detected.
const KINDS: &str = "supported are SUIT envelopes and reports, authority lists, CoSWID, CoRIM, CoSERV, SPDX, CycloneDX and SWID, CWT and JWT (EAT, PSA, CCA, EAR), \
                     conceptual message wrappers, TPM quotes, policies, overrides and \
                     decisions, MUD files, ownership vouchers, credentials of devices, redirections to their owners, COSE keys and messages, JWK, PEM, certificates, CMS signatures, JSON and CBOR, \
                     in bytes or hexadecimal digits";
/// Text at least this long is no CBOR: a short one may be.
const PROSE_LEN: usize = 32;
/// Claim that only attestation results have: ear_verifier_id.
const VERIFIER_ID: i64 = 1004;
/// CBOR tags of a CoMID and a CoTL outside of manifests.
const TAG_COMID: u64 = 506;
const TAG_COTL: u64 = 508;

/// How far objects within objects are decoded in turn: tokens in tokens, messages in wrappers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts {
    left: u8,
}

impl Parts {
    /// As deep as a person cares to read, and a stack is sure to hold.
    pub(crate) const ALL: Self = Self { left: 5 };
    /// Not at all: of verified objects nothing is shown that was not verified with them.
    pub(crate) const CLOSED: Self = Self { left: 0 };

    /// An object within another.
    pub(crate) fn open(self, bytes: &[u8]) -> Node {
        if let Some(left) = self.left.checked_sub(1) {
            let input = Input { name: "a part".to_owned(), bytes: bytes.to_vec() };
            if let Ok(shown) = decoded(&input, Self { left }) {
                return shown.into();
            }
        }
        show::cose::payload(bytes)
    }
}

/// Decodes an object of any supported kind.
pub(crate) fn tree(input: &Input) -> Result<Map, Failure> {
    match hexadecimal(&input.bytes) {
        Some(bytes) => decoded(&Input { name: input.name.clone(), bytes }, Parts::ALL),
        None => decoded(input, Parts::ALL),
    }
}

fn decoded(input: &Input, parts: Parts) -> Result<Map, Failure> {
    let bytes = input.bytes.as_slice();
    if eat::EnactTrustToken::decode(bytes).is_ok()
        && let Some(quote) = evidence::tree(bytes, parts)
    {
        return Ok(quote);
    }
    match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => Err(Failure::new(format!("{} is empty", input.name))),
        Some(b'{') => json(input, parts),
        Some(b'[' | b'"') if serde_json::from_slice::<serde_json::Value>(bytes).is_ok() => json(input, parts),
        Some(0x30) if Reader::new(bytes).peek() != Ok(Type::Map) && looks_like_der(bytes) => der(input),
        _ if pem::is_pem(bytes) => pem_blocks(input),
        Some(b'<') if coswid::interchange::Format::detect(bytes).is_some() => {
            Ok(show::coswid::document(coswid::interchange::Format::SwidXml, bytes))
        }
        _ if is_jws(bytes) => jws(input, parts),
        _ if is_prose(bytes) => {
            Err(Failure::new(format!("{} is text of no supported kind", input.name)).help(KINDS))
        }
        _ => cbor_item(input, parts),
    }
}

/// A file of nothing but hexadecimal digits and `#` comments stands for the bytes they name.
pub(crate) fn hexadecimal(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let digits: String = text.lines().map(|line| line.split('#').next().unwrap_or_default()).collect();
    // Shorter texts may mean themselves.
    from_hex(&digits).filter(|binary| binary.len() > 1)
}

fn looks_like_der(bytes: &[u8]) -> bool {
    // SEQUENCE with a length that reaches the end, in the short or the long form.
    match bytes {
        [_, short @ 0..=0x7f, rest @ ..] => usize::from(*short) == rest.len(),
        [_, long @ 0x81..=0x84, rest @ ..] => {
            let count = usize::from(long & 0x7f);
            let length = rest.iter().take(count).fold(0usize, |sum, byte| sum << 8 | usize::from(*byte));
            rest.len().checked_sub(count) == Some(length)
        }
        _ => false,
    }
}

/// Text of lines and words. CBOR of that length has bytes that no text has, but for texts wrapped in one string.
fn is_prose(bytes: &[u8]) -> bool {
    let mut reader = Reader::with_order(bytes, Order::Unique);
    let is_item = reader.skip().and_then(|()| reader.end()).is_ok();
    let plain = |text: &str| text.chars().all(|c| !c.is_control() || c.is_ascii_whitespace());
    bytes.len() >= PROSE_LEN && std::str::from_utf8(bytes).is_ok_and(plain) && !is_item
}

fn der(input: &Input) -> Result<Map, Failure> {
    if let Ok(certificate) = x509::Certificate::decode(&input.bytes) {
        return Ok(show::certificate::tree(&certificate));
    }
    if let Ok(message) = x509::cms::Detached::decode(&input.bytes) {
        return Ok(show::certificate::signature(&message));
    }
    match KeyFile::decode(&input.bytes) {
        Ok(key) => Ok(show::key::tree(&key)),
        Err(_) => match x509::Certificate::decode(&input.bytes) {
            Err(error) => Err(input
                .failure("DER of no supported kind", &error)
                .help("supported are certificates, detached CMS signatures and keys")),
            Ok(certificate) => Ok(show::certificate::tree(&certificate)),
        },
    }
}

fn pem_blocks(input: &Input) -> Result<Map, Failure> {
    let blocks = pem::decode(&String::from_utf8_lossy(&input.bytes))
        .map_err(|error| input.failure("no PEM", &error))?;
    if blocks.iter().any(|block| block.label == fdo::PEM_LABEL) {
        return commands::voucher::tree(input);
    }
    let certificates: Vec<_> = blocks.iter().filter(|block| block.label == "CERTIFICATE").collect();
    if certificates.len() > 1 {
        let decoded = certificates.iter().map(|block| x509::Certificate::decode(&block.der));
        let decoded: Vec<_> =
            decoded.collect::<Result<_, _>>().map_err(|error| input.failure("not a certificate", &error))?;
        let trees: Vec<Map> = decoded.iter().map(show::certificate::tree).collect();
        return Ok(Map::new().with("kind", "certificates").with("certificates", trees));
    }
    if let Some(block) =
        blocks.iter().find(|block| matches!(block.label.as_str(), "CERTIFICATE" | "CMS" | "PKCS7"))
    {
        return der(&Input { name: input.name.clone(), bytes: block.der.clone() });
    }
    let key = KeyFile::decode(&input.bytes).map_err(|error| error.failure(input))?;
    Ok(show::key::tree(&key))
}

fn json(input: &Input, parts: Parts) -> Result<Map, Failure> {
    let parsed: serde_json::Value = serde_json::from_slice(strip_mark(&input.bytes))
        .map_err(|error| Failure::new(format!("{}: not JSON", input.name)).because(&error))?;
    if parsed.get("kty").is_some()
        && let Ok(key) = KeyFile::decode(&input.bytes)
    {
        return Ok(show::key::tree(&key));
    }
    if parsed.get("ietf-mud:mud").is_some() {
        let parsed = mud::parse(&input.bytes, &mud::Context::default())
            .map_err(|error| input.failure("not a MUD file that can be applied", &error))?;
        return Ok(show::mud::file(&parsed, &mud::compile(&parsed.file)));
    }
    if let Some(format) = coswid::interchange::Format::detect(&input.bytes) {
        return Ok(show::coswid::document(format, &input.bytes).with("content", Node::from(&parsed)));
    }
    if let Some(evidence) = evidence::tree(&input.bytes, parts) {
        return Ok(evidence);
    }
    Ok(Map::new().with("kind", "JSON").with("content", Node::from(&parsed)))
}

/// A byte order mark is no part of the text.
fn strip_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

fn is_jws(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let parts: Vec<&str> = text.trim().split('.').collect();
    parts.len() == 3
        && parts.iter().all(|part| URL_SAFE_NO_PAD.decode(part).is_ok())
        && text.starts_with("ey")
}

fn jws(input: &Input, parts: Parts) -> Result<Map, Failure> {
    if let Ok(result) = eat::SignedResult::decode_jwt(&input.bytes) {
        return Ok(Map::new()
            .with("kind", "attestation result (JWT)")
            .then(show::ear::tree(result.unverified(), parts)));
    }
    if let Some(evidence) = evidence::tree(&input.bytes, parts) {
        return Ok(evidence);
    }
    let text = String::from_utf8_lossy(&input.bytes);
    let mut parts = text.trim().split('.').map(|part| {
        let bytes = URL_SAFE_NO_PAD.decode(part).unwrap_or_default();
        match serde_json::from_slice::<serde_json::Value>(&bytes) {
            Ok(value) => Node::from(&value),
            Err(_) => Node::hex(&bytes),
        }
    });
    let map = Map::new().with("kind", "JWS").maybe("header", parts.next());
    Ok(map.maybe("payload", parts.next()))
}

fn cbor_item(input: &Input, parts: Parts) -> Result<Map, Failure> {
    let mut reader = Reader::with_order(&input.bytes, Order::Unique);
    match reader.peek() {
        Ok(Type::Tag) => match reader.tag() {
            Ok(suit::labels::TAG_ENVELOPE | suit::labels::TAG_LEGACY_ENVELOPE) => envelope(input),
            Ok(coswid::CBOR_TAG) => coswid_tag(input),
            Ok(61 | cose::labels::TAG_SIGN1) => signed(input, parts),
            Ok(cose::labels::TAG_MAC0) if suit::SignedReport::decode(&input.bytes).is_ok() => {
                commands::suit::report::tree(input)
            }
            Ok(cose::labels::TAG_SIGN) => sign(input),
            Ok(number) if TAGS_CORIM.contains(&number) => {
                let received = corim::Received::decode(&input.bytes);
                let received =
                    received.map_err(|error| input.failure("not a reference integrity manifest", &error))?;
                Ok(show::corim::received(&received))
            }
            Ok(TAG_COMID) if let Ok(comid) = corim::Comid::decode(reader.rest()) => {
                Ok(show::corim::comid(&comid))
            }
            Ok(TAG_COTL) if let Ok(list) = corim::Cotl::decode(reader.rest()) => Ok(show::corim::cotl(&list)),
            _ => other(input, parts),
        },
        Ok(Type::Map) => untagged_map(input, parts),
        Ok(Type::Array) if fdo::Voucher::decode(&input.bytes).is_ok() => commands::voucher::tree(input),
        Ok(Type::Array) if let Ok(credential) = fdo::Credential::decode(&input.bytes) => {
            Ok(show::onboarding::credential(&credential))
        }
        Ok(_) => other(input, parts),
        Err(error) => evidence::tree(&input.bytes, parts).ok_or_else(|| unknown(input, &error)),
    }
}

/// Evidence, or else any item.
fn other(input: &Input, parts: Parts) -> Result<Map, Failure> {
    match evidence::tree(&input.bytes, parts) {
        Some(evidence) => Ok(evidence),
        None => Ok(Map::new().with("kind", "CBOR").then(diagnostic(input)?)),
    }
}

fn envelope(input: &Input) -> Result<Map, Failure> {
    legacy::refuse_old(input)?;
    let shown = suit::Envelope::decode(&input.bytes).and_then(|envelope| show::suit::envelope(&envelope));
    shown.map_err(|error| {
        input
            .failure(&format!("not a SUIT envelope that is understood [{}]", error.code()), &error)
            .help("`sextant inspect --diagnostic` shows the bytes in diagnostic notation")
    })
}

fn coswid_tag(input: &Input) -> Result<Map, Failure> {
    let received = coswid::Received::decode(&input.bytes);
    let received = received.map_err(|error| input.failure("not a software identity tag", &error))?;
    Ok(show::coswid::received(&received))
}

/// CWT and COSE_Sign1: what is in them decides.
fn signed(input: &Input, parts: Parts) -> Result<Map, Failure> {
    let bytes = &input.bytes;
    if let Ok(result) = eat::SignedResult::decode_cwt(bytes) {
        return Ok(Map::new()
            .with("kind", "attestation result (CWT)")
            .then(show::ear::tree(result.unverified(), parts)));
    }
    if suit::SignedReport::decode(bytes).is_ok() {
        return commands::suit::report::tree(input);
    }
    if let Ok(received @ coswid::Received::Signed(_)) = coswid::Received::decode(bytes) {
        return Ok(show::coswid::received(&received));
    }
    if let Ok(received) = corim::Received::decode(bytes) {
        return Ok(show::corim::received(&received));
    }
    if let Ok(message) = cose::Sign1::decode(bytes)
        && let Some(payload) = message.payload()
        && let Ok(content) = trust::Override::decode(payload)
    {
        return Ok(Map::new().with("kind", "policy override").then(commands::policy::tree(&content)));
    }
    if let Ok(scan) = trust::SignedScan::decode(bytes) {
        return Ok(Map::new()
            .with("kind", "statement on a scan")
            .then(commands::scan::facts(scan.unverified())));
    }
    if let Ok(message) = cose::Sign1::decode(bytes)
        && let Some(payload) = message.payload()
        && let Ok(coserv) = corim::Coserv::decode(payload)
    {
        let shown = show::coserv::tree(&coserv, parts);
        return Ok(Map::new().with("kind", "signed CoSERV answer").with("answer", shown));
    }
    if let Ok(redirect) = fdo::Redirect::decode(bytes) {
        return Ok(show::onboarding::redirect(&redirect));
    }
    // The labels of the first profile of PSA are no claims of other tokens.
    if let Ok(token) = eat::PsaToken::decode(bytes) {
        return Ok(show::arm::psa(&token));
    }
    match eat::Token::decode(bytes) {
        Ok(token) if token.unverified().other(VERIFIER_ID).is_some() || !has_claims(&token) => {
            match cose::Sign1::decode(bytes) {
                Ok(message) => Ok(show::cose::sign1(&message)),
                Err(_) => Ok(show::eat::token(&token, parts)),
            }
        }
        token => match (evidence::tree(bytes, parts), cose::Sign1::decode(bytes), token) {
            (Some(evidence), ..) => Ok(evidence),
            (None, Ok(message), _) => Ok(show::cose::sign1(&message)),
            (None, Err(_), Err(error)) => {
                Err(Failure::new(format!("{}: not a token that is understood", input.name))
                    .because(&error)
                    .help("`sextant inspect --diagnostic` shows the bytes in diagnostic notation"))
            }
            (None, Err(_), Ok(token)) => Ok(show::eat::token(&token, parts)),
        },
    }
}

/// A map without a single known claim is some other payload.
fn has_claims(token: &eat::Token<'_>) -> bool {
    let claims = token.unverified();
    *claims != eat::Claims { others: claims.others.clone(), ..eat::Claims::default() }
}

fn sign(input: &Input) -> Result<Map, Failure> {
    if let Some(change) = commands::authority::inspect_update(&input.bytes) {
        return Ok(change);
    }
    if let Ok(received) = coswid::Received::decode(&input.bytes) {
        return Ok(show::coswid::received(&received));
    }
    let message =
        cose::Sign::decode(&input.bytes).map_err(|error| input.failure("not a COSE_Sign", &error))?;
    Ok(show::cose::sign(&message))
}

/// An envelope, a key, a tag or an authority list, by the labels they need.
fn untagged_map(input: &Input, parts: Parts) -> Result<Map, Failure> {
    let mut labels = Vec::new();
    let mut reader = Reader::with_order(&input.bytes, Order::Unique);
    let scanned = reader.map().and_then(|mut map| {
        while let Some(key) = map.next(&mut reader)? {
            if let Key::Int(label) = key {
                labels.push((label, reader.peek()?));
            }
            reader.skip()?;
        }
        Ok(())
    });
    if scanned.is_err() {
        return other(input, parts);
    }
    let has = |label: i64, kind: Type| labels.contains(&(label, kind));
    if has(1, Type::Bytes)
        && has(2, Type::Bytes)
        && has(3, Type::Bytes)
        && let Ok(bundle) = trust::Bundle::decode(&input.bytes)
    {
        return Ok(commands::decision::tree(&bundle));
    }
    if has(2, Type::Bytes) && has(3, Type::Bytes) {
        return envelope(input);
    }
    if has(suit::labels::report::REFERENCE, Type::Array) && suit::Report::decode(&input.bytes).is_ok() {
        return commands::suit::report::tree(input);
    }
    if has(2, Type::Array)
        && has(3, Type::Bytes)
        && let Some(change) = commands::authority::inspect_update(&input.bytes)
    {
        return Ok(change);
    }
    if has(3, Type::Map)
        && has(5, Type::Array)
        && let Ok(list) = suit::AuthorityList::decode(&input.bytes)
    {
        return Ok(show::authority::tree(&list));
    }
    if has(1, Type::Unsigned)
        && let Ok(key) = KeyFile::decode(&input.bytes)
    {
        return Ok(show::key::tree(&key));
    }
    if has(1, Type::Unsigned)
        && has(9, Type::Unsigned)
        && let Ok(policy) = trust::Policy::decode(&input.bytes)
    {
        return Ok(commands::policy::rules_tree(&policy));
    }
    if has(1, Type::Text) && labels.iter().any(|(label, _)| *label == 0) {
        return coswid_tag(input);
    }
    if (has(0, Type::Text) || has(0, Type::Bytes))
        && has(1, Type::Map)
        && let Ok(coserv) = corim::Coserv::decode(&input.bytes)
    {
        return Ok(show::coserv::tree(&coserv, parts));
    }
    if has(1, Type::Map)
        && has(4, Type::Map)
        && let Ok(comid) = corim::Comid::decode(&input.bytes)
    {
        return Ok(show::corim::comid(&comid));
    }
    if has(0, Type::Map)
        && has(1, Type::Array)
        && let Ok(list) = corim::Cotl::decode(&input.bytes)
    {
        return Ok(show::corim::cotl(&list));
    }
    if has(2, Type::Array) && has(6, Type::Map) {
        return Ok(show::corim::trust_anchors(&input.bytes));
    }
    other(input, parts)
}

/// One CBOR item in diagnostic notation (RFC 8949, section 8).
pub(crate) fn diagnostic(input: &Input) -> Result<Map, Failure> {
    let bytes = match hexadecimal(&input.bytes) {
        Some(binary) => binary,
        None => input.bytes.clone(),
    };
    // Senders need not be deterministic for their bytes to be shown.
    let text = cbor::normalize(&bytes, bytes.len().max(1)).and_then(|item| cbor::diagnostic(&item));
    match text {
        Ok(text) => Ok(Map::new().with("diagnostic", text)),
        Err(error) => Err(unknown(input, &error)),
    }
}

fn unknown(input: &Input, error: &cbor::Error) -> Failure {
    input.failure("no object of a supported kind, and not CBOR either", error).help(KINDS)
}
