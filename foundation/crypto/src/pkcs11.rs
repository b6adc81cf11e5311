//! Keys that stay in a security module: ECDSA over PKCS #11 (OASIS PKCS #11 v3.1).

extern crate std;

use alloc::borrow::ToOwned as _;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt;
use std::path::Path;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;

use crate::{Digest, HashAlgorithm, PublicKey, SignatureAlgorithm};

/// CKA_EC_PARAMS of P-256: its object identifier in DER.
const P256: &[u8] = b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
/// CKA_EC_PARAMS of P-384.
const P384: &[u8] = b"\x06\x05\x2b\x81\x04\x00\x22";
/// Tag of an OCTET STRING, in which CKA_EC_POINT holds the point.
const OCTET_STRING: u8 = 0x04;

/// Which key is meant (RFC 7512, section 2.3). What is not named matches anything; exactly one key must match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenKeyName {
    /// Label of the token.
    pub token: Option<String>,
    /// Serial number of the token.
    pub serial: Option<String>,
    /// Label of the key: CKA_LABEL.
    pub object: Option<String>,
    /// Identifier of the key: CKA_ID.
    pub id: Option<Vec<u8>>,
}

/// A private key in a security module, and its public key. It signs, and never leaves.
pub struct TokenKey {
    session: Session,
    private: ObjectHandle,
    public: PublicKey,
}

impl TokenKey {
    /// Loads the module at a path, logs in to the token as its user and finds the key with its public key.
    ///
    /// The module is code that runs in this process: whoever names it must trust it.
    pub fn open(module: &Path, name: &TokenKeyName, pin: Option<&str>) -> Result<Self, TokenError> {
        let context = Pkcs11::new(module)?;
        context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))?;
        let session = context.open_ro_session(find_token(&context, name)?)?;
        if let Some(pin) = pin {
            session.login(UserType::User, Some(&AuthPin::new(pin.into())))?;
        }
        let private = find_object(&session, ObjectClass::PRIVATE_KEY, name)?;
        let public = read_public(&session, find_object(&session, ObjectClass::PUBLIC_KEY, name)?)?;
        Ok(Self { session, private, public })
    }

    /// The public key that verifies its signatures.
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Signs: r‖s of fixed width (RFC 9053, section 2.1). The message is hashed here, so that any module will do.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, TokenError> {
        let hash = match self.public.algorithm() {
            SignatureAlgorithm::Es384 => HashAlgorithm::Sha384,
            _ => HashAlgorithm::Sha256,
        };
        let digest = Digest::of(hash, message);
        Ok(self.session.sign(&Mechanism::Ecdsa, self.private, digest.as_bytes())?)
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({} in a token)", self.public.algorithm())
    }
}

fn find_token(context: &Pkcs11, name: &TokenKeyName) -> Result<Slot, TokenError> {
    let mut found = None;
    for slot in context.get_slots_with_initialized_token()? {
        let token = context.get_token_info(slot)?;
        let is = |wanted: &Option<String>, own: &str| wanted.as_deref().is_none_or(|wanted| wanted == own);
        if is(&name.token, token.label()) && is(&name.serial, token.serial_number()) {
            if found.is_some() {
                return Err(TokenError::SeveralTokens);
            }
            found = Some(slot);
        }
    }
    found.ok_or(TokenError::NoToken)
}

fn find_object(
    session: &Session,
    class: ObjectClass,
    name: &TokenKeyName,
) -> Result<ObjectHandle, TokenError> {
    let mut template = Vec::from([Attribute::Class(class)]);
    template.extend(name.object.as_ref().map(|label| Attribute::Label(label.as_bytes().to_vec())));
    template.extend(name.id.as_ref().map(|id| Attribute::Id(id.clone())));
    match session.find_objects(&template)?.as_slice() {
        [] => Err(TokenError::NoKey { private: class == ObjectClass::PRIVATE_KEY }),
        [only] => Ok(*only),
        _ => Err(TokenError::SeveralKeys),
    }
}

fn read_public(session: &Session, object: ObjectHandle) -> Result<PublicKey, TokenError> {
    let wanted = [AttributeType::EcParams, AttributeType::EcPoint];
    let (mut parameters, mut point) = (Vec::new(), Vec::new());
    for attribute in session.get_attributes(object, &wanted)? {
        match attribute {
            Attribute::EcParams(value) => parameters = value,
            Attribute::EcPoint(value) => point = value,
            _ => {}
        }
    }
    let (algorithm, width) = match parameters.as_slice() {
        P256 => (SignatureAlgorithm::Es256, 32),
        P384 => (SignatureAlgorithm::Es384, 48),
        _ => return Err(TokenError::UnsupportedKey),
    };
    // Some modules leave the OCTET STRING out, whose tag is also how an uncompressed point begins.
    let point = match point.as_slice() {
        [OCTET_STRING, length, inner @ ..] if usize::from(*length) == inner.len() => inner,
        point => point,
    };
    let (x, y) = match point {
        [0x04, coordinates @ ..] if coordinates.len() == 2 * width => coordinates.split_at(width),
        _ => return Err(TokenError::UnsupportedKey),
    };
    PublicKey::from_ec2(algorithm, x, y).map_err(|_| TokenError::UnsupportedKey)
}

/// Why a security module did not give a key or a signature.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// No initialised token has the name.
    NoToken,
    /// More than one token has it.
    SeveralTokens,
    /// The token has no such key; a public key must be beside the private one.
    NoKey {
        /// Whether it is the private one that is missing.
        private: bool,
    },
    /// The token has more than one.
    SeveralKeys,
    /// The key is not one of ECDSA on P-256 or P-384.
    UnsupportedKey,
    /// What the module said.
    Module(String),
}

impl From<cryptoki::error::Error> for TokenError {
    fn from(error: cryptoki::error::Error) -> Self {
        Self::Module(error.to_string())
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoToken => "no initialised token has this name",
            Self::SeveralTokens => "more than one token has this name",
            Self::NoKey { private: true } => {
                "the token has no such private key, or wants a PIN before it tells"
            }
            Self::NoKey { private: false } => "the token has no public key beside the private one",
            Self::SeveralKeys => "the token has more than one such key",
            Self::UnsupportedKey => "the key in the token is not one of ECDSA on P-256 or P-384",
            Self::Module(words) => return write!(f, "the module says: {}", words.to_owned()),
        })
    }
}

impl core::error::Error for TokenError {}
