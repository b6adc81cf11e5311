//! The DER of single keys and of ECDSA signatures: SubjectPublicKeyInfo (RFC 5280, section 4.1; RFC 5480; RFC 8410; RFC 9802),
//! OneAsymmetricKey (RFC 5958), ECPrivateKey (RFC 5915) and ECDSA-Sig-Value (RFC 3279, section 2.2.3).
//!
//! Strict: definite lengths in their shortest form, nothing after the outermost element.

use alloc::vec::Vec;

use zeroize::Zeroizing;

use crate::{Error, SignatureAlgorithm};

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
/// `[0]`, constructed: ECPrivateKey.parameters and OneAsymmetricKey.attributes.
const CONTEXT_0: u8 = 0xa0;
/// `[1]`, constructed: ECPrivateKey.publicKey.
const CONTEXT_1: u8 = 0xa1;
/// `[1]`, primitive: OneAsymmetricKey.publicKey, implicitly tagged.
const CONTEXT_1_PRIMITIVE: u8 = 0x81;

/// 1.2.840.10045.2.1, id-ecPublicKey.
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// 1.2.840.10045.3.1.7, secp256r1.
const SECP256R1: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// 1.3.132.0.34, secp384r1.
const SECP384R1: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
/// 1.3.101.112, id-Ed25519.
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// 1.2.840.113549.1.9.16.3.17, id-alg-hss-lms-hashsig.
const HSS_LMS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x03, 0x11];

/// 1.2.840.113549.1.1.1, rsaEncryption.
const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const NULL: u8 = 0x05;

/// A private key as its container states it; whether it is one is for the back end to say.
pub(crate) struct PrivateKeyParts<'b> {
    pub(crate) algorithm: SignatureAlgorithm,
    pub(crate) secret: &'b [u8],
    pub(crate) public: Option<&'b [u8]>,
}

/// The algorithm and the public key's bytes in a SubjectPublicKeyInfo.
pub(crate) fn read_spki(spki: &[u8]) -> Result<(SignatureAlgorithm, &[u8]), Error> {
    let mut outer = Reader::new(spki);
    let mut info = outer.nested(SEQUENCE)?;
    outer.end()?;
    let algorithm = read_algorithm_identifier(&mut info)?;
    let key = info.bit_string(BIT_STRING)?;
    info.end()?;
    Ok((algorithm, key))
}

/// The modulus and the exponent in a SubjectPublicKeyInfo of an RSA key (RFC 3279, section 2.3.1).
pub(crate) fn read_rsa_spki(spki: &[u8]) -> Result<(&[u8], &[u8]), Error> {
    let mut outer = Reader::new(spki);
    let mut info = outer.nested(SEQUENCE)?;
    outer.end()?;
    read_rsa_identifier(&mut info)?;
    let key = info.bit_string(BIT_STRING)?;
    info.end()?;
    let mut key = Reader { rest: key, at: spki.len() - key.len() };
    let mut pair = key.nested(SEQUENCE)?;
    key.end()?;
    let (modulus, exponent) = (pair.unsigned_integer()?, pair.unsigned_integer()?);
    pair.end()?;
    Ok((modulus, exponent))
}

/// Checks that there is one PrivateKeyInfo of an RSA key, and nothing else; whether its numbers fit is for the back end.
pub(crate) fn check_rsa_pkcs8(pkcs8: &[u8]) -> Result<(), Error> {
    let mut outer = Reader::new(pkcs8);
    let mut info = outer.nested(SEQUENCE)?;
    outer.end()?;
    let version_at = info.at();
    if info.element(INTEGER)? != [0] {
        return Err(Error::MalformedDer { at: version_at });
    }
    read_rsa_identifier(&mut info)?;
    info.element(OCTET_STRING)?;
    if info.peek() == Some(CONTEXT_0) {
        info.element(CONTEXT_0)?;
    }
    info.end()
}

pub(crate) fn write_spki(algorithm: SignatureAlgorithm, key: &[u8]) -> Vec<u8> {
    let mut info = algorithm_identifier(algorithm);
    push_bit_string(&mut info, BIT_STRING, key);
    element(SEQUENCE, &info)
}

/// Writes a SubjectPublicKeyInfo of an RSA key (RFC 3279, section 2.3.1), from numbers without leading zeros.
pub(crate) fn write_rsa_spki(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let mut identifier = element(OBJECT_IDENTIFIER, RSA_ENCRYPTION);
    push_element(&mut identifier, NULL, &[]);
    let mut pair = Vec::new();
    push_unsigned_integer(&mut pair, modulus);
    push_unsigned_integer(&mut pair, exponent);
    let mut info = element(SEQUENCE, &identifier);
    push_bit_string(&mut info, BIT_STRING, &element(SEQUENCE, &pair));
    element(SEQUENCE, &info)
}

