//! Answers of a TPM: each function reads one whole answer to one command. What they read may be anything.

use crate::{Error, ResponseCode, labels, reader::Reader};

/// The most bytes that an answer may have: TPM_PT_MAX_RESPONSE_SIZE of the TPMs that there are.
pub const MAX_LEN: usize = 4096;
/// The most bytes that what is kept of a key may have, for each of its parts.
pub const MAX_PART: usize = 1024;
/// Handles that are asked for at a time; TPMs have room for three objects or a few more.
pub const MAX_HANDLES: u32 = 64;
/// Bytes of a coordinate or of a number of a signature, on P-256.
const NUMBER: usize = 32;
/// Bytes of SHA-256.
const DIGEST: usize = 32;
/// Bytes of the head: tag, length, code.
const HEAD: usize = 10;

/// What a TPM made: the parts of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// TPM2B_PRIVATE without its length: the secret part, encrypted by the TPM.
    pub private: Vec<u8>,
    /// TPMT_PUBLIC.
    pub public: Vec<u8>,
}

/// The length that an answer says it has, as soon as that much of it is there.
pub fn len(bytes: &[u8]) -> Result<Option<usize>, Error> {
    if bytes.len() < HEAD {
        return Ok(None);
    }
    let mut reader = Reader::new(bytes);
    reader.u16()?;
    let fail = reader.fail("its length is none that an answer has");
    match usize::try_from(reader.u32()?) {
        Ok(len @ HEAD..=MAX_LEN) => Ok(Some(len)),
        _ => Err(fail),
    }
}

/// The parameters of an answer to this command, with the handle that goes before them where there is one.
fn open<'b>(
    command: &'static str,
    bytes: &'b [u8],
    tag: u16,
    has_handle: bool,
) -> Result<(u32, Reader<'b>), Error> {
    let mut reader = Reader::new(bytes);
    let stated = len(bytes)?.ok_or(reader.fail("it ends too early"))?;
    let answered = reader.u16()?;
    if stated != bytes.len() {
        return Err(reader.fail("its length is another than it says"));
    }
    reader.u32()?;
    let code = reader.u32()?;
    if code != 0 {
        reader.end()?;
        return Err(Error::Refused { command, code: ResponseCode(code) });
    }
    if answered != tag {
        return Err(Reader::new(bytes).fail("it is tagged as the answer to another command"));
    }
    let handle = if has_handle { reader.u32()? } else { 0 };
    if tag == labels::ST_NO_SESSIONS {
        return Ok((handle, reader));
    }
    let fail = reader.fail("its parameters are longer than all of it");
    let count = usize::try_from(reader.u32()?).map_err(|_| fail)?;
    let parameters = reader.part(count)?;
    // What a session of passwords answers says nothing.
    reader.sized()?;
    reader.u8()?;
    reader.sized()?;
    reader.end()?;
    Ok((handle, parameters))
}

/// A handle of an object in the TPM's memory; all others would stay in our way for ever, or do harm when they are given up.
fn transient(handle: u32) -> Result<u32, Error> {
    if handle >> 24 == labels::HT_TRANSIENT {
        Ok(handle)
    } else {
        Err(Error::Malformed { at: HEAD, rule: "the handle is none of a loaded object" })
    }
}

/// Answer to TPM2_CreatePrimary: the handle.
pub fn primary(bytes: &[u8]) -> Result<u32, Error> {
    let (handle, mut reader) = open("TPM2_CreatePrimary", bytes, labels::ST_SESSIONS, true)?;
    let _public = reader.sized()?;
    creation(&mut reader)?;
    let _name = reader.sized()?;
    reader.end()?;
    transient(handle)
}

/// Answer to TPM2_Create.
pub fn created(bytes: &[u8]) -> Result<Created, Error> {
    let (_, mut reader) = open("TPM2_Create", bytes, labels::ST_SESSIONS, false)?;
    let private = reader.sized_up_to(MAX_PART)?.to_vec();
    let public = reader.sized_up_to(MAX_PART)?.to_vec();
    creation(&mut reader)?;
    reader.end()?;
    Ok(Created { private, public })
}

