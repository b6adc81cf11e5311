//! Values that are safe to show: whatever a device, a maker or a stranger wrote has passed through one of these types.

use std::fmt;

use maud::Render;

/// One line of text for a page.
///
/// Names, versions and details come from devices and from files of strangers. Making a `Text` takes out what could
/// reorder or hide the words around it (control characters, marks of writing direction, zero-width characters) and cuts
/// it to [`Text::MAX_CHARS`]; writing it escapes what HTML would read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text(String);

impl Text {
    /// The longest text a page shows, in characters.
    pub const MAX_CHARS: usize = 240;

    /// The cleaned text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn clean(raw: &str) -> Self {
        let mut text: String = raw.chars().take(Self::MAX_CHARS).map(visible).collect();
        if raw.chars().nth(Self::MAX_CHARS).is_some() {
            text.push('…');
        }
        Self(text)
    }
}

impl From<&str> for Text {
    fn from(raw: &str) -> Self {
        Self::clean(raw)
    }
}

impl From<String> for Text {
    fn from(raw: String) -> Self {
        Self::clean(&raw)
    }
}

impl From<&String> for Text {
    fn from(raw: &String) -> Self {
        Self::clean(raw)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Render for Text {
    fn render_to(&self, buffer: &mut String) {
        self.0.as_str().render_to(buffer);
    }
}

/// A link to a page of this server.
///
/// It begins with a route written in this program, so no text from outside can turn into another scheme or host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Href(String);

impl Href {
    /// A route of this server, such as `/devices`.
    pub fn route(path: &'static str) -> Self {
        Self(path.to_owned())
    }

    /// A place on the same page.
    pub fn anchor(id: &'static str) -> Self {
        Self(format!("#{id}"))
    }

    /// The path a browser asks to be sent back to, if it is one of this server: `//host` and `/\host` are not.
    pub fn parse_local(path: &str) -> Option<Self> {
        let rest = path.strip_prefix('/')?;
        let foreign = rest.starts_with(['/', '\\']) || rest.contains(|c: char| c.is_control() || c == '\\');
        (!foreign).then(|| Self(path.to_owned()))
    }

    /// The same link with one more path segment, percent-encoded.
    #[must_use]
    pub fn segment(mut self, segment: &str) -> Self {
        self.0.push('/');
        encode(&mut self.0, segment);
        self
    }

    /// The same link with one more query parameter, percent-encoded.
    #[must_use]
    pub fn query(mut self, key: &'static str, value: &str) -> Self {
        self.0.push(if self.0.contains('?') { '&' } else { '?' });
        self.0.push_str(key);
        self.0.push('=');
        encode(&mut self.0, value);
        self
    }

    /// The same link, to a place on that page. The last thing to add.
    #[must_use]
    pub fn fragment(mut self, id: &'static str) -> Self {
        self.0.push('#');
        self.0.push_str(id);
        self
    }

    /// The link as it is written in an attribute.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Render for Href {
    fn render_to(&self, buffer: &mut String) {
        self.0.as_str().render_to(buffer);
    }
}

/// A moment: as people read it, and exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The words on the page, such as `48 s ago` or `14:12:36`.
    pub shown: String,
    /// The moment in ISO 8601, for `datetime` and the title.
    pub exact: String,
    /// Whether the words are an age that the script counts on.
    pub counting: bool,
}

/// A count: short, and exactly when the short form says less.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    /// The number on the page, such as `1,042` or `12.4 k`.
    pub shown: String,
    /// The whole number, when `shown` rounds it.
    pub exact: Option<String>,
}

/// How a digest chip is coloured. `Good` and `Bad` only where measured stands beside expected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// Neither; the usual chip.
    #[default]
    Plain,
    /// The expected value.
    Good,
    /// A measured value that is not the expected one.
    Bad,
}

/// A digest: six and four hexadecimal digits on the page, all of it in the clipboard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigestChip {
    algorithm: &'static str,
    hex: String,
    tone: Tone,
}

impl DigestChip {
    /// The chip of a digest of 32, 48 or 64 bytes; its length names the algorithm.
    pub fn new(digest: &[u8]) -> Option<Self> {
        let algorithm = algorithm(digest.len())?;
        let hex = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Some(Self { algorithm, hex, tone: Tone::Plain })
    }

