use std::fmt;

use serde::{Serialize, Serializer, ser::SerializeMap as _};

/// What a command found out, in one form for people and programs: printed as an indented tree, or as JSON.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    Text(String),
    Integer(i128),
    Bool(bool),
    Null,
    List(Vec<Node>),
    Map(Map),
}

/// Named values in the order they were added.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Map(Vec<(String, Node)>);

impl Node {
    /// The text of a value for people, which JSON carries as a string too.
    pub(crate) fn shown(value: impl fmt::Display) -> Self {
        Self::Text(value.to_string())
    }

    /// Bytes in hexadecimal digits.
    pub(crate) fn hex(bytes: &[u8]) -> Self {
        Self::Text(hex(bytes))
    }

    /// A list of shown values.
    pub(crate) fn list<T: fmt::Display>(values: impl IntoIterator<Item = T>) -> Self {
        Self::List(values.into_iter().map(Self::shown).collect())
    }

    /// A CBOR item in diagnostic notation, or its bytes where it has none.
    pub(crate) fn diagnostic(item: &[u8]) -> Self {
        let normal = cbor::normalize(item, item.len().max(1) * 2);
        match normal.and_then(|item| cbor::diagnostic(&item)) {
            Ok(text) => Self::Text(text),
            Err(_) => Self::Text(format!("h'{}'", hex(item))),
        }
    }

    fn is_scalar(&self) -> bool {
        !matches!(self, Self::List(_) | Self::Map(_))
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::List(list) => list.is_empty(),
            Self::Map(Map(entries)) => entries.is_empty(),
            _ => false,
        }
    }
}

impl Map {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// One more entry.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: impl Into<Node>) -> Self {
        self.0.push((name.to_owned(), value.into()));
        self
    }

    /// One more entry if there is a value.
    #[must_use]
    pub(crate) fn maybe(self, name: &str, value: Option<impl Into<Node>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// One more entry unless the list or map is empty.
    #[must_use]
    pub(crate) fn unless_empty(self, name: &str, value: impl Into<Node>) -> Self {
        let value = value.into();
        if value.is_empty() { self } else { self.with(name, value) }
    }

    /// All entries of another map after these.
    #[must_use]
    pub(crate) fn then(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }
}

impl From<Map> for Node {
    fn from(map: Map) -> Self {
        Self::Map(map)
    }
}

impl<T: Into<Self>> From<Vec<T>> for Node {
    fn from(values: Vec<T>) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}

impl From<&str> for Node {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Node {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Node {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

macro_rules! from_integers {
    ($($integer:ty),*) => { $(impl From<$integer> for Node {
        fn from(value: $integer) -> Self {
            Self::Integer(i128::from(value))
        }
    })* };
}
from_integers!(u8, u16, u32, u64, i8, i64);

impl From<usize> for Node {
    fn from(value: usize) -> Self {
        Self::Integer(value as i128)
    }
}

impl From<&serde_json::Value> for Node {
    fn from(value: &serde_json::Value) -> Self {
        use serde_json::Value;
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(value), _) => value.into(),
                (None, Some(value)) => value.into(),
                _ => Self::shown(number),
            },
            Value::String(text) => Self::Text(text.clone()),
            Value::Array(values) => Self::List(values.iter().map(Into::into).collect()),
            Value::Object(members) => {
                Self::Map(Map(members.iter().map(|(name, value)| (name.clone(), value.into())).collect()))
            }
        }
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Integer(value) => match (u64::try_from(*value), i64::try_from(*value)) {
                (Ok(value), _) => serializer.serialize_u64(value),
                (_, Ok(value)) => serializer.serialize_i64(value),
                _ => serializer.collect_str(value),
            },
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Null => serializer.serialize_unit(),
            Self::List(values) => serializer.collect_seq(values),
            Self::Map(Map(entries)) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (name, value) in entries {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

/// The tree for people: two columns of indentation a level, underscores of names as spaces.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}

impl Node {
    fn write(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        match self {
            Self::Text(text) => writeln!(f, "{}", printable(text)),
            Self::Integer(value) => writeln!(f, "{value}"),
            Self::Bool(value) => f.write_str(if *value { "yes\n" } else { "no\n" }),
            Self::Null => f.write_str("none\n"),
            Self::List(values) => values.iter().try_for_each(|value| {
                write!(f, "{:1$}- ", "", 2 * depth)?;
                match value {
                    Self::Map(map) => map.write(f, depth + 1, true),
                    Self::List(_) => {
                        writeln!(f)?;
                        value.write(f, depth + 1)
                    }
                    scalar => scalar.write(f, depth),
                }
            }),
            Self::Map(map) => map.write(f, depth, false),
        }
    }
}

impl Map {
    /// `begun` when the first entry stands behind the dash of a list.
    fn write(&self, f: &mut fmt::Formatter<'_>, depth: usize, begun: bool) -> fmt::Result {
        if self.0.is_empty() {
            return writeln!(f, "none");
        }
        for (index, (name, value)) in self.0.iter().enumerate() {
            let indentation = if begun && index == 0 { 0 } else { 2 * depth };
            write!(f, "{:indentation$}{}:", "", printable(&name.replace('_', " ")))?;
            if value.is_scalar() {
                f.write_str(" ")?;
                value.write(f, depth)?;
            } else if value.is_empty() {
                writeln!(f, " none")?;
            } else {
                writeln!(f)?;
                value.write(f, depth + 1)?;
            }
        }
        Ok(())
    }
}

/// Text from outside, made harmless for a terminal: control characters and those that reorder text are escaped.
pub(crate) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let reorders = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        if c.is_control() || reorders {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes of hexadecimal digits; white space and one leading `0x` do not count.
pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    let digits: Vec<u8> = text
        .strip_prefix("0x")
        .unwrap_or(text)
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    Some(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Node {
        let inner = Map::new().with("name", "app").with("key_file", true);
        Map::new()
            .with("sequence_number", 7u64)
            .with("files", vec![Node::from(inner), Node::List(vec!["x".into()])])
            .with("nothing", Node::List(Vec::new()))
            .with("text", "a\u{202e}b\u{1b}[2J")
            .into()
    }

    #[test]
    fn prints_a_tree_that_cannot_move_the_cursor() {
        let expected = "sequence number: 7\nfiles:\n  - name: app\n    key file: yes\n  - \n    - x\nnothing: none\n\
                        text: a\\u{202e}b\\u{1b}[2J\n";
        assert_eq!(sample().to_string(), expected);
    }

    #[test]
    fn writes_json_in_the_order_of_the_tree() {
        let json = serde_json::to_string(&sample()).expect("a tree is JSON");
        assert!(json.starts_with(
            r#"{"sequence_number":7,"files":[{"name":"app","key_file":true},["x"]],"nothing":[]"#
        ));
    }

    #[test]
    fn reads_hexadecimal_digits_only() {
        assert_eq!(from_hex("0x00 fF\n"), Some(vec![0, 0xff]));
        for bad in ["0", "0g", "zz"] {
            assert_eq!(from_hex(bad), None, "{bad}");
        }
    }
}
