//! What an envelope asks of an implementation, found by walking through it. It believes and checks nothing: where an
//! envelope is broken it stops and keeps what it has.

use std::collections::BTreeSet;

use cbor::{Key, Order, Reader, Type};

use crate::{Component, Device, Features, to_hex};

/// What is in an envelope.
#[derive(Clone, Debug, Default)]
pub(crate) struct Survey {
    /// Everything registered that it uses.
    needs: Features,
    /// Tag and algorithm of each signature; one of them that is supported is enough.
    blocks: Vec<(i64, Option<i64>)>,
    components: Vec<Vec<String>>,
    vendor: Option<String>,
    class: Option<String>,
}

impl Survey {
    pub(crate) fn of(envelope: &[u8]) -> Self {
        let mut survey = Self::default();
        survey.envelope(envelope, 0);
        survey
    }

    /// A device with the components, vendor and class that the envelope names.
    pub(crate) fn device(&self) -> Device {
        let components =
            self.components.iter().map(|id| Component { id: id.clone(), ..Component::default() });
        Device {
            procedures: vec!["update".into(), "invocation".into()],
            vendor: self.vendor.clone(),
            class: self.class.clone(),
            components: components.collect(),
            ..Device::default()
        }
    }

    /// What of it an implementation does not have. Numbers that no registry knows do not count: those must be refused.
    pub(crate) fn lacking(&self, has: &Features) -> Vec<String> {
        let mut lacking = Vec::new();
        let mut compare = |what: &str, needs: &BTreeSet<i64>, has: &BTreeSet<i64>, registered: &[i64]| {
            let missing = needs.difference(has).filter(|number| registered.contains(number));
            lacking.extend(missing.map(|number| format!("{what} {number}")));
        };
        compare("digest algorithm", &self.needs.digests, &has.digests, &DIGESTS);
        compare("envelope member", &self.needs.envelope, &has.envelope, &ENVELOPE);
        compare("manifest member", &self.needs.manifest, &has.manifest, &MANIFEST);
        compare("common member", &self.needs.common, &has.common, &COMMON);
        compare("command", &self.needs.commands, &has.commands, &COMMANDS);
        compare("parameter", &self.needs.parameters, &has.parameters, &PARAMETERS);
        if self.needs.integrated && !has.integrated {
            lacking.push("integrated payloads".into());
        }
        if self.needs.untagged && !has.untagged {
            lacking.push("envelopes without a tag".into());
        }
        lacking
    }

    /// What of its authentication an implementation does not have: nothing where it has that of one block.
    pub(crate) fn lacking_authentication(&self, has: &Features) -> Vec<String> {
        let known = |(tag, algorithm): &&(i64, Option<i64>)| {
            AUTHENTICATION.contains(tag) && algorithm.is_none_or(|it| ALGORITHMS.contains(&it))
        };
        let supported = |(tag, algorithm): &(i64, Option<i64>)| {
            has.authentication.contains(tag) && algorithm.is_none_or(|it| has.algorithms.contains(&it))
        };
        let blocks: Vec<_> = self.blocks.iter().filter(known).collect();
        if blocks.iter().any(|block| supported(block)) {
            return Vec::new();
        }
        let told = blocks.iter().map(|(tag, algorithm)| match algorithm {
            Some(algorithm) => format!("COSE tag {tag} with algorithm {algorithm}"),
            None => format!("COSE tag {tag}"),
        });
        told.collect()
    }

    fn envelope(&mut self, bytes: &[u8], depth: u8) -> Option<()> {
        let mut reader = Reader::with_order(bytes, Order::Unique);
        self.needs.untagged |= !reader.is_tag(107).ok()?;
        let mut map = reader.map().ok()?;
        while let Some(key) = map.next(&mut reader).ok()? {
            match key {
                Key::Int(label) => {
                    self.needs.envelope.insert(label);
                    let content = reader.bytes().ok()?;
                    match label {
                        2 => _ = self.wrapper(content, depth),
                        3 => _ = self.manifest(content),
                        label if SECTIONS.contains(&label) => _ = self.sequence(content, 0),
                        _ => {}
                    }
                }
                Key::Text(_) => {
                    self.needs.integrated = true;
                    let payload = reader.bytes().ok()?;
                    if depth < MAX_DEPTH && payload.starts_with(&[0xd8, 107]) {
                        self.envelope(payload, depth + 1);
                    }
                }
                Key::Other(_) => reader.skip().ok()?,
            }
        }
        Some(())
    }