/// creationData, creationHash and creationTicket, which nobody here asks about.
fn creation(reader: &mut Reader<'_>) -> Result<(), Error> {
    reader.sized()?;
    reader.sized()?;
    reader.u16()?;
    reader.u32()?;
    reader.sized()?;
    Ok(())
}

/// Answer to TPM2_Load: the handle.
pub fn loaded(bytes: &[u8]) -> Result<u32, Error> {
    let (handle, mut reader) = open("TPM2_Load", bytes, labels::ST_SESSIONS, true)?;
    let _name = reader.sized()?;
    reader.end()?;
    transient(handle)
}

/// Answer to TPM2_Sign with ECDSA on P-256: r‖s of full width.
pub fn signature(bytes: &[u8]) -> Result<[u8; 2 * NUMBER], Error> {
    let (_, mut reader) = open("TPM2_Sign", bytes, labels::ST_SESSIONS, false)?;
    reader.expect(labels::ALG_ECDSA, "the signature is none of ECDSA")?;
    reader.expect(labels::ALG_SHA256, "the signature is of another hash")?;
    let mut signature = [0; 2 * NUMBER];
    for half in signature.chunks_exact_mut(NUMBER) {
        let number = reader.sized_up_to(NUMBER)?;
        // TPMs may leave zeros out at the beginning.
        half.iter_mut().rev().zip(number.iter().rev()).for_each(|(to, from)| *to = *from);
    }
    reader.end()?;
    Ok(signature)
}

/// Answer to TPM2_HMAC_Start: the handle of the sequence.
pub fn sequence(bytes: &[u8]) -> Result<u32, Error> {
    let (handle, reader) = open("TPM2_HMAC_Start", bytes, labels::ST_SESSIONS, true)?;
    reader.end()?;
    transient(handle)
}

/// Answer to TPM2_SequenceUpdate.
pub fn updated(bytes: &[u8]) -> Result<(), Error> {
    open("TPM2_SequenceUpdate", bytes, labels::ST_SESSIONS, false)?.1.end()
}

/// Answer to TPM2_SequenceComplete: the HMAC by SHA-256.
pub fn completed(bytes: &[u8]) -> Result<[u8; DIGEST], Error> {
    let (_, mut reader) = open("TPM2_SequenceComplete", bytes, labels::ST_SESSIONS, false)?;
    let fail = reader.fail("the HMAC is not as long as SHA-256 is");
    let mac = reader.sized()?.try_into().map_err(|_| fail)?;
    let _ticket = (reader.u16()?, reader.u32()?, reader.sized()?);
    reader.end()?;
    Ok(mac)
}

/// Answer to TPM2_ReadPublic: TPMT_PUBLIC.
pub fn public(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let (_, mut reader) = open("TPM2_ReadPublic", bytes, labels::ST_NO_SESSIONS, false)?;
    let public = reader.sized_up_to(MAX_PART)?.to_vec();
    let _name = (reader.sized()?, reader.sized()?);
    reader.end()?;
    Ok(public)
}

/// Answer to TPM2_FlushContext.
pub fn flushed(bytes: &[u8]) -> Result<(), Error> {
    open("TPM2_FlushContext", bytes, labels::ST_NO_SESSIONS, false)?.1.end()
}

/// Answer to TPM2_GetCapability about handles of loaded objects.
pub fn handles(bytes: &[u8]) -> Result<Vec<u32>, Error> {
    let (_, mut reader) = open("TPM2_GetCapability", bytes, labels::ST_NO_SESSIONS, false)?;
    let _more = reader.u8()?;
    let fail = reader.fail("it is about something else than handles");
    if reader.u32()? != labels::CAP_HANDLES {
        return Err(fail);
    }
    let fail = reader.fail("there are more handles than were asked for");
    let count = reader.u32()?;
    if count > MAX_HANDLES {
        return Err(fail);
    }
    let handles = (0..count).map(|_| transient(reader.u32()?)).collect::<Result<_, _>>()?;
    reader.end()?;
    Ok(handles)
}

#[cfg(test)]
mod tests;
