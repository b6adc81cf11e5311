use alloc::vec::Vec;

use cbor::{Error as CborError, Key, MapBuilder, Reader, Reason};

use crate::{
    ComponentId, Error, Feature,
    labels::{component_text, text},
    limits::{MAX_COMPONENTS, MAX_LANGUAGES, MAX_TEXT_LEN},
};

/// SUIT_Text_Map (MAN, section 8.4.4): words for people, in one or more languages.
///
/// They are as hostile as any text from outside: whoever shows them escapes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text<'b> {
    languages: Vec<LanguageText<'b>>,
}

/// The text in one language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LanguageText<'b> {
    language: &'b str,
    elements: Vec<(i64, &'b str)>,
    components: Vec<(ComponentId, Vec<(i64, &'b str)>)>,
}

impl<'b> Text<'b> {
    /// Text in these languages.
    pub fn new(languages: Vec<LanguageText<'b>>) -> Self {
        Self { languages }
    }

    /// The languages.
    pub fn languages(&self) -> &[LanguageText<'b>] {
        &self.languages
    }

    pub(crate) fn decode(content: &'b [u8], at: usize) -> Result<Self, Error> {
        let mut reader = Reader::new(content).at_offset(at);
        let mut map = reader.map()?;
        if map.remaining() == 0 {
            return Err(CborError::rule(at, "text has no language").into());
        }
        if map.remaining() > MAX_LANGUAGES {
            return Err(CborError::new(at, Reason::TooLong { limit: MAX_LANGUAGES }).into());
        }
        let mut languages = Vec::with_capacity(map.remaining());
        loop {
            let at = reader.position();
            let Some(key) = map.next(&mut reader)? else { break };
            let Key::Text(language) = key else {
                return Err(CborError::rule(at, "text is not keyed by language").into());
            };
            if !is_language_tag(language) {
                return Err(CborError::rule(at, "key is not a language tag").into());
            }
            languages.push(LanguageText::decode(language, &mut reader)?);
        }
        reader.end()?;
        Ok(Self { languages })
    }

    /// The encoded map.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut map = MapBuilder::new();
        for language in &self.languages {
            map.text(language.language, |w| language.encode(w));
        }
        map.into_bytes()
    }

    /// Every component the text is about.
    pub(crate) fn components(&self) -> impl Iterator<Item = &ComponentId> {
        self.languages.iter().flat_map(|language| language.components.iter().map(|(id, _)| id))
    }
}

impl<'b> LanguageText<'b> {
    /// No text yet, in the language of this tag (RFC 5646), such as `en`.
    pub fn new(language: &'b str) -> Self {
        Self { language, elements: Vec::new(), components: Vec::new() }
    }

    /// Adds an element about the manifest; for labels see [`crate::labels::text`].
    pub fn with(mut self, label: i64, value: &'b str) -> Self {
        self.elements.push((label, value));
        self
    }

    /// Adds elements about a component; for labels see [`crate::labels::component_text`].
    pub fn with_component(mut self, component: ComponentId, elements: &[(i64, &'b str)]) -> Self {
        self.components.push((component, elements.to_vec()));
        self
    }

    /// The language tag.
    pub fn language(&self) -> &'b str {
        self.language
    }

    /// An element about the manifest.
    pub fn element(&self, label: i64) -> Option<&'b str> {
        self.elements.iter().find(|(other, _)| *other == label).map(|(_, value)| *value)
    }

    /// An element about a component.
    pub fn component_element(&self, component: &ComponentId, label: i64) -> Option<&'b str> {
        let (_, elements) = self.components.iter().find(|(other, _)| other == component)?;
        elements.iter().find(|(other, _)| *other == label).map(|(_, value)| *value)
    }

    pub(crate) fn decode(language: &'b str, reader: &mut Reader<'b>) -> Result<Self, Error> {
        let item = reader.clone().raw()?;
        if item.len() > MAX_TEXT_LEN {
            return Err(reader.fail(Reason::TooLong { limit: MAX_TEXT_LEN }).into());
        }
        let mut this = Self::new(language);
        let mut map = reader.map()?;
        loop {
            let at = reader.position();
            match map.next(reader)? {
                None => return Ok(this),
                Some(Key::Int(label @ text::MANIFEST_DESCRIPTION..=text::MANIFEST_YAML_SOURCE)) => {
                    this.elements.push((label, reader.text()?));
                }
                Some(Key::Int(label)) => {
                    return Err(Error::Unsupported { at, feature: Feature::TextElement(label) });
                }
                Some(Key::Other(raw)) if this.components.len() < MAX_COMPONENTS => {
                    let component = ComponentId::decode(Reader::new(raw).at_offset(at).lean())?;
                    this.components.push((component, decode_component(reader)?));
                }
                Some(_) => {
                    return Err(CborError::rule(at, "text is about something other than a component").into());
                }
            }
        }
    }

    fn encode(&self, writer: &mut cbor::Writer) {
        let mut map = MapBuilder::new();
        for (label, value) in &self.elements {
            map.int(*label, |w| {
                w.text(value);
            });
        }
        for (component, elements) in &self.components {
            let mut about = MapBuilder::new();
            for (label, value) in elements {
                about.int(*label, |w| {
                    w.text(value);
                });
            }
            map.entry(component.as_cbor().to_vec(), |w| about.write(w));
        }
        map.write(writer);
    }
}

fn decode_component<'b>(reader: &mut Reader<'b>) -> Result<Vec<(i64, &'b str)>, Error> {
    let mut elements = Vec::new();
    let mut map = reader.map()?;
    loop {
        let at = reader.position();
        match map.next_int(reader)? {
            None => return Ok(elements),
            Some(label @ component_text::VENDOR_NAME..=component_text::CURRENT_VERSION) => {
                elements.push((label, reader.text()?));
            }
            Some(label) => return Err(Error::Unsupported { at, feature: Feature::TextElement(label) }),
        }
    }
}

/// The pattern of MAN, section 8.4.4: letters, then groups of letters and digits.
fn is_language_tag(tag: &str) -> bool {
    let fits = |part: &str| matches!(part.len(), 1..=8) && part.chars().all(|c| c.is_ascii_alphanumeric());
    tag.split('-').all(fits)
        && tag.split('-').next().is_some_and(|first| first.chars().all(|c| c.is_ascii_alphabetic()))
}