    fn wrapper(&mut self, bytes: &[u8], depth: u8) -> Option<()> {
        let mut reader = Reader::new(bytes);
        let count = reader.array().ok()?;
        let mut digest = Reader::new(reader.bytes().ok()?);
        self.digest(&mut digest);
        for _ in 1..count {
            let mut block = Reader::new(reader.bytes().ok()?);
            let tag = block.tag().ok()? as i64;
            block.array().ok()?;
            let mut protected = Reader::new(block.bytes().ok()?);
            let mut algorithm = None;
            if let Ok(mut map) = protected.map() {
                while let Ok(Some(label)) = map.next_int(&mut protected) {
                    match label {
                        1 => algorithm = protected.int().ok(),
                        _ => protected.skip().ok()?,
                    }
                }
            }
            // Those of a dependency do not speak for the root.
            if depth == 0 {
                self.blocks.push((tag, algorithm));
            }
        }
        Some(())
    }

    fn digest(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        let count = reader.array().ok()?;
        self.needs.digests.insert(reader.int().ok()?);
        (1..count).try_for_each(|_| reader.skip().ok())
    }

    fn manifest(&mut self, bytes: &[u8]) -> Option<()> {
        let mut reader = Reader::with_order(bytes, Order::Unique);
        let mut map = reader.map().ok()?;
        while let Some(label) = map.next_int(&mut reader).ok()? {
            self.needs.manifest.insert(label);
            match (label, reader.peek().ok()?) {
                (3, Type::Bytes) => _ = self.common(reader.bytes().ok()?),
                (label, Type::Bytes) if SECTIONS.contains(&label) => {
                    _ = self.sequence(reader.bytes().ok()?, 0)
                }
                (label, Type::Array) if ENVELOPE.contains(&label) => {
                    self.needs.envelope.insert(label);
                    self.digest(&mut reader)?;
                }
                _ => reader.skip().ok()?,
            }
        }
        Some(())
    }

    fn common(&mut self, bytes: &[u8]) -> Option<()> {
        let mut reader = Reader::with_order(bytes, Order::Unique);
        let mut map = reader.map().ok()?;
        while let Some(label) = map.next_int(&mut reader).ok()? {
            self.needs.common.insert(label);
            match label {
                2 => {
                    for _ in 0..reader.array().ok()? {
                        let segments = reader.array().ok()?;
                        let id: Option<Vec<_>> =
                            (0..segments).map(|_| reader.bytes().ok().map(to_hex)).collect();
                        self.components.push(id?);
                    }
                }
                4 => _ = self.sequence(reader.bytes().ok()?, 0),
                _ => reader.skip().ok()?,
            }
        }
        Some(())
    }

    fn sequence(&mut self, bytes: &[u8], depth: u8) -> Option<()> {
        let mut reader = Reader::with_order(bytes, Order::Unique);
        for _ in 0..reader.array().ok()? / 2 {
            let code = reader.int().ok()?;
            self.needs.commands.insert(code);
            match code {
                15 => {
                    for _ in 0..reader.array().ok()? {
                        match reader.peek().ok()? {
                            Type::Bytes => self.nested(reader.bytes().ok()?, depth),
                            _ => reader.skip().ok()?,
                        }
                    }
                }
                32 => self.nested(reader.bytes().ok()?, depth),
                19 | 20 => self.parameters(&mut reader)?,
                34 => {
                    let mut entries = reader.map().ok()?;
                    while entries.next_int(&mut reader).ok()?.is_some() {
                        self.parameters(&mut reader)?;
                    }
                }
                _ => reader.skip().ok()?,
            }
        }
        Some(())
    }

