use alloc::vec::Vec;

use cbor::{Order, Reader, Reason, Writer};

use crate::{
    Distrust, Entry, Error, Feature, Header, Hmac, Misuse, PublicKey,
    entry::{Before, about, hash_of},
    header::read_version,
    labels,
};

/// Length in bytes of the longest voucher.
pub const MAX_VOUCHER_LEN: usize = 512 * 1024;

/// How many entries a voucher may have: messages count them in one byte.
pub const MAX_ENTRIES: usize = 255;

/// How many certificates a device or the chain of a key may have.
pub const MAX_CERTIFICATES: usize = x509::MAX_CHAIN_LEN;

/// Elements of a voucher's array.
const FIELDS: usize = 5;
/// The same in FDO 1.0, whose array begins with the header.
const FIELDS_OF_VERSION_10: usize = 4;

/// An ownership voucher (section 3.4.2): well-formed, and believed by nobody.
///
/// Its parts are kept as received: whatever is hashed or signed is hashed and verified over those bytes.
#[derive(Debug)]
pub struct Voucher<'b> {
    bytes: &'b [u8],
    header_bytes: &'b [u8],
    header: Header,
    hmac_bytes: &'b [u8],
    hmac: Hmac,
    certificates_bytes: &'b [u8],
    certificates: Vec<&'b [u8]>,
    entries: Vec<Entry<'b>>,
}

impl<'b> Voucher<'b> {
    /// Reads a voucher of version 1.1.
    pub fn decode(bytes: &'b [u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_VOUCHER_LEN {
            return Err(cbor::Error::new(0, Reason::TooLong { limit: MAX_VOUCHER_LEN }).into());
        }
        let mut reader = Reader::with_order(bytes, Order::Unique);
        if reader.clone().array()? == FIELDS_OF_VERSION_10 {
            return Err(Feature::Version10.into());
        }
        reader.array_of(FIELDS)?;
        read_version(&mut reader)?;
        let mut header = reader.wrapped()?;
        let header_bytes = header.rest();
        let header = Header::read(&mut header)?;
        let before = reader.rest();
        let hmac = Hmac::read(&mut reader)?;
        let hmac_bytes = between(before, reader.rest());
        if reader.is_null()? {
            return Err(Feature::NoCertificates.into());
        }
        let before = reader.rest();
        let certificates = read_certificates(&mut reader)?;
        let certificates_bytes = between(before, reader.rest());
        let entries = read_entries(&mut reader)?;
        reader.end()?;
        Ok(Self { bytes, header_bytes, header, hmac_bytes, hmac, certificates_bytes, certificates, entries })
    }

    /// Puts a voucher together that nobody owns yet but the manufacturer: from an encoded header, the HMAC that the device
    /// made of it, and the device's certificates in DER, its own first.
    pub fn assemble(header: &[u8], hmac: &Hmac, certificates: &[&[u8]]) -> Result<Vec<u8>, Error> {
        let bytes = Writer::encode(|w| {
            w.array(FIELDS).uint(labels::PROTOCOL_VERSION).bytes(header);
            hmac.write(w);
            w.array(certificates.len());
            certificates.iter().for_each(|der| _ = w.bytes(der));
            w.array(0);
        });
        match Voucher::decode(&bytes) {
            Ok(_) => Ok(bytes),
            Err(Error::Malformed(error)) => Err(Misuse::Unfit(error).into()),
            Err(error) => Err(error),
        }
    }

    /// The voucher as received.
    pub fn as_bytes(&self) -> &'b [u8] {
        self.bytes
    }

    /// What the manufacturer says of the device, which nobody vouches for yet.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The header as received: what is hashed.
    pub fn header_bytes(&self) -> &'b [u8] {
        self.header_bytes
    }

    /// The HMAC of the header by the device.
    pub fn hmac(&self) -> &Hmac {
        &self.hmac
    }

    /// Certificates of the device in DER, its own first; at least one, none of them read.
    pub fn certificates(&self) -> &[&'b [u8]] {
        &self.certificates
    }

    /// The sales, the first one first; each as its signer wrote it.
    pub fn entries(&self) -> &[Entry<'b>] {
        &self.entries
    }

    /// Who says to be the owner: the key of the last entry, or the manufacturer's.
    pub fn owner(&self) -> &PublicKey {
        self.entries.last().map_or(&self.header.manufacturer, Entry::next)
    }

    /// Checks that the header is the one whose HMAC by the device's secret came along. Only the device can tell.
    pub fn check_hmac(&self, secret: &[u8]) -> Result<(), Error> {
        if self.hmac.is_of(secret, self.header_bytes) { Ok(()) } else { Err(Distrust::Hmac.into()) }
    }

    /// Checks everything that leads from the manufacturer's key in the header to the owner's. Where there is no entry,
    /// nothing is signed.
    pub(crate) fn check_chain(&self) -> Result<(), Error> {
        let Header { guid, device_info, manufacturer, certificates, .. } = &self.header;
        if hash_of(certificates.algorithm(), &self.certificates) != *certificates {
            return Err(Distrust::CertificateChainHash.into());
        }
        let about = about(guid, device_info);
        let Some(first) = self.entries.first().map(Entry::hash_algorithm) else { return Ok(()) };
        let mut owner = manufacturer;
        for (number, entry) in self.entries.iter().enumerate() {
            let hashed = self.before(number);
            let hashed: &[&[u8]] = &hashed;
            entry.follow(number, first, &Before { hashed, owner }, &about, manufacturer)?;
            owner = entry.next();
        }
        Ok(())
    }

    /// What the previous hash of an entry is over: the entry before it, or header and HMAC.
    pub(crate) fn before(&self, number: usize) -> [&'b [u8]; 2] {
        let entry = number.checked_sub(1).and_then(|before| self.entries.get(before));
        entry.map_or([self.header_bytes, self.hmac_bytes], |entry| [entry.as_bytes(), &[]])
    }

    pub(crate) fn into_header(self) -> Header {
        self.header
    }

    /// The voucher with one more entry, all else as received.
    pub(crate) fn with_entry(&self, entry: &[u8]) -> Vec<u8> {
        Writer::encode(|w| {
            w.array(FIELDS).uint(labels::PROTOCOL_VERSION).bytes(self.header_bytes);
            w.raw(self.hmac_bytes).raw(self.certificates_bytes).array(self.entries.len() + 1);
            self.entries.iter().for_each(|entry| _ = w.raw(entry.as_bytes()));
            w.raw(entry);
        })
    }
}

fn read_certificates<'b>(reader: &mut Reader<'b>) -> Result<Vec<&'b [u8]>, Error> {
    let at = reader.position();
    let count = reader.array()?;
    if count == 0 {
        return Err(cbor::Error::rule(at, "device has no certificate").into());
    }
    if count > MAX_CERTIFICATES {
        return Err(cbor::Error::new(at, Reason::TooLong { limit: MAX_CERTIFICATES }).into());
    }
    Ok((0..count).map(|_| reader.bytes()).collect::<Result<_, _>>()?)
}

fn read_entries<'b>(reader: &mut Reader<'b>) -> Result<Vec<Entry<'b>>, Error> {
    let at = reader.position();
    let count = reader.array()?;
    if count > MAX_ENTRIES {
        return Err(cbor::Error::new(at, Reason::TooLong { limit: MAX_ENTRIES }).into());
    }
    (0..count).map(|number| Entry::read(reader, number)).collect()
}

/// What was read between two states of a reader.
fn between<'b>(before: &'b [u8], after: &[u8]) -> &'b [u8] {
    before.get(..before.len() - after.len()).unwrap_or_default()
}
