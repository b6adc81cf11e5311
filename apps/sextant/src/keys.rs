//! Keys in the forms the field uses, told apart by content: COSE_Key, PEM or DER (SPKI, PKCS #8, SEC 1, certificate), JWK.

use std::path::{Path, PathBuf};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use cose::{Key, Purpose, TrustAnchor, TrustAnchors};
use crypto::{Digest, HashAlgorithm, PublicKey, RsaPublicKey, RsaSigningKey, SignatureAlgorithm, SigningKey};
use x509::{Certificate, pem};

use crate::{
    failure::Failure,
    files::Input,
    hash_based::{self, Summary},
};

/// A key as it was read.
#[derive(Debug)]
pub(crate) struct KeyFile {
    pub(crate) public: PublicKey,
    pub(crate) secret: Option<SigningKey>,
    /// Identifier that the file states.
    kid: Option<Vec<u8>>,
    /// Name of the form it was in.
    pub(crate) form: &'static str,
    /// How far a private key with state is used.
    pub(crate) state: Option<Summary>,
}

impl KeyFile {
    /// Reads a key from a file.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let input = Input::read(path)?;
        Self::decode(&input.bytes).map_err(|error| error.failure(&input))
    }

    /// Reads a key that can sign.
    pub(crate) fn read_secret(path: &Path) -> Result<(SigningKey, Vec<u8>), Failure> {
        Self::read(path)?.into_secret(path)
    }

    /// The private key and its identifier.
    pub(crate) fn into_secret(self, path: &Path) -> Result<(SigningKey, Vec<u8>), Failure> {
        let kid = self.kid();
        match (self.secret, self.state) {
            (Some(secret), _) => Ok((secret, kid)),
            (None, Some(_)) => Err(Failure::new(format!("{} is a hash-based key", path.display()))
                .help("such keys sign releases alone: `sextant suit build` and `suit sign`")),
            (None, None) => Err(Failure::new(format!("{} is a public key", path.display()))
                .help("give the private key; `sextant key new` makes one")),
        }
    }

    /// Reads public keys; of private ones their public part.
    pub(crate) fn read_public(paths: &[impl AsRef<Path>]) -> Result<Vec<PublicKey>, Failure> {
        paths.iter().map(|path| Ok(Self::read(path.as_ref())?.public)).collect()
    }

    /// A key in any form.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, KeyError> {
        match bytes.first() {
            Some(0x30) => from_der(bytes),
            Some(b'{') => from_jwk(bytes),
            _ if pem::is_pem(bytes) => from_pem(bytes),
            _ if bytes.starts_with(hash_based::MAGIC) => {
                let state = Summary::decode(bytes).map_err(KeyError::Crypto)?;
                let public = state.public.clone();
                Ok(Self { state: Some(state), ..self::public(public, "key with state") })
            }
            _ => {
                let key = Key::decode(bytes).map_err(KeyError::Cose)?;
                let (public, kid) = (key.public().clone(), key.kid().map(<[u8]>::to_vec));
                Ok(Self { public, kid, secret: key.into_secret(), form: "COSE_Key", state: None })
            }
        }
    }

    /// The identifier the file states, or else the key's SHA-256 thumbprint (RFC 9679, section 5.2).
    pub(crate) fn kid(&self) -> Vec<u8> {
        match &self.kid {
            Some(kid) => kid.clone(),
            None => self.thumbprint(HashAlgorithm::Sha256).as_bytes().to_vec(),
        }
    }

    /// Thumbprint of the public key (RFC 9679).
    pub(crate) fn thumbprint(&self, algorithm: HashAlgorithm) -> Digest {
        cose::thumbprint(&self.public, algorithm)
    }
}

/// Trust in keys that a person named on the command line: they are tried whatever key identifier a message states.
pub(crate) fn anchors(keys: &[PublicKey], purpose: Purpose) -> TrustAnchors {
    let anchor = |key: &PublicKey| TrustAnchor {
        kid: Vec::new(),
        ..TrustAnchor::new(key.clone(), purpose, short(&cose::thumbprint(key, HashAlgorithm::Sha256)))
    };
    keys.iter().map(anchor).collect()
}

/// The beginning of a digest, enough for people to tell keys apart.
pub(crate) fn short(digest: &Digest) -> String {
    crate::node::hex(digest.as_bytes().get(..8).unwrap_or_default())
}

