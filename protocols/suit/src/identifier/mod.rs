mod sha1;

use core::fmt;

use cbor::{Writer, lean::Reader};

use crate::{
    error::{Fault, Hex},
    labels,
};

/// Namespace of domain names (RFC 9562, section 6.6).
const NAMESPACE_DNS: Uuid = Uuid(*b"\x6b\xa7\xb8\x10\x9d\xad\x11\xd1\x80\xb4\x00\xc0\x4f\xd4\x30\xc8");

/// NAMESPACE_CBOR_PEN (MAN, section 8.4.8.1).
const NAMESPACE_CBOR_PEN: Uuid = Uuid(*b"\x47\xfb\xda\xbb\xf2\xe4\x55\xf0\xbb\x39\x36\x20\xc2\xf6\xdf\x4e");

/// A vendor, class or device identifier (MAN, section 8.4.8.2). It says what fits, and never who somebody is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid([u8; 16]);

impl Uuid {
    /// A name-based identifier, version 5 (RFC 9562, section 5.5).
    pub fn v5(namespace: &Self, name: &[u8]) -> Self {
        let digest = sha1::sha1(&[&namespace.0, name]);
        let mut uuid = [0; 16];
        uuid.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        uuid[6] = uuid[6] & 0x0f | 0x50;
        uuid[8] = uuid[8] & 0x3f | 0x80;
        Self(uuid)
    }

    /// The recommended vendor identifier: made from the vendor's domain name.
    pub fn vendor(domain: &str) -> Self {
        Self::v5(&NAMESPACE_DNS, domain.as_bytes())
    }

    /// The recommended class identifier: made from whatever tells the vendor's classes apart.
    pub fn class(vendor: &Self, class: &[u8]) -> Self {
        Self::v5(vendor, class)
    }

    /// The namespace of class identifiers for a vendor that is known by its private enterprise number.
    pub fn pen_namespace(pen: &[u8]) -> Self {
        Self::v5(&NAMESPACE_CBOR_PEN, pen)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl From<[u8; 16]> for Uuid {
    fn from(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A vendor identifier in either of its forms (MAN, section 8.4.8.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VendorId<'b> {
    /// A UUID.
    Uuid(Uuid),
    /// A private enterprise number as relative OID (RFC 9090).
    PrivateEnterprise(&'b [u8]),
}

impl<'b> VendorId<'b> {
    pub(crate) fn decode(reader: &mut Reader<'b>) -> Result<Self, Fault> {
        if reader.is_tag(labels::TAG_PEN)? {
            Ok(Self::PrivateEnterprise(reader.bytes()?))
        } else {
            Ok(Self::Uuid(Uuid(*reader.byte_array()?)))
        }
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Uuid(uuid) => writer.bytes(uuid.as_bytes()),
            Self::PrivateEnterprise(pen) => writer.tag(labels::TAG_PEN).bytes(pen),
        };
    }
}

impl fmt::Display for VendorId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uuid(uuid) => uuid.fmt(f),
            Self::PrivateEnterprise(pen) => write!(f, "pen:{}", Hex(pen)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_the_identifiers_of_the_draft() {
        let vendor = Uuid::vendor("arm.com");
        assert_eq!(alloc::format!("{vendor}"), "fa6b4a53-d5ad-5fdf-be9d-e663e4d41ffe");
        let oid = Uuid::from(*b"\x6b\xa7\xb8\x12\x9d\xad\x11\xd1\x80\xb4\x00\xc0\x4f\xd4\x30\xc8");
        assert_eq!(Uuid::v5(&oid, &[0xd8, 0x6f, 0x45, 0x2b, 0x06, 0x01, 0x04, 0x01]), NAMESPACE_CBOR_PEN);
    }

    #[test]
    fn tells_classes_of_different_vendors_apart() {
        let (a, b) = (Uuid::vendor("a.example"), Uuid::vendor("b.example"));
        assert_ne!(Uuid::class(&a, b"camera"), Uuid::class(&b, b"camera"));
        assert_eq!(Uuid::class(&a, b"camera").as_bytes()[6] >> 4, 5);
        assert_ne!(Uuid::pen_namespace(&[0x19, 0x9c, 0x33]), Uuid::pen_namespace(&[0x19, 0x9c, 0x34]));
    }
}
