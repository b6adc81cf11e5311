use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use crypto::{HashAlgorithm, SignatureAlgorithm};

use crate::{
    failure::{Answer, Failure},
    files::{self, Mode},
    keys::{self, KeyFile},
    node::{Map, Node},
    pem,
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
}

#[derive(Debug, Args)]
pub(crate) struct New {
    /// Signature algorithm: ES256, ES384 or Ed25519
    #[arg(long, value_parser = algorithm, default_value = "ES256")]
    alg: SignatureAlgorithm,
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

pub(crate) fn run(command: Key, printer: &Printer) -> Result<Answer, Failure> {
    match command {
        Key::New(command) => new(&command, printer),
        Key::Show(command) => show_key(&command, printer),
        Key::Thumbprint(Thumbprint { key, hash }) => {
            let digest = KeyFile::read(&key)?.thumbprint(hash);
            printer.show(&Node::shown(digest));
            Ok(Answer::Yes)
        }
    }
}

fn new(command: &New, printer: &Printer) -> Result<Answer, Failure> {
    let secret = keys::generate(command.alg)?;
    let mut key = cose::Key::from_secret(secret);
    if let Some(kid) = &command.kid {
        key = key.with_kid(kid.as_bytes());
    }
    let encoded = key.encode_secret().expect("the key was made from a private key");
    files::write(&command.output, &encoded, Mode::Secret, printer)?;
    if let Some(public) = &command.public {
        files::write(public, &key.encode(), Mode::Public, printer)?;
    }
    printer.note(format!("{} key {}", command.alg, key.thumbprint(HashAlgorithm::Sha256)));
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
            let jwk = show::key::jwk(&key.public);
            serde_json::to_vec(&Node::from(jwk)).expect("a tree is JSON")
        }
    };
    files::write(&command.output, &bytes, Mode::Public, printer)?;
    Ok(Answer::Yes)
}

/// Reads the name of a signature algorithm, whatever its case.
pub(crate) fn algorithm(text: &str) -> Result<SignatureAlgorithm, String> {
    let known = |algorithm: &SignatureAlgorithm| algorithm.name().eq_ignore_ascii_case(text);
    let found = SignatureAlgorithm::STATELESS.into_iter().find(known);
    found.ok_or_else(|| "expected ES256, ES384 or Ed25519".to_owned())
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
