use alloc::string::String;

use cbor::{Error, Key, MapBuilder, Reader, Writer};

use crate::{GlobalAttributes, Uri, labels, registry::registry, wire};

registry! {
    /// How the linked resource relates to the tagged software (RFC 9393, section 4.4). Texts are link relations of
    /// RFC 8288.
    Rel in -256..=65535 {
        /// An earlier product this one grew from.
        Ancestor = 1,
        /// A part of this software.
        Component = 2,
        /// A feature that can be switched.
        Feature = 3,
        /// The medium to install from.
        InstallationMedia = 4,
        /// The installer.
        PackageInstaller = 5,
        /// The software this is a part of.
        Parent = 6,
        /// What this patch changes.
        Patches = 7,
        /// What this software needs.
        Requires = 8,
        /// Other information.
        SeeAlso = 9,
        /// What this software replaces.
        Supersedes = 10,
        /// A tag with more facts on this software.
        Supplemental = 11,
    }
}

registry! {
    /// What becomes of the linked software when this one is removed (RFC 9393, section 4.3).
    Ownership in -256..=255 {
        /// It is left behind.
        Abandon = 1,
        /// It is removed too.
        Private = 2,
        /// It is removed when nobody else uses it.
        Shared = 3,
    }
}

registry! {
    /// Whether the linked software is needed (RFC 9393, section 4.5).
    Use in -256..=255 {
        /// Not needed.
        Optional = 1,
        /// Needed.
        Required = 2,
        /// Recommended.
        Recommended = 3,
    }
}

/// link-entry (RFC 9393, section 2.7). Links are shown and compared, never followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// artifact (37): canonical name of the linked item on installation media.
    pub artifact: Option<String>,
    /// href (38): `swid:<tag-id>`, a relative reference or another URI.
    pub href: Uri,
    /// media (10): a media query the link applies to.
    pub media: Option<String>,
    /// ownership (39).
    pub ownership: Option<Ownership>,
    /// rel (40).
    pub rel: Rel,
    /// media-type (41).
    pub media_type: Option<String>,
    /// use (42).
    pub usage: Option<Use>,
    /// Other entries.
    pub global: GlobalAttributes,
}

impl Link {
    /// A link with nothing but its two mandatory entries.
    pub fn new(rel: Rel, href: impl Into<String>) -> Self {
        Self {
            artifact: None,
            href: Uri::new(href),
            media: None,
            ownership: None,
            rel,
            media_type: None,
            usage: None,
            global: GlobalAttributes::default(),
        }
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let start = reader.position();
        let mut map = reader.map()?;
        let (mut artifact, mut href, mut media, mut ownership) = (None, None, None, None);
        let (mut rel, mut media_type, mut usage) = (None, None, None);
        let mut global = GlobalAttributes::default();
        let mut at = reader.position();
        while let Some(key) = map.next(reader)? {
            match key {
                Key::Int(labels::ARTIFACT) => artifact = Some(wire::text(reader)?),
                Key::Int(labels::HREF) => href = Some(Uri::decode(reader)?),
                Key::Int(labels::MEDIA) => media = Some(wire::text(reader)?),
                Key::Int(labels::OWNERSHIP) => ownership = Some(Ownership::decode(reader)?),
                Key::Int(labels::REL) => rel = Some(Rel::decode(reader)?),
                Key::Int(labels::MEDIA_TYPE) => media_type = Some(wire::text(reader)?),
                Key::Int(labels::USE) => usage = Some(Use::decode(reader)?),
                key => global.decode_entry(key, at, reader)?,
            }
            at = reader.position();
        }
        Ok(Self {
            artifact,
            href: wire::required(href, start, labels::HREF)?,
            media,
            ownership,
            rel: wire::required(rel, start, labels::REL)?,
            media_type,
            usage,
            global,
        })
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        let mut map = MapBuilder::new();
        let text = |w: &mut Writer, text: &String| {
            w.text(text);
        };
        map.int_if(labels::ARTIFACT, self.artifact.as_ref(), text);
        map.int(labels::HREF, |w| self.href.encode(w));
        map.int_if(labels::MEDIA, self.media.as_ref(), text);
        map.int_if(labels::OWNERSHIP, self.ownership.as_ref(), |w, ownership| ownership.encode(w));
        map.int(labels::REL, |w| self.rel.encode(w));
        map.int_if(labels::MEDIA_TYPE, self.media_type.as_ref(), text);
        map.int_if(labels::USE, self.usage.as_ref(), |w, usage| usage.encode(w));
        self.global.encode(&mut map);
        map.write(writer);
    }
}
