//! Bad input for every decoder, made from good: cut, flipped, doubled, nested, and with lengths that are not there.

use crate::decoders::{DECODERS, Decoder};
use crate::seeds::seeds;

/// How many changed inputs one decoder gets.
const BUDGET: usize = 6000;

#[test]
fn every_decoder_accepts_what_the_fixture_makes() {
    for decoder in DECODERS.iter() {
        let own: Vec<_> = seeds(decoder).into_iter().filter(|(name, _)| name.starts_with("own-")).collect();
        assert!(
            own.iter().any(|(_, bytes)| (decoder.read)(bytes)),
            "{} accepts none of its own",
            decoder.name
        );
    }
}

/// Each is of another sort, so that one that is not read would be a sort that is never mutated.
#[test]
fn gateways_read_every_input_that_the_fixture_makes() {
    for decoder in DECODERS.iter().filter(|decoder| decoder.name.starts_with("gateway_")) {
        for (name, bytes) in seeds(decoder) {
            assert!((decoder.read)(&bytes), "{} {name}", decoder.name);
        }
    }
}

#[test]
fn no_decoder_accepts_an_input_that_is_cut_or_goes_on() {
    for decoder in DECODERS.iter().filter(|decoder| !decoder.loose_end) {
        for (name, bytes) in good(decoder) {
            for end in steps(bytes.len(), 400) {
                assert!(!(decoder.read)(&bytes[..end]), "{}: {name} cut at {end}", decoder.name);
            }
            let longer = [&bytes[..], &[0]].concat();
            assert!(!(decoder.read)(&longer), "{}: {name} with a byte more", decoder.name);
        }
    }
}

#[test]
fn no_decoder_accepts_a_map_with_a_key_twice() {
    let mut tried = 0;
    for decoder in DECODERS.iter() {
        for (name, bytes) in good(decoder) {
            for nth in 0.. {
                let Some(doubled) = with_key_twice(&bytes, nth, decoder.levels) else { break };
                assert!(!(decoder.read)(&doubled), "{}: {name}, map {nth}", decoder.name);
                tried += 1;
            }
        }
    }
    assert!(tried > 100, "only {tried} maps were found");
}

#[test]
fn no_decoder_panics_on_changed_input() {
    for decoder in DECODERS.iter() {
        let seeds = seeds(decoder);
        let share = (BUDGET / seeds.len()).max(60);
        for (_, bytes) in &seeds {
            flip_bits(decoder, bytes, share / 2);
            put_hostile_parts(decoder, bytes, share / 2);
        }
    }
}

#[test]
fn no_decoder_panics_on_deep_nesting() {
    const DEPTH: usize = 100_000;
    for decoder in DECODERS.iter() {
        for part in [
            "[",
            "{\"a\":",
            "\u{81}",
            "\u{a1}\u{01}",
            "\u{c1}",
            "\u{d8}\u{3d}",
            "\u{5f}",
            "\u{9f}",
            "\u{30}\u{80}",
        ] {
            // Each character stands for the byte of its number.
            let part: Vec<u8> = part.chars().map(|c| c as u8).collect();
            assert!(!(decoder.read)(&part.repeat(DEPTH)), "{}: {part:02x?} many times", decoder.name);
        }
        // Sequences of definite length, each as long as what is left of it can be.
        let der: Vec<u8> = (0..4096u32)
            .rev()
            .flat_map(|depth| [&[0x30, 0x84][..], &(depth * 6).to_be_bytes()].concat())
            .collect();
        assert!(!(decoder.read)(&der), "{}: nested sequences", decoder.name);
    }
}

fn good(decoder: &Decoder) -> Vec<(String, Vec<u8>)> {
    seeds(decoder).into_iter().filter(|(_, bytes)| (decoder.read)(bytes)).collect()
}

fn flip_bits(decoder: &Decoder, bytes: &[u8], count: usize) {
    for bit in steps(bytes.len() * 8, count) {
        let mut changed = bytes.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        (decoder.read)(&changed);
    }
}

