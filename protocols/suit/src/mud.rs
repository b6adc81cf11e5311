use cbor::{MapBuilder, Writer, lean::Reader};
use crypto::Digest;

use crate::{
    Feature,
    digest::{decode_digest, encode_digest},
    error::Fault,
    labels::{self, mud},
    parameter::decode_uri,
};

/// SUIT_MUD_container (MUD, section 3): which MUD file is for the software of this manifest, and who signs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MudBinding<'b> {
    /// URL of the MUD file.
    pub url: &'b str,
    /// COSE Key Thumbprint (RFC 9679) of the key that signs the MUD file.
    pub signer: Digest,
}

impl<'b> MudBinding<'b> {
    pub(crate) fn decode(reader: &mut Reader<'b>) -> Result<Self, Fault> {
        let start = reader.position();
        let (mut url, mut signer) = (None, None);
        let mut map = reader.map()?;
        loop {
            let at = reader.position();
            let Some(label) = map.next_int(reader)? else { break };
            match label {
                mud::URL => {
                    if !reader.is_tag(labels::TAG_URI)? {
                        return Err(Fault::rule(reader.position(), "MUD URL is not tagged as URI"));
                    }
                    url = Some(decode_uri(reader)?);
                }
                mud::SKI => signer = Some(decode_digest(reader)?),
                other => return Err(Fault::unsupported(at, Feature::ManifestMember(other))),
            }
        }
        let missing = |label| Fault::missing(start, label);
        Ok(Self {
            url: url.ok_or_else(|| missing(mud::URL))?,
            signer: signer.ok_or_else(|| missing(mud::SKI))?,
        })
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        let mut map = MapBuilder::new();
        map.int(mud::URL, |w| {
            w.tag(labels::TAG_URI).text(self.url);
        });
        map.int(mud::SKI, |w| encode_digest(&self.signer, w));
        map.write(writer);
    }
}
