use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use cose::{DecryptionKey, MacKey, RecipientAlgorithm};
use crypto::{
    AgreementCurve, AgreementKey, HashAlgorithm, HssSigningKey, KeyWrapAlgorithm, KeyWrapKey,
    SignatureAlgorithm, Zeroizing,
};
use x509::pem;

use crate::{
    failure::{Answer, Failure},
    files::{self, Mode},
    hash_based::{self, HashBasedKey},
    keys::{self, KeyFile},
    node::{Map, Node},
    printer::Printer,
    show,
};

/// Make and show keys.
#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Make a key: COSE_Key, readable by its owner alone
    New(New),
    /// Show the public part of a key in any form
    Show(Show),
    /// Print the COSE key thumbprint (RFC 9679)
    Thumbprint(Thumbprint),
    /// Pass over one-time keys of a hash-based key, after its file was restored from a copy
    Advance(Advance),
}

#[derive(Debug, Args)]
pub(crate) struct New {
    /// What the key does: ES256, ES384, Ed25519 or HSS-LMS signs; HMAC-256 authenticates; A128KW, A192KW, A256KW,
    /// ECDH-ES+A128KW, ECDH-ES+A192KW or ECDH-ES+A256KW decrypts
    #[arg(long, value_parser = use_of, default_value = "ES256")]
    alg: Use,
    /// Trees of an HSS-LMS key, top first: height 5 or 10, width 1, 2, 4 or 8. It signs as often as all heights
    /// together are doublings: h10w4,h5w8 32,768 times
    #[arg(long, default_value = "h10w4,h5w4")]
    levels: String,
    /// Where to write the private key
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Where to write the public key
    #[arg(long, value_name = "FILE")]
    public: Option<PathBuf>,
    /// Key identifier to state in the key; without one its thumbprint serves
    #[arg(long)]
    kid: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The key, in any form
    key: PathBuf,
    /// Write the public key in this form instead
    #[arg(long)]
    form: Option<Form>,
    /// Where to write it
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
}

/// Forms of a public key.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Form {
    /// COSE_Key in CBOR
    Cose,
    /// SubjectPublicKeyInfo in PEM
    Pem,
    /// SubjectPublicKeyInfo in DER
    Der,
    /// JSON Web Key
    Jwk,
}

#[derive(Debug, Args)]
pub(crate) struct Thumbprint {
    /// The key, in any form
    key: PathBuf,
    /// Hash function: sha-256, sha-384 or sha-512
    #[arg(long, value_parser = hash, default_value = "sha-256")]
    hash: HashAlgorithm,
}

#[derive(Debug, Args)]
pub(crate) struct Advance {
    /// The key with state
    key: PathBuf,
    /// Number of the first one-time key that certainly was not used
    #[arg(long, value_name = "N")]
    to: u64,
}

/// What a key is for.
#[derive(Clone, Copy, Debug)]
enum Use {
    Sign(SignatureAlgorithm),
    Authenticate(HashAlgorithm),
    Decrypt(RecipientAlgorithm),
}

pub(crate) fn run(command: Key, printer: &Printer) -> Result<Answer, Failure> {
    match command {
        Key::New(command) => new(&command, printer),
        Key::Show(command) => show_key(&command, printer),
        Key::Thumbprint(Thumbprint { key, hash }) => {
            let digest = KeyFile::read(&key)?.thumbprint(hash);
            printer.show(&Node::shown(digest));
            Ok(Answer::Yes)
        }
        Key::Advance(Advance { key, to }) => {
            HashBasedKey::advance(&key, to)?;
            Ok(Answer::Yes)
        }
    }
}

fn new(command: &New, printer: &Printer) -> Result<Answer, Failure> {
    match command.alg {
        Use::Sign(SignatureAlgorithm::HssLms) => new_hash_based(command, printer),
        Use::Sign(algorithm) => new_signing(command, algorithm, printer),
        Use::Authenticate(algorithm) => {
            let key = Zeroizing::new(keys::random::<32>()?);
            let key = MacKey::new(algorithm, &*key).map_err(|error| unmade(&error))?;
            let kid = command.kid.as_deref().unwrap_or_default();
            write_shared(command, &key.encode_secret(kid.as_bytes()), printer)
        }
        Use::Decrypt(algorithm) => new_decrypting(command, algorithm, printer),
    }
}

fn unmade(error: &dyn std::error::Error) -> Failure {
    Failure::new("cannot make a key").because(error)
}

/// A key that all who have it share has no public part.
fn write_shared(command: &New, secret: &[u8], printer: &Printer) -> Result<Answer, Failure> {
    if command.public.is_some() {
        return Err(Failure::new("a shared key has no public part").help("leave --public out"));
    }
    files::write(&command.output, secret, Mode::Secret, printer)?;
    printer.warning("whoever has this key can be told from nobody else who has it");
    Ok(Answer::Yes)
}

fn new_hash_based(command: &New, printer: &Printer) -> Result<Answer, Failure> {
    let levels =
        hash_based::levels(&command.levels).map_err(|error| Failure::new(format!("levels: {error}")))?;
    if command.kid.is_some() {
        return Err(Failure::new("a hash-based key is named by its thumbprint").help("leave --kid out"));
    }
    let key = keys::with_randomness(|fill| HssSigningKey::generate(&levels, fill), "cannot make a key")?;
    HashBasedKey::create(&command.output, &key)?;
    let public = cose::Key::from_public(key.public_key());
    if let Some(path) = &command.public {
        files::write(path, &public.encode(), Mode::Public, printer)?;
    }
    printer.note(format!("HSS-LMS key {}", public.thumbprint(HashAlgorithm::Sha256)));
    printer.note(format!(
        "it signs {} times; never restore its file from a copy without its log, nor sign with two copies",
        key.remaining()
    ));
    Ok(Answer::Yes)
}

