//! Commands of a TPM (TPM 2.0 Library specification, part 3), as they are sent.

use crate::{KeyKind, WrappedKey, labels};

/// Bytes of the head: tag, length, code.
const HEAD: usize = 10;
/// Where the length stands in it.
const LEN_AT: std::ops::Range<usize> = 2..6;
/// continueSession, of a session that does not go on anyway.
const CONTINUE_SESSION: u8 = 1;
/// Bits of the key of a storage key's symmetric cipher.
const AES_BITS: u16 = 128;

/// A command.
pub(crate) struct Command(Vec<u8>);

/// Bytes of a command being written.
struct Writer(Vec<u8>);

impl Writer {
    fn u8(&mut self, value: u8) -> &mut Self {
        self.0.push(value);
        self
    }

    fn u16(&mut self, value: u16) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    fn u32(&mut self, value: u32) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// TPM2B. Everything that is sent is shorter than its length can say.
    fn sized(&mut self, bytes: &[u8]) -> &mut Self {
        self.u16(u16::try_from(bytes.len()).expect("parts of commands are short")).raw(bytes)
    }

    /// TPM2B of nothing.
    fn nothing(&mut self) -> &mut Self {
        self.u16(0)
    }

    /// The use of one handle, by its empty password.
    fn password(&mut self) -> &mut Self {
        let mut session = Self(Vec::new());
        session.u32(labels::RS_PW).nothing().u8(CONTINUE_SESSION).nothing();
        self.u32(u32::try_from(session.0.len()).expect("a session is short")).raw(&session.0)
    }
}

impl Command {
    /// The bytes to send.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn new(tag: u16, code: u32, body: impl FnOnce(&mut Writer)) -> Self {
        let mut writer = Writer(Vec::new());
        writer.u16(tag).u32(0).u32(code);
        debug_assert_eq!(writer.0.len(), HEAD);
        body(&mut writer);
        let mut bytes = writer.0;
        let len = u32::try_from(bytes.len()).expect("commands are short").to_be_bytes();
        bytes.splice(LEN_AT, len);
        Self(bytes)
    }

    /// The storage key of the owner hierarchy: the same one each time, until the hierarchy is cleared.
    pub(crate) fn create_primary() -> Self {
        Self::new(labels::ST_SESSIONS, labels::CC_CREATE_PRIMARY, |w| {
            w.u32(labels::RH_OWNER).password().raw(&create(&storage_key()));
        })
    }

    /// A new key below another.
    pub(crate) fn create(parent: u32, kind: KeyKind) -> Self {
        Self::new(labels::ST_SESSIONS, labels::CC_CREATE, |w| {
            let mut public = template(kind);
            public.extend_from_slice(kind.no_unique());
            w.u32(parent).password().raw(&create(&public));
        })
    }

    pub(crate) fn load(parent: u32, key: &WrappedKey) -> Self {
        Self::new(labels::ST_SESSIONS, labels::CC_LOAD, |w| {
            w.u32(parent).password().sized(key.private()).sized(key.public());
        })
    }

    /// Signs a digest by the scheme of the key.
    pub(crate) fn sign(key: u32, digest: &[u8]) -> Self {
        Self::new(labels::ST_SESSIONS, labels::CC_SIGN, |w| {
            w.u32(key).password().sized(digest).u16(labels::ALG_NULL);
            // No ticket: a key that signs anything needs none.
            w.u16(labels::ST_HASHCHECK).u32(labels::RH_NULL).nothing();
        })
    }

    /// Begins the HMAC of a message of any length.
    pub(crate) fn hmac_start(key: u32) -> Self {
        Self::new(labels::ST_SESSIONS, labels::CC_HMAC_START, |w| {
            w.u32(key).password().nothing().u16(labels::ALG_NULL);
        })
    }

    pub(crate) fn sequence_update(sequence: u32, piece: &[u8]) -> Self {
        Self::new(labels::ST_SESSIONS, labels::CC_SEQUENCE_UPDATE, |w| {
            w.u32(sequence).password().sized(piece);
        })
    }

    /// The last piece; the sequence is gone then.
    pub(crate) fn sequence_complete(sequence: u32, piece: &[u8]) -> Self {
        Self::new(labels::ST_SESSIONS, labels::CC_SEQUENCE_COMPLETE, |w| {
            w.u32(sequence).password().sized(piece).u32(labels::RH_NULL);
        })
    }

    pub(crate) fn read_public(key: u32) -> Self {
        Self::new(labels::ST_NO_SESSIONS, labels::CC_READ_PUBLIC, |w| {
            w.u32(key);
        })
    }

    pub(crate) fn flush_context(handle: u32) -> Self {
        Self::new(labels::ST_NO_SESSIONS, labels::CC_FLUSH_CONTEXT, |w| {
            w.u32(handle);
        })
    }

    /// Which objects are loaded.
    pub(crate) fn transient_handles(count: u32) -> Self {
        Self::new(labels::ST_NO_SESSIONS, labels::CC_GET_CAPABILITY, |w| {
            w.u32(labels::CAP_HANDLES).u32(labels::TRANSIENT_FIRST).u32(count);
        })
    }
}

/// The parameters of what makes a key: no password and no data of ours, nothing from outside, no PCRs.
fn create(public: &[u8]) -> Vec<u8> {
    let mut sensitive = Writer(Vec::new());
    sensitive.nothing().nothing();
    let mut parameters = Writer(Vec::new());
    parameters.sized(&sensitive.0).sized(public).nothing().u32(0);
    parameters.0
}

/// TPMT_PUBLIC of the storage key.
fn storage_key() -> Vec<u8> {
    let mut public = Writer(Vec::new());
    public.u16(labels::ALG_ECC).u16(labels::ALG_SHA256).u32(labels::STORAGE_ATTRIBUTES).nothing();
    public.u16(labels::ALG_AES).u16(AES_BITS).u16(labels::ALG_CFB);
    public.u16(labels::ALG_NULL).u16(labels::ECC_NIST_P256).u16(labels::ALG_NULL);
    public.raw(KeyKind::Signing.no_unique());
    public.0
}

/// TPMT_PUBLIC of a key, but for the part that makes it unique. Every key that is used begins so, byte by byte.
pub(crate) fn template(kind: KeyKind) -> Vec<u8> {
    let mut public = Writer(Vec::new());
    match kind {
        KeyKind::Signing => {
            public.u16(labels::ALG_ECC).u16(labels::ALG_SHA256).u32(labels::SIGNING_ATTRIBUTES).nothing();
            public.u16(labels::ALG_NULL).u16(labels::ALG_ECDSA).u16(labels::ALG_SHA256);
            public.u16(labels::ECC_NIST_P256).u16(labels::ALG_NULL);
        }
        KeyKind::Hmac => {
            public.u16(labels::ALG_KEYEDHASH).u16(labels::ALG_SHA256).u32(labels::SIGNING_ATTRIBUTES);
            public.nothing().u16(labels::ALG_HMAC).u16(labels::ALG_SHA256);
        }
    }
    public.0
}
