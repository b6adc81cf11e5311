//! From the datagrams of a UDP flow to its ClientHello (RFC 9147, sections 4 and 5; RFC 6347, section 4.2).

use alloc::vec;
use alloc::vec::Vec;

use super::client_hello::{ClientHello, HelloFault, Transport};
use super::labels;
use super::reader::Reader;
use super::stream::{FlowFault, MAX_CLIENT_HELLO_BYTES, Progress};

/// The beginning of a DTLS flow. Fragments of the message may come in any order, overlap, and repeat, as long as they say
/// the same. A client that was asked for a cookie sends a message with the next number, which takes the place of the first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DtlsStart {
    message: Option<Message>,
}

/// A message that is being put together.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Message {
    sequence: u16,
    body: Vec<u8>,
    /// Which bytes of the body have come.
    seen: Vec<bool>,
    missing: usize,
}

impl DtlsStart {
    /// A flow of which nothing was seen.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next datagram from the client. It may hold several records, and a record several fragments.
    ///
    /// # Errors
    /// When the datagram holds anything but parts of a ClientHello, or parts that contradict earlier ones.
    pub fn push(mut self, datagram: &[u8]) -> Result<Progress<Self>, FlowFault> {
        let mut datagram = Reader::new(datagram);
        if datagram.is_empty() {
            return Err(FlowFault::NotTls);
        }
        while !datagram.is_empty() {
            let mut record =
                record(&mut datagram).map_err(|_| FlowFault::NotTls)?.ok_or(FlowFault::NotTls)?;
            while !record.is_empty() {
                let fragment = Fragment::read(&mut record).map_err(|_| FlowFault::NotTls)?;
                if fragment.kind != labels::CLIENT_HELLO {
                    return Err(FlowFault::NotClientHello);
                }
                if let Some(body) = self.fragment(&fragment)? {
                    return Ok(Progress::Hello(ClientHello::decode(Transport::Dtls, &body)?));
                }
            }
        }
        Ok(Progress::More(self))
    }

    /// Adds a fragment; gives the body when it is whole.
    fn fragment(&mut self, fragment: &Fragment<'_>) -> Result<Option<Vec<u8>>, FlowFault> {
        if fragment.length > MAX_CLIENT_HELLO_BYTES {
            return Err(FlowFault::TooLong);
        }
        let newer = self.message.as_ref().is_none_or(|message| fragment.sequence > message.sequence);
        if newer {
            self.message = Some(Message::new(fragment.sequence, fragment.length));
        }
        let Some(message) = self.message.as_mut().filter(|message| message.sequence == fragment.sequence)
        else {
            // A late repetition of the message before.
            return Ok(None);
        };
        message.add(fragment)?;
        Ok((message.missing == 0).then(|| core::mem::take(&mut message.body)))
    }
}

impl Message {
    fn new(sequence: u16, length: usize) -> Self {
        Self { sequence, body: vec![0; length], seen: vec![false; length], missing: length }
    }

    fn add(&mut self, fragment: &Fragment<'_>) -> Result<(), FlowFault> {
        if fragment.length != self.seen.len() {
            return Err(FlowFault::Fragments);
        }
        let range = fragment.offset..fragment.offset + fragment.bytes.len();
        let (Some(body), Some(seen)) = (self.body.get_mut(range.clone()), self.seen.get_mut(range)) else {
            return Err(FlowFault::Fragments);
        };
        for ((byte, seen), new) in body.iter_mut().zip(seen).zip(fragment.bytes) {
            if *seen && byte != new {
                return Err(FlowFault::Fragments);
            }
            self.missing -= usize::from(!*seen);
            (*byte, *seen) = (*new, true);
        }
        Ok(())
    }
}

/// A part of a handshake message (RFC 9147, section 5.2).
struct Fragment<'a> {
    kind: u8,
    /// Bytes of the whole message.
    length: usize,
    sequence: u16,
    offset: usize,
    bytes: &'a [u8],
}

impl<'a> Fragment<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, HelloFault> {
        let (kind, length) = (reader.u8()?, reader.number(3)?);
        let (sequence, offset) = (reader.u16()?, reader.number(3)?);
        Ok(Self { kind, length, sequence, offset, bytes: reader.vector(3)?.rest() })
    }
}

/// The content of the next record, if it is of a handshake in plain text: epoch 0.
fn record<'a>(datagram: &mut Reader<'a>) -> Result<Option<Reader<'a>>, HelloFault> {
    let kind = datagram.u8()?;
    let [major, _] = datagram.u16()?.to_be_bytes();
    let epoch = datagram.u16()?;
    // The number of the record.
    datagram.take(6)?;
    let content = datagram.vector(2)?;
    let plain = kind == labels::HANDSHAKE && major == labels::DTLS_MAJOR && epoch == 0;
    let fits = !content.is_empty() && content.rest().len() <= labels::MAX_RECORD;
    Ok((plain && fits).then_some(content))
}
