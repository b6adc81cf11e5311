//! Evidence as received: every item with its place in the bytes. Unknown labels are shown, never dropped.

use std::ops::Range;

use cbor::{Error, Key, Reader, Type, diagnostic};
use store::ResultRecord;

use crate::{
    app::reasons,
    pages::{
        view::{Evidence, EvidenceNode, Tone},
        words,
    },
};

/// What the labels of a map mean, or what a byte string wraps.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Token,
    Message,
    Headers,
    Claims,
    Status,
    Measurements,
    Manifests,
    Swid,
    Plain,
}

/// Claims and header parameters by label, and what stands under them.
const CLAIMS: [(i64, &str, Scope); 11] = [
    (10, "eat_nonce", Scope::Plain),
    (256, "ueid", Scope::Plain),
    (258, "oemid", Scope::Plain),
    (259, "hwmodel", Scope::Plain),
    (263, "dbgstat", Scope::Plain),
    (265, "eat_profile", Scope::Plain),
    (267, "bootcount", Scope::Plain),
    (268, "bootseed", Scope::Plain),
    (272, "manifests", Scope::Manifests),
    (273, "measurements", Scope::Measurements),
    (-75501, "device status", Scope::Status),
];
const HEADERS: [(i64, &str, Scope); 3] =
    [(1, "alg", Scope::Plain), (3, "content type", Scope::Plain), (4, "kid", Scope::Plain)];
const STATUS: [(i64, &str, Scope); 4] = [
    (1, "active slot", Scope::Plain),
    (2, "trial", Scope::Plain),
    (3, "authority list", Scope::Plain),
    (4, "last refusal", Scope::Plain),
];
const SWID: [(i64, &str, Scope); 11] = [
    (0, "tag-id", Scope::Plain),
    (1, "software-name", Scope::Plain),
    (2, "entity", Scope::Swid),
    (3, "evidence", Scope::Swid),
    (7, "hash", Scope::Plain),
    (12, "tag-version", Scope::Plain),
    (13, "software-version", Scope::Plain),
    (17, "file", Scope::Swid),
    (20, "size", Scope::Plain),
    (24, "fs-name", Scope::Plain),
    (33, "role", Scope::Plain),
];
/// Parts of a COSE_Sign1 (RFC 9052, section 4.2).
const MESSAGE: [(&str, Scope); 4] = [
    ("protected", Scope::Headers),
    ("unprotected", Scope::Headers),
    ("payload", Scope::Claims),
    ("signature", Scope::Plain),
];

/// The evidence of a result for its page, or nothing when it is not well-formed CBOR. `kind` is what it is called.
pub(in crate::http::pages::views) fn evidence(result: &ResultRecord, kind: &str) -> Option<Evidence> {
    let size = result.evidence.len();
    let shown = size.min(Evidence::MAX_BYTES);
    let mismatches = reasons::from_json(&result.reasons)
        .into_iter()
        .filter_map(|reason| reason.detail.get("measured")?.parse::<crypto::Digest>().ok());
    let mut tree =
        Tree { wrong: mismatches.map(|digest| digest.as_bytes().to_vec()).collect(), bad: Vec::new() };
    let mut root =
        tree.node(&mut Reader::with_order(&result.evidence, cbor::Order::Unique), Scope::Token).ok()?;
    root.open = true;
    let came = words::clock(result.received_at.micros()).shown;
    Some(Evidence {
        says: format!("{kind}, {}, as received at {came}", words::bytes(size as u64)).into(),
        object: None,
        root,
        offset: 0,
        bytes: result.evidence.get(..shown)?.to_vec(),
        bad: tree.bad,
        left_out: (size > shown).then(|| format!("{} bytes more", size - shown).into()),
    })
}

struct Tree {
    /// Values that do not match what was expected.
    wrong: Vec<Vec<u8>>,
    /// Where they stand.
    bad: Vec<Range<usize>>,
}

impl Tree {
    fn node(&mut self, reader: &mut Reader<'_>, scope: Scope) -> Result<EvidenceNode, Error> {
        let start = reader.position();
        let whole = reader.clone().raw()?;
        let mut node =
            EvidenceNode { open: !matches!(scope, Scope::Plain | Scope::Headers), ..EvidenceNode::default() };
        match reader.peek()? {
            Type::Tag => {
                let tag = reader.tag()?;
                let inner = if scope == Scope::Token && tag == 18 { Scope::Message } else { scope };
                node.value = format!("tag {tag}").into();
                node.items.push(self.node(reader, inner)?);
            }
            Type::Array => {
                let count = reader.array()?;
                node.value = format!("{count} items").into();
                for index in 0..count {
                    let part = MESSAGE.get(index).filter(|_| scope == Scope::Message);
                    let mut item = self.node(reader, part.map_or(scope, |(_, scope)| *scope))?;
                    item.name = part.map(|(name, _)| (*name).into());
                    node.items.push(item);
                }
            }
            Type::Map => {
                let mut map = reader.map()?;
                node.value = format!("{} entries", map.remaining()).into();
                while let Some(key) = map.next(reader)? {
                    let (label, name, inner) = describe(scope, &key);
                    let mut item = self.node(reader, inner)?;
                    item.label = Some(label.into());
                    item.name = name.map(Into::into);
                    item.self_asserted = inner == Scope::Status || scope == Scope::Status;
                    node.items.push(item);
                }
            }
            Type::Bytes => match wrapped(reader, scope) {
                Some(mut inner) => {
                    node.value = "wraps".into();
                    let inner_scope = if scope == Scope::Measurements { Scope::Swid } else { scope };
                    let item = self.node(&mut inner, inner_scope)?;
                    node.items.push(item);
                    reader.skip()?;
                }
                None => {
                    let bytes = reader.bytes()?;
                    node.value = diagnostic(whole).unwrap_or_default().into();
                    if self.wrong.iter().any(|wrong| wrong == bytes) {
                        node.tone = Tone::Bad;
                        self.bad.push(start..reader.position());
                    }
                }
            },
            _ => {
                reader.skip()?;
                node.value = diagnostic(whole).unwrap_or_default().into();
            }
        }
        node.bytes = start..reader.position();
        Ok(node)
    }
}

/// A reader of what a byte string wraps, where its scope says that it wraps something.
fn wrapped<'b>(reader: &Reader<'b>, scope: Scope) -> Option<Reader<'b>> {
    let wraps = matches!(scope, Scope::Headers | Scope::Claims | Scope::Measurements | Scope::Manifests);
    let inner = reader.clone().wrapped().ok().filter(|inner| wraps && !inner.is_empty())?;
    let mut whole = inner.clone();
    (whole.skip().is_ok() && whole.is_empty()).then_some(inner)
}

/// Label, name and scope of a map entry.
fn describe(scope: Scope, key: &Key<'_>) -> (String, Option<&'static str>, Scope) {
    let table: &[(i64, &'static str, Scope)] = match scope {
        Scope::Claims => &CLAIMS,
        Scope::Headers => &HEADERS,
        Scope::Status => &STATUS,
        Scope::Swid => &SWID,
        _ => &[],
    };
    match key {
        Key::Int(label) => match table.iter().find(|(known, ..)| known == label) {
            Some((_, name, inner)) => (label.to_string(), Some(name), *inner),
            None => (label.to_string(), None, Scope::Plain),
        },
        Key::Text(text) => ((*text).to_owned(), None, Scope::Plain),
        Key::Other(raw) => (diagnostic(raw).unwrap_or_default(), None, Scope::Plain),
    }
}