/// Reads a OneAsymmetricKey, version 1 or 2.
pub(crate) fn read_pkcs8(pkcs8: &[u8]) -> Result<PrivateKeyParts<'_>, Error> {
    let mut outer = Reader::new(pkcs8);
    let mut info = outer.nested(SEQUENCE)?;
    outer.end()?;
    let version_at = info.at();
    let version = match info.element(INTEGER)? {
        [version @ (0 | 1)] => *version,
        _ => return Err(Error::MalformedDer { at: version_at }),
    };
    let algorithm = read_algorithm_identifier(&mut info)?;
    let mut key = info.nested(OCTET_STRING)?;
    let mut parts = match algorithm {
        SignatureAlgorithm::Es256 | SignatureAlgorithm::Es384 => {
            read_ec_private_key(&mut key, Some(algorithm))?
        }
        SignatureAlgorithm::Ed25519 => {
            PrivateKeyParts { algorithm, secret: key.element(OCTET_STRING)?, public: None }
        }
        // A private key with state is no thing to be copied around in a container without one.
        SignatureAlgorithm::HssLms => return Err(Error::UnsupportedAlgorithm),
    };
    key.end()?;
    if info.peek() == Some(CONTEXT_0) {
        info.element(CONTEXT_0)?;
    }
    if version == 1 && info.peek() == Some(CONTEXT_1_PRIMITIVE) {
        let public = info.bit_string(CONTEXT_1_PRIMITIVE)?;
        if parts.public.replace(public).is_some_and(|inner| inner != public) {
            return Err(Error::MalformedKey);
        }
    }
    info.end()?;
    Ok(parts)
}

/// Reads an ECPrivateKey that names its curve, as in a PEM `EC PRIVATE KEY`.
pub(crate) fn read_sec1(sec1: &[u8]) -> Result<PrivateKeyParts<'_>, Error> {
    let mut outer = Reader::new(sec1);
    let parts = read_ec_private_key(&mut outer, None)?;
    outer.end()?;
    Ok(parts)
}

/// Writes a OneAsymmetricKey of version 1; the public key goes inside, where ECPrivateKey has a place for it.
pub(crate) fn write_pkcs8(algorithm: SignatureAlgorithm, secret: &[u8], public: &[u8]) -> Zeroizing<Vec<u8>> {
    let key = match algorithm {
        SignatureAlgorithm::Es256 | SignatureAlgorithm::Es384 => {
            write_ec_private_key(algorithm, secret, Some(public), false)
        }
        SignatureAlgorithm::Ed25519 | SignatureAlgorithm::HssLms => {
            Zeroizing::new(element(OCTET_STRING, secret))
        }
    };
    // Room for everything, so that no reallocation leaves a copy of the secret behind.
    let mut info = Zeroizing::new(Vec::with_capacity(key.len() + 64));
    info.extend_from_slice(&element(INTEGER, &[0]));
    info.extend_from_slice(&algorithm_identifier(algorithm));
    push_element(&mut info, OCTET_STRING, &key);
    Zeroizing::new(element(SEQUENCE, &info))
}

/// Writes an ECPrivateKey; inside PKCS #8 the curve is named outside already.
pub(crate) fn write_ec_private_key(
    algorithm: SignatureAlgorithm,
    secret: &[u8],
    public: Option<&[u8]>,
    with_curve: bool,
) -> Zeroizing<Vec<u8>> {
    let mut key = Zeroizing::new(Vec::with_capacity(secret.len() + public.map_or(0, <[u8]>::len) + 64));
    key.extend_from_slice(&element(INTEGER, &[1]));
    push_element(&mut key, OCTET_STRING, secret);
    if with_curve && let Some(curve) = curve_oid(algorithm) {
        push_element(&mut key, CONTEXT_0, &element(OBJECT_IDENTIFIER, curve));
    }
    if let Some(public) = public {
        let mut bits = Vec::with_capacity(public.len() + 8);
        push_bit_string(&mut bits, BIT_STRING, public);
        push_element(&mut key, CONTEXT_1, &bits);
    }
    Zeroizing::new(element(SEQUENCE, &key))
}