fn new_decrypting(
    command: &New,
    algorithm: RecipientAlgorithm,
    printer: &Printer,
) -> Result<Answer, Failure> {
    let kid = command.kid.as_deref().unwrap_or_default().as_bytes();
    match algorithm {
        RecipientAlgorithm::KeyWrap(wrap) => {
            let key = keys::with_randomness(|fill| KeyWrapKey::generate(wrap, fill), "cannot make a key")?;
            write_shared(command, &DecryptionKey::key_wrap(key, kid).encode_secret(), printer)
        }
        RecipientAlgorithm::Agreement(wrap) => {
            let generate =
                |fill: &mut dyn FnMut(&mut [u8])| AgreementKey::generate(AgreementCurve::P256, fill);
            let key = keys::with_randomness(generate, "cannot make a key")?;
            let key = DecryptionKey::agreement(key, wrap, kid).map_err(|error| unmade(&error))?;
            files::write(&command.output, &key.encode_secret(), Mode::Secret, printer)?;
            if let Some(path) = &command.public {
                let public = key.recipient_key().map_err(|error| unmade(&error))?.encode();
                files::write(path, &public, Mode::Public, printer)?;
            }
            Ok(Answer::Yes)
        }
    }
}

fn new_signing(command: &New, algorithm: SignatureAlgorithm, printer: &Printer) -> Result<Answer, Failure> {
    let secret = keys::generate(algorithm)?;
    let mut key = cose::Key::from_secret(secret);
    if let Some(kid) = &command.kid {
        key = key.with_kid(kid.as_bytes());
    }
    let encoded = key.encode_secret().expect("the key was made from a private key");
    files::write(&command.output, &encoded, Mode::Secret, printer)?;
    if let Some(public) = &command.public {
        files::write(public, &key.encode(), Mode::Public, printer)?;
    }
    printer.note(format!("{algorithm} key {}", key.thumbprint(HashAlgorithm::Sha256)));
    Ok(Answer::Yes)
}

fn show_key(command: &Show, printer: &Printer) -> Result<Answer, Failure> {
    let key = KeyFile::read(&command.key)?;
    let spki = || key.public.to_spki_der();
    let bytes = match command.form {
        None => {
            printer.show(&show::key::tree(&key).into());
            return Ok(Answer::Yes);
        }
        Some(Form::Cose) => cose::Key::from_public(&key.public).encode(),
        Some(Form::Pem) => pem::encode("PUBLIC KEY", &spki()).into_bytes(),
        Some(Form::Der) => spki(),
        Some(Form::Jwk) => {
            let jwk = show::key::jwk(&key.public).ok_or_else(|| {
                Failure::new("an HSS-LMS key has no form as JWK")
                    .help("JOSE registers none: take cose, pem or der")
            })?;
            serde_json::to_vec(&Node::from(jwk)).expect("a tree is JSON")
        }
    };
    files::write(&command.output, &bytes, Mode::Public, printer)?;
    Ok(Answer::Yes)
}

/// Reads the name of a signature algorithm, whatever its case.
pub(crate) fn algorithm(text: &str) -> Result<SignatureAlgorithm, String> {
    let known = |algorithm: &SignatureAlgorithm| algorithm.name().eq_ignore_ascii_case(text);
    let found = SignatureAlgorithm::ALL.into_iter().find(known);
    found.ok_or_else(|| "expected ES256, ES384, Ed25519 or HSS-LMS".to_owned())
}

/// Reads the name of what a key does.
fn use_of(text: &str) -> Result<Use, String> {
    let named = |name: &str| name.eq_ignore_ascii_case(text);
    if let Ok(algorithm) = algorithm(text) {
        return Ok(Use::Sign(algorithm));
    }
    if named("HMAC-256") {
        return Ok(Use::Authenticate(HashAlgorithm::Sha256));
    }
    for wrap in KeyWrapAlgorithm::ALL {
        if named(wrap.name()) {
            return Ok(Use::Decrypt(RecipientAlgorithm::KeyWrap(wrap)));
        }
        if named(&format!("ECDH-ES+{}", wrap.name())) {
            return Ok(Use::Decrypt(RecipientAlgorithm::Agreement(wrap)));
        }
    }
    Err("expected ES256, ES384, Ed25519, HSS-LMS, HMAC-256, A128KW, …, ECDH-ES+A128KW or …".to_owned())
}

/// Reads the name of a hash function.
pub(crate) fn hash(text: &str) -> Result<HashAlgorithm, String> {
    HashAlgorithm::from_name(&text.to_ascii_lowercase())
        .ok_or_else(|| "expected sha-256, sha-384 or sha-512".to_owned())
}

/// The line about a key that goes with lists.
pub(crate) fn summary(key: &crypto::PublicKey) -> Map {
    let thumbprint = cose::thumbprint(key, HashAlgorithm::Sha256);
    Map::new().with("algorithm", Node::shown(key.algorithm())).with("thumbprint", Node::shown(thumbprint))
}