/// Public keys of whoever makes or owns devices by their vouchers: of RSA too.
pub(crate) fn read_voucher_keys(paths: &[PathBuf]) -> Result<Vec<fdo::Key>, Failure> {
    paths.iter().map(|path| read_voucher_key(path)).collect()
}

/// One of them.
pub(crate) fn read_voucher_key(path: &Path) -> Result<fdo::Key, Failure> {
    let input = Input::read(path)?;
    match (KeyFile::decode(&input.bytes), rsa_key(&input.bytes)) {
        (Ok(key), _) => Ok(key.public.into()),
        (Err(_), Some(key)) => Ok(key.into()),
        (Err(error), None) => Err(error.failure(&input)),
    }
}

/// The private key of whoever makes or owns devices by their vouchers: of RSA too.
pub(crate) fn read_owner_key(path: &Path) -> Result<Box<dyn fdo::OwnerKey>, Failure> {
    let input = Input::read(path)?;
    match rsa_private_key(&input.bytes) {
        Some(key) => Ok(Box::new(key)),
        None => {
            let key = KeyFile::decode(&input.bytes).map_err(|error| error.failure(&input))?;
            Ok(Box::new(key.into_secret(path)?.0))
        }
    }
}

/// A private RSA key: PKCS #8, in DER or as the first block of PEM.
fn rsa_private_key(bytes: &[u8]) -> Option<RsaSigningKey> {
    let block = pem::is_pem(bytes).then(|| pem::decode(&String::from_utf8_lossy(bytes)).ok());
    let block = block.flatten().and_then(|blocks| blocks.into_iter().next());
    RsaSigningKey::from_pkcs8_der(block.as_ref().map_or(bytes, |block| &block.der)).ok()
}

/// A public RSA key: a SubjectPublicKeyInfo, a certificate or the public part of a private key, in DER or as the first block of
/// PEM.
fn rsa_key(bytes: &[u8]) -> Option<RsaPublicKey> {
    let block = pem::is_pem(bytes).then(|| pem::decode(&String::from_utf8_lossy(bytes)).ok());
    let block = block.flatten().and_then(|blocks| blocks.into_iter().next());
    let der = block.as_ref().map_or(bytes, |block| &block.der);
    let of_certificate = || RsaPublicKey::from_spki_der(Certificate::decode(der).ok()?.public_key_der()).ok();
    let of_private = || RsaSigningKey::from_pkcs8_der(der).ok().map(|key| key.public_key().clone());
    RsaPublicKey::from_spki_der(der).ok().or_else(of_certificate).or_else(of_private)
}

/// A certificate in PEM or DER; of several blocks the first.
pub(crate) fn read_certificate(path: &Path) -> Result<Certificate, Failure> {
    let mut certificates = read_certificates(path)?;
    if certificates.is_empty() {
        return Err(Failure::new(format!("{} holds no certificate", path.display())));
    }
    Ok(certificates.swap_remove(0))
}

/// Every certificate of a file.
pub(crate) fn read_certificates(path: &Path) -> Result<Vec<Certificate>, Failure> {
    let input = Input::read(path)?;
    let ders = if pem::is_pem(&input.bytes) {
        let blocks = pem::decode(&String::from_utf8_lossy(&input.bytes))
            .map_err(|error| input.failure("no PEM", &error))?;
        blocks.into_iter().filter(|block| block.label == "CERTIFICATE").map(|block| block.der).collect()
    } else {
        vec![input.bytes.clone()]
    };
    ders.iter()
        .map(|der| Certificate::decode(der).map_err(|error| input.failure("not a certificate", &error)))
        .collect()
}

/// Every certificate of several files.
pub(crate) fn read_all_certificates(paths: &[PathBuf]) -> Result<Vec<Certificate>, Failure> {
    let mut all = Vec::new();
    for path in paths {
        all.extend(read_certificates(path)?);
    }
    Ok(all)
}

/// A key that was made now.
pub(crate) fn generate(algorithm: SignatureAlgorithm) -> Result<SigningKey, Failure> {
    with_randomness(|fill| SigningKey::generate(algorithm, fill), "cannot make a key")
}