/// Converts ECDSA-Sig-Value to r‖s of the given width for each.
pub(crate) fn ecdsa_signature_to_fixed(signature: &[u8], width: usize) -> Result<Vec<u8>, Error> {
    let mut outer = Reader::new(signature);
    let mut pair = outer.nested(SEQUENCE)?;
    outer.end()?;
    let mut fixed = Vec::with_capacity(2 * width);
    for _ in 0..2 {
        let at = pair.at();
        let magnitude = pair.unsigned_integer()?;
        let padding = width.checked_sub(magnitude.len()).ok_or(Error::MalformedDer { at })?;
        fixed.resize(fixed.len() + padding, 0);
        fixed.extend_from_slice(magnitude);
    }
    pair.end()?;
    Ok(fixed)
}

/// Converts r‖s to ECDSA-Sig-Value.
pub(crate) fn ecdsa_signature_from_fixed(signature: &[u8]) -> Vec<u8> {
    let (r, s) = signature.split_at(signature.len() / 2);
    let mut pair = Vec::with_capacity(signature.len() + 8);
    for half in [r, s] {
        let zeros = half.iter().take_while(|byte| **byte == 0).count();
        let mut magnitude = Vec::with_capacity(half.len() + 1);
        // A leading zero keeps the number positive, and stands for zero itself.
        if half.get(zeros).is_none_or(|byte| byte & 0x80 != 0) {
            magnitude.push(0);
        }
        magnitude.extend_from_slice(&half[zeros..]);
        push_element(&mut pair, INTEGER, &magnitude);
    }
    element(SEQUENCE, &pair)
}

fn read_algorithm_identifier(reader: &mut Reader<'_>) -> Result<SignatureAlgorithm, Error> {
    let mut identifier = reader.nested(SEQUENCE)?;
    let algorithm = match identifier.element(OBJECT_IDENTIFIER)? {
        EC_PUBLIC_KEY => read_named_curve(&mut identifier)?,
        ED25519 => SignatureAlgorithm::Ed25519,
        HSS_LMS => SignatureAlgorithm::HssLms,
        _ => return Err(Error::UnsupportedAlgorithm),
    };
    identifier.end()?;
    Ok(algorithm)
}

/// The AlgorithmIdentifier of RSA keys, whose parameters are NULL (RFC 3279, section 2.3.1).
fn read_rsa_identifier(reader: &mut Reader<'_>) -> Result<(), Error> {
    let mut identifier = reader.nested(SEQUENCE)?;
    if identifier.element(OBJECT_IDENTIFIER)? != RSA_ENCRYPTION {
        return Err(Error::UnsupportedAlgorithm);
    }
    let at = identifier.at();
    if !identifier.element(NULL)?.is_empty() {
        return Err(Error::MalformedDer { at });
    }
    identifier.end()
}

fn read_named_curve(reader: &mut Reader<'_>) -> Result<SignatureAlgorithm, Error> {
    match reader.element(OBJECT_IDENTIFIER)? {
        SECP256R1 => Ok(SignatureAlgorithm::Es256),
        SECP384R1 => Ok(SignatureAlgorithm::Es384),
        _ => Err(Error::UnsupportedAlgorithm),
    }
}

/// `outside` is the curve the container named; without one the key must name it itself.
fn read_ec_private_key<'b>(
    reader: &mut Reader<'b>,
    outside: Option<SignatureAlgorithm>,
) -> Result<PrivateKeyParts<'b>, Error> {
    let mut key = reader.nested(SEQUENCE)?;
    let version_at = key.at();
    if key.element(INTEGER)? != [1] {
        return Err(Error::MalformedDer { at: version_at });
    }
    let secret = key.element(OCTET_STRING)?;
    let curve_at = key.at();
    let inside = match key.peek() {
        Some(CONTEXT_0) => {
            let mut parameters = key.nested(CONTEXT_0)?;
            let curve = read_named_curve(&mut parameters)?;
            parameters.end()?;
            Some(curve)
        }
        _ => None,
    };
    let algorithm = match (outside, inside) {
        (Some(outside), Some(inside)) if outside != inside => return Err(Error::MalformedKey),
        (Some(algorithm), _) | (None, Some(algorithm)) => algorithm,
        (None, None) => return Err(Error::MalformedDer { at: curve_at }),
    };
    let public = match key.peek() {
        Some(CONTEXT_1) => {
            let mut wrapper = key.nested(CONTEXT_1)?;
            let public = wrapper.bit_string(BIT_STRING)?;
            wrapper.end()?;
            Some(public)
        }
        _ => None,
    };
    key.end()?;
    Ok(PrivateKeyParts { algorithm, secret, public })
}

