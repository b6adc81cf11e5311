//! An envelope byte by byte: every item with its offset in the file, its first bytes, its name and what it says.

use cbor::{Key, Order, Reader, Type};
use suit::labels::{command, common, envelope, manifest, parameter};

use crate::node::{hex, printable};

/// How deep items are shown one by one; what lies deeper is shown in diagnostic notation.
const MAX_DEPTH: usize = 24;
/// Bytes of an item that are shown.
const SHOWN: usize = 12;
/// Characters of a value that are shown.
const WIDTH: usize = 100;

/// What an item is, as its context says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Envelope,
    Wrapper,
    Manifest,
    Common,
    /// A byte string around commands.
    Sequence,
    Commands,
    /// An array of sequences.
    Alternatives,
    Parameters,
    /// Nothing is known about it.
    Plain,
}

/// The lines of an envelope.
pub(crate) fn envelope_lines(bytes: &[u8]) -> Result<Vec<String>, cbor::Error> {
    let mut lines = Lines { out: Vec::new() };
    let mut reader = Reader::with_order(bytes, Order::Unique);
    lines.item(&mut reader, Shape::Envelope, "envelope", 0)?;
    reader.end()?;
    Ok(lines.out)
}

struct Lines {
    out: Vec<String>,
}

impl Lines {
    fn line(&mut self, at: usize, bytes: &[u8], depth: usize, words: &str) {
        let more = if bytes.len() > SHOWN { ".." } else { "" };
        let shown = format!("{}{more}", hex(bytes.get(..SHOWN).unwrap_or(bytes)));
        let words: String = printable(words).chars().take(WIDTH).collect();
        self.out.push(format!("{at:>6}  {shown:<26}  {:1$}{words}", "", 2 * depth));
    }

    /// One item; the recursion is bounded by [`MAX_DEPTH`].
    fn item(
        &mut self,
        reader: &mut Reader<'_>,
        shape: Shape,
        name: &str,
        depth: usize,
    ) -> Result<(), cbor::Error> {
        let at = reader.position();
        let whole = reader.clone().raw()?;
        if depth >= MAX_DEPTH {
            self.scalar(at, whole, name, depth);
            return reader.skip();
        }
        match reader.peek()? {
            Type::Tag => {
                let tag = reader.tag()?;
                self.line(at, head(whole), depth, &format!("{name}: tag {tag}"));
                self.item(reader, shape, name, depth + 1)
            }
            Type::Map => self.map(reader, whole, shape, name, depth),
            Type::Array if shape == Shape::Commands => self.sequence(reader, whole, name, depth),
            Type::Array => {
                let count = reader.array()?;
                self.line(at, head(whole), depth, &format!("{name}: array of {count}"));
                for index in 0..count {
                    let (name, shape) = element(shape, index);
                    self.item(reader, shape, &name, depth + 1)?;
                }
                Ok(())
            }
            Type::Bytes => {
                let content = reader.bytes()?;
                let start = reader.position() - content.len();
                let wraps = shape != Shape::Plain || looks_wrapped(content);
                let inner = Reader::with_order(content, Order::Unique).at_offset(start);
                if !wraps || content.is_empty() || !is_item(inner.clone()) {
                    self.scalar(at, whole, name, depth);
                    return Ok(());
                }
                let first = whole.get(..whole.len() - content.len()).unwrap_or_default();
                self.line(at, first, depth, &format!("{name}: {} bytes", content.len()));
                let shape = if shape == Shape::Sequence { Shape::Commands } else { shape };
                let mut inner = inner;
                self.item(&mut inner, shape, name, depth + 1)
            }
            _ => {
                self.scalar(at, whole, name, depth);
                reader.skip()
            }
        }
    }

    fn scalar(&mut self, at: usize, whole: &[u8], name: &str, depth: usize) {
        let normal = cbor::normalize(whole, whole.len().max(1) * 2);
        let words = match normal.and_then(|item| cbor::diagnostic(&item)) {
            Ok(text) => format!("{name}: {text}"),
            Err(_) => format!("{name}: {} bytes", whole.len()),
        };
        self.line(at, whole, depth, &words);
    }

    fn map(
        &mut self,
        reader: &mut Reader<'_>,
        whole: &[u8],
        shape: Shape,
        name: &str,
        depth: usize,
    ) -> Result<(), cbor::Error> {
        let at = reader.position();
        let mut map = reader.map()?;
        let count = map.remaining();
        self.line(at, head(whole), depth, &format!("{name}: map of {count}"));
        while let Some(key) = map.next(reader)? {
            let (name, shape) = match key {
                Key::Int(label) => member(shape, label),
                // What it is keyed with is all that tells a dependency from an image: it is tried.
                Key::Text(text) if shape == Shape::Envelope => {
                    let payload = reader.clone().bytes().unwrap_or_default();
                    let dependency = suit::Envelope::decode(payload).is_ok();
                    (format!("payload {text}"), if dependency { Shape::Envelope } else { Shape::Plain })
                }
                Key::Text(text) => (text.to_owned(), Shape::Plain),
                Key::Other(item) => (cbor::diagnostic(item).unwrap_or_else(|_| hex(item)), Shape::Plain),
            };
            self.item(reader, shape, &name, depth + 1)?;
        }
        Ok(())
    }

    fn sequence(
        &mut self,
        reader: &mut Reader<'_>,
        whole: &[u8],
        name: &str,
        depth: usize,
    ) -> Result<(), cbor::Error> {
        let at = reader.position();
        let count = reader.array()?;
        self.line(at, head(whole), depth, &format!("{name}: {} commands", count / 2));
        for _ in 0..count / 2 {
            let at = reader.position();
            let code = reader.clone().raw()?;
            let number = reader.int()?;
            let (name, shape) = command_name(number);
            self.line(at, code, depth + 1, &name);
            self.item(reader, shape, "argument", depth + 2)?;
        }
        Ok(())
    }
}