    fn nested(&mut self, bytes: &[u8], depth: u8) {
        if depth < MAX_DEPTH {
            self.sequence(bytes, depth + 1);
        }
    }

    fn parameters(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        let mut map = reader.map().ok()?;
        while let Some(label) = map.next_int(reader).ok()? {
            self.needs.parameters.insert(label);
            match (label, reader.peek().ok()?) {
                (1, Type::Bytes) => _ = self.vendor.get_or_insert(to_hex(reader.bytes().ok()?)),
                (2, Type::Bytes) => _ = self.class.get_or_insert(to_hex(reader.bytes().ok()?)),
                _ => reader.skip().ok()?,
            }
        }
        Some(())
    }
}

/// How deep it looks into envelopes within envelopes and sequences within sequences.
const MAX_DEPTH: u8 = 8;

// What the registries know (draft-ietf-suit-manifest-37, -trust-domains, -update-management, -firmware-encryption, -mud).
const SECTIONS: [i64; 8] = [7, 8, 9, 15, 16, 18, 20, 24];
const ENVELOPE: [i64; 8] = [2, 3, 14, 15, 16, 18, 20, 23];
const MANIFEST: [i64; 17] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 14, 15, 16, 18, 20, 23, 24, 25];
const COMMON: [i64; 3] = [1, 2, 4];
const COMMANDS: [i64; 29] = [
    1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 14, 15, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 31, 32, 33, 34,
    35,
];
const PARAMETERS: [i64; 20] = [1, 2, 3, 4, 5, 12, 13, 14, 18, 19, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30];
const DIGESTS: [i64; 5] = [-16, -18, -43, -44, -45];
const AUTHENTICATION: [i64; 4] = [17, 18, 97, 98];
const ALGORITHMS: [i64; 10] = [-7, -8, -9, -19, -35, -36, -46, -51, 5, 6];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::author::{Item, Manifest, map};
    use crate::keys;

    #[test]
    fn finds_what_is_used_and_what_of_it_is_lacking() {
        let inner = Manifest::new(&["inner"]).section(9, [(23, Item::Int(2))]).sign(&keys::author());
        let manifest = Manifest::new(&["fw"])
            .shared([(20, map([(1, Item::Bytes(vec![1; 16]))])), (1, Item::Int(15))])
            .section(
                20,
                [(15, Item::Array(vec![crate::author::sequence([(22, Item::Int(2))]), Item::Null]))],
            );
        let envelope = manifest.envelope(&keys::author(), [(Item::from("#in"), Item::Bytes(inner))]);
        let survey = Survey::of(&envelope.to_bytes());
        assert_eq!(survey.components, [["6677".to_owned()], ["696e6e6572".to_owned()]]);
        let mut has = survey.needs.clone();
        (has.authentication, has.algorithms) = ([18].into(), [-7].into());
        assert_eq!(survey.lacking(&has), [""; 0]);
        has.commands.remove(&22);
        has.commands.remove(&23);
        has.parameters.remove(&1);
        has.integrated = false;
        has.algorithms.clear();
        assert_eq!(survey.lacking(&has), ["command 22", "command 23", "parameter 1", "integrated payloads"]);
        assert_eq!(survey.lacking_authentication(&has), ["COSE tag 18 with algorithm -7"]);
    }

    #[test]
    fn what_no_registry_knows_is_not_lacking() {
        let manifest = Manifest::new(&["fw"]).section(20, [(40, Item::Int(2))]).member(99, Item::Null);
        let survey = Survey::of(&manifest.sign(&keys::author()));
        assert!(survey.needs.commands.contains(&40) && survey.needs.manifest.contains(&99));
        let mut has = survey.needs.clone();
        (has.authentication, has.algorithms) = ([18].into(), [-7].into());
        has.commands.clear();
        has.manifest.remove(&99);
        assert_eq!(survey.lacking(&has), [""; 0]);
    }
}
