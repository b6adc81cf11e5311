//! Writes envelopes byte by byte, wrong ones included: nothing here checks, sorts or repairs anything.

use cbor::Writer;
use crypto::{Digest, HashAlgorithm, SigningKey};

/// A CBOR item, written as it stands here.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    Int(i64),
    Bytes(Vec<u8>),
    Text(String),
    Array(Vec<Item>),
    /// Pairs in this order, twice the same key where it says so.
    Map(Vec<(Item, Item)>),
    Tag(u64, Box<Item>),
    Bool(bool),
    Null,
    /// A byte string that holds the encoding of an item.
    Wrap(Box<Item>),
    /// Bytes that stand for themselves.
    Raw(Vec<u8>),
}

impl From<i64> for Item {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<&str> for Item {
    fn from(value: &str) -> Self {
        Self::Text(value.into())
    }
}

impl From<&[u8]> for Item {
    fn from(value: &[u8]) -> Self {
        Self::Bytes(value.into())
    }
}

impl From<Vec<Item>> for Item {
    fn from(items: Vec<Item>) -> Self {
        Self::Array(items)
    }
}

impl Item {
    pub(crate) fn wrap(self) -> Self {
        Self::Wrap(Box::new(self))
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        Writer::encode(|writer| self.write(writer))
    }

    fn write(&self, writer: &mut Writer) {
        match self {
            Self::Int(value) => _ = writer.int(*value),
            Self::Bytes(bytes) => _ = writer.bytes(bytes),
            Self::Text(text) => _ = writer.text(text),
            Self::Array(items) => {
                writer.array(items.len());
                items.iter().for_each(|item| item.write(writer));
            }
            Self::Map(pairs) => {
                writer.map(pairs.len());
                for (key, value) in pairs {
                    key.write(writer);
                    value.write(writer);
                }
            }
            Self::Tag(tag, item) => {
                writer.tag(*tag);
                item.write(writer);
            }
            Self::Bool(value) => _ = writer.bool(*value),
            Self::Null => _ = writer.null(),
            Self::Wrap(item) => _ = writer.bytes(&item.to_bytes()),
            Self::Raw(bytes) => _ = writer.raw(bytes),
        }
    }
}

/// A map with integer keys.
pub(crate) fn map<const N: usize>(pairs: [(i64, Item); N]) -> Item {
    Item::Map(pairs.into_iter().map(|(key, value)| (Item::Int(key), value)).collect())
}

/// A command sequence, wrapped: codes and arguments in turn.
pub(crate) fn sequence(commands: impl IntoIterator<Item = (i64, Item)>) -> Item {
    flat(commands).wrap()
}

/// The same without the byte string around it.
pub(crate) fn flat(commands: impl IntoIterator<Item = (i64, Item)>) -> Item {
    Item::Array(commands.into_iter().flat_map(|(code, argument)| [Item::Int(code), argument]).collect())
}

/// SUIT_Digest of bytes.
pub(crate) fn digest_of(algorithm: HashAlgorithm, bytes: &[u8]) -> Item {
    Item::Array(vec![
        Item::Int(algorithm.cose_id()),
        Item::Bytes(Digest::of(algorithm, bytes).as_bytes().to_vec()),
    ])
}

/// Digest parameter of an image.
pub(crate) fn image_digest(image: &[u8]) -> Item {
    digest_of(HashAlgorithm::Sha256, image).wrap()
}

/// A manifest of version 1.
#[derive(Clone)]
pub(crate) struct Manifest {
    pub(crate) sequence_number: u64,
    pub(crate) dependencies: Vec<i64>,
    pub(crate) components: Vec<Item>,
    pub(crate) shared: Option<Item>,
    /// Further members in the order of their labels.
    pub(crate) members: Vec<(i64, Item)>,
}

impl Manifest {
    pub(crate) fn new(components: &[&str]) -> Self {
        Self {
            sequence_number: 7,
            dependencies: Vec::new(),
            components: components.iter().map(|name| id(name)).collect(),
            shared: None,
            members: Vec::new(),
        }
    }

    pub(crate) fn shared(mut self, commands: impl IntoIterator<Item = (i64, Item)>) -> Self {
        self.shared = Some(sequence(commands));
        self
    }