/// The bytes of an item before what it holds.
fn head(whole: &[u8]) -> &[u8] {
    let first = whole.first().map(|byte| byte & 0x1f).unwrap_or_default();
    let len = match first {
        24 => 2,
        25 => 3,
        26 => 5,
        27 => 9,
        _ => 1,
    };
    whole.get(..len).unwrap_or(whole)
}

fn is_item(mut reader: Reader<'_>) -> bool {
    reader.skip().and_then(|()| reader.end()).is_ok()
}

/// Headers and digests wrap maps and arrays. Images and keys that happen to be CBOR are left as they are.
fn looks_wrapped(content: &[u8]) -> bool {
    content.len() < 512 && matches!(content.first(), Some(0x80..=0xbf | 0xd2 | 0xd8))
}

fn element(shape: Shape, index: usize) -> (String, Shape) {
    match (shape, index) {
        (Shape::Wrapper, 0) => ("digest of the manifest".to_owned(), Shape::Plain),
        (Shape::Wrapper, _) => (format!("authentication {index}"), Shape::Plain),
        (Shape::Alternatives, _) => (format!("alternative {}", index + 1), Shape::Sequence),
        _ => (index.to_string(), Shape::Plain),
    }
}

fn member(shape: Shape, label: i64) -> (String, Shape) {
    let named = |name: &str, shape| (format!("{name} ({label})"), shape);
    match (shape, label) {
        (Shape::Envelope, envelope::AUTHENTICATION_WRAPPER) => {
            named("authentication wrapper", Shape::Wrapper)
        }
        (Shape::Envelope, envelope::MANIFEST) => named("manifest", Shape::Manifest),
        (Shape::Envelope | Shape::Manifest, label) => match section(label) {
            Some(name) => named(&name, Shape::Sequence),
            None => match label {
                manifest::VERSION => named("manifest version", Shape::Plain),
                manifest::SEQUENCE_NUMBER => named("sequence number", Shape::Plain),
                manifest::COMMON => named("common", Shape::Common),
                manifest::REFERENCE_URI => named("reference uri", Shape::Plain),
                manifest::COMPONENT_ID => named("component id of the manifest", Shape::Plain),
                manifest::SET_VERSION => named("set version", Shape::Plain),
                manifest::COSWID => named("coswid", Shape::Plain),
                manifest::TEXT => named("text", Shape::Plain),
                manifest::MUD => named("mud", Shape::Plain),
                _ => named("member", Shape::Plain),
            },
        },
        (Shape::Common, common::DEPENDENCIES) => named("dependencies", Shape::Plain),
        (Shape::Common, common::COMPONENTS) => named("components", Shape::Plain),
        (Shape::Common, common::SHARED_SEQUENCE) => named("shared sequence", Shape::Sequence),
        (Shape::Parameters, parameter::ENCRYPTION_INFO) => named("encryption info", Shape::Plain),
        (Shape::Parameters, label) => named(parameter_name(label), Shape::Plain),
        _ => (label.to_string(), Shape::Plain),
    }
}

fn section(label: i64) -> Option<String> {
    suit::Section::ALL.into_iter().find(|section| section.label() == label).map(|section| section.to_string())
}

fn command_name(code: i64) -> (String, Shape) {
    let condition = suit::Condition::from_code(code).map(suit::Condition::name);
    let name = condition.or_else(|| suit::Directive::from_code(code).map(suit::Directive::name));
    let (name, shape) = match (name, code) {
        (Some(name), _) => (name, Shape::Plain),
        (None, command::SET_COMPONENT_INDEX) => ("set-component-index", Shape::Plain),
        (None, command::TRY_EACH) => ("try-each", Shape::Alternatives),
        (None, command::RUN_SEQUENCE) => ("run-sequence", Shape::Sequence),
        (None, command::SET_PARAMETERS) => ("set-parameters", Shape::Parameters),
        (None, command::OVERRIDE_PARAMETERS) => ("override-parameters", Shape::Parameters),
        (None, command::OVERRIDE_MULTIPLE) => ("override-multiple", Shape::Plain),
        (None, command::COPY_PARAMS) => ("copy-params", Shape::Plain),
        _ => ("command", Shape::Plain),
    };
    (format!("{name} ({code})"), shape)
}

fn parameter_name(label: i64) -> &'static str {
    match label {
        parameter::VENDOR_IDENTIFIER => "vendor identifier",
        parameter::CLASS_IDENTIFIER => "class identifier",
        parameter::IMAGE_DIGEST => "image digest",
        parameter::USE_BEFORE => "use before",
        parameter::COMPONENT_SLOT => "component slot",
        parameter::STRICT_ORDER => "strict order",
        parameter::SOFT_FAILURE => "soft failure",
        parameter::IMAGE_SIZE => "image size",
        parameter::CONTENT => "content",
        parameter::URI => "uri",
        parameter::SOURCE_COMPONENT => "source component",
        parameter::INVOKE_ARGS => "invoke args",
        parameter::DEVICE_IDENTIFIER => "device identifier",
        parameter::FETCH_ARGUMENTS => "fetch arguments",
        parameter::MINIMUM_BATTERY => "minimum battery",
        parameter::UPDATE_PRIORITY => "update priority",
        parameter::VERSION_MATCH => "version match",
        parameter::WAIT_INFO => "wait info",
        parameter::COMPONENT_METADATA => "component metadata",
        _ => "parameter",
    }
}