fn put_hostile_parts(decoder: &Decoder, bytes: &[u8], count: usize) {
    let parts: [&[u8]; 12] = [
        // CBOR strings, arrays and maps of 2^32 - 1 and 2^63 - 1 items, and of no definite length.
        &[0x5a, 0xff, 0xff, 0xff, 0xff],
        &[0x7b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        &[0x9a, 0xff, 0xff, 0xff, 0xff],
        &[0x9b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        &[0xba, 0xff, 0xff, 0xff, 0xff],
        &[0xbf, 0xff],
        // DER lengths of 2^32 - 1 and of no definite length.
        &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
        &[0x04, 0x80, 0x00, 0x00],
        // JSON: a number too big, half a surrogate pair, a control character.
        b"99999999999999999999999999999999",
        b"\"\\ud800\"",
        b"\"\0\"",
        &[],
    ];
    for (round, at) in steps(bytes.len(), count).enumerate() {
        let part = parts[round % parts.len()];
        let inserted = [&bytes[..at], part, &bytes[at..]].concat();
        (decoder.read)(&inserted);
        let end = bytes.len().min(at + part.len().max(1));
        let replaced = [&bytes[..at], part, &bytes[end..]].concat();
        (decoder.read)(&replaced);
    }
}

/// At most `count` numbers below `end`, evenly spread.
fn steps(end: usize, count: usize) -> impl Iterator<Item = usize> {
    (0..end).step_by(end.div_ceil(count.max(1)).max(1))
}

/// The same item with the first entry of its `nth` map twice in a row, also within byte strings that hold an
/// item, so many levels of them; `None` when there are fewer maps.
fn with_key_twice(bytes: &[u8], nth: usize, levels: u8) -> Option<Vec<u8>> {
    let mut rewriter = Rewriter { nth, seen: 0, levels, out: Vec::new() };
    let end = rewriter.item(bytes, 0)?;
    (end == bytes.len() && rewriter.seen > nth).then_some(rewriter.out)
}

/// Writes CBOR again, one map of it changed.
struct Rewriter {
    nth: usize,
    /// Maps so far, empty ones not counted.
    seen: usize,
    levels: u8,
    out: Vec<u8>,
}

impl Rewriter {
    /// Writes the item at an offset; gives the offset behind it.
    fn item(&mut self, bytes: &[u8], at: usize) -> Option<usize> {
        let (major, value, mut next) = head(bytes, at)?;
        let count = if !(2..=5).contains(&major) { 0 } else { usize::try_from(value).ok()? };
        match major {
            2 => {
                let content = bytes.get(next..next.checked_add(count)?)?;
                let content = self.string(content).unwrap_or_else(|| content.to_vec());
                put_head(2, content.len() as u64, &mut self.out);
                self.out.extend_from_slice(&content);
                return Some(next + count);
            }
            3 => {
                next = next.checked_add(count)?;
                self.out.extend_from_slice(bytes.get(at..next)?);
            }
            4 => {
                put_head(4, value, &mut self.out);
                for _ in 0..count {
                    next = self.item(bytes, next)?;
                }
            }
            5 => {
                let double = count > 0 && self.seen == self.nth;
                self.seen += usize::from(count > 0);
                put_head(5, value + u64::from(double), &mut self.out);
                for entry in 0..count {
                    let start = self.out.len();
                    next = self.item(bytes, next)?;
                    next = self.item(bytes, next)?;
                    if double && entry == 0 {
                        self.out.extend_from_within(start..);
                    }
                }
            }
            6 => {
                self.out.extend_from_slice(bytes.get(at..next)?);
                next = self.item(bytes, next)?;
            }
            _ => self.out.extend_from_slice(bytes.get(at..next)?),
        }
        Some(next)
    }

    /// The content of a byte string written again, if it is one item.
    fn string(&mut self, content: &[u8]) -> Option<Vec<u8>> {
        if self.levels == 0 || content.is_empty() {
            return None;
        }
        let mut inner = Self { nth: self.nth, seen: self.seen, levels: self.levels - 1, out: Vec::new() };
        let end = inner.item(content, 0)?;
        if end != content.len() {
            return None;
        }
        self.seen = inner.seen;
        Some(inner.out)
    }
}

/// Major type, value and the offset behind the head.
fn head(bytes: &[u8], at: usize) -> Option<(u8, u64, usize)> {
    let first = *bytes.get(at)?;
    let (major, info) = (first >> 5, first & 31);
    let length = match info {
        0..24 => return Some((major, u64::from(info), at + 1)),
        24..28 => 1usize << (info - 24),
        _ => return None,
    };
    let value = bytes.get(at + 1..at + 1 + length)?;
    Some((major, value.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)), at + 1 + length))
}

/// The shortest head.
fn put_head(major: u8, value: u64, out: &mut Vec<u8>) {
    let major = major << 5;
    match value {
        0..24 => out.push(major | value as u8),
        24..0x100 => out.extend([major | 24, value as u8]),
        0x100..0x1_0000 => {
            out.push(major | 25);
            out.extend((value as u16).to_be_bytes());
        }
        _ => {
            out.push(major | 26);
            out.extend((value as u32).to_be_bytes());
        }
    }
}