    pub(crate) fn section(self, label: i64, commands: impl IntoIterator<Item = (i64, Item)>) -> Self {
        self.member(label, sequence(commands))
    }

    pub(crate) fn member(mut self, label: i64, value: Item) -> Self {
        self.members.push((label, value));
        self.members.sort_by_key(|(label, _)| *label);
        self
    }

    pub(crate) fn dependency(mut self, index: i64) -> Self {
        self.dependencies.push(index);
        self
    }

    /// Members 1 to 3 and all others, as a map that can be spoilt.
    pub(crate) fn pairs(&self) -> Vec<(Item, Item)> {
        let mut common = Vec::new();
        if !self.dependencies.is_empty() {
            let entries = self.dependencies.iter().map(|index| (Item::Int(*index), map([]))).collect();
            common.push((Item::Int(1), Item::Map(entries)));
        }
        common.push((Item::Int(2), Item::Array(self.components.clone())));
        common.extend(self.shared.clone().map(|shared| (Item::Int(4), shared)));
        let mut pairs = vec![
            (Item::Int(1), Item::Int(1)),
            (Item::Int(2), Item::Int(self.sequence_number as i64)),
            (Item::Int(3), Item::Map(common).wrap()),
        ];
        pairs.extend(self.members.iter().map(|(label, value)| (Item::Int(*label), value.clone())));
        pairs
    }

    pub(crate) fn item(&self) -> Item {
        Item::Map(self.pairs())
    }

    /// A signed envelope around it.
    pub(crate) fn sign(&self, key: &SigningKey) -> Vec<u8> {
        self.envelope(key, []).to_bytes()
    }

    /// The same with further members.
    pub(crate) fn envelope(&self, key: &SigningKey, members: impl IntoIterator<Item = (Item, Item)>) -> Item {
        envelope(&self.item(), key, members)
    }
}

/// A component identifier with one segment for each word between slashes.
pub(crate) fn id(name: &str) -> Item {
    Item::Array(name.split('/').map(|segment| Item::Bytes(segment.into())).collect())
}

/// A signed envelope around any item.
pub(crate) fn envelope(
    manifest: &Item,
    key: &SigningKey,
    members: impl IntoIterator<Item = (Item, Item)>,
) -> Item {
    let wrapped = manifest.clone().wrap();
    let digest = digest_of(HashAlgorithm::Sha256, &wrapped.to_bytes());
    let block = sign1(key, key.algorithm().cose_id(), &digest.to_bytes());
    assemble(&digest, [block], wrapped, members)
}

/// An envelope of parts, whatever they are.
pub(crate) fn assemble(
    digest: &Item,
    blocks: impl IntoIterator<Item = Item>,
    manifest: Item,
    members: impl IntoIterator<Item = (Item, Item)>,
) -> Item {
    let mut wrapper = vec![digest.clone().wrap()];
    wrapper.extend(blocks.into_iter().map(Item::wrap));
    let mut pairs = vec![(Item::Int(2), Item::Array(wrapper).wrap()), (Item::Int(3), manifest)];
    pairs.extend(members);
    Item::Tag(107, Box::new(Item::Map(pairs)))
}

/// COSE_Sign1 with a detached payload, under an algorithm number that the key need not have.
pub(crate) fn sign1(key: &SigningKey, algorithm: i64, payload: &[u8]) -> Item {
    sign1_with(key, map([(1, Item::Int(algorithm))]).to_bytes(), map([]), payload, Item::Null)
}

/// The same with any headers and any payload inside.
pub(crate) fn sign1_with(
    key: &SigningKey,
    protected: Vec<u8>,
    unprotected: Item,
    payload: &[u8],
    attached: Item,
) -> Item {
    // Sig_structure (RFC 9052, section 4.4).
    let signed: Vec<Item> = vec![
        "Signature1".into(),
        Item::Bytes(protected.clone()),
        Item::Bytes(Vec::new()),
        Item::Bytes(payload.to_vec()),
    ];
    let signature = key.sign(&Item::Array(signed).to_bytes());
    let object = vec![Item::Bytes(protected), unprotected, attached, Item::Bytes(signature)];
    Item::Tag(18, Box::new(Item::Array(object)))
}