/// Makes something with the system's randomness.
pub(crate) fn with_randomness<T, E: std::error::Error>(
    make: impl FnOnce(&mut dyn FnMut(&mut [u8])) -> Result<T, E>,
    what: &str,
) -> Result<T, Failure> {
    let mut fault = None;
    let made = make(&mut |bytes| {
        if let Err(error) = getrandom::fill(bytes) {
            fault = Some(error);
        }
    });
    match (fault, made) {
        (Some(error), _) => Err(Failure::new(format!("the system gives no randomness: {error}"))),
        (None, Ok(made)) => Ok(made),
        (None, Err(error)) => Err(Failure::new(what).because(&error)),
    }
}

/// Random bytes, for identifiers and serial numbers.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::new(format!("the system gives no randomness: {error}")))?;
    Ok(bytes)
}

/// Why a file is no key.
#[derive(Debug)]
pub(crate) enum KeyError {
    Cose(cose::Error),
    Crypto(crypto::Error),
    Certificate(x509::Error),
    Json(serde_json::Error),
    /// The rule that the file breaks.
    Rule(&'static str),
    Pem(Failure),
}

impl KeyError {
    pub(crate) fn failure(self, input: &Input) -> Failure {
        let help = "keys are read as COSE_Key, PEM or DER (SPKI, PKCS #8, SEC 1, certificate) and JWK, of P-256, P-384 and Ed25519; \
                    HSS-LMS keys as COSE_Key, SPKI or key with state";
        let failure = match self {
            Self::Cose(error) => input.failure("not a key", &error),
            Self::Crypto(error) => input.failure("not a key", &error),
            Self::Certificate(error) => input.failure("not a certificate with a key", &error),
            Self::Json(error) => input.failure("not a JWK", &error),
            Self::Rule(rule) => Failure::new(format!("{}: {rule}", input.name)),
            Self::Pem(failure) => failure,
        };
        failure.help(help)
    }
}

fn from_der(der: &[u8]) -> Result<KeyFile, KeyError> {
    // The four structures differ in their second element; only the last error is of interest when none fits.
    if let Ok(public) = PublicKey::from_spki_der(der) {
        return Ok(self::public(public, "SPKI"));
    }
    if let Ok(secret) = SigningKey::from_pkcs8_der(der) {
        return Ok(private(secret, "PKCS #8"));
    }
    if let Ok(secret) = SigningKey::from_sec1_der(der) {
        return Ok(private(secret, "SEC 1"));
    }
    from_certificate(der)
}

fn from_certificate(der: &[u8]) -> Result<KeyFile, KeyError> {
    let certificate = Certificate::decode(der).map_err(KeyError::Certificate)?;
    let public = certificate.public_key().map_err(KeyError::Certificate)?.clone();
    Ok(self::public(public, "certificate"))
}

fn from_pem(bytes: &[u8]) -> Result<KeyFile, KeyError> {
    let blocks = pem::decode(&String::from_utf8_lossy(bytes))
        .map_err(|error| KeyError::Pem(Failure::new(error.to_string())))?;
    for block in &blocks {
        return match block.label.as_str() {
            "PUBLIC KEY" => {
                let public = PublicKey::from_spki_der(&block.der).map_err(KeyError::Crypto)?;
                Ok(self::public(public, "SPKI"))
            }
            "PRIVATE KEY" => {
                let secret = SigningKey::from_pkcs8_der(&block.der).map_err(KeyError::Crypto)?;
                Ok(private(secret, "PKCS #8"))
            }
            "EC PRIVATE KEY" => {
                let secret = SigningKey::from_sec1_der(&block.der).map_err(KeyError::Crypto)?;
                Ok(private(secret, "SEC 1"))
            }
            "CERTIFICATE" => from_certificate(&block.der),
            "ENCRYPTED PRIVATE KEY" => Err(KeyError::Rule("the key is encrypted; decrypt it first")),
            // `openssl ecparam -genkey` puts the name of the curve before the key.
            _ => continue,
        };
    }
    Err(KeyError::Rule("no PEM block holds a key"))
}

fn from_jwk(bytes: &[u8]) -> Result<KeyFile, KeyError> {
    let jwk: serde_json::Value = serde_json::from_slice(bytes).map_err(KeyError::Json)?;
    let text = |name: &str| jwk.get(name).and_then(serde_json::Value::as_str);
    let bytes = |name: &str| match text(name) {
        Some(encoded) => {
            URL_SAFE_NO_PAD.decode(encoded).map(Some).map_err(|_| KeyError::Rule("a member is not base64url"))
        }
        None => Ok(None),
    };
    let algorithm = match (text("kty"), text("crv")) {
        (Some("EC"), Some("P-256")) => SignatureAlgorithm::Es256,
        (Some("EC"), Some("P-384")) => SignatureAlgorithm::Es384,
        (Some("OKP"), Some("Ed25519")) => SignatureAlgorithm::Ed25519,
        _ => return Err(KeyError::Rule("JWK is not of type EC with P-256 or P-384, or OKP with Ed25519")),
    };
    let x = bytes("x")?.ok_or(KeyError::Rule("JWK has no x"))?;
    let public = match algorithm {
        SignatureAlgorithm::Ed25519 => PublicKey::from_ed25519(&x),
        _ => PublicKey::from_ec2(algorithm, &x, &bytes("y")?.ok_or(KeyError::Rule("JWK has no y"))?),
    };
    let public = public.map_err(KeyError::Crypto)?;
    let secret = match bytes("d")? {
        Some(d) => Some(SigningKey::from_bytes(algorithm, &d).map_err(KeyError::Crypto)?),
        None => None,
    };
    if secret.as_ref().is_some_and(|secret| *secret.public_key() != public) {
        return Err(KeyError::Rule("private and public part of the JWK do not belong together"));
    }
    let kid = text("kid").map(|kid| kid.as_bytes().to_vec());
    Ok(KeyFile { public, secret, kid, form: "JWK", state: None })
}

fn private(secret: SigningKey, form: &'static str) -> KeyFile {
    let public = public(secret.public_key().clone(), form);
    KeyFile { secret: Some(secret), ..public }
}

fn public(public: PublicKey, form: &'static str) -> KeyFile {
    KeyFile { public, secret: None, kid: None, form, state: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SigningKey {
        SigningKey::from_bytes(SignatureAlgorithm::Es256, &[7; 32]).expect("a scalar in range")
    }

    fn jwk(with_secret: bool) -> String {
        let key = key();
        let (x, y) = key.public_key().ec2_coordinates().expect("a key with coordinates");
        let b64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let d = if with_secret { format!(r#","d":"{}""#, b64(&key.secret_bytes())) } else { String::new() };
        format!(r#"{{"kty":"EC","crv":"P-256","kid":"k1","x":"{}","y":"{}"{d}}}"#, b64(x), b64(y))
    }

    #[test]
    fn reads_the_same_key_in_every_form() {
        let key = key();
        let spki = key.public_key().to_spki_der();
        let pkcs8 = key.to_pkcs8_der();
        let cose = Key::from_public(key.public_key());
        let forms: [(&str, bool, Vec<u8>); 8] = [
            ("SPKI", false, spki.clone()),
            ("SPKI", false, pem::encode("PUBLIC KEY", &spki).into_bytes()),
            ("PKCS #8", true, pkcs8.to_vec()),
            ("PKCS #8", true, pem::encode("PRIVATE KEY", &pkcs8).into_bytes()),
            ("COSE_Key", false, cose.encode()),
            ("COSE_Key", true, Key::from_secret(self::key()).encode_secret().expect("private").to_vec()),
            ("JWK", false, jwk(false).into_bytes()),
            ("JWK", true, jwk(true).into_bytes()),
        ];
        for (form, is_private, bytes) in forms {
            let read = KeyFile::decode(&bytes).expect(form);
            assert_eq!(
                (read.form, read.secret.is_some(), &read.public),
                (form, is_private, key.public_key())
            );
        }
        assert_eq!(KeyFile::decode(jwk(true).as_bytes()).expect("a key").kid(), b"k1");
    }

    #[test]
    fn refuses_what_is_no_key() {
        let mixed = jwk(true).replace(r#""d":"Bw"#, r#""d":"Cw"#);
        for bytes in [
            &b"{}"[..],
            b"",
            b"\x30\x03\x02\x01\x01",
            b"-----BEGIN X-----\nAA==\n-----END X-----\n",
            mixed.as_bytes(),
        ] {
            assert!(KeyFile::decode(bytes).is_err(), "{}", String::from_utf8_lossy(bytes));
        }
    }
}