fn algorithm_identifier(algorithm: SignatureAlgorithm) -> Vec<u8> {
    let identifier = match curve_oid(algorithm) {
        Some(curve) => {
            let mut identifier = element(OBJECT_IDENTIFIER, EC_PUBLIC_KEY);
            push_element(&mut identifier, OBJECT_IDENTIFIER, curve);
            identifier
        }
        None if algorithm == SignatureAlgorithm::HssLms => element(OBJECT_IDENTIFIER, HSS_LMS),
        None => element(OBJECT_IDENTIFIER, ED25519),
    };
    element(SEQUENCE, &identifier)
}

fn curve_oid(algorithm: SignatureAlgorithm) -> Option<&'static [u8]> {
    match algorithm {
        SignatureAlgorithm::Es256 => Some(SECP256R1),
        SignatureAlgorithm::Es384 => Some(SECP384R1),
        SignatureAlgorithm::Ed25519 | SignatureAlgorithm::HssLms => None,
    }
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + 4);
    push_element(&mut out, tag, content);
    out
}

/// Appends one element; no key or signature of this crate reaches 64 KiB.
fn push_element(out: &mut Vec<u8>, tag: u8, content: &[u8]) {
    out.push(tag);
    match content.len() {
        len @ 0..=0x7f => out.push(len as u8),
        len @ 0x80..=0xff => out.extend_from_slice(&[0x81, len as u8]),
        len => out.extend_from_slice(&[0x82, (len >> 8) as u8, len as u8]),
    }
    out.extend_from_slice(content);
}

/// Appends a number that is not negative: one whose first bit is set gets a zero before it.
fn push_unsigned_integer(out: &mut Vec<u8>, number: &[u8]) {
    let mut content = Vec::with_capacity(number.len() + 1);
    if number.first().is_some_and(|byte| byte & 0x80 != 0) {
        content.push(0);
    }
    content.extend_from_slice(number);
    push_element(out, INTEGER, &content);
}

fn push_bit_string(out: &mut Vec<u8>, tag: u8, bits: &[u8]) {
    let mut content = Vec::with_capacity(bits.len() + 1);
    content.push(0); // no unused bits
    content.extend_from_slice(bits);
    push_element(out, tag, &content);
}

/// Reads elements one after another, and knows where it is in the outermost input.
struct Reader<'b> {
    rest: &'b [u8],
    at: usize,
}

impl<'b> Reader<'b> {
    fn new(bytes: &'b [u8]) -> Self {
        Self { rest: bytes, at: 0 }
    }

    fn at(&self) -> usize {
        self.at
    }

    fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The content of the next element, which must have this tag.
    fn element(&mut self, tag: u8) -> Result<&'b [u8], Error> {
        let malformed = Error::MalformedDer { at: self.at };
        let (head, len) = match *self.rest {
            [found, ..] if found != tag => return Err(malformed),
            [_, len @ 0..=0x7f, ..] => (2, usize::from(len)),
            [_, 0x81, len @ 0x80..=0xff, ..] => (3, usize::from(len)),
            [_, 0x82, high @ 1..=0xff, low, ..] => (4, usize::from(high) << 8 | usize::from(low)),
            _ => return Err(malformed),
        };
        let content = self.rest.get(head..head + len).ok_or(malformed)?;
        self.rest = self.rest.get(head + len..).ok_or(malformed)?;
        self.at += head + len;
        Ok(content)
    }

    /// A reader of the content of the next element, which must have this tag.
    fn nested(&mut self, tag: u8) -> Result<Reader<'b>, Error> {
        let rest = self.element(tag)?;
        Ok(Reader { rest, at: self.at - rest.len() })
    }

    /// The content of a BIT STRING (whatever its tag) without unused bits.
    fn bit_string(&mut self, tag: u8) -> Result<&'b [u8], Error> {
        let at = self.at;
        match self.element(tag)? {
            [0, bits @ ..] => Ok(bits),
            _ => Err(Error::MalformedDer { at }),
        }
    }

    /// The magnitude of a non-negative INTEGER, without leading zeros.
    fn unsigned_integer(&mut self) -> Result<&'b [u8], Error> {
        let at = self.at;
        match self.element(INTEGER)? {
            [0] => Ok(&[]),
            [0, magnitude @ ..] if magnitude.first().is_some_and(|byte| byte & 0x80 != 0) => Ok(magnitude),
            magnitude @ [0x01..=0x7f, ..] => Ok(magnitude),
            _ => Err(Error::MalformedDer { at }),
        }
    }

    fn end(&self) -> Result<(), Error> {
        if self.rest.is_empty() { Ok(()) } else { Err(Error::MalformedDer { at: self.at }) }
    }
}
