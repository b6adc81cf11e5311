//! As much of a file as is read before its signature is verified (RFC 8520, section 13.2).

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use super::cursor::{Field, Findings, Module, Path};
use crate::error::Error;
use crate::json::Document;
use crate::url::MudUrl;

/// Where a file says it lives, and where its signature is. Nobody vouches for either yet: they say what to fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// `mud-url`
    pub mud_url: MudUrl,
    /// `mud-signature`, possibly relative to the MUD URL.
    pub mud_signature: Option<String>,
}

impl Head {
    /// Reads the two leaves, and nothing else of the file.
    ///
    /// # Errors
    /// When the bytes are not JSON, exceed a limit, or have no MUD URL.
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        let document = Document::parse(bytes)?;
        let mut findings = Findings(Vec::new());
        let root = Field { node: &document.root, path: Path::ROOT };
        let mut object = root.object(Module::Root)?;
        let mud = object.need(&mut findings, Module::Mud, "mud")?;
        let mut mud = mud.object(Module::Mud)?;
        let url = mud.need(&mut findings, Module::Mud, "mud-url")?;
        let mud_url = MudUrl::parse(url.text()?).ok_or_else(|| url.expected("an absolute https URL"))?;
        let signature = mud.take(&mut findings, Module::Mud, "mud-signature")?;
        let mud_signature = signature.map(|field| field.text().map(ToOwned::to_owned)).transpose()?;
        Ok(Self { mud_url, mud_signature })
    }

    /// Absolute URL of the signature. `None` when there is none, or it is not reached over https.
    pub fn signature_url(&self) -> Option<MudUrl> {
        self.mud_url.join(self.mud_signature.as_deref()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_the_signature_is_read_and_nothing_else_is_looked_at() {
        let read = |json: &str| Head::read(json.as_bytes());
        let head = read(
            r#"{"ietf-mud:mud":{"mud-version":9,"mud-url":"https://a.example/x/m.json","mud-signature":"../m.p7s"},"x":1}"#,
        );
        let head = head.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(head.mud_url.as_str(), "https://a.example/x/m.json");
        assert_eq!(head.signature_url().as_ref().map(MudUrl::as_str), Some("https://a.example/m.p7s"));
        let unsigned = read(r#"{"ietf-mud:mud":{"mud-url":"https://a.example/m.json"}}"#);
        assert_eq!(unsigned.ok().and_then(|head| head.signature_url()), None);
        let elsewhere = read(
            r#"{"ietf-mud:mud":{"mud-url":"https://a.example/m","mud-signature":"http://a.example/s"}}"#,
        );
        assert_eq!(elsewhere.ok().and_then(|head| head.signature_url()), None);
        for broken in
            ["", "[]", "{}", r#"{"ietf-mud:mud":{}}"#, r#"{"ietf-mud:mud":{"mud-url":"http://a.example/"}}"#]
        {
            assert!(read(broken).is_err(), "{broken}");
        }
    }
}