    /// Reads `sha256:9f2c…`, or the hexadecimal digits alone.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, hex) = text.split_once(':').map_or((None, text), |(name, hex)| (Some(name), hex));
        let algorithm = algorithm(hex.len() / 2).filter(|_| hex.len() % 2 == 0)?;
        let named = name.is_none_or(|name| name.replace('-', "").eq_ignore_ascii_case(algorithm));
        let all_hex = hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        (named && all_hex).then(|| Self { algorithm, hex: hex.to_ascii_lowercase(), tone: Tone::Plain })
    }

    /// The same chip in another tone.
    #[must_use]
    pub fn tone(mut self, tone: Tone) -> Self {
        self.tone = tone;
        self
    }

    /// The class of the tone.
    pub fn class(&self) -> &'static str {
        match self.tone {
            Tone::Plain => "dg",
            Tone::Good => "dg good",
            Tone::Bad => "dg bad",
        }
    }

    /// `sha256:` and all digits.
    pub fn full(&self) -> String {
        format!("{}:{}", self.algorithm, self.hex)
    }

    /// The first six and the last four digits.
    pub fn short(&self) -> String {
        format!("{}…{}", self.head(6), self.tail())
    }

    /// What the button says to someone who does not see it.
    pub fn label(&self) -> String {
        format!("Copy digest {} to {}", self.head(4), self.tail())
    }

    fn head(&self, digits: usize) -> &str {
        self.hex.get(..digits).unwrap_or(&self.hex)
    }

    fn tail(&self) -> &str {
        self.hex.len().checked_sub(4).and_then(|at| self.hex.get(at..)).unwrap_or(&self.hex)
    }
}

/// A sentence with the links, digests and times that stand in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sentence(Vec<Piece>);

/// One piece of a [`Sentence`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Words.
    Text(Text),
    /// Words that carry the sentence.
    Strong(Text),
    /// A name that links to its page.
    Link(Text, Href),
    /// A digest chip.
    Digest(DigestChip),
    /// A moment.
    Stamp(Stamp),
    /// A code, a filter or a command.
    Code(Text),
}

impl Sentence {
    /// Its pieces, first to last.
    pub fn pieces(&self) -> &[Piece] {
        &self.0
    }

    /// Adds words.
    #[must_use]
    pub fn text(self, text: impl Into<Text>) -> Self {
        self.piece(Piece::Text(text.into()))
    }

    /// Adds words that carry the sentence.
    #[must_use]
    pub fn strong(self, text: impl Into<Text>) -> Self {
        self.piece(Piece::Strong(text.into()))
    }

    /// Adds a name that links to its page.
    #[must_use]
    pub fn link(self, text: impl Into<Text>, href: Href) -> Self {
        self.piece(Piece::Link(text.into(), href))
    }

    /// Adds a digest chip.
    #[must_use]
    pub fn digest(self, digest: DigestChip) -> Self {
        self.piece(Piece::Digest(digest))
    }

    /// Adds a moment.
    #[must_use]
    pub fn stamp(self, stamp: Stamp) -> Self {
        self.piece(Piece::Stamp(stamp))
    }

    /// Adds a code, a filter or a command.
    #[must_use]
    pub fn code(self, text: impl Into<Text>) -> Self {
        self.piece(Piece::Code(text.into()))
    }

    /// Adds another sentence after this one.
    #[must_use]
    pub fn then(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    fn piece(mut self, piece: Piece) -> Self {
        self.0.push(piece);
        self
    }
}

impl<T: Into<Text>> From<T> for Sentence {
    fn from(text: T) -> Self {
        Self::default().text(text)
    }
}

/// The words alone, for titles, the command line and the log.
impl fmt::Display for Sentence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|piece| match piece {
            Piece::Text(text) | Piece::Strong(text) | Piece::Link(text, _) | Piece::Code(text) => text.fmt(f),
            Piece::Digest(digest) => f.write_str(&digest.short()),
            Piece::Stamp(stamp) => f.write_str(&stamp.shown),
        })
    }
}

/// Replaces what is not seen but changes how its neighbours are read.
fn visible(c: char) -> char {
    match c {
        '\n' | '\r' | '\t' => ' ',
        '\u{061c}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}'
        | '\u{feff}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    }
}

fn encode(out: &mut String, raw: &str) {
    for byte in raw.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' => {
                out.push(char::from(byte))
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
}

fn algorithm(len: usize) -> Option<&'static str> {
    match len {
        32 => Some("sha256"),
        48 => Some("sha384"),
        64 => Some("sha512"),
        _ => None,
    }
}
