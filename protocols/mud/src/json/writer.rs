//! Writes JSON, always the same text for the same values.

use alloc::string::{String, ToString};

/// A document under construction, two spaces a level. Values are written in the order of the calls.
#[derive(Default)]
pub(crate) struct JsonWriter {
    text: String,
    depth: usize,
    /// The container that was opened last has no member yet.
    empty: bool,
}

impl JsonWriter {
    pub(crate) fn finish(mut self) -> String {
        self.text.push('\n');
        self.text
    }

    /// An object; `body` writes its members.
    pub(crate) fn object(&mut self, body: impl FnOnce(&mut Self)) {
        self.container('{', '}', body);
    }

    /// An array; `body` writes its items, each after [`JsonWriter::item`].
    pub(crate) fn array<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        mut item: impl FnMut(&mut Self, T),
    ) {
        self.container('[', ']', |w| {
            for value in items {
                w.next();
                item(w, value);
            }
        });
    }

    /// Starts a member of the open object; its value comes next.
    pub(crate) fn member(&mut self, name: &str) -> &mut Self {
        self.next();
        self.string(name);
        self.text.push_str(": ");
        self
    }

    pub(crate) fn string(&mut self, value: &str) {
        self.text.push('"');
        for character in value.chars() {
            match character {
                '"' => self.text.push_str("\\\""),
                '\\' => self.text.push_str("\\\\"),
                '\n' => self.text.push_str("\\n"),
                '\r' => self.text.push_str("\\r"),
                '\t' => self.text.push_str("\\t"),
                // Escaped, so that the text is also safe to look at.
                c if !crate::model::is_displayable(c) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        self.text.push_str(&alloc::format!("\\u{unit:04x}"));
                    }
                }
                c => self.text.push(c),
            }
        }
        self.text.push('"');
    }

    pub(crate) fn number(&mut self, value: impl Into<u64>) {
        self.text.push_str(&value.into().to_string());
    }

    pub(crate) fn boolean(&mut self, value: bool) {
        self.text.push_str(if value { "true" } else { "false" });
    }

    /// A value that is JSON already.
    pub(crate) fn raw(&mut self, json: &str) {
        self.text.push_str(json);
    }

    /// Members that are there or not.
    pub(crate) fn optional_string(&mut self, name: &str, value: Option<impl AsRef<str>>) {
        if let Some(value) = value {
            self.member(name).string(value.as_ref());
        }
    }

    pub(crate) fn optional_number(&mut self, name: &str, value: Option<impl Into<u64>>) {
        if let Some(value) = value {
            self.member(name).number(value);
        }
    }

    pub(crate) fn strings<S: AsRef<str>>(&mut self, values: impl IntoIterator<Item = S>) {
        self.array(values, |w, value| w.string(value.as_ref()));
    }

    fn container(&mut self, open: char, close: char, body: impl FnOnce(&mut Self)) {
        self.text.push(open);
        self.depth += 1;
        self.empty = true;
        body(self);
        self.depth -= 1;
        if !self.empty {
            self.line();
        }
        self.empty = false;
        self.text.push(close);
    }

    fn next(&mut self) {
        if !self.empty {
            self.text.push(',');
        }
        self.empty = false;
        self.line();
    }

    fn line(&mut self) {
        self.text.push('\n');
        for _ in 0..self.depth {
            self.text.push_str("  ");
        }
    }
}
